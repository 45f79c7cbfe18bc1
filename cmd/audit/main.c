/* tenfold-audit: looks at an audit log (store/audit.h): is it what was written? Who did what? */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/time.h"
#include "os/program.h"
#include "store/audit.h"

#define PARAM_DATA                                                                                                     \
	{                                                                                                              \
		"data", TF_PARAM_TEXT, true, "DIR", NULL, 0, 0, "the audit log's directory"                            \
	}
#define PARAM_JSON                                                                                                     \
	{                                                                                                              \
		"json", TF_PARAM_FLAG, false, NULL, NULL, 0, 0, "one JSON object on stdout"                            \
	}

#define HEX_BYTES (2 * TF_AUDIT_HASH + 1)

/* COUNT:HASH, as `head` prints it. */
static enum tf_err
parse_head(struct tf_str text, struct tf_audit_head *out, struct tf_fault *f)
{
	const char *colon = text.n ? memchr(text.p, ':', text.n) : NULL;
	struct tf_str count = tf_str_n(text.p, colon ? (size_t)(colon - text.p) : 0);
	struct tf_str hex = tf_str_n(colon ? colon + 1 : text.p, colon ? text.n - count.n - 1 : 0);
	bool ok = colon && tf_str_u64(count, &out->count) && hex.n == HEX_BYTES - 1 &&
		  strspn(hex.p, "0123456789abcdef") >= hex.n;
	for (int i = 0; ok && i < TF_AUDIT_HASH; i++) {
		char two[3] = {hex.p[2 * i], hex.p[2 * i + 1], 0};
		out->hash[i] = (uint8_t)strtoul(two, NULL, 16);
	}
	return ok ? TF_OK : tf_fault(f, TF_USAGE, "--head '%.*s' is not COUNT:HASH", TF_FMT(text));
}

static const struct tf_param verify_params[] = {
	PARAM_DATA,
	{"head", TF_PARAM_TEXT, false, "COUNT:HASH", NULL, 0, 0, "a head noted before: finds what was cut off"},
	PARAM_JSON,
	{0}};

static void
tell(const struct tf_audit_head *head, const struct tf_fault *f, bool json)
{
	char hex[HEX_BYTES];
	struct tf_buf b;
	tf_hex(head->hash, TF_AUDIT_HASH, hex);
	tf_buf_init(&b, 0);
	if (!json) {
		tf_buf_printf(&b,
			      f->code ? "audit: ALTERED after %" PRIu64 " good records: %s\n"
				      : "audit: %" PRIu64 " records, unaltered%s\n",
			      head->count, f->code ? f->text : "");
	} else {
		struct tf_json_out w = tf_json_out(&b);
		tf_json_begin_object(&w);
		tf_json_key(&w, "ok");
		tf_json_put_bool(&w, !f->code);
		tf_json_set_u64(&w, "records", head->count);
		tf_json_set_cstr(&w, "head", hex);
		if (f->code)
			tf_json_set_cstr(&w, "altered", f->text);
		tf_json_end_object(&w);
		tf_json_finish(&w);
		tf_buf_cstr(&b, "\n");
	}
	tf_program_print(&b);
}

static int
verify(void *ctx, const struct tf_command *self, int argc, char **argv)
{
	struct tf_args a;
	struct tf_fault f = {0};
	struct tf_audit_head noted, head;
	int code;
	if (!tf_program_args(self, argc, argv, &a, &code))
		return code;
	if (tf_args_given(&a, "head") && parse_head(tf_args_text(&a, "head"), &noted, &f))
		return tf_program_fail(&f);
	enum tf_err e = tf_audit_verify(ctx, tf_args_cstr(&a, "data"), tf_args_given(&a, "head") ? &noted : NULL, NULL,
					NULL, &head, &f);
	if (e && e != TF_CORRUPT)
		return tf_program_fail(&f);
	tell(&head, &f, tf_args_flag(&a, "json"));
	return tf_program_finish(e ? 1 : 0);
}

static const struct tf_command cmd_verify = {
	.name = "verify", .summary = "names the first altered record", .params = verify_params, .run = verify};

static const struct tf_param head_params[] = {PARAM_DATA, {0}};

static int
head(void *ctx, const struct tf_command *self, int argc, char **argv)
{
	struct tf_args a;
	struct tf_fault f = {0};
	struct tf_audit_head head;
	char hex[HEX_BYTES];
	int code;
	if (!tf_program_args(self, argc, argv, &a, &code))
		return code;
	if (tf_audit_verify(ctx, tf_args_cstr(&a, "data"), NULL, NULL, NULL, &head, &f))
		return tf_program_fail(&f);
	tf_hex(head.hash, TF_AUDIT_HASH, hex);
	printf("%" PRIu64 ":%s\n", head.count, hex);
	return tf_program_finish(0);
}

static const struct tf_command cmd_head = {
	.name = "head", .summary = "the chain's head, to be noted elsewhere", .params = head_params, .run = head};

static const struct tf_param show_params[] = {
	PARAM_DATA, {"grep", TF_PARAM_TEXT, false, "TEXT", NULL, 0, 0, "only records that hold this"}, {0}};

/* {"n":7,"at":"...","entry":{...}} on a line. */
static enum tf_err
show_one(void *ctx, uint64_t number, tf_time at, struct tf_str text, struct tf_fault *f)
{
	const struct tf_str *grep = ctx;
	char time[40];
	if (grep->n && !(text.n && memmem(text.p, text.n, grep->p, grep->n)))
		return TF_OK;
	printf("{\"n\":%" PRIu64 ",\"at\":\"%s\",\"entry\":", number, tf_time_format(at, time));
	if (text.n)
		fwrite(text.p, 1, text.n, stdout);
	fputs("}\n", stdout);
	return ferror(stdout) ? tf_fault(f, TF_IO, "cannot write") : TF_OK;
}

static int
show(void *ctx, const struct tf_command *self, int argc, char **argv)
{
	struct tf_args a;
	struct tf_fault f = {0};
	struct tf_audit_head head;
	int code;
	if (!tf_program_args(self, argc, argv, &a, &code))
		return code;
	struct tf_str grep = tf_args_text(&a, "grep");
	enum tf_err e = tf_audit_verify(ctx, tf_args_cstr(&a, "data"), NULL, show_one, &grep, &head, &f);
	return e ? tf_program_fail(&f) : tf_program_finish(0);
}

static const struct tf_command cmd_show = {
	.name = "show", .summary = "the records, a JSON line each", .params = show_params, .run = show};

int
main(int argc, char **argv)
{
	static const struct tf_command *const verbs[] = {&cmd_verify, &cmd_head, &cmd_show, NULL};
	struct tf_program p = {"audit", "who asked for what, and is the record unaltered?", TF_VERSION, verbs,
			       tf_os_real()};
	return tf_program_main(&p, argc, argv);
}
