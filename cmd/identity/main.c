/* tenfold-identity: an issuer of certificates and access tokens, for development and for tests; docs/identity.md.
 *
 *   cmd_init, cmd_cert -> pki (CA, certificates, CRL)     cmd_client, cmd_keys -> state (one directory)
 *   cmd_serve -> issuer (who asks: issuer_auth; what it gets: issuer_token)     cmd_check -> spine/serve/oauth */
#include <sys/stat.h>

#include "cli.h"

int
main(int argc, char **argv)
{
	static const struct tf_command *const verbs[] = {
		&identity_cmd_init,          &identity_cmd_cert_issue,  &identity_cmd_cert_revoke,
		&identity_cmd_cert_list,     &identity_cmd_client_add,  &identity_cmd_client_list,
		&identity_cmd_client_remove, &identity_cmd_keys_rotate, &identity_cmd_keys_list,
		&identity_cmd_serve,         &identity_cmd_check,       NULL};
	umask(077); /* private keys, and what stands beside them */
	struct tf_program p = {"identity", "certificates and access tokens, for development", TF_VERSION, verbs,
			       tf_os_real()};
	return tf_program_main(&p, argc, argv);
}
