/* The scripted server of the client's tests; see client_script_test.h. */
#include "client_script_test.h"

#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/net.h"
#include "serve/curl_load.h"

/* False: the connection has ended. */
static bool
receive(int fd, char *to)
{
	size_t n = 0;
	ssize_t k;
	const char *body;
	to[0] = 0;
	while (n < 4095 && (k = read(fd, to + n, 4095 - n)) > 0) {
		to[n += (size_t)k] = 0;
		bool bodyless = strncmp(to, "POST", 4) != 0 && strncmp(to, "PUT", 3) != 0;
		if ((body = strstr(to, "\r\n\r\n")) && (bodyless || strstr(body, "END")))
			return true;
	}
	return false;
}

/* One connection. */
static void
serve(struct script *s, int fd)
{
	char request[4096];
	bool keep = true;
	while (keep && s->answers[s->count] && receive(fd, request)) {
		const char *text = s->answers[s->count];
		memcpy(s->got[s->count], request, sizeof request);
		s->count++;
		keep = text[0] == '+';
		text += keep;
		if (strcmp(text, "-") == 0)
			while (read(fd, (char[64]){0}, 64) > 0)
				;
		else if (*text && write(fd, text, strlen(text)) < 0)
			perror("write");
	}
}

static void *
run(void *arg)
{
	struct script *s = arg;
	int fd;
	while (s->answers[s->count] && (fd = accept(s->listener, NULL, NULL)) >= 0) {
		serve(s, fd);
		close(fd);
		if (!s->answers[s->count] && s->drain) {
			nanosleep(&(struct timespec){0, 20000000}, NULL); /* the client is waiting by then, or soon */
			tf_client_drain(s->drain);
		}
	}
	return NULL;
}

struct script *
play(const char *const answers[TRIES])
{
	struct sockaddr_storage a;
	socklen_t n = sizeof a;
	if (!tf_curl())
		skip();
	struct script *s = tf_calloc(1, sizeof *s);
	assert_non_null(s);
	memcpy(s->answers, answers, sizeof s->answers);
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* of os they do not wait; this one does */
	assert_int_equal(listen(s->listener, 16), 0);
	assert_int_equal(getsockname(s->listener, (struct sockaddr *)&a, &n), 0);
	snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u/take", tf_net_port(s->listener));
	assert_int_equal(pthread_create(&s->thread, NULL, run, s), 0);
	return s;
}

void
end(struct script *s)
{
	shutdown(s->listener, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->listener);
	tf_free(s);
}

void
nobody(char url[static 64])
{
	int fd;
	if (!tf_curl())
		skip();
	OK(tf_net_listen("127.0.0.1", 0, 16, &fd, NULL));
	snprintf(url, 64, "http://127.0.0.1:%u/take", tf_net_port(fd));
	tf_net_close(&fd);
}

int
setup(void **state)
{
	(void)state;
	with((struct tf_client_options){0});
	return 0;
}

int
teardown(void **state)
{
	(void)state;
	tf_client_free(&client);
	return 0;
}

enum tf_err
call(struct tf_client_request r)
{
	return tf_client_call(client, &r, NULL, &answer, &fault);
}

enum tf_err
post(const char *url)
{
	return call((struct tf_client_request){
		.url = url, .type = "text/csv", .key = "key-1", .body = TF_STR("a,b\n1,2\nEND")});
}

enum tf_err
plain_post(const char *url)
{
	return call((struct tf_client_request){.url = url, .type = "text/csv", .body = TF_STR("END")});
}
