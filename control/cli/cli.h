/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Private header of weirctl, a program of its own that knows the daemon only by its socket (and the config
 * library, to check files). One table of commands and one of options drive parsing, help, completion and the
 * manual page. Single thread; everything may block until the timeout.
 */
#ifndef WEIR_CONTROL_CLI_CLI_H
#define WEIR_CONTROL_CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#define CLI_SOCKET     "/run/weir/weir.sock" /* default of control.socket */
#define CLI_SO_ALREADY (-32002)              /* error code of the daemon: nothing had to be changed */
#define CLI_WORDS      8                     /* words of a command line, more is usage */

/* Exit codes; `health` has those of a monitoring check, which fit: 0 ok, 1 warning, 2 critical, 3 unknown. */
enum cli_exit {
	CLI_DONE = 0,
	CLI_REFUSED = 1, /* the daemon, or the config, says no */
	CLI_USAGE = 2,
	CLI_NO_DAEMON = 3, /* nobody answers, or not in time */
	CLI_IN_VAIN = 4,   /* --wait, and --within is over */
};

struct cli {
	const char *socket;
	double timeout_s; /* for one question and its answer */
	double watch_s;   /* repeat the command this often; 0: once */
	bool json;
	bool color;
	bool all;            /* also what is zero */
	bool follow;         /* go on with what comes */
	bool wait;           /* until the calls have ended */
	double within_s;     /* but no longer; 0: as long as it takes */
	const char *gateway; /* only what has to do with it; NULL: all */
	bool help, version;  /* asked for */
	bool prompt;         /* the line was typed at weirctl's own prompt */
	FILE *out, *err;
	json_t *error; /* {code, message, data} of the last failure, or NULL */
};

struct cli_option {
	char letter;      /* 0: long form only */
	const char *name; /* without the dashes */
	const char *arg;  /* name of its value for people, NULL: takes none */
	const char *help;
	bool (*set)(struct cli *cli, const char *value); /* false: the value is no good */
};

extern const struct cli_option cli_options[]; /* ends with a NULL name */

/* What a word behind a command may be. */
enum cli_arg {
	CLI_ARG_NONE,
	CLI_ARG_GATEWAY,
	CLI_ARG_POOL,
	CLI_ARG_SETTING, /* a key of `set` */
	CLI_ARG_FILE,
	CLI_ARG_TEXT,
};

#define CLI_OPERANDS 3

/* A word behind the command's own. */
struct cli_operand {
	enum cli_arg arg;  /* CLI_ARG_NONE ends the list */
	const char *name;  /* for people: "GATEWAY" */
	const char *param; /* parameter of the method that gets it */
	bool optional;     /* may be left out; the last one only */
};

struct cli_command {
	const char *words[2]; /* second may be NULL */
	struct cli_operand operands[CLI_OPERANDS];
	const char *method; /* question for the daemon; NULL: done here */
	const char *help;   /* one line */
	const char *more;   /* for the manual page; may be NULL */
	bool changes;       /* something: not for --watch */
	bool waits;         /* takes --wait: until the calls of what it names have ended */
	/* Shows the daemon's result to people. Returns an exit code. */
	int (*show)(struct cli *cli, const json_t *result);
	/* method == NULL: does the work; arg: the first operand, NULL if it is left out. Returns an exit
	 * code.
	 */
	int (*run)(struct cli *cli, const char *arg);
};

extern const struct cli_command cli_commands[]; /* ends with a NULL first word */

/* ---- args.c: words and options ---------------------------------------------------------------------- */

/*
 * Takes the options out of argv[0..argc) into cli; the other words stay in order in words[CLI_WORDS].
 * Returns their number, or -1 after cli_error(). lenient: skips what it does not understand.
 */
int cli_parse(struct cli *cli, int argc, char *const *argv, const char *words[CLI_WORDS], bool lenient);

/*
 * The command that these words are, its operands in args (NULL: left out). Returns NULL after cli_error() if
 * there is no such command or a word is missing or too much.
 */
const struct cli_command *cli_find(struct cli *cli, int n, const char *const *words,
				   const char *args[CLI_OPERANDS]);

/* Splits a line at blanks, in place; "…" and '…' keep blanks. Returns the words, or -1 if a quote stays open.
 */
int cli_split(char *line, char *argv[], int max);

/* ---- client.c: the daemon ----------------------------------------------------------------------------- */

/*
 * Asks the daemon; params is taken over and may be NULL. Answers in pages are put together.
 * Returns CLI_DONE with *result (a new reference), or an exit code after cli_error().
 */
int cli_ask(struct cli *cli, const char *method, json_t *params, json_t **result);

/* Keeps an error for cli_report(). data is taken over, may be NULL. */
void cli_error(struct cli *cli, int code, json_t *data, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Prints the error that is kept: as JSON on out, or as a line on err. */
void cli_report(struct cli *cli);

/* ---- run.c: one command ---------------------------------------------------------------------------------
 */

/* Runs the command line argv (without the program's name). Returns an exit code, errors reported. */
int cli_run(const struct cli *defaults, int argc, char *const *argv);

/*
 * Calls turn() again and again, `s` seconds apart, until it returns something else than CLI_DONE and `stop`
 * is set, stdout goes away, or Ctrl-C. Returns what the last turn returned.
 */
int cli_repeat(struct cli *cli, double s, bool stop, int (*turn)(struct cli *cli, void *arg), void *arg);

void cli_print_json(struct cli *cli, const json_t *value);

int cli_run_events(struct cli *cli, const char *arg);
int cli_run_check(struct cli *cli, const char *file);
int cli_run_help(struct cli *cli, const char *word);

/* ---- wait.c: --wait -------------------------------------------------------------------------------------
 */

/* Waits until the gateway, or the node if NULL, has no calls. CLI_DONE, CLI_IN_VAIN, or why nobody knows. */
int cli_wait(struct cli *cli, const char *gateway);

/* ---- show.c, show_node.c: results for people
 * ------------------------------------------------------------------ */

int cli_show_status(struct cli *cli, const json_t *result);
int cli_show_pools(struct cli *cli, const json_t *result);
int cli_show_gateways(struct cli *cli, const json_t *result);
int cli_show_gateway(struct cli *cli, const json_t *result);
int cli_show_peers(struct cli *cli, const json_t *result);
int cli_show_workers(struct cli *cli, const json_t *result);
int cli_show_ports(struct cli *cli, const json_t *result);
int cli_show_calls(struct cli *cli, const json_t *result);
int cli_show_audit(struct cli *cli, const json_t *result);
int cli_show_congestion(struct cli *cli, const json_t *result);
int cli_show_drops(struct cli *cli, const json_t *result);
int cli_show_config(struct cli *cli, const json_t *result);
int cli_show_hash(struct cli *cli, const json_t *result);
int cli_show_why(struct cli *cli, const json_t *result);
int cli_show_health(struct cli *cli, const json_t *result);
int cli_show_change(struct cli *cli, const json_t *result);
int cli_show_node_change(struct cli *cli, const json_t *result);
int cli_show_set(struct cli *cli, const json_t *result);

/* ---- complete.c, shell.c, man.c
 * ---------------------------------------------------------------------------- */

typedef void cli_candidate_h(void *arg, const char *text);

/* Calls h for each word that can stand where `line` (n bytes, up to the cursor) ends and begins with its last
 * word. */
void cli_complete(const struct cli *cli, const char *line, size_t n, cli_candidate_h *h, void *arg);

/* Commands from stdin: with line editing on a terminal, else one a line until one fails. Returns an exit
 * code. */
int cli_shell(const struct cli *cli);

/* weirctl(1) in scdoc's language. */
void cli_man(FILE *out);

/* Usage line of a command: "show gateways [POOL]". */
void cli_usage_text(const struct cli_command *c, char *text, size_t n);

#endif
