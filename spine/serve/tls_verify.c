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

bool
tls_is_known(struct tf_tls *t, const uint8_t sha256[static 32], tf_time *out_until)
{
	const struct tls_known *found = place_of(t, sha256);
	if (CRYPTO_memcmp(found->sha256, sha256, sizeof found->sha256) != 0 || found->until <= tf_os_now(t->os))
		return false;
	*out_until = found->until;
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
verify(struct tf_tls *t, X509_STORE_CTX *sc, struct tls_known *out)
{
	X509_STORE_CTX_set_time(sc, 0, (time_t)(tf_os_now(t->os) / TF_SEC));
	if (X509_verify_cert(sc) <= 0) {
		int error = X509_STORE_CTX_get_error(sc);
		return error == X509_V_OK ? X509_V_ERR_UNSPECIFIED : error;
	}
	out->until = chain_until(t, X509_STORE_CTX_get0_chain(sc));
	*place_of(t, out->sha256) = *out;
	return X509_V_OK;
}

/* What was shown, for the record: OpenSSL forgets it. Nobody has proved yet to have its key. */
static void
keep_refused(X509_STORE_CTX *sc)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(sc, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tf_tls_conn *c = ssl ? SSL_get_app_data(ssl) : NULL;
	if (c)
		tls_client_set(c, tls_client_new(X509_STORE_CTX_get0_cert(sc), NULL));
}

/* OpenSSL's own sc has the files of when the connection began: a handshake that is held open over a reload would be
 * checked by a list that is gone, and its leaf remembered as good by the one that is there. */
int
tls_verify_cb(X509_STORE_CTX *sc, void *tls)
{
	int error = tls_verify(tls, X509_STORE_CTX_get0_cert(sc), X509_STORE_CTX_get0_untrusted(sc), NULL);
	X509_STORE_CTX_set_error(sc, error);
	if (error != X509_V_OK)
		keep_refused(sc);
	return error == X509_V_OK;
}

int
tls_verify(struct tf_tls *t, X509 *leaf, STACK_OF(X509) * between, tf_time *out_until)
{
	struct tls_known k;
	if (!hash_of(leaf, k.sha256))
		return X509_V_ERR_OUT_OF_MEM;
	int error = X509_V_OK;
	if (!tls_is_known(t, k.sha256, &k.until)) {
		X509_STORE_CTX *sc = X509_STORE_CTX_new();
		error = X509_V_ERR_OUT_OF_MEM;
		if (sc && X509_STORE_CTX_init(sc, SSL_CTX_get_cert_store(t->ctx), leaf, between) &&
		    X509_STORE_CTX_set_default(sc, "ssl_client")) {
			X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(sc),
							 SSL_CTX_get_security_level(t->ctx));
			error = verify(t, sc, &k);
		}
		X509_STORE_CTX_free(sc);
		ERR_clear_error();
	}
	if (!error && out_until)
		*out_until = k.until;
	return error;
}
