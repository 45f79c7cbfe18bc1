/* Re-requests: what a head-end owes, posted to its URL. A worker of its own finds the gaps of the last days and posts
 * each head-end's file (text/csv, the lines of `tenfold meter missing`), one after the other, by spine/serve/client.h;
 * on a schedule and by POST /meter/v1/missing/send, one round at a time. The file's hash is its Idempotency-Key: a
 * head-end that knows keys takes the same gaps once. How the last round went: GET /meter/v1/missing/sent, log lines
 * rerequest.sent and rerequest.failed, a metric. Thread rule: the loop, but for the round itself. */
#pragma once
#include "api.h"

#define METER_SEND_TARGETS_MAX   64                 /* head-ends with a URL */
#define METER_SEND_HEAD_ENDS_MAX 256                /* told in a round; gaps of others are counted as left out */
#define METER_SEND_FILE_MAX      ((size_t)16 << 20) /* of one file; further gaps are left out until these came */
#define METER_SEND_BYTES_MAX     ((size_t)64 << 20) /* of all files of a round */

/* Borrows the API. Without targets nothing is ever sent. */
enum tf_err meter_send_new(struct meter_api *a, tf_dur every, tf_dur window, struct meter_api_send **out,
			   struct tf_fault *f) TF_MUST_USE;
/* "NAME=URL": where head-end NAME takes its files; NAME "*" stands for all that are not named. */
enum tf_err meter_send_target(struct meter_api_send *s, struct tf_str target, struct tf_fault *f) TF_MUST_USE;
/* Ends a round that is over, and starts one that is due. */
void meter_send_schedule(struct meter_api_send *s, tf_dur now);
/* Gives up a round under way and waits for it. Accepts NULL. */
void meter_send_stop(struct meter_api_send *s);
void meter_send_free(struct meter_api_send **s);

void meter_api_post_send(void *ctx, struct tf_exchange *x);
void meter_api_get_sent(void *ctx, struct tf_exchange *x);
