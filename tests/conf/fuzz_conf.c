/* SPDX-License-Identifier: BSD-3-Clause */
/* libFuzzer: any bytes load, print and free; what loads prints as YAML that loads again. */
#include <stdint.h>
#include <stdlib.h>

#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf *conf, *again;
	struct conf_report report;
	char *text = NULL;
	size_t n = 0;
	FILE *out;

	if (conf_load_text("fuzz", (const char *)data, size, &conf, &report) == 0) {
		conf_report_free(&report);
		out = open_memstream(&text, &n);
		if (out == NULL || conf_print(conf, out) != 0 || fclose(out) != 0)
			abort();
		if (conf_load_text("fuzz", text, n, &again, &report) != 0)
			abort();
		conf_free(again);
		free(text);
	}
	conf_report_free(&report);
	conf_free(conf);
	return 0;
}
