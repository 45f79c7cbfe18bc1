/* How fast the generator is: sim_bench [METERS]; 30 days of 96 readings each, one core, nothing written. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "sim.h"

int
main(int argc, char **argv)
{
	uint64_t meters = argc > 1 ? strtoull(argv[1], NULL, 10) : 20000;
	for (int kind = -1; kind < METER_SIM_PROFILE_COUNT; kind++) {
		struct timespec from, to;
		int64_t in[96], out[96], sum = 0;
		uint64_t readings = 0;
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
		for (uint64_t i = 0; i < meters; i++) {
			struct meter_sim_meter m;
			if (kind < 0)
				meter_sim_meter_init(&m, 1, i);
			else
				meter_sim_meter_init_as(&m, 1, i, (enum meter_sim_profile)kind);
			for (int32_t day = 0; day < 30; day++) {
				meter_sim_day(&m, 20540 + day, 0, 96, in, m.channels > 1 ? out : NULL);
				sum += in[40];
				readings += 96 * m.channels;
			}
		}
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
		double seconds = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) * 1e-9;
		printf("%-10s %6.1f M readings/s of processor time (check %lld)\n",
		       kind < 0 ? "mixed" : meter_sim_profile_text((enum meter_sim_profile)kind),
		       (double)readings / seconds / 1e6, (long long)sum);
	}
	return 0;
}
