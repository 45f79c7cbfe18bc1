/* tenfold-meter: the wiring. Outside bytes come in by in_*, are decided by core_*, kept by the log, moved by out_tier,
 * and seen through scan, view_usage and the verbs (cmd_*).
 *
 *   files, HTTP -> in -> batch -> core_ingest -> flow (log) -> publish -> core_revise -> blocks, aggregates, catalog
 *   hot -> warm -> cold: out_tier        queries: scan (tiers), view_usage (aggregates) */
#include "cli.h"

int
main(int argc, char **argv)
{
	static const struct tf_command *const verbs[] = {
		&meter_cmd_load,     &meter_cmd_read,       &meter_cmd_tier,   &meter_cmd_usage,
		&meter_cmd_verify,   &meter_cmd_quarantine, &meter_cmd_sql,    &meter_cmd_network,
		&meter_cmd_cost,     &meter_cmd_missing,    &meter_cmd_replay, &meter_cmd_bill,
		&meter_cmd_simulate, &meter_cmd_serve,      &meter_cmd_report, NULL};
	struct meter_cli cli = {tf_os_real()};
	struct tf_program p = {"meter", "smart meter data in four cost tiers, from head-end file to bill", TF_VERSION,
			       verbs, &cli};
	return tf_program_main(&p, argc, argv);
}
