/* Command lines: what is taken, how what is wrong is named, and that help fits the terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/args.h"
#include "base/units.h"

static const struct tf_param params[] = {
	{"data", TF_PARAM_TEXT, true, "DIR", NULL, 0, 0, "the data directory"},
	{"days", TF_PARAM_INT, false, "N", "30", 1, 400, "how many days"},
	{"shift", TF_PARAM_INT, false, "N", NULL, 0, 0, "any number"},
	{"segment", TF_PARAM_SIZE, false, "SIZE", "64MiB", 1024, (int64_t)1 << 30, "bytes of a segment"},
	{"every", TF_PARAM_DURATION, false, "TIME", "15m", TF_SEC, 7 * TF_DAY, "how often"},
	{"start", TF_PARAM_DATE, false, "DATE", NULL, 0, 0, "first day"},
	{"period", TF_PARAM_MONTH, false, "MONTH", NULL, 0, 0, "the month"},
	{"from", TF_PARAM_TIME, false, "TIME", NULL, 0, 0, "first start"},
	{"format", TF_PARAM_CHOICE, false, "nem12|csv|jsonl|cim", "csv", 0, 0,
	 "what the files are; a text long enough that it must be wrapped at least once, or even twice"},
	{"tag", TF_PARAM_LIST, false, "TAG", NULL, 0, 0, "a tag"},
	{"json", TF_PARAM_FLAG, false, NULL, NULL, 0, 0, "one JSON object"},
	{0},
};

static const struct tf_command commands[] = {
	{"load", "takes files in", "FILE...", 1, params, NULL},
	{"show", "shows one", "ID", 0, params, NULL},
	{"verify", "checks everything there is to check, and says what differs, and where, and why it does", NULL, 0,
	 params, NULL},
	{"bare", "has no options", NULL, 0, NULL, NULL},
	{.name = "keep",
	 .summary = "lists, or shows one",
	 .positional = "list|show ID",
	 .positional_min = 1,
	 .positional_max = 2},
	{0},
};

static struct tf_args args;
static struct tf_fault fault;

/* Splits line at blanks and parses it for a command. */
static enum tf_err
parse(int command, const char *line)
{
	static char text[4096];
	static char *argv[256];
	int argc = 0;
	assert_true(strlen(line) < sizeof text);
	memcpy(text, line, strlen(line) + 1);
	for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	memset(&fault, 0, sizeof fault);
	return tf_args_parse(&commands[command], argc, argv, &args, &fault);
}

static void
values_and_positionals_come_in_any_order(void **state)
{
	assert_int_equal(parse(0, "a.csv --data dir --days=7 b.csv --json -- --days -x"), TF_OK);
	assert_true(tf_str_eq(tf_args_text(&args, "data"), TF_STR("dir")));
	assert_string_equal(tf_args_cstr(&args, "data"), "dir");
	assert_int_equal(tf_args_int(&args, "days"), 7);
	assert_true(tf_args_flag(&args, "json"));
	assert_int_equal(args.positional_count, 4);
	assert_string_equal(args.positional[0], "a.csv");
	assert_string_equal(args.positional[1], "b.csv");
	assert_string_equal(args.positional[2], "--days");
	assert_string_equal(args.positional[3], "-x");
	assert_int_equal(parse(0, "- --data=a=b"), TF_OK);
	assert_string_equal(args.positional[0], "-");
	assert_string_equal(tf_args_cstr(&args, "data"), "a=b");
	assert_int_equal(parse(0, "x --data="), TF_OK);
	assert_int_equal(tf_args_text(&args, "data").n, 0);
	assert_true(tf_args_given(&args, "data"));
}

static void
defaults_hold_where_nothing_is_given(void **state)
{
	assert_int_equal(parse(2, "--data d"), TF_OK);
	assert_int_equal(tf_args_int(&args, "days"), 30);
	assert_int_equal(tf_args_int(&args, "segment"), 64 << 20);
	assert_int_equal(tf_args_int(&args, "every"), 15 * TF_MINUTE);
	assert_int_equal(tf_args_int(&args, "format"), 1);
	assert_false(tf_args_given(&args, "days"));
	assert_false(tf_args_flag(&args, "json"));
	assert_null(tf_args_cstr(&args, "from"));
	assert_int_equal(tf_args_text(&args, "from").n, 0);
	assert_int_equal(tf_args_int(&args, "shift"), 0);
}

static void
every_kind_is_read(void **state)
{
	assert_int_equal(parse(2,
			       "--data d --shift -12 --segment 10k --every 1h30m --start 2026-11-24 --period 2026-11 "
			       "--from 2026-11-24T03:15+05:30 --format cim"),
			 TF_OK);
	assert_int_equal(tf_args_int(&args, "shift"), -12);
	assert_int_equal(tf_args_int(&args, "segment"), 10000);
	assert_int_equal(tf_args_int(&args, "every"), 90 * TF_MINUTE);
	assert_int_equal(tf_args_int(&args, "start"), 20781);
	assert_int_equal(tf_args_int(&args, "period"), 56 * 12 + 10);
	assert_int_equal(tf_args_int(&args, "format"), 3);
}

static void
wrong_lines_are_named(void **state)
{
	static const struct {
		int command;
		const char *line, *fault;
	} rows[] = {
		{0, "a", "--data DIR is missing"},
		{0, "--data d", "missing argument: FILE..."},
		{2, "--data d x", "unexpected argument 'x'"},
		{1, "--data d x y", "unexpected argument 'y'"},
		{4, "list 1 2", "unexpected argument '2'"},
		{2, "--dtaa d", "unknown option '--dtaa'; did you mean --data?"},
		{2, "--dayz=3", "unknown option '--dayz=3'; did you mean --days?"},
		{2, "--wholly-other", "unknown option '--wholly-other'"},
		{2, "-q", "unknown option '-q'"},
		{2, "-data d", "unknown option '-data'; did you mean --data?"},
		{2, "--=3", "unknown option '--=3'"},
		{2, "--data", "--data needs a value: DIR"},
		{2, "--data d --json=yes", "--json takes no value"},
		{2, "--data d --data e", "--data is given twice"},
		{2, "--data d --days x", "--days 'x' is not a whole number"},
		{2, "--data d --days 7.5", "--days '7.5' is not a whole number"},
		{2, "--data d --days 0", "--days 0 is not within 1 to 400"},
		{2, "--data d --days 401", "--days 401 is not within 1 to 400"},
		{2, "--data d --days 99999999999999999999", "--days '99999999999999999999' is not a whole number"},
		{2, "--data d --segment 10X", "--segment '10X' is not a size such as 64MiB or 10k"},
		{2, "--data d --segment 1", "--segment 1 is not within 1Ki to 1Gi"},
		{2, "--data d --every 5", "--every '5' is not a duration such as 90s, 15m or 7d"},
		{2, "--data d --every 8d", "--every 8d is not within 1s to 1w"},
		{2, "--data d --start 2026-02-30", "--start '2026-02-30' is not a date, YYYY-MM-DD"},
		{2, "--data d --period 2026", "--period '2026' is not a month, YYYY-MM"},
		{2, "--data d --from soon", "--from 'soon' is not a time such as 2026-11-24 or 2026-11-24T03:15Z"},
		{2, "--data d --format xml", "--format 'xml' is not one of nem12|csv|jsonl|cim"},
		{3, "--x", "unknown option '--x'"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(parse(rows[i].command, rows[i].line), TF_USAGE);
		assert_string_equal(fault.text, rows[i].fault);
	}
	assert_int_equal(parse(3, ""), TF_OK);
}

static void
list_keeps_every_value(void **state)
{
	struct tf_str v;
	assert_int_equal(parse(2, "--tag a --data d --tag=b --tag c"), TF_OK);
	assert_true(tf_args_list(&args, "tag", 0, &v) && tf_str_eq(v, TF_STR("a")));
	assert_true(tf_args_list(&args, "tag", 2, &v) && tf_str_eq(v, TF_STR("c")));
	assert_false(tf_args_list(&args, "tag", 3, &v));
	char line[2048];
	int n = snprintf(line, sizeof line, "--data d");
	for (int i = 0; i <= TF_LIST_MAX; i++)
		n += snprintf(line + n, sizeof line - (size_t)n, " --tag x");
	assert_int_equal(parse(2, line), TF_USAGE);
	assert_string_equal(fault.text, "--tag given too often: at most 64 values");
}

static void
help_is_asked_for_before_anything_is_checked(void **state)
{
	assert_int_equal(parse(0, "--json -h --nonsense"), TF_OK);
	assert_true(args.help);
	assert_int_equal(parse(2, "--data d -- -h"), TF_USAGE); /* after --, an argument */
}

static void
check_width(const struct tf_buf *b)
{
	struct tf_str rest = tf_buf_view(b), line;
	int lines = 0;
	for (; tf_str_cut(&rest, '\n', &line); lines++) {
		assert_true(line.n <= 80);
		assert_true(line.n == 0 || line.p[line.n - 1] != ' ');
	}
	assert_true(lines <= 24);
}

static void
help_fits_the_terminal_and_says_all(void **state)
{
	struct tf_buf b;
	tf_buf_init(&b, 0);
	for (int i = 0; commands[i].name; i++) {
		tf_buf_reset(&b);
		tf_args_help(&commands[i], "tenfold meter", &b);
		check_width(&b);
		tf_buf_u8(&b, 0);
		for (int k = 0; commands[i].params && commands[i].params[k].name; k++)
			assert_non_null(strstr((char *)b.p, commands[i].params[k].name));
	}
	tf_buf_reset(&b);
	tf_args_help_all(commands, "tenfold meter", "smart meter data in four cost tiers, from head-end file to bill",
			 &b);
	check_width(&b);
	tf_buf_u8(&b, 0);
	assert_non_null(strstr((char *)b.p, "  load         takes files in\n"));
	assert_non_null(strstr((char *)b.p,
			       "  verify       checks everything there is to check, and says what differs, and\n"
			       "               where, and why it does\n"));
	tf_buf_release(&b);
}

static void
commands_are_found_or_guessed(void **state)
{
	const char *near;
	assert_ptr_equal(tf_args_find(commands, "load", &near), &commands[0]);
	assert_null(tf_args_find(commands, "verfy", &near));
	assert_string_equal(near, "verify");
	assert_null(tf_args_find(commands, "xyz", &near));
	assert_null(near);
	assert_null(tf_args_find(commands, "", NULL));
	assert_null(tf_args_find(commands, "a-name-that-is-far-too-long-to-be-compared-with-any", &near));
	assert_null(near);
}

static void
sizes_and_durations_are_exact(void **state)
{
	int64_t v;
	char text[32];
	assert_int_equal(tf_size_parse(TF_STR("0"), &v), TF_OK);
	assert_int_equal(v, 0);
	assert_int_equal(tf_size_parse(TF_STR("3GiB"), &v), TF_OK);
	assert_int_equal(v, (int64_t)3 << 30);
	assert_int_equal(tf_size_parse(TF_STR("3GB"), &v), TF_OK);
	assert_int_equal(v, 3000000000);
	assert_int_equal(tf_size_parse(TF_STR("512B"), &v), TF_OK);
	assert_int_equal(v, 512);
	static const char *const bad_sizes[] = {"", "k", "B", "-1", "1.5k", "1kk", "1 k", "1K", "1kib", "1k1"};
	for (size_t i = 0; i < sizeof bad_sizes / sizeof *bad_sizes; i++)
		assert_int_equal(tf_size_parse(tf_str(bad_sizes[i]), &v), TF_INVALID);
	assert_int_equal(tf_size_parse(TF_STR("9999999999G"), &v), TF_TOO_LARGE);
	static const char *const bad_durations[] = {"", "5", "s", "-5s", "1.5h", "1h 30m", "1h30", "5S", "00"};
	for (size_t i = 0; i < sizeof bad_durations / sizeof *bad_durations; i++)
		assert_int_equal(tf_dur_parse(tf_str(bad_durations[i]), &v), TF_INVALID);
	assert_int_equal(tf_dur_parse(TF_STR("9999999999999w"), &v), TF_TOO_LARGE);
	assert_int_equal(tf_dur_parse(TF_STR("2w1d500ms7us"), &v), TF_OK);
	assert_int_equal(v, 15 * TF_DAY + 500007);
	assert_string_equal(tf_dur_format(90 * TF_SEC, text), "90s");
	assert_string_equal(tf_dur_format(-2 * TF_HOUR, text), "-2h");
	assert_string_equal(tf_dur_format(0, text), "0s");
	assert_string_equal(tf_size_format(0, text), "0");
	assert_string_equal(tf_size_format(1001, text), "1001");
	assert_string_equal(tf_size_format(1536, text), "1536");
	assert_string_equal(tf_size_format(64 << 20, text), "64Mi");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_and_positionals_come_in_any_order),
		cmocka_unit_test(defaults_hold_where_nothing_is_given),
		cmocka_unit_test(every_kind_is_read),
		cmocka_unit_test(wrong_lines_are_named),
		cmocka_unit_test(list_keeps_every_value),
		cmocka_unit_test(help_is_asked_for_before_anything_is_checked),
		cmocka_unit_test(help_fits_the_terminal_and_says_all),
		cmocka_unit_test(commands_are_found_or_guessed),
		cmocka_unit_test(sizes_and_durations_are_exact),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
