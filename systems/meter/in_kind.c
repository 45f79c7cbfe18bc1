/* Reading types by the codes of IEC 61968-9, which Green Button ESPI uses as well; see in_parts.h. */
#include <stdio.h>

#include "in_parts.h"

/* Units with their NEM12-like letters: forward (and unsaid), reverse. */
static const struct {
	int uom;
	enum meter_unit unit;
	int8_t exponent;
	char forward, reverse;
} kinds[] = {
	{72, METER_WH, 0, 'E', 'B'},     {73, METER_VARH, 0, 'Q', 'K'}, {71, METER_VAH, 0, 'S', 'T'},
	{38, METER_W, 0, 'P', 'R'},      {63, METER_VAR, 0, 'U', 'U'},  {61, METER_VA, 0, 'Y', 'Y'},
	{29, METER_MV, 3, 'V', 'V'},     {5, METER_MA, 3, 'A', 'A'},    {42, METER_LITRE, 3, 'L', 'L'},
	{134, METER_LITRE, 0, 'L', 'L'}, {65, METER_PF, 3, 'F', 'F'},   {111, METER_COUNT, 3, 'C', 'C'},
};

enum { FLOW_REVERSE = 19, FLOW_NET = 4, GAS = 7, WATER = 9, PHASE_A = 128, PHASE_B = 64, PHASE_C = 32 };

static char
letter_of(const struct in_kind *k, size_t i)
{
	if (k->uom == 72 && k->flow == FLOW_NET)
		return 'N';
	if (kinds[i].unit == METER_LITRE)
		return k->commodity == GAS ? 'G' : k->commodity == WATER ? 'W' : 'L';
	return k->flow == FLOW_REVERSE ? kinds[i].reverse : kinds[i].forward;
}

bool
in_kind_channel(const struct in_kind *k, enum meter_unit *out_unit, int8_t *out_exponent,
		char out_channel[static METER_CHANNEL_MAX])
{
	size_t i = 0, count = sizeof(kinds) / sizeof(kinds[0]);
	while (i < count && kinds[i].uom != k->uom)
		i++;
	if (i == count || k->multiplier < -12 || k->multiplier > 12 || k->tou < 0 || k->tou > 999)
		return false;
	*out_unit = kinds[i].unit;
	*out_exponent = (int8_t)(kinds[i].exponent + k->multiplier);
	char phase = k->phase == PHASE_B ? '2' : k->phase == PHASE_C ? '3' : '1', tou[8] = "";
	if (k->tou)
		snprintf(tou, sizeof(tou), "T%d", (int)k->tou);
	snprintf(out_channel, METER_CHANNEL_MAX, "%c%c%s%s", letter_of(k, i), phase, tou,
		 k->interval_s >= 86400 ? "D" : "");
	return true;
}

bool
in_kind_counts_up(const struct in_kind *k)
{
	return k->accumulation == 1 || k->accumulation == 3 || k->accumulation == 9;
}

bool
in_scale_value(int64_t value, int exponent, int64_t *out)
{
	int64_t v = value;
	for (; exponent > 0 && v; exponent--)
		if (__builtin_mul_overflow(v, 10, &v))
			return false;
	if (exponent < 0) {
		int64_t p = 1;
		for (int i = 0; i < -exponent && i < 18; i++)
			p *= 10;
		int64_t q = v / p, r = v % p, twice = 2 * (r < 0 ? -r : r);
		if (exponent < -18)
			q = 0;
		else if (twice > p || (twice == p && (q & 1)))
			q += v < 0 ? -1 : 1;
		v = q;
	}
	if (v > METER_VALUE_MAX || v < -METER_VALUE_MAX)
		return false;
	*out = v;
	return true;
}
