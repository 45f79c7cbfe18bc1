/* Bodies of the API become commands. Strict: every member is known, has its type and fits, or the fault says what is
 * wrong and *out_field where, as a JSON pointer ("/holder/phone"). Strings of a command point into body and arena.
 * Pure. */
#pragma once
#include "base/arena.h"
#include "core_policy.h"

#define INSURE_FIELD_MAX 96

/* TF_INVALID for a body that breaks its contract; TF_TOO_LARGE when the arena is full. But partner, which is not the
 * body's to say. */
enum tf_err insure_in_purchase(struct tf_str body, struct tf_arena *arena, struct insure_purchase *out,
			       char out_field[static INSURE_FIELD_MAX], struct tf_fault *f) TF_MUST_USE;
/* {"date": "2026-12-31"}; but policy, which is in the path. */
enum tf_err insure_in_cancel(struct tf_str body, struct tf_arena *arena, struct insure_cancel *out,
			     char out_field[static INSURE_FIELD_MAX], struct tf_fault *f) TF_MUST_USE;
