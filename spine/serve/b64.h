/* base64url without padding (RFC 4648 section 5), read strictly. Pure.
 *
 * One value has one text: padding, white space, characters of the other alphabet and unused bits that are not zero are
 * refused, so that two texts never name the same signature, key or certificate. */
#pragma once
#include "base/buf.h"

/* Bytes that n characters hold, and characters that n bytes take. */
#define TF_B64_BYTES(n) ((n) / 4 * 3 + ((n) % 4 ? (n) % 4 - 1 : 0))
#define TF_B64_CHARS(n) (((n)*8 + 5) / 6)

/* Decodes into out, which has room for TF_B64_BYTES(s.n). False when the text is not strict. */
bool tf_b64_decode(struct tf_str s, uint8_t *out, size_t *out_n);
/* Exactly n bytes, or false. */
bool tf_b64_exact(struct tf_str s, uint8_t *out, size_t n);
/* Appends the text of bytes. */
void tf_b64_put(struct tf_buf *b, struct tf_str bytes);
/* The text of n bytes, TF_B64_CHARS(n) of it and a NUL. */
void tf_b64_text(const uint8_t *p, size_t n, char *out);
