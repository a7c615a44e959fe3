/* SPDX-License-Identifier: BSD-3-Clause */
/* Manual pages from tables, in scdoc's language. */
#ifndef WEIR_DOCS_SCDOC_H
#define WEIR_DOCS_SCDOC_H

#include <stdio.h>

/* Writes weir.yaml(5). Returns 0 or -errno. */
int docs_config_scdoc(FILE *out);

#endif
