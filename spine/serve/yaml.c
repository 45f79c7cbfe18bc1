/* From libyaml's events to a tree; see yaml.h. */
#include <yaml.h>

#include "serve/yaml_impl.h"

#include <stdio.h>
#include <stdlib.h>

#define INDEX_FROM  8 /* as in the JSON reader */
#define ANCHORS_MAX 10000

struct anchor {
	struct anchor *next;
	struct tf_str name;
	const struct tf_json *node;
	uint32_t size; /* nodes, itself included, aliases expanded */
	int height;
};

struct reader {
	yaml_parser_t parser;
	struct tf_str text;
	struct tf_arena *arena;
	int depth, depth_max;
	struct tf_fault *fault;
	struct anchor *anchors;
	uint32_t anchor_count;
	uint32_t nodes; /* so far, aliases expanded */
	/* libyaml counts characters: the byte where the last one asked for stands. */
	size_t characters, bytes;
};

static uint32_t
offset(struct reader *r, yaml_mark_t mark)
{
	if (mark.index < r->characters)
		r->characters = r->bytes = 0;
	while (r->characters < mark.index && r->bytes < r->text.n) {
		r->bytes++;
		while (r->bytes < r->text.n && ((unsigned char)r->text.p[r->bytes] & 0xc0) == 0x80)
			r->bytes++;
		r->characters++;
	}
	return (uint32_t)r->bytes;
}

static enum tf_err
wrong(struct reader *r, enum tf_err code, yaml_mark_t mark, const char *what)
{
	return tf_fault(r->fault, code, "invalid YAML: line %zu, column %zu: %s", mark.line + 1, mark.column + 1, what);
}

static enum tf_err
no_room(struct reader *r)
{
	enum tf_err e = tf_arena_fault(r->arena, r->fault);
	return e ? e : tf_fault(r->fault, TF_NO_MEMORY, "out of memory");
}

static enum tf_err
next_event(struct reader *r, yaml_event_t *e)
{
	if (yaml_parser_parse(&r->parser, e))
		return TF_OK;
	const yaml_parser_t *p = &r->parser;
	if (p->error == YAML_MEMORY_ERROR)
		return tf_fault(r->fault, TF_NO_MEMORY, "out of memory");
	bool placed = p->error == YAML_SCANNER_ERROR || p->error == YAML_PARSER_ERROR;
	return wrong(r, TF_INVALID, placed ? p->problem_mark : p->mark, p->problem ? p->problem : "no YAML");
}

static enum tf_err read_node(struct reader *r, yaml_event_t *e, struct tf_json *v, int *out_height);

static enum tf_err
count(struct reader *r, uint32_t nodes, yaml_mark_t mark)
{
	if (nodes > TF_YAML_NODES_MAX - r->nodes)
		return wrong(r, TF_TOO_LARGE, mark, "too many nodes, aliases expanded");
	r->nodes += nodes;
	return TF_OK;
}

/* The bytes of a scalar, in the text where they stand there as they are, else copied. */
static struct tf_str
scalar_text(struct reader *r, const yaml_event_t *e)
{
	return tf_arena_str(r->arena, tf_str_n(e->data.scalar.value, e->data.scalar.length));
}

static enum tf_err
read_scalar(struct reader *r, const yaml_event_t *e, struct tf_json *v)
{
	struct tf_str s = scalar_text(r, e);
	if (!s.p)
		return no_room(r);
	enum yaml_scalar type = YAML_STRING;
	if (e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		type = yaml_plain(s, r->arena, &v->text);
	v->kind = TF_JSON_STRING;
	if (type == YAML_STRING)
		v->text = s;
	else if (type == YAML_NUMBER)
		v->kind = TF_JSON_NUMBER;
	else if (type == YAML_BAD_NUMBER)
		return wrong(r, TF_INVALID, e->start_mark, "a number that JSON cannot write");
	else if (type == YAML_NO_MEMORY)
		return no_room(r);
	else {
		v->kind = type == YAML_NULL ? TF_JSON_NULL : TF_JSON_BOOL;
		v->truth = type == YAML_TRUE;
		v->text = (struct tf_str){NULL, 0};
	}
	return TF_OK;
}

/* Known once what it names is complete: none can contain itself. */
static enum tf_err
read_alias(struct reader *r, const yaml_event_t *e, struct tf_json *v, int *out_height)
{
	struct tf_str name = tf_str((const char *)e->data.alias.anchor);
	const struct anchor *a = r->anchors;
	while (a && !tf_str_eq(a->name, name))
		a = a->next;
	if (!a)
		return wrong(r, TF_INVALID, e->start_mark, "an alias of what is not there, or not complete");
	TF_TRY(count(r, a->size - 1, e->start_mark));
	if (r->depth + a->height > r->depth_max)
		return wrong(r, TF_TOO_LARGE, e->start_mark, "nested too deep");
	struct tf_json own = *a->node;
	own.key = v->key;
	own.key_at = v->key_at;
	own.next = v->next;
	*v = own;
	*out_height = a->height;
	return TF_OK;
}

static enum tf_err
keep_anchor(struct reader *r, struct tf_str name, const struct tf_json *v, uint32_t size, int height, yaml_mark_t mark)
{
	struct anchor *a = tf_arena_calloc(r->arena, 1, sizeof *a);
	if (r->anchor_count++ == ANCHORS_MAX)
		return wrong(r, TF_TOO_LARGE, mark, "too many anchors");
	if (!a)
		return no_room(r);
	*a = (struct anchor){r->anchors, name, v, size, height};
	r->anchors = a;
	return TF_OK;
}

static struct tf_json *
add_node(struct reader *r, struct tf_json *parent, struct tf_json **tail)
{
	struct tf_json *v = tf_arena_calloc(r->arena, 1, sizeof *v);
	if (!v)
		return NULL;
	if (*tail)
		(*tail)->next = v;
	else
		parent->first = v;
	*tail = v;
	parent->count++;
	return v;
}

static int
by_name(const void *a, const void *b)
{
	const struct tf_json *const *x = a, *const *y = b;
	return tf_str_cmp((*x)->key, (*y)->key);
}

static enum tf_err
index_members(struct reader *r, struct tf_json *v, yaml_mark_t mark)
{
	const struct tf_json **sorted = tf_arena_alloc(r->arena, (v->count + 1) * sizeof *sorted);
	if (!sorted)
		return no_room(r);
	size_t n = 0;
	for (const struct tf_json *m = v->first; m; m = m->next)
		sorted[n++] = m;
	qsort(sorted, n, sizeof *sorted, by_name);
	for (size_t i = 1; i < n; i++)
		if (tf_str_eq(sorted[i - 1]->key, sorted[i]->key)) {
			char what[128];
			snprintf(what, sizeof what, "duplicate key '%.*s' in the mapping",
				 sorted[i]->key.n > 80 ? 80 : (int)sorted[i]->key.n, sorted[i]->key.p);
			return wrong(r, TF_INVALID, mark, what);
		}
	if (n > INDEX_FROM)
		v->sorted = sorted;
	return TF_OK;
}

static enum tf_err
read_key(struct reader *r, const yaml_event_t *e, struct tf_json *member)
{
	if (e->type != YAML_SCALAR_EVENT)
		return wrong(r, TF_INVALID, e->start_mark, "a key must be a scalar");
	if (e->data.scalar.tag || e->data.scalar.anchor)
		return wrong(r, TF_INVALID, e->start_mark, "tags and anchors of keys are not taken");
	member->key = scalar_text(r, e);
	if (!member->key.p)
		return no_room(r);
	if (e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && tf_str_eq(member->key, TF_STR("<<")))
		return wrong(r, TF_INVALID, e->start_mark, "merge keys are not taken");
	member->key_at = offset(r, e->start_mark);
	return TF_OK;
}

static enum tf_err
read_child(struct reader *r, struct tf_json *v, int *height)
{
	yaml_event_t e;
	int child = 0;
	TF_TRY(next_event(r, &e));
	enum tf_err err = read_node(r, &e, v, &child);
	yaml_event_delete(&e);
	if (child + 1 > *height)
		*height = child + 1;
	return err;
}

/* Elements or members, up to the end of the collection. */
static enum tf_err
read_children(struct reader *r, struct tf_json *v, yaml_event_type_t end, int *height)
{
	struct tf_json *tail = NULL;
	for (;;) {
		yaml_event_t e;
		TF_TRY(next_event(r, &e));
		if (e.type == end) {
			yaml_event_delete(&e);
			return TF_OK;
		}
		struct tf_json *m = add_node(r, v, &tail);
		int child = 0;
		enum tf_err err = m ? TF_OK : no_room(r);
		if (!err)
			err = v->kind == TF_JSON_OBJECT ? read_key(r, &e, m) : read_node(r, &e, m, &child);
		yaml_event_delete(&e);
		TF_TRY(err);
		if (v->kind == TF_JSON_OBJECT)
			TF_TRY(read_child(r, m, height));
		else if (child + 1 > *height)
			*height = child + 1;
	}
}

static enum tf_err
read_collection(struct reader *r, const yaml_event_t *e, struct tf_json *v, int *out_height)
{
	bool object = e->type == YAML_MAPPING_START_EVENT;
	if (++r->depth > r->depth_max)
		return wrong(r, TF_TOO_LARGE, e->start_mark, "nested too deep");
	v->kind = object ? TF_JSON_OBJECT : TF_JSON_ARRAY;
	*out_height = 1;
	TF_TRY(read_children(r, v, object ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT, out_height));
	r->depth--;
	return object ? index_members(r, v, e->start_mark) : TF_OK;
}

static enum tf_err
read_node(struct reader *r, yaml_event_t *e, struct tf_json *v, int *out_height)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;
	uint32_t before = r->nodes;
	v->at = offset(r, e->start_mark);
	TF_TRY(count(r, 1, e->start_mark));
	switch (e->type) {
	case YAML_ALIAS_EVENT:
		return read_alias(r, e, v, out_height);
	case YAML_SCALAR_EVENT:
		anchor = e->data.scalar.anchor;
		tag = e->data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = e->data.sequence_start.anchor;
		tag = e->data.sequence_start.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = e->data.mapping_start.anchor;
		tag = e->data.mapping_start.tag;
		break;
	default:
		return wrong(r, TF_INVALID, e->start_mark, "a value is wanted");
	}
	if (tag)
		return wrong(r, TF_INVALID, e->start_mark, "tags are not taken");
	struct tf_str name = anchor ? tf_arena_str(r->arena, tf_str((const char *)anchor)) : TF_STR("");
	if (!name.p)
		return no_room(r);
	TF_TRY(e->type == YAML_SCALAR_EVENT ? read_scalar(r, e, v) : read_collection(r, e, v, out_height));
	return anchor ? keep_anchor(r, name, v, r->nodes - before, *out_height, e->start_mark) : TF_OK;
}

/* Stream start, one document or none, stream end. */
static enum tf_err
read_stream(struct reader *r, struct tf_json *root)
{
	yaml_event_t e;
	int height = 0;
	bool document = false;
	for (;;) {
		TF_TRY(next_event(r, &e));
		enum tf_err err = TF_OK;
		yaml_event_type_t type = e.type;
		if (type == YAML_DOCUMENT_START_EVENT && document)
			err = wrong(r, TF_INVALID, e.start_mark, "more than one document");
		else if (type == YAML_DOCUMENT_START_EVENT)
			document = true;
		else if (type != YAML_STREAM_START_EVENT && type != YAML_DOCUMENT_END_EVENT &&
			 type != YAML_STREAM_END_EVENT)
			err = read_node(r, &e, root, &height);
		yaml_event_delete(&e);
		if (err || type == YAML_STREAM_END_EVENT)
			return err;
	}
}

enum tf_err
tf_yaml_parse(struct tf_str text, struct tf_arena *arena, int depth_max, const struct tf_json **out, struct tf_fault *f)
{
	TF_ASSERT(depth_max >= 0 && depth_max <= TF_JSON_DEPTH_MAX);
	if (text.n > TF_YAML_TEXT_MAX)
		return tf_fault(f, TF_TOO_LARGE, "YAML text too large: %zu bytes", text.n);
	if (tf_str_starts(text, TF_STR("\xef\xbb\xbf")))
		return tf_fault(f, TF_INVALID, "invalid YAML: line 1, column 1: a byte order mark");
	struct reader r = {
		.text = text, .arena = arena, .depth_max = depth_max ? depth_max : TF_JSON_DEPTH, .fault = f};
	struct tf_json *root = tf_arena_calloc(arena, 1, sizeof *root);
	if (!root)
		return no_room(&r);
	if (!yaml_parser_initialize(&r.parser))
		return tf_fault(f, TF_NO_MEMORY, "out of memory");
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.n ? text.p : ""), text.n);
	enum tf_err e = read_stream(&r, root);
	yaml_parser_delete(&r.parser);
	if (!e)
		*out = root;
	return e;
}
