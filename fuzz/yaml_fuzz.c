/* The YAML reader: any bytes are refused with a place, or give a tree that JSON can write and read back to the same. */
#include <stddef.h>
#include <stdint.h>

#include "serve/schema.h"
#include "serve/yaml.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tf_arena arena;
	struct tf_buf text;
	struct tf_fault f = {0};
	const struct tf_json *v = NULL, *again = NULL;
	tf_arena_init(&arena, "fuzz", 1 << 24);
	tf_buf_init(&text, 1 << 22);
	enum tf_err e = tf_yaml_parse(tf_str_n(data, size), &arena, 0, &v, &f);
	if (e == TF_OK) {
		struct tf_json_out w = tf_json_out(&text);
		tf_json_put_node(&w, v);
		tf_json_finish(&w);
		if (!text.err && tf_json_parse(tf_buf_view(&text), &arena, 0, &again, &f) == TF_OK)
			TF_ASSERT(tf_json_same(v, again));
		else
			TF_ASSERT(text.err || f.code != TF_INVALID);
	} else {
		TF_ASSERT(f.code == e && f.text[0]);
	}
	tf_buf_release(&text);
	tf_arena_release(&arena);
	return 0;
}
