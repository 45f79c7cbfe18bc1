/* --otlp and --otlp-sample; see listen.h. */
#include "serve/listen.h"
#include "serve/otlp.h"

enum tf_err
tf_listen_otlp(struct tf_os *os, const struct tf_args *args, const char *service, const char *version,
	       struct tf_watch *watch, struct tf_otlp **out, struct tf_fault *f)
{
	struct tf_otlp_options o = {.url = tf_args_cstr(args, "otlp"),
				    .service = service,
				    .version = version,
				    .watch = watch,
				    .skip_ppm = (uint32_t)(100 - tf_args_int(args, "otlp-sample")) * 10000};
	if (!o.url)
		return TF_OK;
	enum tf_err e = tf_otlp_new(os, &o, out, f);
	return e == TF_INVALID ? tf_fault_wrap(f, TF_USAGE, "--otlp") : e;
}
