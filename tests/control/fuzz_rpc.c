/* SPDX-License-Identifier: BSD-3-Clause */
/* libFuzzer: any bytes as a request get an answer that is JSON, or none; nothing else happens. */
#include <stdlib.h>

#include "control/api.h"
#include "control/control.h"
#include "tests/control/fake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fake fake = { .socket = "/nonexistent", .metrics = 1 };
	static struct app app;
	struct ctl_call call = { .app = &app, .who = "fuzz" };
	json_t *answer;
	char *text;

	if (!app.conf)
		fake_app(&app, &fake, 3);
	answer = ctl_answer(&call, (const char *)data, size);
	if (!answer)
		return 0;
	text = json_dumps(answer, JSON_COMPACT);
	if (!text || !json_object_get(answer, "result") == !json_object_get(answer, "error"))
		abort();
	free(text);
	json_decref(answer);
	return 0;
}
