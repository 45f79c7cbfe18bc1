/* Keys and tokens for tests; see token_test.h. */
#include "token_test.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "serve/b64.h"
#include "serve/jws_impl.h"

const char pem_ec[] = "-----BEGIN PRIVATE KEY-----\n"
		      "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgmhsc8bOGNV5D94qr\n"
		      "vv+YMYvTxSw5El6rP6i5EuN8OTqhRANCAASrRvX/B8EAfa6Ekj6fXUz/FJxQtKQ4\n"
		      "vUpfEo195BNmkLzC+wFFg5RoHWrFFSL/TOiSMZ6xMCVAY+9SeJCVPhS8\n"
		      "-----END PRIVATE KEY-----\n";
const char pem_thief[] = "-----BEGIN PRIVATE KEY-----\n"
			 "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgM6Xz3QR3j9Qyps+C\n"
			 "SzrSGKYpRyVGGrffEsjxUZENr8yhRANCAASZwmGYbWwAUBg6Ga3Lyi7S0JKwl/Yx\n"
			 "859ORXjdBD1JrXCTOyBlf6odSVmyONC46rKELfjeKgDNfuvWhM7RnJ+r\n"
			 "-----END PRIVATE KEY-----\n";
const char pem_rsa[] = "-----BEGIN PRIVATE KEY-----\n"
		       "MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQDTWU3wZfaDakxd\n"
		       "ah7/BuKz3rGYK5/6BtTQXMatolDDL7wPI17eRk/306Rgp8IZ6eXJcrmOAOyQLIAY\n"
		       "DRq9sEoQXN633YBRpc8mVDTRn+5cLLdsllu3pndkCdf/oIr0x3VjRT+JC+sZ4SQh\n"
		       "ZHdP1K3PJWaPqqujIN5Lf0nl0PmvVgyMOfJZkjOpnGJcUZRf8zfZzJWtU02XIUPd\n"
		       "1Wc6t8r6UR/2J6+6+Sfw79UeDmuHRC2sWGVlTUWXRkstGBoZTPZVfdbH6/hQomLk\n"
		       "QWsR4U4B16/tpR7SnmMXQwsezTLx60n+2GbEaOSI2TaCDNxkO/XWygQqdIVP+FqV\n"
		       "lAzc6+QLAgMBAAECggEACzHTGQVYQK8Otcal4ahBtc6j5YWEsb+kN20n8OaEv0dL\n"
		       "VMSbhSEq9zDfUhH7YVgBneFVHBpxwqk4wmK0pJDZO3NP22QAz1JTCJqz5C6ZIjS+\n"
		       "z8z0YA6R4FtNH53R/mkvjz80av6V81xOMklEsJZ5UQbldH1RHhDi9WjGnJpXFLGy\n"
		       "EtNvcCHVLsSXcjLqCJ7aXT6UgJDIhqwOSg7ONna5xxH/mReXM/dtN8DNb3yeJVzc\n"
		       "U2KY28wMW9IB6f7zrba2zZnf7w3Tj+BCtqOipqjKH6KA8SnjFOGlo39WAr8lZSJE\n"
		       "BgW/Tp5B+rA9hm7Z9WSoCa4bEqno64zmVRpodCszEQKBgQD7PhEZZluMe+kJWqM+\n"
		       "Qt9jbPpDZ4zKUMZ2v+FL205T4Zs/B58A7PJoti+2sT3zdWRiDmTtBkAPpaQC5t/p\n"
		       "SSampVrAs7AE4UmfwBZ+hiyFdU/SeXL75oHBT+23JVT4BdwXr5q6q70vjpAm6OF9\n"
		       "qDB1GaoXcEcopnsJchCJ4/l23QKBgQDXWdkIq+3woqFvnPchyaEBy/vVwKQqIWOh\n"
		       "DqG8fWHgRk1z86hfSgWtJfPNLw9HfyRakcnb5ogPwLAqlCFzlCPQn53vBeVTn3FZ\n"
		       "qoI+VXhA0sox2EhwZe/nKe9McjsbrpRY4epv18Gjs0aJrGoGqalDzI1CqMx9P7Nb\n"
		       "gyImNJv0BwKBgQC6oYl8L7/z5Jvgefbnqi9dITfq2EIKi+RRlAndGqTdxKpZMOUZ\n"
		       "f+o2hJd/A7y8XEjcWkr4k3sE5IuoKC7OkatngU+f9BreFShmxf8vr6Xk4ZcRB2y1\n"
		       "2K4slp5EPTQYJeovoh+zaR3Y9PL6JGZUvJp6cj0auinx9XFSO+wzMik+9QKBgQCv\n"
		       "wjTQTwIzk4gOgB1zBgzSWpl/K2rQt8+Ic1itbeekE7zDFeolW1SmrIL+w5nE0I/r\n"
		       "G3GUd+I0eR9OoPdsTUutyZgsrLMuPMNWW0NRfJBY17EOXWdB1PCnyiH0UobLYQDS\n"
		       "Sg/8mCsCYB8B3iXqqi3rl9bywLGkx4iq96u3YtiloQKBgEvsH1VAf5fZVTxyQ1OO\n"
		       "gBBkd6EibOvkmH+5r0TMEjMoZCDALWiqwcOyoekvS5Yd4CSzEgKcQM0e9qkA3/1+\n"
		       "vQg3o39KiUDrjNALBeUGhFMCL47nwGEdUurtnlLNOHKO9Mdc6HIv/G7DM3FURyzg\n"
		       "2i83Mwbpzw4vS5qTopH6hfUd\n"
		       "-----END PRIVATE KEY-----\n";
const char pem_ed[] = "-----BEGIN PRIVATE KEY-----\n"
		      "MC4CAQAwBQYDK2VwBCIEII1l2ty5b0jsi5eaYU+88z5lCy1DzMQo2kW9ptccCJT3\n"
		      "-----END PRIVATE KEY-----\n";
const char pem_rsa_public[] = "-----BEGIN PUBLIC KEY-----\n"
			      "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA01lN8GX2g2pMXWoe/wbi\n"
			      "s96xmCuf+gbU0FzGraJQwy+8DyNe3kZP99OkYKfCGenlyXK5jgDskCyAGA0avbBK\n"
			      "EFzet92AUaXPJlQ00Z/uXCy3bJZbt6Z3ZAnX/6CK9Md1Y0U/iQvrGeEkIWR3T9St\n"
			      "zyVmj6qroyDeS39J5dD5r1YMjDnyWZIzqZxiXFGUX/M32cyVrVNNlyFD3dVnOrfK\n"
			      "+lEf9ievuvkn8O/VHg5rh0QtrFhlZU1Fl0ZLLRgaGUz2VX3Wx+v4UKJi5EFrEeFO\n"
			      "Adev7aUe0p5jF0MLHs0y8etJ/thmxGjkiNk2ggzcZDv11soEKnSFT/halZQM3Ovk\n"
			      "CwIDAQAB\n"
			      "-----END PUBLIC KEY-----\n";
const char pem_p384[] = "-----BEGIN PUBLIC KEY-----\n"
			"MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEZgU+XHQxGvjbX9M9Zk0XsqkEUA8LRaF6\n"
			"/wZfI+Ozeex1/1NW4ZoIYsuvyuhK1WrvYN/MvqiOch9QLLYTpQQ7RHsk+oHfLb86\n"
			"7KohoqgV1uJx/72/Rus0Ghsja9tCD0m+\n"
			"-----END PUBLIC KEY-----\n";
const char pem_k256[] = "-----BEGIN PUBLIC KEY-----\n"
			"MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEs+pmYVwQ5FrcfbZvqy1o3HYFfQFnDpge\n"
			"oR5zCNU1CEqZ1ePzUE/Xt5YdVrE0j1L7kpR5GsHpOdPPO+Y7bHk6Rg==\n"
			"-----END PUBLIC KEY-----\n";
const char pem_rsa1024[] = "-----BEGIN PUBLIC KEY-----\n"
			   "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDofgJsb0uLEkNsnfUGL+0AG2XE\n"
			   "LG2k7PpNcwBCGfpmqmrK/m3/AglSt+CfcJE0FYW2CMX9mT8zcUt1ajbAEBjnzYPK\n"
			   "46itqZF/HBeV+UTKvNImp69KkciPyoIiN6skhTyVjtG18F2pLBi4zbkChPi6v47R\n"
			   "mrVXfZN1C9Athx8wuwIDAQAB\n"
			   "-----END PUBLIC KEY-----\n";

struct tf_jwk
key_of(const char *pem, const char *kid)
{
	struct tf_jwk k;
	OK(tf_jwk_from_pem(tf_str(pem), true, &k, NULL));
	k.kid_n = (unsigned)strlen(kid);
	memcpy(k.kid, kid, k.kid_n + 1);
	return k;
}

static void
add(struct tf_jwks *set, const char *pem, const char *kid)
{
	struct tf_jwk k = key_of(pem, kid);
	OK(tf_jwks_take(set, &k, NULL));
}

struct tf_jwks *
keys_good(void)
{
	struct tf_jwks *private, *set;
	struct tf_buf text;
	tf_buf_init(&text, 0);
	OK(tf_jwks_new(&private, NULL));
	add(private, pem_ec, "ec-1");
	add(private, pem_rsa, "rsa-1");
	add(private, pem_ed, "ed-1");
	struct tf_json_out w = tf_json_out(&text);
	tf_jwks_put(&w, private);
	tf_jwks_free(&private);
	OK(tf_jwks_parse(tf_buf_view(&text), &set, NULL));
	tf_buf_release(&text);
	assert_int_equal(set->count, 3);
	return set;
}

static void
put_signing(struct tf_buf *out, const char *head, struct tf_str payload)
{
	tf_b64_put(out, tf_str(head));
	tf_buf_u8(out, '.');
	tf_b64_put(out, payload);
}

static void
put_signature(struct tf_buf *out, const uint8_t *p, size_t n)
{
	tf_buf_u8(out, '.');
	tf_b64_put(out, tf_str_n(p, n));
	assert_non_null(tf_buf_room(out, 1));
	out->p[out->n] = '\0';
}

void
token_make(struct tf_buf *out, const char *head, struct tf_str payload, const struct tf_jwk *key, unsigned alg)
{
	uint8_t signature[JWS_SIGNATURE_MAX];
	size_t n;
	put_signing(out, head, payload);
	assert_true(jws_make(key->key, alg, tf_buf_view(out), signature, &n));
	put_signature(out, signature, n);
}

void
token_hmac(struct tf_buf *out, const char *head, struct tf_str payload, struct tf_str secret)
{
	uint8_t mac[32];
	unsigned n = sizeof mac;
	put_signing(out, head, payload);
	assert_non_null(HMAC(EVP_sha256(), secret.p, (int)secret.n, out->p, out->n, mac, &n));
	put_signature(out, mac, n);
}

void
token_good(struct tf_buf *out, const char *claims)
{
	struct tf_jwk k = key_of(pem_ec, "ec-1");
	token_make(out, "{\"alg\":\"ES256\",\"kid\":\"ec-1\",\"typ\":\"at+jwt\"}", tf_str(claims), &k, TF_JWS_ES256);
	tf_jwk_release(&k);
}
