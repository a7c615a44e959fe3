/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of conf/ share: cmocka, loading a text, and its report as text. */
#ifndef WEIR_TESTS_CONF_TEST_H
#define WEIR_TESTS_CONF_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "conf/conf.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The messages as `weir --check` prints them; the caller frees. */
static inline char *report_text(const struct conf_report *report)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	conf_report_print(report, out);
	fclose(out);
	return text;
}

/* The messages of a text that is loaded as file "f"; the caller frees. *ok: it loaded. */
static inline char *messages_of(const char *yaml, bool *ok)
{
	struct conf *conf;
	struct conf_report report;
	char *text;
	int rc = conf_load_text("f", yaml, strlen(yaml), &conf, &report);

	text = report_text(&report);
	*ok = rc == 0;
	assert_int_equal(rc == 0, conf != NULL);
	assert_int_equal(rc == 0, report.n_errors == 0);
	assert_int_equal(report.n, report.n_errors + report.n_warnings);
	conf_report_free(&report);
	conf_free(conf);
	return text;
}

/* Loads a text that must be right, without a warning. */
static inline struct conf *load_good(const char *yaml)
{
	struct conf *conf;
	struct conf_report report;
	int rc = conf_load_text("f", yaml, strlen(yaml), &conf, &report);

	if (rc != 0 || report.n > 0) {
		conf_report_print(&report, stderr);
		fail_msg("refused");
	}
	conf_report_free(&report);
	return conf;
}

/* Lines 1-3 of a config that is complete with a pool "p" and a route; more keys may follow from line 4 on. */
#define NET                                                                                                  \
	"ports: { a: { device: net_null, addresses: [192.0.2.10/24] } }\n"                                   \
	"listeners: { l: { address: 192.0.2.10:5060 } }\n"                                                   \
	"peers: { c: { from: [203.0.113.0/24] } }\n"
/* Two lines more. */
#define POOL                                                                                                 \
	"pools: { p: { gateways: { g: { address: 192.0.2.21:5060 } } } }\n"                                  \
	"routes: [ { pool: p } ]\n"

#endif
