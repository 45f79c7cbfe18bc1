/* Bodies of the API become commands. Their shape is the contract's (openapi.yaml, checked before: contract.h); here is
 * what a schema cannot say: days that exist, names that can be printed. A body that kept to no contract is refused too,
 * with less to say. *out_field is a JSON pointer ("/holder/phone"). Strings of a command point into the body. Pure. */
#pragma once
#include "base/json.h"
#include "core_policy.h"

#define INSURE_FIELD_MAX 96

/* TF_INVALID names the field. All but partner, which is not the body's to say. */
enum tf_err insure_in_purchase(const struct tf_json *body, struct insure_purchase *out,
			       char out_field[static INSURE_FIELD_MAX], struct tf_fault *f) TF_MUST_USE;
/* {"date": "2026-12-31"}; but policy, which is in the path. */
enum tf_err insure_in_cancel(const struct tf_json *body, struct insure_cancel *out,
			     char out_field[static INSURE_FIELD_MAX], struct tf_fault *f) TF_MUST_USE;
