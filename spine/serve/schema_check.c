/* Checking: the walk over graph and instance, what is remembered, and how violations are told; see schema_impl.h.
 *
 * The first pass only answers yes or no and stops at the first no. When violations are wanted, a second pass goes on
 * after each and tells it. Both keep results of schemas marked `remember` by (schema, value). */
#include "serve/schema_impl.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

#define STEPS_DEFAULT      20000000
#define MEMORY_DEFAULT     ((size_t)64 << 20)
#define VIOLATIONS_DEFAULT 100
#define MATCH_DEFAULT      200000
#define DEPTH_MAX          1200 /* frames of schema_valid, about 400 bytes each with what it calls */
#define MEMO_SIZE_FIRST    256
#define MEMO_SIZE_MAX      (1u << 24)

enum tf_err
tf_checker_new(const struct tf_checker_options *o, struct tf_checker **out)
{
	struct tf_checker *c = tf_calloc(1, sizeof *c);
	if (!c)
		return TF_NO_MEMORY;
	if (o)
		c->o = *o;
	c->o.steps_max = c->o.steps_max ? c->o.steps_max : STEPS_DEFAULT;
	c->o.violations_max = c->o.violations_max ? c->o.violations_max : VIOLATIONS_DEFAULT;
	c->o.match_limit = c->o.match_limit ? c->o.match_limit : MATCH_DEFAULT;
	tf_arena_init(&c->arena, "checker", c->o.memory_max ? c->o.memory_max : MEMORY_DEFAULT);
	c->match = pcre2_match_data_create(1, NULL);
	c->limits = pcre2_match_context_create(NULL);
	if (!c->match || !c->limits) {
		tf_checker_free(&c);
		return TF_NO_MEMORY;
	}
	pcre2_set_match_limit(c->limits, c->o.match_limit);
	pcre2_set_depth_limit(c->limits, c->o.match_limit);
	pcre2_set_heap_limit(c->limits, 4096); /* KiB */
	*out = c;
	return TF_OK;
}

void
tf_checker_free(struct tf_checker **cp)
{
	struct tf_checker *c = *cp;
	if (!c)
		return;
	*cp = NULL;
	pcre2_match_data_free(c->match);
	pcre2_match_context_free(c->limits);
	tf_arena_release(&c->arena);
	tf_free(c);
}

bool
schema_stop(struct tf_checker *c, enum tf_err err, const char *why)
{
	if (!c->err) {
		c->err = err;
		c->why = why;
	}
	return false;
}

bool
schema_matches(struct tf_checker *c, const struct schema_pattern *p, struct tf_str text)
{
	PCRE2_SPTR subject = (PCRE2_SPTR)(text.n ? text.p : "");
	int n = pcre2_match(p->code, subject, text.n, 0, PCRE2_NO_UTF_CHECK, c->match, c->limits);
	if (n == PCRE2_ERROR_JIT_STACKLIMIT)
		n = pcre2_match(p->code, subject, text.n, 0, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, c->match, c->limits);
	if (n < 0 && n != PCRE2_ERROR_NOMATCH)
		return schema_stop(c, TF_TOO_LARGE, "a pattern takes too many steps");
	return n >= 0;
}

/* The pointer of what is at, into b. */
static void
put_pointer(struct tf_buf *b, const struct schema_at *at)
{
	if (!at || !at->up)
		return;
	put_pointer(b, at->up);
	const struct tf_json *parent = at->up->v;
	tf_buf_u8(b, '/');
	if (parent->kind == TF_JSON_OBJECT) {
		for (size_t i = 0; i < at->v->key.n; i++) {
			char ch = at->v->key.p[i];
			if (ch == '~' || ch == '/')
				tf_buf_cstr(b, ch == '~' ? "~0" : "~1");
			else
				tf_buf_u8(b, (uint8_t)ch);
		}
		return;
	}
	uint32_t i = 0;
	for (const struct tf_json *m = parent->first; m && m != at->v; m = m->next)
		i++;
	tf_buf_printf(b, "%u", i);
}

bool
schema_tell(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v, const char *keyword,
	    const char *fmt, ...)
{
	if (!c->telling || c->err)
		return false;
	char message[256];
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(message, sizeof message, fmt, args);
	va_end(args);
	struct tf_buf instance, place;
	tf_buf_init(&instance, 1 << 16);
	tf_buf_init(&place, 1 << 16);
	put_pointer(&instance, c->at);
	tf_buf_str(&place, s->place);
	if (*keyword && (!s->place.n || !memchr(s->place.p, '#', s->place.n)))
		tf_buf_cstr(&place, "#");
	if (*keyword)
		tf_buf_printf(&place, "/%s", keyword);
	size_t length = n < 0 ? 0 : n < (int)sizeof message ? (size_t)n : sizeof message - 1;
	struct tf_violation told = {
		tf_buf_view(&instance), tf_buf_view(&place), keyword, tf_str_n(message, length), v->at, c->missing};
	c->missing = (struct tf_str){0};
	if (instance.err || place.err)
		schema_stop(c, TF_NO_MEMORY, "out of memory");
	else if (c->told++ >= c->o.violations_max || !c->fn(c->ctx, &told))
		schema_stop(c, TF_END, "enough");
	tf_buf_release(&instance);
	tf_buf_release(&place);
	return false;
}

/* The place of (schema, value): its result, or an empty one. NULL: no memory. */
static struct schema_memo *
find_memo(const struct tf_checker *c, uint64_t key, const struct tf_json *v)
{
	uint64_t h = ((uint64_t)(uintptr_t)v >> 4) * 0x9e3779b97f4a7c15u ^ key * 0xc2b2ae3d27d4eb4fu;
	for (uint32_t i = (uint32_t)(h >> 32) & (c->memo_size - 1);; i = (i + 1) & (c->memo_size - 1))
		if (!c->memo[i].v || (c->memo[i].v == v && c->memo[i].key == key))
			return &c->memo[i];
}

static bool
grow_memo(struct tf_checker *c)
{
	struct schema_memo *had = c->memo;
	uint32_t size = c->memo_size;
	if (size == MEMO_SIZE_MAX)
		return schema_stop(c, TF_TOO_LARGE, "too many results to remember");
	struct schema_memo *memo = tf_arena_calloc(&c->arena, size ? (size_t)size * 2 : MEMO_SIZE_FIRST, sizeof *memo);
	if (!memo)
		return schema_stop(c, c->arena.err, "the memory of a check does not suffice");
	c->memo = memo;
	c->memo_size = size ? size * 2 : MEMO_SIZE_FIRST;
	for (uint32_t i = 0; i < size; i++)
		if (had[i].v)
			*find_memo(c, had[i].key, had[i].v) = had[i];
	return true;
}

static bool
check_type(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v)
{
	static const char *const names[] = {"null",     "a boolean", "a number",  "a string",
					    "an array", "an object", "an integer"};
	if (s->types >> v->kind & 1)
		return true;
	if (v->kind == TF_JSON_NUMBER && (s->types >> SCHEMA_INTEGER & 1) && tf_json_whole(v))
		return true;
	char wanted[96] = "";
	for (int i = 0; i <= SCHEMA_INTEGER && c->telling; i++) {
		size_t n = strlen(wanted);
		if (s->types >> i & 1)
			snprintf(wanted + n, sizeof wanted - n, "%s%s", n ? " or " : "", names[i]);
	}
	return schema_tell(c, s, v, "type", "is %s: %s is wanted", names[v->kind], wanted);
}

static bool
tell_values(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v)
{
	struct tf_buf b;
	if (!c->telling)
		return false;
	tf_buf_init(&b, 0);
	struct tf_json_out w = tf_json_out(&b);
	tf_json_begin_array(&w);
	for (uint32_t i = 0; i < s->value_count && i < 8; i++)
		tf_json_put_node(&w, s->values[i]);
	tf_json_end_array(&w);
	tf_json_finish(&w);
	struct tf_str list = tf_str_trim(tf_buf_view(&b));
	if (list.n > 2)
		list = tf_str_n(list.p + 1, list.n - 2);
	schema_tell(c, s, v, s->values_keyword, "is not %s%.*s%s", s->value_count > 1 ? "one of " : "", TF_FMT(list),
		    s->value_count > 8 ? ", ..." : "");
	tf_buf_release(&b);
	return false;
}

static bool
check_values(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v)
{
	for (uint32_t i = 0; i < s->value_count; i++)
		if (s->values[i]->kind == v->kind && tf_json_same(s->values[i], v))
			return true;
	return tell_values(c, s, v);
}

static bool
check_format(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v)
{
	if (s->format(v))
		return true;
	const struct tf_json *name = tf_json_get(s->source, "format");
	return schema_tell(c, s, v, "format", "is no valid %.*s", TF_FMT(name->text));
}

/* What a value's own kind is checked for. */
static bool
check_kind(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v)
{
	switch ((enum tf_json_kind)v->kind) {
	case TF_JSON_NUMBER:
		return !s->numbers || schema_check_number(c, s, v);
	case TF_JSON_STRING:
		return !s->strings || schema_check_string(c, s, v);
	case TF_JSON_ARRAY:
		return !s->arrays || schema_check_array(c, s, v);
	case TF_JSON_OBJECT:
		return !s->objects || schema_check_object(c, s, v);
	default:
		return true;
	}
}

/* Each keyword in turn: up to the first that fails, or all when violations are told. What other keywords left over is
 * only looked at when they hold. */
static bool
check(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v)
{
	if (s->never)
		return schema_tell(c, s, v, "", "is not allowed");
	bool ok = s->types == SCHEMA_ANY_TYPE || check_type(c, s, v);
	if (s->values && (ok || c->telling))
		ok = check_values(c, s, v) && ok;
	if (ok || c->telling)
		ok = check_kind(c, s, v) && ok;
	if (s->format && (ok || c->telling))
		ok = check_format(c, s, v) && ok;
	if (s->logic && (ok || c->telling))
		ok = schema_check_logic(c, s, v) && ok;
	if ((s->rest_items || s->rest_properties) && ok)
		ok = schema_check_rest(c, s, v);
	return ok;
}

static bool
enter(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v)
{
	if (c->depth >= DEPTH_MAX)
		return schema_stop(c, TF_TOO_LARGE, "nested too deep");
	c->depth++;
	bool ok = check(c, s, v);
	c->depth--;
	return ok;
}

bool
schema_valid(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v)
{
	if (c->err)
		return false;
	if (c->steps++ >= c->o.steps_max)
		return schema_stop(c, TF_TOO_LARGE, "takes too many steps");
	if (!s->remember)
		return enter(c, s, v);
	if (c->memo_count * 2 >= c->memo_size && !grow_memo(c))
		return false;
	struct schema_memo *m = find_memo(c, s->id, v);
	if (m->v && (m->valid || !c->telling))
		return m->valid;
	bool ok = enter(c, s, v);
	if (c->err)
		return false;
	m = find_memo(c, s->id, v); /* the table may have grown meanwhile */
	c->memo_count += m->v == NULL;
	*m = (struct schema_memo){s->id, v, ok};
	return ok;
}

bool
schema_valid_child(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v)
{
	/* Most values: nothing below, and no place is asked for. */
	if (s->leaf && !c->telling && !c->err) {
		if (c->steps++ >= c->o.steps_max)
			return schema_stop(c, TF_TOO_LARGE, "takes too many steps");
		return check(c, s, v);
	}
	struct schema_at here = {c->at, v};
	c->at = &here;
	bool ok = schema_valid(c, s, v);
	c->at = here.up;
	return ok;
}

bool
schema_quiet(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v)
{
	bool telling = c->telling;
	c->telling = false;
	bool ok = schema_valid(c, s, v);
	c->telling = telling;
	return ok;
}

static void
begin(struct tf_checker *c, bool telling)
{
	c->telling = telling;
	c->depth = 0;
	c->steps = 0;
	c->told = 0;
	c->missing = (struct tf_str){NULL, 0};
	c->err = TF_OK;
}

enum tf_err
tf_schema_check(const struct tf_schema *s, const struct tf_json *v, struct tf_checker *c, tf_violation_fn *fn,
		void *ctx, bool *out_valid, struct tf_fault *f)
{
	struct schema_at root = {NULL, v};
	tf_arena_reset(&c->arena);
	c->memo = NULL;
	c->memo_count = c->memo_size = 0;
	c->stamps = NULL;
	c->stamp = 0;
	c->at = &root;
	c->fn = fn;
	c->ctx = ctx;
	begin(c, false);
	bool valid = schema_valid(c, s, v);
	if (!valid && !c->err && fn) {
		begin(c, true);
		(void)schema_valid(c, s, v);
		if (c->err == TF_END || (c->err && c->told))
			c->err = TF_OK; /* enough was told */
	}
	c->at = NULL;
	if (c->err)
		return tf_fault(f, c->err, "cannot check against '%.*s': %s", TF_FMT(s->place), c->why);
	*out_valid = valid;
	return TF_OK;
}
