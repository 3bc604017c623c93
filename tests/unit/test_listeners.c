/* server/listeners: which sockets one table takes over from another. */
#include <check.h>
#include <dirent.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/options.h"
#include "net/sock.h"
#include "server/listeners.h"

static char dir[] = "/tmp/sluss-listeners-XXXXXX";
static struct listeners now;

/* Configurations, the last one the current; places point to the services of any. */
static struct config *confs[16];
static struct service fakes[16][4];
static size_t nconfs;

/* The services of the current one. */
static struct service *services[4];
static size_t nservices;

static unsigned at_first;

static unsigned
open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	ck_assert_ptr_nonnull(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

/* Another configuration, without services. */
static void
anew(void)
{
	struct errmsg e;

	ck_assert_uint_lt(nconfs, 16);
	ck_assert_ptr_nonnull(confs[nconfs++] = config_empty(PROFILE_STRICT, &e));
	nservices = 0;
}

static void
begin(void)
{
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	now = (struct listeners){ 0 };
	anew();
	at_first = open_fds();
}

static void
end(void)
{
	listeners_close(&now);
	ck_assert_uint_eq(open_fds(), at_first);
	while (nconfs > 0)
		config_free(confs[--nconfs]);
	ck_assert_int_eq(rmdir(dir), 0);
}

static void
section(const char *name, const char *accept)
{
	struct config *conf = confs[nconfs - 1];
	struct errmsg e;
	struct conf_service *s = config_add(conf, name, &e);

	ck_assert_ptr_nonnull(s);
	ck_assert_msg(options_set(conf, s, "accept", accept, &e) == 0, "%s", e.text);
	nservices++;
	/* Adding moves the sections. */
	for (size_t i = 0; i < nservices; i++) {
		services[i] = &fakes[nconfs - 1][i];
		*services[i] = (struct service){ .config = conf, .conf = &conf->services[i] };
	}
}

/* The last section's sockets get an option. */
static void
tune(const char *option)
{
	struct conf_service *s = &confs[nconfs - 1]->services[nservices - 1];
	struct errmsg e;

	ck_assert_int_eq(options_set(confs[nconfs - 1], s, "socket", option, &e), 0);
	services[nservices - 1]->setup = (struct sock_setup){
		.opts = s->sockopts.items,
		.nopts = s->sockopts.n,
	};
}

/* Opens what the sections say, beside what is. */
static int
try(struct listeners *next, struct errmsg *e)
{
	*next = (struct listeners){ 0 };
	return listeners_open(next, &now, services, nservices, e);
}

/* Goes over to what the sections say. */
static void
take(void)
{
	struct listeners next;
	struct errmsg e;

	ck_assert_msg(try(&next, &e) == 0, "%s", e.text);
	listeners_replace(&now, &next);
	ck_assert_uint_eq(open_fds(), at_first + now.n);
}

/* Where the service of this name listens; the socket is *fd. */
static struct addr
where(const char *name, int *fd)
{
	for (size_t i = 0; i < now.n; i++)
		if (strcmp(now.items[i].service->conf->name, name) == 0) {
			*fd = now.items[i].fd;
			return now.items[i].addr;
		}
	ck_abort_msg("no service %s", name);
}

static bool
answers(const struct addr *a)
{
	const struct sock_setup plain = { 0 };
	bool pending;
	int fd, why;

	if ((fd = sock_connect(a, &plain, &pending)) == -1)
		return false;
	if (pending)
		poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, -1);
	why = sock_outcome(fd);
	close(fd);
	return why == 0;
}

/* A port of the system's choice stays with its section, wherever that stands now. */
START_TEST(test_own_ports)
{
	int a, b, fd;
	struct addr at;

	section("a", "127.0.0.1:0");
	section("b", "127.0.0.1:0");
	take();
	where("a", &a);
	at = where("b", &b);
	anew();
	section("c", "127.0.0.1:0");
	section("b", "127.0.0.1:0");
	section("a", "127.0.0.1:0");
	take();
	ck_assert_uint_eq(now.n, 3);
	where("a", &fd);
	ck_assert_int_eq(fd, a);
	where("b", &fd);
	ck_assert_int_eq(fd, b);
	anew();
	section("a", "127.0.0.1:0");
	take();
	ck_assert(!answers(&at));
	at = where("a", &fd);
	ck_assert_int_eq(fd, a);
	ck_assert(answers(&at));
}
END_TEST

/* One that is written out is any section's. */
START_TEST(test_same_address)
{
	char text[ADDR_TEXT];
	struct addr at;
	int a, fd;

	section("a", "127.0.0.1:0");
	take();
	at = where("a", &a);
	addr_text(&at, text);
	anew();
	section("b", text);
	take();
	where("b", &fd);
	ck_assert_int_eq(fd, a);
	ck_assert(answers(&at));
}
END_TEST

/* A socket that stays gets the options of its new service. */
START_TEST(test_options)
{
	socklen_t len = sizeof(int);
	int a, fd, value = -1;

	section("a", "127.0.0.1:0");
	take();
	where("a", &a);
	for (int i = 1; i >= 0; i--) {
		anew();
		section("a", "127.0.0.1:0");
		tune(i == 1 ? "a:SO_KEEPALIVE=1" : "a:SO_KEEPALIVE=0");
		take();
		where("a", &fd);
		ck_assert_int_eq(fd, a);
		ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &len), 0);
		ck_assert_int_eq(value, i);
	}
}
END_TEST

START_TEST(test_everywhere)
{
	char text[ADDR_TEXT];
	struct addr at;
	int a, fd;

	section("a", "0");
	take();
	at = where("a", &a);
	if (at.u.sa.sa_family != AF_INET6)
		return;
	addr_text(&at, text);
	anew();
	section("b", strrchr(text, ':') + 1);
	take();
	where("b", &fd);
	ck_assert_int_eq(fd, a);
	anew();
	section("c", text);
	take();
	where("c", &fd);
	ck_assert_int_eq(fd, a);
}
END_TEST

/* Given up, or not to be had at all, the next table leaves the one that is as it was. */
START_TEST(test_abandon)
{
	char text[ADDR_TEXT], path[PATH_MAX];
	struct listeners next;
	struct errmsg e;
	struct addr at;
	struct stat st;
	int a, fd;

	section("a", "127.0.0.1:0");
	take();
	at = where("a", &a);
	addr_text(&at, text);
	snprintf(path, sizeof(path), "%s/socket", dir);
	anew();
	section("b", path);
	section("c", text);
	ck_assert_int_eq(try(&next, &e), 0);
	ck_assert_uint_eq(open_fds(), at_first + 2);
	ck_assert_int_eq(lstat(path, &st), 0);
	listeners_abandon(&next, &now);
	ck_assert_uint_eq(open_fds(), at_first + 1);
	ck_assert_int_eq(lstat(path, &st), -1);
	section("d", text);
	ck_assert_int_eq(try(&next, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "[d]"));
	ck_assert_uint_eq(next.n, 0);
	ck_assert_uint_eq(open_fds(), at_first + 1);
	ck_assert_int_eq(lstat(path, &st), -1);
	ck_assert(answers(&at));
	anew();
	section("a", "127.0.0.1:0");
	take();
	where("a", &fd);
	ck_assert_int_eq(fd, a);
}
END_TEST

START_TEST(test_unix)
{
	char path[PATH_MAX];
	struct stat st;
	struct addr at;
	int a, fd;

	snprintf(path, sizeof(path), "%s/socket", dir);
	section("a", path);
	take();
	where("a", &a);
	take();
	at = where("a", &fd);
	ck_assert_int_eq(fd, a);
	/* Without its file nobody would find it. */
	ck_assert_int_eq(unlink(path), 0);
	ck_assert(!answers(&at));
	take();
	ck_assert(answers(&at));
	/* Another one's file is not ours to remove. */
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	anew();
	section("b", "127.0.0.1:0");
	take();
	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

/* From every address to one and back; but two that no start would allow are refused. */
START_TEST(test_overlap)
{
	char all[ADDR_TEXT], one[ADDR_TEXT];
	struct listeners next;
	struct errmsg e;
	struct addr at;
	int fd;

	section("a", "0.0.0.0:0");
	take();
	at = where("a", &fd);
	addr_text(&at, all);
	snprintf(one, sizeof(one), "127.0.0.1%s", strrchr(all, ':'));
	for (int i = 0; i < 3; i++) {
		anew();
		section("a", i % 2 == 0 ? one : all);
		take();
	}
	anew();
	section("a", all);
	section("b", one);
	ck_assert_int_eq(try(&next, &e), -1);
	anew();
	section("a", one);
	section("b", all);
	ck_assert_int_eq(try(&next, &e), -1);
	/* Neither has made it give up anything. */
	anew();
	section("a", one);
	take();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("listeners");
	TCase *tc = tcase_create("listeners");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, test_own_ports);
	tcase_add_test(tc, test_same_address);
	tcase_add_test(tc, test_options);
	tcase_add_test(tc, test_everywhere);
	tcase_add_test(tc, test_abandon);
	tcase_add_test(tc, test_unix);
	tcase_add_test(tc, test_overlap);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
