/* tenfold identity check: is a token good, for whom, and if not, why not? What a service's guard would say. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli.h"
#include "pki.h"
#include "serve/oauth_client.h"

static const struct tf_param params[] = {
	{"issuer", TF_PARAM_TEXT, true, "URL", NULL, 0, 0, "as the token has it"},
	{"audience", TF_PARAM_TEXT, true, "URL", NULL, 0, 0, "as the token has it"},
	{"jwks", TF_PARAM_TEXT, false, "URL", NULL, 0, 0, "where the issuer's keys are"},
	{"introspect", TF_PARAM_TEXT, false, "URL", NULL, 0, 0, "or where it is asked about tokens"},
	{"client", TF_PARAM_TEXT, false, "ID", NULL, 0, 0, "who asks; its secret is in $TENFOLD_SECRET"},
	{"cert", TF_PARAM_TEXT, false, "FILE", NULL, 0, 0, "PEM: the certificate that came with the token"},
	{"scope", TF_PARAM_TEXT, false, "WORDS", NULL, 0, 0, "that must be there"},
	{"role", TF_PARAM_TEXT, false, "WORDS", NULL, 0, 0, "one of which must be there"},
	{"bound", TF_PARAM_FLAG, false, NULL, NULL, 0, 0, "refuse a token without a binding"},
	{"skew", TF_PARAM_DURATION, false, "TIME", "0", 0, TF_JWT_SKEW_MAX, "between clocks"},
	{"ca", TF_PARAM_TEXT, false, "FILE", NULL, 0, 0, "PEM: whom to trust for https"},
	{"tls-cert", TF_PARAM_TEXT, false, "FILE", NULL, 0, 0, "PEM: to show to the issuer"},
	{"tls-key", TF_PARAM_TEXT, false, "FILE", NULL, 0, 0, "PEM: its key"},
	{0},
};

struct question {
	struct tf_os *os;
	const struct tf_args *args;
	char header[TF_JWT_BYTES + 64];
	char thumbprint[44];
	bool has_cert;
};

/* stdin: a token in a command line is seen by everyone on the machine. */
static enum tf_err
read_token(struct question *q, struct tf_fault *f)
{
	size_t n = (size_t)snprintf(q->header, sizeof q->header, "Bearer ");
	ssize_t got = 1;
	while (got > 0 && n < sizeof q->header - 1) {
		got = read(STDIN_FILENO, q->header + n, sizeof q->header - 1 - n);
		n += got > 0 ? (size_t)got : 0;
	}
	while (n && (q->header[n - 1] == '\n' || q->header[n - 1] == '\r'))
		n--;
	q->header[n] = '\0';
	return got < 0 ? tf_fault(f, TF_IO, "cannot read the token from stdin") : TF_OK;
}

static enum tf_err
read_certificate(struct question *q, struct tf_fault *f)
{
	char *p;
	size_t n;
	q->has_cert = tf_args_given(q->args, "cert");
	if (!q->has_cert)
		return TF_OK;
	TF_TRY(tf_os_read_file(q->os, tf_args_cstr(q->args, "cert"), TF_JWK_PEM_BYTES, &p, &n, f));
	enum tf_err e = pki_thumbprint(tf_str_n(p, n), q->thumbprint, f);
	tf_free(p);
	return e;
}

static void
tell(const struct tf_oauth_principal *p)
{
	struct tf_buf b;
	tf_buf_init(&b, 0);
	struct tf_json_out w = tf_json_out(&b);
	tf_json_begin_object(&w);
	tf_json_set_bool(&w, "good", true);
	tf_json_set_str(&w, "client", p->client);
	tf_json_set_str(&w, "subject", p->subject);
	tf_json_set_str(&w, "scopes", p->scopes);
	tf_json_set_str(&w, "roles", p->roles);
	tf_json_set_bool(&w, "bound", p->thumbprint.n > 0);
	tf_json_set_i64(&w, "expires", p->expires / TF_SEC);
	tf_json_end_object(&w);
	tf_json_finish(&w);
	tf_program_print(&b);
}

static void
tell_refusal(const struct tf_oauth_refusal *r, const struct tf_fault *f)
{
	struct tf_buf b;
	tf_buf_init(&b, 0);
	struct tf_json_out w = tf_json_out(&b);
	tf_json_begin_object(&w);
	tf_json_set_bool(&w, "good", false);
	tf_json_set_i64(&w, "status", r->status);
	tf_json_set_cstr(&w, "error", r->code);
	tf_json_set_cstr(&w, "why", f->text);
	tf_json_end_object(&w);
	tf_json_finish(&w);
	tf_program_print(&b);
}

/* Asks, lets the issuer be asked, asks again: keys come at once, an unknown kid makes one fetch more. */
static enum tf_err
check(struct question *q, struct tf_oauth *o, struct tf_fault *f)
{
	const struct tf_oauth_principal *p;
	struct tf_oauth_refusal refusal;
	struct tf_oauth_ask ask = {.authorization = tf_str(q->header),
				   .thumbprint = q->has_cert ? tf_str(q->thumbprint) : (struct tf_str){0},
				   .scope = tf_args_cstr(q->args, "scope"),
				   .role = tf_args_cstr(q->args, "role")};
	enum tf_err e = TF_BUSY;
	for (int i = 0; i < 3 && e == TF_BUSY; i++) {
		tf_dur next;
		struct tf_fault failed = {0};
		ask.now = tf_os_now(q->os);
		ask.ticks = tf_os_ticks(q->os);
		e = tf_oauth_check(o, &ask, &p, &refusal, f);
		if (e == TF_BUSY && tf_oauth_work(o, ask.ticks, ask.now, &next, &failed)) {
			*f = failed;
			return failed.code;
		}
	}
	if (e == TF_OK) {
		tell(p);
		tf_oauth_done(&p);
	} else if (e != TF_BUSY) {
		tell_refusal(&refusal, f);
	}
	return e;
}

static int
run(void *os, const struct tf_command *self, int argc, char **argv)
{
	struct tf_args a;
	struct tf_fault f = {0};
	struct tf_oauth *o = NULL;
	struct tf_client *client = NULL;
	struct question q = {.os = os, .args = &a};
	int code;
	if (!tf_program_args(self, argc, argv, &a, &code))
		return code;
	struct tf_client_options trust = {
		.ca = tf_args_cstr(&a, "ca"), .cert = tf_args_cstr(&a, "tls-cert"), .key = tf_args_cstr(&a, "tls-key")};
	enum tf_err e = tf_oauth_client_new(os, trust, &client, &f);
	struct tf_oauth_options options = {.issuer = tf_args_cstr(&a, "issuer"),
					   .audience = tf_args_cstr(&a, "audience"),
					   .jwks_url = tf_args_cstr(&a, "jwks"),
					   .introspect_url = tf_args_cstr(&a, "introspect"),
					   .client = tf_args_cstr(&a, "client"),
					   .secret = getenv("TENFOLD_SECRET"),
					   .bound_only = tf_args_flag(&a, "bound"),
					   .skew = tf_args_int(&a, "skew"),
					   .cache_tokens = 4,
					   .fetch = tf_oauth_client_fetch,
					   .fetch_ctx = client};
	e = e ? e : read_certificate(&q, &f);
	e = e ? e : tf_oauth_new(&options, &o, &f);
	e = e ? e : read_token(&q, &f);
	e = e ? e : check(&q, o, &f);
	tf_oauth_free(&o);
	tf_client_free(&client);
	if (e == TF_DENIED || e == TF_INVALID)
		return tf_program_finish(1);
	return e ? tf_program_fail(&f) : tf_program_finish(0);
}

const struct tf_command identity_cmd_check = {
	.name = "check", .summary = "is the token on stdin good?", .params = params, .run = run};
