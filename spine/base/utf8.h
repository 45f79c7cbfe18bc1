/* UTF-8 (RFC 3629): well-formed means no overlong forms, no surrogates, nothing past U+10FFFF. */
#pragma once
#include "base/str.h"

/* Bytes of the well-formed character at the start of s, 1 to 4; 0 when there is none. */
size_t tf_utf8_take(struct tf_str s);
/* Is all of s well-formed? */
bool tf_utf8_valid(struct tf_str s);
/* Writes a code point (not a surrogate, at most U+10FFFF). Returns 1 to 4. */
size_t tf_utf8_put(uint32_t code, char out[static 4]);
