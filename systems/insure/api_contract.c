/* The contract of the API: openapi.yaml, or the file of --contract. Requests and answers are held against it; see
 * api.h. */
#include <stdio.h>

#include "api.h"
#include "base/mem.h"
#include "serve/yaml.h"

#define ARENA_BYTES ((size_t)16 << 20)
#define FILE_BYTES  ((size_t)1 << 20)

void
insure_api_get_openapi(void *ctx, struct tf_exchange *x)
{
	tf_reply(x, 200, "application/yaml", ((struct insure_api *)ctx)->openapi);
}

/* Each operation by its route. */
static enum tf_err
find_operations(struct insure_api *a, struct tf_fault *f)
{
	const struct {
		const char *method, *path;
		const struct tf_operation **out;
	} rows[] = {{"POST", "/insure/v1/policies", &a->buy},
		    {"GET", "/insure/v1/policies/{number}", &a->get},
		    {"POST", "/insure/v1/policies/{number}/cancellation", &a->cancel}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		*rows[i].out = tf_contract_operation(a->contract, tf_str(rows[i].method), tf_str(rows[i].path));
		if (!*rows[i].out)
			return tf_fault(f, TF_INVALID, "the contract has no %s %s", rows[i].method, rows[i].path);
		if (!(*rows[i].out)->scopes)
			return tf_fault(f, TF_INVALID, "the contract leaves %s %s open to all: it names no scope",
					rows[i].method, rows[i].path);
	}
	if (!a->get->own_unless)
		return tf_fault(f, TF_INVALID, "the contract shows every partner each policy: no x-own-unless");
	return TF_OK;
}

static enum tf_err
read_text(struct insure_api *a, struct tf_fault *f)
{
	size_t n;
	a->openapi = insure_openapi();
	if (!a->contract_path)
		return TF_OK;
	TF_TRY(tf_os_read_file(a->os, a->contract_path, FILE_BYTES, &a->contract_text, &n, f));
	a->openapi = tf_str_n(a->contract_text, n);
	return TF_OK;
}

enum tf_err
insure_api_contract(struct insure_api *a, struct tf_fault *f)
{
	static const char uri[] = "tenfold:/insure/v1/openapi.yaml";
	const struct tf_json *document;
	tf_arena_init(&a->document, "contract", ARENA_BYTES);
	TF_TRY(read_text(a, f));
	enum tf_err e = tf_yaml_parse(a->openapi, &a->document, 0, &document, f);
	if (!e)
		e = tf_contract_new(tf_str(uri), document, &(struct tf_contract_options){0}, &a->contract, f);
	if (!e)
		e = find_operations(a, f);
	if (e && a->contract_path)
		return tf_fault_wrap(f, e, "'%.200s'", a->contract_path);
	TF_TRY(e);
	TF_TRY(tf_contract_work_new(&a->work));
	return tf_contract_work_new(&a->answer_work);
}

void
insure_api_contract_release(struct insure_api *a)
{
	tf_contract_free(&a->contract);
	tf_contract_work_free(&a->work);
	tf_contract_work_free(&a->answer_work);
	tf_arena_release(&a->document);
	tf_free(a->contract_text);
}

/* What the contract has against it becomes the answer. */
bool
insure_api_keeps(struct insure_api *a, struct tf_exchange *x, const struct tf_operation *op,
		 const struct tf_json **body)
{
	static struct tf_contract_findings found; /* 8 KiB; the loop's */
	struct tf_fault f = {0};
	struct tf_buf b;
	tf_contract_findings_init(&found);
	if (tf_contract_request(op, tf_exchange_request(x), tf_exchange_body(x), a->work, &found, body, &f)) {
		tf_reply_fault(x, &f, NULL);
		return false;
	}
	if (!found.count)
		return true;
	tf_buf_init(&b, 0);
	tf_contract_problem(&found, tf_exchange_request(x)->path, tf_trace_correlation(tf_exchange_trace(x)), &b);
	tf_metric_add(a->metrics, INSURE_M_REJECTED, 0, 1);
	tf_reply(x, found.status, TF_PROBLEM_TYPE, tf_buf_view(&b));
	tf_buf_release(&b);
	return false;
}

enum tf_err
insure_api_answers(struct insure_api *a, const struct tf_operation *op, const struct tf_stored_reply *r,
		   struct tf_fault *f)
{
	static struct tf_contract_findings found;
	struct tf_http_header headers[TF_DECISION_HEADERS_MAX + 1] = {{TF_STR("Content-Type"), r->type}};
	for (uint32_t i = 0; i < r->header_count; i++)
		headers[i + 1] = (struct tf_http_header){r->headers[i].name, r->headers[i].value};
	tf_contract_findings_init(&found);
	TF_TRY(tf_contract_response(op, (int)r->status, headers, r->header_count + 1, r->body, a->answer_work, &found,
				    f));
	if (!found.count)
		return TF_OK;
	tf_metric_add(a->metrics, INSURE_M_ANSWERS, 0, 1);
	return tf_fault(f, TF_BUG, "the answer breaks its contract: %.*s %.*s", TF_FMT(found.of[0].pointer),
			TF_FMT(found.of[0].text));
}

enum tf_err
insure_api_may_answer(void *ctx, const struct insure_command *c, const struct tf_stored_reply *r, struct tf_fault *f)
{
	struct insure_api *a = ctx;
	return insure_api_answers(a, c->type == INSURE_DO_PURCHASE ? a->buy : a->cancel, r, f);
}
