/* Who may ask for tokens: clients.json; see state.h. */
#include "state.h"

#define FILE_NAME "clients.json"

struct identity_client
identity_client_of(const struct tf_json *v)
{
	return (struct identity_client){
		.id = identity_text(v, "id"),
		.method = identity_text(v, "method"),
		.scopes = identity_text(v, "scopes"),
		.roles = identity_text(v, "roles"),
		.partner = identity_text(v, "partner"),
		.subject = identity_text(v, "subject"),
		.certificate = identity_text(v, "certificate"),
		.secret = identity_text(v, "secret"),
		.jwks = tf_json_get(v, "jwks"),
	};
}

static void
set_some(struct tf_json_out *w, const char *name, struct tf_str text)
{
	if (text.n)
		tf_json_set_str(w, name, text);
}

static void
put_client(struct tf_json_out *w, const struct identity_client *c)
{
	tf_json_begin_object(w);
	tf_json_set_str(w, "id", c->id);
	tf_json_set_str(w, "method", c->method);
	set_some(w, "scopes", c->scopes);
	set_some(w, "roles", c->roles);
	set_some(w, "partner", c->partner);
	set_some(w, "subject", c->subject);
	set_some(w, "certificate", c->certificate);
	set_some(w, "secret", c->secret);
	if (c->jwks) {
		tf_json_key(w, "jwks");
		tf_json_put_node(w, c->jwks);
	}
	tf_json_end_object(w);
}

enum tf_err
identity_client_add(struct identity *id, const struct identity_client *c, struct tf_fault *f)
{
	const struct tf_json *first;
	struct tf_json_out w;
	struct tf_buf b;
	TF_TRY(identity_list(id, FILE_NAME, &first, f));
	for (const struct tf_json *v = first; v; v = v->next)
		if (identity_is(v, "id", c->id))
			return tf_fault(f, TF_EXISTS, "there is a client '%.*s'", TF_FMT(c->id));
	identity_list_begin(&b, &w);
	for (const struct tf_json *v = first; v; v = v->next)
		tf_json_put_node(&w, v);
	put_client(&w, c);
	return identity_list_write(id, FILE_NAME, &b, &w, f);
}

enum tf_err
identity_client_remove(struct identity *id, struct tf_str name, struct tf_fault *f)
{
	const struct tf_json *first;
	struct tf_json_out w;
	struct tf_buf b;
	bool found = false;
	TF_TRY(identity_list(id, FILE_NAME, &first, f));
	for (const struct tf_json *v = first; v; v = v->next)
		found = found || identity_is(v, "id", name);
	if (!found)
		return tf_fault(f, TF_NOT_FOUND, "there is no client '%.*s'", TF_FMT(name));
	identity_list_begin(&b, &w);
	for (const struct tf_json *v = first; v; v = v->next)
		if (!identity_is(v, "id", name))
			tf_json_put_node(&w, v);
	return identity_list_write(id, FILE_NAME, &b, &w, f);
}
