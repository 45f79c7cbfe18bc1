/* The pure core of insure: what is sold, to whom, for how much; what a policy is on a day.
 *
 * decide looks at the state and a command and gives an event or a rejection; apply folds an event into the state. No
 * I/O, no clock: now and the calendar are given. Money is integer paise (INR minor units). Dates are the insurer's
 * local days (Asia/Kolkata). The tariff is dated (products.def, rates.def): a purchase is priced by the version in
 * force on the day it is decided, and the policy keeps premium and version.
 *
 * State: one slot of 64 bytes a policy in tf_pages, numbered as issued; a policy's number is its slot with two check
 * digits. The holder's name, birth date and phone stay in the log's event; the slot has initials. Bound:
 * INSURE_POLICIES_MAX. */
#pragma once
#include "base/buf.h"
#include "base/time.h"
#include "flow/pages.h"

#define INSURE_POLICIES_MAX 16777216u
#define INSURE_NUMBER_BYTES 13 /* 'P' and 12 digits */
#define INSURE_NAME_MAX     100
#define INSURE_PHONE_MAX    16 /* '+' and 15 digits: E.164 */
#define INSURE_START_DAYS   90
#define INSURE_ZONE         "Asia/Kolkata"

enum insure_product {
#define X(id, ...) INSURE_##id,
#include "products.def"
#undef X
	INSURE_PRODUCTS
};

enum insure_reject {
	INSURE_ACCEPTED,
#define X(id, field, text) INSURE_##id,
#include "rejects.def"
#undef X
};

enum insure_status { INSURE_PENDING, INSURE_ACTIVE, INSURE_LAPSED, INSURE_CANCELLED };

/* A slot, as it lies in memory and in snapshots. */
struct insure_policy {
	int64_t sum_insured, premium; /* paise; premium is a year's, tax included */
	tf_time issued;
	uint64_t offset;    /* of the last event that changed it */
	uint64_t partner;   /* XXH3-64 of the seller's name */
	int32_t start, end; /* cover is from start to the day before end */
	int32_t cancelled;  /* first day without cover; 0: none (1970-01-01 is no policy's) */
	uint16_t rate_version;
	uint8_t product, term;
	uint8_t age;
	char initials[7]; /* UTF-8, zeros behind */
};
_Static_assert(sizeof(struct insure_policy) == 64, "bytes a policy");

struct insure_purchase {
	struct tf_str product; /* its code */
	int64_t sum_insured;   /* paise */
	int64_t quoted;        /* paise; -1: no premium was quoted */
	int32_t start, term;   /* date; years */
	int32_t birth;         /* date */
	struct tf_str name, phone;
	uint64_t partner;
};

struct insure_cancel {
	uint64_t policy;  /* slot */
	int32_t date;     /* first day without cover */
	uint64_t partner; /* who asks: only the seller's is done */
};

enum insure_event_type { INSURE_PURCHASED = 1, INSURE_CANCEL = 2 };

/* An event's fields; strings point into the event's bytes or the command. */
struct insure_event {
	enum insure_event_type type;
	uint64_t policy;
	struct insure_policy slot; /* PURCHASED: but offset */
	struct tf_str name, phone;
	int32_t birth;
	int32_t cancelled; /* CANCEL */
};

struct insure_state {
	struct tf_pages *pages;
	const struct tf_zone *zone;
};

enum insure_reject insure_decide_purchase(const struct insure_state *s, const struct insure_purchase *c, tf_time now,
					  struct insure_event *out);
enum insure_reject insure_decide_cancel(const struct insure_state *s, const struct insure_cancel *c, tf_time now,
					struct insure_event *out);
/* TF_CORRUPT when the event does not follow from the state; needs a reserved slot for a purchase, or memory. */
enum tf_err insure_apply(struct insure_state *s, const struct insure_event *e, uint64_t offset,
			 struct tf_fault *f) TF_MUST_USE;

/* The yearly premium in paise, tax included; *out_version is the tariff's. False when none is in force. */
bool insure_premium(enum insure_product product, int age, int64_t sum_insured, int32_t today, int64_t *out,
		    uint16_t *out_version);
/* Completed years. */
int insure_age(int32_t birth, int32_t on);
enum insure_status insure_status(const struct insure_policy *p, int32_t today);

/* What a partner's name is in a slot: XXH3-64 of it. */
uint64_t insure_partner(struct tf_str name);
/* Is there such a policy, for this partner? To another's number the answer is as to one that was never given out. */
bool insure_sold_by(const struct insure_state *s, uint64_t policy, uint64_t partner);

/* Names. */
const char *insure_product_code(unsigned product);
const char *insure_status_name(enum insure_status s);
const char *insure_reject_code(enum insure_reject r);
const char *insure_reject_field(enum insure_reject r);
const char *insure_reject_text(enum insure_reject r);
/* Slot <-> number: ISO 7064 MOD 97-10. */
char *insure_number(uint64_t policy, char out[static INSURE_NUMBER_BYTES + 1]);
bool insure_number_parse(struct tf_str s, uint64_t *out_policy);

/* core_policy_event.c: an event's bytes, docs/formats/insure.md. */
void insure_event_put(struct tf_buf *b, const struct insure_event *e);
enum tf_err insure_event_get(uint32_t type, struct tf_str bytes, struct insure_event *out,
			     struct tf_fault *f) TF_MUST_USE;
