/* Help texts from the tables; see args.h. Lines are at most 80 columns wide. */
#include "base/args.h"

#define WIDTH  80
#define INDENT 26 /* where what is said about an option begins */

static void
spaces(struct tf_buf *out, size_t n)
{
	while (n--)
		tf_buf_u8(out, ' ');
}

/* Columns written since the last newline; all our texts are ASCII. */
static size_t
column(const struct tf_buf *b)
{
	size_t n = 0;
	while (n < b->n && b->p[b->n - 1 - n] != '\n')
		n++;
	return n;
}

/* text's words from here on, further lines indented. */
static void
wrap(struct tf_buf *out, size_t indent, const char *text)
{
	struct tf_str rest = tf_str(text), word;
	while (tf_str_cut(&rest, ' ', &word)) {
		size_t at = column(out);
		if (at > indent && at + 1 + word.n > WIDTH) {
			tf_buf_u8(out, '\n');
			at = 0;
		}
		if (at < indent)
			spaces(out, indent - at);
		else if (at > indent)
			tf_buf_u8(out, ' ');
		tf_buf_str(out, word);
	}
}

/* "  --name VALUE", then the words at INDENT; a wide left side has them on the next line. */
static void
row(struct tf_buf *out, const char *dashes, const char *name, const char *value, const char *help)
{
	tf_buf_printf(out, "  %s%s%s%s", dashes, name, value ? " " : "", value ? value : "");
	if (column(out) + 2 > INDENT)
		tf_buf_u8(out, '\n');
	wrap(out, INDENT, help);
}

static void
param(struct tf_buf *out, const struct tf_param *p)
{
	row(out, "--", p->name, p->kind == TF_PARAM_FLAG ? NULL : p->value, p->help);
	if (p->kind == TF_PARAM_LIST)
		wrap(out, INDENT, "(may be repeated)");
	if (p->required)
		wrap(out, INDENT, "(required)");
	if (p->fallback && !p->required) {
		struct tf_buf text;
		tf_buf_init(&text, 0);
		tf_buf_printf(&text, "(default %s)", p->fallback);
		tf_buf_u8(&text, 0);
		if (!text.err)
			wrap(out, INDENT, (const char *)text.p);
		tf_buf_release(&text);
	}
	tf_buf_u8(out, '\n');
}

void
tf_args_help(const struct tf_command *c, const char *program, struct tf_buf *out)
{
	tf_buf_printf(out, "%s %s:", program, c->name);
	wrap(out, 2, c->summary);
	tf_buf_printf(out, "\n\nusage: %s %s [options]%s%s\n\n", program, c->name, c->positional ? " " : "",
		      c->positional ? c->positional : "");
	for (int i = 0; c->params && c->params[i].name; i++)
		param(out, &c->params[i]);
	row(out, "-h, --", "help", NULL, "this text");
	tf_buf_u8(out, '\n');
}

void
tf_args_help_all(const struct tf_command *commands, const char *program, const char *purpose, struct tf_buf *out)
{
	tf_buf_printf(out, "%s:", program);
	wrap(out, 2, purpose);
	tf_buf_printf(out, "\n\nusage: %s VERB [options]\n\n", program);
	for (int i = 0; commands[i].name; i++) {
		tf_buf_printf(out, "  %-12s", commands[i].name);
		wrap(out, 15, commands[i].summary);
		tf_buf_u8(out, '\n');
	}
	tf_buf_printf(out, "\n%s VERB -h tells a verb's options.\n", program);
	tf_buf_cstr(out, "Exit: 0 yes, 1 no or part rejected, 2 bad input, 70 bug, 75 try again.\n");
}
