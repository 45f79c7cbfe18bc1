/* YAML 1.2, core schema, into the tree that the JSON reader makes (base/json.h): for contracts and configuration.
 *
 * What JSON cannot say is refused: tags, merge keys ("<<"), keys that are no scalars, several documents, .inf and .nan.
 * Duplicate keys are refused, as in JSON. Plain scalars have the types of YAML 1.2 and no others: no, yes, on and off
 * are strings, 0o17 and 0x1f are numbers, 017 is 17, 12:30 and 2001-01-01 are strings. A number keeps its digits, in
 * the form JSON gives them: +.50 becomes 0.50. A key is the text of its scalar: 200: is "200". Aliases share what they
 * name; expanded they may not exceed TF_YAML_NODES_MAX, and none may contain itself. Faults name line and column.
 *
 * Ownership: the tree lives in the caller's arena and may point into the text, which must outlive it. `at` are byte
 * offsets in the text; those below an alias are where it was written. Thread rule: pure. Syntax: libyaml
 * (docs/decisions/yaml.md). */
#pragma once
#include "base/json.h"

#define TF_YAML_NODES_MAX 1000000 /* with aliases expanded */
#define TF_YAML_TEXT_MAX  ((size_t)64 << 20)

/* depth_max 0: TF_JSON_DEPTH. An empty text is null. Errors as tf_json_parse. */
enum tf_err tf_yaml_parse(struct tf_str text, struct tf_arena *arena, int depth_max, const struct tf_json **out,
			  struct tf_fault *f) TF_MUST_USE;
