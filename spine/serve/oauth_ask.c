/* Introspection, RFC 7662: the issuer is asked about one token at a time; see oauth.h. */
#include "base/mem.h"
#include "serve/oauth_impl.h"

#define TREE_BYTES (1u << 20)
#define DEPTH      16

/* When the issuer could not be asked: who waits is asked for again at once, and would be as fast as it can fail. */
#define AGAIN_AFTER (TF_SEC / 4)

static bool
is_active(const struct tf_json *answer)
{
	bool active = false;
	return tf_json_bool(tf_json_get(answer, "active"), &active) && active;
}

/* What the answer makes of the token; NULL when memory is out. An answer that breaks our rules (another audience, no
 * exp) is a token that is not good here. */
static struct oauth_token *
token_of(const struct tf_oauth *o, const uint8_t *digest, const struct tf_json *answer, tf_dur ticks, tf_time now,
	 struct tf_fault *f)
{
	struct tf_jwt_rules rules = oauth_rules(o);
	struct tf_jwt jwt = {0};
	bool good = is_active(answer) && !tf_jwt_claims(answer, &rules, now, &jwt, f);
	if (good && !jwt.client.p) {
		tf_fault(f, TF_DENIED, "the answer has no 'client_id'");
		good = false;
	}
	if (!good)
		jwt = (struct tf_jwt){.expires = now + o->o.answer_ttl};
	struct oauth_token *t = oauth_token_new(o, digest, &jwt);
	if (!t)
		return NULL;
	t->active = good;
	t->stale = ticks + o->o.answer_ttl;
	if (t->until > now + o->o.answer_ttl)
		t->until = now + o->o.answer_ttl;
	return t;
}

/* application/x-www-form-urlencoded; a token's characters need it for "+", "/" and "=" only. */
static void
put_form(struct tf_buf *b, const char *p, size_t n)
{
	tf_buf_cstr(b, "token_type_hint=access_token&token=");
	for (size_t i = 0; i < n; i++) {
		char c = p[i];
		bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			     (c && strchr("-._~", c));
		if (plain)
			tf_buf_u8(b, (uint8_t)c);
		else
			tf_buf_printf(b, "%%%02X", (unsigned char)c);
	}
}

static enum tf_err
ask(struct tf_oauth *o, const struct oauth_asked *a, tf_dur ticks, tf_time now, struct oauth_token **out,
    struct tf_fault *f)
{
	struct tf_buf form, body;
	struct tf_arena arena;
	const struct tf_json *answer;
	tf_buf_init(&form, 0);
	tf_buf_init(&body, TF_OAUTH_ANSWER_BYTES);
	tf_arena_init(&arena, "introspection", TREE_BYTES);
	put_form(&form, a->text, a->n);
	struct tf_oauth_request r = {o->o.introspect_url, tf_buf_view(&form), o->o.client, o->o.secret};
	enum tf_err e = form.err ? tf_fault(f, form.err, "cannot ask about a token") : TF_OK;
	e = e ? e : o->o.fetch(o->o.fetch_ctx, &r, &body, f);
	e = e ? e : tf_json_parse(tf_buf_view(&body), &arena, DEPTH, &answer, f);
	if (!e) {
		*out = token_of(o, a->digest, answer, ticks, now, f);
		e = *out ? TF_OK : tf_fault(f, TF_NO_MEMORY, "out of memory");
	}
	tf_buf_release(&form);
	tf_buf_release(&body);
	tf_arena_release(&arena);
	return e ? tf_fault_wrap(f, e, "introspection") : TF_OK;
}

enum tf_err
oauth_ask_one(struct tf_oauth *o, tf_dur ticks, tf_time now, struct tf_fault *f)
{
	struct oauth_asked *a = tf_malloc(sizeof *a);
	struct oauth_token *t = NULL;
	if (!a)
		return tf_fault(f, TF_NO_MEMORY, "cannot ask about a token: out of memory");
	pthread_mutex_lock(&o->lock);
	*a = o->asked[o->asked_at];
	pthread_mutex_unlock(&o->lock);
	enum tf_err e = ask(o, a, ticks, now, &t, f);
	pthread_mutex_lock(&o->lock);
	o->asked_at = (o->asked_at + 1) % OAUTH_ASKED_MAX;
	o->asked_count--;
	o->ask_at = e ? ticks + AGAIN_AFTER : 0;
	if (t)
		oauth_cache_put(o, t);
	pthread_mutex_unlock(&o->lock);
	oauth_token_free(t);
	tf_free(a);
	oauth_changed(o);
	return e;
}
