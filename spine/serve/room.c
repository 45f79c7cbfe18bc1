/* Room for connections: a bound for each peer, and who gives way when the server is full; see server.h.
 *
 * A peer is an address, of IPv6 its first 64 bits: so much is given to one subscriber, who may use any of the others.
 * A map's entries cannot be removed, so the counts are made again from the connections that are there once it has
 * twice as many as there may be connections: at most once in so many connections, and as long as that takes.
 *
 * Those whose next request has not come yet (a handshake, a head; of a new connection also before its first byte)
 * stand in a list, the oldest first: it is closed when another connects and there is no room. So who opens connections
 * and says nothing has them for as long as nobody else wants to come in. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "server_impl.h"

#define TELL_EVERY TF_SEC

enum { BOUND_PEER, BOUND_ROOM };

struct tf_str
tf_peer_key(const struct tf_peer *peer, char scratch[static 16])
{
	struct in6_addr a;
	if (inet_pton(AF_INET6, peer->host, &a) != 1 || IN6_IS_ADDR_V4MAPPED(&a))
		return tf_str(peer->host);
	memcpy(scratch, &a, sizeof a);
	return tf_str_n(scratch, 8);
}

static uint64_t
count_of(const struct tf_server *s, struct tf_str peer)
{
	uint64_t n;
	return tf_map_get(&s->peers, peer, &n) ? n : 0;
}

static enum tf_err
count_one(struct tf_server *s, const struct tf_peer *peer, int64_t by)
{
	char scratch[16];
	struct tf_str key = tf_peer_key(peer, scratch);
	return tf_map_put(&s->peers, key, count_of(s, key) + (uint64_t)by);
}

static void
count_again(struct tf_server *s)
{
	tf_map_clear(&s->peers);
	for (struct tf_conn *c = s->conns; c; c = c->next)
		c->counted = c->counted && !count_one(s, &c->peer, 1);
}

/* Counts it, and logs at most one a second: there may be very many. */
static void
turned_away(struct tf_server *s, const struct tf_peer *peer, size_t bound)
{
	tf_dur now = tf_os_ticks(s->os);
	tf_metric_add(s->metrics, TF_SERVE_TURNED_AWAY, bound, 1);
	s->turned_away++;
	if (s->turned_away > 1 && now - s->turned_told < TELL_EVERY)
		return;
	TF_LOG(s->o.watch, TF_LOG_WARN, "http.turned_away", NULL, TF_KV("peer", (const char *)peer->host),
	       TF_KV("bound", bound == BOUND_PEER ? "connections of a peer" : "connections"),
	       TF_KV("connections", s->turned_away));
	s->turned_told = now;
	s->turned_away = 0;
}

/* A quarter of the connections: those that wait for their clients must outlive the others' handshakes. */
static bool
hands_are_full(const struct tf_server *s)
{
	return s->hands_out >= TF_HANDSHAKES_OUT || s->hands_out > s->o.connections_max / 4;
}

bool
tf_room_any(const struct tf_server *s)
{
	return !hands_are_full(s) && (s->conn_count < s->o.connections_max || s->waits_first);
}

static bool
peer_may(struct tf_server *s, const struct tf_peer *peer)
{
	char scratch[16];
	if (!s->o.peer_max || tf_conn_is_terminator(s, peer->host))
		return true;
	return count_of(s, tf_peer_key(peer, scratch)) < s->o.peer_max;
}

bool
tf_room_for(struct tf_server *s, const struct tf_peer *peer)
{
	if (!peer_may(s, peer)) {
		turned_away(s, peer, BOUND_PEER);
		return false;
	}
	if (s->conn_count < s->o.connections_max)
		return true;
	turned_away(s, &s->waits_first->peer, BOUND_ROOM);
	tf_conn_closed(s->waits_first);
	return true;
}

enum tf_err
tf_room_enter(struct tf_conn *c)
{
	struct tf_server *s = c->server;
	if (!s->o.peer_max || tf_conn_is_terminator(s, c->peer.host))
		return TF_OK;
	if (s->peers.count >= 2 * (size_t)s->o.connections_max)
		count_again(s);
	TF_TRY(count_one(s, &c->peer, 1));
	c->counted = true;
	return TF_OK;
}

void
tf_room_leave(struct tf_conn *c)
{
	tf_room_waits_no_more(c);
	if (c->counted && count_one(c->server, &c->peer, -1))
		TF_ASSERT(false); /* the entry is there: nothing is allocated */
	c->counted = false;
}

void
tf_room_waits(struct tf_conn *c)
{
	struct tf_server *s = c->server;
	if (c->waits)
		return;
	c->waits = true;
	c->waits_before = s->waits_last;
	c->waits_after = NULL;
	if (s->waits_last)
		s->waits_last->waits_after = c;
	else
		s->waits_first = c;
	s->waits_last = c;
}

void
tf_room_waits_no_more(struct tf_conn *c)
{
	struct tf_server *s = c->server;
	if (!c->waits)
		return;
	c->waits = false;
	if (c->waits_before)
		c->waits_before->waits_after = c->waits_after;
	else
		s->waits_first = c->waits_after;
	if (c->waits_after)
		c->waits_after->waits_before = c->waits_before;
	else
		s->waits_last = c->waits_before;
}
