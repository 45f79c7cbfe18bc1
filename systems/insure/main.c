/* tenfold-insure: the wiring. An insurer's side of an exchange: policies are sold, looked up and cancelled.
 *
 *   HTTP -> api -> in_purchase -> core_policy -> flow (log, one sync for many) -> answer, from the log's record
 *                  flow/idem: known key -> the stored answer        state: slots in memory, snapshot by flow/pages
 *   look-up: api_get -> slot -> view_policy */
#include "cli.h"

int
main(int argc, char **argv)
{
	static const struct tf_command *const verbs[] = {&insure_cmd_serve, &insure_cmd_simulate, &insure_cmd_verify,
							 NULL};
	struct insure_cli cli = {tf_os_real()};
	struct tf_program p = {"insure", "an insurer's side of an exchange: policies sold and looked up", TF_VERSION,
			       verbs, &cli};
	return tf_program_main(&p, argc, argv);
}
