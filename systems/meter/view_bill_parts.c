/* Channels and accounts of a month: the channel table and the network table merged by meter. */
#include "view_bill_parts.h"

#include <stdlib.h>

#include "base/mem.h"

#define OWNERS_MAX 4096 /* network rows of one meter */

/* A meter's network row. */
struct owner {
	int32_t from;
	uint32_t account_at;
	uint16_t account_n, category;
	bool wanted;
};

struct loader {
	struct meter_store *s;
	struct tf_str account; /* "": all */
	int32_t first, end;    /* dates of the month */
	struct tf_stmt *channels, *network;
	enum tf_err network_state; /* TF_OK: a row is there */
	struct owner *owners;      /* of the meter being merged */
	uint32_t owner_count;
	struct bill_parts *out;
};

static enum tf_err
no_memory(struct tf_fault *f)
{
	return tf_fault(f, TF_NO_MEMORY, "no memory for the accounts");
}

struct tf_str
bill_part_account(const struct bill_parts *p, const struct bill_part *part)
{
	return tf_str_n(p->text.p + part->account_at, part->account_n);
}

void
bill_parts_release(struct bill_parts *p)
{
	tf_free(p->parts);
	tf_free(p->category);
	tf_buf_release(&p->text);
	tf_buf_release(&p->categories_text);
	tf_map_release(&p->categories);
	*p = (struct bill_parts){0};
}

static enum tf_err
category_number(struct bill_parts *p, struct tf_str name, uint16_t *out, struct tf_fault *f)
{
	uint64_t n;
	if (!tf_map_get(&p->categories, name, &n)) {
		n = p->category_count;
		if (n > UINT16_MAX)
			return tf_fault(f, TF_TOO_LARGE, "the network file has more than %d categories", UINT16_MAX);
		tf_buf_lstr(&p->categories_text, name);
		if (p->categories_text.err || tf_map_put(&p->categories, name, n))
			return no_memory(f);
		p->category_count++;
	}
	*out = (uint16_t)n;
	return TF_OK;
}

/* Keeps an account's name; the one kept last is found again. */
static enum tf_err
keep_name(struct bill_parts *p, struct tf_str name, uint32_t *out_at, struct tf_fault *f)
{
	if (name.n > UINT16_MAX || p->text.n + name.n > UINT32_MAX)
		return tf_fault(f, TF_TOO_LARGE, "account names take over 4 GiB");
	*out_at = (uint32_t)p->text.n;
	tf_buf_str(&p->text, name);
	return p->text.err ? no_memory(f) : TF_OK;
}

static enum tf_err
add_part(struct bill_parts *p, const struct bill_part *part, struct tf_fault *f)
{
	if (p->count == p->cap) {
		uint32_t cap = p->cap ? p->cap * 2 : 1024;
		struct bill_part *n = tf_realloc(p->parts, cap * sizeof *n);
		if (!n)
			return no_memory(f);
		p->parts = n;
		p->cap = cap;
	}
	p->parts[p->count++] = *part;
	return TF_OK;
}

static enum tf_err
next_network(struct loader *l, struct tf_fault *f)
{
	if (!l->network_state)
		l->network_state = tf_stmt_step(l->network, f);
	return l->network_state == TF_END ? TF_OK : l->network_state;
}

static enum tf_err
add_owner(struct loader *l, struct tf_fault *f)
{
	if (l->owner_count == OWNERS_MAX)
		return tf_fault(f, TF_TOO_LARGE, "a meter has over %d rows in the network file", OWNERS_MAX);
	struct owner *o = &l->owners[l->owner_count++];
	struct tf_str account = tf_stmt_get_str(l->network, 2);
	*o = (struct owner){.from = (int32_t)tf_stmt_get_i64(l->network, 1), .account_n = (uint16_t)account.n};
	o->wanted = !l->account.n || tf_str_eq(account, l->account);
	if (!o->wanted)
		return TF_OK;
	l->out->known = true;
	TF_TRY(category_number(l->out, tf_stmt_get_str(l->network, 3), &o->category, f));
	return keep_name(l->out, account, &o->account_at, f);
}

/* The network rows of a meter, which come in the same order as the channels' meters. */
static enum tf_err
find_owners(struct loader *l, struct tf_str meter, struct tf_fault *f)
{
	l->owner_count = 0;
	while (!l->network_state && tf_str_cmp(tf_stmt_get_str(l->network, 0), meter) < 0)
		TF_TRY(next_network(l, f));
	while (!l->network_state && tf_str_eq(tf_stmt_get_str(l->network, 0), meter)) {
		TF_TRY(add_owner(l, f));
		TF_TRY(next_network(l, f));
	}
	if (l->owner_count)
		return TF_OK;
	struct owner *o = &l->owners[l->owner_count++];
	*o = (struct owner){.from = INT32_MIN, .account_n = (uint16_t)meter.n};
	o->wanted = !l->account.n || tf_str_eq(meter, l->account);
	l->out->known |= o->wanted;
	TF_TRY(category_number(l->out, tf_str(""), &o->category, f));
	return keep_name(l->out, meter, &o->account_at, f);
}

static enum tf_err
add_channel(struct loader *l, uint32_t sid, bool export, struct tf_fault *f)
{
	l->out->unassigned += l->owners[0].from > l->first;
	for (uint32_t i = 0; i < l->owner_count; i++) {
		const struct owner *o = &l->owners[i];
		int32_t to = i + 1 < l->owner_count ? l->owners[i + 1].from : INT32_MAX;
		struct bill_part p = {.sid = sid,
				      .from = o->from > l->first ? o->from : l->first,
				      .to = to < l->end ? to : l->end,
				      .account_at = o->account_at,
				      .account_n = o->account_n,
				      .category = o->category,
				      .export = export};
		if (o->wanted && p.from < p.to)
			TF_TRY(add_part(l->out, &p, f));
	}
	return TF_OK;
}

static enum tf_err
merge(struct loader *l, struct tf_fault *f)
{
	char meter[METER_METER_MAX];
	size_t meter_n = 0;
	enum tf_err e;
	TF_TRY(next_network(l, f));
	while (!(e = tf_stmt_step(l->channels, f))) {
		struct tf_str name = tf_stmt_get_str(l->channels, 0), channel = tf_stmt_get_str(l->channels, 2);
		if (name.n > METER_METER_MAX)
			return tf_fault(f, TF_CORRUPT, "a meter's name is over %d bytes", METER_METER_MAX);
		if (!meter_n || !tf_str_eq(name, tf_str_n(meter, meter_n))) {
			TF_TRY(find_owners(l, name, f));
			memcpy(meter, name.p, meter_n = name.n);
		}
		bool export = channel.n && channel.p[0] == 'B';
		if (tf_stmt_get_i64(l->channels, 3) == METER_WH && channel.n && (export || channel.p[0] == 'E'))
			TF_TRY(add_channel(l, (uint32_t)tf_stmt_get_i64(l->channels, 1), export, f));
	}
	return e == TF_END ? TF_OK : e;
}

/* All meters, or those that are or were the account's. */
static enum tf_err
prepare(struct loader *l, struct tf_fault *f)
{
	static const char all_channels[] = "SELECT meter, sid, channel, unit FROM channel ORDER BY meter, sid";
	static const char all_network[] =
		"SELECT meter, from_date, account, category FROM network ORDER BY meter, from_date";
	static const char one_channels[] =
		"SELECT meter, sid, channel, unit FROM channel WHERE meter IN (SELECT meter FROM network WHERE "
		"account=?1 UNION ALL SELECT ?1) ORDER BY meter, sid";
	static const char one_network[] =
		"SELECT meter, from_date, account, category FROM network WHERE meter IN (SELECT meter FROM network "
		"WHERE account=?1 UNION ALL SELECT ?1) ORDER BY meter, from_date";
	bool one = l->account.n > 0;
	TF_TRY(tf_sql_prepare(l->s->catalog.db, one ? one_channels : all_channels, &l->channels, f));
	TF_TRY(tf_sql_prepare(l->s->catalog.db, one ? one_network : all_network, &l->network, f));
	if (one) {
		tf_stmt_str(l->channels, 1, l->account);
		tf_stmt_str(l->network, 1, l->account);
	}
	return TF_OK;
}

static int
by_account(const void *x, const void *y, void *ctx)
{
	const struct bill_part *a = x, *b = y;
	int order = tf_str_cmp(bill_part_account(ctx, a), bill_part_account(ctx, b));
	if (order)
		return order;
	if (a->sid != b->sid)
		return a->sid < b->sid ? -1 : 1;
	return (a->from > b->from) - (a->from < b->from);
}

static void
sort_parts(struct bill_parts *p)
{
	for (uint32_t i = 1; i < p->count; i++)
		if (by_account(&p->parts[i - 1], &p->parts[i], p) > 0) {
			qsort_r(p->parts, p->count, sizeof *p->parts, by_account, p);
			return;
		}
}

static enum tf_err
index_categories(struct bill_parts *p, struct tf_fault *f)
{
	p->category = tf_calloc(p->category_count, sizeof *p->category);
	if (!p->category)
		return no_memory(f);
	struct tf_cur c = tf_cur(tf_buf_view(&p->categories_text));
	for (uint32_t i = 0; i < p->category_count; i++)
		p->category[i] = tf_cur_lstr(&c);
	return TF_OK;
}

enum tf_err
bill_parts_load(struct meter_store *s, struct tf_str account, int32_t month, struct bill_parts *out, struct tf_fault *f)
{
	struct loader l = {.s = s, .account = account, .out = out};
	l.first = tf_month_first_date(month);
	l.end = tf_month_first_date(month + 1);
	*out = (struct bill_parts){0};
	tf_buf_init(&out->text, 0);
	tf_buf_init(&out->categories_text, 0);
	l.owners = tf_calloc(OWNERS_MAX, sizeof *l.owners);
	enum tf_err e = l.owners && !tf_map_init(&out->categories, TF_MAP_OWN_KEYS) ? prepare(&l, f) : no_memory(f);
	if (!e)
		e = merge(&l, f);
	if (!e)
		e = index_categories(out, f);
	if (!e)
		sort_parts(out);
	tf_stmt_free(&l.channels);
	tf_stmt_free(&l.network);
	tf_free(l.owners);
	return e;
}
