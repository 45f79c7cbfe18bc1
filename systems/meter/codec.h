/* The interval codec: a grid of readings (rows = channels of one bucket, columns = slots of one date span) to bytes and
 * back.
 *
 * Pure: no I/O, clock, threads or global state; the same grid gives the same bytes. Values are int64 within
 * +-METER_VALUE_MAX and every cell has one (the caller fills gaps with the value before, and keeps presence elsewhere).
 * Rows decode independently of each other once the block's shared tables are read, so one account's bill touches only
 * its own row. Bad bytes are TF_CORRUPT, never a crash or an out-of-range write. Byte format: docs/formats/codec.md.
 * Source: codec choice measured by bench/codec (bytes against decode rate). */
#pragma once
#include "base/buf.h"

enum meter_codec {
	METER_CODEC_PLAIN = 0, /* per row and day of slots: minimum, bit width, packed offsets */
	METER_CODEC_MODEL = 1, /* entropy coded with tables shared by the block's rows */
};

struct meter_grid {
	uint32_t rows, slots;
	uint32_t slots_per_day;     /* hint for models: 24, 48, 96, 288 ...; 0 none */
	uint32_t first_slot_of_day; /* hint: which slot of a day column 0 is */
	const int64_t *values;      /* rows * slots, row after row */
	const uint8_t *skip; /* NULL, or one per row: 1 = row holds nothing, encodes to nothing and decodes to zeros */
};

/* Appends the encoded grid to out. TF_NO_MEMORY or TF_TOO_LARGE as out->err says; TF_INVALID for a value out of range.
 */
enum tf_err meter_codec_encode(enum meter_codec codec, const struct meter_grid *grid, struct tf_buf *out) TF_MUST_USE;

struct meter_decoder; /* tables ready for decoding; borrows the bytes */
/* Reads the header and tables of an encoded grid and checks the row directory. */
enum tf_err meter_decoder_open(struct tf_str bytes, uint32_t rows, uint32_t slots, struct meter_decoder **out,
			       struct tf_fault *f) TF_MUST_USE;
void meter_decoder_free(struct meter_decoder **d);
/* One row, slots values. */
enum tf_err meter_decoder_row(const struct meter_decoder *d, uint32_t row, int64_t *out_values) TF_MUST_USE;
/* Rows first to first + count - 1 one behind the other, slots values each: several times faster than one by one. */
enum tf_err meter_decoder_rows(const struct meter_decoder *d, uint32_t first, uint32_t count,
			       int64_t *out_values) TF_MUST_USE;
/* Where in bytes a row's own part lies, so that a reader can fetch just that (the shared head is [0, *out_head)). */
void meter_decoder_row_span(const struct meter_decoder *d, uint32_t row, size_t *out_head, size_t *out_offset,
			    size_t *out_n);
