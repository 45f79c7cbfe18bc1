/* The JSON reader: any bytes are refused with a place, or give a tree that is written and read back to the same text.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"

static void
write_node(const struct tf_json *v, struct tf_buf *b)
{
	struct tf_json_out w = tf_json_out(b);
	tf_json_put_node(&w, v);
	tf_json_finish(&w);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tf_arena arena;
	struct tf_buf first, second;
	struct tf_fault f = {0};
	const struct tf_json *v = NULL;
	int64_t n;
	tf_arena_init(&arena, "fuzz", 1 << 22);
	tf_buf_init(&first, 0);
	tf_buf_init(&second, 0);
	enum tf_err e = tf_json_parse(tf_str_n(data, size), &arena, 0, &v, &f);
	if (e == TF_OK) {
		write_node(v, &first);
		TF_ASSERT(tf_json_parse(tf_buf_view(&first), &arena, 0, &v, &f) == TF_OK || f.code != TF_INVALID);
		write_node(v, &second);
		TF_ASSERT(tf_str_eq(tf_buf_view(&first), tf_buf_view(&second)));
		tf_json_i64(v, &n);
		tf_json_decimal(tf_json_first(v), 3, &n);
	} else {
		TF_ASSERT(f.code == e && f.text[0]);
	}
	tf_buf_release(&first);
	tf_buf_release(&second);
	tf_arena_release(&arena);
	return 0;
}
