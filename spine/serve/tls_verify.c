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
chain_until(tf_time until, const STACK_OF(X509) * chain)
{
	for (int i = 0; i < sk_X509_num(chain); i++) {
		tf_time end = tls_time(X509_get0_notAfter(sk_X509_value(chain, i)));
		until = end < until ? end : until;
	}
	return until;
}

/* By what was in use when it began. */
static int
verify(struct tf_tls *t, X509_STORE *store, int level, X509 *leaf, STACK_OF(X509) * between, tf_time *until)
{
	int error = X509_V_ERR_OUT_OF_MEM;
	X509_STORE_CTX *sc = X509_STORE_CTX_new();
	if (sc && X509_STORE_CTX_init(sc, store, leaf, between) && X509_STORE_CTX_set_default(sc, "ssl_client")) {
		X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(sc), level);
		X509_STORE_CTX_set_time(sc, 0, (time_t)(tf_os_now(t->os) / TF_SEC));
		bool good = X509_verify_cert(sc) > 0;
		error = X509_STORE_CTX_get_error(sc);
		if (good)
			*until = chain_until(*until, X509_STORE_CTX_get0_chain(sc));
		else if (error == X509_V_OK)
			error = X509_V_ERR_UNSPECIFIED;
	}
	X509_STORE_CTX_free(sc);
	ERR_clear_error();
	return error;
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
	struct tls_verdict verdict;
	int error = tls_verify(tls, X509_STORE_CTX_get0_cert(sc), X509_STORE_CTX_get0_untrusted(sc), &verdict);
	X509_STORE_CTX_set_error(sc, error);
	if (error != X509_V_OK)
		keep_refused(sc);
	return error == X509_V_OK;
}

int
tls_verify(struct tf_tls *t, X509 *leaf, STACK_OF(X509) * between, struct tls_verdict *out)
{
	struct tls_known k;
	if (!hash_of(leaf, k.sha256))
		return X509_V_ERR_OUT_OF_MEM;
	pthread_mutex_lock(&t->lock);
	out->generation = t->generation;
	bool known = tls_is_known(t, k.sha256, &out->until);
	k.until = t->crl_until;
	X509_STORE *store = SSL_CTX_get_cert_store(t->ctx);
	int level = SSL_CTX_get_security_level(t->ctx);
	bool held = !known && X509_STORE_up_ref(store);
	pthread_mutex_unlock(&t->lock);
	if (!held)
		return known ? X509_V_OK : X509_V_ERR_OUT_OF_MEM;
	int error = verify(t, store, level, leaf, between, &k.until);
	X509_STORE_free(store);
	if (error)
		return error;
	out->until = k.until;
	pthread_mutex_lock(&t->lock);
	if (out->generation == t->generation)
		*place_of(t, k.sha256) = k;
	pthread_mutex_unlock(&t->lock);
	return X509_V_OK;
}
