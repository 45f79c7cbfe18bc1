/* The meta-schemas, embedded. */
#pragma once
#include "base/str.h"

struct tf_str schema_meta_draft_07(void);
struct tf_str schema_meta_schema(void);
struct tf_str schema_meta_core(void);
struct tf_str schema_meta_applicator(void);
struct tf_str schema_meta_unevaluated(void);
struct tf_str schema_meta_validation(void);
struct tf_str schema_meta_meta_data(void);
struct tf_str schema_meta_format_annotation(void);
struct tf_str schema_meta_content(void);
