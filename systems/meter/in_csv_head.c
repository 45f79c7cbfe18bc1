/* What a CSV header says: names, units, intervals, and the columns of a long CSV. */
#include "in_csv.h"

static const struct {
	const char *name;
	enum in_csv_role role;
} roles[] = {
	{"meter", IN_CSV_METER},
	{"meter_id", IN_CSV_METER},
	{"meterid", IN_CSV_METER},
	{"nmi", IN_CSV_METER},
	{"mpan", IN_CSV_METER},
	{"device", IN_CSV_METER},
	{"device_id", IN_CSV_METER},
	{"meter_number", IN_CSV_METER},
	{"serial", IN_CSV_METER},
	{"channel", IN_CSV_CHANNEL},
	{"channel_id", IN_CSV_CHANNEL},
	{"register", IN_CSV_CHANNEL},
	{"register_id", IN_CSV_CHANNEL},
	{"suffix", IN_CSV_CHANNEL},
	{"start", IN_CSV_START},
	{"timestamp", IN_CSV_START},
	{"time", IN_CSV_START},
	{"ts", IN_CSV_START},
	{"datetime", IN_CSV_START},
	{"date_time", IN_CSV_START},
	{"interval_start", IN_CSV_START},
	{"start_time", IN_CSV_START},
	{"period_start", IN_CSV_START},
	{"from", IN_CSV_START},
	{"end", IN_CSV_END},
	{"interval_end", IN_CSV_END},
	{"end_time", IN_CSV_END},
	{"period_end", IN_CSV_END},
	{"to", IN_CSV_END},
	{"value", IN_CSV_VALUE},
	{"reading", IN_CSV_VALUE},
	{"consumption", IN_CSV_VALUE},
	{"usage", IN_CSV_VALUE},
	{"energy", IN_CSV_VALUE},
	{"demand", IN_CSV_VALUE},
	{"quantity", IN_CSV_VALUE},
	{"unit", IN_CSV_UNIT},
	{"units", IN_CSV_UNIT},
	{"uom", IN_CSV_UNIT},
	{"quality", IN_CSV_QUALITY},
	{"quality_flag", IN_CSV_QUALITY},
	{"status", IN_CSV_QUALITY},
	{"issued", IN_CSV_ISSUED},
	{"issued_at", IN_CSV_ISSUED},
	{"updated", IN_CSV_ISSUED},
	{"updated_at", IN_CSV_ISSUED},
	{"update_time", IN_CSV_ISSUED},
	{"interval", IN_CSV_INTERVAL},
	{"interval_s", IN_CSV_INTERVAL},
	{"interval_length", IN_CSV_INTERVAL},
	{"duration", IN_CSV_INTERVAL},
};

enum in_csv_role
in_csv_role(const struct in_csv_head *head)
{
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (!strcmp(head->name, roles[i].name))
			return roles[i].role;
	return IN_CSV_OTHER;
}

/* One word of a header's bracket. */
static bool
read_word(struct tf_str word, struct in_csv_head *h)
{
	uint64_t number;
	if (in_unit(word, &h->unit, &h->exponent)) {
		h->has_unit = true;
		return true;
	}
	if (tf_str_eq_nocase(word, TF_STR("utc")) || tf_str_eq_nocase(word, TF_STR("gmt"))) {
		h->utc = true;
		return true;
	}
	return !tf_str_u64(word, &number) && in_interval(word, &h->interval_s);
}

/* "kWh", "kWh, 30 min", "UTC; PT15M" */
static void
read_bracket(struct tf_str inner, struct in_csv_head *h)
{
	while (inner.n) {
		size_t n = 0;
		while (n < inner.n && inner.p[n] != ',' && inner.p[n] != ';')
			n++;
		struct tf_str word = tf_str_trim(tf_str_n(inner.p, n));
		if (word.n && !read_word(word, h) && !h->unknown.n)
			h->unknown = word;
		n += n < inner.n;
		inner.p += n, inner.n -= n;
	}
}

/* Lower case, blanks and dashes to '_'. */
static void
fold_name(struct tf_str label, char out[static 32])
{
	out[0] = 0;
	if (label.n > 31)
		return;
	for (size_t i = 0; i < label.n; i++) {
		char ch = label.p[i];
		if (ch >= 'A' && ch <= 'Z')
			ch = (char)(ch + 32);
		out[i] = ch == ' ' || ch == '-' ? '_' : ch;
	}
	out[label.n] = 0;
}

/* "energy_kwh" -> "energy" in kWh; "kwh" alone is a value in kWh. */
static void
take_unit_off(struct in_csv_head *h)
{
	enum meter_unit unit;
	int8_t exponent;
	char *at = strrchr(h->name, '_');
	const char *word = at ? at + 1 : h->name;
	if (h->has_unit || !in_unit(tf_str(word), &unit, &exponent) || !strcmp(word, "count"))
		return;
	if (!at && strlen(word) < 2 + (strcmp(word, "wh") != 0)) /* a short name may as well be a meter's: "M3", "KA" */
		return;
	if (!at)
		memcpy(h->name, "value", sizeof("value"));
	else
		*at = 0;
	if (at && in_csv_role(h) != IN_CSV_VALUE) {
		*at = '_';
		return;
	}
	h->has_unit = true;
	h->unit = unit;
	h->exponent = exponent;
}

void
in_csv_head(struct tf_str cell, struct in_csv_head *out)
{
	*out = (struct in_csv_head){.label = tf_str_trim(cell)};
	struct tf_str s = out->label;
	char last = s.n ? s.p[s.n - 1] : 0, opening = last == ')' ? '(' : last == ']' ? '[' : 0;
	const char *at = opening ? memrchr(s.p, opening, s.n) : NULL;
	if (at) {
		read_bracket(tf_str_n(at + 1, (size_t)(s.p + s.n - 1 - (at + 1))), out);
		out->label = tf_str_trim(tf_str_n(s.p, (size_t)(at - s.p)));
	}
	fold_name(out->label, out->name);
	take_unit_off(out);
}

uint32_t
in_csv_step(const tf_time *starts, size_t n)
{
	tf_time best = 0;
	size_t best_count = 0;
	n = n > 64 ? 64 : n;
	for (size_t i = 1; i < n; i++) {
		tf_time step = starts[i] - starts[i - 1];
		size_t count = 0;
		if (step <= 0 || step > METER_INTERVAL_MAX_S * TF_SEC)
			continue;
		for (size_t k = 1; k < n; k++)
			count += starts[k] - starts[k - 1] == step;
		if (count > best_count || (count == best_count && step < best)) {
			best = step;
			best_count = count;
		}
	}
	return (uint32_t)(best / TF_SEC);
}
