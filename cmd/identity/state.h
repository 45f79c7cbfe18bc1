/* The issuer's directory.
 *
 *   identity.json          profile, issuer, audience, times         clients.json   who may ask for tokens
 *   ca.pem, ca.key         the certificate authority                 keys.json      signing keys, oldest first
 *   crl.pem                what it has revoked                       keys/KID.pem   their private halves
 *   certs.json             what it has issued                        revoked.json   tokens taken back, until they
 * expire certs/NAME.pem, .key   the issued pairs; server.* is the issuer's own
 *
 * Every file is replaced whole and durably; private keys, and all else here, are the owner's alone (mode 0600). Verbs
 * that change it hold the lock `lock`; the running server reads changed files before it answers. Bounds: a file has at
 * most IDENTITY_FILE_BYTES. */
#pragma once
#include "os/os.h"
#include "serve/jwt.h"

#define IDENTITY_FILE_BYTES (1u << 20)
#define IDENTITY_PATH_MAX   4096

struct identity {
	struct tf_os *os;
	const char *dir;
	struct tf_file *lock;
	struct tf_arena arena; /* of what was read */
	bool production;
	struct tf_str issuer, audience;
	tf_dur token_life, overlap;
};

/* What a profile asks for; cmd_init refuses what is weaker in production, serve refuses to run with it. */
#define IDENTITY_LIFE_STAGING    TF_HOUR
#define IDENTITY_LIFE_PRODUCTION (5 * TF_MINUTE)
#define IDENTITY_LIFE_MAX        (15 * TF_MINUTE) /* production */

/* Reads identity.json. write: takes the lock (TF_BUSY when another verb has it). */
enum tf_err identity_open(struct tf_os *os, const char *dir, bool write, struct identity *out,
			  struct tf_fault *f) TF_MUST_USE;
void identity_close(struct identity *id);
/* Is what it says weaker than its profile allows? TF_DENIED says what. */
enum tf_err identity_check_profile(const struct identity *id, struct tf_fault *f) TF_MUST_USE;

/* DIR/a or DIR/a/bc (b may be NULL, c is a suffix). TF_TOO_LARGE. */
enum tf_err identity_path(const struct identity *id, const char *a, const char *b, const char *c,
			  char out[static IDENTITY_PATH_MAX], struct tf_fault *f) TF_MUST_USE;
/* A file's bytes, in the arena. */
enum tf_err identity_read(struct identity *id, const char *path, struct tf_str *out, struct tf_fault *f) TF_MUST_USE;
/* A list: DIR/name is {"list":[...]}; one that is not there is empty (NULL). */
enum tf_err identity_list(struct identity *id, const char *name, const struct tf_json **out_first,
			  struct tf_fault *f) TF_MUST_USE;
/* Begins and ends a list's new text. */
void identity_list_begin(struct tf_buf *b, struct tf_json_out *w);
enum tf_err identity_list_write(struct identity *id, const char *name, struct tf_buf *b, struct tf_json_out *w,
				struct tf_fault *f) TF_MUST_USE;
/* Is member `name` that text? */
bool identity_is(const struct tf_json *v, const char *name, struct tf_str text);
struct tf_str identity_text(const struct tf_json *v, const char *name);

/* Clients: {"id","method","scopes","roles","partner", and by method "subject", "certificate", "secret" or "jwks"}. */
struct identity_client {
	struct tf_str id;
	struct tf_str method; /* "tls_client_auth", "client_secret_basic", "private_key_jwt" */
	struct tf_str scopes, roles, partner;
	struct tf_str subject;     /* RFC 2253, exactly; or empty */
	struct tf_str certificate; /* x5t#S256; or empty */
	struct tf_str secret;      /* SHA-256, base64url */
	const struct tf_json *jwks;
};
/* TF_EXISTS when there is one of that id. */
enum tf_err identity_client_add(struct identity *id, const struct identity_client *c, struct tf_fault *f) TF_MUST_USE;
enum tf_err identity_client_remove(struct identity *id, struct tf_str name, struct tf_fault *f) TF_MUST_USE;
struct identity_client identity_client_of(const struct tf_json *v);

/* Keys. */
struct identity_keys {
	struct tf_jwks *published; /* public use: those that signed tokens which may still live */
	const struct tf_jwk *active;
};
/* A new key signs from now on; the one before is published for the overlap, others past theirs are removed. */
enum tf_err identity_keys_rotate(struct identity *id, unsigned alg, struct tf_str *out_kid,
				 struct tf_fault *f) TF_MUST_USE;
enum tf_err identity_keys_load(struct identity *id, struct identity_keys *out, struct tf_fault *f) TF_MUST_USE;
void identity_keys_release(struct identity_keys *k);
