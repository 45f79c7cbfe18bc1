/* What the issuer answers, without a server: one request in, one answer out. Not thread-safe: one worker.
 *
 * Clients prove who they are by exactly the method they were registered with (RFC 8705 section 2.1, RFC 7523, RFC 6749
 * section 2.3.1); a request that tries two is refused. A certificate that was shown binds the token, whatever the
 * method. In production a token without a binding is not issued. */
#pragma once
#include "serve/oauth.h"
#include "serve/tls.h"
#include "state.h"

#define ISSUER_FORM_BYTES  16384
#define ISSUER_FIELDS_MAX  16
#define ISSUER_SEEN_MAX    4096            /* assertions of the last minutes, so that none is taken twice */
#define ISSUER_REVOKED_MAX 8192            /* tokens taken back that have not expired */
#define ISSUER_ASSERTION   (5 * TF_MINUTE) /* the longest life of a client's assertion */

struct issuer_seen {
	uint8_t digest[32]; /* of client and jti */
	tf_time until;
};

struct issuer {
	struct tf_os *os;
	const char *dir;
	struct identity id; /* as last read */
	bool loaded;
	struct tf_stat stat[3];
	const struct tf_json *clients;
	struct identity_keys keys;
	struct issuer_seen *seen;    /* ISSUER_SEEN_MAX */
	struct issuer_seen *revoked; /* ISSUER_REVOKED_MAX; digest of jti */
	char *endpoint;              /* issuer + "/token" */
};

struct issuer_request {
	struct tf_str authorization; /* p NULL: none */
	struct tf_str form;
	const struct tf_certificate *certificate; /* checked by TLS; NULL: none */
};

struct issuer_answer {
	int status;
	const char *challenge; /* WWW-Authenticate; NULL: none */
	struct tf_buf body;    /* JSON; empty: none */
};

enum tf_err issuer_open(struct tf_os *os, const char *dir, struct issuer *out, struct tf_fault *f) TF_MUST_USE;
void issuer_close(struct issuer *s);
/* Reads what has changed in the directory. After a failure the state before is kept. */
enum tf_err issuer_refresh(struct issuer *s, struct tf_fault *f) TF_MUST_USE;

/* The endpoints. body is initialised by the caller. */
void issuer_token(struct issuer *s, const struct issuer_request *r, struct issuer_answer *a);
void issuer_introspect(struct issuer *s, const struct issuer_request *r, struct issuer_answer *a);
void issuer_revoke(struct issuer *s, const struct issuer_request *r, struct issuer_answer *a);
void issuer_jwks(struct issuer *s, struct issuer_answer *a);
void issuer_metadata(struct issuer *s, struct issuer_answer *a);

/* Between the files of the issuer. */

struct issuer_field {
	struct tf_str name, value;
};
struct issuer_form {
	struct tf_arena arena;
	struct issuer_field fields[ISSUER_FIELDS_MAX];
	size_t count;
};
/* application/x-www-form-urlencoded; a field twice is refused (RFC 6749 section 3.2). */
enum tf_err issuer_form_read(struct tf_str text, struct issuer_form *out, struct tf_fault *f) TF_MUST_USE;
void issuer_form_release(struct issuer_form *form);
/* p NULL: absent. */
struct tf_str issuer_field(const struct issuer_form *form, const char *name);
/* Decodes %HH and '+'. */
enum tf_err issuer_decode(struct tf_str text, struct tf_arena *arena, struct tf_str *out) TF_MUST_USE;

/* Who asks: false with the error already in a. */
bool issuer_client(struct issuer *s, const struct issuer_request *r, struct issuer_form *form,
		   struct identity_client *out, struct issuer_answer *a);
/* An OAuth error (RFC 6749 section 5.2). */
void issuer_refuse(struct issuer_answer *a, int status, const char *error, const char *why);
/* Remembers a digest until then; false when it is there already, or when all places hold later ones. */
bool issuer_see(struct issuer_seen *table, size_t size, const uint8_t digest[static 32], tf_time now, tf_time until);
bool issuer_has_seen(const struct issuer_seen *table, size_t size, const uint8_t digest[static 32], tf_time now);
