/* What the parts of the YAML reader share; see yaml.h. */
#pragma once
#include "serve/yaml.h"

enum yaml_scalar {
	YAML_NULL,
	YAML_TRUE,
	YAML_FALSE,
	YAML_NUMBER,
	YAML_STRING,
	YAML_BAD_NUMBER, /* one that JSON has no form for */
	YAML_NO_MEMORY,
};

/* What a plain scalar is; *out is a number's lexeme, else s. */
enum yaml_scalar yaml_plain(struct tf_str s, struct tf_arena *a, struct tf_str *out);
