/* tenfold identity cert issue | revoke | list */
#include "cli.h"
#include "pki.h"

static const struct tf_param issue_params[] = {
	IDENTITY_PARAM_DIR,
	{"name", TF_PARAM_TEXT, true, "NAME", NULL, 0, 0, "common name, and the files' name"},
	{"server", TF_PARAM_FLAG, false, NULL, NULL, 0, 0, "for a server (default: for a client)"},
	{"san", TF_PARAM_LIST, false, "NAME", NULL, 0, 0, "a host name or address"},
	{"days", TF_PARAM_INT, false, "N", "90", 1, 3650, "it is good for (production: at most 90)"},
	IDENTITY_PARAM_JSON,
	{0},
};

static void
report_issue(const struct identity *id, const struct tf_args *a, const char *thumbprint)
{
	struct tf_str name = tf_args_text(a, "name");
	struct tf_buf b;
	tf_buf_init(&b, 0);
	if (tf_args_flag(a, "json")) {
		char path[IDENTITY_PATH_MAX], *text = path;
		struct tf_json_out w = tf_json_out(&b);
		tf_json_begin_object(&w);
		tf_json_set_str(&w, "name", name);
		if (!identity_path(id, "certs", tf_args_cstr(a, "name"), ".pem", path, NULL))
			tf_json_set_cstr(&w, "certificate", text);
		if (!identity_path(id, "certs", tf_args_cstr(a, "name"), ".key", path, NULL))
			tf_json_set_cstr(&w, "key", text);
		tf_json_set_cstr(&w, "thumbprint", thumbprint);
		tf_json_end_object(&w);
		tf_json_finish(&w);
	} else {
		tf_buf_printf(&b, "certificate  %s/certs/%.*s.pem\nkey          %s/certs/%.*s.key\nx5t#S256     %s\n",
			      id->dir, TF_FMT(name), id->dir, TF_FMT(name), thumbprint);
	}
	tf_program_print(&b);
}

static enum tf_err
issue(struct identity *id, const struct tf_args *a, char thumbprint[static 44], struct tf_fault *f)
{
	struct pki_spec s = {.name = tf_args_text(a, "name"),
			     .server = tf_args_flag(a, "server"),
			     .days = (int)tf_args_int(a, "days")};
	if (!identity_name_ok(s.name))
		return tf_fault(f, TF_USAGE, "--name: letters, digits, '.', '_' and '-', at most 64");
	if (id->production && s.days > 90)
		return tf_fault(f, TF_DENIED, "production: a certificate is good for at most 90 days");
	while (s.san_count < PKI_SANS_MAX && tf_args_list(a, "san", (int)s.san_count, &s.sans[s.san_count]))
		s.san_count++;
	struct tf_str more;
	if (tf_args_list(a, "san", PKI_SANS_MAX, &more))
		return tf_fault(f, TF_USAGE, "--san: at most %d", PKI_SANS_MAX);
	if (s.server && !s.san_count)
		return tf_fault(f, TF_USAGE, "--server needs a --san: clients look at nothing else");
	return pki_issue(id, &s, thumbprint, f);
}

static int
run_issue(void *os, const struct tf_command *self, int argc, char **argv)
{
	struct tf_args a;
	struct tf_fault f = {0};
	struct identity id;
	char thumbprint[44];
	int code;
	if (!tf_program_args(self, argc, argv, &a, &code))
		return code;
	if (identity_open(os, tf_args_cstr(&a, "dir"), true, &id, &f))
		return tf_program_fail(&f);
	enum tf_err e = issue(&id, &a, thumbprint, &f);
	if (!e)
		report_issue(&id, &a, thumbprint);
	identity_close(&id);
	return e ? tf_program_fail(&f) : tf_program_finish(0);
}

const struct tf_command identity_cmd_cert_issue = {
	.name = "cert issue", .summary = "a certificate and its key", .params = issue_params, .run = run_issue};

static const struct tf_param revoke_params[] = {
	IDENTITY_PARAM_DIR,
	{"name", TF_PARAM_TEXT, false, "NAME", NULL, 0, 0, "whose certificate; without: only a fresh crl.pem"},
	{0},
};

static int
run_revoke(void *os, const struct tf_command *self, int argc, char **argv)
{
	struct tf_args a;
	struct tf_fault f = {0};
	struct identity id;
	int code;
	if (!tf_program_args(self, argc, argv, &a, &code))
		return code;
	if (identity_open(os, tf_args_cstr(&a, "dir"), true, &id, &f))
		return tf_program_fail(&f);
	enum tf_err e =
		tf_args_given(&a, "name") ? pki_revoke(&id, tf_args_text(&a, "name"), &f) : pki_write_crl(&id, 30, &f);
	identity_close(&id);
	return e ? tf_program_fail(&f) : tf_program_finish(0);
}

const struct tf_command identity_cmd_cert_revoke = {.name = "cert revoke",
						    .summary = "take a certificate back, write crl.pem",
						    .params = revoke_params,
						    .run = run_revoke};

static const struct tf_param list_params[] = {IDENTITY_PARAM_DIR, {0}};

static int
run_list(void *os, const struct tf_command *self, int argc, char **argv)
{
	return identity_cli_list(os, self, argc, argv, "certs.json", tf_json_put_node);
}

const struct tf_command identity_cmd_cert_list = {.name = "cert list",
						  .summary = "what was issued, one JSON object a line",
						  .params = list_params,
						  .run = run_list};
