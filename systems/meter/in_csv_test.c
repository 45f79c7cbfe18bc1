/* CSV, wide and long: headers, times, cells, and every rule with its line and field. */
#include "in_transcript.h"
#include "os/os.h"

static void
check_zone(const char *zone, const char *input, const char *want)
{
	struct meter_in_options o = {.name = TF_STR("x.csv")};
	struct tf_zone *z = NULL;
	struct tf_fault f = {0};
	if (tf_os_zone(tf_os_real(), tf_str(zone), &z, &f) != TF_OK)
		skip(); /* no zoneinfo here */
	o.zone = z;
	check_options(&o, tf_str(input), want);
	tf_zone_free(&z);
}

static void
wide_columns_become_runs(void **state)
{
	check("time,M1,M2\r\n2024-01-01T00:00:00Z,1,2\r\n2024-01-01T00:15:00Z,3,\r\n2024-01-01T00:30:00Z,5,6\r\n",
	      "M1 E1 Wh 900 2024-01-01T00:00:00Z A: 1 3 5\nM2 E1 Wh 900 2024-01-01T00:00:00Z A: 2 _ 6\n");
}

static void
wide_header_says_unit_interval_channel(void **state)
{
	check("time (kWh; 15 min; UTC),M1,M2:B1 [Wh],\"M,3\",M4 [kvarh]\n2024-01-01 00:00,1.5,2,3,4\n",
	      "!1.4 csv-column: the column's header is 'M,3' <time (kWh; 15 min; UTC),M1,M2:B1 [Wh],\"M,3\",M4 "
	      "[kvarh]\\n>\n"
	      "M1 E1 Wh 900 2024-01-01T00:00:00Z A: 1500\n"
	      "M2 B1 Wh 900 2024-01-01T00:00:00Z A: 2\n"
	      "M4 E1 varh 900 2024-01-01T00:00:00Z A: 4000\n");
}

static void
wide_gaps_and_steps_back_split_runs(void **state)
{
	check("start;M1\n2024-01-01T00:00Z;1\n2024-01-01T01:00Z;2,5\n2024-01-01T03:00Z;3\n2024-01-01T04:00Z;4\n"
	      "2024-01-01T01:00Z;5\n2024-01-01T01:00Z;6\n",
	      "M1 E1 Wh 3600 2024-01-01T00:00:00Z A: 1 2\nM1 E1 Wh 3600 2024-01-01T03:00:00Z A: 3 4\n"
	      "M1 E1 Wh 3600 2024-01-01T01:00:00Z A: 5\nM1 E1 Wh 3600 2024-01-01T01:00:00Z A: 6\n");
}

static void
wide_separators_and_quotes(void **state)
{
	check("\xef\xbb\xbf\"time\"\t\"M1\"\tM2\n\"2024-01-01T00:00Z\"\t\"1\"\t 2 \n2024-01-01T00:30Z\t3\tNaN\t\n\n",
	      "M1 E1 Wh 1800 2024-01-01T00:00:00Z A: 1 3\nM2 E1 Wh 1800 2024-01-01T00:00:00Z A: 2\n");
}

static void
wide_bad_cell_costs_that_cell_only(void **state)
{
	check("time,M1,M2,M3\n2024-01-01T00:00Z,1,2,3\n2024-01-01T00:30Z,1,oops,1e99\n",
	      "!3.3 value: the value is 'oops' <2024-01-01T00:30Z,1,oops,1e99\\n>\n"
	      "!3.4 value-range: the value is '1e99' <2024-01-01T00:30Z,1,oops,1e99\\n>\n"
	      "M1 E1 Wh 1800 2024-01-01T00:00:00Z A: 1*2\nM2 E1 Wh 1800 2024-01-01T00:00:00Z A: 2\n"
	      "M3 E1 Wh 1800 2024-01-01T00:00:00Z A: 3\n");
}

/* Of many columns the record is the time and the cell, so that rows of bad cells stay of the source's size. */
static void
wide_bad_cell_of_many_columns_is_kept_without_the_others(void **state)
{
	struct tf_buf csv = {0};
	tf_buf_cstr(&csv, "\"time (15 min)\"");
	for (int i = 0; i < 70; i++)
		tf_buf_printf(&csv, ", \"M%d\"", i);
	tf_buf_cstr(&csv, ",M0\r\n2024-01-01T00:00Z");
	for (int i = 0; i < 70; i++)
		tf_buf_cstr(&csv, i == 3 ? ",oops" : i == 66 ? ", \"1,2\"\"\"" : ",");
	tf_buf_cstr(&csv, ",\r\n");
	const char *expected = "!1.72 csv-column: the column repeats column 2 <\"time (15 min)\",M0\\r\\n>\n"
			       "!2.5 value: the value is 'oops' <2024-01-01T00:00Z,oops\\r\\n>\n"
			       "!2.68 value: the value is '1,2\"' <2024-01-01T00:00Z, \"1,2\"\"\"\\r\\n>\n";
	struct meter_in_options o = {.name = TF_STR("dir/home-7.csv")};
	check_options(&o, tf_buf_view(&csv), expected);
	tf_buf_release(&csv);
}

static void
wide_bad_rows_cost_the_row_only(void **state)
{
	check("time,M1,M2\n2024-01-01T00:00Z,1,2\nyesterday,1,2\n2024-01-01T00:30Z,1\n2024-01-01T00:30Z,1,2,3\n"
	      "2024-01-01T00:30Z,\"1,2\n2024-01-01T00:30Z,\"1\"x,2\n2024-01-01T00:30Z,7,8\n",
	      "!3.1 time: the time is 'yesterday' <yesterday,1,2\\n>\n"
	      "!4.3 csv-cells: the row has 2 cells, the header 3 <2024-01-01T00:30Z,1\\n>\n"
	      "!5.4 csv-cells: the row has 4 cells, the header 3 <2024-01-01T00:30Z,1,2,3\\n>\n"
	      "!6.2 csv-quote: the quotes of cell 2 do not match <2024-01-01T00:30Z,\"1,2\\n>\n"
	      "!7.2 csv-quote: the quotes of cell 2 do not match <2024-01-01T00:30Z,\"1\"x,2\\n>\n"
	      "M1 E1 Wh 1800 2024-01-01T00:00:00Z A: 1 7\nM2 E1 Wh 1800 2024-01-01T00:00:00Z A: 2 8\n");
}

static void
wide_repeated_column_is_bad_and_skipped(void **state)
{
	check("time,M1,M2,M1,\n2024-01-01T00:00Z,1,2,3,\n2024-01-01T00:30Z,4,5,6,\n",
	      "!1.4 csv-column: the column repeats column 2 <time,M1,M2,M1,\\n>\n"
	      "M1 E1 Wh 1800 2024-01-01T00:00:00Z A: 1 4\nM2 E1 Wh 1800 2024-01-01T00:00:00Z A: 2 5\n");
}

static void
interval_is_the_rows_most_frequent_step(void **state)
{
	check("time,M1\n2024-01-01T00:00Z,1\n2024-01-01T03:00Z,2\n2024-01-01T03:30Z,3\n2024-01-01T04:00Z,4\n",
	      "M1 E1 Wh 1800 2024-01-01T00:00:00Z A: 1\nM1 E1 Wh 1800 2024-01-01T03:00:00Z A: 2 3 4\n");
}

static void
rows_that_show_no_interval_are_given_back(void **state)
{
	check("time,M1\n2024-01-01T00:00Z,1\n",
	      "!2.1 interval: no interval is given, and the rows' times do not show one <2024-01-01T00:00Z,1\\n>\n");
	check("meter,time,kwh\nA,2024-01-01T00:00Z,1\n",
	      "!2.0 interval: no interval is given, and the rows' times do not show "
	      "one <A,2024-01-01T00:00Z,1\\n>\n");
	struct meter_in_options o = {.name = TF_STR("x"), .interval_s = 900};
	check_options(&o, TF_STR("time,M1\n2024-01-01T00:00Z,1\n"), "M1 E1 Wh 900 2024-01-01T00:00:00Z A: 1\n");
}

static void
skipped_local_time_is_named(void **state)
{
	check_zone("Europe/London",
		   "time,M1\n2024-03-31T00:30:00,1\n2024-03-31T01:00:00,2\n2024-03-31T01:30:00,3\n"
		   "2024-03-31T02:00:00,4\n2024-03-31T02:30:00,5\n",
		   "!3.1 local-time-missing: the local time '2024-03-31T01:00:00' does not exist in Europe/London "
		   "<2024-03-31T01:00:00,2\\n>\n"
		   "!4.1 local-time-missing: the local time '2024-03-31T01:30:00' does not exist in Europe/London "
		   "<2024-03-31T01:30:00,3\\n>\n"
		   "M1 E1 Wh 1800 2024-03-31T00:30:00Z A: 1 4 5\n");
}

static void
local_hour_that_comes_twice_is_taken_in_order(void **state)
{
	check_zone("Europe/London",
		   "time,M1\n2024-10-27T00:30:00,1\n2024-10-27T01:00:00,2\n2024-10-27T01:30:00,3\n"
		   "2024-10-27T01:00:00,4\n2024-10-27T01:30:00,5\n2024-10-27T02:00:00,6\n",
		   "M1 E1 Wh 1800 2024-10-26T23:30:00Z A: 1 2 3 4 5 6\n");
	check_zone("Australia/Lord_Howe",
		   "meter,time,wh\nA,2024-04-07T01:00,1\nA,2024-04-07T01:30,2\nA,2024-04-07T01:30,3\n"
		   "A,2024-04-07T02:00,4\n",
		   "A E1 Wh 1800 2024-04-06T14:00:00Z A: 1 2 3 4\n");
}

static void
half_hour_zones_and_offsets_in_the_text(void **state)
{
	check_zone("Asia/Kolkata", "time,M1\n2024-01-01T00:00,1\n2024-01-01T00:15,2\n",
		   "M1 E1 Wh 900 2023-12-31T18:30:00Z A: 1 2\n");
	check_zone("Asia/Kolkata", "time,M1\n2024-01-01T00:00+01:00,1\n2024-01-01T00:15+01:00,2\n",
		   "M1 E1 Wh 900 2023-12-31T23:00:00Z A: 1 2\n");
	check_zone("Asia/Kolkata", "time (UTC),M1\n2024-01-01 00:00:00,1\n1704067800,2\n",
		   "M1 E1 Wh 600 2024-01-01T00:00:00Z A: 1 2\n");
}

static void
many_rows_make_runs_of_at_most_run_max(void **state)
{
	struct tf_buf text = {0}, got = {0};
	struct meter_in_options o = {.name = TF_STR("x")};
	char time[40];
	tf_buf_cstr(&text, "time,A,B\n");
	for (int i = 0; i < 5000; i++)
		tf_buf_printf(&text, "%s,%d,7\n", tf_time_format(i * 300 * TF_SEC, time), i);
	assert_int_equal(transcribe(&o, tf_buf_view(&text), 1000, &got), TF_OK);
	tf_buf_u8(&got, 0);
	const char *second = strstr((char *)got.p, "B E1 Wh 300 1970-01-15T05:20:00Z A: 7*904\n");
	assert_non_null(strstr((char *)got.p, "A E1 Wh 300 1970-01-01T00:00:00Z A: 0 1 2"));
	assert_non_null(strstr((char *)got.p, "B E1 Wh 300 1970-01-01T00:00:00Z A: 7*4096\n"));
	assert_non_null(second);
	tf_buf_release(&text);
	tf_buf_release(&got);
}

static void
long_two_columns_take_the_files_name(void **state)
{
	check("start,value\n2020-04-01 01:00:00+00:00,0.078\n2020-04-01 02:00:00+00:00,7.5\n",
	      "home-7 E1 Wh 3600 2020-04-01T01:00:00Z A: 0 8\n");
	struct meter_in_options o = {
		.name = TF_STR("x"), .meter = TF_STR("H1"), .channel = TF_STR("B1"), .unit_exponent = 3};
	check_options(&o, TF_STR("start,value\n2020-04-01 01:00:00Z,0.078\n2020-04-01 02:00:00Z,7.5\n"),
		      "H1 B1 Wh 3600 2020-04-01T01:00:00Z A: 78 7500\n");
}

static void
long_columns_come_in_any_order(void **state)
{
	check("quality;Value;unit;NMI;Interval End;suffix;updated;note;start\n"
	      "E52/79;1,5;kWh;N1;2024-01-01T00:30Z;B1;2024-01-02T00:00Z;x;2024-01-01T00:00Z\n"
	      "A;2;Wh;N1;2024-01-01T00:45Z;B1;;x;2024-01-01T00:30Z\n",
	      "N1 B1 Wh 1800 2024-01-01T00:00:00Z E52/79 @2024-01-02T00:00:00Z: 1500\n"
	      "N1 B1 Wh 900 2024-01-01T00:30:00Z A: 2\n");
}

static void
long_rows_of_meters_in_turn_become_one_run_each(void **state)
{
	check("time,meter,kwh\n2024-01-01T00:00Z,A,1\n2024-01-01T00:00Z,B,2\n2024-01-01T00:15Z,A,3\n"
	      "2024-01-01T00:15Z,B,\n2024-01-01T00:30Z,A,5\n",
	      "A E1 Wh 900 2024-01-01T00:00:00Z A: 1000 3000 5000\nB E1 Wh 900 2024-01-01T00:00:00Z A,N: 2000 _\n");
}

static void
long_end_times_only(void **state)
{
	check("interval_end,meter,wh,interval\n2024-01-01T00:30Z,A,1,30min\n2024-01-01T01:00Z,A,2,PT30M\n",
	      "A E1 Wh 1800 2024-01-01T00:00:00Z A: 1 2\n");
	check("end,meter,wh\n2024-01-01T00:30Z,A,1\n2024-01-01T01:00Z,A,2\n",
	      "A E1 Wh 1800 2024-01-01T00:00:00Z A: 1 2\n");
}

static void
long_bad_rows_name_field_and_rule(void **state)
{
	check("meter,channel,start,end,value,unit,quality,issued\n"
	      ",E1,2024-01-01T00:00Z,2024-01-01T00:30Z,1,Wh,A,\n"
	      "M,abcdefghijklmnopqrstuvwxyz0123456,2024-01-01T00:00Z,2024-01-01T00:30Z,1,Wh,A,\n"
	      "M,E1,x,2024-01-01T00:30Z,1,Wh,A,\n"
	      "M,E1,2024-01-01T00:00Z,2024-01-01T00:00Z,1,Wh,A,\n"
	      "M,E1,2024-01-01T00:00Z,2024-01-01T00:30Z,x,Wh,A,\n"
	      "M,E1,2024-01-01T00:00Z,2024-01-01T00:30Z,1,furlong,A,\n"
	      "M,E1,2024-01-01T00:00Z,2024-01-01T00:30Z,1,Wh,?,\n"
	      "M,E1,2024-01-01T00:00Z,2024-01-01T00:30Z,1,Wh,A,x\n"
	      "M,E1,2024-01-01T00:00Z,2024-01-01T00:30Z,1,Wh\n"
	      "M,E1,2024-01-01T00:00Z,2024-01-01T00:30Z,1,Wh,A,\n",
	      "!2.1 meter-id: the meter is '' <,E1,2024-01-01T00:00Z,2024-01-01T00:30Z,1,Wh,A,\\n>\n"
	      "!3.2 channel-name: the channel is 'abcdefghijklmnopqrstuvwxyz0123456' "
	      "<M,abcdefghijklmnopqrstuvwxyz0123456,2024-01-01T00:00Z,2024-01-01T00:30Z,1,Wh,A,\\n>\n"
	      "!4.3 time: the time is 'x' <M,E1,x,2024-01-01T00:30Z,1,Wh,A,\\n>\n"
	      "!5.4 interval: the interval ends at '2024-01-01T00:00Z' "
	      "<M,E1,2024-01-01T00:00Z,2024-01-01T00:00Z,1,Wh,A,\\n>\n"
	      "!6.5 value: the value is 'x' <M,E1,2024-01-01T00:00Z,2024-01-01T00:30Z,x,Wh,A,\\n>\n"
	      "!7.6 unit: the unit is 'furlong' <M,E1,2024-01-01T00:00Z,2024-01-01T00:30Z,1,furlong,A,\\n>\n"
	      "!8.7 quality: the quality is '?' <M,E1,2024-01-01T00:00Z,2024-01-01T00:30Z,1,Wh,?,\\n>\n"
	      "!9.8 issued-time: the issue time is 'x' <M,E1,2024-01-01T00:00Z,2024-01-01T00:30Z,1,Wh,A,x\\n>\n"
	      "!10.7 csv-cells: the row has 6 cells, the header 8 <M,E1,2024-01-01T00:00Z,2024-01-01T00:30Z,1,Wh\\n>\n"
	      "M E1 Wh 1800 2024-01-01T00:00:00Z A: 1\n");
}

static void
cut_last_row_is_truncated(void **state)
{
	check("time,M1,M2\n2024-01-01T00:00Z,1,2\n2024-01-01T00:30Z,1,2\n2024-01-01T0",
	      "!4.1 truncated: the source ends inside this record: the time is '2024-01-01T0' <2024-01-01T0>\n"
	      "M1 E1 Wh 1800 2024-01-01T00:00:00Z A: 1*2\nM2 E1 Wh 1800 2024-01-01T00:00:00Z A: 2*2\n");
}

static void
headers_of_nothing_we_read_are_refused(void **state)
{
	check(",dt,tempC\n0,2020-04-01,5\n", "#UNSUPPORTED cannot read 'dir/home-7.csv': unknown format: a CSV header "
					     "needs a time and a value column, "
					     "or a time first; it starts ',dt,tempC'\n");
	check("hello\nworld\n",
	      "#UNSUPPORTED cannot read 'dir/home-7.csv': unknown format: the first line is 'hello'\n");
	check("start,kwh,kvarh\n", "#UNSUPPORTED cannot read 'dir/home-7.csv': columns 2 and 3 both hold values\n");
	check("", "#UNSUPPORTED cannot read 'dir/home-7.csv': the file is empty\n");
}

static void
short_meter_names_are_no_units(void **state)
{
	check("time,M3,KA\n2024-01-01T00:00Z,1,2\n2024-01-01T00:30Z,1,2\n",
	      "M3 E1 Wh 1800 2024-01-01T00:00:00Z A: 1*2\nKA E1 Wh 1800 2024-01-01T00:00:00Z A: 2*2\n");
}

static void
each_failing_allocation_is_an_error_and_no_more(void **state)
{
	static const char *const inputs[] = {
		"time,M1,\"M2\"\n2024-01-01T00:00Z,1,\"2\"\n2024-01-01T00:30Z,1,x\n",
		"time,meter,kwh\n2024-01-01T00:00Z,A,1\n2024-01-01T00:00Z,B,\"2\"\n2024-01-01T00:15Z,A,3\n",
	};
	for (size_t i = 0; i < 2; i++)
		check_no_memory(inputs[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wide_columns_become_runs),
		cmocka_unit_test(wide_header_says_unit_interval_channel),
		cmocka_unit_test(wide_gaps_and_steps_back_split_runs),
		cmocka_unit_test(wide_separators_and_quotes),
		cmocka_unit_test(wide_bad_cell_costs_that_cell_only),
		cmocka_unit_test(wide_bad_cell_of_many_columns_is_kept_without_the_others),
		cmocka_unit_test(wide_bad_rows_cost_the_row_only),
		cmocka_unit_test(wide_repeated_column_is_bad_and_skipped),
		cmocka_unit_test(interval_is_the_rows_most_frequent_step),
		cmocka_unit_test(rows_that_show_no_interval_are_given_back),
		cmocka_unit_test(skipped_local_time_is_named),
		cmocka_unit_test(local_hour_that_comes_twice_is_taken_in_order),
		cmocka_unit_test(half_hour_zones_and_offsets_in_the_text),
		cmocka_unit_test(many_rows_make_runs_of_at_most_run_max),
		cmocka_unit_test(long_two_columns_take_the_files_name),
		cmocka_unit_test(long_columns_come_in_any_order),
		cmocka_unit_test(long_rows_of_meters_in_turn_become_one_run_each),
		cmocka_unit_test(long_end_times_only),
		cmocka_unit_test(long_bad_rows_name_field_and_rule),
		cmocka_unit_test(cut_last_row_is_truncated),
		cmocka_unit_test(headers_of_nothing_we_read_are_refused),
		cmocka_unit_test(short_meter_names_are_no_units),
		cmocka_unit_test(each_failing_allocation_is_an_error_and_no_more),
	};
	return cmocka_run_group_tests_name("in_csv", tests, NULL, NULL);
}
