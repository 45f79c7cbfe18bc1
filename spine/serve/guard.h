/* The gate of an API: who calls, may they, how often, and the record of it. What every system's handlers ask first.
 *
 * Who calls is told by one of these, in this order:
 *   a token        (oauth.h: RFC 9068 or 7662; bound to the connection's certificate, RFC 8705)   --issuer
 *   a certificate  of mutual TLS: the common name of its subject                                  --client-ca
 *   X-Partner      a header, for tests or behind a proxy that sets it                 --insecure-partner-header
 * and nobody else is let in. Then the caller's rate (limits.h, RateLimit headers), then the correlation id.
 *
 * A token that is refused costs a signature check: --rejects is how many a second are looked at of one certificate or,
 * where none is shown, of one address (tf_peer_key). Past it 429, but for tokens that are remembered as good: who
 * shares an address with a flood of bad ones goes on with the token that it has, and by its certificate also with new
 * ones.
 *
 * A token whose key is not known yet waits, while the issuer is asked, at most TF_GUARD_WAIT from when it was looked at
 * first (a body may have come slowly before that); its handler is then run again from the start. With an audit
 * directory (store/audit.h) refusals of identity (those that a connection makes because of a certificate too:
 * tf_guard_watch), and what the caller records, are kept there: a decision's record is durable before its answer, a
 * refusal's with the next sync. Bounds: TF_GUARD_WAITING requests wait; past it 503. Thread rule: the loop's. */
#pragma once
#include "base/args.h"
#include "serve/limits.h"
#include "serve/oauth_client.h"
#include "serve/server.h"
#include "store/audit.h"

#define TF_GUARD_WAIT    (5 * TF_SEC)
#define TF_GUARD_WAITING 1024
/* Refusals a second that are recorded, of each certificate and of all who have none, or only showed one in a handshake
 * that was refused: each costs a sync of the disk. The next that is says how many were not. */
#define TF_GUARD_REFUSALS 50
#define TF_GUARD_PARTNER  64 /* bytes of a name: letters, digits and "._-" */

/* Rows for a command's table, beside TF_LISTEN_PARAMS. */
#define TF_GUARD_PARAMS                                                                                                \
	{"issuer", TF_PARAM_TEXT, false, "URL", NULL, 0, 0, "whose tokens are believed"},                              \
		{"audience", TF_PARAM_TEXT, false, "URL", NULL, 0, 0, "that tokens must be for"},                      \
		{"jwks", TF_PARAM_TEXT, false, "URL", NULL, 0, 0, "of the issuer's keys"},                             \
		{"introspect", TF_PARAM_TEXT, false, "URL", NULL, 0, 0, "or where it is asked"},                       \
		{"issuer-ca", TF_PARAM_TEXT, false, "FILE", NULL, 0, 0, "PEM: whom to trust for these"},               \
		{"issuer-cert", TF_PARAM_TEXT, false, "FILE", NULL, 0, 0, "PEM: to show the issuer"},                  \
		{"issuer-key", TF_PARAM_TEXT, false, "FILE", NULL, 0, 0, "PEM: its key"},                              \
		{"unbound", TF_PARAM_FLAG, false, NULL, NULL, 0, 0, "take tokens without a certificate's binding"},    \
		{"insecure-partner-header", TF_PARAM_FLAG, false, NULL, NULL, 0, 0, "believe X-Partner"},              \
		{"correlation", TF_PARAM_CHOICE, false, "require|mint", "mint", 0, 0, "where X-Correlation-Id lacks"}, \
		{"rate", TF_PARAM_INT, false, "N", "1000", 0, 1000000, "requests a second and partner; 0: any"},       \
		{"burst", TF_PARAM_INT, false, "N", "2000", 1, 1000000, "requests of a partner at once"},              \
		{"rejects", TF_PARAM_INT, false, "N", "100", 0, 1000000, "bad tokens a second and caller; 0: any"},    \
	{                                                                                                              \
		"audit", TF_PARAM_TEXT, false, "DIR", NULL, 0, 0, "keep an audit log there"                            \
	}

struct tf_guard;

/* What an operation asks of who calls; from its contract: struct tf_operation of contract.h. Lists have single blanks
 * between their words; NULL: nothing. Roles are what a token says (RFC 9068): who comes with a certificate or a header
 * alone has none. */
struct tf_guard_need {
	const char *scope;      /* of a token: all of these */
	const char *role;       /* one of these; without: 403 */
	const char *own_unless; /* without one of these the caller sees only what is its own */
};

struct tf_caller {
	struct tf_str partner; /* points into name, and lives as long as this */
	char name[TF_GUARD_PARTNER + 1];
	char client[TF_GUARD_PARTNER + 1]; /* of its token; "" without one */
	char certificate[65];              /* SHA-256 in hexadecimal; "" without one */
	bool own_only;                     /* it may see only what is its own: by the need's own_unless */
};

enum tf_guard_answer {
	TF_GUARD_IN,
	TF_GUARD_ANSWERED, /* refused: the exchange is over */
	TF_GUARD_WAITS,    /* the guard keeps it; its handler will run again */
};

/* What a command line does not say. */
struct tf_guard_options {
	tf_oauth_fetch *fetch; /* asks the issuer; NULL: the client, by --issuer-* */
	void *fetch_ctx;
};

/* By the options of the command line, and o (may be NULL); TF_USAGE where they do not fit together. */
enum tf_err tf_guard_new(struct tf_os *os, const struct tf_args *args, const struct tf_guard_options *o,
			 struct tf_watch *watch, struct tf_guard **out, struct tf_fault *f) TF_MUST_USE;
/* Has the server tell whom its connections refuse, for the record: before tf_server_new. */
void tf_guard_watch(struct tf_guard *g, struct tf_server_options *o);
/* Once the server is there, before it runs. */
enum tf_err tf_guard_start(struct tf_guard *g, struct tf_server *s, struct tf_fault *f) TF_MUST_USE;
/* Ends what would call the server: before that is freed. */
void tf_guard_stop(struct tf_guard *g);
/* Accepts NULL. */
void tf_guard_free(struct tf_guard **g);
enum tf_guard_answer tf_guard_admit(struct tf_guard *g, struct tf_exchange *x, const struct tf_guard_need *need,
				    struct tf_caller *out);
/* In the server's `after`: lets go who waits. *soon becomes how long the loop may sleep because of it. */
void tf_guard_after(struct tf_guard *g, tf_dur *soon);

/* What was decided for a caller: durable after a tf_guard_sync that begins after this, and which comes before the
 * answer. offset: of its event. */
enum tf_err tf_guard_record(struct tf_guard *g, struct tf_exchange *x, const struct tf_caller *who, struct tf_str key,
			    uint64_t offset, struct tf_fault *f) TF_MUST_USE;
/* At a start. A decision's record is synced ahead of it, but a crash may find the log flushed and the record not: the
 * decision stands then, and has none. *out_next: the offset after the newest decision that is recorded; those of the
 * log from there on are to be recorded late. False: there is no record yet to go by, or no audit log. */
enum tf_err tf_guard_recorded(struct tf_guard *g, bool *out_any, uint64_t *out_next, struct tf_fault *f) TF_MUST_USE;
enum tf_err tf_guard_record_late(struct tf_guard *g, struct tf_str partner, struct tf_str key, uint64_t offset,
				 const struct tf_trace *trace, struct tf_fault *f) TF_MUST_USE;
/* That the service began, and with which offset as its next: a decision recorded before with that or a higher one was
 * lost before anybody was told. */
enum tf_err tf_guard_record_start(struct tf_guard *g, uint64_t next, struct tf_fault *f) TF_MUST_USE;
/* Any thread. */
enum tf_err tf_guard_sync(struct tf_guard *g, struct tf_fault *f) TF_MUST_USE;
/* Is there anything for it to do? */
bool tf_guard_unsynced(const struct tf_guard *g);
