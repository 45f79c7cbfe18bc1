/* Resumption with state: TLS 1.3 sessions are kept here, so that nothing is decoded when they come back; see tls.h.
 *
 * Such a client has been given 32 bytes instead of a ticket, which is longer:
 *
 *	offset  size
 *	     0     4  place in the table, in this machine's byte order
 *	     4    28  random
 *
 * OpenSSL takes a connection's tickets to be one or the other, by SSL_OP_NO_TICKET, which it looks at when they come
 * (`hello` sets it) and again when one is made (ticket_made in tls_ticket.c does). */
#include "base/mem.h"
#include "tls_impl.h"

#define LOOK 16 /* places looked at in a turn */

static void
vacate(struct tls_session *s)
{
	SSL_SESSION_free(s->session);
	tls_client_free(&s->client);
	*s = (struct tls_session){0};
}

void
tls_session_release(struct tf_tls *t)
{
	for (size_t i = 0; t->sessions && i < t->o.sessions; i++)
		vacate(&t->sessions[i]);
	tf_free(t->sessions);
}

/* A ticket as old would be opened by no key any more. */
static bool
is_over(const struct tf_tls *t, const struct tls_session *s)
{
	return t->period - s->period > 1;
}

/* A few places with each hello: all at once would hold the others up for 70 ms. */
static void
sweep(struct tf_tls *t)
{
	for (int i = 0; i < LOOK; i++) {
		struct tls_session *s = &t->sessions[t->swept++ % t->o.sessions];
		if (s->session && is_over(t, s))
			vacate(s);
	}
}

static struct tls_session *
find(struct tf_tls *t, const unsigned char id[static SSL_MAX_SSL_SESSION_ID_LENGTH])
{
	uint32_t place;
	unsigned n;
	memcpy(&place, id, sizeof place);
	struct tls_session *s = &t->sessions[place % t->o.sessions];
	if (!s->session || is_over(t, s) ||
	    CRYPTO_memcmp(SSL_SESSION_get_id(s->session, &n), id, SSL_MAX_SSL_SESSION_ID_LENGTH) != 0)
		return NULL;
	return s;
}

/* May its place go to a client that came back? Many never do; and who did may have left for good. */
static bool
is_weak(const struct tf_tls *t, const struct tls_session *s)
{
	return !s->came_back || tf_os_ticks(t->os) - s->made > TF_TLS_SESSION_SURE;
}

/* One of the few next places that is empty, or whose session will hardly be missed; NULL: none. */
static struct tls_session *
make_room(struct tf_tls *t, bool came_back)
{
	struct tls_session *oldest = NULL;
	for (int i = 0; i < LOOK; i++) {
		struct tls_session *s = &t->sessions[t->next++ % t->o.sessions];
		if (!s->session || is_over(t, s) || s->used || !SSL_SESSION_is_resumable(s->session)) {
			vacate(s);
			return s;
		}
		if (came_back && is_weak(t, s) && (!oldest || s->made < oldest->made))
			oldest = s;
	}
	if (oldest)
		vacate(oldest);
	return oldest;
}

/* Certificates cost some 4 KiB each once they are decoded. */
static bool
is_short(const struct tls_client *client)
{
	size_t bytes = (size_t)i2d_X509(client->leaf, NULL) + client->der_n;
	int count = 1, tag, class;
	const unsigned char *p = client->der, *end = p ? p + client->der_n : p;
	for (long n; p < end && !(ASN1_get_object(&p, &n, &tag, &class, (long)(end - p)) & 0x80); p += n)
		count++;
	for (int i = 0; !client->der && client->between && i < sk_X509_num(client->between); i++, count++)
		bytes += (size_t)i2d_X509(sk_X509_value(client->between, i), NULL);
	return count <= TF_TLS_SESSION_CERTIFICATES && bytes <= TF_TLS_SESSION_BYTES;
}

/* Without a certificate a ticket is as cheap: nobody fills the table who did not show one. */
bool
tls_session_keep(struct tf_tls_conn *c)
{
	struct tf_tls *t = c->tls;
	unsigned char id[SSL_MAX_SSL_SESSION_ID_LENGTH];
	if (SSL_version(c->ssl) < TLS1_3_VERSION || !tls_client_of(c) || !is_short(c->client))
		return false;
	bool came_back = SSL_session_reused(c->ssl);
	struct tls_session *place = make_room(t, came_back);
	if (!place)
		return false;
	uint32_t at = (uint32_t)(place - t->sessions);
	memcpy(id, &at, sizeof at);
	tf_os_random(t->os, id + sizeof at, sizeof id - sizeof at);
	SSL_SESSION *session = SSL_get1_session(c->ssl);
	if (!SSL_SESSION_set1_id(session, id, sizeof id)) {
		SSL_SESSION_free(session);
		return false;
	}
	*place = (struct tls_session){.session = session,
				      .client = tls_client_ref(c->client),
				      .period = t->period,
				      .made = tf_os_ticks(t->os),
				      .came_back = came_back};
	return true;
}

/* OpenSSL asks for the session of an id. The certificate is looked at as if shown now; not good now means a full
 * handshake, which will tell the client why. */
static SSL_SESSION *
session_back(SSL *ssl, const unsigned char *id, int n, int *out_copy)
{
	struct tf_tls_conn *c = SSL_get_app_data(ssl);
	*out_copy = 1; /* the table keeps its own */
	struct tls_session *s = n == SSL_MAX_SSL_SESSION_ID_LENGTH ? find(c->tls, id) : NULL;
	if (!s || tls_client_check(c->tls, s->client))
		return NULL;
	s->used = true;
	tls_client_set(c, tls_client_ref(s->client));
	return s->session;
}

/* RFC 8446, 4.2.11: does one of the identities offered name a session that is here? */
static bool
names_one(struct tf_tls *t, const unsigned char *p, size_t n)
{
	size_t left = n < 2 ? 0 : (size_t)p[0] << 8 | p[1];
	if (!left || left > n - 2)
		return false;
	for (p += 2; left >= 2;) {
		size_t size = (size_t)p[0] << 8 | p[1];
		if (size + 6 > left)
			return false;
		if (size == SSL_MAX_SSL_SESSION_ID_LENGTH && find(t, p + 2))
			return true;
		p += size + 6;
		left -= size + 6;
	}
	return false;
}

static int
hello(SSL *ssl, int *alert, void *arg)
{
	struct tf_tls *t = ((struct tf_tls_conn *)SSL_get_app_data(ssl))->tls;
	const unsigned char *p;
	size_t n;
	(void)alert;
	(void)arg;
	tf_dur past = tf_os_ticks(t->os) - t->rotated;
	for (int i = 1; i <= 2 && past > i * t->o.ticket_rotate; i++)
		tf_tls_rotate(t);
	sweep(t);
	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_psk, &p, &n) && names_one(t, p, n))
		SSL_set_options(ssl, SSL_OP_NO_TICKET);
	else
		SSL_clear_options(ssl, SSL_OP_NO_TICKET);
	return SSL_CLIENT_HELLO_SUCCESS;
}

void
tls_session_setup(SSL_CTX *ctx)
{
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_NO_INTERNAL); /* what is found is not kept twice */
	SSL_CTX_sess_set_get_cb(ctx, session_back);
	SSL_CTX_set_client_hello_cb(ctx, hello, NULL);
}
