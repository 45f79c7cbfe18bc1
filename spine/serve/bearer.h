/* The life of one bearer token that many calls need: who fetches it, who waits, when it is renewed. Pure: no I/O, no
 * clock, no lock.
 *
 * Whoever needs it asks. Of all who ask while there is none, one is told to fetch it and the others to wait: a single
 * flight. From refresh_at on one of those who ask is told to fetch the next one, and all go on with the one there is
 * until it expires. A fetch that failed fails those who asked for it, and whoever asks within the back-off behind it.
 * A token refused by a service (401) is forgotten if it is still the present one; where the one fetched in its place is
 * refused too, that is a failure with a back-off like any other, so that a service which takes none costs its issuer
 * little. Thread rule: one thread. */
#pragma once
#include "base/time.h"

#define TF_BEARER_BYTES 8192 /* of a token */

struct tf_bearer {
	char *text;             /* NULL: none */
	uint64_t number;        /* of the last one: 1, 2, ... */
	tf_dur refresh_at, end; /* of text */
	bool fetching;
	tf_dur not_before; /* of the next fetch */
	tf_dur wait_first, wait_max;
	unsigned failures, refusals; /* in a row */
	struct tf_fault fault;       /* of the last failure */
};

enum tf_bearer_step {
	TF_BEARER_USE,    /* text is good */
	TF_BEARER_WAIT,   /* a fetch is under way, or to be begun by who was told so: ask again when it is over */
	TF_BEARER_FAILED, /* fault says why, not_before when it is tried again */
};

/* 0 means 1 s and 30 s between failed fetches. */
void tf_bearer_init(struct tf_bearer *b, tf_dur wait_first, tf_dur wait_max);
/* Wipes the token. */
void tf_bearer_release(struct tf_bearer *b);
/* *out_fetch: the caller, and nobody else, is to fetch now, and to tell how it went by one of the two below. */
enum tf_bearer_step tf_bearer_ask(struct tf_bearer *b, tf_dur now, bool *out_fetch);
/* asked: when its request was sent; it is good for `life` from then, and renewed `ahead` of its end (at most half of
 * its life). TF_INVALID for what is no token of RFC 6750 section 2.1 (b64token), TF_TOO_LARGE, TF_NO_MEMORY: a failure
 * too, to be told. */
enum tf_err tf_bearer_got(struct tf_bearer *b, struct tf_str text, tf_dur asked, tf_dur life, tf_dur ahead,
			  struct tf_fault *f) TF_MUST_USE;
void tf_bearer_failed(struct tf_bearer *b, tf_dur now, uint32_t random, const struct tf_fault *why);
/* What a service said to token `number`. */
void tf_bearer_refused(struct tf_bearer *b, uint64_t number, tf_dur now, uint32_t random);
void tf_bearer_taken(struct tf_bearer *b, uint64_t number);
