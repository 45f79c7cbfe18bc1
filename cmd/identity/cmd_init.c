/* tenfold identity init: a new issuer's directory. */
#include <stdio.h>

#include "base/mem.h"
#include "cli.h"
#include "pki.h"

static const struct tf_param params[] = {
	IDENTITY_PARAM_DIR,
	{"profile", TF_PARAM_CHOICE, true, "staging|production", NULL, 0, 0, "production refuses what is weak"},
	{"issuer", TF_PARAM_TEXT, false, "URL", "https://localhost:9443", 0, 0, "its name in tokens"},
	{"audience", TF_PARAM_TEXT, false, "URL", "https://api.localhost", 0, 0, "whom tokens are for"},
	{"san", TF_PARAM_LIST, false, "NAME", NULL, 0, 0, "of its own certificate (localhost, 127.0.0.1, ::1)"},
	{"token-seconds", TF_PARAM_INT, false, "N", NULL, 1, 86400, "life of a token (staging 3600, production 300)"},
	{"overlap", TF_PARAM_DURATION, false, "TIME", NULL, TF_SEC, 30 * TF_DAY, "a key stays published (2 lives)"},
	{"alg", TF_PARAM_CHOICE, false, "ES256|RS256|PS256|EdDSA", "ES256", 0, 0, "of tokens"},
	{"ca-days", TF_PARAM_INT, false, "N", "365", 1, 3650, "life of the CA"},
	IDENTITY_PARAM_JSON,
	{0},
};

static enum tf_err
write_settings(struct identity *id, struct tf_fault *f)
{
	char path[IDENTITY_PATH_MAX];
	struct tf_buf b;
	tf_buf_init(&b, 0);
	struct tf_json_out w = tf_json_out(&b);
	tf_json_begin_object(&w);
	tf_json_set_cstr(&w, "profile", id->production ? "production" : "staging");
	tf_json_set_str(&w, "issuer", id->issuer);
	tf_json_set_str(&w, "audience", id->audience);
	tf_json_set_i64(&w, "token_seconds", id->token_life / TF_SEC);
	tf_json_set_i64(&w, "overlap_seconds", id->overlap / TF_SEC);
	tf_json_end_object(&w);
	tf_json_finish(&w);
	enum tf_err e =
		b.err ? tf_fault(f, b.err, "out of memory") : identity_path(id, "identity.json", NULL, NULL, path, f);
	e = e ? e : tf_os_write_file(id->os, path, tf_buf_view(&b), f);
	tf_buf_release(&b);
	return e;
}

static void
settings(const struct tf_args *a, struct identity *id)
{
	id->production = tf_args_int(a, "profile") == 1;
	id->issuer = tf_args_text(a, "issuer");
	id->audience = tf_args_text(a, "audience");
	id->token_life = id->production ? IDENTITY_LIFE_PRODUCTION : IDENTITY_LIFE_STAGING;
	if (tf_args_given(a, "token-seconds"))
		id->token_life = tf_args_int(a, "token-seconds") * TF_SEC;
	id->overlap = 2 * id->token_life;
	if (tf_args_given(a, "overlap"))
		id->overlap = tf_args_int(a, "overlap");
}

static enum tf_err
not_empty(void *ctx, const char *name, bool is_dir)
{
	(void)ctx;
	(void)name;
	(void)is_dir;
	return TF_EXISTS;
}

static enum tf_err
check(struct identity *id, struct tf_fault *f)
{
	enum tf_err e = tf_os_list(id->os, id->dir, not_empty, NULL, NULL);
	if (e == TF_EXISTS)
		return tf_fault(f, e, "'%s' is not empty", id->dir);
	if (!id->issuer.n || !id->audience.n || id->issuer.p[id->issuer.n - 1] == '/')
		return tf_fault(f, TF_USAGE,
				"--issuer and --audience are URLs, the issuer's without a slash at the end");
	if (id->overlap < id->token_life)
		return tf_fault(f, TF_USAGE, "--overlap is shorter than a token lives: tokens would outlive their key");
	return identity_check_profile(id, f);
}

static enum tf_err
make_folders(struct identity *id, struct tf_fault *f)
{
	char path[IDENTITY_PATH_MAX];
	TF_TRY(identity_path(id, "keys", NULL, NULL, path, f));
	TF_TRY(tf_os_mkdirs_sync(id->os, path, f));
	TF_TRY(identity_path(id, "certs", NULL, NULL, path, f));
	return tf_os_mkdirs_sync(id->os, path, f);
}

/* identity.json comes last: a directory without it is none. */
static enum tf_err
init(struct identity *id, const struct tf_args *a, struct tf_str *out_kid, struct tf_fault *f)
{
	static const char *const local[] = {"localhost", "127.0.0.1", "::1"};
	static const char *const algs[] = {"ES256", "RS256", "PS256", "EdDSA"};
	struct pki_spec own = {.name = TF_STR("server"), .server = true, .days = (int)tf_args_int(a, "ca-days")};
	char thumbprint[44];
	TF_TRY(check(id, f));
	TF_TRY(make_folders(id, f));
	while (own.san_count < PKI_SANS_MAX && tf_args_list(a, "san", (int)own.san_count, &own.sans[own.san_count]))
		own.san_count++;
	for (size_t i = 0; i < 3 && !tf_args_given(a, "san"); i++)
		own.sans[own.san_count++] = tf_str(local[i]);
	TF_TRY(pki_init(id, (int)tf_args_int(a, "ca-days"), f));
	TF_TRY(pki_issue(id, &own, thumbprint, f));
	TF_TRY(identity_keys_rotate(id, tf_jws_alg_of(tf_str(algs[tf_args_int(a, "alg")])), out_kid, f));
	return write_settings(id, f);
}

static void
report(const struct identity *id, const struct tf_args *a, struct tf_str kid)
{
	struct tf_buf b;
	tf_buf_init(&b, 0);
	if (tf_args_flag(a, "json")) {
		struct tf_json_out w = tf_json_out(&b);
		tf_json_begin_object(&w);
		tf_json_set_cstr(&w, "dir", id->dir);
		tf_json_set_cstr(&w, "profile", id->production ? "production" : "staging");
		tf_json_set_str(&w, "issuer", id->issuer);
		tf_json_set_str(&w, "audience", id->audience);
		tf_json_set_str(&w, "kid", kid);
		tf_json_end_object(&w);
		tf_json_finish(&w);
	} else {
		tf_buf_printf(&b, "issuer    %.*s\naudience  %.*s\nCA        %s/ca.pem\nkey       %.*s\n",
			      TF_FMT(id->issuer), TF_FMT(id->audience), id->dir, TF_FMT(kid));
	}
	tf_program_print(&b);
	if (!id->production)
		fprintf(stderr,
			"tenfold identity: staging profile: tokens live %d s, secrets are allowed, and a token "
			"needs no certificate; not for production\n",
			(int)(id->token_life / TF_SEC));
}

static int
run(void *os, const struct tf_command *self, int argc, char **argv)
{
	struct tf_args a;
	struct tf_fault f = {0};
	struct tf_str kid;
	int code;
	if (!tf_program_args(self, argc, argv, &a, &code))
		return code;
	struct identity id = {.os = os, .dir = tf_args_cstr(&a, "dir")};
	tf_arena_init(&id.arena, "identity", (size_t)16 << 20);
	settings(&a, &id);
	enum tf_err e = init(&id, &a, &kid, &f);
	if (!e)
		report(&id, &a, kid);
	identity_close(&id);
	return e ? tf_program_fail(&f) : tf_program_finish(0);
}

const struct tf_command identity_cmd_init = {.name = "init",
					     .summary = "a new issuer: CA, its own certificate, a signing key",
					     .params = params,
					     .run = run};
