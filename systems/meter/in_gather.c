/* Puts single readings that follow each other together to runs; see in_parts.h. */
#include "base/mem.h"
#include "in_parts.h"

enum tf_err
in_gather_init(struct in_gather *g, const struct in_ctx *c, struct tf_fault *f)
{
	*g = (struct in_gather){.c = c};
	g->values = tf_malloc(METER_RUN_MAX * sizeof(*g->values));
	g->qualities = tf_malloc(METER_RUN_MAX * sizeof(*g->qualities));
	return g->values && g->qualities ? TF_OK : tf_fault(f, TF_NO_MEMORY, "cannot gather readings");
}

void
in_gather_release(struct in_gather *g)
{
	tf_free(g->values);
	tf_free(g->qualities);
	tf_buf_release(&g->names);
	*g = (struct in_gather){0};
}

enum tf_err
in_gather_flush(struct in_gather *g, struct tf_fault *f)
{
	if (!g->run.count)
		return TF_OK;
	struct meter_run run = g->run;
	run.values = g->values;
	run.quality = g->qualities;
	run.quality_count = g->mixed ? run.count : 1;
	g->run.count = 0;
	g->mixed = false;
	return g->c->sink.run(g->c->sink.ctx, &run, f);
}

enum tf_err
in_gather_channel(struct in_gather *g, struct tf_str meter, struct tf_str channel, enum meter_unit unit, tf_time issued,
		  struct tf_fault *f)
{
	if (g->run.unit == unit && g->run.issued == issued && tf_str_eq(g->run.meter, meter) &&
	    tf_str_eq(g->run.channel, channel))
		return TF_OK;
	TF_TRY(in_gather_flush(g, f));
	tf_buf_reset(&g->names);
	tf_buf_str(&g->names, meter);
	tf_buf_str(&g->names, channel);
	if (g->names.err)
		return tf_fault(f, g->names.err, "cannot keep a meter's name");
	g->run = (struct meter_run){
		.meter = tf_str_n(g->names.p, meter.n),
		.channel = tf_str_n(g->names.p + meter.n, channel.n),
		.unit = unit,
		.issued = issued,
	};
	return TF_OK;
}

enum tf_err
in_gather_add(struct in_gather *g, tf_time start, uint32_t interval_s, int64_t value, struct meter_quality quality,
	      struct tf_fault *f)
{
	struct meter_run *r = &g->run;
	if (r->count && (r->count == METER_RUN_MAX || r->interval_s != interval_s ||
			 r->start + r->count * (interval_s * TF_SEC) != start))
		TF_TRY(in_gather_flush(g, f));
	if (!r->count) {
		r->start = start;
		r->interval_s = interval_s;
	}
	g->values[r->count] = value;
	g->qualities[r->count] = quality;
	g->mixed |= memcmp(&quality, &g->qualities[0], sizeof(quality)) != 0;
	r->count++;
	return TF_OK;
}
