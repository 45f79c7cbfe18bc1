/* gzip (RFC 1952) and zip, unpacked as they come through zlib's inflate; see in_parts.h for the limits.
 *
 * A zip is read by its local headers alone, front to back, so that it needs no seeking:
 *   0 'P' 'K' 3 4 | 4 version | 6 flags | 8 method | 10 time, date | 14 crc | 18 packed size | 22 size
 *   26 name length | 28 extra length | 30 name, extra | the member's bytes | data descriptor, where flag 3 is set:
 *   [ 'P' 'K' 7 8 ] crc, packed size, size (8 bytes each where the header has a zip64 field).
 * Methods 0 (stored, size known) and 8 (deflated). What follows the members (the central directory) is not read.
 * A damaged member is reported and what it gave before is kept; the next is found where the packed size is known. */
#include "base/mem.h"
#include "in_parts.h"

#include <stdio.h>
#include <zlib.h>

#define OUT_SIZE    ((size_t)256 << 10)
#define HOLD_MAX    (30 + 65535 * 2)
#define FLAG_SEALED 1u
#define FLAG_LATER  8u
#define SIZE_LATER  UINT64_MAX

enum state {
	GZ_MEMBER, /* at a gzip header or inside it: zlib reads it */
	GZ_BETWEEN,
	ZIP_HEADER,
	ZIP_STORED,
	ZIP_INFLATE,
	ZIP_DESCRIPTOR,
	ZIP_SKIP,
	DONE, /* the rest is not looked at */
};

struct in_unpack {
	struct in_unpack_to to;
	enum state state;
	bool zip, open; /* open: between begin and end of a zip member */
	struct tf_buf hold;
	z_stream z;
	uint64_t in, out; /* bytes in all */
	uint64_t left;    /* packed bytes of the member still to come; SIZE_LATER: the descriptor says */
	uint64_t size;    /* the member's unpacked bytes so far */
	uint64_t size_said;
	uint32_t crc, crc_said;
	bool later, wide; /* a descriptor follows; with 8-byte sizes */
	uint32_t taken, refused;
	char refused_text[256];
	uint8_t *buffer;
};

enum tf_err
in_unpack_new(bool zip, const struct in_unpack_to *to, struct in_unpack **out, struct tf_fault *f)
{
	struct in_unpack *u = tf_calloc(1, sizeof(*u));
	if (!u)
		return tf_fault(f, TF_NO_MEMORY, "cannot start unpacking");
	u->to = *to;
	u->zip = zip;
	u->state = zip ? ZIP_HEADER : GZ_MEMBER;
	tf_buf_init(&u->hold, HOLD_MAX);
	u->buffer = tf_malloc(OUT_SIZE);
	if (!u->buffer || inflateInit2(&u->z, zip ? -15 : 15 + 16) != Z_OK) {
		tf_free(u->buffer);
		tf_free(u);
		return tf_fault(f, TF_NO_MEMORY, "cannot start unpacking");
	}
	*out = u;
	return TF_OK;
}

void
in_unpack_free(struct in_unpack **u)
{
	if (!*u)
		return;
	inflateEnd(&(*u)->z);
	tf_buf_release(&(*u)->hold);
	tf_free((*u)->buffer);
	tf_free(*u);
	*u = NULL;
}

static enum tf_err
give(struct in_unpack *u, struct tf_str bytes, struct tf_fault *f)
{
	u->size += bytes.n;
	u->out += bytes.n;
	if (u->zip)
		u->crc = (uint32_t)crc32(u->crc, (const Bytef *)bytes.p, (uInt)bytes.n);
	if (u->out > IN_UNPACK_MAX || (u->out > IN_UNPACK_FREE && u->out / IN_UNPACK_RATIO > u->in))
		return tf_fault(f, TF_TOO_LARGE, "%llu packed bytes unpack to more than %llu",
				(unsigned long long)u->in, (unsigned long long)u->out);
	return bytes.n ? u->to.data(u->to.ctx, bytes, f) : TF_OK;
}

/* The member at hand is over: damaged says why where it is not whole. */
static enum tf_err
end_member(struct in_unpack *u, const char *damaged, struct tf_fault *f)
{
	u->open = false;
	TF_TRY(u->to.end(u->to.ctx, damaged != NULL, f));
	if (!damaged)
		return TF_OK;
	u->refused++;
	snprintf(u->refused_text, sizeof(u->refused_text), "%s", damaged);
	return u->to.bad(u->to.ctx, (struct tf_str){0}, damaged, f);
}

/* Inflates *bytes (moves past what is used). *out_status: Z_OK, Z_STREAM_END, or what is wrong. */
static enum tf_err
inflate_some(struct in_unpack *u, struct tf_str *bytes, int *out_status, struct tf_fault *f)
{
	*out_status = Z_OK;
	do {
		uInt n = bytes->n > (1u << 30) ? 1u << 30 : (uInt)bytes->n;
		u->z.next_in = (Bytef *)(uintptr_t)bytes->p;
		u->z.avail_in = n;
		u->z.next_out = u->buffer;
		u->z.avail_out = OUT_SIZE;
		int status = inflate(&u->z, Z_NO_FLUSH);
		uInt used = n - u->z.avail_in;
		bytes->p += used;
		bytes->n -= used;
		u->in += used;
		if (u->left != SIZE_LATER)
			u->left -= used;
		TF_TRY(give(u, tf_str_n(u->buffer, OUT_SIZE - u->z.avail_out), f));
		if (status == Z_BUF_ERROR) /* nothing more to do with what is here */
			return TF_OK;
		if (status == Z_MEM_ERROR)
			return tf_fault(f, TF_NO_MEMORY, "cannot unpack");
		*out_status = status;
	} while (*out_status == Z_OK && (bytes->n || !u->z.avail_out));
	return TF_OK;
}

static enum tf_err
gz_member(struct in_unpack *u, struct tf_str *bytes, struct tf_fault *f)
{
	int status;
	u->left = SIZE_LATER;
	TF_TRY(inflate_some(u, bytes, &status, f));
	if (status == Z_OK)
		return TF_OK;
	if (status == Z_STREAM_END) {
		u->state = GZ_BETWEEN;
		return TF_OK;
	}
	u->state = DONE;
	return end_member(u, "the gzip data is damaged; what came before the damage was read", f);
}

/* Behind a gzip member: another one, padding of zeros, or the end. */
static enum tf_err
gz_between(struct in_unpack *u, struct tf_str *bytes, struct tf_fault *f)
{
	while (bytes->n && u->hold.n < 2 && (u->hold.n || bytes->p[0] == 0x1f || bytes->p[0] == 0)) {
		if (u->hold.n || bytes->p[0])
			tf_buf_u8(&u->hold, (uint8_t)bytes->p[0]);
		bytes->p++, bytes->n--;
	}
	if (u->hold.err)
		return tf_fault(f, u->hold.err, "cannot unpack");
	if (u->hold.n == 2 && u->hold.p[1] == 0x8b) {
		struct tf_str head = tf_buf_view(&u->hold);
		if (inflateReset2(&u->z, 15 + 16) != Z_OK)
			return tf_fault(f, TF_NO_MEMORY, "cannot unpack");
		u->state = GZ_MEMBER;
		u->hold.n = 0;
		return gz_member(u, &head, f);
	}
	if (!bytes->n && u->hold.n < 2)
		return TF_OK;
	u->state = DONE;
	return end_member(u, "bytes that are no gzip data follow the gzip data", f);
}

/* Moves bytes into hold until it has n; false when more must come. */
static bool
gather(struct in_unpack *u, struct tf_str *bytes, size_t n)
{
	size_t take = u->hold.n >= n ? 0 : n - u->hold.n;
	take = take < bytes->n ? take : bytes->n;
	tf_buf_put(&u->hold, bytes->p, take);
	bytes->p += take;
	bytes->n -= take;
	u->in += take;
	return u->hold.n >= n;
}

/* Takes the sizes from the zip64 field of the extra bytes, where it is there. */
static void
read_zip64(struct in_unpack *u, struct tf_str extra)
{
	struct tf_cur c = tf_cur(extra);
	while (!c.bad && tf_cur_left(&c) >= 4) {
		uint16_t id = tf_cur_u16(&c), n = tf_cur_u16(&c);
		struct tf_cur field = tf_cur(tf_cur_bytes(&c, n));
		if (id != 1 || c.bad)
			continue;
		u->wide = true;
		if (u->size_said == UINT32_MAX)
			u->size_said = tf_cur_u64(&field);
		if (u->left == UINT32_MAX)
			u->left = tf_cur_u64(&field);
	}
}

/* A member that cannot be read: skipped where its size is known, else the rest of the zip is. */
static enum tf_err
refuse(struct in_unpack *u, struct tf_str name, const char *why, struct tf_fault *f)
{
	u->refused++;
	snprintf(u->refused_text, sizeof(u->refused_text), "%s", why);
	u->state = u->later ? DONE : ZIP_SKIP;
	return u->to.bad(u->to.ctx, name, why, f);
}

static enum tf_err
start_member(struct in_unpack *u, uint16_t flags, uint16_t method, struct tf_str name, struct tf_fault *f)
{
	char why[64];
	if (name.n && name.p[name.n - 1] == '/' && !u->left) {
		u->state = ZIP_SKIP;
		return TF_OK;
	}
	if (flags & FLAG_SEALED)
		return refuse(u, name, "the member is encrypted", f);
	if (method != 0 && method != 8) {
		snprintf(why, sizeof(why), "the member's compression method is %u, not 0 or 8", method);
		return refuse(u, name, why, f);
	}
	if (method == 0 && u->later)
		return refuse(u, name, "the member is stored without its size", f);
	if (u->later)
		u->left = SIZE_LATER;
	if (inflateReset2(&u->z, -15) != Z_OK)
		return tf_fault(f, TF_NO_MEMORY, "cannot unpack");
	u->state = method ? ZIP_INFLATE : ZIP_STORED;
	u->crc = 0;
	u->size = 0;
	u->open = true;
	u->taken++;
	return u->to.begin(u->to.ctx, name, f);
}

static enum tf_err
zip_header(struct in_unpack *u, struct tf_str *bytes, struct tf_fault *f)
{
	if (!gather(u, bytes, 4))
		return u->hold.err ? tf_fault(f, u->hold.err, "cannot unpack") : TF_OK;
	if (memcmp(u->hold.p, "PK\3\4", 4) != 0) {
		bool directory = memcmp(u->hold.p, "PK\1\2", 4) == 0 || memcmp(u->hold.p, "PK\5\6", 4) == 0;
		u->state = DONE;
		if (directory)
			return TF_OK;
		u->refused++;
		snprintf(u->refused_text, sizeof(u->refused_text), "bytes that are no zip member");
		return u->to.bad(u->to.ctx, (struct tf_str){0}, "bytes that are no zip member follow a member", f);
	}
	if (!gather(u, bytes, 30))
		return TF_OK;
	struct tf_cur c = tf_cur(tf_str_n(u->hold.p + 6, 24));
	uint16_t flags = tf_cur_u16(&c), method = tf_cur_u16(&c);
	tf_cur_u32(&c);
	u->crc_said = tf_cur_u32(&c);
	u->left = tf_cur_u32(&c);
	u->size_said = tf_cur_u32(&c);
	size_t name_n = tf_cur_u16(&c), extra_n = tf_cur_u16(&c);
	if (!gather(u, bytes, 30 + name_n + extra_n))
		return u->hold.err ? tf_fault(f, u->hold.err, "cannot unpack") : TF_OK;
	u->later = flags & FLAG_LATER;
	u->wide = false;
	read_zip64(u, tf_str_n(u->hold.p + 30 + name_n, extra_n));
	struct tf_str name = tf_str_n(u->hold.p + 30, name_n);
	enum tf_err e = start_member(u, flags, method, name, f);
	u->hold.n = 0;
	return e;
}

/* All of the member's bytes are here: what was said of them must hold. */
static enum tf_err
check_member(struct in_unpack *u, struct tf_fault *f)
{
	u->state = ZIP_HEADER;
	if (u->crc != u->crc_said || u->size != u->size_said)
		return end_member(u, "the member's checksum or size is not what the zip says", f);
	return end_member(u, NULL, f);
}

static enum tf_err
zip_stored(struct in_unpack *u, struct tf_str *bytes, struct tf_fault *f)
{
	struct tf_str part = tf_str_n(bytes->p, bytes->n < u->left ? bytes->n : (size_t)u->left);
	part.n = part.n < (1u << 30) ? part.n : 1u << 30;
	bytes->p += part.n;
	bytes->n -= part.n;
	u->left -= part.n;
	u->in += part.n;
	TF_TRY(give(u, part, f));
	return u->left ? TF_OK : check_member(u, f);
}

static enum tf_err
zip_inflate(struct in_unpack *u, struct tf_str *bytes, struct tf_fault *f)
{
	struct tf_str part = *bytes;
	int status;
	if (part.n > u->left)
		part.n = (size_t)u->left;
	size_t before = part.n;
	TF_TRY(inflate_some(u, &part, &status, f));
	bytes->p += before - part.n;
	bytes->n -= before - part.n;
	if (status == Z_STREAM_END && u->later) {
		u->state = ZIP_DESCRIPTOR;
		return TF_OK;
	}
	if (status == Z_STREAM_END && !u->left)
		return check_member(u, f);
	if (status == Z_OK && u->left)
		return TF_OK;
	u->state = u->left == SIZE_LATER ? DONE : ZIP_SKIP;
	return end_member(u, "the member's deflated data is damaged; what came before the damage was read", f);
}

static enum tf_err
zip_descriptor(struct in_unpack *u, struct tf_str *bytes, struct tf_fault *f)
{
	size_t size = u->wide ? 20 : 12;
	if (!gather(u, bytes, 4))
		return u->hold.err ? tf_fault(f, u->hold.err, "cannot unpack") : TF_OK;
	size_t head = memcmp(u->hold.p, "PK\7\10", 4) == 0 ? 4 : 0;
	if (!gather(u, bytes, head + size))
		return u->hold.err ? tf_fault(f, u->hold.err, "cannot unpack") : TF_OK;
	struct tf_cur c = tf_cur(tf_str_n(u->hold.p + head, size));
	u->crc_said = tf_cur_u32(&c);
	u->wide ? tf_cur_u64(&c) : tf_cur_u32(&c);
	u->size_said = u->wide ? tf_cur_u64(&c) : tf_cur_u32(&c);
	if (!u->wide)
		u->size &= UINT32_MAX;
	u->hold.n = 0;
	return check_member(u, f);
}

static void
zip_skip(struct in_unpack *u, struct tf_str *bytes)
{
	size_t n = bytes->n < u->left ? bytes->n : (size_t)u->left;
	bytes->p += n;
	bytes->n -= n;
	u->left -= n;
	u->in += n;
	if (!u->left)
		u->state = ZIP_HEADER;
}

static enum tf_err
step(struct in_unpack *u, struct tf_str *bytes, struct tf_fault *f)
{
	switch (u->state) {
	case GZ_MEMBER:
		return gz_member(u, bytes, f);
	case GZ_BETWEEN:
		return gz_between(u, bytes, f);
	case ZIP_HEADER:
		return zip_header(u, bytes, f);
	case ZIP_STORED:
		return zip_stored(u, bytes, f);
	case ZIP_INFLATE:
		return zip_inflate(u, bytes, f);
	case ZIP_DESCRIPTOR:
		return zip_descriptor(u, bytes, f);
	case ZIP_SKIP:
		zip_skip(u, bytes);
		return TF_OK;
	case DONE:
		bytes->n = 0;
	}
	return TF_OK;
}

enum tf_err
in_unpack_feed(struct in_unpack *u, struct tf_str bytes, struct tf_fault *f)
{
	while (bytes.n)
		TF_TRY(step(u, &bytes, f));
	/* An empty member is complete without another byte. */
	if (u->state == ZIP_STORED && !u->left)
		TF_TRY(step(u, &bytes, f));
	return TF_OK;
}

enum tf_err
in_unpack_finish(struct in_unpack *u, struct tf_fault *f)
{
	if (!u->zip) {
		if (u->state == GZ_BETWEEN)
			return end_member(u, u->hold.n ? "bytes that are no gzip data follow the gzip data" : NULL, f);
		return u->state == DONE ? TF_OK : end_member(u, "the gzip data ends early; what there is was read", f);
	}
	if (u->open)
		TF_TRY(end_member(u, "the zip ends inside this member; what there is was read", f));
	else if (u->state != DONE && (u->state != ZIP_HEADER || u->hold.n))
		TF_TRY(u->to.bad(u->to.ctx, (struct tf_str){0}, "the zip ends early", f));
	if (!u->taken)
		return tf_fault(f, TF_UNSUPPORTED, "no member of the zip can be read%s%s", u->refused ? ": " : "",
				u->refused_text);
	return TF_OK;
}
