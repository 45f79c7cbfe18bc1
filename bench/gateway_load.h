/* The parts of gateway_load; what it does is told in gateway_load.c. One thread. */
#pragma once
#include <inttypes.h>
#include <openssl/ssl.h>
#include <stdio.h>

#include "base/str.h"
#include "os/net.h"
#include "os/os.h"

#define LOAD_REQUEST_MAX 4096 /* a token is about 600 bytes */
#define LOAD_ANSWER_MAX  16384
#define LOAD_BUCKETS     4096 /* 64 for each power of two of microseconds */

struct options {
	const char *mode, *path, *label, *prefix, *date, *identities, *ca;
	char host[256];
	uint16_t port;
	uint64_t rate, seconds, warm, connections, partners, policies, fresh, full, tls, pid, bytes, batch;
};

/* Who a connection is: one of the files in identities=DIR. */
struct identity {
	X509 *certificate;
	EVP_PKEY *key;
	char *token;
	SSL_SESSION *session; /* the last that a server gave; resumed on the next connection */
};

struct identities {
	SSL_CTX *ctx; /* NULL: plain HTTP */
	struct identity *list;
	size_t count;
};

enum phase { IDLE, CONNECTING, SHAKING, SENDING, WAITING };

struct conn {
	int fd;
	SSL *ssl;
	struct identity *who; /* NULL: plain HTTP */
	enum phase phase;
	tf_time due;
	unsigned polled;
	size_t n, sent, got, want; /* of the request; of the answer, want: 0 until the head is whole */
	int status;
	char out[LOAD_REQUEST_MAX], in[LOAD_ANSWER_MAX];
};

/* What is counted, anew for each stage. */
struct tally {
	uint64_t sent, done, measured, classes[6], broken, opened, resumed;
	uint32_t histogram[LOAD_BUCKETS];
	tf_dur most;
};

struct load {
	struct tf_os *os;
	struct options o;
	struct identities ids;
	struct tf_poll *poll;
	struct conn *conns;
	uint64_t *idle; /* a stack of those that wait for work */
	uint64_t idle_count, random, introduced;
	bool hold; /* a connection that has its answer is left alone */
	struct tally t;
	tf_dur begun, from, until;
};

/* gateway_load.c */
int load_fail(const char *what, const struct tf_fault *f);
uint64_t load_random(uint64_t *x);

/* gateway_conn.c: writes a request, sends it by an idle connection, or a new one where fresh, and counts its answer. */
void conn_begin(struct load *l, struct conn *c, tf_time due, bool fresh);
/* Waits up to a millisecond, or not at all, and does what the sockets are ready for. */
enum tf_err conn_turn(struct load *l, bool wait, int *out_events, struct tf_fault *f) TF_MUST_USE;
void conn_close(struct conn *c);

/* gateway_tls.c: NNNN.pem (certificate, key) and NNNN.jwt of a directory, from 0000 without gaps. */
int identities_load(struct identities *ids, const struct options *o);
void identities_release(struct identities *ids);
/* TLS on a connected socket. False: no memory. */
bool tls_begin(const struct identities *ids, struct conn *c);
/* As tf_net_recv and tf_net_send; *want becomes what TF_BUSY waits for. */
enum tf_err tls_handshake(struct conn *c, unsigned *want);
enum tf_err tls_recv(struct conn *c, void *p, size_t n, size_t *out_n, unsigned *want);
enum tf_err tls_send(struct conn *c, const void *p, size_t n, size_t *out_n, unsigned *want);
void tls_end(struct conn *c);

/* gateway_figures.c */
void tally_latency(struct tally *t, tf_dur took);
uint64_t own_cpu_us(void);
/* Of a process, without its children: nginx must run without a master. 0: not known. */
uint64_t process_cpu_us(uint64_t pid);
uint64_t process_resident(uint64_t pid);
void print_load(const struct load *l, uint64_t own_us, uint64_t server_us, tf_dur took);
/* What the disk does by itself: append batch records, fdatasync, again. */
int sync_limit(struct tf_os *os, const struct options *o, const char *path);
