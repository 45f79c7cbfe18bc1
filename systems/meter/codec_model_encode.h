/* The parts of METER_CODEC_MODEL's encoder: rows to tokens (codec_tokens.c), tokens to classes and tables
 * (codec_classes.c), tables to bits (codec_model_encode.c). */
#pragma once
#include "codec_model.h"

/* What is done with a row. */
struct model_row {
	uint8_t kind; /* MODEL_ROW_PLAIN; else CLASS or SHAPED, class added once known */
	uint8_t flags;
	uint8_t class;
	uint64_t quantum;
	int64_t offset;
	int64_t low, high, first; /* of the shaped values */
};

/* A block on its way: rows * slots tokens and contexts. */
struct model_work {
	const struct meter_grid *grid;
	struct model_head head;
	struct model_row *rows;
	uint8_t *token, *context;
	int64_t *shaped;   /* one row */
	int64_t base[256]; /* of tokens */
	uint8_t raw_bits[256];
	uint32_t *lengths;
	struct model_tables tables;
	struct model_tables other; /* while numbers of classes are compared */
	/* counts[class * 256 + context][token], of head.tokens each; one class more for all together */
	uint32_t *counts;
};

static inline bool
model_row_coded(const struct model_row *r)
{
	return r->kind != MODEL_ROW_PLAIN;
}

/* Chooses each row's kind and shape, and from their ranges the head's zero, tokens, shift, day. */
void model_rows_plan(struct model_work *w);
/* The row's values as planned: divided, less offset, differences. In w->shaped, or the grid's own where nothing is
 * done to them; good until the next call. */
const int64_t *model_row_shape(struct model_work *w, uint32_t row);
/* Tokens and contexts of a planned row. */
void model_row_tokens(struct model_work *w, uint32_t row);
/* Classes of rows, tables of classes. TF_NO_MEMORY. */
enum tf_err model_classes_choose(struct model_work *w) TF_MUST_USE;
