/* JSON lines, Green Button ESPI and IEC 61968-9: what is taken, and every rule with its line and bytes. */
#include "in_transcript.h"

static void
json_lines_become_runs(void **state)
{
	check("{\"meter\":\"M1\",\"channel\":\"B1\",\"start\":\"2024-01-01T00:00:00Z\",\"interval\":900,\"unit\":"
	      "\"kWh\","
	      "\"value\":1.5}\n"
	      "{\"meter\":\"M1\",\"channel\":\"B1\",\"start\":\"2024-01-01T00:15:00Z\",\"interval\":\"15min\","
	      "\"unit\":\"Wh\",\"value\":2,\"extra\":[1,{}]}\n\n"
	      "{\"meter\":\"M2\",\"start\":1704067200,\"end\":\"2024-01-01T01:30:00Z\",\"values\":[1,null,2e0],"
	      "\"quality\":[\"A\",\"N\",\"E52/79\"],\"issued\":\"2024-01-02T00:00:00Z\"}\n"
	      "{\"meter\":\"M3\",\"start\":\"2024-01-01T00:00:00Z\",\"interval\":60,\"values\":[1,2],\"quality\":"
	      "\"S14\"}",
	      "M1 B1 Wh 900 2024-01-01T00:00:00Z A: 1500 2\n"
	      "M2 E1 Wh 1800 2024-01-01T00:00:00Z A,N,E52/79 @2024-01-02T00:00:00Z: 1 _ 2\n"
	      "M3 E1 Wh 60 2024-01-01T00:00:00Z S14: 1 2\n");
}

static void
bad_json_lines_are_taken_whole_or_not_at_all(void **state)
{
	check("{\"meter\":\"M\",\"start\":\"2024-01-01T00:00Z\",\"interval\":900,\"values\":[1,\"x\"]}\n"
	      "{\"meter\":\"M\",\"start\":\"2024-01-01T00:00Z\",\"interval\":900}\n"
	      "{\"start\":\"2024-01-01T00:00Z\",\"interval\":900,\"value\":1}\n"
	      "{\"meter\":\"M\",\"interval\":900,\"value\":1}\n"
	      "{\"meter\":\"M\",\"start\":\"2024-01-01T00:00Z\",\"value\":1}\n"
	      "{\"meter\":\"M\",\"start\":\"2024-01-01T00:00Z\",\"interval\":900,\"value\":1e99}\n"
	      "{\"meter\":\"M\",\"start\":\"2024-01-01T00:00Z\",\"interval\":900,\"value\":1,\"quality\":\"?\"}\n"
	      "{\"meter\":\"M\",\"start\":\"2024-01-01T00:00Z\",\"end\":\"2024-01-01T00:00:01Z\",\"values\":[1,2]}\n"
	      "{\"meter\":7,\"start\":\"2024-01-01T00:00Z\",\"interval\":900,\"value\":1}\n[]\n",
	      "!1.values[1] value: a number is wanted, not 'x' "
	      "<{\"meter\":\"M\",\"start\":\"2024-01-01T00:00Z\",\"interval\":900,\"values\":[1,\"x\"]}\\n>\n"
	      "!2.value json: wanted: either a value or an array of 'values' "
	      "<{\"meter\":\"M\",\"start\":\"2024-01-01T00:00Z\",\"interval\":900}\\n>\n"
	      "!3.meter meter-id: no meter id: '' <{\"start\":\"2024-01-01T00:00Z\",\"interval\":900,\"value\":1}\\n>\n"
	      "!4.start time: missing member 'start' <{\"meter\":\"M\",\"interval\":900,\"value\":1}\\n>\n"
	      "!5.interval interval: missing member 'interval' "
	      "<{\"meter\":\"M\",\"start\":\"2024-01-01T00:00Z\",\"value\":1}\\n>\n"
	      "!6.value value-range: the value is too large: '1e99' "
	      "<{\"meter\":\"M\",\"start\":\"2024-01-01T00:00Z\",\"interval\":900,\"value\":1e99}\\n>\n"
	      "!7.quality quality: no quality: '?' "
	      "<{\"meter\":\"M\",\"start\":\"2024-01-01T00:00Z\",\"interval\":900,\"value\":1,\"quality\":\"?\"}\\n>\n"
	      "!8.end interval: the time from start is no whole number of intervals to the 'end' "
	      "<{\"meter\":\"M\",\"start\":\"2024-01-01T00:00Z\",\"end\":\"2024-01-01T00:00:01Z\",\"values\":[1,2]}\\n>"
	      "\n"
	      "!9.meter json: a string is wanted for member 'meter' "
	      "<{\"meter\":7,\"start\":\"2024-01-01T00:00Z\",\"interval\":900,\"value\":1}\\n>\n"
	      "!10.0 json: an object is wanted, not 'array' <[]\\n>\n");
}

static void
broken_json_names_the_place(void **state)
{
	check("{\"meter\":\"M\",}\n{\"meter\":\"M\",\"start\":\"2024-01-01T00:00Z\",\"interval\":900,\"value\":1}\n{"
	      "\"meter\":",
	      "!1.0 json: no JSON: 'invalid JSON: line 1, column 14: a member name is wanted' "
	      "<{\"meter\":\"M\",}\\n>\n"
	      "!3.0 truncated: the source ends inside this record: no JSON: 'invalid JSON: line 1, column 10: ends too "
	      "early' <{\"meter\":>\n"
	      "M E1 Wh 900 2024-01-01T00:00:00Z A: 1\n");
}

#define FEED(body)                                                                                                     \
	"<?xml version=\"1.0\"?>\n<!-- c --><feed xmlns=\"http://www.w3.org/2005/Atom\">"                              \
	"<updated>2024-01-02T00:00:00Z</updated>\n" body "</feed>\n"
#define MR                                                                                                             \
	"<entry><link rel=\"self\" href=\"/UsagePoint/U1/MeterReading/01\"/>"                                          \
	"<link rel=\"related\" href=\"/ReadingType/07\"/><content><MeterReading/></content></entry>\n"
#define TYPE(body)                                                                                                     \
	"<entry><link rel=\"self\" href=\"/ReadingType/07\"/><content><e:ReadingType xmlns:e=\"x\">" body              \
	"</e:ReadingType></content></entry>\n"
#define WH                                                                                                             \
	TYPE("<uom>72</uom><powerOfTenMultiplier>3</powerOfTenMultiplier><flowDirection>19</flowDirection>"            \
	     "<intervalLength>900</intervalLength>")
#define READING(start, value)                                                                                          \
	"<IntervalReading><cost>9</cost><timePeriod><duration>900</duration><start>" start                             \
	"</start></timePeriod><value>" value "</value></IntervalReading>\n"
#define BLOCK(body)                                                                                                    \
	"<entry><link rel=\"self\" href=\"/UsagePoint/U1/MeterReading/01/IntervalBlock/1\"/>"                          \
	"<link rel=\"up\" href=\"/UsagePoint/U1/MeterReading/01/IntervalBlock\"/><content><IntervalBlock>"             \
	"<interval><duration>86400</duration><start>1704067200</start></interval>\n" body                              \
	"</IntervalBlock></content></entry>\n"
#define QUALITY(code) "<ReadingQuality><quality>" code "</quality></ReadingQuality>"

static void
espi_links_come_in_any_order(void **state)
{
	static const char want[] = "U1 B1 Wh 900 2024-01-01T00:00:00Z A @2024-01-02T00:00:00Z: 1000 2000\n";
	check(FEED(MR WH BLOCK(READING("1704067200", "1") READING("1704068100", "2"))), want);
	check(FEED(BLOCK(READING("1704067200", "1") READING("1704068100", "2")) WH MR), want);
	check(FEED(WH BLOCK(READING("1704067200", "1") READING("1704068100", "2")) MR), want);
}

static void
espi_reading_without_its_own_time_follows_the_one_before(void **state)
{
	check(FEED(MR WH BLOCK("<IntervalReading><value>1</value></IntervalReading>"
			       "<IntervalReading>" QUALITY("8") "<value>2</value></IntervalReading>" READING(
				       "1704070800", "3"))),
	      "U1 B1 Wh 900 2024-01-01T00:00:00Z A,E/8 @2024-01-02T00:00:00Z: 1000 2000\n"
	      "U1 B1 Wh 900 2024-01-01T01:00:00Z A @2024-01-02T00:00:00Z: 3000\n");
}

static void
espi_register_that_counts_up_gives_differences(void **state)
{
	check(FEED(MR TYPE("<uom>72</uom><accumulationBehaviour>3</accumulationBehaviour>")
			   BLOCK(READING("1704067200", "100") READING("1704068100", "150") READING("1704069000", "20")
					 READING("1704069900", "25"))),
	      "!8.IntervalReading/value value: the register went back by 130 "
	      "<<IntervalReading><cost>9</cost><timePeriod><duration>900</duration><start>1704069000</start></"
	      "timePeriod>"
	      "<value>20</value></IntervalReading>>\n"
	      "U1 E1 Wh 900 2024-01-01T00:15:00Z A @2024-01-02T00:00:00Z: 50\n"
	      "U1 E1 Wh 900 2024-01-01T00:45:00Z A @2024-01-02T00:00:00Z: 5\n");
}

static void
espi_bad_reading_costs_that_reading_only(void **state)
{
	check(FEED(MR WH BLOCK(READING("1704067200", "1") READING("1704068100", "x") READING("y", "3")
				       READING("1704069900", "4"))),
	      "!7.IntervalReading/value value: the reading's value is 'x' "
	      "<<IntervalReading><cost>9</cost><timePeriod><duration>900</duration><start>1704068100</start></"
	      "timePeriod>"
	      "<value>x</value></IntervalReading>>\n"
	      "!8.timePeriod/start time: the reading's start is 'y' "
	      "<<IntervalReading><cost>9</cost><timePeriod><duration>900</duration><start>y</start></timePeriod>"
	      "<value>3</value></IntervalReading>>\n"
	      "U1 B1 Wh 900 2024-01-01T00:00:00Z A @2024-01-02T00:00:00Z: 1000\n"
	      "U1 B1 Wh 900 2024-01-01T00:45:00Z A @2024-01-02T00:00:00Z: 4000\n");
}

#define ONE_BLOCK                                                                                                      \
	"<entry><link rel=\"self\" href=\"/UsagePoint/U1/MeterReading/01/IntervalBlock/1\"/>"                          \
	"<content><IntervalBlock>" READING("1704067200", "1") "</IntervalBlock></content></entry>"
#define ONE_BLOCK_BYTES                                                                                                \
	"<entry><link rel=\"self\" href=\"/UsagePoint/U1/MeterReading/01/IntervalBlock/1\"/>"                          \
	"<content><IntervalBlock><IntervalReading><cost>9</cost><timePeriod><duration>900</duration>"                  \
	"<start>1704067200</start></timePeriod><value>1</value></IntervalReading>\\n</IntervalBlock></content></"      \
	"entry>"

static void
espi_block_without_a_usable_type_is_bad_with_its_bytes(void **state)
{
	check(FEED(MR ONE_BLOCK),
	      "!4.ReadingType espi-reading-type: no ReadingType for MeterReading '/UsagePoint/U1/MeterReading/01' "
	      "<" ONE_BLOCK_BYTES ">\n");
	check(FEED(WH ONE_BLOCK), "!4.MeterReading espi-reading-type: no MeterReading for IntervalBlock "
				  "'/UsagePoint/U1/MeterReading/01/IntervalBlock/1' <" ONE_BLOCK_BYTES ">\n");
	check(FEED(MR TYPE("<uom>119</uom>") ONE_BLOCK), "!5.ReadingType/uom espi-reading-type: the unit or multiplier "
							 "is not taken of ReadingType '/ReadingType/07' "
							 "<" ONE_BLOCK_BYTES ">\n");
}

static void
espi_daylight_saving_rules_are_checked(void **state)
{
	check(FEED("<entry><content><LocalTimeParameters><dstEndRule>B40E2000</dstEndRule><dstOffset>3600</dstOffset>"
		   "<dstStartRule>FFFFFFFF</dstStartRule><tzOffset>-18000</tzOffset></LocalTimeParameters></content></"
		   "entry>"),
	      "");
	check(FEED("<entry><content><LocalTimeParameters><dstEndRule>F40E2000</dstEndRule>"),
	      "!3.dstEndRule espi-time-rule: the daylight saving rule is 'F40E2000' "
	      "<<entry><content><LocalTimeParameters><dstEndRule>F40E2000</dstEndRule>>\n"
	      "!3.0 xml: mismatched tag at column 73; the rest of the document is not read "
	      "<<entry><content><LocalTimeParameters><dstEndRule>F40E2000</dstEndRule></feed>\\n>\n");
}

static void
broken_xml_keeps_what_came_before(void **state)
{
	check("<feed>" MR WH "<entry><link rel=\"self\" href=\"/UsagePoint/U1/MeterReading/01/IntervalBlock/1\"/>"
	      "<content><IntervalBlock>" READING("1704067200", "1") "</IntervalBlock></content></entry><entry><conte",
	      "!4.0 truncated: the source ends inside this record: unclosed token at column 42; the rest of the "
	      "document is "
	      "not read <<entry><conte>\nU1 B1 Wh 900 2024-01-01T00:00:00Z A: 1000\n");
}

static void
doctype_is_refused(void **state)
{
	struct meter_in_options o = {.name = TF_STR("x"), .format = TF_STR("espi")};
	check_options(&o, TF_STR("<!DOCTYPE a [<!ENTITY b \"c\">]>\n<feed>&b;</feed>"),
		      "!1.0 xml: a DOCTYPE is not taken at column 13; the rest of the document is not read "
		      "<<!DOCTYPE a [<!ENTITY b \"c\">]>\\n<feed>&b;</feed>>\n");
}

#define CIM(body) "<MeterReadings xmlns=\"http://iec.ch/TC57/2011/MeterReadings#\">\n" body "</MeterReadings>\n"
#define IR(stamp, value, more)                                                                                         \
	"<IntervalReadings>" more "<timeStamp>" stamp "</timeStamp><value>" value "</value></IntervalReadings>\n"
#define RT(text) "<ReadingType ref=\"" text "\"/>"
#define KWH_15   "0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0"
#define Q(ref)   "<ReadingQualities><ReadingQualityType ref=\"" ref "\"/></ReadingQualities>"
#define METER    "<Meter><mRID>MT-1</mRID><Names><name>other</name></Names></Meter>"

static void
cim_interval_blocks_end_at_their_time_stamps(void **state)
{
	check(CIM("<MeterReading><IntervalBlocks>" IR("2024-01-01T00:15:00Z", "1.5", "")
			  IR("2024-01-01T00:30:00Z", "2", Q("1.4.64")) IR("2024-01-01T00:45:00Z", "", "")
				  RT(KWH_15) "</IntervalBlocks>" METER "</MeterReading>\n"),
	      "MT-1 E1 Wh 900 2024-01-01T00:00:00Z A,X/64,N: 1500 2000 _\n");
	check(CIM("<MeterReading><Meter><Names><name>SER-9</name></Names></Meter><IntervalBlocks>" RT(
		      "11.0.0.4.19.1.12.0.0.0.0.0.0.0.0.0.72.0")
			  IR("2024-01-02T00:00:00Z", "7", "") "</IntervalBlocks></MeterReading>"),
	      "SER-9 B1D Wh 86400 2024-01-01T00:00:00Z A: 7\n");
}

#define REGISTER(tier, day, value)                                                                                     \
	"<Readings><timeStamp>" day "T00:00:00Z</timeStamp><value>" value                                              \
	"</value>" RT("0.0.0.1.1.1.12.0.0.0.0." tier ".0.0.0.3.72.0") "</Readings>"

static void
cim_register_reads_give_differences_per_register(void **state)
{
	check(CIM("<MeterReading>" METER REGISTER("1", "2024-01-01", "10") REGISTER("2", "2024-01-01", "20")
			  REGISTER("1", "2024-01-02", "11") REGISTER("2", "2024-01-02", "23") "</MeterReading>"),
	      "MT-1 E1T1 Wh 86400 2024-01-01T00:00:00Z A: 1000\nMT-1 E1T2 Wh 86400 2024-01-01T00:00:00Z A: 3000\n");
}

static void
cim_bad_readings_and_types_are_named(void **state)
{
	check(CIM("<MeterReading>" METER "<IntervalBlocks>" IR("2024-01-01T00:15:00Z", "1", "") IR("noon", "2", "")
			  IR("2024-01-01T00:45:00Z", "x", "") RT(KWH_15) "</IntervalBlocks></MeterReading>\n"),
	      "!3.timeStamp time: the time is 'noon' "
	      "<<IntervalReadings><timeStamp>noon</timeStamp><value>2</value></IntervalReadings>>\n"
	      "!4.value value: the value is no number, or too large "
	      "<<IntervalReadings><timeStamp>2024-01-01T00:45:00Z</timeStamp>"
	      "<value>x</value></IntervalReadings>>\n"
	      "MT-1 E1 Wh 900 2024-01-01T00:00:00Z A: 1000\n");
	check(CIM("<MeterReading>" METER
		  "<IntervalBlocks>" RT("0.0.2.4") "<IntervalReadings><timeStamp>2024-01-01</timeStamp>"
						   "</IntervalReadings></IntervalBlocks></MeterReading>"),
	      "!2.ReadingType cim-reading-type: the ReadingType is '0.0.2.4' <<MeterReading>" METER
	      "<IntervalBlocks>" RT("0.0.2.4") "<IntervalReadings><timeStamp>2024-01-01</timeStamp></"
					       "IntervalReadings></IntervalBlocks></MeterReading>>\n");
	check(CIM("<MeterReading/>"), "!2.Meter/mRID meter-id: the meter is '' <<MeterReading/>>\n");
}

static void
each_failing_allocation_is_an_error_and_no_more(void **state)
{
	static const char *const inputs[] = {
		"{\"meter\":\"M\",\"start\":\"2024-01-01T00:00Z\",\"interval\":900,\"values\":[1,2,\"\\u00e4\"]}\n"
		"{\"meter\":\"M\",\"start\":\"2024-01-01T00:00Z\",\"interval\":900,\"values\":[1,2]}\n",
		FEED(BLOCK(READING("1704067200", "1") READING("1704068100", "x")) WH MR),
		CIM("<MeterReading>" METER "<IntervalBlocks>" IR("2024-01-01T00:15:00Z", "1", Q("1.5.258"))
			    RT(KWH_15) "</IntervalBlocks></MeterReading>\n"),
	};
	for (size_t i = 0; i < 3; i++)
		check_no_memory(inputs[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_lines_become_runs),
		cmocka_unit_test(bad_json_lines_are_taken_whole_or_not_at_all),
		cmocka_unit_test(broken_json_names_the_place),
		cmocka_unit_test(espi_links_come_in_any_order),
		cmocka_unit_test(espi_reading_without_its_own_time_follows_the_one_before),
		cmocka_unit_test(espi_register_that_counts_up_gives_differences),
		cmocka_unit_test(espi_bad_reading_costs_that_reading_only),
		cmocka_unit_test(espi_block_without_a_usable_type_is_bad_with_its_bytes),
		cmocka_unit_test(espi_daylight_saving_rules_are_checked),
		cmocka_unit_test(broken_xml_keeps_what_came_before),
		cmocka_unit_test(doctype_is_refused),
		cmocka_unit_test(cim_interval_blocks_end_at_their_time_stamps),
		cmocka_unit_test(cim_register_reads_give_differences_per_register),
		cmocka_unit_test(cim_bad_readings_and_types_are_named),
		cmocka_unit_test(each_failing_allocation_is_an_error_and_no_more),
	};
	return cmocka_run_group_tests_name("in_xml", tests, NULL, NULL);
}
