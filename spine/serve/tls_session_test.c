/* Sessions that are resumed: kept by the server, or in tickets. Each is checked as a full handshake is. */
#include "tls_stage_test.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/sim.h"

enum { OLD_ID, OLD_TICKET, ID, TICKET, WAYS };

/* How a session comes back: named by an id, or whole in a ticket. */
static const struct way {
	int version;
	bool by_id;
} ways[WAYS] = {{TLS1_2_VERSION, true}, {TLS1_2_VERSION, false}, {TLS1_3_VERSION, true}, {TLS1_3_VERSION, false}};

static size_t
ticket_size(const SSL_SESSION *session)
{
	const unsigned char *ticket;
	size_t n;
	SSL_SESSION_get0_ticket(session, &ticket, &n);
	return n;
}

/* Was the client given 32 bytes: in TLS 1.3 as if they were a ticket? */
static bool
has_id(const SSL_SESSION *session)
{
	unsigned n;
	if (SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION)
		return ticket_size(session) == SSL_MAX_SSL_SESSION_ID_LENGTH;
	SSL_SESSION_get_id(session, &n);
	return !ticket_size(session) && n == SSL_MAX_SSL_SESSION_ID_LENGTH;
}

static bool
is_resumed(struct stage *s, const struct pki_pair *who, X509 *chain, int version, SSL_SESSION *session)
{
	struct ends e = meet(s, who, chain, version, session);
	OK(e.result);
	talk(&e);
	bool resumed = tf_tls_resumed(e.server);
	part(&e);
	return resumed;
}

/* A server anew. Where the only place for a session is taken, by one that came back, those who come get tickets. */
static void
begin(struct stage *s, struct tf_os *os, const struct way *way)
{
	server_with(s, os, way->by_id ? 0 : 1);
	if (way->by_id)
		return;
	SSL_SESSION *first = session_of(s, &s->good, NULL, TLS1_3_VERSION);
	assert_true(is_resumed(s, &s->good, NULL, TLS1_3_VERSION, first));
	SSL_SESSION_free(first);
}

/* TLS 1.2 has tickets in spite of room where there may be no certificate. */
static void
begin_lasting(struct stage *s, struct tf_os *os, size_t way)
{
	s->o.clients = way == OLD_TICKET ? TF_TLS_CLIENTS_MAY : TF_TLS_CLIENTS_MUST;
	begin(s, os, &ways[way]);
}

static SSL_SESSION *
session_by(struct stage *s, const struct way *way, const struct pki_pair *who, X509 *chain)
{
	SSL_SESSION *session = session_of(s, who, chain, way->version);
	assert_int_equal(has_id(session), way->by_id);
	return session;
}

static void
a_session_is_resumed_with_its_certificate(void **state)
{
	struct stage *s = *state;
	for (size_t i = 0; i < 2 * WAYS; i++) {
		const struct way *way = &ways[i / 2];
		const struct pki_pair *who = i & 1 ? &s->deep : &s->good;
		X509 *chain = i & 1 ? s->between.x : NULL;
		begin(s, tf_os_real(), way);
		SSL_SESSION *session = session_by(s, way, who, chain);
		struct ends e = meet(s, who, chain, way->version, session);
		OK(e.result);
		SSL_SESSION_free(kept);
		kept = NULL;
		talk(&e);
		assert_true(way->version < TLS1_3_VERSION || kept); /* for the next time */
		assert_true(tf_tls_resumed(e.server));
		assert_string_equal(tf_tls_certificate(e.server)->subject, i & 1 ? "CN=partner two" : "CN=partner one");
		OK(tf_tls_reload(s->tls, NULL));
		OK(tf_tls_recheck(e.server, NULL));
		part(&e);
		SSL_SESSION_free(session);
	}
}

/* The ticket of a resumed session holds what stands between leaf and CA as the first one did. */
static void
a_session_is_resumed_again_and_again(void **state)
{
	struct stage *s = *state;
	for (size_t i = 0; i < WAYS; i++) {
		begin_lasting(s, tf_os_real(), i);
		SSL_SESSION *session = session_by(s, &ways[i], &s->deep, s->between.x);
		for (int k = 0; k < 5; k++) {
			if (i != OLD_ID)               /* which stays the same, and ends */
				tf_tls_rotate(s->tls); /* a new ticket; TLS 1.3 an id, when there is room */
			OK(tf_tls_reload(s->tls, NULL));
			struct ends e = meet(s, &s->deep, s->between.x, ways[i].version, session);
			OK(e.result);
			talk(&e);
			assert_true(tf_tls_resumed(e.server));
			OK(tf_tls_reload(s->tls, NULL));
			OK(tf_tls_recheck(e.server, NULL));
			SSL_SESSION_free(session);
			session = SSL_get1_session(e.client);
			part(&e);
		}
		SSL_SESSION_free(session);
	}
}

static void
a_revoked_certificate_does_not_resume(void **state)
{
	struct stage *s = *state;
	X509 *revoked[] = {s->good.x};
	for (size_t i = 0; i < WAYS; i++) {
		begin(s, tf_os_real(), &ways[i]);
		SSL_SESSION *session = session_by(s, &ways[i], &s->good, NULL);
		stage_revoke(s, revoked, 1);
		OK(tf_tls_reload(s->tls, NULL));
		struct ends e = meet(s, &s->good, NULL, ways[i].version, session);
		assert_int_equal(e.result, TF_DENIED);
		part(&e);
		/* Nor does a client that comes without it. */
		e = meet(s, NULL, NULL, ways[i].version, session);
		assert_int_not_equal(e.result, TF_OK);
		part(&e);
		/* With its new certificate it gets a full handshake. */
		e = meet(s, &s->deep, s->between.x, ways[i].version, session);
		OK(e.result);
		assert_false(tf_tls_resumed(e.server));
		assert_string_equal(tf_tls_certificate(e.server)->subject, "CN=partner two");
		part(&e);
		SSL_SESSION_free(session);
		stage_revoke(s, NULL, 0);
		OK(tf_tls_reload(s->tls, NULL));
	}
}

static void
a_certificate_ends_within_a_connection(void **state)
{
	struct stage *s = *state;
	struct tf_os *sim = simulate(s);
	for (size_t i = 0; i < WAYS; i++) {
		struct pki_pair brief = pki_make("brief", PKI_CLIENT, &s->root, -DAY_S, 3600 * ((long)i + 1));
		begin(s, sim, &ways[i]);
		struct ends e = meet(s, &brief, NULL, ways[i].version, NULL);
		OK(e.result);
		talk(&e);
		SSL_SESSION *session = kept;
		kept = NULL;
		OK(tf_tls_recheck(e.server, NULL));
		tf_sim_advance(sim, 3602 * TF_SEC);
		struct tf_fault f = {0};
		assert_int_equal(tf_tls_recheck(e.server, &f), TF_DENIED);
		assert_non_null(strstr(f.text, "expired"));
		part(&e);
		e = meet(s, &brief, NULL, ways[i].version, session); /* nor is it resumed */
		assert_int_equal(e.result, TF_DENIED);
		part(&e);
		SSL_SESSION_free(session);
		pki_free(&brief);
	}
	tf_tls_free(&s->tls);
	tf_sim_free(&sim);
}

static void
sessions_outlive_one_rotation(void **state)
{
	struct stage *s = *state;
	for (size_t i = 0; i < WAYS; i++) {
		begin(s, tf_os_real(), &ways[i]);
		SSL_SESSION *session = session_by(s, &ways[i], &s->good, NULL);
		for (int k = 0; k < 3; k++) {
			assert_int_equal(is_resumed(s, &s->good, NULL, ways[i].version, session), k < 2);
			tf_tls_rotate(s->tls);
		}
		SSL_SESSION_free(session);
	}
}

static void
sessions_end_by_the_clock(void **state)
{
	struct stage *s = *state;
	struct tf_os *sim = simulate(s);
	for (size_t i = 0; i < WAYS; i++) {
		begin_lasting(s, sim, i);
		SSL_SESSION *session = session_by(s, &ways[i], &s->good, NULL);
		tf_sim_advance(sim, 3601 * TF_SEC);
		assert_true(is_resumed(s, &s->good, NULL, ways[i].version, session));
		tf_sim_advance(sim, 3601 * TF_SEC);
		assert_false(is_resumed(s, &s->good, NULL, ways[i].version, session));
		SSL_SESSION_free(session);
		session = session_of(s, &s->good, NULL, ways[i].version);
		tf_sim_advance(sim, 7202 * TF_SEC); /* nobody came meanwhile */
		assert_false(is_resumed(s, &s->good, NULL, ways[i].version, session));
		SSL_SESSION_free(session);
	}
	tf_tls_free(&s->tls);
	tf_sim_free(&sim);
}

/* Sessions whose clients have another make room, and for those who came back, those of clients who did not yet. */
static void
a_full_table_gives_tickets(void **state)
{
	struct stage *s = *state;
	const struct way *id = &ways[ID], *ticket = &ways[TICKET];
	server_with(s, tf_os_real(), 2);
	SSL_SESSION *one = session_by(s, id, &s->good, NULL), *two = session_by(s, id, &s->deep, s->between.x);
	SSL_SESSION *three = session_by(s, ticket, &s->good, NULL);
	assert_true(is_resumed(s, &s->good, NULL, TLS1_3_VERSION, three));
	SSL_SESSION *four = kept;
	kept = NULL;
	assert_int_equal(ticket_size(four), SSL_MAX_SSL_SESSION_ID_LENGTH);
	SSL_SESSION_free(session_by(s, ticket, &s->good, NULL));
	assert_true(is_resumed(s, &s->good, NULL, TLS1_3_VERSION, four));
	assert_int_equal(ticket_size(kept), SSL_MAX_SSL_SESSION_ID_LENGTH);
	int left = is_resumed(s, &s->good, NULL, TLS1_3_VERSION, one);
	left += is_resumed(s, &s->deep, s->between.x, TLS1_3_VERSION, two);
	assert_int_equal(left, 1);
	SSL_SESSION_free(one);
	SSL_SESSION_free(two);
	SSL_SESSION_free(three);
	SSL_SESSION_free(four);
}

static void
who_came_back_is_not_forgotten_for_another(void **state)
{
	struct stage *s = *state;
	server_with(s, tf_os_real(), 1);
	SSL_SESSION *one = session_by(s, &ways[ID], &s->good, NULL),
		    *other = session_by(s, &ways[TICKET], &s->good, NULL);
	assert_true(is_resumed(s, &s->good, NULL, TLS1_3_VERSION, one));
	SSL_SESSION *again = kept;
	kept = NULL;
	assert_true(is_resumed(s, &s->good, NULL, TLS1_3_VERSION, other));
	assert_true(ticket_size(kept) > SSL_MAX_SSL_SESSION_ID_LENGTH);
	assert_true(is_resumed(s, &s->good, NULL, TLS1_3_VERSION, again));
	SSL_SESSION_free(one);
	SSL_SESSION_free(other);
	SSL_SESSION_free(again);
}

/* Signed anew with a comment of n bytes. */
static void
lengthen(struct pki_pair *p, const struct pki_pair *issuer, size_t n)
{
	char text[TF_TLS_SESSION_BYTES + 1];
	memset(text, 'x', n);
	text[n] = 0;
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_netscape_comment, text);
	assert_int_equal(X509_add_ext(p->x, e, -1), 1);
	X509_EXTENSION_free(e);
	assert_int_not_equal(X509_sign(p->x, issuer->key, EVP_sha256()), 0);
}

/* Their memory is bounded: by how many certificates there are, and by their bytes. */
static void
who_left_for_good_makes_room(void **state)
{
	struct stage *s = *state;
	struct tf_os *sim = simulate(s);
	server_with(s, sim, 1);
	SSL_SESSION *one = session_by(s, &ways[ID], &s->good, NULL),
		    *other = session_by(s, &ways[TICKET], &s->good, NULL);
	assert_true(is_resumed(s, &s->good, NULL, TLS1_3_VERSION, one)); /* and then stays away */
	tf_sim_advance(sim, TF_TLS_SESSION_SURE - TF_SEC);
	assert_true(is_resumed(s, &s->good, NULL, TLS1_3_VERSION, other));
	assert_true(ticket_size(kept) > SSL_MAX_SSL_SESSION_ID_LENGTH);
	SSL_SESSION_free(other);
	other = kept;
	kept = NULL;
	tf_sim_advance(sim, 2 * TF_SEC);
	assert_true(is_resumed(s, &s->good, NULL, TLS1_3_VERSION, other));
	assert_int_equal(ticket_size(kept), SSL_MAX_SSL_SESSION_ID_LENGTH);
	SSL_SESSION_free(one);
	SSL_SESSION_free(other);
	tf_tls_free(&s->tls);
	tf_sim_free(&sim);
}

static void
long_certificates_are_not_kept(void **state)
{
	struct stage *s = *state;
	X509 *chain = s->between.x;
	for (int more = 1; more <= 2; more++) {
		struct ends e = prepare(s, &s->deep, chain, TLS1_3_VERSION, NULL);
		for (int i = 0; i < more; i++)
			SSL_add1_chain_cert(e.client, chain);
		pump(&e);
		OK(e.result);
		talk(&e);
		part(&e);
		assert_int_equal(ticket_size(kept) == SSL_MAX_SSL_SESSION_ID_LENGTH, more == 1);
	}
	SSL_SESSION *session = kept;
	kept = NULL;
	assert_true(is_resumed(s, &s->deep, chain, TLS1_3_VERSION, session)); /* by its ticket, for another ticket */
	assert_true(ticket_size(kept) > SSL_MAX_SSL_SESSION_ID_LENGTH);
	SSL_SESSION_free(session);
	lengthen(&s->good, &s->root, TF_TLS_SESSION_BYTES);
	session = session_by(s, &ways[TICKET], &s->good, NULL);
	assert_true(is_resumed(s, &s->good, NULL, TLS1_3_VERSION, session));
	SSL_SESSION_free(session);
}

/* Who showed no certificate takes no place. */
static void
nameless_clients_are_not_kept(void **state)
{
	struct stage *s = *state;
	s->o.clients = TF_TLS_CLIENTS_MAY;
	server_with(s, tf_os_real(), 0);
	SSL_SESSION *session = session_by(s, &ways[TICKET], NULL, NULL);
	assert_true(is_resumed(s, NULL, NULL, TLS1_3_VERSION, session));
	SSL_SESSION_free(session);
}

/* As a client of TLS 1.2 that knows no tickets, with that id. */
static void
offer_id(struct stage *s, struct ends *e, SSL_SESSION *old, const unsigned char *id, size_t n)
{
	*e = prepare(s, &s->good, NULL, TLS1_2_VERSION, NULL);
	SSL_set_options(e->client, SSL_OP_NO_TICKET);
	assert_int_equal(SSL_SESSION_set1_id(old, id, (unsigned)n), 1);
	SSL_set_session(e->client, old);
	pump(e);
	OK(e->result);
}

/* Those of TLS 1.2 and 1.3 are of the same size. */
static void
an_id_is_of_its_version(void **state)
{
	struct stage *s = *state;
	const unsigned char *id;
	size_t size;
	SSL_SESSION *session = session_by(s, &ways[ID], &s->good, NULL),
		    *old = session_by(s, &ways[OLD_ID], &s->good, NULL);
	SSL_SESSION_get0_ticket(session, &id, &size);
	struct ends e;
	offer_id(s, &e, old, id, size);
	assert_false(tf_tls_resumed(e.server));
	assert_string_equal(tf_tls_certificate(e.server)->subject, "CN=partner one");
	part(&e);
	assert_true(has_id(kept)); /* another, which does name something */
	assert_true(is_resumed(s, &s->good, NULL, TLS1_2_VERSION, kept));
	SSL_SESSION_free(session);
	SSL_SESSION_free(old);
}

/* TLS 1.2: it is one session for all its connections, as long as its client comes. */
static void
an_old_session_keeps_its_place_while_it_is_used(void **state)
{
	struct stage *s = *state;
	struct tf_os *sim = simulate(s);
	server_with(s, sim, 1);
	SSL_SESSION *old = session_by(s, &ways[OLD_ID], &s->good, NULL),
		    *other = session_by(s, &ways[TICKET], &s->good, NULL);
	for (int i = 0; i < 3; i++) {
		tf_sim_advance(sim, TF_TLS_SESSION_SURE - TF_SEC);
		assert_true(is_resumed(s, &s->good, NULL, TLS1_2_VERSION, old));
		assert_true(is_resumed(s, &s->good, NULL, TLS1_3_VERSION, other)); /* which would take it */
		SSL_SESSION_free(other);
		other = kept;
		kept = NULL;
		assert_false(has_id(other));
	}
	tf_sim_advance(sim, TF_TLS_SESSION_SURE + TF_SEC);
	assert_true(is_resumed(s, &s->good, NULL, TLS1_3_VERSION, other));
	assert_true(has_id(kept));
	assert_false(is_resumed(s, &s->good, NULL, TLS1_2_VERSION, old));
	SSL_SESSION_free(old);
	SSL_SESSION_free(other);
	tf_tls_free(&s->tls);
	tf_sim_free(&sim);
}

/* Where another's can go: its client came back. */
static void
an_old_client_with_a_ticket_is_given_an_id(void **state)
{
	struct stage *s = *state;
	server_with(s, tf_os_real(), 1);
	SSL_SESSION *other = session_by(s, &ways[ID], &s->good, NULL);
	SSL_SESSION *ticket = session_by(s, &ways[OLD_TICKET], &s->deep, s->between.x);
	assert_false(is_resumed(s, &s->deep, s->between.x, TLS1_2_VERSION, ticket));
	assert_true(has_id(kept));
	SSL_SESSION *id = kept;
	kept = NULL;
	assert_true(is_resumed(s, &s->deep, s->between.x, TLS1_2_VERSION, id)); /* from now on it is sure */
	assert_false(is_resumed(s, &s->good, NULL, TLS1_3_VERSION, other));
	assert_true(is_resumed(s, &s->deep, s->between.x, TLS1_2_VERSION, ticket));
	SSL_SESSION_free(other);
	SSL_SESSION_free(ticket);
	SSL_SESSION_free(id);
}

/* Who has not shown a certificate takes nobody's place. */
static void
a_hello_forgets_no_session(void **state)
{
	struct stage *s = *state;
	unsigned want;
	server_with(s, tf_os_real(), 1);
	SSL_SESSION *kept_here = session_by(s, &ways[ID], &s->good, NULL);
	SSL_SESSION *ticket = session_by(s, &ways[OLD_TICKET], &s->deep, s->between.x);
	for (int i = 0; i < 3; i++) {
		struct ends e = prepare(s, NULL, NULL, TLS1_2_VERSION, ticket);
		assert_int_equal(SSL_do_handshake(e.client), -1);
		assert_int_equal(tf_tls_handshake(e.server, &want, &e.fault), TF_BUSY);
		part(&e);
	}
	assert_true(is_resumed(s, &s->good, NULL, TLS1_3_VERSION, kept_here));
	SSL_SESSION_free(kept_here);
	SSL_SESSION_free(ticket);
}

/* TLS 1.2: nor does it end with a connection that broke, or with one of somebody who has seen its id. */
static void
an_old_session_is_not_spoilt(void **state)
{
	struct stage *s = *state;
	char got[8];
	size_t n;
	unsigned want;
	SSL_SESSION *session = session_by(s, &ways[OLD_ID], &s->good, NULL);
	struct ends e = meet(s, &s->good, NULL, TLS1_2_VERSION, session);
	talk(&e);
	assert_int_equal(write(e.fd[0], "GET / HTTP/1.1\r\n\r\n", 18), 18);
	assert_int_equal(tf_tls_recv(e.server, got, sizeof got, &n, &want, NULL), TF_IO);
	part(&e);
	assert_true(is_resumed(s, &s->good, NULL, TLS1_2_VERSION, session));
	e = prepare(s, NULL, NULL, TLS1_2_VERSION, session);
	assert_int_equal(SSL_do_handshake(e.client), -1);
	assert_int_equal(tf_tls_handshake(e.server, &want, &e.fault), TF_BUSY);
	shutdown(e.fd[0], SHUT_WR);
	assert_int_equal(tf_tls_handshake(e.server, &want, &e.fault), TF_IO);
	part(&e);
	assert_true(is_resumed(s, &s->good, NULL, TLS1_2_VERSION, session));
	SSL_SESSION_free(session);
}

/* Of many clients the last thing heard is the end of the connection. */
static void
an_end_without_a_word_spoils_no_session(void **state)
{
	struct stage *s = *state;
	char got[8];
	size_t n;
	unsigned want;
	for (size_t i = 0; i < WAYS; i++) {
		begin(s, tf_os_real(), &ways[i]);
		struct ends e = meet(s, &s->good, NULL, ways[i].version, NULL);
		talk(&e);
		SSL_SESSION *session = kept;
		kept = NULL;
		shutdown(e.fd[0], SHUT_WR);
		assert_int_equal(tf_tls_recv(e.server, got, sizeof got, &n, &want, NULL), TF_END);
		part(&e);
		assert_true(is_resumed(s, &s->good, NULL, ways[i].version, session));
		SSL_SESSION_free(session);
	}
}

/* TLS 1.2 tells the id before there is a certificate: no id, then, where there may be none. */
static void
old_clients_that_may_be_nameless_have_tickets(void **state)
{
	struct stage *s = *state;
	s->o.clients = TF_TLS_CLIENTS_MAY;
	server_with(s, tf_os_real(), 0);
	SSL_SESSION *session = session_by(s, &ways[OLD_TICKET], &s->good, NULL);
	assert_true(is_resumed(s, &s->good, NULL, TLS1_2_VERSION, session));
	SSL_SESSION_free(session);
}

/* The session with another byte in its id. */
static SSL_SESSION *
with_other_id(SSL_SESSION *session, size_t at)
{
	const unsigned char *id, *p;
	unsigned char *der = NULL, *found;
	size_t n;
	int size = i2d_SSL_SESSION(session, &der);
	SSL_SESSION_get0_ticket(session, &id, &n);
	found = memmem(der, (size_t)size, id, n);
	assert_non_null(found);
	found[at] ^= 1;
	p = der;
	SSL_SESSION *other = d2i_SSL_SESSION(NULL, &p, size);
	OPENSSL_free(der);
	assert_non_null(other);
	return other;
}

static void
a_foreign_id_is_a_full_handshake(void **state)
{
	struct stage *s = *state;
	SSL_SESSION *session = session_by(s, &ways[ID], &s->good, NULL);
	for (size_t at = 0; at < SSL_MAX_SSL_SESSION_ID_LENGTH; at++) {
		SSL_SESSION *other = with_other_id(session, at);
		assert_false(is_resumed(s, &s->good, NULL, TLS1_3_VERSION, other));
		SSL_SESSION_free(other);
	}
	assert_true(is_resumed(s, &s->good, NULL, TLS1_3_VERSION, session));
	server_with(s, tf_os_real(), 0); /* after a restart nothing is known */
	assert_false(is_resumed(s, &s->good, NULL, TLS1_3_VERSION, session));
	SSL_SESSION_free(session);
}

static int
foreign_psk(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *n, SSL_SESSION **out)
{
	static const unsigned char own[SSL_MAX_SSL_SESSION_ID_LENGTH] = "another server's";
	(void)md;
	*id = own;
	*n = sizeof own;
	*out = SSL_SESSION_dup(SSL_get_session(ssl));
	return *out != NULL;
}

/* A client may offer more than one; what is none of ours hides none of ours. */
static void
several_sessions_may_be_offered(void **state)
{
	struct stage *s = *state;
	for (size_t i = ID; i < WAYS; i++) {
		begin(s, tf_os_real(), &ways[i]);
		SSL_SESSION *session = session_by(s, &ways[i], &s->good, NULL);
		struct ends e = prepare(s, &s->good, NULL, TLS1_3_VERSION, session);
		SSL_set_psk_use_session_callback(e.client, foreign_psk);
		pump(&e);
		OK(e.result);
		talk(&e);
		assert_true(tf_tls_resumed(e.server));
		part(&e);
		SSL_SESSION_free(session);
	}
}

/* RFC 8446, 6.2: a connection that failed takes its session with it, where that can be taken. */
static void
the_session_of_a_broken_connection_is_forgotten(void **state)
{
	struct stage *s = *state;
	char got[8];
	size_t n;
	unsigned want;
	struct ends e = meet(s, &s->good, NULL, TLS1_3_VERSION, NULL);
	talk(&e);
	SSL_SESSION *session = kept;
	kept = NULL;
	assert_int_equal(write(e.fd[0], "GET / HTTP/1.1\r\n\r\n", 18), 18);
	assert_int_equal(tf_tls_recv(e.server, got, sizeof got, &n, &want, NULL), TF_IO);
	part(&e);
	assert_false(is_resumed(s, &s->good, NULL, TLS1_3_VERSION, session));
	SSL_SESSION_free(session);
}

static void
shake(void *arg)
{
	pump(arg);
	SSL_SESSION_free(kept);
	kept = NULL;
}

/* Each connection in a thread of its own, while the files are read anew. */
static void
handshakes_are_made_at_once(void **state)
{
	struct stage *s = *state;
	SSL_SESSION *sessions[WAYS] = {NULL};
	struct ends e[2 * WAYS];
	struct tf_worker *w[2 * WAYS];
	server_with(s, tf_os_real(), 4);
	sessions[OLD_ID] = session_by(s, &ways[OLD_ID], &s->good, NULL);
	sessions[ID] = session_by(s, &ways[ID], &s->deep, s->between.x);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 2 * WAYS; i++)
			e[i] = prepare(s, i & 1 ? &s->deep : &s->good, i & 1 ? s->between.x : NULL, ways[i / 2].version,
				       sessions[i / 2]);
		for (int i = 0; i < 2 * WAYS; i++)
			OK(tf_os_start(tf_os_real(), shake, &e[i], &w[i], NULL));
		OK(tf_tls_reload(s->tls, NULL));
		for (int i = 0; i < 2 * WAYS; i++) {
			tf_worker_join(&w[i]);
			OK(e[i].result);
			assert_non_null(tf_tls_certificate(e[i].server));
			talk(&e[i]);
			part(&e[i]);
		}
	}
	for (int i = 0; i < WAYS; i++)
		SSL_SESSION_free(sessions[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_session_is_resumed_with_its_certificate),
		TEST(a_session_is_resumed_again_and_again),
		TEST(a_revoked_certificate_does_not_resume),
		TEST(a_certificate_ends_within_a_connection),
		TEST(sessions_outlive_one_rotation),
		TEST(sessions_end_by_the_clock),
		TEST(a_full_table_gives_tickets),
		TEST(who_came_back_is_not_forgotten_for_another),
		TEST(who_left_for_good_makes_room),
		TEST(long_certificates_are_not_kept),
		TEST(nameless_clients_are_not_kept),
		TEST(an_id_is_of_its_version),
		TEST(an_old_session_keeps_its_place_while_it_is_used),
		TEST(an_old_client_with_a_ticket_is_given_an_id),
		TEST(a_hello_forgets_no_session),
		TEST(an_old_session_is_not_spoilt),
		TEST(an_end_without_a_word_spoils_no_session),
		TEST(old_clients_that_may_be_nameless_have_tickets),
		TEST(a_foreign_id_is_a_full_handshake),
		TEST(several_sessions_may_be_offered),
		TEST(the_session_of_a_broken_connection_is_forgotten),
		TEST(handshakes_are_made_at_once),
	};
	signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	SSL_SESSION_free(kept);
	return failed;
}
