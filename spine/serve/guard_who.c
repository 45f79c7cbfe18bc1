/* Who calls: a token, a certificate, or a header; see guard.h. */
#include <stdio.h>

#include "guard_impl.h"
#include "serve/b64.h"

static enum tf_guard_answer
refuse(struct tf_guard *g, struct tf_exchange *x, const struct tf_caller *who, const struct tf_problem *p)
{
	char why[TF_FAULT_TEXT_MAX];
	snprintf(why, sizeof why, "%.*s", TF_FMT(p->text));
	if (p->status == 401 || p->status == 403)
		guard_record_refusal(g, tf_exchange_peer(x), x, who, p->status, why);
	tf_reply_problem(x, p);
	return TF_GUARD_ANSWERED;
}

static bool
take_name(struct tf_caller *who, struct tf_str name)
{
	if (!name.n || name.n > TF_GUARD_PARTNER)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!good && c != '.' && c != '_' && c != '-')
			return false;
	}
	memcpy(who->name, name.p, name.n);
	who->name[name.n] = 0;
	who->partner = tf_str_n(who->name, name.n);
	return true;
}

/* One of the words, or none is asked for. */
static bool
has_one(struct tf_str roles, const char *words)
{
	struct tf_str list = tf_str(words), word;
	if (!list.n)
		return true;
	while (tf_str_cut(&list, ' ', &word))
		if (word.n && tf_scope_has(roles, word))
			return true;
	return false;
}

static enum tf_guard_answer
by_token(struct tf_guard *g, struct tf_exchange *x, const struct tf_guard_need *need, const struct tf_certificate *c,
	 struct tf_caller *who)
{
	char thumbprint[TF_B64_CHARS(32) + 1];
	struct tf_fault f = {0};
	struct tf_oauth_refusal r = {0};
	const struct tf_oauth_principal *p;
	if (tf_http_repeated(tf_exchange_request(x), "authorization")) {
		struct tf_problem twice = {400, "INVALID", TF_STR("Authorization is there twice"), "Authorization"};
		return refuse(g, x, who, &twice);
	}
	tf_dur ticks = tf_os_ticks(g->os), began = g->began ? g->began : ticks;
	struct tf_oauth_ask ask = {.authorization = tf_exchange_header(x, "authorization"),
				   .scope = need->scope,
				   .role = need->role,
				   .remembered = !guard_may_try(g, x, who),
				   .since = began,
				   .ticks = ticks,
				   .now = tf_os_now(g->os)};
	if (c) {
		tf_b64_text(c->sha256, sizeof c->sha256, thumbprint);
		ask.thumbprint = tf_str(thumbprint);
	}
	enum tf_err e = tf_oauth_check(g->oauth, &ask, &p, &r, &f);
	if (e == TF_BUSY)
		return guard_wait_for_keys(g, x, began);
	if (e && r.status == 401 && ask.authorization.p)
		guard_was_bad(g, x, who);
	if (e == TF_OVERLOAD)
		tf_reply_header(x, "Retry-After", TF_STR("1"));
	if (e) {
		struct tf_problem no = {r.status ? r.status : tf_err_http(e), r.code ? r.code : tf_err_name(e),
					tf_str(f.text), "Authorization"};
		if (r.challenge[0])
			tf_reply_header(x, "WWW-Authenticate", tf_str(r.challenge));
		return refuse(g, x, who, &no);
	}
	bool named = take_name(who, p->partner); /* never the client's id: it may be another partner's name */
	tf_str_copy(p->client, who->client, sizeof who->client);
	who->own_only = !has_one(p->roles, need->own_unless);
	tf_oauth_done(&p);
	struct tf_problem nameless = {403, "UNIDENTIFIED", TF_STR("the token names no partner"), "Authorization"};
	return named ? TF_GUARD_IN : refuse(g, x, who, &nameless);
}

/* Who came without a token: by name alone. */
static enum tf_guard_answer
take_rights(struct tf_guard *g, struct tf_exchange *x, const struct tf_guard_need *need, struct tf_caller *who)
{
	who->own_only = need->own_unless != NULL;
	if (!need->role)
		return TF_GUARD_IN;
	struct tf_problem p = {403, "insufficient_role", TF_STR("a role is wanted here, which only a token gives"),
			       NULL};
	return refuse(g, x, who, &p);
}

enum tf_guard_answer
guard_identify(struct tf_guard *g, struct tf_exchange *x, const struct tf_guard_need *need, struct tf_caller *who)
{
	const struct tf_certificate *c = tf_exchange_certificate(x);
	guard_take_certificate(who, c);
	if (g->oauth)
		return by_token(g, x, need, c, who);
	if (g->certificates && c && take_name(who, tf_str(c->common_name)))
		return take_rights(g, x, need, who);
	struct tf_problem p = {401, "UNIDENTIFIED",
			       TF_STR("no way to tell who calls: this server has no identity configured"), NULL};
	if (g->certificates)
		p.text = TF_STR("a client certificate is wanted whose common name is a partner's");
	if (g->header && !g->certificates) {
		struct tf_str name = tf_exchange_header(x, "x-partner");
		if (!tf_http_repeated(tf_exchange_request(x), "x-partner") && take_name(who, name))
			return take_rights(g, x, need, who);
		p.field = "X-Partner";
		p.text = TF_STR("one X-Partner of 1 to 64 letters, digits, '.', '_' and '-' is wanted");
	}
	return refuse(g, x, who, &p);
}
