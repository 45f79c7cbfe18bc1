/* NEM12 and NEM13: what is taken, and every rule with its line, field and bytes. */
#include "in_transcript.h"

#define HEAD "100,NEM12,202402011200,MDA,RET\r\n"
#define REG  "200,NMI1,E1B1,E1,E1,N1,SER,kWh,60,\r\n"
#define TEN  "1,1,1,1,1,1,1,1,1,1,"
#define DAY  TEN TEN "1,1,1,1," /* 24 values */
#define END  "900\r\n"
#define RUN  "NMI1 E1 Wh 3600 2024-01-31T14:00:00Z "

static void
takes_a_day_in_nem_standard_time(void **state)
{
	check(HEAD REG "300,20240201,0.001,.5,12.345678," TEN TEN "2,A,,,20240202030405,20240203000000\r\n" END,
	      RUN "A @2024-02-01T17:04:05Z: 1 500 12346 1000*20 2000\n");
}

static void
takes_standard_time_of_the_zone_in_summer_too(void **state)
{
	struct meter_in_options o = {.name = TF_STR("x")};
	struct tf_fault f;
	assert_int_equal(tf_zone_fixed(TF_STR("+05:30"), 19800, (struct tf_zone **)&o.zone, &f), TF_OK);
	check_options(&o, TF_STR(HEAD REG "300,20240701," DAY "A,,,,\n"),
		      "NMI1 E1 Wh 3600 2024-06-30T18:30:00Z A @2024-02-01T06:30:00Z: 1000*24\n");
	tf_zone_free((struct tf_zone **)&o.zone);
}

static void
takes_short_and_padded_variants(void **state)
{
	check("100,NEM12,202402011200,MDA,RET,,,,\n200,NMI1,E1,E1,E1,,,KWH,60\n300,20240201," DAY
	      "A\n\n300,20240202," DAY "A,,,202402030000,,,,",
	      RUN "A @2024-02-01T02:00:00Z: 1000*24\n"
		  "NMI1 E1 Wh 3600 2024-02-01T14:00:00Z A @2024-02-02T14:00:00Z: 1000*24\n");
}

static void
scales_units_in_any_case_exactly(void **state)
{
	check("100,NEM12,202402011200,M,R\n200,N,,,Q1,,,MVARH,60,\n300,20240201,0.0000005,0.0000015,1.25e1,-0," TEN TEN
	      "A,,,,\n",
	      "N Q1 varh 3600 2024-01-31T14:00:00Z A @2024-02-01T02:00:00Z: 0 2 12500000 0 1000000*20\n");
}

static void
rounds_half_to_even_and_takes_long_numbers(void **state)
{
	check("100,NEM12,202402011200,M,R\n200,N,,,E1,,,Wh,60,\n300,20240201,0.5,1.5,2.50001,9007199254740992," TEN TEN
	      "A,,,,\n",
	      "N E1 Wh 3600 2024-01-31T14:00:00Z A @2024-02-01T02:00:00Z: 0 2 3 9007199254740992 1*20\n");
}

static void
empty_unit_of_a_voltage_channel_is_volts(void **state)
{
	check(HEAD "200,N,,,V1,,,,60,\n300,20240201,239.13," TEN TEN "1,1,1,A,,,,\n",
	      "N V1 mV 3600 2024-01-31T14:00:00Z A @2024-02-01T02:00:00Z: 239130 1000*23\n");
}

static void
ranges_of_a_v_day_give_each_interval_its_quality(void **state)
{
	check(HEAD REG "300,20240201," DAY "V,,,20240202000000,\n400,1,4,F51,0,TEXT\n400,5,5,N,,\n400,6,24,S14,76,\n"
		       "500,O,S1,20240304050505,1\n300,20240202," DAY "E52,79,WHY,20240202000000,\n" END,
	      RUN "F51*4,N,S14/76*19 @2024-02-01T14:00:00Z: 1000*4 _ 1000*19\n"
		  "NMI1 E1 Wh 3600 2024-02-01T14:00:00Z E52/79 @2024-02-01T14:00:00Z: 1000*24\n");
}

static void
null_days_are_known_missing(void **state)
{
	check(HEAD REG "300,20240201,0,,0,0," TEN TEN "N,,,,\n", RUN "N @2024-02-01T02:00:00Z: _*24\n");
}

#define V_DAY "300,20240201," DAY "V,,,,\n"
#define NEXT  "300,20240202," DAY "A,,,,\n"
#define TAKEN "NMI1 E1 Wh 3600 2024-02-01T14:00:00Z A @2024-02-01T02:00:00Z: 1000*24\n"

static void
gap_overlap_and_lack_of_ranges_are_bad_with_all_their_bytes(void **state)
{
	check(HEAD REG V_DAY "400,1,4,A,,\n400,6,24,A,,\n" NEXT,
	      "!5.2 nem12-quality-ranges: the range starts at '6', not at 5 <300,20240201," DAY
	      "V,,,,\\n400,1,4,A,,\\n400,6,24,A,,\\n>\n" TAKEN);
	check(HEAD REG V_DAY "400,1,25,A,,\n" NEXT,
	      "!4.3 nem12-quality-ranges: the range ends at '25', the day has 24 intervals <300,20240201," DAY
	      "V,,,,\\n400,1,25,A,,\\n>\n" TAKEN);
	check(HEAD REG V_DAY NEXT, "!3.0 nem12-quality-ranges: the 400 records give 0 of 24 intervals a quality "
				   "<300,20240201," DAY "V,,,,\\n>\n" TAKEN);
	check(HEAD REG V_DAY "400,1,24,V,,\n" NEXT,
	      "!4.4 quality: the quality is 'V' <300,20240201," DAY "V,,,,\\n400,1,24,V,,\\n>\n" TAKEN);
	check(HEAD REG V_DAY "400,1,24,F51,x,\n" NEXT,
	      "!4.5 reason: the reason code is 'x' <300,20240201," DAY "V,,,,\\n400,1,24,F51,x,\\n>\n" TAKEN);
}

static void
wrong_count_of_values_is_bad_and_the_next_day_taken(void **state)
{
	check(HEAD REG "300,20240201," TEN TEN "1,1,1,A,,,,\r\n" NEXT,
	      "!3.26 nem12-interval-count: 23 values, a day of 60-minute intervals has 24 <300,20240201," TEN TEN
	      "1,1,1,A,,,,\\r\\n>\n" TAKEN);
	check(HEAD REG "300,20240201," DAY "1,A,,,,\n" NEXT,
	      "!3.27 nem12-interval-count: 25 values, a day of 60-minute intervals has 24 <300,20240201," DAY
	      "1,A,,,,\\n>\n" TAKEN);
	check(HEAD REG "300,20240201\n" NEXT,
	      "!3.3 nem12-interval-count: 0 values, a day of 60-minute intervals has 24 "
	      "<300,20240201\\n>\n" TAKEN);
}

static void
bad_values_name_their_field(void **state)
{
	check(HEAD REG "300,20240201,1,x1," TEN TEN "1,1,A,,,,\n" NEXT,
	      "!3.4 value: value 2 is 'x1' <300,20240201,1,x1," TEN TEN "1,1,A,,,,\\n>\n" TAKEN);
	check(HEAD REG "300,20240201,1,-1," TEN TEN "1,1,A,,,,\n" NEXT,
	      "!3.4 value: value 2 is '-1' <300,20240201,1,-1," TEN TEN "1,1,A,,,,\\n>\n" TAKEN);
	check(HEAD REG "300,20240201,1,1.2.3," TEN TEN "1,1,A,,,,\n" NEXT,
	      "!3.4 value: value 2 is '1.2.3' <300,20240201,1,1.2.3," TEN TEN "1,1,A,,,,\\n>\n" TAKEN);
	check(HEAD REG "300,20240201,1,99999999999999," TEN TEN "1,1,A,,,,\n" NEXT,
	      "!3.4 value-range: value 2 is '99999999999999' <300,20240201,1,99999999999999," TEN TEN
	      "1,1,A,,,,\\n>\n" TAKEN);
	check(HEAD REG "300,20240201,1,," TEN TEN "1,1,A,,,,\n" NEXT,
	      "!3.4 value: value 2 is empty and not of quality N <300,20240201,1,," TEN TEN "1,1,A,,,,\\n>\n" TAKEN);
}

static void
bad_tails_name_their_field(void **state)
{
	check(HEAD REG "300,20240201," DAY "Z,,,,\n" NEXT,
	      "!3.27 quality: the quality is 'Z' <300,20240201," DAY "Z,,,,\\n>\n" TAKEN);
	check(HEAD REG "300,20240201," DAY ",,,,\n" NEXT,
	      "!3.27 quality: the quality is '' <300,20240201," DAY ",,,,\\n>\n" TAKEN);
	check(HEAD REG "300,20240201," DAY "A,7x,,,\n" NEXT,
	      "!3.28 reason: the reason code is '7x' <300,20240201," DAY "A,7x,,,\\n>\n" TAKEN);
	check(HEAD REG "300,20240201," DAY "A,,,20240230000000,\n" NEXT,
	      "!3.30 issued-time: the update time is '20240230000000' <300,20240201," DAY
	      "A,,,20240230000000,\\n>\n" TAKEN);
	check(HEAD REG "300,20240201," DAY "A,,,,,,x\n" NEXT,
	      "!3.33 nem12-fields: field 33 stands behind the last <300,20240201," DAY "A,,,,,,x\\n>\n" TAKEN);
	check(HEAD REG "300,20240231," DAY "A,,,,\n" NEXT,
	      "!3.2 nem12-date: the interval date is '20240231' <300,20240231," DAY "A,,,,\\n>\n" TAKEN);
}

static void
bad_register_takes_its_days_along_and_no_others(void **state)
{
	check(HEAD "200,NMI9,E1,E1,,N1,SER,kWh,60,\n" NEXT REG NEXT,
	      "!2.5 channel-name: the NMI suffix is '' <200,NMI9,E1,E1,,N1,SER,kWh,60,\\n>\n"
	      "!3.0 nem12-no-register: a 300 record without a valid 200 record before it <300,20240202," DAY
	      "A,,,,\\n>\n" TAKEN);
	check(HEAD "200,NMI9,E1,E1,E1,N1,SER,acres,60,\n",
	      "!2.8 unit: the unit of measure is 'acres' <200,NMI9,E1,E1,E1,N1,SER,acres,60,\\n>\n");
	check(HEAD "200,NMI9,E1,E1,E1,N1,SER,,60,\n",
	      "!2.8 unit: the unit of measure is '' <200,NMI9,E1,E1,E1,N1,SER,,60,\\n>\n");
	check(HEAD "200,NMI9,E1,E1,E1,N1,SER,kWh,7,\n",
	      "!2.9 nem12-interval-length: the interval length is '7' minutes "
	      "<200,NMI9,E1,E1,E1,N1,SER,kWh,7,\\n>\n");
	check(HEAD "200,,E1,E1,E1,N1,SER,kWh,30,\n",
	      "!2.2 meter-id: the NMI is '' <200,,E1,E1,E1,N1,SER,kWh,30,\\n>\n");
	check(HEAD "200,NMI9,E1,E1,E1,N1,SER,kWh,30,,x\n",
	      "!2.11 nem12-fields: field 11 stands behind the last <200,NMI9,E1,E1,E1,N1,SER,kWh,30,,x\\n>\n");
}

static void
records_out_of_place_are_bad(void **state)
{
	check(HEAD REG "400,1,24,A,,\n" NEXT "550,N,,E,\n700,1\n" NEXT,
	      "!3.0 nem12-record-order: a 400 record without a 300 record of quality V before it "
	      "<400,1,24,A,,\\n>\n" TAKEN
	      "!5.0 nem12-record-order: a 550 record without a 250 record before it <550,N,,E,\\n>\n"
	      "!6.1 nem12-record-type: the record indicator is '700' <700,1\\n>\n" TAKEN);
	check(HEAD END "500,O,,,\n",
	      "!3.0 nem12-record-order: a 500 record without a 200 record before it <500,O,,,\\n>\n");
	check("100,NEM11,202402011200,M,R\n" REG NEXT,
	      "!1.2 nem12-header: the 100 record's version is 'NEM11' <100,NEM11,202402011200,M,R\\n>\n"
	      "NMI1 E1 Wh 3600 2024-02-01T14:00:00Z A: 1000*24\n");
	check("100,NEM12,2024,M,R\n",
	      "!1.3 nem12-header: the 100 record's date and time is '2024' <100,NEM12,2024,M,R\\n>\n");
}

static void
unfinished_last_record_is_truncated(void **state)
{
	check(HEAD REG NEXT "300,20240203,1,1",
	      TAKEN "!4.5 truncated: the source ends inside this record: 2 values, a day of 60-minute intervals has 24 "
		    "<300,20240203,1,1>\n");
}

static enum tf_err
keep_context(void *ctx, const struct meter_bad *bad, struct tf_fault *f)
{
	tf_buf_str(ctx, bad->context);
	tf_buf_str(ctx, bad->bytes);
	return TF_OK;
}

static void
context_and_bytes_read_the_same_alone(void **state)
{
	struct tf_buf kept = {0};
	struct meter_sink sink = {.ctx = &kept, .run = transcribe_run, .bad = keep_context};
	struct meter_in_options o = {.name = TF_STR("x")};
	struct meter_in *in;
	sink.run = NULL;
	assert_int_equal(meter_in_new(&o, &sink, &in, NULL), TF_OK);
	assert_int_equal(meter_in_feed(in, TF_STR(HEAD "200,OTHER,,,E1,,,kWh,60,\n" REG "300,20240201,x\n" END), NULL),
			 TF_OK);
	assert_int_equal(meter_in_finish(in, NULL), TF_OK);
	meter_in_free(&in);
	check_options(&o, tf_buf_view(&kept),
		      "!3.4 nem12-interval-count: 1 values, a day of 60-minute intervals has 24 <300,20240201,x\\n>\n");
	tf_buf_release(&kept);
}

#define READ13 "250,NMI2,11,1,11,11,SER,E,006342.8,20231005093055,A,,,007654.9,20240107100333,S52,79,WHY,"

static void
accumulation_read_is_one_reading(void **state)
{
	check("100,NEM13,202401101030,MDA,RET\r\n" READ13 "1312.1,kWh,20240407, 20240108100333,20240108091133\r\n"
	      "550,N,,E,\r\n" READ13 ",kWh,,,\r\n900\r\n",
	      "NMI2 11 Wh 8123558 2023-10-04T23:30:55Z S52/79 @2024-01-08T00:03:33Z: 1312100\n"
	      "NMI2 11 Wh 8123558 2023-10-04T23:30:55Z S52/79 @2024-01-10T00:30:00Z: 1312100\n");
}

static void
bad_accumulation_reads_name_their_field(void **state)
{
	check("100,NEM13,202401101030,MDA,RET\n" READ13 "x,kWh,,,\n" READ13 "1,ft,,,\n" READ13 "-1,kWh,,,\n",
	      "!2.19 value: the quantity is 'x' <" READ13 "x,kWh,,,\\n>\n"
	      "!3.20 unit: the unit of measure is 'ft' <" READ13 "1,ft,,,\\n>\n"
	      "!4.19 value: the quantity is '-1' <" READ13 "-1,kWh,,,\\n>\n");
	check("100,NEM13,202401101030,MDA,RET\n250,N,,,11,,,E,1,20240101000000,A,,,1,20240101000000,A,,,1,kWh,,,\n",
	      "!2.15 interval: the end of an interval that is not positive or too long is '20240101000000' "
	      "<250,N,,,11,,,E,1,20240101000000,A,,,1,20240101000000,A,,,1,kWh,,,\\n>\n");
	check("100,NEM13,202401101030,MDA,RET\n250,N,,,11,,,E,2,20240101000000,A,,,1,20240102000000,A,,,,kWh,,,\n",
	      "!2.19 nem13-reads: the quantity is '' "
	      "<250,N,,,11,,,E,2,20240101000000,A,,,1,20240102000000,A,,,,kWh,,,\\n>\n");
}

static void
each_failing_allocation_is_an_error_and_no_more(void **state)
{
	check_no_memory(HEAD REG V_DAY "400,1,24,A,,\n" NEXT "300,1\n" READ13 "1,kWh,,,\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_a_day_in_nem_standard_time),
		cmocka_unit_test(takes_standard_time_of_the_zone_in_summer_too),
		cmocka_unit_test(takes_short_and_padded_variants),
		cmocka_unit_test(scales_units_in_any_case_exactly),
		cmocka_unit_test(rounds_half_to_even_and_takes_long_numbers),
		cmocka_unit_test(empty_unit_of_a_voltage_channel_is_volts),
		cmocka_unit_test(ranges_of_a_v_day_give_each_interval_its_quality),
		cmocka_unit_test(null_days_are_known_missing),
		cmocka_unit_test(gap_overlap_and_lack_of_ranges_are_bad_with_all_their_bytes),
		cmocka_unit_test(wrong_count_of_values_is_bad_and_the_next_day_taken),
		cmocka_unit_test(bad_values_name_their_field),
		cmocka_unit_test(bad_tails_name_their_field),
		cmocka_unit_test(bad_register_takes_its_days_along_and_no_others),
		cmocka_unit_test(records_out_of_place_are_bad),
		cmocka_unit_test(unfinished_last_record_is_truncated),
		cmocka_unit_test(context_and_bytes_read_the_same_alone),
		cmocka_unit_test(accumulation_read_is_one_reading),
		cmocka_unit_test(bad_accumulation_reads_name_their_field),
		cmocka_unit_test(each_failing_allocation_is_an_error_and_no_more),
	};
	return cmocka_run_group_tests_name("in_nem", tests, NULL, NULL);
}
