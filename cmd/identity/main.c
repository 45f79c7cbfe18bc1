/* tenfold-identity: an issuer of certificates and access tokens, for development and for tests; docs/identity.md.
 *
 *   cmd_init, cmd_cert -> pki (CA, certificates, CRL)     cmd_client, cmd_keys -> state (one directory)
 *   cmd_serve -> issuer (who asks: issuer_auth; what it gets: issuer_token)     cmd_check -> spine/serve/oauth */
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cli.h"

static struct tf_command commands[16];

static void
wire(void)
{
	const struct tf_command *all[] = {
		&identity_cmd_init,          &identity_cmd_cert_issue,  &identity_cmd_cert_revoke,
		&identity_cmd_cert_list,     &identity_cmd_client_add,  &identity_cmd_client_list,
		&identity_cmd_client_remove, &identity_cmd_keys_rotate, &identity_cmd_keys_list,
		&identity_cmd_serve,         &identity_cmd_check};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		commands[i] = *all[i];
}

static int
help(FILE *to, int code)
{
	struct tf_buf b;
	tf_buf_init(&b, 0);
	tf_args_help_all(commands, "tenfold identity", "certificates and access tokens, for development", &b);
	fwrite(b.p, 1, b.n, to);
	tf_buf_release(&b);
	return code ? code : identity_cli_finish(0);
}

/* "cert issue" is one verb of two words; *used is how many of argv it took. */
static const struct tf_command *
find(int argc, char **argv, const char **near, int *used)
{
	char two[64];
	*used = 2;
	const struct tf_command *c = tf_args_find(commands, argv[1], near);
	if (c || argc < 3 || snprintf(two, sizeof two, "%s %s", argv[1], argv[2]) >= (int)sizeof two)
		return c;
	*used = 3;
	return tf_args_find(commands, two, near);
}

int
main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	umask(077); /* private keys, and what stands beside them */
	wire();
	if (argc < 2)
		return help(stderr, 2);
	if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
		return help(stdout, 0);
	if (strcmp(argv[1], "--version") == 0) {
		printf("tenfold-identity " TF_VERSION "\n");
		return identity_cli_finish(0);
	}
	const char *near = NULL;
	int used;
	const struct tf_command *c = find(argc, argv, &near, &used);
	if (!c) {
		fprintf(stderr, "tenfold identity: unknown verb '%.60s'%s%s%s\n", argv[1],
			near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
		return 2;
	}
	return c->run(tf_os_real(), c, argc - used, argv + used);
}
