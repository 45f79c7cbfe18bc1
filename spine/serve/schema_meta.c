/* The meta-schemas of draft 7 and 2020-12, built in, as json-schema.org publishes them: tools/metaschema.py. */
#include "serve/schema_meta.h"
#include "serve/schema_impl.h"

bool
schema_meta(struct tf_str uri, struct tf_str *out)
{
	static const struct {
		const char *uri;
		struct tf_str (*text)(void);
	} metas[] = {
		{"http://json-schema.org/draft-07/schema", schema_meta_draft_07},
		{"https://json-schema.org/draft/2020-12/schema", schema_meta_schema},
		{"https://json-schema.org/draft/2020-12/meta/core", schema_meta_core},
		{"https://json-schema.org/draft/2020-12/meta/applicator", schema_meta_applicator},
		{"https://json-schema.org/draft/2020-12/meta/unevaluated", schema_meta_unevaluated},
		{"https://json-schema.org/draft/2020-12/meta/validation", schema_meta_validation},
		{"https://json-schema.org/draft/2020-12/meta/meta-data", schema_meta_meta_data},
		{"https://json-schema.org/draft/2020-12/meta/format-annotation", schema_meta_format_annotation},
		{"https://json-schema.org/draft/2020-12/meta/content", schema_meta_content},
	};
	for (size_t i = 0; i < sizeof metas / sizeof *metas; i++)
		if (tf_str_eq(uri, tf_str(metas[i].uri))) {
			*out = metas[i].text();
			return true;
		}
	return false;
}
