/* tenfold contract replay: recorded exchanges held against a version; says which would no longer fit, and for whom.
 *
 * A line is {"method", "target", "headers": {}, "body", "status", "response_headers": {}, "response_body", "partner"};
 * a body is a text, or JSON that is taken as it stands; status and what follows may be missing: then only the request
 * is looked at. */
#include <stdio.h>

#include "cli.h"
#include "serve/contract.h"

static const struct tf_param params[] = {
	{"contract", TF_PARAM_TEXT, true, "FILE", NULL, 0, 0, "the OpenAPI document of the new version"},
	{"max", TF_PARAM_INT, false, "N", "100", 1, 1000000, "findings told; all are counted"},
	CONTRACT_PARAM_REFS,
	CONTRACT_PARAM_JSON,
	{NULL},
};

#define PARTNERS_MAX 1000

struct partner {
	struct tf_str name;
	uint32_t exchanges, requests, answers; /* seen; that no longer fit */
};

struct replay {
	struct tf_contract *contract;
	struct tf_contract_work *work;
	struct tf_arena line;  /* of the exchange under way */
	struct tf_arena names; /* of partners */
	struct partner partners[PARTNERS_MAX];
	uint32_t partner_count, told, max;
	bool json;
	struct tf_buf out;
};

struct exchange {
	uint32_t line;
	const struct tf_json *json;
	struct tf_str method, target;
	struct partner *partner;
	struct tf_http_request request;
};

static struct partner *
partner_of(struct replay *r, struct tf_str name)
{
	for (uint32_t i = 0; i < r->partner_count; i++)
		if (tf_str_eq(r->partners[i].name, name))
			return &r->partners[i];
	if (r->partner_count == PARTNERS_MAX)
		return &r->partners[PARTNERS_MAX - 1];
	struct partner *p = &r->partners[r->partner_count++];
	p->name = tf_arena_str(&r->names, name);
	return p;
}

static void
tell(struct replay *r, const struct exchange *x, const char *side, struct tf_str where, struct tf_str text)
{
	if (r->told++ >= r->max)
		return;
	if (!r->json) {
		tf_buf_printf(&r->out, "line %u: %.*s: %.*s %.*s: %s%s%.*s: %.*s\n", x->line, TF_FMT(x->partner->name),
			      TF_FMT(x->method), TF_FMT(x->target), side, where.n ? " " : "", TF_FMT(where),
			      TF_FMT(text));
		return;
	}
	struct tf_json_out w = tf_json_out(&r->out);
	tf_json_begin_object(&w);
	tf_json_set_i64(&w, "line", x->line);
	tf_json_set_str(&w, "partner", x->partner->name);
	tf_json_set_str(&w, "method", x->method);
	tf_json_set_str(&w, "target", x->target);
	tf_json_set_cstr(&w, "side", side);
	tf_json_set_str(&w, "where", where);
	tf_json_set_str(&w, "text", text);
	tf_json_end_object(&w);
	tf_json_finish(&w);
}

static void
tell_all(struct replay *r, const struct exchange *x, const char *side, const struct tf_contract_findings *found)
{
	static const char *const words[] = {"path", "query", "header", "cookie", "body", "status"};
	for (uint32_t i = 0; i < found->count; i++) {
		const struct tf_finding *n = &found->of[i];
		char where[256];
		snprintf(where, sizeof where, "%s%s%.*s%.*s", words[n->where], n->field.n ? " " : "", TF_FMT(n->field),
			 TF_FMT(n->where == TF_IN_BODY ? TF_STR("") : n->pointer));
		tell(r, x, side, tf_str(where), n->text);
	}
}

static enum tf_err
read_headers(const struct tf_json *v, struct tf_http_header *out, size_t *out_count, struct tf_fault *f)
{
	size_t n = 0;
	for (const struct tf_json *m = tf_json_first(v); m; m = m->next) {
		if (m->kind != TF_JSON_STRING || n == TF_HTTP_HEADERS_MAX)
			return tf_fault(f, TF_INVALID, "a header must be a string, and there are at most %d",
					TF_HTTP_HEADERS_MAX);
		out[n++] = (struct tf_http_header){m->key, m->text};
	}
	*out_count = n;
	return TF_OK;
}

/* A text as it is, JSON as its text. */
static enum tf_err
read_body(struct replay *r, const struct tf_json *v, struct tf_str *out, struct tf_fault *f)
{
	struct tf_buf b;
	*out = TF_STR("");
	if (!v || v->kind == TF_JSON_NULL || tf_json_str(v, out))
		return TF_OK;
	tf_buf_init(&b, 0);
	struct tf_json_out w = tf_json_out(&b);
	tf_json_put_node(&w, v);
	*out = tf_arena_str(&r->line, tf_buf_view(&b));
	tf_buf_release(&b);
	return out->p ? TF_OK : tf_arena_fault(&r->line, f);
}

static enum tf_err
replay_request(struct replay *r, struct exchange *x, const struct tf_operation *op, struct tf_fault *f)
{
	struct tf_contract_findings found;
	struct tf_str body;
	tf_contract_findings_init(&found);
	TF_TRY(read_body(r, tf_json_get(x->json, "body"), &body, f));
	TF_TRY(tf_contract_request(op, &x->request, body, r->work, &found, NULL, f));
	x->partner->requests += found.count > 0;
	tell_all(r, x, "request", &found);
	return TF_OK;
}

static enum tf_err
replay_answer(struct replay *r, struct exchange *x, const struct tf_operation *op, struct tf_fault *f)
{
	struct tf_contract_findings found;
	struct tf_http_header headers[TF_HTTP_HEADERS_MAX];
	struct tf_str body;
	size_t count;
	int64_t status;
	if (!tf_json_i64(tf_json_get(x->json, "status"), &status))
		return TF_OK;
	tf_contract_findings_init(&found);
	TF_TRY(read_headers(tf_json_get(x->json, "response_headers"), headers, &count, f));
	TF_TRY(read_body(r, tf_json_get(x->json, "response_body"), &body, f));
	TF_TRY(tf_contract_response(op, (int)status, headers, count, body, r->work, &found, f));
	x->partner->answers += found.count > 0;
	tell_all(r, x, "answer", &found);
	return TF_OK;
}

static enum tf_err
replay_line(struct replay *r, uint32_t line, struct tf_str text, struct tf_fault *f)
{
	struct exchange x = {.line = line};
	struct tf_str partner = TF_STR("unknown");
	tf_arena_reset(&r->line);
	TF_TRY(tf_json_parse(text, &r->line, TF_JSON_DEPTH_MAX, &x.json, f));
	TF_TRY(tf_json_need_str(x.json, "method", &x.method, f));
	TF_TRY(tf_json_need_str(x.json, "target", &x.target, f));
	tf_json_str(tf_json_get(x.json, "partner"), &partner);
	x.partner = partner_of(r, partner);
	x.partner->exchanges++;
	x.request.method = x.method;
	x.request.query = x.request.target = x.target;
	x.request.length = TF_HTTP_BODY_NONE;
	tf_str_cut(&x.request.query, '?', &x.request.path);
	TF_TRY(read_headers(tf_json_get(x.json, "headers"), x.request.headers, &x.request.header_count, f));
	bool other;
	const struct tf_operation *op = tf_contract_find(r->contract, x.method, x.request.path, &other);
	if (!op) {
		x.partner->requests++;
		tell(r, &x, "request", TF_STR(""),
		     other ? TF_STR("the method is not there") : TF_STR("the path is not there"));
		return TF_OK;
	}
	TF_TRY(replay_request(r, &x, op, f));
	return replay_answer(r, &x, op, f);
}

static void
print_sums(struct replay *r)
{
	for (uint32_t i = 0; i < r->partner_count; i++) {
		const struct partner *p = &r->partners[i];
		if (!r->json) {
			fprintf(stderr, "%.*s: of %u exchanges, %u requests and %u answers no longer fit\n",
				TF_FMT(p->name), p->exchanges, p->requests, p->answers);
			continue;
		}
		struct tf_json_out w = tf_json_out(&r->out);
		tf_json_begin_object(&w);
		tf_json_set_str(&w, "partner", p->name);
		tf_json_set_i64(&w, "exchanges", p->exchanges);
		tf_json_set_i64(&w, "requests_unfit", p->requests);
		tf_json_set_i64(&w, "answers_unfit", p->answers);
		tf_json_end_object(&w);
		tf_json_finish(&w);
	}
}

static enum tf_err
replay_file(struct replay *r, const char *path, struct tf_str text, struct tf_fault *f)
{
	struct tf_str line;
	for (uint32_t n = 1; tf_str_cut(&text, '\n', &line); n++)
		if (tf_str_trim(line).n && replay_line(r, n, line, f))
			return tf_fault_wrap(f, TF_INVALID, "%s: line %u", path, n);
	return TF_OK;
}

static enum tf_err
replay(struct replay *r, struct contract_files *fs, const struct tf_args *a, struct tf_fault *f)
{
	const struct contract_file *file;
	struct tf_str text;
	struct tf_contract_options o = {.load = contract_files_load, .ctx = fs};
	TF_TRY(contract_file_read(fs, tf_args_cstr(a, "contract"), &file, f));
	TF_TRY(tf_contract_new(file->uri, file->tree, &o, &r->contract, f));
	TF_TRY(tf_contract_work_new(&r->work));
	TF_TRY(contract_file_text(fs, a->positional[0], &text, f));
	return replay_file(r, a->positional[0], text, f);
}

static int
run(void *ctx, const struct tf_command *self, int argc, char **argv)
{
	static struct replay r;
	struct tf_args a;
	struct tf_fault f = {0};
	struct contract_files fs;
	int code;
	if (!tf_program_args(self, argc, argv, &a, &code))
		return code;
	contract_files_init(&fs, tf_args_cstr(&a, "refs"));
	tf_arena_init(&r.line, "exchange", (size_t)256 << 20);
	tf_arena_init(&r.names, "partners", 0);
	tf_buf_init(&r.out, 0);
	r.json = tf_args_flag(&a, "json");
	r.max = (uint32_t)tf_args_int(&a, "max");
	enum tf_err e = replay(&r, &fs, &a, &f);
	if (!e)
		print_sums(&r);
	tf_program_print(&r.out);
	tf_contract_free(&r.contract);
	tf_contract_work_free(&r.work);
	tf_arena_release(&r.line);
	tf_arena_release(&r.names);
	contract_files_release(&fs);
	return e ? contract_cli_fail(&f) : tf_program_finish(r.told ? 1 : 0);
}

const struct tf_command contract_cmd_replay = {
	.name = "replay",
	.summary = "recorded traffic against a version: what no longer fits, for whom; exit 1 when any",
	.positional = "TRAFFIC.jsonl",
	.positional_min = 1,
	.positional_max = 1,
	.params = params,
	.run = run,
};
