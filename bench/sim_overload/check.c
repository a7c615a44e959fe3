/* SPDX-License-Identifier: BSD-3-Clause */
/* What several scenarios of the overload laboratory must show. */
#include <stdarg.h>
#include <stddef.h>
#include "bench/sim_overload/check.h"

void lab_say(struct lab_text *t, const char *format, ...)
{
	size_t n = strlen(t->p);
	va_list args;

	va_start(args, format);
	vsnprintf(t->p + n, sizeof(t->p) - n, format, args);
	va_end(args);
}

bool lab_no_refusal(struct lab *l, struct lab_text *t, unsigned phase, double after_s)
{
	double n = LAB_SUM(l, lab_began(l, phase) + after_s, lab_began(l, phase + 1), refused);

	return must(t, n == 0, " %.0f refused at %gx;", n, l->scene->phases[phase].load);
}

double lab_wanted_goodput(const struct scene *scene, double load)
{
	static const struct phase wanted[] = { { 0.90, 10 }, { 0.93, 5 }, { 0.95, 1.5 }, { 0.97, 1 } };

	/* Chance alone fills 32 servers and ten places 3 to 6 % of the time at 1x (M/D and M/M/32/42). */
	if (scene->queue && scene->queue < scene->servers && load == 1)
		return 0.94;
	for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (load >= wanted[i].load)
			return wanted[i].seconds;
	}
	return 0.97 * load;
}

bool lab_goodput_held(struct lab *l, struct lab_text *t)
{
	bool good = true;

	for (unsigned i = 0; i < MAX_PHASES && l->scene->phases[i].seconds > 0; i++) {
		double from, to, load = l->scene->phases[i].load, p99, got, repeats;

		lab_span(l, i, &from, &to);
		got = lab_goodput(l, from, to);
		repeats = LAB_SUM(l, from, to, repeats) / (LAB_SUM(l, from, to, received) + 1);
		p99 = lab_quantile(&l->delays[i], 0.99) / l->unloaded_p99;
		good &= must(t, got >= lab_wanted_goodput(l->scene, load), " goodput %.3f at %gx;", got,
			     load);
		good &= must(t, load < 2 || p99 <= 3, " p99 %.1f at %gx;", p99, load);
		good &= must(t, l->scene->loss > 0 || repeats < 0.01, " %.1f %% of INVITEs again at %gx;",
			     100 * repeats, load);
		if (load < 0.9)
			good &= lab_no_refusal(l, t, i, 5);
	}
	return good;
}

double lab_jain(const double *parts, unsigned n)
{
	double sum = 0, squares = 0;

	for (unsigned i = 0; i < n; i++) {
		sum += parts[i];
		squares += parts[i] * parts[i];
	}
	return squares > 0 ? sum * sum / (n * squares) : 0;
}
