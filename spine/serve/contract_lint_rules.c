/* Lint: paths and operations; see contract_lint_impl.h. */
#include "serve/contract_lint_impl.h"

#include <stdio.h>

/* Remembers a name; the place that had it before is returned by *out_before. False: it is new. */
bool
lint_had(struct lint *l, const char *kind, struct tf_str name, const struct schema_spot *spot,
	 const struct schema_spot **out_before)
{
	struct tf_buf key;
	uint64_t had = 0;
	struct schema_spot *kept = tf_arena_calloc(&l->set->arena, 1, sizeof *kept);
	tf_buf_init(&key, 0);
	tf_buf_cstr(&key, kind);
	tf_buf_str(&key, name);
	bool found = tf_map_get(&l->names, tf_buf_view(&key), &had);
	if (!kept || key.err)
		l->err = TF_NO_MEMORY;
	else if (!found) {
		*kept = *spot;
		l->err = tf_map_put(&l->names, tf_buf_view(&key), (uintptr_t)kept);
	}
	tf_buf_release(&key);
	*out_before = (const struct schema_spot *)(uintptr_t)had;
	return found;
}

/* "/a/{id}/b" as "/a/{}/b". */
static void
check_path_twice(struct lint *l, struct tf_str path, struct schema_spot spot)
{
	struct tf_buf bare;
	const struct schema_spot *before;
	bool inside = false;
	tf_buf_init(&bare, 0);
	for (size_t i = 0; i < path.n; i++) {
		if (!inside)
			tf_buf_u8(&bare, (uint8_t)path.p[i]);
		inside = path.p[i] == '{' || (inside && path.p[i] != '}');
		if (path.p[i] == '}')
			tf_buf_u8(&bare, '}');
	}
	if (lint_had(l, "path ", tf_buf_view(&bare), &spot, &before))
		lint_tell(l, TF_LINT_ERROR, "duplicate-path", spot, "matches the same requests as '%.*s'",
			  TF_FMT(before->place));
	tf_buf_release(&bare);
}

static bool
in_template(struct tf_str path, struct tf_str name)
{
	for (size_t i = 0; i + name.n + 1 < path.n; i++)
		if (path.p[i] == '{' && path.p[i + name.n + 1] == '}' && memcmp(path.p + i + 1, name.p, name.n) == 0)
			return true;
	return false;
}

struct declared {
	struct tf_str names[64]; /* path parameters */
	uint32_t count;
};

static void
check_parameter(struct lint *l, struct tf_str path, struct schema_spot p, struct declared *d)
{
	struct tf_str name, in;
	const struct tf_json *required = tf_json_get(p.node, "required");
	if (!tf_json_str(tf_json_get(p.node, "name"), &name) || !tf_json_str(tf_json_get(p.node, "in"), &in)) {
		lint_tell(l, TF_LINT_ERROR, "parameter-form", p, "a parameter wants a name and in");
		return;
	}
	if (!tf_json_get(p.node, "schema") && !tf_json_get(p.node, "content"))
		lint_tell(l, TF_LINT_ERROR, "parameter-form", p, "parameter '%.*s' has no schema", TF_FMT(name));
	if (!tf_str_eq(in, TF_STR("path")))
		return;
	if (!required || !required->truth)
		lint_tell(l, TF_LINT_ERROR, "path-parameter-not-required", p,
			  "path parameter '%.*s' must say required: true", TF_FMT(name));
	if (!in_template(path, name))
		lint_tell(l, TF_LINT_ERROR, "path-parameter-unused", p, "'%.*s' is not in the path '%.*s'",
			  TF_FMT(name), TF_FMT(path));
	if (d->count < sizeof d->names / sizeof *d->names)
		d->names[d->count++] = name;
}

static void
check_parameters(struct lint *l, struct tf_str path, struct schema_spot owner, struct declared *d)
{
	struct schema_spot list = contract_member(l->set, owner, TF_STR("parameters"));
	uint32_t i = 0;
	for (const struct tf_json *m = tf_json_first(list.node); m; m = m->next, i++) {
		struct schema_spot p = contract_element(l->set, list, m, i);
		struct tf_str name, in, other, other_in;
		if (contract_follow(l->set, &p, NULL))
			continue; /* told by the walk */
		check_parameter(l, path, p, d);
		if (!tf_json_str(tf_json_get(p.node, "name"), &name) || !tf_json_str(tf_json_get(p.node, "in"), &in))
			continue;
		for (const struct tf_json *b = list.node->first; b != m; b = b->next)
			if (tf_json_str(tf_json_get(b, "name"), &other) &&
			    tf_json_str(tf_json_get(b, "in"), &other_in) && tf_str_eq(name, other) &&
			    tf_str_eq(in, other_in))
				lint_tell(l, TF_LINT_ERROR, "duplicate-parameter", p,
					  "%.*s parameter '%.*s' is there twice", TF_FMT(in), TF_FMT(name));
	}
}

static void
check_template(struct lint *l, struct tf_str path, struct schema_spot operation, const struct declared *d)
{
	for (size_t i = 0; i < path.n; i++) {
		if (path.p[i] != '{')
			continue;
		const char *close = memchr(path.p + i, '}', path.n - i);
		if (!close) {
			lint_tell(l, TF_LINT_ERROR, "path-form", operation, "'{' without '}' in the path");
			return;
		}
		struct tf_str name = tf_str_n(path.p + i + 1, (size_t)(close - path.p) - i - 1);
		bool found = false;
		for (uint32_t n = 0; n < d->count; n++)
			found |= tf_str_eq(d->names[n], name);
		if (!found)
			lint_tell(l, TF_LINT_ERROR, "path-parameter-undeclared", operation,
				  "'%.*s' of the path is not declared", TF_FMT(name));
	}
}

static bool
is_status(struct tf_str s)
{
	if (tf_str_eq(s, TF_STR("default")))
		return true;
	if (s.n != 3 || s.p[0] < '1' || s.p[0] > '5')
		return false;
	bool range = s.p[1] == 'X' && s.p[2] == 'X';
	return range || (s.p[1] >= '0' && s.p[1] <= '9' && s.p[2] >= '0' && s.p[2] <= '9');
}

static void
check_problem(struct lint *l, struct tf_str status, struct schema_spot response)
{
	bool error = status.p[0] == '4' || status.p[0] == '5' || status.p[0] == 'd';
	struct schema_spot content = contract_member(l->set, response, TF_STR("content"));
	if (error && !tf_json_get(content.node, "application/problem+json"))
		lint_tell(l, TF_LINT_WARNING, "problem-shape", response,
			  "the answer %.*s has no application/problem+json", TF_FMT(status));
}

static void
check_responses(struct lint *l, struct schema_spot operation)
{
	struct schema_spot all = contract_member(l->set, operation, TF_STR("responses"));
	bool success = false, error = false;
	if (!all.node || !all.node->count) {
		lint_tell(l, TF_LINT_ERROR, "no-responses", operation, "no responses");
		return;
	}
	for (const struct tf_json *m = all.node->first; m; m = m->next) {
		struct schema_spot r = contract_member(l->set, all, m->key);
		if (tf_str_starts(m->key, TF_STR("x-")))
			continue;
		if (!is_status(m->key)) {
			lint_tell(l, TF_LINT_ERROR, "invalid-status", r, "'%.*s' is no status", TF_FMT(m->key));
			continue;
		}
		success |= m->key.p[0] == '2' || m->key.p[0] == '3' || m->key.p[0] == 'd' || m->key.p[0] == '1';
		error |= m->key.p[0] == '4' || m->key.p[0] == 'd';
		if (contract_follow(l->set, &r, NULL) == TF_OK)
			check_problem(l, m->key, r);
	}
	if (!success)
		lint_tell(l, TF_LINT_WARNING, "no-success", all, "no answer for success");
	if (!error)
		lint_tell(l, TF_LINT_WARNING, "no-error", all,
			  "no answer for what a client does wrong (4XX or default)");
}

static void
check_security(struct lint *l, struct schema_spot owner)
{
	struct schema_spot all = contract_member(l->set, owner, TF_STR("security"));
	const struct tf_json *known = tf_json_get(tf_json_get(l->document, "components"), "securitySchemes");
	uint32_t i = 0;
	for (const struct tf_json *m = tf_json_first(all.node); m; m = m->next, i++)
		for (const struct tf_json *s = tf_json_first(m); s; s = s->next)
			if (!tf_json_get_n(known, s->key))
				lint_tell(l, TF_LINT_ERROR, "unknown-security-scheme",
					  contract_element(l->set, all, m, i), "there is no security scheme '%.*s'",
					  TF_FMT(s->key));
}

static void
check_end(struct lint *l, struct schema_spot operation)
{
	static const char *const names[] = {"x-deprecated-at", "x-sunset"};
	tf_time at[2] = {0, 0};
	for (int i = 0; i < 2; i++) {
		const struct tf_json *v = tf_json_get(operation.node, names[i]);
		if (v && (v->kind != TF_JSON_STRING || tf_time_parse(v->text, NULL, &at[i], NULL)))
			lint_tell(l, TF_LINT_ERROR, "deprecation", contract_member(l->set, operation, tf_str(names[i])),
				  "%s is no date", names[i]);
	}
	if (at[0] && at[1] && at[1] < at[0])
		lint_tell(l, TF_LINT_ERROR, "deprecation", operation, "the sunset comes before the deprecation");
	if (at[1] && !at[0])
		lint_tell(l, TF_LINT_WARNING, "deprecation", operation, "a sunset without x-deprecated-at");
}

static void
check_operation(struct lint *l, struct tf_str path, struct schema_spot operation, const struct declared *of_path)
{
	struct declared d = *of_path;
	struct tf_str id;
	const struct schema_spot *before;
	struct tf_str method = operation.node->key;
	bool bodiless = tf_str_eq(method, TF_STR("get")) || tf_str_eq(method, TF_STR("head")) ||
			tf_str_eq(method, TF_STR("delete"));
	if (!tf_json_str(tf_json_get(operation.node, "operationId"), &id))
		lint_tell(l, TF_LINT_WARNING, "no-operation-id", operation, "no operationId");
	else if (lint_had(l, "id ", id, &operation, &before))
		lint_tell(l, TF_LINT_ERROR, "duplicate-operation-id", operation,
			  "'%.*s' is the operationId of '%.*s' too", TF_FMT(id), TF_FMT(before->place));
	check_parameters(l, path, operation, &d);
	check_template(l, path, operation, &d);
	check_responses(l, operation);
	check_security(l, operation);
	check_end(l, operation);
	if (bodiless && tf_json_get(operation.node, "requestBody"))
		lint_tell(l, TF_LINT_WARNING, "body-without-meaning", operation,
			  "a body of %.*s has no meaning in HTTP", TF_FMT(method));
}

void
lint_paths(struct lint *l)
{
	struct schema_spot paths = contract_member(l->set, l->root, TF_STR("paths"));
	if (!paths.node && !tf_json_get(l->document, "webhooks") && !tf_json_get(l->document, "components"))
		lint_tell(l, TF_LINT_ERROR, "no-paths", l->root, "no paths");
	check_security(l, l->root);
	for (const struct tf_json *m = tf_json_first(paths.node); m && !l->err; m = m->next) {
		struct schema_spot item = contract_member(l->set, paths, m->key);
		struct declared d = {.count = 0};
		if (tf_str_starts(m->key, TF_STR("x-")))
			continue;
		if (!tf_str_starts(m->key, TF_STR("/")))
			lint_tell(l, TF_LINT_ERROR, "path-form", item, "a path begins with '/'");
		check_path_twice(l, m->key, item);
		if (contract_follow(l->set, &item, NULL))
			continue;
		check_parameters(l, m->key, item, &d);
		for (const struct tf_json *o = tf_json_first(item.node); o; o = o->next)
			if (contract_is_method(o->key) && o->kind == TF_JSON_OBJECT)
				check_operation(l, m->key, contract_member(l->set, item, o->key), &d);
	}
}
