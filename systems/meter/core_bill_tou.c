/* Sealed time-of-use sums; see core_bill_tou.h. */
#include "core_bill_tou.h"

#include "base/mem.h"

#define TOU_VERSION 1

static uint32_t
hour_register(const void *ctx, int32_t date, uint32_t minute)
{
	(void)ctx;
	return minute / 60 + (tf_date_weekday(date) >= 5 ? 24 : 0);
}

/* A row's cells with gaps as zeros. */
static void
row_of(const struct meter_block *b, uint32_t row, int64_t *values, struct meter_tou_row *out)
{
	const int64_t *v = b->values + (size_t)row * b->shape.slots;
	const uint32_t *stamp = b->stamp + (size_t)row * b->shape.slots;
	*out = (struct meter_tou_row){0};
	for (uint32_t i = 0; i < b->shape.slots; i++) {
		values[i] = stamp[i] ? v[i] : 0;
		if (!stamp[i])
			continue;
		out->readings++;
		out->estimated += (b->stamps[stamp[i] - 1].quality & 0xff) != 'A';
	}
}

static void
put_row(struct tf_buf *out, const struct meter_tou_row *r)
{
	tf_buf_varint(out, r->readings);
	if (!r->readings)
		return;
	tf_buf_varint(out, r->estimated);
	tf_buf_zigzag(out, r->demand_w);
	for (int h = 0; h < METER_TOU_HOURS; h++)
		tf_buf_zigzag(out, r->hours[h]);
}

enum tf_err
meter_tou_of(const struct meter_block *month, const struct tf_zone *zone, struct tf_buf *out)
{
	struct meter_bill_table table;
	TF_TRY(meter_bill_table_init(zone, &month->shape, METER_TOU_DEMAND_S, hour_register, NULL, &table));
	int64_t *values = tf_calloc(month->shape.slots, sizeof *values);
	if (!values) {
		meter_bill_table_release(&table);
		return TF_NO_MEMORY;
	}
	tf_buf_u8(out, TOU_VERSION);
	tf_buf_varint(out, month->rows);
	for (uint32_t r = 0; r < month->rows; r++) {
		struct meter_tou_row row;
		row_of(month, r, values, &row);
		meter_bill_row(&table, values, 0, month->shape.slots, row.hours, &row.demand_w);
		put_row(out, &row);
	}
	tf_free(values);
	meter_bill_table_release(&table);
	return out->err;
}

enum tf_err
meter_tou_open(struct tf_str bytes, struct tf_cur *out, uint32_t *out_rows)
{
	struct tf_cur c = tf_cur(bytes);
	uint8_t version = tf_cur_u8(&c);
	uint64_t rows = tf_cur_varint(&c);
	if (c.bad || version != TOU_VERSION || rows > METER_BUCKET_ROWS)
		return TF_CORRUPT;
	*out = c;
	*out_rows = (uint32_t)rows;
	return TF_OK;
}

enum tf_err
meter_tou_next(struct tf_cur *c, struct meter_tou_row *out)
{
	*out = (struct meter_tou_row){.readings = tf_cur_varint(c)};
	if (out->readings && !c->bad) {
		out->estimated = tf_cur_varint(c);
		out->demand_w = tf_cur_zigzag(c);
		for (int h = 0; h < METER_TOU_HOURS; h++)
			out->hours[h] = tf_cur_zigzag(c);
	}
	return c->bad ? TF_CORRUPT : TF_OK;
}

bool
meter_tou_fits(const struct meter_tariff *t, const struct meter_tariff_plan *p, int32_t month,
	       uint8_t map[static METER_TOU_HOURS])
{
	if (p->demand_s != METER_TOU_DEMAND_S)
		return false;
	uint8_t unknown = METER_REGISTERS_MAX;
	memset(map, unknown, METER_TOU_HOURS);
	for (int32_t date = tf_month_first_date(month); date < tf_month_first_date(month + 1); date++)
		for (uint32_t minute = 0; minute < 1440; minute++) {
			uint8_t *m = &map[hour_register(NULL, date, minute)];
			uint8_t r = (uint8_t)meter_tariff_register(t, p, date, minute);
			if (*m == unknown)
				*m = r;
			else if (*m != r)
				return false;
		}
	return true;
}

void
meter_tou_add(const struct meter_tou_row *row, const uint8_t map[static METER_TOU_HOURS], bool export,
	      struct meter_use *use)
{
	use->readings += row->readings;
	use->estimated += row->estimated;
	for (int h = 0; h < METER_TOU_HOURS; h++) {
		int64_t *to = export ? &use->export_wh : &use->registers[map[h]];
		*to = meter_wrap_add(*to, row->hours[h]);
	}
	if (!export && row->demand_w > use->demand_w)
		use->demand_w = row->demand_w;
}
