/* Is a client's certificate good? By chain, dates and CRLs of the present generation; see tls.h.
 *
 * Checking a chain costs two signature checks or more, so a leaf that was found good is remembered by its hash until
 * the generation ends, or the first date in its chain or CRLs passes. That it has the leaf's key each client proves in
 * every full handshake. */
#include "tls_impl.h"

tf_time
tls_time(const ASN1_TIME *at)
{
	int days, seconds;
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	bool ok = epoch && at && ASN1_TIME_diff(&days, &seconds, epoch, at);
	ASN1_TIME_free(epoch);
	return ok ? (tf_time)days * TF_DAY + (tf_dur)seconds * TF_SEC : 0;
}

static bool
hash_of(X509 *leaf, uint8_t out[static 32])
{
	unsigned n = 32;
	return X509_digest(leaf, EVP_sha256(), out, &n) && n == 32;
}

static struct tls_known *
place_of(struct tf_tls *t, const uint8_t sha256[static 32])
{
	uint32_t i;
	memcpy(&i, sha256, sizeof i);
	return &t->known[i % TF_TLS_CACHE];
}

void
tls_forget(struct tf_tls *t)
{
	memset(t->known, 0, sizeof t->known);
}

static bool
is_known(struct tf_tls *t, X509 *leaf, tf_time *out_until)
{
	uint8_t sha256[32];
	if (!hash_of(leaf, sha256))
		return false;
	const struct tls_known *k = place_of(t, sha256);
	if (CRYPTO_memcmp(k->sha256, sha256, sizeof sha256) != 0 || k->until <= tf_os_now(t->os))
		return false;
	*out_until = k->until;
	return true;
}

static tf_time
chain_until(const struct tf_tls *t, const STACK_OF(X509) * chain)
{
	tf_time until = t->crl_until;
	for (int i = 0; i < sk_X509_num(chain); i++) {
		tf_time end = tls_time(X509_get0_notAfter(sk_X509_value(chain, i)));
		until = end < until ? end : until;
	}
	return until;
}

static int
verify(struct tf_tls *t, X509_STORE_CTX *sc, tf_time *out_until)
{
	X509 *leaf = X509_STORE_CTX_get0_cert(sc);
	if (is_known(t, leaf, out_until))
		return X509_V_OK;
	X509_STORE_CTX_set_time(sc, 0, (time_t)(tf_os_now(t->os) / TF_SEC));
	if (X509_verify_cert(sc) <= 0) {
		int error = X509_STORE_CTX_get_error(sc);
		return error == X509_V_OK ? X509_V_ERR_UNSPECIFIED : error;
	}
	struct tls_known k = {.until = chain_until(t, X509_STORE_CTX_get0_chain(sc))};
	if (hash_of(leaf, k.sha256))
		*place_of(t, k.sha256) = k;
	*out_until = k.until;
	return X509_V_OK;
}

/* OpenSSL's own sc has the files of when the connection began: a handshake that is held open over a reload would be
 * checked by a list that is gone, and its leaf remembered as good by the one that is there. */
int
tls_verify_cb(X509_STORE_CTX *sc, void *tls)
{
	int error = tls_verify(tls, X509_STORE_CTX_get0_cert(sc), X509_STORE_CTX_get0_untrusted(sc), NULL);
	X509_STORE_CTX_set_error(sc, error);
	return error == X509_V_OK;
}

int
tls_verify(struct tf_tls *t, X509 *leaf, STACK_OF(X509) * between, tf_time *out_until)
{
	X509_STORE_CTX *sc = X509_STORE_CTX_new();
	int error = X509_V_ERR_OUT_OF_MEM;
	if (sc && X509_STORE_CTX_init(sc, SSL_CTX_get_cert_store(t->ctx), leaf, between) &&
	    X509_STORE_CTX_set_default(sc, "ssl_client")) {
		tf_time until;
		X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(sc), SSL_CTX_get_security_level(t->ctx));
		error = verify(t, sc, &until);
		if (!error && out_until)
			*out_until = until;
	}
	X509_STORE_CTX_free(sc);
	ERR_clear_error();
	return error;
}

/* From the name itself: in its RFC 2253 text a value may look like another attribute. */
static void
common_name(const X509_NAME *name, char *out, size_t size)
{
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	out[0] = 0;
	if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0)
		return;
	unsigned char *text;
	int n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	bool good = n > 0 && (size_t)n < size;
	for (int i = 0; good && i < n; i++)
		good = text[i] > ' ' && text[i] < 127;
	if (good) {
		memcpy(out, text, (size_t)n);
		out[n] = 0;
	}
	if (n >= 0)
		OPENSSL_free(text);
}

bool
tls_describe(X509 *leaf, struct tf_certificate *out)
{
	BIGNUM *serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(leaf), NULL);
	char *hex = serial ? BN_bn2hex(serial) : NULL;
	BIO *b = BIO_new(BIO_s_mem());
	bool ok = hash_of(leaf, out->sha256) && hex && b &&
		  X509_NAME_print_ex(b, X509_get_subject_name(leaf), 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0;
	int n = ok ? BIO_read(b, out->subject, sizeof out->subject - 1) : 0;
	out->subject[n > 0 ? n : 0] = 0;
	snprintf(out->serial, sizeof out->serial, "%s", hex ? hex : "");
	common_name(X509_get_subject_name(leaf), out->common_name, sizeof out->common_name);
	OPENSSL_free(hex);
	BN_free(serial);
	BIO_free(b);
	return ok;
}

enum tf_err
tf_tls_certificate_read(struct tf_str header, struct tf_certificate *out, struct tf_fault *f)
{
	unsigned char der[TF_TLS_CHAIN_BYTES];
	struct tf_str text = header.n > 2 ? tf_str_n(header.p + 1, header.n - 2) : (struct tf_str){0};
	if (!text.n || header.p[0] != ':' || header.p[header.n - 1] != ':' || text.n % 4 || text.n / 4 * 3 > sizeof der)
		return tf_fault(f, TF_INVALID, "the Client-Cert header is no byte sequence");
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] <= ' ' || text.p[i] == '-') /* OpenSSL would skip these */
			return tf_fault(f, TF_INVALID, "the Client-Cert header is no base64");
	int n = EVP_DecodeBlock(der, (const unsigned char *)text.p, (int)text.n);
	for (size_t i = text.n; n > 0 && i > text.n - 2 && text.p[i - 1] == '='; i--)
		n--;
	const unsigned char *p = der;
	X509 *leaf = n > 0 ? d2i_X509(NULL, &p, n) : NULL;
	struct tf_certificate c = {0};
	bool ok = leaf && p == der + n && tls_describe(leaf, &c);
	if (ok)
		c.not_after = tls_time(X509_get0_notAfter(leaf));
	X509_free(leaf);
	ERR_clear_error();
	if (!ok)
		return tf_fault(f, TF_INVALID, "the Client-Cert header holds no certificate");
	*out = c;
	return TF_OK;
}
