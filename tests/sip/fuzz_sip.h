/* SPDX-License-Identifier: BSD-3-Clause */
/* The libFuzzer target of the SIP room, as a function for the replay too. */
#ifndef WEIR_TESTS_SIP_FUZZ_SIP_H
#define WEIR_TESTS_SIP_FUZZ_SIP_H

#include <stddef.h>
#include <stdint.h>

/* One input, any bytes. Returns 0; aborts if something that must hold does not. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
