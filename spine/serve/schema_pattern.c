/* ECMA-262 patterns on PCRE2: what differs is rewritten, what only PCRE2 knows is refused.
 *
 * docs/decisions/pattern.md has the table. In short: "." and "\s" and "$" mean what ECMA-262 says, "[^]" and "[]" are
 * classes, "\uXXXX" is a character, "\p{Letter}" has its long name; and no verb, recursion, possessive quantifier,
 * inline option, comment or condition gets through. Matching is bounded where it is done (schema_check.c). */
#include "serve/schema_impl.h"

#define PATTERN_MAX 8192 /* bytes of a pattern */

/* White space and line ends of ECMA-262, as the inside of a class. */
#define SPACE "\\t-\\r \\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}"
#define NOT_SPACE                                                                                                      \
	"\\x{0}-\\x{8}\\x{e}-\\x{1f}!-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}\\x{202a}-\\x{"    \
	"202e}"                                                                                                        \
	"\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{fefe}\\x{ff00}-\\x{10ffff}"
#define ANY "[^\\n\\r\\x{2028}\\x{2029}]"

struct translation {
	const char *p, *end;
	struct tf_buf out;
	const char *why; /* of a refusal */
	bool quantified; /* a quantifier stands just before */
};

static bool
refuse(struct translation *t, const char *why)
{
	t->why = why;
	return false;
}

static bool
starts(const struct translation *t, const char *word)
{
	return tf_str_starts(tf_str_n(t->p, (size_t)(t->end - t->p)), tf_str(word));
}

static int
hex_digit(char c)
{
	char letter = (char)(c | 0x20);
	if (c >= '0' && c <= '9')
		return c - '0';
	return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* n hexadecimal digits, or all of them up to a brace. */
static bool
take_hex(struct translation *t, int n, uint32_t *out)
{
	uint32_t v = 0;
	int i = 0;
	for (; t->p < t->end && (n ? i < n : i < 6) && hex_digit(*t->p) >= 0; i++)
		v = v << 4 | (uint32_t)hex_digit(*t->p++);
	*out = v;
	return n ? i == n : i > 0 && t->p < t->end && *t->p++ == '}';
}

/* Behind \u or \x. */
static bool
put_code(struct translation *t, bool wide)
{
	uint32_t code, low;
	if (wide && t->p < t->end && *t->p == '{') {
		t->p++;
		if (!take_hex(t, 0, &code))
			return refuse(t, "\\u{ wants hexadecimal digits");
	} else if (!take_hex(t, wide ? 4 : 2, &code)) {
		return refuse(t, wide ? "\\u wants four hexadecimal digits" : "\\x wants two hexadecimal digits");
	}
	if (code >= 0xd800 && code < 0xdc00 && starts(t, "\\u")) {
		t->p += 2;
		if (!take_hex(t, 4, &low) || low < 0xdc00 || low > 0xdfff)
			return refuse(t, "a high surrogate without a low one");
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	}
	if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return refuse(t, "no such character");
	tf_buf_printf(&t->out, "\\x{%x}", code);
	return true;
}

/* Behind \p or \P: {L}, {Letter}, {gc=L}, {Script=Greek}, {sc=Greek}. */
static bool
put_property(struct translation *t, char letter)
{
	static const char *const longs[][2] = {{"Letter", "L"},
					       {"Lowercase_Letter", "Ll"},
					       {"Uppercase_Letter", "Lu"},
					       {"Titlecase_Letter", "Lt"},
					       {"Modifier_Letter", "Lm"},
					       {"Other_Letter", "Lo"},
					       {"Mark", "M"},
					       {"Number", "N"},
					       {"Decimal_Number", "Nd"},
					       {"digit", "Nd"},
					       {"Letter_Number", "Nl"},
					       {"Punctuation", "P"},
					       {"punct", "P"},
					       {"Symbol", "S"},
					       {"Currency_Symbol", "Sc"},
					       {"Math_Symbol", "Sm"},
					       {"Separator", "Z"},
					       {"Space_Separator", "Zs"},
					       {"Line_Separator", "Zl"},
					       {"Other", "C"},
					       {"Control", "Cc"},
					       {"cntrl", "Cc"},
					       {"Nonspacing_Mark", "Mn"},
					       {"Format", "Cf"},
					       {"Alphabetic", "Alphabetic"}};
	const char *brace = t->p < t->end && *t->p == '{' ? memchr(t->p, '}', (size_t)(t->end - t->p)) : NULL;
	if (!brace)
		return refuse(t, "\\p wants a property in braces");
	struct tf_str name = tf_str_n(t->p + 1, (size_t)(brace - t->p - 1));
	const char *equals = name.n ? memchr(name.p, '=', name.n) : NULL;
	if (equals)
		name = tf_str_n(equals + 1, (size_t)(brace - equals - 1));
	for (size_t i = 0; i < sizeof longs / sizeof *longs; i++)
		if (tf_str_eq(name, tf_str(longs[i][0])))
			name = tf_str(longs[i][1]);
	for (size_t i = 0; i < name.n; i++)
		if (!((name.p[i] | 0x20) >= 'a' && (name.p[i] | 0x20) <= 'z') && name.p[i] != '_')
			return refuse(t, "\\p wants a property in braces");
	tf_buf_printf(&t->out, "\\%c{%.*s}", letter, TF_FMT(name));
	t->p = brace + 1;
	return true;
}

static bool
put_space(struct translation *t, char letter, bool in_class)
{
	if (in_class)
		tf_buf_cstr(&t->out, letter == 's' ? SPACE : NOT_SPACE);
	else
		tf_buf_cstr(&t->out, letter == 's' ? "[" SPACE "]" : "[^" SPACE "]");
	return true;
}

static bool
put_control(struct translation *t)
{
	char c = t->p < t->end ? (char)(*t->p | 0x20) : 0;
	if (c < 'a' || c > 'z')
		return refuse(t, "\\c wants a letter");
	t->p++;
	tf_buf_printf(&t->out, "\\x{%x}", (unsigned)(c - 'a' + 1));
	return true;
}

/* Behind the backslash. */
static bool
put_escape(struct translation *t, bool in_class)
{
	if (t->p == t->end)
		return refuse(t, "ends with a backslash");
	char c = *t->p++;
	switch (c) {
	case 'u':
	case 'x':
		return put_code(t, c == 'u');
	case 'p':
	case 'P':
		return put_property(t, c);
	case 's':
	case 'S':
		return put_space(t, c, in_class);
	case 'c':
		return put_control(t);
	case 'v':
		tf_buf_cstr(&t->out, "\\x{b}");
		return true;
	case '0':
		if (t->p < t->end && *t->p >= '0' && *t->p <= '9')
			return refuse(t, "octal escapes are not ECMA-262");
		tf_buf_cstr(&t->out, "\\x{0}");
		return true;
	case 'b':
		tf_buf_cstr(&t->out, in_class ? "\\x{8}" : "\\b");
		return true;
	default:
		break;
	}
	bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z', digit = c >= '0' && c <= '9';
	if (letter && !strchr("dDwWfnrt", c) && !(!in_class && (c == 'B' || c == 'k')))
		return refuse(t, "an escape that ECMA-262 does not know");
	if ((digit || c == 'k') && in_class)
		return refuse(t, "a back reference in a class");
	tf_buf_u8(&t->out, '\\');
	tf_buf_u8(&t->out, (uint8_t)c);
	return true;
}

/* Behind the opening bracket. */
static bool
put_class(struct translation *t)
{
	bool not = t->p < t->end && *t->p == '^';
	t->p += not ;
	if (t->p < t->end && *t->p == ']') {
		t->p++;
		tf_buf_cstr(&t->out, not ? "(?s:.)" : "(?!)");
		return true;
	}
	tf_buf_cstr(&t->out, not ? "[^" : "[");
	while (t->p < t->end && *t->p != ']') {
		char c = *t->p++;
		if (c == '\\') {
			if (!put_escape(t, true))
				return false;
			continue;
		}
		if (c == '[')
			tf_buf_u8(&t->out, '\\'); /* no [:class:] */
		tf_buf_u8(&t->out, (uint8_t)c);
	}
	if (t->p == t->end)
		return refuse(t, "a class without its closing bracket");
	t->p++;
	tf_buf_u8(&t->out, ']');
	return true;
}

/* Behind the opening parenthesis. */
static bool
put_group(struct translation *t)
{
	static const char *const kinds[] = {"?:", "?=", "?!", "?<=", "?<!"};
	tf_buf_u8(&t->out, '(');
	if (t->p == t->end || (*t->p != '?' && *t->p != '*'))
		return true;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (starts(t, kinds[i])) {
			tf_buf_cstr(&t->out, kinds[i]);
			t->p += strlen(kinds[i]);
			return true;
		}
	if (starts(t, "?<")) {
		tf_buf_cstr(&t->out, "?<");
		t->p += 2;
		return true;
	}
	return refuse(t, "a group that ECMA-262 does not know");
}

static bool
put_one(struct translation *t)
{
	char c = *t->p++;
	bool quantifier = c == '*' || c == '+' || c == '?' || c == '}';
	if (c == '+' && t->quantified)
		return refuse(t, "nothing to repeat");
	t->quantified = quantifier;
	switch (c) {
	case '\\':
		return put_escape(t, false);
	case '[':
		return put_class(t);
	case '(':
		return put_group(t);
	case '.':
		tf_buf_cstr(&t->out, ANY);
		return true;
	default:
		tf_buf_u8(&t->out, (uint8_t)c);
		return true;
	}
}

static pcre2_code *
compile(struct translation *t, struct tf_str text, struct tf_fault *f)
{
	int number;
	PCRE2_SIZE at;
	PCRE2_UCHAR why[128] = "out of memory";
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	pcre2_code *code = NULL;
	if (context && !t->out.err) {
		pcre2_set_max_pattern_length(context, (size_t)PATTERN_MAX * 128);
		pcre2_set_parens_nest_limit(context, 100);
		uint32_t options = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_MATCH_UNSET_BACKREF |
				   PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_UTF_CHECK;
		struct tf_str out = tf_buf_view(&t->out);
		code = pcre2_compile((PCRE2_SPTR)(out.n ? out.p : ""), out.n, options, &number, &at, context);
		if (!code)
			pcre2_get_error_message(number, why, sizeof why);
	}
	pcre2_compile_context_free(context);
	if (!code)
		tf_fault(f, TF_INVALID, "invalid pattern '%.*s': %s", TF_FMT(text), (const char *)why);
	return code;
}

enum tf_err
schema_pattern_new(struct tf_str text, struct tf_arena *a, struct schema_pattern **out, struct tf_fault *f)
{
	struct translation t = {text.p, text.p + text.n};
	struct schema_pattern *p = tf_arena_calloc(a, 1, sizeof *p);
	if (!p)
		return tf_arena_fault(a, f);
	if (text.n > PATTERN_MAX)
		return tf_fault(f, TF_TOO_LARGE, "pattern too long: %zu bytes", text.n);
	tf_buf_init(&t.out, 0);
	while (t.p < t.end && put_one(&t))
		;
	if (t.why)
		tf_fault(f, TF_INVALID, "invalid pattern '%.*s': %s", TF_FMT(text), t.why);
	else
		p->code = compile(&t, text, f);
	bool room = !t.out.err;
	tf_buf_release(&t.out);
	if (!room)
		return tf_fault(f, TF_NO_MEMORY, "out of memory");
	if (!p->code)
		return TF_INVALID;
	/* Where the system allows no generated code, matching interprets. */
	(void)pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE);
	p->text = text;
	*out = p;
	return TF_OK;
}

void
schema_pattern_release(struct schema_pattern *p)
{
	pcre2_code_free(p->code);
	p->code = NULL;
}
