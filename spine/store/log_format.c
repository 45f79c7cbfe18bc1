/* The log's bytes: layouts and checksums, nothing else. docs/formats/log.md explains; all integers little-endian.
 *
 *   segment header, 48 bytes, at byte 0 of DIR/P/<first offset, 20 digits>.log
 *    0  8  magic "TFLOGSEG"
 *    8  4  version, 1
 *   12  4  partition
 *   16  8  offset of the first record, as in the name
 *   24  8  time, µs UTC: not before any earlier record, not after any record in it
 *   32  8  segment id, random
 *   40  8  XXH3-64 of bytes 0..39
 *
 *   record, at a multiple of 8; records follow each other without gaps
 *    0  4  magic "TFR1"
 *    4  4  payload bytes
 *    8  8  offset
 *   16  8  time, µs UTC, not before the record in front of it
 *   24  4  type
 *   28  4  behind: offset minus the offset that was known durable when this was appended (all ones: that or more)
 *   32  8  XXH3-64 of the payload
 *   40  8  XXH3-64 of bytes 0..39, seeded with the segment id
 *   48  -  payload, then 0 to 7 zero bytes up to a multiple of 8
 *
 *   mark, 64 bytes, two for each partition P in DIR/synced at P * 128 and P * 128 + 64; serial even: the first
 *    0  8  serial, one more with each mark; the valid mark with the larger one counts
 *    8  8  first offset of the open segment
 *   16  8  its id
 *   24  8  bytes of it that are durable
 *   32  8  offset after the last durable record
 *   40  8  time of that record
 *   48  8  0
 *   56  8  XXH3-64 of bytes 0..55, seeded with the partition + 1 */
#include <xxhash.h>

#include "store/log_impl.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the structs are the bytes on disk");
_Static_assert(LOG_SEGMENT_HEADER == 48 && LOG_RECORD_HEADER == 48 && LOG_MARK == 64, "no padding");

#define RECORD_MAGIC UINT32_C(0x31524654) /* "TFR1" */

static const char segment_magic[8] = {'T', 'F', 'L', 'O', 'G', 'S', 'E', 'G'};

static uint64_t
segment_check(const struct log_segment_header *h)
{
	return XXH3_64bits(h, offsetof(struct log_segment_header, check));
}

void
log_segment_header_seal(struct log_segment_header *h)
{
	memcpy(h->magic, segment_magic, sizeof(h->magic));
	h->version = LOG_SEGMENT_VERSION;
	h->check = segment_check(h);
}

enum tf_err
log_segment_header_check(const struct log_segment_header *h)
{
	if (memcmp(h->magic, segment_magic, sizeof(h->magic)) != 0 || h->check != segment_check(h))
		return TF_CORRUPT;
	return h->version == LOG_SEGMENT_VERSION ? TF_OK : TF_UNSUPPORTED;
}

static uint64_t
record_check(const struct log_record_header *h, uint64_t segment_id)
{
	return XXH3_64bits_withSeed(h, offsetof(struct log_record_header, check), segment_id);
}

void
log_record_header_seal(struct log_record_header *h, uint64_t segment_id)
{
	h->magic = RECORD_MAGIC;
	h->check = record_check(h, segment_id);
}

bool
log_record_header_valid(const struct log_record_header *h, uint64_t segment_id)
{
	return h->magic == RECORD_MAGIC && h->check == record_check(h, segment_id);
}

uint64_t
log_payload_check(struct tf_str bytes)
{
	return XXH3_64bits(bytes.p, bytes.n);
}

uint64_t
log_record_durable(const struct log_record_header *h)
{
	return h->behind == UINT32_MAX || h->behind > h->offset ? 0 : h->offset - h->behind;
}

static uint64_t
mark_check(const struct log_mark *m, uint32_t partition)
{
	return XXH3_64bits_withSeed(m, offsetof(struct log_mark, check), partition + UINT64_C(1));
}

void
log_mark_seal(struct log_mark *m, uint32_t partition)
{
	m->check = mark_check(m, partition);
}

bool
log_mark_valid(const struct log_mark *m, uint32_t partition)
{
	return m->check == mark_check(m, partition);
}
