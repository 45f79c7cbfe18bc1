/* Command lines by table; see args.h. */
#include "base/args.h"

/* Edit distance, for "did you mean"; names over 31 bytes are far. */
static unsigned
distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	if (n > 31 || m > 31)
		return 32;
	unsigned row[32];
	for (size_t j = 0; j <= m; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned diagonal = row[0];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			unsigned change = diagonal + (a[i - 1] != b[j - 1]);
			diagonal = row[j];
			unsigned gap = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
			row[j] = change < gap ? change : gap;
		}
	}
	return row[m];
}

static int
param_index(const struct tf_command *c, struct tf_str name)
{
	for (int i = 0; c->params[i].name; i++)
		if (tf_str_eq(name, tf_str(c->params[i].name)))
			return i;
	return -1;
}

static enum tf_err
unknown_option(const struct tf_command *c, const char *arg, struct tf_str name, struct tf_fault *f)
{
	char text[32] = {0};
	memcpy(text, name.p, name.n < 31 ? name.n : 31);
	const char *near = NULL;
	unsigned best = 4;
	for (int i = 0; c->params[i].name; i++) {
		unsigned d = distance(text, c->params[i].name);
		if (d < best)
			best = d, near = c->params[i].name;
	}
	if (near)
		return tf_fault(f, TF_USAGE, "unknown option '%.60s'; did you mean --%s?", arg, near);
	return tf_fault(f, TF_USAGE, "unknown option '%.60s'", arg);
}

static enum tf_err
check_value(const struct tf_param *p, struct tf_str v, struct tf_fault *f)
{
	int64_t n;
	if (p->kind != TF_PARAM_INT)
		return TF_OK;
	if (!tf_str_i64(v, &n))
		return tf_fault(f, TF_USAGE, "--%s '%.*s' is not a whole number", p->name, TF_FMT(v));
	if (n < p->min || n > p->max)
		return tf_fault(f, TF_USAGE, "--%s %lld is not within %lld to %lld", p->name, (long long)n, (long long)p->min, (long long)p->max);
	return TF_OK;
}

/* One option at argv[*i]; moves *i past its value. */
static enum tf_err
take_option(struct tf_args *a, int argc, char **argv, int *i, struct tf_fault *f)
{
	const char *arg = argv[*i], *equals = strchr(arg, '=');
	struct tf_str name = tf_str_n(arg + 2, equals ? (size_t)(equals - arg - 2) : strlen(arg) - 2);
	int at = arg[1] == '-' ? param_index(a->command, name) : -1;
	if (at < 0)
		return unknown_option(a->command, arg, name, f);
	const struct tf_param *p = &a->command->params[at];
	if (p->kind == TF_PARAM_FLAG) {
		if (equals)
			return tf_fault(f, TF_USAGE, "--%s takes no value", p->name);
		a->given[at] = true;
		return TF_OK;
	}
	if (!equals && *i + 1 >= argc)
		return tf_fault(f, TF_USAGE, "--%s needs a value: %s", p->name, p->value);
	a->value[at] = tf_str(equals ? equals + 1 : argv[++*i]);
	a->given[at] = true;
	return check_value(p, a->value[at], f);
}

static enum tf_err
check_complete(struct tf_args *a, struct tf_fault *f)
{
	const struct tf_command *c = a->command;
	for (int i = 0; c->params[i].name; i++) {
		if (!a->given[i] && c->params[i].required)
			return tf_fault(f, TF_USAGE, "--%s %s is missing", c->params[i].name, c->params[i].value);
		if (!a->given[i] && c->params[i].fallback)
			a->value[i] = tf_str(c->params[i].fallback);
	}
	if (!c->positional && a->positional_count)
		return tf_fault(f, TF_USAGE, "unexpected argument '%.100s'", a->positional[0]);
	if (a->positional_count < c->positional_min)
		return tf_fault(f, TF_USAGE, "missing argument: %s", c->positional);
	return TF_OK;
}

enum tf_err
tf_args_parse(const struct tf_command *c, int argc, char **argv, struct tf_args *out, struct tf_fault *f)
{
	struct tf_args a = {.command = c, .positional = argv};
	bool options = true;
	for (int i = 0; i < argc; i++) {
		char *arg = argv[i];
		if (options && (strcmp(arg, "-h") == 0 || strcmp(arg, "--help") == 0)) {
			a.help = true;
			*out = a;
			return TF_OK;
		}
		if (options && strcmp(arg, "--") == 0)
			options = false;
		else if (options && arg[0] == '-' && arg[1])
			TF_TRY(take_option(&a, argc, argv, &i, f));
		else
			argv[a.positional_count++] = arg;
	}
	TF_TRY(check_complete(&a, f));
	*out = a;
	return TF_OK;
}

static int
known(const struct tf_args *a, const char *name)
{
	int at = param_index(a->command, tf_str(name));
	TF_ASSERT(at >= 0);
	return at;
}

struct tf_str
tf_args_text(const struct tf_args *a, const char *name)
{
	struct tf_str v = a->value[known(a, name)];
	return v.p ? v : TF_STR("");
}

const char *
tf_args_cstr(const struct tf_args *a, const char *name)
{
	return a->value[known(a, name)].p;
}

int64_t
tf_args_int(const struct tf_args *a, const char *name)
{
	int64_t v;
	return tf_str_i64(a->value[known(a, name)], &v) ? v : 0;
}

bool
tf_args_flag(const struct tf_args *a, const char *name)
{
	return a->given[known(a, name)];
}

bool
tf_args_given(const struct tf_args *a, const char *name)
{
	return a->given[known(a, name)];
}

void
tf_args_help(const struct tf_command *c, const char *program, struct tf_buf *out)
{
	tf_buf_printf(out, "%s %s: %s\n\nusage: %s %s [options]%s%s\n", program, c->name, c->summary, program, c->name, c->positional ? " " : "",
	              c->positional ? c->positional : "");
	for (int i = 0; c->params[i].name; i++) {
		const struct tf_param *p = &c->params[i];
		char left[64];
		struct tf_buf line;
		tf_buf_init(&line, 0);
		tf_buf_printf(&line, "--%s%s%s", p->name, p->value ? " " : "", p->value ? p->value : "");
		size_t n = line.n < sizeof left - 1 ? line.n : sizeof left - 1;
		memcpy(left, line.p ? (char *)line.p : "", line.p ? n : 0);
		left[line.p ? n : 0] = 0;
		tf_buf_release(&line);
		tf_buf_printf(out, "  %-22s %s", left, p->help);
		if (p->required)
			tf_buf_cstr(out, " (required)");
		else if (p->fallback)
			tf_buf_printf(out, " (default %s)", p->fallback);
		tf_buf_u8(out, '\n');
	}
}

void
tf_args_help_all(const struct tf_command *commands, const char *program, const char *purpose, struct tf_buf *out)
{
	tf_buf_printf(out, "%s: %s\n\nusage: %s VERB [options]\n\n", program, purpose, program);
	for (int i = 0; commands[i].name; i++)
		tf_buf_printf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
	tf_buf_printf(out, "\n%s VERB -h tells a verb's options. Exit: 0 yes, 1 no or part rejected, 2 bad input, 70 bug, 75 try again.\n", program);
}

const struct tf_command *
tf_args_find(const struct tf_command *commands, const char *name, const char **out_near)
{
	unsigned best = 4;
	const char *near = NULL;
	for (int i = 0; commands[i].name; i++) {
		unsigned d = distance(name, commands[i].name);
		if (d == 0)
			return &commands[i];
		if (d < best)
			best = d, near = commands[i].name;
	}
	if (out_near)
		*out_near = near;
	return NULL;
}
