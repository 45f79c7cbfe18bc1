/* A certificate in a Client-Cert header (RFC 9440): the header's text as it comes, or bytes behind base64 so that the
 * encoding is no fence in front of the DER. What is read has the shape that is promised, and is read the same again. */
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#include "base/mem.h"
#include "serve/tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
has_its_shape(const struct tf_certificate *c)
{
	TF_ASSERT(strnlen(c->subject, sizeof c->subject) < sizeof c->subject);
	TF_ASSERT(strnlen(c->common_name, sizeof c->common_name) < sizeof c->common_name);
	TF_ASSERT(strnlen(c->serial, sizeof c->serial) < sizeof c->serial);
	for (const char *s = c->common_name; *s; s++)
		TF_ASSERT(*s > ' ' && *s < 127);
	for (const char *s = c->serial; *s; s++)
		TF_ASSERT(strchr("0123456789ABCDEF-", *s));
}

static void
read(struct tf_str header)
{
	struct tf_certificate c, again;
	struct tf_fault f = {0};
	if (tf_tls_certificate_read(header, &c, &f)) {
		TF_ASSERT(f.text[0]);
		return;
	}
	has_its_shape(&c);
	TF_ASSERT(!tf_tls_certificate_read(header, &again, &f));
	TF_ASSERT(memcmp(c.sha256, again.sha256, sizeof c.sha256) == 0 && c.not_after == again.not_after);
	TF_ASSERT(strcmp(c.common_name, again.common_name) == 0 && strcmp(c.subject, again.subject) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (!n || n > 1 << 16)
		return 0;
	if (p[0] == ':') {
		read(tf_str_n(p, n));
		return 0;
	}
	char *text = tf_malloc(n / 3 * 4 + 8);
	TF_ASSERT(text);
	text[0] = ':';
	int length = EVP_EncodeBlock((unsigned char *)text + 1, p, (int)n);
	text[length + 1] = ':';
	read(tf_str_n(text, (size_t)length + 2));
	tf_free(text);
	return 0;
}
