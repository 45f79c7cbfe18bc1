/* Where tokens come from: the client-credentials grant, RFC 6749 section 4.4, asked by a call of the client's own. */
#include "client_impl.h"

#include "base/arena.h"
#include "base/json.h"
#include "base/mem.h"

#define ANSWER_BYTES   ((size_t)32 << 10)
#define TREE_BYTES     ((size_t)128 << 10)
#define FETCH_DEADLINE (30 * TF_SEC)
#define LIFE_DEFAULT   TF_MINUTE
#define LIFE_MAX       TF_DAY

static void
put_field(struct tf_buf *form, const char *name, const char *value)
{
	if (!value)
		return;
	tf_buf_printf(form, "%s%s=", form->n ? "&" : "", name);
	client_form_put(form, tf_str(value));
}

static enum tf_err
fill(struct tf_client_tokens *t, const struct tf_client_tokens_options *o, struct tf_fault *f)
{
	const char *const strings[] = {o->url, o->client, o->secret, o->scope, o->audience, o->resource};
	size_t n = 0;
	for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
		n += strings[i] ? strlen(strings[i]) + 1 : 0;
	if (!tf_buf_room(&t->text, n))
		return tf_fault(f, TF_NO_MEMORY, "no memory for a source of tokens");
	t->o = *o;
	t->o.url = client_keep(&t->text, o->url);
	t->o.client = client_keep(&t->text, o->client);
	t->o.secret = client_keep(&t->text, o->secret);
	put_field(&t->form, "grant_type", "client_credentials");
	put_field(&t->form, "client_id", o->secret ? NULL : o->client);
	put_field(&t->form, "scope", o->scope);
	put_field(&t->form, "audience", o->audience);
	put_field(&t->form, "resource", o->resource);
	t->o.scope = t->o.audience = t->o.resource = NULL; /* they are in the form */
	t->o.ahead = o->ahead ? o->ahead : 30 * TF_SEC;
	t->o.life = o->life ? o->life : LIFE_DEFAULT;
	tf_bearer_init(&t->bearer, o->wait_first, o->wait_max);
	return t->form.err ? tf_fault(f, t->form.err, "no memory for a source of tokens") : TF_OK;
}

void
client_tokens_free(struct tf_client_tokens **tokens)
{
	struct tf_client_tokens *t = *tokens;
	if (t->text.p)
		explicit_bzero(t->text.p, t->text.n);
	tf_buf_release(&t->text);
	tf_buf_release(&t->form);
	tf_bearer_release(&t->bearer);
	tf_free(t);
	*tokens = NULL;
}

enum tf_err
tf_client_tokens_new(struct tf_client *c, const struct tf_client_tokens_options *o, struct tf_client_tokens **out,
		     struct tf_fault *f)
{
	if (!o->url || !o->client)
		return tf_fault(f, TF_INVALID, "a source of tokens needs a URL and a client");
	TF_TRY(tf_client_check(tf_str(o->url), f));
	struct tf_client_tokens *t = tf_calloc(1, sizeof *t);
	if (!t)
		return tf_fault(f, TF_NO_MEMORY, "no memory for a source of tokens");
	t->client = c;
	tf_buf_init(&t->text, 0);
	tf_buf_init(&t->form, 0);
	enum tf_err e = fill(t, o, f);
	pthread_mutex_lock(&c->lock);
	if (!e && c->tokens_count == TF_CLIENT_TOKENS_MAX)
		e = tf_fault(f, TF_OVERLOAD, "more than %d sources of tokens", TF_CLIENT_TOKENS_MAX);
	if (!e)
		c->tokens[c->tokens_count++] = t;
	pthread_mutex_unlock(&c->lock);
	if (e)
		client_tokens_free(&t);
	else
		*out = t;
	return e;
}

/* ---- the answer ---- */

/* RFC 6749 section 5.1. */
static enum tf_err
read_answer(struct tf_client_tokens *t, struct tf_str text, struct tf_arena *arena, struct tf_fault *f)
{
	const struct tf_json *v, *life_in;
	struct tf_str token, type;
	int64_t seconds;
	tf_dur life = t->o.life;
	TF_TRY(tf_json_parse(text, arena, 8, &v, f));
	TF_TRY(tf_json_need_str(v, "access_token", &token, f));
	TF_TRY(tf_json_need_str(v, "token_type", &type, f));
	if (!tf_str_eq_nocase(type, TF_STR("bearer")))
		return tf_fault(f, TF_INVALID, "its type '%.*s' is not Bearer", TF_FMT(type));
	life_in = tf_json_get(v, "expires_in");
	if (life_in && !tf_json_i64(life_in, &seconds))
		return tf_fault(f, TF_INVALID, "expires_in is no whole number");
	if (life_in)
		life = seconds <= 0 ? 0 : seconds < LIFE_MAX / TF_SEC ? seconds * TF_SEC : LIFE_MAX;
	return tf_bearer_got(&t->bearer, token, t->fetch->begun, life, t->o.ahead, f);
}

/* Section 5.2: the error's code is one of few words; nothing else of an answer is repeated. */
static void
name_error(struct tf_str text, struct tf_arena *arena, struct tf_fault *f)
{
	const struct tf_json *v;
	struct tf_str code;
	if (tf_json_parse(text, arena, 8, &v, NULL) || !tf_json_str(tf_json_get(v, "error"), &code) || code.n > 64)
		return;
	for (size_t i = 0; i < code.n; i++)
		if (code.p[i] <= ' ' || code.p[i] >= 127)
			return;
	tf_fault_wrap(f, f->code, "%.*s", TF_FMT(code));
}

static void
fetched(void *ctx, enum tf_err e, const struct tf_client_answer *answer, const struct tf_fault *why)
{
	struct tf_client_tokens *t = ctx;
	struct tf_fault f = *why;
	struct tf_arena arena;
	uint32_t random;
	tf_arena_init(&arena, "token", TREE_BYTES);
	if (!e)
		e = read_answer(t, answer->body, &arena, &f);
	else if (answer->status >= 400)
		name_error(answer->body, &arena, &f);
	tf_arena_release(&arena);
	if (e) {
		tf_os_random(t->client->os, &random, sizeof random);
		tf_fault_wrap(&f, e, "no token from '%s'", t->fetch ? t->fetch->origin : t->o.url);
		tf_bearer_failed(&t->bearer, tf_os_ticks(t->client->os), random, &f);
	}
	t->fetch = NULL;
	t->client->again = true;
}

static void
fetch(struct tf_client_tokens *t, tf_dur now)
{
	struct tf_fault f = {0};
	struct tf_client_request r = {.url = t->o.url,
				      .type = "application/x-www-form-urlencoded",
				      .body = tf_buf_view(&t->form),
				      .repeatable = true, /* a token more is no harm */
				      .user = t->o.secret ? t->o.client : NULL,
				      .password = t->o.secret,
				      .headers = {{"Accept", "application/json"}},
				      .answer_max = ANSWER_BYTES,
				      .deadline = FETCH_DEADLINE};
	enum tf_err e = client_call_new(t->client, &r, true, fetched, t, &t->fetch, &f);
	if (e)
		tf_bearer_failed(&t->bearer, now, 0, &f);
	else
		client_loop_put(t->client, t->fetch);
}

/* ---- for a call ---- */

enum tf_err
client_token(struct client_call *c, tf_dur now, const char **out)
{
	struct tf_client_tokens *t = c->r.tokens;
	bool wanted;
	*out = NULL;
	if (!t)
		return TF_OK;
	enum tf_bearer_step step = tf_bearer_ask(&t->bearer, now, &wanted);
	if (wanted)
		fetch(t, now);
	if (step == TF_BEARER_WAIT)
		return TF_END;
	if (step == TF_BEARER_USE) {
		*out = t->bearer.text;
		c->token_number = t->bearer.number;
		return TF_OK;
	}
	c->fault = t->bearer.fault;
	c->answer.retry_after = t->bearer.not_before > now ? t->bearer.not_before - now : 0;
	return c->fault.code = TF_BUSY;
}

bool
client_token_judge(struct client_call *c, tf_dur now, uint32_t random)
{
	struct tf_client_tokens *t = c->r.tokens;
	if (!t || !c->answer.status)
		return false;
	if (c->answer.status != 401) {
		tf_bearer_taken(&t->bearer, c->token_number);
		return false;
	}
	tf_bearer_refused(&t->bearer, c->token_number, now, random);
	bool again = !c->token_again && !atomic_load(&c->client->draining);
	c->token_again = true;
	return again;
}
