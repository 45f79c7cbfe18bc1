/* A client's certificate: what it says, and whether it is good still; see tls.h. */
#include "base/mem.h"
#include "tls_impl.h"

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

/* Hash, subject, serial and end; false when memory is out. */
static bool
describe(X509 *leaf, struct tf_certificate *out)
{
	BIGNUM *serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(leaf), NULL);
	char *hex = serial ? BN_bn2hex(serial) : NULL;
	BIO *b = BIO_new(BIO_s_mem());
	unsigned size = sizeof out->sha256;
	bool ok = X509_digest(leaf, EVP_sha256(), out->sha256, &size) && hex && b &&
		  X509_NAME_print_ex(b, X509_get_subject_name(leaf), 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0;
	int n = ok ? BIO_read(b, out->subject, sizeof out->subject - 1) : 0;
	out->subject[n > 0 ? n : 0] = 0;
	snprintf(out->serial, sizeof out->serial, "%s", hex ? hex : "");
	common_name(X509_get_subject_name(leaf), out->common_name, sizeof out->common_name);
	out->not_after = tls_time(X509_get0_notAfter(leaf));
	OPENSSL_free(hex);
	BN_free(serial);
	BIO_free(b);
	return ok;
}

struct tls_client *
tls_client_new(X509 *leaf, const STACK_OF(X509) * between)
{
	struct tls_client *client = tf_calloc(1, sizeof *client);
	if (!client)
		return NULL;
	client->refs = 1;
	if (X509_up_ref(leaf))
		client->leaf = leaf;
	if (between)
		client->between = X509_chain_up_ref((STACK_OF(X509) *)between);
	if (!client->leaf || (between && !client->between) || !describe(leaf, &client->cert))
		tls_client_free(&client);
	return client;
}

struct tls_client *
tls_client_from_ticket(X509 *leaf, const void *der, size_t n)
{
	struct tls_client *client = tls_client_new(leaf, NULL);
	if (!client || !n)
		return client;
	client->der_n = n;
	client->der = OPENSSL_memdup(der, n);
	if (!client->der)
		tls_client_free(&client);
	return client;
}

struct tls_client *
tls_client_ref(struct tls_client *client)
{
	atomic_fetch_add(&client->refs, 1);
	return client;
}

void
tls_client_free(struct tls_client **client)
{
	struct tls_client *one = *client;
	*client = NULL;
	if (!one || atomic_fetch_sub(&one->refs, 1) > 1)
		return;
	X509_free(one->leaf);
	sk_X509_pop_free(one->between, X509_free);
	OPENSSL_free(one->der);
	tf_free(one);
}

void
tls_client_set(struct tf_tls_conn *c, struct tls_client *take_client)
{
	tls_client_free(&c->client);
	c->client = take_client;
}

/* A session that was offered and had its certificate looked at need not be the one in use. */
struct tls_client *
tls_client_of(struct tf_tls_conn *c)
{
	X509 *leaf = SSL_get0_peer_certificate(c->ssl);
	if (!c->client || c->client->leaf != leaf)
		tls_client_set(c, leaf && !SSL_session_reused(c->ssl)
					  ? tls_client_new(leaf, SSL_get_peer_cert_chain(c->ssl))
					  : NULL);
	return c->client;
}

/* What was in a ticket. NULL: memory is out. */
static STACK_OF(X509) * decode(const unsigned char *p, size_t n)
{
	const unsigned char *end = p + n;
	STACK_OF(X509) *between = sk_X509_new_null();
	while (between && p < end) {
		X509 *x = d2i_X509(NULL, &p, (long)(end - p));
		if (!x || !sk_X509_push(between, x)) {
			X509_free(x);
			break;
		}
	}
	return between;
}

/* Needs its chain to be verified; else it is good. */
static bool
is_in_doubt(struct tf_tls *t, struct tls_client *client)
{
	if (client->checked == t->generation && tf_os_now(t->os) < client->until)
		return false;
	if (!tls_is_known(t, client->cert.sha256, &client->until))
		return true;
	client->checked = t->generation;
	return false;
}

int
tls_client_check(struct tf_tls *t, struct tls_client *client)
{
	struct tls_verdict verdict;
	pthread_mutex_lock(&t->lock);
	bool doubt = is_in_doubt(t, client);
	pthread_mutex_unlock(&t->lock);
	if (!doubt)
		return X509_V_OK;
	STACK_OF(X509) *decoded = client->der ? decode(client->der, client->der_n) : NULL;
	int error = tls_verify(t, client->leaf, decoded ? decoded : client->between, &verdict);
	sk_X509_pop_free(decoded, X509_free);
	if (error)
		return error;
	pthread_mutex_lock(&t->lock);
	client->checked = verdict.generation;
	client->until = verdict.until;
	pthread_mutex_unlock(&t->lock);
	return X509_V_OK;
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
	bool ok = leaf && p == der + n && describe(leaf, &c);
	X509_free(leaf);
	ERR_clear_error();
	if (!ok)
		return tf_fault(f, TF_INVALID, "the Client-Cert header holds no certificate");
	*out = c;
	return TF_OK;
}
