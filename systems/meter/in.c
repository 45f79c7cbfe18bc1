/* The entry: tells a packed source from a plain one, and carries members to their content; see in.h. */
#include "base/mem.h"
#include "in_parts.h"

enum packing { PACKING_UNKNOWN, PACKING_NONE, PACKING_YES };

struct meter_in {
	struct in_ctx c;
	struct in_content content;
	struct in_unpack *unpack;
	enum packing packing;
	struct tf_buf strings; /* copies of the options' strings */
	struct tf_buf base;
	struct tf_buf member;
	struct tf_buf magic;
	enum tf_err dead; /* the error that stopped it */
};

/* "a/b/home-7.csv.gz" -> "home-7", cut to what a meter id may be. */
static struct tf_str
base_name(struct tf_str path)
{
	const char *slash = path.p && path.n ? memrchr(path.p, '/', path.n) : NULL;
	if (slash)
		path = tf_str_n(slash + 1, (size_t)(path.p + path.n - slash - 1));
	static const char *const ends[] = {".gz", ".zip", ".csv", ".txt", ".tsv"};
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t n = strlen(ends[i]);
		if (path.n > n && tf_str_eq_nocase(tf_str_n(path.p + path.n - n, n), tf_str(ends[i])))
			path.n -= n;
	}
	if (path.n > METER_METER_MAX)
		path.n = METER_METER_MAX;
	return path;
}

static void
set_base(struct meter_in *in, struct tf_str path)
{
	tf_buf_reset(&in->base);
	tf_buf_str(&in->base, base_name(path));
	in->c.base = tf_buf_view(&in->base);
}

/* Copies the options' strings, so that the caller's need not last. */
static enum tf_err
keep_options(struct meter_in *in, struct tf_fault *f)
{
	struct meter_in_options *o = &in->c.o;
	struct tf_str *s[] = {&o->format, &o->channel, &o->meter, &o->name};
	size_t n = 0;
	if (!o->channel.n)
		o->channel = TF_STR("E1");
	for (size_t i = 0; i < 4; i++)
		n += s[i]->n;
	uint8_t *p = tf_buf_room(&in->strings, n + 1);
	if (!p)
		return tf_fault(f, TF_NO_MEMORY, "cannot keep options");
	for (size_t i = 0; i < 4; i++) {
		struct tf_str from = *s[i];
		*s[i] = tf_str_n(in->strings.p + in->strings.n, from.n);
		tf_buf_str(&in->strings, from);
	}
	set_base(in, o->name);
	return in->base.err ? tf_fault(f, in->base.err, "cannot keep options") : TF_OK;
}

static enum tf_err
check_options(const struct meter_in_options *o, struct tf_fault *f)
{
	static const char *const formats[] = {"", "nem12", "nem13", "csv", "jsonl", "espi", "cim"};
	bool known = false;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		known |= tf_str_eq(o->format, tf_str(formats[i]));
	if (!known)
		return tf_fault(f, TF_INVALID, "unknown format '%.*s': nem12, nem13, csv, jsonl, espi or cim",
				TF_FMT(o->format));
	if (o->unit >= METER_UNIT_COUNT || o->unit_exponent < -18 || o->unit_exponent > 18)
		return tf_fault(f, TF_INVALID, "the default unit is out of range");
	if (o->interval_s > METER_INTERVAL_MAX_S)
		return tf_fault(f, TF_INVALID, "an interval of %u s is over 400 days", o->interval_s);
	if (o->channel.n && !in_name_ok(o->channel, METER_CHANNEL_MAX))
		return tf_fault(f, TF_INVALID, "the channel '%.*s' is no channel name", TF_FMT(o->channel));
	if (o->meter.n && !in_name_ok(o->meter, METER_METER_MAX))
		return tf_fault(f, TF_INVALID, "the meter '%.*s' is no meter id", TF_FMT(o->meter));
	return TF_OK;
}

enum tf_err
meter_in_new(const struct meter_in_options *o, const struct meter_sink *sink, struct meter_in **out, struct tf_fault *f)
{
	TF_TRY(check_options(o, f));
	struct meter_in *in = tf_calloc(1, sizeof(*in));
	if (!in)
		return tf_fault(f, TF_NO_MEMORY, "cannot start a parser");
	in->c.o = *o;
	in->c.sink = *sink;
	in_content_init(&in->content, &in->c);
	enum tf_err e = keep_options(in, f);
	if (e != TF_OK) {
		meter_in_free(&in);
		return e;
	}
	*out = in;
	return TF_OK;
}

/* in_unpack's calls. */

static enum tf_err
member_begin(void *ctx, struct tf_str name, struct tf_fault *f)
{
	struct meter_in *in = ctx;
	tf_buf_reset(&in->member);
	tf_buf_str(&in->member, name.n ? name : TF_STR("-"));
	set_base(in, name);
	in->c.member = tf_buf_view(&in->member);
	in->content.skip = name.n && name.p[name.n - 1] == '/'; /* a folder's own entry */
	return in->member.err || in->base.err ? tf_fault(f, TF_NO_MEMORY, "cannot keep a member's name") : TF_OK;
}

static enum tf_err
member_data(void *ctx, struct tf_str bytes, struct tf_fault *f)
{
	struct meter_in *in = ctx;
	return in_content_feed(&in->content, bytes, f);
}

static enum tf_err
member_end(void *ctx, bool cut, struct tf_fault *f)
{
	struct meter_in *in = ctx;
	return in_content_finish(&in->content, cut, f);
}

static enum tf_err
member_bad(void *ctx, struct tf_str member, const char *text, struct tf_fault *f)
{
	struct meter_in *in = ctx;
	struct in_ctx c = in->c;
	struct in_place at = {0};
	if (member.n)
		c.member = member;
	return in_bad(&c, &at, IN_ARCHIVE, f, "%s", text);
}

/* Decides from the first four bytes (all: there are no more). */
static enum tf_err
start(struct meter_in *in, bool all, struct tf_fault *f)
{
	struct tf_str head = tf_buf_view(&in->magic);
	if (head.n < 4 && !all)
		return TF_OK;
	bool gz = tf_str_starts(head, TF_STR("\x1f\x8b"));
	bool zip = tf_str_starts(head, TF_STR("PK\3\4")) || tf_str_starts(head, TF_STR("PK\5\6"));
	in->packing = gz || zip ? PACKING_YES : PACKING_NONE;
	if (in->packing == PACKING_NONE)
		return in_content_feed(&in->content, head, f);
	struct in_unpack_to to = {
		.ctx = in,
		.begin = member_begin,
		.data = member_data,
		.end = member_end,
		.bad = member_bad,
	};
	TF_TRY(in_unpack_new(zip, &to, &in->unpack, f));
	return in_unpack_feed(in->unpack, head, f);
}

static enum tf_err
feed(struct meter_in *in, struct tf_str bytes, struct tf_fault *f)
{
	if (in->packing == PACKING_UNKNOWN) {
		size_t n = 4 - in->magic.n < bytes.n ? 4 - in->magic.n : bytes.n;
		tf_buf_put(&in->magic, bytes.p, n);
		if (in->magic.err)
			return tf_fault(f, in->magic.err, "cannot keep the first bytes");
		bytes.p += n;
		bytes.n -= n;
		TF_TRY(start(in, false, f));
	}
	if (!bytes.n)
		return TF_OK;
	return in->unpack ? in_unpack_feed(in->unpack, bytes, f) : in_content_feed(&in->content, bytes, f);
}

static enum tf_err
finish(struct meter_in *in, struct tf_fault *f)
{
	if (in->packing == PACKING_UNKNOWN)
		TF_TRY(start(in, true, f));
	return in->unpack ? in_unpack_finish(in->unpack, f) : in_content_finish(&in->content, false, f);
}

/* Names the source in a fault and remembers that it is over. */
static enum tf_err
stop(struct meter_in *in, enum tf_err e, struct tf_fault *f)
{
	if (e == TF_OK)
		return TF_OK;
	in->dead = e;
	in_printable(f->text);
	return tf_fault_wrap(f, e, "cannot read '%.*s'", TF_FMT(in->c.o.name));
}

enum tf_err
meter_in_feed(struct meter_in *in, struct tf_str bytes, struct tf_fault *f)
{
	struct tf_fault own = {0};
	f = f ? f : &own;
	if (in->dead != TF_OK)
		return tf_fault(f, in->dead, "reading '%.*s' has stopped", TF_FMT(in->c.o.name));
	return bytes.n ? stop(in, feed(in, bytes, f), f) : TF_OK;
}

enum tf_err
meter_in_finish(struct meter_in *in, struct tf_fault *f)
{
	struct tf_fault own = {0};
	f = f ? f : &own;
	if (in->dead != TF_OK)
		return tf_fault(f, in->dead, "reading '%.*s' has stopped", TF_FMT(in->c.o.name));
	enum tf_err e = stop(in, finish(in, f), f);
	in->dead = e == TF_OK ? TF_INVALID : e;
	return e;
}

uint64_t
meter_in_rounded(const struct meter_in *in)
{
	return in->c.rounded;
}

uint32_t
meter_in_step(const struct meter_in *in)
{
	return in->c.steps_differ ? 0 : in->c.step_s;
}

struct tf_str
meter_in_format(const struct meter_in *in)
{
	return tf_str(in->content.name);
}

void
meter_in_free(struct meter_in **in)
{
	if (!*in)
		return;
	in_content_release(&(*in)->content);
	in_unpack_free(&(*in)->unpack);
	tf_buf_release(&(*in)->strings);
	tf_buf_release(&(*in)->base);
	tf_buf_release(&(*in)->member);
	tf_buf_release(&(*in)->magic);
	tf_free(*in);
	*in = NULL;
}
