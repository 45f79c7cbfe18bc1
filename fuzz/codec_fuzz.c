/* The interval codec's decoder on hostile blocks, and its encoder on hostile grids.
 *
 * Bits 0 and 1 of byte 0 choose: 0, the rest is a block to open and decode; 1 or 3, the rest makes values that must
 * come back; 2, they are encoded, up to four bytes of the block are changed, and it is decoded. Bytes 1 and 2 are the
 * shape. */
#include <stdlib.h>

#include "codec.h"
#include "reading.h"

static void
decode(const uint8_t *p, size_t n, uint32_t rows, uint32_t slots)
{
	struct meter_decoder *d = NULL;
	int64_t *out = malloc((size_t)rows * slots * sizeof *out);
	if (meter_decoder_open(tf_str_n(p, n), rows, slots, &d, NULL) == TF_OK) {
		enum tf_err e = meter_decoder_rows(d, 0, rows, out);
		TF_ASSERT(e == TF_OK || e == TF_CORRUPT);
		for (uint32_t r = 0; r < rows; r++) {
			size_t head, at, size;
			e = meter_decoder_row(d, r, out);
			TF_ASSERT(e == TF_OK || e == TF_CORRUPT);
			meter_decoder_row_span(d, r, &head, &at, &size);
			TF_ASSERT(at >= head && at + size <= n);
		}
		meter_decoder_free(&d);
	}
	free(out);
}

/* Each value from one to eight bytes, scaled so that every width and sign occurs; the last ones are zero. */
static int64_t *
values_of(const uint8_t *p, size_t n, size_t cells)
{
	int64_t *v = calloc(cells, sizeof *v);
	size_t at = 0;
	for (size_t i = 0; i < cells && at < n; i++) {
		uint64_t x = 0;
		size_t take = 1 + p[at] % 8 < n - at ? 1 + p[at] % 8u : n - at;
		memcpy(&x, p + at, take);
		at += take;
		v[i] = (int64_t)(x << 10) >> 10;
	}
	return v;
}

static void
encode(const uint8_t *p, size_t n, uint32_t rows, uint32_t slots, uint32_t day)
{
	size_t cells = (size_t)rows * slots;
	int64_t *v = values_of(p, n, cells), *back = malloc(cells * sizeof *back);
	struct meter_grid g = {.rows = rows, .slots = slots, .slots_per_day = day, .values = v};
	for (int codec = METER_CODEC_PLAIN; codec <= METER_CODEC_MODEL; codec++) {
		struct tf_buf out;
		struct meter_decoder *d = NULL;
		tf_buf_init(&out, 0);
		TF_ASSERT(meter_codec_encode((enum meter_codec)codec, &g, &out) == TF_OK);
		TF_ASSERT(meter_decoder_open(tf_buf_view(&out), rows, slots, &d, NULL) == TF_OK);
		TF_ASSERT(meter_decoder_rows(d, 0, rows, back) == TF_OK);
		TF_ASSERT(memcmp(back, v, cells * sizeof *v) == 0);
		meter_decoder_free(&d);
		tf_buf_release(&out);
	}
	free(v);
	free(back);
}

/* The first twelve bytes are the changes: place, what it is xored with. */
static void
damage(const uint8_t *p, size_t n, uint32_t rows, uint32_t slots, uint32_t day)
{
	if (n < 12)
		return;
	int64_t *v = values_of(p + 12, n - 12, (size_t)rows * slots);
	struct meter_grid g = {.rows = rows, .slots = slots, .slots_per_day = day, .values = v};
	for (int codec = METER_CODEC_PLAIN; codec <= METER_CODEC_MODEL; codec++) {
		struct tf_buf out;
		tf_buf_init(&out, 0);
		TF_ASSERT(meter_codec_encode((enum meter_codec)codec, &g, &out) == TF_OK);
		for (size_t i = 0; i < 4; i++)
			out.p[(p[3 * i] | (size_t)p[3 * i + 1] << 8) % out.n] ^= p[3 * i + 2];
		decode(out.p, out.n, rows, slots);
		tf_buf_release(&out);
	}
	free(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n < 3)
		return 0;
	uint32_t rows = 1 + p[1] % 16, slots = 1 + p[2];
	if (p[0] & 1)
		encode(p + 3, n - 3, rows, slots, p[0] >> 2);
	else if (p[0] & 2)
		damage(p + 3, n - 3, rows, slots, p[0] >> 2);
	else
		decode(p + 3, n - 3, rows, slots);
	return 0;
}
