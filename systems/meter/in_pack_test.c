/* gzip and zip as they come: members, damage, limits; and the lines and numbers below all formats. */
#include <zlib.h>

#include "in_fast.h"
#include "in_transcript.h"

#define CSV     "time,M1\n2024-01-01T00:00Z,1\n2024-01-01T00:30Z,2\n"
#define TAKEN   "M1 E1 Wh 1800 2024-01-01T00:00:00Z A: 1 2\n"
#define TAKEN_2 "M1 E1 Wh 1800 2024-01-01T00:00:00Z A: 1 2 1 2\n"

/* Deflated bytes of text: as gzip, or raw. */
static void
deflate_to(struct tf_buf *out, struct tf_str text, bool gzip)
{
	z_stream z = {0};
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, gzip ? 15 + 16 : -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
	size_t room = deflateBound(&z, text.n) + 64;
	z.next_in = (Bytef *)(uintptr_t)text.p;
	z.avail_in = (uInt)text.n;
	z.next_out = tf_buf_room(out, room);
	z.avail_out = (uInt)room;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	out->n += room - z.avail_out;
	deflateEnd(&z);
}

struct member {
	const char *name, *text;
	uint16_t flags, method;
	bool zip64;
	uint32_t wrong_crc;
};

static void
add_member(struct tf_buf *zip, const struct member *m)
{
	struct tf_buf packed = {0};
	struct tf_str text = tf_str(m->text);
	if (m->method)
		deflate_to(&packed, text, false);
	else
		tf_buf_str(&packed, text);
	uint32_t crc = (uint32_t)crc32(0, (const Bytef *)text.p, (uInt)text.n) ^ m->wrong_crc;
	bool later = m->flags & 8;
	tf_buf_cstr(zip, "PK\3\4");
	tf_buf_u16(zip, 20);
	tf_buf_u16(zip, m->flags);
	tf_buf_u16(zip, m->method);
	tf_buf_u32(zip, 0);
	tf_buf_u32(zip, later ? 0 : crc);
	tf_buf_u32(zip, later ? 0 : m->zip64 ? UINT32_MAX : (uint32_t)packed.n);
	tf_buf_u32(zip, later ? 0 : m->zip64 ? UINT32_MAX : (uint32_t)text.n);
	tf_buf_u16(zip, (uint16_t)strlen(m->name));
	tf_buf_u16(zip, m->zip64 ? 20 : 0);
	tf_buf_cstr(zip, m->name);
	if (m->zip64) {
		tf_buf_u16(zip, 1);
		tf_buf_u16(zip, 16);
		tf_buf_u64(zip, text.n);
		tf_buf_u64(zip, packed.n);
	}
	tf_buf_str(zip, tf_buf_view(&packed));
	if (later) {
		tf_buf_cstr(zip, "PK\7\10");
		tf_buf_u32(zip, crc);
		tf_buf_u32(zip, (uint32_t)packed.n);
		tf_buf_u32(zip, (uint32_t)text.n);
	}
	tf_buf_release(&packed);
}

static void
check_bytes(struct tf_buf *bytes, const char *want)
{
	struct meter_in_options o = {.name = TF_STR("x")};
	check_options(&o, tf_buf_view(bytes), want);
	tf_buf_release(bytes);
}

static void
check_members(const struct member *m, size_t n, const char *want)
{
	struct tf_buf zip = {0};
	for (size_t i = 0; i < n; i++)
		add_member(&zip, &m[i]);
	tf_buf_cstr(&zip, "PK\1\2 the directory is not looked at");
	check_bytes(&zip, want);
}

static void
gzip_is_read_through_all_its_members(void **state)
{
	struct tf_buf gz = {0};
	deflate_to(&gz, TF_STR(CSV), true);
	deflate_to(&gz, TF_STR("2024-01-01T01:00Z,1\n2024-01-01T01:30Z,2\n"), true);
	tf_buf_put(&gz, "\0\0\0\0\0", 5);
	check_bytes(&gz, TAKEN_2);
}

static void
gzip_damage_keeps_what_came_before(void **state)
{
	struct tf_buf gz = {0};
	deflate_to(&gz, TF_STR(CSV), true);
	gz.n -= 6;
	check_bytes(&gz, TAKEN "!0.0 archive: the gzip data ends early; what there is was read <>\n");
	deflate_to(&gz, TF_STR(CSV), true);
	gz.p[gz.n - 5] ^= 1;
	check_bytes(&gz, TAKEN "!0.0 archive: the gzip data is damaged; what came before the damage was read <>\n");
	deflate_to(&gz, TF_STR(CSV), true);
	tf_buf_cstr(&gz, "junk");
	check_bytes(&gz, TAKEN "!0.0 archive: bytes that are no gzip data follow the gzip data <>\n");
}

static void
gzip_that_ends_inside_a_line_says_so(void **state)
{
	struct tf_buf gz = {0};
	z_stream z = {0};
	static const char text[] = CSV "2024-01-01T01:00Z,1";
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef *)(uintptr_t)text;
	z.avail_in = sizeof(text) - 1;
	z.next_out = tf_buf_room(&gz, 1000);
	z.avail_out = 1000;
	assert_int_equal(deflate(&z, Z_SYNC_FLUSH), Z_OK);
	gz.n = 1000 - z.avail_out;
	deflateEnd(&z);
	check_bytes(&gz, "!4.0 truncated: the source ends inside this line <2024-01-01T01:00Z,1>\n" TAKEN
			 "!0.0 archive: the gzip data ends early; what there is was read <>\n");
}

static void
zip_members_of_each_kind_are_read(void **state)
{
	const struct member m[] = {
		{"dir/", "", 0, 0, false, 0},
		{"a.csv", CSV, 0, 0, false, 0},
		{"b.csv", CSV, 0, 8, false, 0},
		{"c.csv", CSV, 8, 8, false, 0},
		{"d.csv", CSV, 0, 8, true, 0},
		{"e.csv", "start,wh\n2024-01-01T00:00Z,1\n2024-01-01T00:30Z,2\n", 0, 8, false, 0},
	};
	check_members(m, 6, TAKEN TAKEN TAKEN TAKEN "e E1 Wh 1800 2024-01-01T00:00:00Z A: 1 2\n");
}

static void
zip_members_that_cannot_be_read_are_named_and_the_next_taken(void **state)
{
	const struct member m[] = {
		{"locked.csv", CSV, 1, 8, false, 0},       {"bzip.csv", CSV, 0, 12, false, 0},
		{"readme.txt", "hello\n", 0, 8, false, 0}, {"empty.csv", "", 0, 0, false, 0},
		{"crc.csv", CSV, 0, 8, false, 1},          {"good.csv", CSV, 0, 8, false, 0},
	};
	check_members(m, 6,
		      "!locked.csv:0.0 archive: the member is encrypted <>\n"
		      "!bzip.csv:0.0 archive: the member's compression method is 12, not 0 or 8 <>\n"
		      "!readme.txt:1.0 unrecognised: unknown format: the first line is 'hello' <hello\\n>\n"
		      "!empty.csv:1.0 unrecognised: the file is empty <>\n" TAKEN
		      "!crc.csv:0.0 archive: the member's checksum or size is not what the zip says <>\n" TAKEN);
}

static void
zip_member_not_in_the_named_format_is_kept_whatever_the_chunks(void **state)
{
	const struct member members[] = {
		{.name = "a.csv", .text = CSV, .method = 8},
		{.name = "b.nem12", .text = "\n100,NEM12,202401010000,a,b\n300,20240101\n", .method = 8},
		{.name = "c.csv", .text = CSV},
	};
	struct meter_in_options o = {.name = TF_STR("x"), .format = TF_STR("csv")};
	struct tf_buf zip = {0};
	for (size_t i = 0; i < 3; i++)
		add_member(&zip, &members[i]);
	check_options(&o, tf_buf_view(&zip),
		      TAKEN
		      "!b.nem12:2.0 unrecognised: unknown format: a CSV header needs a time and a value column, or a "
		      "time first; it starts '100,NEM12,202401010000,a,b' <100,NEM12,202401010000,a,b\\n>\n" TAKEN);
	tf_buf_release(&zip);
}

static void
zip_with_nothing_to_read_is_an_error(void **state)
{
	const struct member m[] = {{"locked.csv", CSV, 1, 8, false, 0}};
	check_members(m, 1,
		      "!locked.csv:0.0 archive: the member is encrypted <>\n"
		      "#UNSUPPORTED cannot read 'x': no member of the zip can be read: the member is encrypted\n");
	struct tf_buf zip = {0};
	tf_buf_put(&zip, "PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22);
	check_bytes(&zip, "#UNSUPPORTED cannot read 'x': no member of the zip can be read\n");
}

static void
zip_damage_and_early_end_are_named(void **state)
{
	struct tf_buf zip = {0};
	const struct member m = {"a.csv", CSV, 0, 0, false, 0};
	add_member(&zip, &m);
	zip.n -= 3;
	check_bytes(&zip, "!a.csv:3.0 truncated: the source ends inside this line <2024-01-01T00:30Z>\n"
			  "!a.csv:2.1 interval: no interval is given, and the rows' times do not show one "
			  "<2024-01-01T00:00Z,1\\n>\n"
			  "!a.csv:0.0 archive: the zip ends inside this member; what there is was read <>\n");
	add_member(&zip, &m);
	tf_buf_cstr(&zip, "junk, not a member");
	check_bytes(&zip, TAKEN "!a.csv:0.0 archive: bytes that are no zip member follow a member <>\n");
}

static void
zip_extra_field_longer_than_said_is_left(void **state)
{
	struct tf_buf zip = {0};
	const struct member m = {"a.csv", CSV, 0, 0, true, 0};
	add_member(&zip, &m);
	zip.p[30 + 5] = 2;       /* no zip64 field ... */
	zip.p[30 + 5 + 2] = 200; /* ... and over the end of the extra bytes */
	struct meter_in_options o = {.name = TF_STR("x")};
	struct tf_buf got = {0};
	(void)transcribe(&o, tf_buf_view(&zip), 1000, &got);
	assert_int_equal(got.err, TF_OK);
	tf_buf_release(&zip);
	tf_buf_release(&got);
}

static void
zip_bomb_is_stopped(void **state)
{
	struct tf_buf bomb = {0}, text = {0};
	struct meter_in_options o = {.name = TF_STR("x")};
	tf_buf_cstr(&text, "time,M1\n");
	size_t size = (size_t)96 << 20;
	uint8_t *p = tf_buf_extend(&text, size);
	assert_non_null(p);
	memset(p, '\n', size);
	deflate_to(&bomb, tf_buf_view(&text), true);
	tf_buf_release(&text);
	struct tf_buf got = {0};
	assert_int_equal(transcribe(&o, tf_buf_view(&bomb), 4096, &got), TF_TOO_LARGE);
	tf_buf_release(&got);
	tf_buf_release(&bomb);
}

static void
over_long_line_is_one_bad_record(void **state)
{
	struct tf_buf text = {0}, got = {0};
	struct meter_in_options o = {.name = TF_STR("x")};
	tf_buf_cstr(&text, "time,M1\n2024-01-01T00:00Z,1\n");
	size_t size = METER_LINE_MAX + 10;
	memset(tf_buf_extend(&text, size), 'x', size);
	tf_buf_cstr(&text, "\n2024-01-01T00:30Z,2\n");
	for (size_t chunk = 1000; chunk < text.n * 2; chunk *= 200) {
		tf_buf_reset(&got);
		assert_int_equal(transcribe(&o, tf_buf_view(&text), chunk, &got), TF_OK);
		tf_buf_u8(&got, 0);
		assert_non_null(strstr((char *)got.p, "!3.0 line-too-long: the line has 16777227 bytes, 16777216 are "
						      "taken <xxx"));
		assert_non_null(strstr((char *)got.p, TAKEN));
	}
	tf_buf_release(&text);
	tf_buf_release(&got);
}

static void
unknown_bytes_are_refused_with_their_start(void **state)
{
	check("\xff\xfe",
	      "#UNSUPPORTED cannot read 'dir/home-7.csv': unknown format (UTF-16; UTF-8 is read): it starts '..'\n");
	check("<html><body/></html>",
	      "#UNSUPPORTED cannot read 'dir/home-7.csv': unknown format of XML: it starts '<html><body/></html>'\n");
	check("100,NEM12,202501010000,x,y\r900\r", "#UNSUPPORTED cannot read 'dir/home-7.csv': lines that end in CR "
						   "alone are not read: make it LF or CRLF\n");
	check("start,M1\r2025-01-01T00:00Z,1\r\n", "#UNSUPPORTED cannot read 'dir/home-7.csv': lines that end in CR "
						   "alone are not read: make it LF or CRLF\n");
	struct tf_buf binary = {0};
	tf_buf_put(&binary, "\1\0\2,\n", 5);
	check_bytes(&binary, "#UNSUPPORTED cannot read 'x': unknown format: it starts '...,.'\n");
}

static void
options_are_checked(void **state)
{
	struct meter_sink sink = {0};
	struct meter_in *in = NULL;
	struct meter_in_options bad[] = {
		{.format = TF_STR("xls")},  {.unit_exponent = 99},
		{.unit = METER_UNIT_COUNT}, {.interval_s = METER_INTERVAL_MAX_S + 1},
		{.channel = TF_STR("a,b")}, {.meter = TF_STR("a\"b")},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(meter_in_new(&bad[i], &sink, &in, NULL), TF_INVALID);
}

static void
decimals_scale_exactly(void **state)
{
	static const struct {
		const char *text;
		int exponent;
		enum in_number want;
		int64_t value;
	} cases[] = {
		{"1.25", 1, IN_NUMBER_OK, 12},
		{"1.35", 1, IN_NUMBER_OK, 14},
		{"1.2500000000000000000000001", 1, IN_NUMBER_OK, 13},
		{"-0.5", 0, IN_NUMBER_OK, 0},
		{"-1.5", 0, IN_NUMBER_OK, -2},
		{"+7e-05", 6, IN_NUMBER_OK, 70},
		{"1E3", 0, IN_NUMBER_OK, 1000},
		{"0e999", 3, IN_NUMBER_OK, 0},
		{"1e-999", 3, IN_NUMBER_OK, 0},
		{"00000000000000000000000000012", 0, IN_NUMBER_OK, 12},
		{"9007199254740992", 0, IN_NUMBER_OK, METER_VALUE_MAX},
		{"9007199254740993", 0, IN_NUMBER_RANGE, 0},
		{"123456789012345678901234567890e-20", 0, IN_NUMBER_OK, 1234567890},
		{"1e99", 0, IN_NUMBER_RANGE, 0},
		{"", 0, IN_NUMBER_EMPTY, 0},
		{"  ", 0, IN_NUMBER_EMPTY, 0},
		{".", 0, IN_NUMBER_BAD, 0},
		{"-", 0, IN_NUMBER_BAD, 0},
		{"1.2.3", 0, IN_NUMBER_BAD, 0},
		{"1,2", 0, IN_NUMBER_BAD, 0},
		{"1e", 0, IN_NUMBER_BAD, 0},
		{"e1", 0, IN_NUMBER_BAD, 0},
		{"0x10", 0, IN_NUMBER_BAD, 0},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t v = 0;
		assert_int_equal(in_decimal(tf_str(cases[i].text), '.', cases[i].exponent, &v), cases[i].want);
		if (cases[i].want == IN_NUMBER_OK)
			assert_int_equal(v, cases[i].value);
	}
	int64_t v;
	assert_int_equal(in_decimal(TF_STR("1,5"), ',', 1, &v), IN_NUMBER_OK);
	assert_int_equal(v, 15);
}

/* Every text of up to five characters of an alphabet that holds what matters. */
static void
the_fast_path_agrees_with_the_exact_one(void **state)
{
	static const char alphabet[] = "07.9-,";
	char text[32];
	for (int exponent = 0; exponent <= 6; exponent += 3) {
		struct in_scale scale;
		in_scale_init(&scale, exponent);
		for (uint32_t n = 0; n < 6 * 6 * 6 * 6 * 6; n++) {
			uint32_t left = n;
			for (int i = 0; i < 5; i++, left /= 6)
				text[i] = alphabet[left % 6];
			memcpy(text + 5, ",12345678", 9);
			const char *p = text;
			int64_t fast = -1, exact = -2;
			size_t cell = (size_t)((char *)memchr(text, ',', 14) - text);
			enum in_number number = in_decimal(tf_str_n(text, cell), '.', exponent, &exact);
			if (in_fast_values(&p, text + 14, ',', &scale, &fast, 1) == 1) {
				assert_int_equal(number, IN_NUMBER_OK);
				assert_int_equal(fast, exact);
				assert_ptr_equal(p, text + cell + 1);
			} else {
				assert_ptr_equal(p, text);
			}
		}
	}
}

static void
units_qualities_and_intervals_parse(void **state)
{
	enum meter_unit unit;
	int8_t exponent;
	struct meter_quality q;
	uint32_t s;
	assert_true(in_unit(TF_STR("KVARH"), &unit, &exponent) && unit == METER_VARH && exponent == 3);
	assert_true(in_unit(TF_STR("mV"), &unit, &exponent) && unit == METER_MV && exponent == 0);
	assert_true(in_unit(TF_STR("MW"), &unit, &exponent) && unit == METER_W && exponent == 6);
	assert_false(in_unit(TF_STR(""), &unit, &exponent));
	assert_true(in_quality(TF_STR("F51/79"), &q) && q.kind == 'F' && q.method == 51 && q.reason == 79);
	assert_true(in_quality(TF_STR("X/258"), &q) && q.method == 0 && q.reason == 258);
	assert_false(in_quality(TF_STR("F51/"), &q) || in_quality(TF_STR("F999"), &q) || in_quality(TF_STR("V"), &q));
	assert_true(in_interval(TF_STR("PT15M"), &s) && s == 900);
	assert_true(in_interval(TF_STR("1 hour"), &s) && s == 3600);
	assert_false(in_interval(TF_STR("0"), &s) || in_interval(TF_STR("PT900"), &s) ||
		     in_interval(TF_STR("401d"), &s));
	for (int i = 0; i < IN_RULE_COUNT; i++)
		assert_true(strlen(in_rule_text((enum in_rule)i)) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gzip_is_read_through_all_its_members),
		cmocka_unit_test(gzip_damage_keeps_what_came_before),
		cmocka_unit_test(gzip_that_ends_inside_a_line_says_so),
		cmocka_unit_test(zip_members_of_each_kind_are_read),
		cmocka_unit_test(zip_members_that_cannot_be_read_are_named_and_the_next_taken),
		cmocka_unit_test(zip_member_not_in_the_named_format_is_kept_whatever_the_chunks),
		cmocka_unit_test(zip_with_nothing_to_read_is_an_error),
		cmocka_unit_test(zip_damage_and_early_end_are_named),
		cmocka_unit_test(zip_extra_field_longer_than_said_is_left),
		cmocka_unit_test(zip_bomb_is_stopped),
		cmocka_unit_test(over_long_line_is_one_bad_record),
		cmocka_unit_test(unknown_bytes_are_refused_with_their_start),
		cmocka_unit_test(options_are_checked),
		cmocka_unit_test(decimals_scale_exactly),
		cmocka_unit_test(the_fast_path_agrees_with_the_exact_one),
		cmocka_unit_test(units_qualities_and_intervals_parse),
	};
	return cmocka_run_group_tests_name("in_pack", tests, NULL, NULL);
}
