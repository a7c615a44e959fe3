/* SPDX-License-Identifier: BSD-3-Clause */
/* See small.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/control/small.h"

/* The dataplane's part, which no test here needs. */
void *dp_alloc(int numa, size_t bytes)
{
	return NULL;
}

void dp_free(void *mem)
{
}

void dp_publish_policy(struct dp *dp, int numa, struct lb_snapshot *snap)
{
}

static const char yaml[] = "ports: { a: { device: net_null, addresses: [192.0.2.10/24] } }\n"
			   "listeners: { l: { address: 192.0.2.10:5060 } }\n"
			   "peers: { c: { from: [203.0.113.0/24] } }\n"
			   "pools: { p: { gateways: { g: { address: 192.0.2.21:5060 }, h: { address: "
			   "192.0.2.22:5060 } } } }\n"
			   "routes: [ { pool: p } ]\n";

int small_make(struct small *s, const char *name)
{
	const struct state_keys keys = { .hash.k = { 1, 2 }, .token.k = { 3, 4 } };
	struct conf_report report;
	char err[300];

	snprintf(s->dir, sizeof(s->dir), "/tmp/weir-%s-XXXXXX", name);
	if (!mkdtemp(s->dir))
		return -1;
	if (conf_load_text("test.yaml", yaml, strlen(yaml), &s->conf, &report))
		return -1;
	conf_report_free(&report);
	return policy_make(s->conf, &keys, 1, &s->policy, err, sizeof(err));
}

int small_free(struct small *s)
{
	policy_free(s->policy);
	conf_free(s->conf);
	return rmdir(s->dir);
}
