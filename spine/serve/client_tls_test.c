/* The client over TLS: who is trusted, and which certificate is shown. */
#include "client_peer_test.h"

#include "os/dir_testing.h"
#include "pki_test.h"

#define DAY_S 86400L

static char dir[200], certificate[256], key[256], ca[256], crl[256], other_ca[256], own[256], own_key[256];
static struct pki_pair root, other_root, server, partner, second;
static struct tf_tls *tls;

static int
make_pki(void **state)
{
	(void)state;
	assert_true(dir_make(dir, sizeof dir, "tls"));
	snprintf(certificate, sizeof certificate, "%s/server.pem", dir);
	snprintf(key, sizeof key, "%s/server.key", dir);
	snprintf(ca, sizeof ca, "%s/ca.pem", dir);
	snprintf(crl, sizeof crl, "%s/ca.crl", dir);
	snprintf(other_ca, sizeof other_ca, "%s/other.pem", dir);
	snprintf(own, sizeof own, "%s/own.pem", dir);
	snprintf(own_key, sizeof own_key, "%s/own.key", dir);
	root = pki_make("root", PKI_CA, NULL, -DAY_S, DAY_S);
	other_root = pki_make("other root", PKI_CA, NULL, -DAY_S, DAY_S);
	server = pki_make("server", PKI_SERVER, &root, -DAY_S, DAY_S);
	partner = pki_make("partner", PKI_CLIENT, &root, -DAY_S, DAY_S);
	second = pki_make("second", PKI_CLIENT, &root, -DAY_S, DAY_S);
	pki_write(certificate, &server.x, 1, NULL);
	pki_write(key, NULL, 0, server.key);
	pki_write(ca, &root.x, 1, NULL);
	pki_write(other_ca, &other_root.x, 1, NULL);
	pki_write_crl(crl, &root, NULL, 0, DAY_S);
	return 0;
}

static int
drop_pki(void **state)
{
	(void)state;
	struct pki_pair *all[] = {&root, &other_root, &server, &partner, &second};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		pki_free(all[i]);
	return dir_remove(dir);
}

static int
setup(void **state)
{
	(void)state;
	struct tf_tls_options o = {
		.certificate = certificate, .key = key, .clients = TF_TLS_CLIENTS_MUST, .client_ca = ca, .crl = crl};
	pki_write(own, &partner.x, 1, NULL);
	pki_write(own_key, NULL, 0, partner.key);
	return tf_tls_new(tf_os_real(), &o, &tls, NULL);
}

static int
teardown(void **state)
{
	(void)state;
	tf_client_free(&client);
	tf_tls_free(&tls);
	return 0;
}

/* Notes whose certificate it saw. */
static void
tell_certificate(struct peer *p, struct tf_exchange *x, unsigned number)
{
	const struct tf_certificate *who = tf_exchange_certificate(x);
	(void)number;
	tf_buf_printf(&p->seen, "%s,", who ? who->subject : "nobody");
	peer_say(x, 200, "");
}

static enum tf_err
get(const char *url, bool close)
{
	struct tf_client_request r = {.method = "GET", .url = url};
	if (close)
		r.headers[0] = (struct tf_client_header){"Connection", "close"};
	return tf_client_call(client, &r, NULL, &answer, &fault);
}

static void
the_certificate_is_shown_and_the_connection_kept(void **state)
{
	(void)state;
	struct peer *p = peer_start(NULL, tls, tell_certificate, NULL);
	with((struct tf_client_options){.ca = ca, .cert = own, .key = own_key});
	for (int i = 0; i < 3; i++)
		OK(get(p->url, false));
	peer_saw(p, "CN=partner,CN=partner,CN=partner,");
	assert_int_equal(p->connections, 1);
	peer_end(&p);
}

static void
without_one_it_is_not_let_in(void **state)
{
	(void)state;
	struct peer *p = peer_start(NULL, tls, tell_certificate, NULL);
	with((struct tf_client_options){.ca = ca, .tries = 2});
	assert_int_equal(get(p->url, false), TF_IO);
	assert_int_equal(p->requests, 0);
	peer_end(&p);
}

static void
a_server_that_is_not_trusted_hears_nothing(void **state)
{
	(void)state;
	struct peer *p = peer_start(NULL, tls, tell_certificate, NULL);
	with((struct tf_client_options){.ca = other_ca, .cert = own, .key = own_key});
	assert_int_equal(get(p->url, false), TF_IO);
	assert_int_equal(answer.tries, 1); /* the next one would find the same */
	with((struct tf_client_options){.cert = own, .key = own_key});
	assert_int_equal(get(p->url, false), TF_IO);
	assert_int_equal(p->requests, 0);
	peer_end(&p);
}

static void
nor_one_of_another_name(void **state)
{
	(void)state;
	struct peer *p = peer_start("127.0.0.2", tls, tell_certificate, NULL);
	with((struct tf_client_options){.ca = ca, .cert = own, .key = own_key});
	assert_int_equal(get(p->url, false), TF_IO);
	assert_int_equal(p->requests, 0);
	peer_end(&p);
}

static void
files_are_read_anew_for_a_new_connection(void **state)
{
	(void)state;
	struct peer *p = peer_start(NULL, tls, tell_certificate, NULL);
	with((struct tf_client_options){.ca = ca, .cert = own, .key = own_key, .tries = 1});
	OK(get(p->url, true));
	pki_write(own, &second.x, 1, NULL);
	pki_write(own_key, NULL, 0, second.key);
	OK(get(p->url, true));
	peer_saw(p, "CN=partner,CN=second,");
	/* Half replaced: nothing is sent, and it says nothing about the server. */
	pki_write(own_key, NULL, 0, partner.key);
	for (int i = 0; i < 10; i++)
		assert_int_equal(get(p->url, true), TF_IO);
	pki_write(own, &partner.x, 1, NULL);
	OK(get(p->url, true));
	peer_saw(p, "CN=partner,CN=second,CN=partner,");
	pki_write(ca, &other_root.x, 1, NULL); /* the authorities too */
	assert_int_equal(get(p->url, true), TF_IO);
	pki_write(ca, &root.x, 1, NULL);
	OK(get(p->url, true));
	peer_end(&p);
}

static void
a_certificate_needs_its_key(void **state)
{
	(void)state;
	struct tf_client *none = NULL;
	assert_int_equal(tf_client_new(tf_os_real(), &(struct tf_client_options){.cert = own}, &none, &fault),
			 TF_INVALID);
	assert_int_equal(tf_client_new(tf_os_real(), &(struct tf_client_options){.key = own_key}, &none, &fault),
			 TF_INVALID);
	assert_null(none);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_certificate_is_shown_and_the_connection_kept), TEST(without_one_it_is_not_let_in),
		TEST(a_server_that_is_not_trusted_hears_nothing),       TEST(nor_one_of_another_name),
		TEST(files_are_read_anew_for_a_new_connection),         TEST(a_certificate_needs_its_key),
	};
	return cmocka_run_group_tests(tests, make_pki, drop_pki);
}
