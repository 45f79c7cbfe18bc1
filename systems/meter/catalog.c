/* The catalog: channels, buckets, the manifest of blocks; see catalog.h. Aggregates are in catalog_days.c. */
#include "catalog.h"

#include "base/mem.h"
#include "catalog_schema.h"

const char *const meter_tier_names[METER_TIER_COUNT] = {"hot", "warm", "cold"};

static enum tf_err
no_memory(struct tf_fault *f)
{
	return tf_fault(f, TF_NO_MEMORY, "no memory for the catalog");
}

static enum tf_err
prepare(struct meter_catalog *c, struct tf_fault *f)
{
	TF_TRY(tf_sql_prepare(
		c->db,
		"SELECT tier, pack, offset, bytes, hash, readings, oldest, newest, through, cold FROM block"
		" WHERE bucket=? AND level=? AND span=?",
		&c->find_block, f));
	TF_TRY(tf_sql_prepare(c->db, "INSERT OR REPLACE INTO block VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)", &c->put_block,
			      f));
	TF_TRY(tf_sql_prepare(c->db, "INSERT OR REPLACE INTO agg_day VALUES(?,?,?,?,?,?,?)", &c->put_day, f));
	return tf_sql_prepare(
		c->db,
		"INSERT INTO agg_month VALUES(?,?,?,?,?,?,?) ON CONFLICT(month, sid) DO UPDATE SET n=n+excluded.n,"
		" other=other+excluded.other, total=total+excluded.total, peak_at=CASE WHEN excluded.peak>peak OR"
		" (excluded.peak=peak AND excluded.peak_at<peak_at) THEN excluded.peak_at ELSE peak_at END,"
		" peak=max(peak, excluded.peak)",
		&c->put_month, f);
}

enum tf_err
meter_catalog_open(struct tf_os *os, const char *path, bool read_only, struct meter_catalog *out, struct tf_fault *f)
{
	struct meter_catalog c = {.os = os};
	/* Small pages: a young directory has many small tables, and each takes a page at least. */
	struct tf_sql_options o = {.read_only = read_only, .page_bytes = 1024, .cache_bytes = 64u << 20};
	tf_buf_init(&c.text, 0);
	tf_buf_init(&c.key, 0);
	enum tf_err e = tf_sql_open(os, path, &o, meter_migrations, sizeof meter_migrations / sizeof *meter_migrations,
				    &c.db, f);
	if (!e && (tf_map_init(&c.bucket_index, TF_MAP_OWN_KEYS) || tf_map_init(&c.channel_index, TF_MAP_OWN_KEYS)))
		e = no_memory(f);
	if (!e)
		e = prepare(&c, f);
	if (e)
		meter_catalog_close(&c);
	else
		*out = c;
	return e;
}

void
meter_catalog_close(struct meter_catalog *c)
{
	tf_stmt_free(&c->find_block);
	tf_stmt_free(&c->put_block);
	tf_stmt_free(&c->put_day);
	tf_stmt_free(&c->put_month);
	tf_sql_close(&c->db);
	for (uint32_t i = 0; i < c->zone_count; i++)
		tf_zone_free(&c->zones[i]);
	tf_free(c->zones);
	tf_free(c->buckets);
	tf_free(c->channels);
	tf_map_release(&c->bucket_index);
	tf_map_release(&c->channel_index);
	tf_buf_release(&c->text);
	tf_buf_release(&c->key);
	*c = (struct meter_catalog){0};
}

enum tf_err
meter_catalog_zone(struct meter_catalog *c, struct tf_str name, uint32_t *out, struct tf_fault *f)
{
	for (uint32_t i = 0; i < c->zone_count; i++)
		if (tf_str_eq(name, tf_str(tf_zone_name(c->zones[i])))) {
			*out = i;
			return TF_OK;
		}
	if (c->zone_count == c->zone_cap) {
		uint32_t cap = c->zone_cap ? c->zone_cap * 2 : 8;
		struct tf_zone **p = tf_realloc(c->zones, cap * sizeof(struct tf_zone *));
		if (!p)
			return no_memory(f);
		c->zones = p;
		c->zone_cap = cap;
	}
	TF_TRY(tf_os_zone(c->os, name, &c->zones[c->zone_count], f));
	*out = c->zone_count++;
	return TF_OK;
}

static uint32_t
rows_max(uint32_t interval_s)
{
	/* The longest month, with an hour more for a clock change. */
	uint64_t slots = (31 * 86400 + 3600) / interval_s + 1, rows = METER_BLOCK_CELLS_MAX / slots;
	return rows > METER_BUCKET_ROWS ? METER_BUCKET_ROWS : rows < 1 ? 1 : (uint32_t)rows;
}

static enum tf_err
read_bucket(struct meter_catalog *c, struct tf_stmt *s, struct meter_bucket *out, struct tf_fault *f)
{
	struct meter_bucket b = {.id = (uint32_t)tf_stmt_get_i64(s, 0),
				 .interval_s = (uint32_t)tf_stmt_get_i64(s, 2),
				 .phase_s = (uint32_t)tf_stmt_get_i64(s, 3)};
	TF_TRY(meter_catalog_zone(c, tf_stmt_get_str(s, 1), &b.zone, f));
	b.rows_max = rows_max(b.interval_s);
	*out = b;
	return TF_OK;
}

enum tf_err
meter_catalog_bucket(struct meter_catalog *c, uint32_t id, struct meter_bucket *out, struct tf_fault *f)
{
	if (id < c->bucket_count) {
		*out = c->buckets[id];
		return TF_OK;
	}
	struct tf_stmt *s;
	TF_TRY(tf_sql_prepare(c->db, "SELECT id, zone, interval_s, phase_s FROM bucket WHERE id=?", &s, f));
	tf_stmt_i64(s, 1, id);
	enum tf_err e = tf_stmt_step(s, f);
	if (!e)
		e = read_bucket(c, s, out, f);
	else if (e == TF_END)
		e = tf_fault(f, TF_CORRUPT, "no bucket %u in the catalog", id);
	tf_stmt_free(&s);
	return e;
}

static struct tf_str
bucket_key(struct meter_catalog *c, const struct meter_bucket *b)
{
	tf_buf_reset(&c->key);
	tf_buf_u32(&c->key, b->zone);
	tf_buf_u32(&c->key, b->interval_s);
	tf_buf_u32(&c->key, b->phase_s);
	return tf_buf_view(&c->key);
}

static enum tf_err
add_bucket(struct meter_catalog *c, const struct meter_bucket *b, struct tf_fault *f)
{
	if (c->bucket_count == c->bucket_cap) {
		uint32_t cap = c->bucket_cap ? c->bucket_cap * 2 : 64;
		struct meter_bucket *p = tf_realloc(c->buckets, cap * sizeof *p);
		if (!p)
			return no_memory(f);
		c->buckets = p;
		c->bucket_cap = cap;
	}
	struct tf_str key = bucket_key(c, b);
	if (c->key.err || tf_map_put(&c->bucket_index, key, b->id))
		return no_memory(f);
	c->buckets[c->bucket_count++] = *b;
	return TF_OK;
}

static struct tf_str
channel_key(struct meter_catalog *c, const struct meter_batch_channel *ch, uint32_t zone, uint32_t phase_s)
{
	tf_buf_reset(&c->key);
	tf_buf_lstr(&c->key, ch->meter);
	tf_buf_lstr(&c->key, ch->channel);
	tf_buf_u8(&c->key, (uint8_t)ch->unit);
	tf_buf_varint(&c->key, ch->interval_s);
	tf_buf_varint(&c->key, phase_s);
	tf_buf_varint(&c->key, zone);
	return tf_buf_view(&c->key);
}

static enum tf_err
add_channel(struct meter_catalog *c, const struct meter_batch_channel *ch, uint32_t sid, const struct meter_bucket *b,
	    struct tf_fault *f)
{
	if (c->channel_count == c->channel_cap) {
		uint32_t cap = c->channel_cap ? c->channel_cap * 2 : 1024;
		struct meter_channel *p = tf_realloc(c->channels, cap * sizeof *p);
		if (!p)
			return no_memory(f);
		c->channels = p;
		c->channel_cap = cap;
	}
	struct meter_channel n = {sid,
				  (uint32_t)c->text.n,
				  (uint32_t)(c->text.n + ch->meter.n),
				  (uint8_t)ch->meter.n,
				  (uint8_t)ch->channel.n,
				  (uint8_t)ch->unit};
	tf_buf_str(&c->text, ch->meter);
	tf_buf_str(&c->text, ch->channel);
	struct tf_str key = channel_key(c, ch, b->zone, b->phase_s);
	if (c->text.err || c->key.err || tf_map_put(&c->channel_index, key, sid))
		return no_memory(f);
	c->channels[c->channel_count++] = n;
	return TF_OK;
}

static enum tf_err
load_channels(struct meter_catalog *c, struct tf_stmt *s, struct tf_fault *f)
{
	enum tf_err e;
	while (!(e = tf_stmt_step(s, f))) {
		uint32_t sid = (uint32_t)tf_stmt_get_i64(s, 0), bucket = sid / METER_BUCKET_ROWS;
		if (bucket >= c->bucket_count)
			return tf_fault(f, TF_CORRUPT, "channel %u has no bucket", sid);
		struct meter_bucket *b = &c->buckets[bucket];
		struct meter_batch_channel ch = {tf_stmt_get_str(s, 1), tf_stmt_get_str(s, 2),
						 (enum meter_unit)tf_stmt_get_i64(s, 3), b->interval_s};
		TF_TRY(add_channel(c, &ch, sid, b, f));
		b->rows++;
	}
	c->channel_stored = c->channel_count;
	return e == TF_END ? TF_OK : e;
}

static enum tf_err
load_buckets(struct meter_catalog *c, struct tf_stmt *s, struct tf_fault *f)
{
	enum tf_err e;
	while (!(e = tf_stmt_step(s, f))) {
		struct meter_bucket b;
		TF_TRY(read_bucket(c, s, &b, f));
		if (b.id != c->bucket_count)
			return tf_fault(f, TF_CORRUPT, "bucket %u is missing from the catalog", c->bucket_count);
		TF_TRY(add_bucket(c, &b, f));
	}
	return e == TF_END ? TF_OK : e;
}

enum tf_err
meter_catalog_load(struct meter_catalog *c, struct tf_fault *f)
{
	struct tf_stmt *s;
	TF_TRY(tf_sql_prepare(c->db, "SELECT id, zone, interval_s, phase_s FROM bucket ORDER BY id", &s, f));
	enum tf_err e = load_buckets(c, s, f);
	tf_stmt_free(&s);
	if (!e)
		e = tf_sql_prepare(c->db, "SELECT sid, meter, channel, unit FROM channel ORDER BY sid", &s, f);
	if (!e)
		e = load_channels(c, s, f);
	tf_stmt_free(&s);
	return e;
}

enum tf_err
meter_catalog_channel(struct meter_catalog *c, const struct meter_batch_channel *ch, uint32_t zone, uint32_t phase_s,
		      uint32_t *out_sid, struct tf_fault *f)
{
	uint64_t found;
	struct tf_str key = channel_key(c, ch, zone, phase_s);
	if (c->key.err)
		return no_memory(f);
	if (tf_map_get(&c->channel_index, key, &found)) {
		*out_sid = (uint32_t)found;
		return TF_OK;
	}
	struct meter_bucket b = {.zone = zone, .interval_s = ch->interval_s, .phase_s = phase_s, .fresh = true};
	bool room = tf_map_get(&c->bucket_index, bucket_key(c, &b), &found) &&
		    c->buckets[found].rows < c->buckets[found].rows_max;
	if (!room) {
		b.id = c->bucket_count;
		b.rows_max = rows_max(b.interval_s);
		TF_TRY(add_bucket(c, &b, f));
		found = b.id;
	}
	struct meter_bucket *bucket = &c->buckets[found];
	uint32_t sid = bucket->id * METER_BUCKET_ROWS + bucket->rows;
	TF_TRY(add_channel(c, ch, sid, bucket, f));
	bucket->rows++;
	*out_sid = sid;
	return TF_OK;
}

static enum tf_err
store_buckets(struct meter_catalog *c, struct tf_stmt *s, struct tf_fault *f)
{
	uint32_t first = c->bucket_count;
	while (first && c->buckets[first - 1].fresh)
		first--;
	for (uint32_t i = first; i < c->bucket_count; i++) {
		const struct meter_bucket *b = &c->buckets[i];
		tf_stmt_i64(s, 1, b->id);
		tf_stmt_str(s, 2, tf_str(tf_zone_name(c->zones[b->zone])));
		tf_stmt_i64(s, 3, b->interval_s);
		tf_stmt_i64(s, 4, b->phase_s);
		TF_TRY(tf_stmt_run(s, f));
	}
	for (uint32_t i = first; i < c->bucket_count; i++)
		c->buckets[i].fresh = false;
	return TF_OK;
}

static enum tf_err
store_channels(struct meter_catalog *c, struct tf_stmt *s, struct tf_fault *f)
{
	const char *text = (const char *)c->text.p;
	for (uint32_t i = c->channel_stored; i < c->channel_count; i++) {
		const struct meter_channel *ch = &c->channels[i];
		tf_stmt_i64(s, 1, ch->sid);
		tf_stmt_str(s, 2, tf_str_n(text + ch->meter_at, ch->meter_n));
		tf_stmt_str(s, 3, tf_str_n(text + ch->channel_at, ch->channel_n));
		tf_stmt_i64(s, 4, ch->unit);
		TF_TRY(tf_stmt_run(s, f));
	}
	c->channel_stored = c->channel_count;
	return TF_OK;
}

enum tf_err
meter_catalog_store_new(struct meter_catalog *c, struct tf_fault *f)
{
	if (c->channel_stored == c->channel_count)
		return TF_OK;
	struct tf_stmt *s;
	TF_TRY(tf_sql_prepare(c->db, "INSERT INTO bucket VALUES(?,?,?,?)", &s, f));
	enum tf_err e = store_buckets(c, s, f);
	tf_stmt_free(&s);
	if (!e)
		e = tf_sql_prepare(c->db, "INSERT INTO channel VALUES(?,?,?,?)", &s, f);
	if (!e)
		e = store_channels(c, s, f);
	tf_stmt_free(&s);
	return e;
}

enum tf_err
meter_catalog_find_block(struct meter_catalog *c, uint32_t bucket, enum meter_level level, int32_t span,
			 struct meter_block_ref *out, struct tf_fault *f)
{
	struct tf_stmt *s = c->find_block;
	tf_stmt_i64(s, 1, bucket);
	tf_stmt_i64(s, 2, level);
	tf_stmt_i64(s, 3, span);
	enum tf_err e = tf_stmt_step(s, f);
	if (!e)
		*out = (struct meter_block_ref){
			.bucket = bucket,
			.level = level,
			.span = span,
			.tier = (enum meter_tier)tf_stmt_get_i64(s, 0),
			.pack = (uint32_t)tf_stmt_get_i64(s, 1),
			.offset = (uint64_t)tf_stmt_get_i64(s, 2),
			.bytes = (uint64_t)tf_stmt_get_i64(s, 3),
			.hash = (uint64_t)tf_stmt_get_i64(s, 4),
			.stats = {(uint64_t)tf_stmt_get_i64(s, 5), tf_stmt_get_i64(s, 6), tf_stmt_get_i64(s, 7)},
			.through = (int32_t)tf_stmt_get_i64(s, 8)};
	struct tf_str cold = e ? (struct tf_str){0} : tf_stmt_get_str(s, 9);
	if (cold.n && cold.n < METER_COLD_MAX)
		memcpy(out->cold, cold.p, cold.n);
	tf_stmt_reset(s);
	return e == TF_END ? TF_NOT_FOUND : e;
}

enum tf_err
meter_catalog_put_block(struct meter_catalog *c, const struct meter_block_ref *r, struct tf_fault *f)
{
	struct tf_stmt *s = c->put_block;
	const int64_t v[] = {r->bucket,         r->level,         r->span,
			     r->tier,           r->pack,          (int64_t)r->offset,
			     (int64_t)r->bytes, (int64_t)r->hash, (int64_t)r->stats.readings,
			     r->stats.oldest,   r->stats.newest,  r->through};
	for (int i = 0; i < 12; i++)
		tf_stmt_i64(s, i + 1, v[i]);
	if (r->cold[0])
		tf_stmt_str(s, 13, tf_str(r->cold));
	else
		tf_stmt_null(s, 13);
	return tf_stmt_run(s, f);
}

enum tf_err
meter_catalog_drop_block(struct meter_catalog *c, uint32_t bucket, enum meter_level level, int32_t span,
			 struct tf_fault *f)
{
	struct tf_stmt *s;
	TF_TRY(tf_sql_prepare(c->db, "DELETE FROM block WHERE bucket=? AND level=? AND span=?", &s, f));
	tf_stmt_i64(s, 1, bucket);
	tf_stmt_i64(s, 2, level);
	tf_stmt_i64(s, 3, span);
	enum tf_err e = tf_stmt_run(s, f);
	tf_stmt_free(&s);
	return e;
}

enum tf_err
meter_catalog_get(struct meter_catalog *c, const char *name, int64_t fallback, int64_t *out, struct tf_fault *f)
{
	struct tf_stmt *s;
	TF_TRY(tf_sql_prepare(c->db, "SELECT value FROM setting WHERE name=?", &s, f));
	tf_stmt_str(s, 1, tf_str(name));
	enum tf_err e = tf_stmt_step(s, f);
	if (!e || e == TF_END)
		*out = e ? fallback : tf_stmt_get_i64(s, 0);
	tf_stmt_free(&s);
	return e == TF_END ? TF_OK : e;
}

enum tf_err
meter_catalog_set(struct meter_catalog *c, const char *name, int64_t value, struct tf_fault *f)
{
	struct tf_stmt *s;
	TF_TRY(tf_sql_prepare(c->db, "INSERT OR REPLACE INTO setting VALUES(?,?)", &s, f));
	tf_stmt_str(s, 1, tf_str(name));
	tf_stmt_i64(s, 2, value);
	enum tf_err e = tf_stmt_run(s, f);
	tf_stmt_free(&s);
	return e;
}

/* The first instant at or after t at which an interval of this phase starts. */
static tf_time
first_start(tf_time t, uint32_t interval_s, uint32_t phase_s)
{
	int64_t s = t / TF_SEC, off = (s - phase_s) % interval_s;
	if (off < 0)
		off += interval_s;
	return (off ? s + interval_s - off : s) * TF_SEC;
}

void
meter_bucket_shape(const struct tf_zone *z, const struct meter_bucket *b, enum meter_level level, int32_t span,
		   struct meter_grid_shape *out)
{
	tf_time from = level == METER_DAY ? tf_zone_day_start(z, span) : tf_zone_month_start(z, span);
	tf_time to = level == METER_DAY ? tf_zone_day_start(z, span + 1) : tf_zone_month_start(z, span + 1);
	tf_time first = first_start(from, b->interval_s, b->phase_s), end = first_start(to, b->interval_s, b->phase_s);
	*out = (struct meter_grid_shape){first, b->interval_s,
					 (uint32_t)((end - first) / ((tf_dur)b->interval_s * TF_SEC))};
}
