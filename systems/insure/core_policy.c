/* Decisions about policies; see core_policy.h. */
#include "core_policy.h"

#include <inttypes.h>
#include <stdio.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define PAISE INT64_C(100)

struct product {
	const char *code;
	int age_min, age_max, end_age_max;
	int64_t sum_min, sum_max, sum_step; /* rupees */
	int term_min, term_max;
};

static const struct product products[] = {
#define X(id, code, title, a, b, c, d, e, f, g, h) {code, a, b, c, d, e, f, g, h},
#include "products.def"
#undef X
};

struct rate {
	uint16_t version;
	enum insure_product product;
	int32_t from; /* YYYYMMDD */
	int age_max;
	int64_t per_million;
};

static const struct rate rates[] = {
#define X(version, product, from, age_max, rate) {version, INSURE_##product, from, age_max, rate},
#include "rates.def"
#undef X
};

struct tax {
	enum insure_product product;
	int32_t from;
	int64_t per_mille;
};

static const struct tax taxes[] = {
#define TAX(product, from, rate) {INSURE_##product, from, rate},
#include "rates.def"
#undef TAX
};

#define COUNT(table) (sizeof(table) / sizeof *(table))

static int32_t
as_digits(int32_t date)
{
	int y, m, d;
	tf_date_to_civil(date, &y, &m, &d);
	return y * 10000 + m * 100 + d;
}

/* a * b / c, rounded half up. */
static int64_t
share(int64_t a, int64_t b, int64_t c)
{
	return (a * b + c / 2) / c;
}

static int64_t
tax_of(enum insure_product product, int32_t day)
{
	int64_t rate = 0;
	int32_t from = 0;
	for (size_t i = 0; i < COUNT(taxes); i++)
		if (taxes[i].product == product && taxes[i].from <= day && taxes[i].from >= from) {
			from = taxes[i].from;
			rate = taxes[i].per_mille;
		}
	return rate;
}

/* Rows of a version stand by age, so the first that fits is the one. */
static const struct rate *
rate_of(enum insure_product product, int age, int32_t day)
{
	const struct rate *best = NULL;
	for (size_t i = 0; i < COUNT(rates); i++) {
		const struct rate *r = &rates[i];
		if (r->product == product && r->from <= day && age <= r->age_max && (!best || r->from > best->from))
			best = r;
	}
	return best;
}

bool
insure_premium(enum insure_product product, int age, int64_t sum_insured, int32_t today, int64_t *out,
	       uint16_t *out_version)
{
	int32_t day = as_digits(today);
	const struct rate *r = rate_of(product, age, day);
	if (!r)
		return false;
	int64_t net = share(sum_insured, r->per_million, 1000000);
	*out = net + share(net, tax_of(product, day), 1000);
	*out_version = r->version;
	return true;
}

int
insure_age(int32_t birth, int32_t on)
{
	int32_t b = as_digits(birth), o = as_digits(on);
	return o < b ? -1 : (o - b) / 10000;
}

/* The same day of a later year; 29 February becomes 28 February where there is none. */
static int32_t
years_later(int32_t date, int years)
{
	int y, m, d;
	int32_t later;
	tf_date_to_civil(date, &y, &m, &d);
	if (tf_date_from_civil(y + years, m, d, &later) && tf_date_from_civil(y + years, m, d - 1, &later))
		return date;
	return later;
}

static int
product_by_code(struct tf_str code)
{
	for (int i = 0; i < (int)COUNT(products); i++)
		if (tf_str_eq(code, tf_str(products[i].code)))
			return i;
	return -1;
}

static enum insure_reject
check_sum_and_term(const struct product *p, const struct insure_purchase *c)
{
	if (c->sum_insured < p->sum_min * PAISE || c->sum_insured > p->sum_max * PAISE)
		return INSURE_SUM_OUT_OF_RANGE;
	if (c->sum_insured % (p->sum_step * PAISE))
		return INSURE_SUM_NOT_IN_STEPS;
	return c->term < p->term_min || c->term > p->term_max ? INSURE_TERM_OUT_OF_RANGE : INSURE_ACCEPTED;
}

static enum insure_reject
check_dates(const struct product *p, const struct insure_purchase *c, int32_t today)
{
	if (c->start < today)
		return INSURE_START_IN_THE_PAST;
	if (c->start > today + INSURE_START_DAYS)
		return INSURE_START_TOO_FAR;
	int age = insure_age(c->birth, c->start);
	if (age < p->age_min || age > p->age_max)
		return INSURE_AGE_OUT_OF_RANGE;
	return age + c->term > p->end_age_max ? INSURE_AGE_AT_END : INSURE_ACCEPTED;
}

/* The code point at p, as bytes, when it fits what is left of the initials. */
static size_t
take_letter(const char *p, const char *end, char *to, size_t room)
{
	unsigned char c = (unsigned char)*p;
	size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	if ((size_t)(end - p) < n || n > room)
		return 0;
	memcpy(to, p, n);
	return n;
}

/* The first letters of the first and the last word. */
static void
initials_of(struct tf_str name, char out[static 7])
{
	const char *end = name.p + name.n, *last = name.p;
	for (const char *p = name.p; p + 1 < end; p++)
		if (*p == ' ' && p[1] != ' ')
			last = p + 1;
	memset(out, 0, 7);
	size_t n = take_letter(name.p, end, out, 3);
	if (last != name.p)
		take_letter(last, end, out + n, 3);
}

enum insure_reject
insure_decide_purchase(const struct insure_state *s, const struct insure_purchase *c, tf_time now,
		       struct insure_event *out)
{
	int32_t today = tf_zone_date(s->zone, now);
	int product = product_by_code(c->product);
	if (product < 0)
		return INSURE_PRODUCT_UNKNOWN;
	const struct product *p = &products[product];
	enum insure_reject r = check_sum_and_term(p, c);
	if (!r)
		r = check_dates(p, c, today);
	if (r)
		return r;
	struct insure_policy slot = {.sum_insured = c->sum_insured, .issued = now, .partner = c->partner};
	slot.start = c->start;
	slot.end = years_later(c->start, c->term);
	slot.product = (uint8_t)product;
	slot.term = (uint8_t)c->term;
	slot.age = (uint8_t)insure_age(c->birth, c->start);
	if (!insure_premium(product, slot.age, c->sum_insured, today, &slot.premium, &slot.rate_version))
		return INSURE_NOT_SOLD_YET;
	if (c->quoted >= 0 && c->quoted != slot.premium)
		return INSURE_PREMIUM_CHANGED;
	if (tf_pages_count(s->pages) >= INSURE_POLICIES_MAX)
		return INSURE_SOLD_OUT;
	initials_of(c->name, slot.initials);
	*out = (struct insure_event){INSURE_PURCHASED, tf_pages_count(s->pages), slot, c->name, c->phone, c->birth, 0};
	return INSURE_ACCEPTED;
}

uint64_t
insure_partner(struct tf_str name)
{
	return XXH3_64bits(name.p ? name.p : "", name.n);
}

bool
insure_sold_by(const struct insure_state *s, uint64_t policy, uint64_t partner)
{
	if (policy >= tf_pages_count(s->pages))
		return false;
	const struct insure_policy *p = tf_pages_at(s->pages, policy);
	return p->partner == partner;
}

enum insure_reject
insure_decide_cancel(const struct insure_state *s, const struct insure_cancel *c, tf_time now, struct insure_event *out)
{
	if (!insure_sold_by(s, c->policy, c->partner))
		return INSURE_POLICY_UNKNOWN;
	const struct insure_policy *p = tf_pages_at(s->pages, c->policy);
	if (c->date < tf_zone_date(s->zone, now))
		return INSURE_CANCEL_IN_THE_PAST;
	if (p->cancelled)
		return INSURE_CANCELLED_ALREADY;
	if (c->date >= p->end)
		return INSURE_NOT_IN_FORCE;
	*out = (struct insure_event){.type = INSURE_CANCEL, .policy = c->policy, .cancelled = c->date};
	return INSURE_ACCEPTED;
}

enum tf_err
insure_apply(struct insure_state *s, const struct insure_event *e, uint64_t offset, struct tf_fault *f)
{
	uint64_t count = tf_pages_count(s->pages);
	if (e->type == INSURE_PURCHASED) {
		if (e->policy != count)
			return tf_fault(f, TF_CORRUPT, "policy %" PRIu64 " is issued after %" PRIu64, e->policy, count);
		TF_TRY(tf_pages_reserve(s->pages, f));
		struct insure_policy *p = tf_pages_add(s->pages);
		*p = e->slot;
		p->offset = offset;
		return TF_OK;
	}
	if (e->policy >= count)
		return tf_fault(f, TF_CORRUPT, "policy %" PRIu64 " is cancelled, of %" PRIu64, e->policy, count);
	struct insure_policy *p = tf_pages_touch(s->pages, e->policy);
	p->cancelled = e->cancelled;
	p->offset = offset;
	return TF_OK;
}

enum insure_status
insure_status(const struct insure_policy *p, int32_t today)
{
	if (p->cancelled && today >= p->cancelled)
		return INSURE_CANCELLED;
	if (today >= p->end)
		return INSURE_LAPSED;
	return today < p->start ? INSURE_PENDING : INSURE_ACTIVE;
}

const char *
insure_product_code(unsigned product)
{
	return product < COUNT(products) ? products[product].code : "UNKNOWN";
}

const char *
insure_status_name(enum insure_status s)
{
	static const char *const names[] = {"pending", "active", "lapsed", "cancelled"};
	return names[s];
}

static const struct {
	const char *code, *field, *text;
} rejects[] = {
	{"ACCEPTED", "", ""},
#define X(id, field, text) {#id, field, text},
#include "rejects.def"
#undef X
};

const char *
insure_reject_code(enum insure_reject r)
{
	return rejects[r].code;
}

const char *
insure_reject_field(enum insure_reject r)
{
	return rejects[r].field;
}

const char *
insure_reject_text(enum insure_reject r)
{
	return rejects[r].text;
}

char *
insure_number(uint64_t policy, char out[static INSURE_NUMBER_BYTES + 1])
{
	uint64_t check = 98 - policy * 100 % 97;
	uint64_t digits = policy % UINT64_C(10000000000) * 100 + check;
	out[0] = 'P';
	out[INSURE_NUMBER_BYTES] = 0;
	for (int i = INSURE_NUMBER_BYTES - 1; i > 0; i--, digits /= 10)
		out[i] = (char)('0' + digits % 10);
	return out;
}

bool
insure_number_parse(struct tf_str s, uint64_t *out_policy)
{
	uint64_t n;
	if (s.n != INSURE_NUMBER_BYTES || *s.p != 'P' || !tf_str_u64(tf_str_n(s.p + 1, s.n - 1), &n) || n % 97 != 1)
		return false;
	*out_policy = n / 100;
	return true;
}
