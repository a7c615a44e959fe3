/* SPDX-License-Identifier: BSD-3-Clause */
/* What the laboratory measures with: percentiles against sorted samples, timers against order, reading
 * against texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "bench/kit/draw.h"
#include "bench/kit/heap.h"
#include "bench/kit/hist.h"
#include "bench/kit/oc.h"
#include "bench/kit/text.h"
#include "bench/kit/udp.h"

#define N 20000

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void test_percentiles(void **state)
{
	static const double parts[] = { 0.01, 0.5, 0.9, 0.99, 0.999, 1 };
	static uint64_t ns[N];
	struct kit_hist *h = calloc(1, sizeof(*h));
	struct kit_draw draw = { .state = 4 };

	for (int i = 0; i < N; i++) {
		ns[i] = (uint64_t)kit_lognormal(&draw, 400e6, 1.5);
		kit_hist_add(h, ns[i]);
	}
	qsort(ns, N, sizeof(ns[0]), ascending);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		double truth = (double)ns[(size_t)ceil(parts[i] * N) - 1] / 1e6,
		       told = kit_hist_ms(h, parts[i]);

		assert_true(told >= truth * 0.999 && told <= truth * 1.017);
	}
	free(h);
}

static void test_percentile_edges(void **state)
{
	struct kit_hist *h = calloc(2, sizeof(*h));

	assert_true(kit_hist_ms(h, 0.99) == 0);
	kit_hist_add(h, 5000);
	assert_true(kit_hist_ms(h, 0.5) == 0.005 && kit_hist_ms(h, 1) == 0.005);
	kit_hist_add(h, 3000);
	assert_true(kit_hist_ms(h, 0.5) == 0.003 && kit_hist_ms(h, 0.51) == 0.005);
	kit_hist_add(h + 1, UINT64_MAX / 2); /* beyond the last bucket */
	kit_hist_add(h + 1, 64000);
	kit_hist_merge(h, h + 1);
	assert_int_equal(h->n, 4);
	assert_true(kit_hist_ms(h, 0.75) == 0.064);
	free(h);
}

static void test_timers(void **state)
{
	static struct kit_timer timer[N];
	struct kit_heap heap = { 0 };
	struct kit_draw draw = { .state = 5 };
	uint64_t before = 0;
	int n = 0;

	for (int i = 0; i < N; i++)
		kit_arm(&heap, &timer[i], 1 + kit_bits(&draw) % 1000);
	for (int i = 0; i < N; i += 2)
		kit_arm(&heap, &timer[i], 1 + kit_bits(&draw) % 1000);
	for (int i = 0; i < N; i += 3)
		kit_disarm(&heap, &timer[i]);
	assert_null(kit_due(&heap, kit_next(&heap) - 1));
	for (struct kit_timer *t; (t = kit_due(&heap, UINT64_MAX)); n++) {
		assert_true(t->at >= before && (t - timer) % 3 != 0 && t->pos == 0);
		before = t->at;
	}
	assert_int_equal(n, N - (N + 2) / 3);
	assert_true(kit_next(&heap) == UINT64_MAX);
	free(heap.of);
}

#define IS(text, word) assert_true(kit_is(text, word))

static void test_reading(void **state)
{
	static const char invite[] =
		"INVITE sip:+8255@gw.test:5060;user=phone SIP/2.0\r\n"
		"Via: SIP/2.0/UDP 192.0.2.1:5060;oc;oc-algo=\"loss,rate\";branch=z9hG4bKa, SIP/2.0/UDP "
		"x;branch=z9hG4bKb\r\n"
		"v: SIP/2.0/UDP y;branch=z9hG4bKc\r\nFrom: \"a;tag=no\" <sip:a@b>;tag=1\r\nt : "
		"<sip:+8255@gw.test>\r\n"
		"Call-ID: 7@b\r\nCSeq: 4711 INVITE\r\nRecord-Route: <sip:p;lr>\r\n\r\nbody\r\n";
	static const char refusal[] =
		"SIP/2.0 503 Service Unavailable\r\nVia: SIP/2.0/UDP y;branch=z9hG4bKc;oc=20\r\nFrom: "
		"<sip:a@b>;tag=1\r\n"
		"To: <sip:c@b>;tag=22\r\nCall-ID: 7@b\r\nCSeq: 1 INVITE\r\nRetry-After: 12 (later)\r\n\r\n";
	struct kit_sip m;

	assert_true(kit_sip_read(&m, invite, sizeof(invite) - 1));
	IS(m.method, "INVITE");
	IS(m.branch, "z9hG4bKa");
	IS(m.call_id, "7@b");
	IS(kit_user(m.uri), "+8255");
	IS(kit_uri(m.to), "sip:+8255@gw.test");
	assert_true(m.status == 0 && m.cseq == 4711 && m.to_tag.n == 0 && m.n_rows == 7);
	assert_true(kit_param(m.via, "oc").p && kit_param(m.via, "oc").n == 0);
	IS(kit_param(m.via, "oc-algo"), "\"loss,rate\"");
	assert_true(kit_sip_read(&m, refusal, sizeof(refusal) - 1));
	IS(m.method, "INVITE");
	IS(m.to_tag, "22");
	assert_true(m.status == 503 && kit_number(m.retry_after) == 12 &&
		    kit_number(kit_param(m.via, "oc")) == 20);
	for (size_t n = 0; n < sizeof(invite) - 1; n++) /* headers that do not end are no message */
		assert_int_equal(kit_sip_read(&m, invite, (uint32_t)n),
				 n >= strlen(invite) - strlen("body\r\n"));
}

static void test_addresses(void **state)
{
	static const char *const bad[] = { "192.0.2.1", "192.0.2.1:", "192.0.2.1:70000", "::1:5060",
					   "[::1]",     "x:1",        "[1.2.3.4]:1" };
	union kit_addr a;

	assert_int_equal(kit_addr_read("192.0.2.1:5060", &a), 0);
	assert_true(a.sa.sa_family == AF_INET && a.in.sin_port == htons(5060));
	assert_int_equal(kit_addr_read("[2001:db8::1]:5061", &a), 0);
	assert_true(a.sa.sa_family == AF_INET6 && a.in6.sin6_port == htons(5061));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(kit_addr_read(bad[i], &a) < 0);
}

/* A gateway of 100 calls/s whose clients obey is offered `load` times that: what comes in the end, per s. */
static double obeyed(enum kit_oc_algo algo, double load, double *queue)
{
	struct kit_oc o = { 0 };
	double sum = 0, waiting = 0;
	bool on = false;

	for (int step = 0; step < 200; step++) {
		double calls = load * 100 * KIT_OC_EVERY_S, each = 3;
		struct kit_oc_seen seen = { .capacity = 100, .target = 0.1, .clients = 2 };

		if (on && algo == KIT_OC_LOSS)
			calls *= 1 - o.value / 100.0;
		if (on && algo == KIT_OC_RATE)
			calls = fmin(calls, 2 * o.value / each * KIT_OC_EVERY_S);
		waiting = fmax(0, waiting + calls - 100 * KIT_OC_EVERY_S);
		seen.invites = calls;
		seen.requests = each * calls;
		seen.delay = waiting / 100;
		on = kit_oc_step(&o, algo, &seen);
		sum += step >= 100 ? calls / 10 : 0;
	}
	*queue = waiting / 100;
	return sum;
}

static void test_overload_control(void **state)
{
	double queue;

	for (enum kit_oc_algo algo = KIT_OC_LOSS; algo <= KIT_OC_RATE; algo++) {
		for (double load = 1.5; load <= 10; load *= 1.5) {
			assert_true(fabs(obeyed(algo, load, &queue) - 100) < 3);
			assert_true(queue > 0.05 && queue < 0.15);
		}
		assert_true(fabs(obeyed(algo, 0.5, &queue) - 50) < 0.1); /* asked for nothing */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_percentiles), cmocka_unit_test(test_percentile_edges),
		cmocka_unit_test(test_timers),      cmocka_unit_test(test_overload_control),
		cmocka_unit_test(test_reading),     cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
