/* A check with an issuer that is a few lines; see oauth_kit_test.h. */
#include "oauth_kit_test.h"

#include <stdio.h>

#include "base/mem.h"

static enum tf_err
answer(void *ctx, const struct tf_oauth_request *r, struct tf_buf *body, struct tf_fault *f)
{
	struct issuer *i = ctx;
	i->asked++;
	snprintf(i->form, sizeof i->form, "%.*s", TF_FMT(r->form));
	snprintf(i->user, sizeof i->user, "%s:%s", r->user ? r->user : "", r->password ? r->password : "");
	if (i->error)
		return tf_fault(f, i->error, "no issuer today");
	pthread_mutex_lock(&i->lock);
	tf_buf_str(body, tf_buf_view(&i->answer));
	pthread_mutex_unlock(&i->lock);
	return body->err;
}

static void
changed(void *ctx)
{
	((struct issuer *)ctx)->changed++;
}

void
publish(struct kit *k, const char *pem, const char *kid, const char *pem2, const char *kid2)
{
	struct tf_jwks *set;
	struct tf_jwk key = key_of(pem, kid);
	OK(tf_jwks_new(&set, NULL));
	OK(tf_jwks_take(set, &key, NULL));
	if (pem2) {
		key = key_of(pem2, kid2);
		OK(tf_jwks_take(set, &key, NULL));
	}
	pthread_mutex_lock(&k->issuer.lock);
	tf_buf_reset(&k->issuer.answer);
	struct tf_json_out w = tf_json_out(&k->issuer.answer);
	tf_jwks_put(&w, set);
	pthread_mutex_unlock(&k->issuer.lock);
	tf_jwks_free(&set);
}

void
say(struct kit *k, const char *text)
{
	tf_buf_reset(&k->issuer.answer);
	tf_buf_cstr(&k->issuer.answer, text);
}

enum tf_err
work(struct kit *k, tf_time now)
{
	tf_dur next;
	return tf_oauth_work(k->oauth, now, now, &next, &k->f); /* ticks begin in 1970 here */
}

void
begin(struct kit *k, struct tf_oauth_options o)
{
	tf_oauth_free(&k->oauth);
	o.issuer = ISSUER;
	o.audience = AUDIENCE;
	o.jwks_url = o.introspect_url ? NULL : "http://issuer/jwks";
	o.fetch = answer;
	o.fetch_ctx = o.changed_ctx = &k->issuer;
	o.changed = changed;
	OK(tf_oauth_new(&o, &k->oauth, &k->f));
}

int
setup(void **state)
{
	struct kit *k = tf_calloc(1, sizeof *k);
	pthread_mutex_init(&k->issuer.lock, NULL);
	tf_buf_init(&k->issuer.answer, 0);
	tf_buf_init(&k->header, 0);
	begin(k, (struct tf_oauth_options){0});
	publish(k, pem_ec, "ec-1", NULL, NULL);
	OK(work(k, NOW));
	*state = k;
	return 0;
}

int
teardown(void **state)
{
	struct kit *k = *state;
	tf_oauth_free(&k->oauth);
	pthread_mutex_destroy(&k->issuer.lock);
	tf_buf_release(&k->issuer.answer);
	tf_buf_release(&k->header);
	tf_free(k);
	return 0;
}

void
bring(struct kit *k, const char *claims, const char *pem, const char *kid)
{
	char head[128];
	struct tf_buf token;
	struct tf_jwk key = key_of(pem, kid);
	tf_buf_init(&token, 0);
	snprintf(head, sizeof head, "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"at+jwt\"}", kid);
	token_make(&token, head, tf_str(claims), &key, TF_JWS_ES256);
	tf_buf_reset(&k->header);
	tf_buf_cstr(&k->header, "Bearer ");
	tf_buf_str(&k->header, tf_buf_view(&token));
	tf_buf_release(&token);
	tf_jwk_release(&key);
}

static enum tf_err
check(struct kit *k, const struct tf_oauth_ask *a)
{
	const struct tf_oauth_principal *p;
	k->refusal = (struct tf_oauth_refusal){0};
	k->f = (struct tf_fault){0};
	enum tf_err e = tf_oauth_check(k->oauth, a, &p, &k->refusal, &k->f);
	if (!e)
		tf_oauth_done(&p);
	return e;
}

enum tf_err
ask(struct kit *k, const char *thumbprint, const char *scope, const char *role, tf_time now)
{
	return check(k, &(struct tf_oauth_ask){tf_buf_view(&k->header), tf_str(thumbprint), scope, role, now, now});
}

enum tf_err
work_at(struct kit *k, struct tf_os *os)
{
	tf_dur next;
	return tf_oauth_work(k->oauth, tf_os_ticks(os), tf_os_now(os), &next, &k->f);
}

enum tf_err
ask_at(struct kit *k, struct tf_os *os)
{
	return check(k, &(struct tf_oauth_ask){.authorization = tf_buf_view(&k->header),
					       .now = tf_os_now(os),
					       .ticks = tf_os_ticks(os)});
}

void
refused(struct kit *k, int status, const char *code, const char *why)
{
	assert_int_equal(k->refusal.status, status);
	assert_string_equal(k->refusal.code, code);
	if (!strstr(k->f.text, why))
		fail_msg("'%s' has no '%s'", k->f.text, why);
}
