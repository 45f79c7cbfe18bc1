/* Command lines by table; see args.h. Help is in args_help.c. */
#include "base/args.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/units.h"

#define NAME_MAX_COMPARED 31
#define NEAR              4 /* edits from here on are another word */

/* Edit distance, for "did you mean"; long names are far. */
static unsigned
distance(struct tf_str a, struct tf_str b)
{
	if (a.n > NAME_MAX_COMPARED || b.n > NAME_MAX_COMPARED)
		return NEAR;
	unsigned row[NAME_MAX_COMPARED + 1];
	for (size_t j = 0; j <= b.n; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= a.n; i++) {
		unsigned diagonal = row[0];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b.n; j++) {
			unsigned change = diagonal + (a.p[i - 1] != b.p[j - 1]);
			unsigned gap = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
			diagonal = row[j];
			row[j] = change < gap ? change : gap;
		}
	}
	return row[b.n];
}

/* Keeps the closer of two names; a distance of the whole word is none at all. */
static void
keep_nearer(struct tf_str wanted, const char *name, unsigned *best, const char **near)
{
	unsigned d = distance(wanted, tf_str(name));
	if (d < *best && d < wanted.n) {
		*best = d;
		*near = name;
	}
}

static int
param_index(const struct tf_command *c, struct tf_str name)
{
	for (int i = 0; c->params && c->params[i].name; i++) {
		TF_ASSERT(i < TF_PARAMS_MAX);
		if (tf_str_eq(name, tf_str(c->params[i].name)))
			return i;
	}
	return -1;
}

static enum tf_err
unknown_option(const struct tf_command *c, struct tf_str arg, struct tf_str name, struct tf_fault *f)
{
	const char *near = NULL;
	unsigned best = NEAR;
	for (int i = 0; c->params && c->params[i].name; i++)
		keep_nearer(name, c->params[i].name, &best, &near);
	if (near)
		return tf_fault(f, TF_USAGE, "unknown option '%.*s'; did you mean --%s?", TF_FMT(arg), near);
	return tf_fault(f, TF_USAGE, "unknown option '%.*s'", TF_FMT(arg));
}

/* Values. */

static bool
find_choice(const char *words, struct tf_str v, int64_t *out)
{
	struct tf_str rest = tf_str(words), word;
	for (int64_t i = 0; tf_str_cut(&rest, '|', &word); i++)
		if (tf_str_eq(word, v)) {
			*out = i;
			return true;
		}
	return false;
}

static const char *
wanted(const struct tf_param *p)
{
	switch (p->kind) {
	case TF_PARAM_INT:
		return "a whole number";
	case TF_PARAM_SIZE:
		return "a size such as 64MiB or 10k";
	case TF_PARAM_DURATION:
		return "a duration such as 90s, 15m or 7d";
	case TF_PARAM_TIME:
		return "a time such as 2026-11-24 or 2026-11-24T03:15Z";
	case TF_PARAM_DATE:
		return "a date, YYYY-MM-DD";
	case TF_PARAM_MONTH:
		return "a month, YYYY-MM";
	case TF_PARAM_CHOICE:
		return p->value;
	case TF_PARAM_FLAG:
	case TF_PARAM_TEXT:
	case TF_PARAM_LIST:
		break;
	}
	return "a text";
}

static bool
to_number(const struct tf_param *p, struct tf_str v, int64_t *out)
{
	struct tf_when when;
	int32_t day = 0;
	switch (p->kind) {
	case TF_PARAM_INT:
		return tf_str_i64(v, out);
	case TF_PARAM_SIZE:
		return tf_size_parse(v, out) == TF_OK;
	case TF_PARAM_DURATION:
		return tf_dur_parse(v, out) == TF_OK;
	case TF_PARAM_TIME:
		return tf_when_parse(v, &when) == TF_OK;
	case TF_PARAM_DATE:
	case TF_PARAM_MONTH:
		if ((p->kind == TF_PARAM_DATE ? tf_date_parse : tf_month_parse)(v, &day) != TF_OK)
			return false;
		*out = day;
		return true;
	case TF_PARAM_CHOICE:
		return find_choice(p->value, v, out);
	case TF_PARAM_FLAG:
	case TF_PARAM_TEXT:
	case TF_PARAM_LIST:
		break;
	}
	return true;
}

static char *
number_text(const struct tf_param *p, int64_t n, char out[static 32])
{
	if (p->kind == TF_PARAM_SIZE)
		return tf_size_format(n, out);
	if (p->kind == TF_PARAM_DURATION)
		return tf_dur_format(n, out);
	snprintf(out, 32, "%" PRId64, n);
	return out;
}

static enum tf_err
set_value(struct tf_args *a, int at, struct tf_str v, struct tf_fault *f)
{
	const struct tf_param *p = &a->command->params[at];
	int64_t n = 0;
	if (!to_number(p, v, &n))
		return tf_fault(f, TF_USAGE, "--%s '%.*s' is not %s%s", p->name, TF_FMT(v),
				p->kind == TF_PARAM_CHOICE ? "one of " : "", wanted(p));
	bool ranged = p->kind == TF_PARAM_INT || p->kind == TF_PARAM_SIZE || p->kind == TF_PARAM_DURATION;
	if (ranged && (p->min || p->max) && (n < p->min || n > p->max)) {
		char low[32], high[32];
		return tf_fault(f, TF_USAGE, "--%s %.*s is not within %s to %s", p->name, TF_FMT(v),
				number_text(p, p->min, low), number_text(p, p->max, high));
	}
	a->value[at] = v;
	a->number[at] = n;
	return TF_OK;
}

static enum tf_err
add_to_list(struct tf_args *a, int at, struct tf_str v, struct tf_fault *f)
{
	if (a->list_count == TF_LIST_MAX)
		return tf_fault(f, TF_USAGE, "--%s given too often: at most %d values", a->command->params[at].name,
				TF_LIST_MAX);
	a->list[a->list_count].param = at;
	a->list[a->list_count++].value = v;
	return TF_OK;
}

/* One option at argv[*i]; moves *i to its value. */
static enum tf_err
take_option(struct tf_args *a, int argc, char **argv, int *i, struct tf_fault *f)
{
	struct tf_str arg = tf_str(argv[*i]), value = arg, name;
	tf_str_cut(&value, '=', &name); /* value.p is NULL when there is no = */
	bool dashes = tf_str_starts(name, TF_STR("--"));
	size_t skip = dashes ? 2 : 1;
	name = tf_str_n(name.p + skip, name.n - skip);
	int at = dashes ? param_index(a->command, name) : -1;
	if (at < 0)
		return unknown_option(a->command, arg, name, f);
	const struct tf_param *p = &a->command->params[at];
	bool list = p->kind == TF_PARAM_LIST;
	if (a->given[at] && !list)
		return tf_fault(f, TF_USAGE, "--%s is given twice", p->name);
	a->given[at] = true;
	if (p->kind == TF_PARAM_FLAG)
		return value.p ? tf_fault(f, TF_USAGE, "--%s takes no value", p->name) : TF_OK;
	if (!value.p && *i + 1 >= argc)
		return tf_fault(f, TF_USAGE, "--%s needs a value: %s", p->name, p->value);
	if (!value.p)
		value = tf_str(argv[++*i]);
	if (list)
		TF_TRY(add_to_list(a, at, value, f));
	return set_value(a, at, value, f);
}

static enum tf_err
check_complete(struct tf_args *a, struct tf_fault *f)
{
	const struct tf_command *c = a->command;
	for (int i = 0; c->params && c->params[i].name; i++) {
		const struct tf_param *p = &c->params[i];
		if (!a->given[i] && p->required)
			return tf_fault(f, TF_USAGE, "--%s %s is missing", p->name, p->value);
		if (!a->given[i] && p->fallback) {
			enum tf_err e = set_value(a, i, tf_str(p->fallback), f);
			TF_ASSERT(e == TF_OK); /* the table's own default */
		}
	}
	size_t n = c->positional ? strlen(c->positional) : 0;
	bool many = n > 3 && strcmp(c->positional + n - 3, "...") == 0;
	int max = !c->positional ? 0 : many ? INT32_MAX : c->positional_min > 1 ? c->positional_min : 1;
	max = c->positional_max ? c->positional_max : max;
	if (a->positional_count > max)
		return tf_fault(f, TF_USAGE, "unexpected argument '%.100s'", a->positional[max]);
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

/* Asking. */

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
	return a->number[known(a, name)];
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

bool
tf_args_list(const struct tf_args *a, const char *name, int i, struct tf_str *out)
{
	int at = known(a, name);
	for (int k = 0; k < a->list_count; k++)
		if (a->list[k].param == at && i-- == 0) {
			*out = a->list[k].value;
			return true;
		}
	return false;
}

const struct tf_command *
tf_args_find(const struct tf_command *commands, const char *name, const char **out_near)
{
	unsigned best = NEAR;
	const char *near = NULL;
	for (int i = 0; commands[i].name; i++) {
		if (strcmp(name, commands[i].name) == 0)
			return &commands[i];
		keep_nearer(tf_str(name), commands[i].name, &best, &near);
	}
	if (out_near)
		*out_near = near;
	return NULL;
}
