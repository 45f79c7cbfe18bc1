/* The reader and writer as a filter, for json_oracle.py: texts on stdin, each after its length as a line, answers on
 * stdout: "no", or the text as written back. */
#include <stdio.h>

#include "base/json.h"
#include "base/mem.h"

static bool
answer(struct tf_str text, struct tf_arena *arena)
{
	const struct tf_json *v;
	struct tf_buf b;
	tf_buf_init(&b, 0);
	tf_arena_reset(arena);
	if (tf_json_parse(text, arena, 0, &v, NULL) == TF_OK) {
		struct tf_json_out w = tf_json_out(&b);
		tf_json_put_node(&w, v);
		tf_json_finish(&w);
	} else {
		tf_buf_cstr(&b, "no\n");
	}
	bool ok = !b.err && fwrite(b.p, 1, b.n, stdout) == b.n;
	tf_buf_release(&b);
	return ok;
}

int
main(void)
{
	struct tf_arena arena;
	tf_arena_init(&arena, "probe", 1 << 24);
	char line[32];
	uint64_t n;
	while (fgets(line, sizeof line, stdin)) {
		if (!tf_str_u64(tf_str_trim(tf_str(line)), &n))
			return 1;
		char *text = tf_malloc(n);
		if (!text || fread(text, 1, n, stdin) != n || !answer(tf_str_n(text, n), &arena))
			return 1;
		tf_free(text);
	}
	tf_arena_release(&arena);
	return 0;
}
