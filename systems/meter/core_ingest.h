/* The pure core of ingest: which delivery is this, and has it been seen?
 *
 * decide numbers a delivery's events by order of first sight, so that the same bytes delivered again carry the number
 * they had (and lose against what came after them); apply remembers. State: one key of 16 bytes per delivery, bounded
 * by METER_DELIVERIES_MAX. */
#pragma once
#include "base/map.h"
#include "batch.h"

#define METER_DELIVERIES_MAX (64u << 20)

struct meter_ingest {
	struct tf_map deliveries; /* key -> number */
	uint32_t next;
};

struct tf_decision;

/* Event bytes whose head holds the key; decide writes the number into them. */
struct meter_command {
	enum meter_event type;
	uint8_t *bytes;
	size_t n;
	struct tf_decision *around; /* the store's: makes of a METER_EVENT_DELIVERED a METER_EVENT_POSTED; NULL: no */
};

enum tf_err meter_ingest_init(struct meter_ingest *s) TF_MUST_USE;
void meter_ingest_release(struct meter_ingest *s);
/* Remembers a delivery that the catalog knows. */
enum tf_err meter_ingest_known(struct meter_ingest *s, const struct meter_delivery_key *key,
			       uint32_t number) TF_MUST_USE;
/* 0 when it is new. */
uint32_t meter_ingest_number(const struct meter_ingest *s, const struct meter_delivery_key *key);
enum tf_err meter_ingest_decide(struct meter_ingest *s, struct meter_command *c, uint32_t *out_type,
				struct tf_str *out_bytes, struct tf_fault *f) TF_MUST_USE;
enum tf_err meter_ingest_apply(struct meter_ingest *s, struct tf_str event, struct tf_fault *f) TF_MUST_USE;
