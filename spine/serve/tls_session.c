/* Resumption with state: sessions are kept here, so that nothing is decoded when they come back; see tls.h.
 *
 * The client has been given 32 bytes, TLS 1.3's instead of a ticket, which is longer; TLS 1.2's as a session id:
 *
 *	offset  size
 *	     0     4  place in the table, in this machine's byte order
 *	     4    28  random
 *
 * OpenSSL takes a connection's tickets to be one or the other, by SSL_OP_NO_TICKET, which it looks at when they come
 * (`hello` sets it) and, in TLS 1.3, again when one is made (ticket_made in tls_ticket.c does). TLS 1.2 tells the id
 * before its client has shown a certificate: `hello` finds a place, and the session is put there at the end. */
#include "base/mem.h"
#include "tls_impl.h"

#define LOOK    16 /* places looked at in a turn */
#define SWEEP   4  /* the same, for those that are over */
#define OFFERED 8  /* identities of a hello that are looked at */

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
	for (int i = 0; i < SWEEP; i++) {
		struct tls_session *s = &t->sessions[t->swept++ % t->o.sessions];
		if (s->session && is_over(t, s))
			vacate(s);
	}
}

static struct tls_session *
find(struct tf_tls *t, const unsigned char id[static SSL_MAX_SSL_SESSION_ID_LENGTH], int version)
{
	uint32_t place;
	unsigned n;
	memcpy(&place, id, sizeof place);
	struct tls_session *s = &t->sessions[place % t->o.sessions];
	if (!s->session || is_over(t, s) || !SSL_SESSION_is_resumable(s->session) ||
	    SSL_SESSION_get_protocol_version(s->session) != version ||
	    CRYPTO_memcmp(SSL_SESSION_get_id(s->session, &n), id, SSL_MAX_SSL_SESSION_ID_LENGTH) != 0)
		return NULL;
	return s;
}

/* May its place go to a client that came back? Many never do; and who did may have left for good. */
static bool
is_weak(const struct tf_tls *t, const struct tls_session *s)
{
	return !s->came_back || tf_os_ticks(t->os) - s->seen > TF_TLS_SESSION_SURE;
}

/* Empty, or its session is good for nothing. */
static bool
is_free(const struct tf_tls *t, const struct tls_session *s)
{
	return !s->session || is_over(t, s) || s->used || !SSL_SESSION_is_resumable(s->session);
}

/* One of the few next places that is free, or, for who came back, whose session will hardly be missed; NULL: none. */
static struct tls_session *
find_room(struct tf_tls *t, bool came_back)
{
	struct tls_session *oldest = NULL;
	for (int i = 0; i < LOOK; i++) {
		struct tls_session *s = &t->sessions[t->next++ % t->o.sessions];
		if (is_free(t, s))
			return s;
		if (came_back && is_weak(t, s) && (!oldest || s->seen < oldest->seen))
			oldest = s;
	}
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

static void
make_id(struct tf_tls *t, uint32_t place, unsigned char id[static SSL_MAX_SSL_SESSION_ID_LENGTH])
{
	memcpy(id, &place, sizeof place);
	tf_os_random(t->os, id + sizeof place, SSL_MAX_SSL_SESSION_ID_LENGTH - sizeof place);
}

static void
put(struct tf_tls_conn *c, struct tls_session *place, SSL_SESSION *take_session)
{
	vacate(place);
	*place = (struct tls_session){.session = take_session,
				      .client = tls_client_ref(c->client),
				      .period = c->tls->period,
				      .seen = tf_os_ticks(c->tls->os),
				      .came_back = SSL_session_reused(c->ssl)};
}

/* Without a certificate a ticket is as cheap: nobody fills the table who did not show one. */
static bool
may_keep(struct tf_tls_conn *c)
{
	return tls_client_of(c) && is_short(c->client);
}

bool
tls_session_keep(struct tf_tls_conn *c)
{
	struct tf_tls *t = c->tls;
	unsigned char id[SSL_MAX_SSL_SESSION_ID_LENGTH];
	if (SSL_version(c->ssl) < TLS1_3_VERSION || !may_keep(c))
		return false;
	pthread_mutex_lock(&t->lock);
	struct tls_session *place = find_room(t, SSL_session_reused(c->ssl));
	if (place) {
		SSL_SESSION *session = SSL_get1_session(c->ssl);
		make_id(t, (uint32_t)(place - t->sessions), id);
		if (SSL_SESSION_set1_id(session, id, sizeof id)) {
			put(c, place, session);
		} else {
			SSL_SESSION_free(session);
			place = NULL;
		}
	}
	pthread_mutex_unlock(&t->lock);
	return place;
}

/* TLS 1.2: OpenSSL wants an id; a random one that names nothing where no place was found. */
static int
id_wanted(SSL *ssl, unsigned char *id, unsigned *n)
{
	struct tf_tls_conn *c = SSL_get_app_data(ssl);
	*n = SSL_MAX_SSL_SESSION_ID_LENGTH;
	make_id(c->tls, c->place, id);
	return 1;
}

/* A handshake is over. TLS 1.2: its session is kept, if its place is to be had still; a copy, for OpenSSL spoils that
 * of a connection that breaks, and this one is for many. */
static int
session_new(SSL *ssl, SSL_SESSION *session)
{
	struct tf_tls_conn *c = SSL_get_app_data(ssl);
	struct tf_tls *t = c->tls;
	if (!c->placed || SSL_version(ssl) >= TLS1_3_VERSION || !may_keep(c))
		return 0;
	SSL_SESSION *copy = SSL_SESSION_dup(session);
	pthread_mutex_lock(&t->lock);
	struct tls_session *place = &t->sessions[c->place];
	bool put_there = copy && (is_free(t, place) || (c->had_ticket && is_weak(t, place)));
	if (put_there)
		put(c, place, copy);
	pthread_mutex_unlock(&t->lock);
	if (!put_there)
		SSL_SESSION_free(copy);
	return 0; /* OpenSSL's remains its own */
}

/* TLS 1.2: whoever has seen an id may break a connection with it. */
static SSL_SESSION *
for_one(SSL_SESSION *kept, int version)
{
	if (version < TLS1_3_VERSION)
		return SSL_SESSION_dup(kept);
	return SSL_SESSION_up_ref(kept) ? kept : NULL;
}

/* What is kept under an id: the session and its certificate are the caller's too. */
static SSL_SESSION *
look_up(struct tf_tls *t, const unsigned char *id, int version, struct tls_client **out_client)
{
	pthread_mutex_lock(&t->lock);
	struct tls_session *s = find(t, id, version);
	SSL_SESSION *session = s ? for_one(s->session, version) : NULL;
	if (session)
		*out_client = tls_client_ref(s->client);
	pthread_mutex_unlock(&t->lock);
	return session;
}

/* It came back. TLS 1.3 gives its client another; in TLS 1.2 it comes back again. */
static void
mark(struct tf_tls *t, const unsigned char *id, int version)
{
	pthread_mutex_lock(&t->lock);
	struct tls_session *s = find(t, id, version);
	if (s && version >= TLS1_3_VERSION)
		s->used = true;
	else if (s)
		s->came_back = true;
	if (s)
		s->seen = tf_os_ticks(t->os);
	pthread_mutex_unlock(&t->lock);
}

/* OpenSSL asks for the session of an id. The certificate is looked at as if shown now; not good now means a full
 * handshake, which will tell the client why. */
static SSL_SESSION *
session_back(SSL *ssl, const unsigned char *id, int n, int *out_copy)
{
	struct tf_tls_conn *c = SSL_get_app_data(ssl);
	struct tls_client *client = NULL;
	*out_copy = 0; /* the caller's already */
	SSL_SESSION *session =
		n == SSL_MAX_SSL_SESSION_ID_LENGTH ? look_up(c->tls, id, SSL_version(ssl), &client) : NULL;
	if (session && tls_client_check(c->tls, client)) {
		tls_client_free(&client);
		SSL_SESSION_free(session);
		return NULL;
	}
	if (session) {
		mark(c->tls, id, SSL_version(ssl));
		tls_client_set(c, client);
	}
	return session;
}

/* RFC 8446, 4.2.11: does one of the identities offered name a session that is here? */
static bool
names_one(struct tf_tls *t, const unsigned char *p, size_t n)
{
	size_t left = n < 2 ? 0 : (size_t)p[0] << 8 | p[1];
	if (!left || left > n - 2)
		return false;
	p += 2;
	for (int i = 0; i < OFFERED && left >= 2; i++) {
		size_t size = (size_t)p[0] << 8 | p[1];
		if (size + 6 > left)
			return false;
		if (size == SSL_MAX_SSL_SESSION_ID_LENGTH && find(t, p + 2, TLS1_3_VERSION))
			return true;
		p += size + 6;
		left -= size + 6;
	}
	return false;
}

/* RFC 8446, 4.2.1: of which versions the hello tells. */
static bool
offers_1_3(SSL *ssl)
{
	const unsigned char *p;
	size_t n;
	if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_versions, &p, &n))
		return false;
	for (size_t i = 1; i + 1 < n; i += 2)
		if ((p[i] << 8 | p[i + 1]) == TLS1_3_VERSION)
			return true;
	return false;
}

/* TLS 1.2: has the client an id that names a session here, or is it to have one? Who brings a ticket came back; it is
 * given an id where there is room, by a full handshake. */
static bool
goes_by_id(struct tf_tls_conn *c)
{
	struct tf_tls *t = c->tls;
	const unsigned char *p;
	if (offers_1_3(c->ssl))
		return false; /* its first ids mean nothing */
	size_t n = SSL_client_hello_get0_session_id(c->ssl, &p);
	if (n == SSL_MAX_SSL_SESSION_ID_LENGTH && find(t, p, TLS1_2_VERSION))
		return true;
	c->had_ticket = SSL_client_hello_get0_ext(c->ssl, TLSEXT_TYPE_session_ticket, &p, &n) && n;
	struct tls_session *place = t->o.clients == TF_TLS_CLIENTS_MUST ? find_room(t, c->had_ticket) : NULL;
	c->placed = place != NULL;
	c->place = place ? (uint32_t)(place - t->sessions) : 0;
	return c->placed;
}

static int
hello(SSL *ssl, int *alert, void *arg)
{
	struct tf_tls_conn *c = SSL_get_app_data(ssl);
	struct tf_tls *t = c->tls;
	const unsigned char *p;
	size_t n;
	(void)alert;
	(void)arg;
	pthread_mutex_lock(&t->lock);
	tf_dur past = tf_os_ticks(t->os) - t->rotated;
	for (int i = 1; i <= 2 && past > i * t->o.ticket_rotate; i++)
		tls_rotate(t);
	sweep(t);
	bool by_id = SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_psk, &p, &n) ? names_one(t, p, n) : goes_by_id(c);
	pthread_mutex_unlock(&t->lock);
	if (by_id)
		SSL_set_options(ssl, SSL_OP_NO_TICKET);
	else
		SSL_clear_options(ssl, SSL_OP_NO_TICKET);
	return SSL_CLIENT_HELLO_SUCCESS;
}

void
tls_session_setup(SSL_CTX *ctx)
{
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, session_new);
	SSL_CTX_sess_set_get_cb(ctx, session_back);
	SSL_CTX_set_generate_session_id(ctx, id_wanted);
	SSL_CTX_set_client_hello_cb(ctx, hello, NULL);
}
