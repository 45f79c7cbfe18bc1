/* tenfold-contract: what an API promises, looked at from outside: a schema against an instance, an OpenAPI document by
 * itself, two versions of it, recorded traffic against a new one. The work is spine/serve's schema and contract. */
#include "cli.h"

int
main(int argc, char **argv)
{
	static const struct tf_command *const verbs[] = {&contract_cmd_validate, &contract_cmd_lint, &contract_cmd_diff,
							 &contract_cmd_replay, NULL};
	struct tf_program p = {"contract", "API contracts: JSON Schema and OpenAPI 3.0 and 3.1", TF_VERSION, verbs,
			       NULL};
	return tf_program_main(&p, argc, argv);
}
