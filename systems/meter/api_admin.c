/* POST /meter/v1/network and /meter/v1/verify: jobs. */
#include <inttypes.h>
#include <stdio.h>

#include "api.h"
#include "base/json.h"
#include "base/mem.h"
#include "in_parts.h"
#include "network.h"
#include "verify.h"

#define FINDINGS_MAX 100 /* told in an answer */

struct admin {
	struct meter_api_job job;
	struct meter_network_report network;
	struct meter_verify_report verify;
	struct tf_buf findings;
	struct tf_json_out list; /* into findings */
	tf_dur begun, took;
};

static void
admin_free(struct meter_api_job *job)
{
	struct admin *v = (struct admin *)job;
	tf_buf_release(&v->findings);
	tf_free(v);
}

static void
begin(struct meter_api *a, struct tf_exchange *x,
      enum tf_err (*work)(struct meter_api *a, struct meter_api_job *job, struct tf_fault *f),
      bool (*done)(struct meter_api *a, struct meter_api_job *job))
{
	struct tf_fault f = {TF_NO_MEMORY, "no memory for a job"};
	struct admin *v = tf_calloc(1, sizeof *v);
	if (!v) {
		tf_reply_fault(x, &f, NULL);
		return;
	}
	v->job = (struct meter_api_job){.x = x, .work = work, .done = done, .free = admin_free};
	tf_buf_init(&v->findings, 0);
	v->list = tf_json_out(&v->findings);
	tf_json_begin_array(&v->list);
	if (meter_api_job(a, &v->job, &f)) {
		tf_reply_fault(x, &f, NULL);
		admin_free(&v->job);
	}
}

static enum tf_err
load_network(struct meter_api *a, struct meter_api_job *job, struct tf_fault *f)
{
	struct admin *v = (struct admin *)job;
	struct tf_str name = tf_exchange_query(job->x, "name");
	return meter_network_load(&a->writer->catalog, name.p ? name : TF_STR("http"), tf_exchange_body(job->x),
				  &v->network, f);
}

static bool
network_done(struct meter_api *a, struct meter_api_job *job)
{
	const struct admin *v = (const struct admin *)job;
	(void)a;
	if (job->err) {
		tf_reply_fault(job->x, &job->fault, NULL);
		return true;
	}
	char text[96];
	int n = snprintf(text, sizeof text, "{\"rows\":%" PRIu64 ",\"node_days\":%" PRIu64 "}", v->network.rows,
			 v->network.nodes);
	tf_reply(job->x, 200, "application/json", tf_str_n(text, (size_t)n));
	return true;
}

void
meter_api_post_network(void *ctx, struct tf_exchange *x)
{
	struct tf_str name = tf_exchange_query(x, "name");
	struct tf_fault f = {0};
	if (name.p && !in_name_ok(name, METER_METER_MAX)) {
		tf_fault(&f, TF_INVALID, "'%.*s' is no good name", TF_FMT(name));
		tf_reply_fault(x, &f, "name");
	} else if (!tf_exchange_body(x).n) {
		tf_fault(&f, TF_INVALID, "no body");
		tf_reply_fault(x, &f, NULL);
	} else {
		begin(ctx, x, load_network, network_done);
	}
}

static void
on_finding(void *ctx, const struct meter_finding *finding)
{
	struct admin *v = ctx;
	if (v->verify.findings++ >= FINDINGS_MAX)
		return;
	tf_json_begin_object(&v->list);
	tf_json_set_cstr(&v->list, "what", finding->what);
	tf_json_set_cstr(&v->list, "text", finding->text);
	tf_json_end_object(&v->list);
}

static enum tf_err
verify(struct meter_api *a, struct meter_api_job *job, struct tf_fault *f)
{
	struct admin *v = (struct admin *)job;
	struct meter_verify_report report;
	tf_dur begun = tf_os_ticks(a->os);
	enum tf_err e = meter_verify(a->writer, on_finding, v, &report, f);
	v->took = tf_os_ticks(a->os) - begun;
	if (!e)
		v->verify = report;
	return e;
}

static bool
verify_done(struct meter_api *a, struct meter_api_job *job)
{
	struct admin *v = (struct admin *)job;
	const struct meter_verify_report *r = &v->verify;
	(void)a;
	if (job->err) {
		tf_reply_fault(job->x, &job->fault, NULL);
		return true;
	}
	struct tf_buf b;
	tf_buf_init(&b, 0);
	tf_json_end_array(&v->list);
	tf_buf_printf(&b,
		      "{\"ok\":%s,\"findings\":%" PRIu64 ",\"blocks\":%" PRIu64 ",\"block_bytes\":%" PRIu64
		      ",\"readings\":%" PRIu64 ",\"days\":%" PRIu64 ",\"months\":%" PRIu64 ",\"log_records\":%" PRIu64
		      ",\"seconds\":%" PRIi64 ".%03d,\"finding\":",
		      r->findings ? "false" : "true", r->findings, r->blocks, r->block_bytes, r->readings, r->days,
		      r->months, r->log_records, v->took / TF_SEC, (int)(v->took % TF_SEC / 1000));
	tf_buf_str(&b, tf_buf_view(&v->findings));
	tf_buf_u8(&b, '}');
	tf_reply(job->x, 200, "application/json", tf_buf_view(&b));
	tf_buf_release(&b);
	return true;
}

void
meter_api_post_verify(void *ctx, struct tf_exchange *x)
{
	begin(ctx, x, verify, verify_done);
}
