/* tenfold identity client add | list | remove */
#include <openssl/evp.h>
#include <stdio.h>

#include "cli.h"
#include "pki.h"
#include "serve/b64.h"

static const struct tf_param add_params[] = {
	IDENTITY_PARAM_DIR,
	{"id", TF_PARAM_TEXT, true, "ID", NULL, 0, 0, "the client's name"},
	{"scope", TF_PARAM_LIST, false, "WORD", NULL, 0, 0, "it may ask for; 'introspect' lets it ask about tokens"},
	{"role", TF_PARAM_LIST, false, "WORD", NULL, 0, 0, "its tokens say it has"},
	{"partner", TF_PARAM_TEXT, false, "NAME", NULL, 0, 0, "its tokens say it acts for"},
	{"cert", TF_PARAM_TEXT, false, "FILE", NULL, 0, 0, "PEM: it proves itself by this certificate"},
	{"cert-name", TF_PARAM_TEXT, false, "NAME", NULL, 0, 0, "or by any good one of this common name"},
	{"key", TF_PARAM_TEXT, false, "FILE", NULL, 0, 0, "PEM: or by assertions of this public key"},
	{"secret", TF_PARAM_FLAG, false, NULL, NULL, 0, 0, "or by a secret, told once (staging only)"},
	{0},
};

/* The words of a list parameter with blanks between. */
static enum tf_err
words(struct identity *id, const struct tf_args *a, const char *name, struct tf_str *out, struct tf_fault *f)
{
	struct tf_buf b;
	struct tf_str word;
	enum tf_err e = TF_OK;
	tf_buf_init(&b, 4096);
	for (int i = 0; !e && tf_args_list(a, name, i, &word); i++) {
		for (size_t k = 0; k < word.n; k++) /* RFC 6749 section 3.3: NQCHAR */
			if (word.p[k] <= ' ' || word.p[k] > '~' || word.p[k] == '"' || word.p[k] == '\\')
				e = tf_fault(f, TF_USAGE, "--%s: '%.*s' is no single word", name, TF_FMT(word));
		tf_buf_cstr(&b, i ? " " : "");
		tf_buf_str(&b, word);
	}
	*out = tf_arena_str(&id->arena, tf_buf_view(&b));
	e = e ? e : b.err ? tf_fault(f, b.err, "--%s: too many words", name) : TF_OK;
	tf_buf_release(&b);
	return e ? e : out->p ? TF_OK : tf_arena_fault(&id->arena, f);
}

static enum tf_err
set_certificate(struct identity *id, const struct tf_args *a, struct identity_client *c, struct tf_fault *f)
{
	char thumbprint[44], subject[80];
	struct tf_str pem;
	c->method = TF_STR("tls_client_auth");
	if (tf_args_given(a, "cert")) {
		TF_TRY(identity_read(id, tf_args_cstr(a, "cert"), &pem, f));
		enum tf_err e = pki_thumbprint(pem, thumbprint, f);
		if (e)
			return tf_fault_wrap(f, e, "'%s'", tf_args_cstr(a, "cert"));
		c->certificate = tf_arena_str(&id->arena, tf_str(thumbprint));
		return c->certificate.p ? TF_OK : tf_arena_fault(&id->arena, f);
	}
	if (!identity_name_ok(tf_args_text(a, "cert-name")))
		return tf_fault(f, TF_USAGE, "--cert-name: letters, digits, '.', '_' and '-', at most 64");
	snprintf(subject, sizeof subject, "CN=%.*s", TF_FMT(tf_args_text(a, "cert-name")));
	c->subject = tf_arena_str(&id->arena, tf_str(subject));
	return c->subject.p ? TF_OK : tf_arena_fault(&id->arena, f);
}

static enum tf_err
set_key(struct identity *id, const struct tf_args *a, struct identity_client *c, struct tf_fault *f)
{
	struct tf_str pem, kept;
	struct tf_jwk key;
	struct tf_buf text;
	TF_TRY(identity_read(id, tf_args_cstr(a, "key"), &pem, f));
	enum tf_err e = tf_jwk_from_pem(pem, false, &key, f);
	if (e)
		return tf_fault_wrap(f, e, "'%s'", tf_args_cstr(a, "key"));
	tf_buf_init(&text, 0);
	struct tf_json_out w = tf_json_out(&text);
	tf_json_begin_object(&w);
	tf_json_key(&w, "keys");
	tf_json_begin_array(&w);
	tf_jwk_put(&w, &key);
	tf_json_end_array(&w);
	tf_json_end_object(&w);
	tf_jwk_release(&key);
	kept = tf_arena_str(&id->arena, tf_buf_view(&text));
	tf_buf_release(&text);
	c->method = TF_STR("private_key_jwt");
	return kept.p ? tf_json_parse(kept, &id->arena, 0, &c->jwks, f) : tf_arena_fault(&id->arena, f);
}

/* 256 random bits, of which the hash is kept: no dictionary reaches them. */
static enum tf_err
set_secret(struct identity *id, struct identity_client *c, char out_secret[static 44], struct tf_fault *f)
{
	uint8_t random[32], digest[32];
	char text[44];
	if (id->production)
		return tf_fault(f, TF_DENIED, "production: no shared secrets: --cert, --cert-name or --key");
	tf_os_random(id->os, random, sizeof random);
	tf_b64_text(random, sizeof random, out_secret);
	if (!EVP_Digest(out_secret, strlen(out_secret), digest, NULL, EVP_sha256(), NULL))
		return tf_fault(f, TF_NO_MEMORY, "cannot hash a secret");
	tf_b64_text(digest, sizeof digest, text);
	c->method = TF_STR("client_secret_basic");
	c->secret = tf_arena_str(&id->arena, tf_str(text));
	return c->secret.p ? TF_OK : tf_arena_fault(&id->arena, f);
}

static enum tf_err
add(struct identity *id, const struct tf_args *a, char out_secret[static 44], struct identity_client *c,
    struct tf_fault *f)
{
	bool cert = tf_args_given(a, "cert") || tf_args_given(a, "cert-name"), key = tf_args_given(a, "key");
	bool secret = tf_args_flag(a, "secret");
	c->id = tf_args_text(a, "id");
	c->partner = tf_args_text(a, "partner");
	if (!identity_name_ok(c->id))
		return tf_fault(f, TF_USAGE, "--id: letters, digits, '.', '_' and '-', at most 64");
	if (cert + key + secret != 1 || (tf_args_given(a, "cert") && tf_args_given(a, "cert-name")))
		return tf_fault(f, TF_USAGE, "one of --cert, --cert-name, --key and --secret");
	TF_TRY(words(id, a, "scope", &c->scopes, f));
	TF_TRY(words(id, a, "role", &c->roles, f));
	TF_TRY(cert ? set_certificate(id, a, c, f) : key ? set_key(id, a, c, f) : set_secret(id, c, out_secret, f));
	return identity_client_add(id, c, f);
}

static int
run_add(void *os, const struct tf_command *self, int argc, char **argv)
{
	struct tf_args a;
	struct tf_fault f = {0};
	struct identity id;
	struct identity_client c = {0};
	char secret[44] = "";
	int code;
	if (!tf_program_args(self, argc, argv, &a, &code))
		return code;
	if (identity_open(os, tf_args_cstr(&a, "dir"), true, &id, &f))
		return tf_program_fail(&f);
	enum tf_err e = add(&id, &a, secret, &c, &f);
	if (!e) {
		struct tf_buf b;
		tf_buf_init(&b, 0);
		struct tf_json_out w = tf_json_out(&b);
		tf_json_begin_object(&w);
		tf_json_set_str(&w, "id", c.id);
		tf_json_set_str(&w, "method", c.method);
		if (secret[0])
			tf_json_set_cstr(&w, "secret", secret);
		tf_json_end_object(&w);
		tf_json_finish(&w);
		tf_program_print(&b);
	}
	identity_close(&id);
	return e ? tf_program_fail(&f) : tf_program_finish(0);
}

const struct tf_command identity_cmd_client_add = {.name = "client add",
						   .summary = "who may ask for tokens, and how it proves itself",
						   .params = add_params,
						   .run = run_add};

static const struct tf_param remove_params[] = {
	IDENTITY_PARAM_DIR,
	{"id", TF_PARAM_TEXT, true, "ID", NULL, 0, 0, "the client's name"},
	{0},
};

static int
run_remove(void *os, const struct tf_command *self, int argc, char **argv)
{
	struct tf_args a;
	struct tf_fault f = {0};
	struct identity id;
	int code;
	if (!tf_program_args(self, argc, argv, &a, &code))
		return code;
	if (identity_open(os, tf_args_cstr(&a, "dir"), true, &id, &f))
		return tf_program_fail(&f);
	enum tf_err e = identity_client_remove(&id, tf_args_text(&a, "id"), &f);
	identity_close(&id);
	return e ? tf_program_fail(&f) : tf_program_finish(0);
}

const struct tf_command identity_cmd_client_remove = {.name = "client remove",
						      .summary = "its tokens are not active any more",
						      .params = remove_params,
						      .run = run_remove};

static const struct tf_param list_params[] = {IDENTITY_PARAM_DIR, {0}};

static void
put_client(struct tf_json_out *w, const struct tf_json *v)
{
	struct identity_client c = identity_client_of(v);
	tf_json_begin_object(w);
	tf_json_set_str(w, "id", c.id);
	tf_json_set_str(w, "method", c.method);
	tf_json_set_str(w, "scopes", c.scopes);
	tf_json_set_str(w, "roles", c.roles);
	tf_json_set_str(w, "partner", c.partner);
	tf_json_set_str(w, "subject", c.subject);
	tf_json_set_str(w, "certificate", c.certificate);
	tf_json_end_object(w);
}

static int
run_list(void *os, const struct tf_command *self, int argc, char **argv)
{
	return identity_cli_list(os, self, argc, argv, "clients.json", put_client);
}

const struct tf_command identity_cmd_client_list = {
	.name = "client list", .summary = "one JSON object a line", .params = list_params, .run = run_list};
