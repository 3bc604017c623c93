/* conf/load: a configuration file as a whole, from its text to the checked configuration, with
 * every message that it causes. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#include "conf/load.h"
#include "conf/options.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

static char errors[65536], warnings[65536];

static void
say(void *arg, int level, const char *text)
{
	char *to = level == LOG_ERR ? errors : warnings;

	ck_assert_ptr_eq(arg, errors);
	ck_assert(level == LOG_ERR || level == LOG_WARNING);
	ck_assert_uint_lt(strlen(to) + strlen(text), sizeof(errors) - 2);
	strcat(to, text);
	strcat(to, "\n");
}

static struct config *
load(const char *text)
{
	const struct conf_report report = { errors, say };
	int fd = memfd_create("conf", MFD_CLOEXEC);

	errors[0] = warnings[0] = '\0';
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	return config_load_fd(fd, "x", &report);
}

static struct config *
must_load(const char *text)
{
	struct config *config = load(text);

	if (config == NULL)
		ck_abort_msg("%s: %s", text, errors);
	ck_assert_str_eq(errors, "");
	return config;
}

/* Sections that say nothing wrong, and nothing weak. */
#define SERVER "[s]\nprofile=strict\naccept=1\nconnect=2\ncert=s.pem\npeer=c.crt\n"
#define CLIENT "[c]\nclient=yes\nprofile=strict\naccept=1\nconnect=2\ncert=c.pem\npeer=s.crt\n"
/* The same as stunnel has it. */
#define PLAIN_SERVER "[s]\naccept=1\nconnect=2\ncert=s.pem\n"
#define PLAIN_CLIENT "[c]\nclient=yes\naccept=1\nconnect=2\n"

#define TWO "Each service must define two endpoints: give accept and one of connect and exec, or " \
	"exec and connect\n"
#define NO_CERT "TLS server needs a certificate: make one with \"sluss keygen server --dns HOST\" " \
	"and add cert = server.pem\n"
#define NO_CAS "CAfile and CApath are both missing: give the file or the folder of the " \
	"certificates to trust\n"
#define GLOBAL "Specified option name is not valid here: it is for the whole program, so write " \
	"it before the first section\n"
#define BARE_NAME "a name proves nothing by itself: add verifyChain = yes or verifyPeer = yes, " \
	"with CAfile\n"

/* What is refused, with every message. */
static const struct {
	const char *text, *errors;
} bad[] = {
	{ "foo = 1\n" SERVER, "x:1: \"foo = 1\": Specified option name is not valid here\n" },
	{ "  chekhost=1  \n" SERVER,
	    "x:1: \"chekhost=1\": Specified option name is not valid here (did you mean "
	    "checkHost?)\n" },
	{ "=1\n" SERVER, "x:1: \"=1\": Specified option name is not valid here\n" },
	{ SERVER "pid = /run/x\n", "x:7: \"pid = /run/x\": " GLOBAL },
	{ SERVER "fips = no\n", "x:7: \"fips = no\": " GLOBAL },
	{ SERVER "delay = true\n",
	    "x:7: \"delay = true\": \"true\" is neither yes nor no: give one of them\n" },
	{ SERVER "TIMEOUTidle = 60 ; x\n",
	    "x:7: \"TIMEOUTidle = 60 ; x\": \"60 ; x\" is not a whole number: give 1 to "
	    "31536000 seconds\n" },
	{ SERVER "OCSP = https://a\n",
	    "x:7: \"OCSP = https://a\": https is not spoken to responders: their answers are signed; "
	    "give its http:// URL\n" },
	{ SERVER "OCSPaia = yes\nOCSPflag = NOSIGS\n",
	    "x:8: \"OCSPflag = NOSIGS\": NOSIGS would make OCSP useless: whoever is on the way could "
	    "answer; leave it out\n" },
	{ SERVER "nonsense\n",
	    "x:7: \"nonsense\": there is no = between an option and its value\n" },
	{ "[s]\naccept = 127.0.0.1:0 ; x\nconnect=2\ncert=s\n",
	    "x:2: \"accept = 127.0.0.1:0 ; x\": port \"0 ; x\" of \"127.0.0.1:0 ; x\" is neither a "
	    "number nor a service name: give 0 to 65535\n" },
	/* All of it, in one go, and no word about what was given though wrong. */
	{ "foo=1\nacept=2\n[a]\naccept=a:b:c\nconnect=2\ncert=\n[b\nclient=maybe\n[c]\nclient=yes\n",
	    "x:1: \"foo=1\": Specified option name is not valid here\n"
	    "x:2: \"acept=2\": Specified option name is not valid here (did you mean accept?)\n"
	    "x:4: \"accept=a:b:c\": port \"c\" of \"a:b:c\" is neither a number nor a "
	    "service name: give 0 to 65535\n"
	    "x:6: \"cert=\": the file's name is empty: give a path\n"
	    "x:7: \"[b\": the section's name has no ] at the end of the line\n"
	    "x:8: \"client=maybe\": \"maybe\" is neither yes nor no: give one of them\n"
	    "x:9: \"[c]\": " TWO },
	/* Endpoints. */
	{ "[s]\naccept=1\ncert=s\n", "x:1: \"[s]\": " TWO },
	{ "[ a b ]\nconnect=1\ncert=s\n", "x:1: \"[ a b ]\": " TWO },
	{ "[]\ncert=s\n", "x:1: \"[]\": " TWO },
	{ "[s]\naccept=1\nconnect=1\nexec=/bin/cat\ncert=s\n", "x:1: \"[s]\": " TWO },
	{ "[s]\nconnect=1\nexec=/bin/cat\ncert=s\n", "x:3: \"exec = /bin/cat\": with connect it is "
	    "for client = yes: a server needs accept, with connect or exec\n" },
	{ "[s]\nclient=yes\naccept=1\nexec=/bin/cat\npty=yes\n", "x:5: \"pty = yes\": with client = "
	    "yes TLS is spoken to the program, which cannot be on a terminal\n" },
	{ "[s]\naccept=1\nconnect=1\ntransparent=destination\ncert=s\n", "x:1: \"[s]\": " TWO },
	{ "[s]\naccept=-\nconnect=1\ncert=s\n",
	    "x:2: \"accept = -\": to serve the descriptors 0 and 1 leave out accept and all "
	    "[sections]\n" },
	{ "[s]\naccept=echo:\nconnect=1\ncert=s\n",
	    "x:2: \"accept = echo:\": echo: is a target: for connect of a server\n" },
	{ "[s]\naccept=1\nconnect=-\ncert=s\n",
	    "x:3: \"connect = -\": - is for the command line: sluss server --connect -\n" },
	{ "[c]\nclient=yes\naccept=1\nconnect=echo:\n",
	    "x:4: \"connect = echo:\": echo: is for a server, not with client = yes\n" },
	/* Secrets are not shown. */
	{ "[c]\nclient=yes\naccept=1\nconnect=2\nprotocol=smtp\nprotocolPassword=hunter2\n",
	    "x:6: \"protocolPassword = ...\": protocolUsername is missing: the two belong "
	    "together\n" },
	{ "protocolPasswort = hunter2\n" SERVER, "x:1: \"protocolPasswort = ...\": Specified option "
	    "name is not valid here (did you mean protocolPassword?)\n" },
	{ "protocolPassword hunter2\n" SERVER, "x:1: \"protocolPassword ...\": there is no = "
	    "between an option and its value\n" },
	{ SERVER "TICKETkeySecret =hunter2\n", "x:7: \"ticketKeySecret = ...\": ticketKeySecret and "
	    "ticketMacSecret go together: give both\n" },
	{ "[c]\nclient=yes\naccept=1\nconnect=h:0\n",
	    "x:4: \"connect = h:0\": h:0: nothing listens on port 0\n" },
	{ "[c]\nclient=yes\naccept=1\nconnect=h:0\nconnect=i:1\n",
	    "x:5: \"connect = i:1\": h:0: nothing listens on port 0\n" },
	/* Without a section. */
	{ "accept=1\nconnect=2\ncert=s\n",
	    "x:1: \"accept = 1\": accept needs a [section] in front of it: without one the "
	    "connection is on the descriptors 0 and 1\n" },
	{ "cert=s\n",
	    "x: Inetd mode must define one endpoint: give connect or exec, or begin a "
	    "[section]\n" },
	{ "cert=s\nconnect=1\nexec=/bin/cat\n",
	    "x: Inetd mode must define one endpoint: give connect or exec, or begin a "
	    "[section]\n" },
	{ "connect=1\n", "x: " NO_CERT },
	{ "", "x: Inetd mode must define one endpoint: give connect or exec, or begin a "
	    "[section]\nx: " NO_CERT },
	{ "connect=1\nfoo\n",
	    "x:2: \"foo\": there is no = between an option and its value\n" },
	/* Certificates and who may pass. */
	{ "[s]\naccept=1\nconnect=2\n", "x:1: \"[s]\": " NO_CERT },
	{ PLAIN_CLIENT "key=k\n",
	    "x:5: \"key = k\": there is no cert: add it, or leave key out\n" },
	{ PLAIN_CLIENT "verifyChain=yes\n", "x:5: \"verifyChain = yes\": " NO_CAS },
	{ PLAIN_CLIENT "verifyPeer=yes\n", "x:5: \"verifyPeer = yes\": " NO_CAS },
	{ PLAIN_CLIENT "verify=2\n", "x:5: \"verify = 2\": " NO_CAS },
	{ "verify=1\n" PLAIN_CLIENT, "x:1: \"verify = 1\": " NO_CAS },
	{ PLAIN_CLIENT "checkHost=a\n", "x:5: \"checkHost = a\": " BARE_NAME },
	{ PLAIN_CLIENT "checkIP=::1\n", "x:5: \"checkIP = ::1\": " BARE_NAME },
	{ PLAIN_CLIENT "CAfile=a\ncheckEmail=a@b\n", "x:6: \"checkEmail = a@b\": " BARE_NAME },
	{ PLAIN_CLIENT "verify=0\ncheckHost=a\n", "x:6: \"checkHost = a\": " BARE_NAME },
	{ PLAIN_CLIENT "insecure=yes\nverifyChain=yes\nCAfile=a\n",
	    "x:6: \"verifyChain = yes\": insecure = yes contradicts it: leave one of them "
	    "out\n" },
	{ PLAIN_CLIENT "insecure=yes\ncheckHost=a\npeer=b\n",
	    "x:7: \"peer = b\": insecure = yes contradicts it: leave one of them out\n"
	    "x:6: \"checkHost = a\": insecure = yes contradicts it: leave one of them out\n" },
	{ PLAIN_SERVER "redirect=80\n",
	    "x:5: \"redirect = 80\": nobody is ever redirected: add verifyChain = yes or "
	    "verifyPeer = yes, with CAfile\n" },
	{ CLIENT "redirect=80\n",
	    "x:8: \"redirect = 80\": it is for servers, not with client = yes\n" },
	{ PLAIN_SERVER SERVER "[n]\nsni=a:b\nconnect=3\ncert=s\npeer=a\nprofile=strict\n",
	    "x:12: \"sni = a:b\": there is no section [a] that accepts as a TLS server\n" },
	{ "profile=strict\n[s]\naccept=1\nconnect=2\ncert=s\n",
	    "x:2: \"[s]\": nothing says which client may pass, which profile = strict asks for: "
	    "add peer = client.crt (its certificate) or CAfile = ca.crt (the CA that issued "
	    "it)\n" },
	{ "[c]\nprofile=strict\nclient=yes\naccept=1\nconnect=2\npeer=a\n",
	    "x:1: \"[c]\": cert is missing, which profile = strict asks for: make it with \"sluss "
	    "keygen client\" and add cert = client.pem\n" },
	{ "[c]\nprofile=strict\nclient=yes\naccept=1\nconnect=/s\ncert=c\nCAfile=a\n",
	    "x:5: \"connect = /s\": checkHost is missing: the certificate must name the server, "
	    "and the path of a socket gives no name\n" },
	/* The rest. */
	{ SERVER "protocol=ldap\n",
	    "x:7: \"protocol = ldap\": it is for client = yes only\n" },
	{ CLIENT "protocol=connect\n",
	    "x:8: \"protocol = connect\": protocolHost is missing: give the HOST:PORT that the "
	    "proxy is to connect to\n" },
	{ SERVER "proxyFrom=::1\n",
	    "x:7: \"proxyFrom = ::1/128\": proxyIn = yes is missing\n" },
	{ SERVER "sslVersionMin=TLSv1.3\nsslVersionMax=TLSv1.2\n",
	    "x:7: \"sslVersionMin = TLSv1.3\": sslVersionMin TLSv1.3 is above sslVersionMax "
	    "TLSv1.2: raise the one or lower the other\n" },
	{ "pid=p\noutput=o\n" PLAIN_SERVER,
	    "x:1: \"pid = p\": with foreground = no the path must begin with /\n"
	    "x:2: \"output = o\": with foreground = no the path must begin with /\n" },
};

START_TEST(refuses)
{
	struct config *config = load(bad[_i].text);

	ck_assert_str_eq(errors, bad[_i].errors);
	ck_assert_ptr_null(config);
	/* Who has errors to mend is spared advice. */
	ck_assert_ptr_null(strstr(warnings, "add TIMEOUTbusy"));
}
END_TEST

/* What is taken, and all that is said about it. */
static const struct {
	const char *text, *warnings;
} good[] = {
	{ SERVER, "" },
	{ CLIENT, "" },
	{ SERVER CLIENT SERVER, "" },
	{ "profile=strict\n[s]\naccept=1\nconnect=echo:\ncert=s\npeer=a\n", "" },
	{ "foreground=yes\npid=p\noutput=o\n" SERVER, "" },
	{ "pid=\n" SERVER, "" },
	{ "fips=no\nengine=auto\nlibwrap=no\n" SERVER "renegotiation=no\nOCSPaia=no\nretry=yes\n", "" },
	{ "RNDbytes=3\n" SERVER "stack=9\n",
	    "x:1: \"RNDbytes=3\": ignored: random numbers come from the kernel\n"
	    "x:8: \"stack=9\": ignored: no thread belongs to a connection\n" },
	{ SERVER "execArgs=a b\n", "x:7: \"execArgs = a b\": ignored: there is no exec\n" },
	{ SERVER "pty=yes\n", "x:7: \"pty = yes\": ignored: there is no exec\n" },
	{ SERVER "protocolHost=a\n",
	    "x:7: \"protocolHost = a\": ignored: protocol = none makes no use of it\n" },
	{ "TIMEOUTbusy=20\n" PLAIN_SERVER "verifyChain=yes\nCAfile=a\nabort=compat\n", "" },
	/* What is said twice, but not what is said anew in a section, or added to. */
	{ SERVER "keyPass=a\nkeyPass=b\n",
	    "x:8: \"keyPass=b\": x:7 counts no more: the option holds one value, the last\n" },
	{ "delay=yes\ndelay=no\n" SERVER,
	    "x:2: \"delay=no\": x:1 counts no more: the option holds one value, the last\n" },
	{ "pid=/a\npid=\n" SERVER,
	    "x:2: \"pid=\": x:1 counts no more: the option holds one value, the last\n" },
	{ "cert=t.pem\n" SERVER "connect=3\noptions=NO_SSLv2\noptions=NO_SSLv3\n", "" },
	{ SERVER "sslVersion=all\nsslVersionMin=TLSv1.3\n", "" },
	/* One warning for each default that is weaker than ours. */
	{ PLAIN_SERVER,
	    "x:1: \"[s]\": every client may pass: add verifyChain = yes and CAfile = FILE, or "
	    "insecure = yes if that is meant\n"
	    "x:1: \"[s]\": a handshake may take 300 seconds: add TIMEOUTbusy = 10\n"
	    "x:1: \"[s]\": a tunnel that was cut off ends as if it were whole: add abort = "
	    "strict\n" },
	{ "TIMEOUTbusy=9\nabort=strict\n" PLAIN_CLIENT,
	    "x:3: \"[c]\": Service [c] needs authentication to prevent MITM attacks: add "
	    "verifyChain = yes, CAfile = FILE and checkHost = NAME\n" },
	{ "TIMEOUTbusy=9\nabort=strict\nCAfile=a\n" PLAIN_CLIENT,
	    "x:4: \"[c]\": Service [c] needs authentication to prevent MITM attacks: add "
	    "verifyChain = yes and checkHost = NAME\n" },
	{ "TIMEOUTbusy=9\nabort=strict\nCAfile=a\n" PLAIN_CLIENT "verify=2\n",
	    "x:4: \"[c]\": whoever has a certificate of the CA is taken for the server: add "
	    "checkHost = NAME\n" },
	{ "TIMEOUTbusy=9\nabort=strict\nCAfile=a\n" PLAIN_CLIENT "verify=2\ncheckHost=h\n", "" },
	{ "TIMEOUTbusy=9\nabort=strict\nCAfile=a\n" PLAIN_CLIENT "verifyPeer=yes\n", "" },
	{ "TIMEOUTbusy=9\nabort=strict\nCAfile=a\n" PLAIN_CLIENT "verify=4\n", "" },
	{ "TIMEOUTbusy=9\nabort=strict\n" PLAIN_CLIENT "insecure=yes\n", "" },
	{ "connect=1\ncert=s\nprofile=strict\npeer=a\n", "" },
	{ "exec=/bin/cat\ncert=s\nabort=strict\nverify=3\nCAfile=a\n",
	    "x: a handshake may take 300 seconds: add TIMEOUTbusy = 10\n" },
};

START_TEST(accepts)
{
	struct config *config = must_load(good[_i].text);

	ck_assert_str_eq(warnings, good[_i].warnings);
	config_free(config);
}
END_TEST

/* A value that a row takes, other than the harmless one. */
static const char *
some_value(const struct option *o)
{
	switch (o->type) {
	case OPTION_FLAG:
		return o->harmless != NULL && strcmp(o->harmless, "yes") == 0 ? "no" : "yes";
	case OPTION_SECONDS:
	case OPTION_COUNT:
		return "7";
	default:
		return "some";
	}
}

/* Every option that stunnel knows and we do not do says so, and what it says is in the table:
 * ignored with a warning, or refused; its harmless value is taken in silence. */
START_TEST(not_there)
{
	static const char section[] = "[s]\nprofile=strict\naccept=1\nconnect=2\ncert=s\npeer=c\n";
	const struct option *o;
	struct config *c;
	char text[512], message[512];
	int n[3] = { 0 };

	for (size_t i = 0; (o = options_row(i)) != NULL; i++) {
		n[o->status]++;
		if (o->status == OPTION_WORKS)
			continue;
		snprintf(text, sizeof(text), "%s=%s\n%s", o->name, some_value(o), section);
		c = load(text);
		snprintf(message, sizeof(message), "x:1: \"%s%s%s\": %s%s\n", o->name,
		    options_secret(o) ? " = " : "=", options_secret(o) ? "..." :
		    some_value(o), o->status == OPTION_IGNORED ? "ignored: " : "", o->note);
		ck_assert_str_eq(o->status == OPTION_IGNORED ? warnings : errors, message);
		ck_assert_int_eq(c != NULL, o->status == OPTION_IGNORED);
		config_free(c);
		if (o->harmless == NULL)
			continue;
		snprintf(text, sizeof(text), "%s=%s\n%s", o->name, o->harmless, section);
		c = must_load(text);
		ck_assert_str_eq(warnings, "");
		config_free(c);
	}
	ck_assert_int_gt(n[OPTION_WORKS], 70);
	ck_assert_int_gt(n[OPTION_IGNORED], 5);
	ck_assert_int_gt(n[OPTION_REFUSED], 10);
}
END_TEST

/* stunnel.md's lists: what must be there to run the files of others. */
START_TEST(statuses)
{
	static const char *const works[] = { "foreground", "pid", "debug", "output", "syslog",
		"setuid", "setgid", "chroot", "service", "log", "setEnv", "accept", "connect",
		"client", "cert", "key", "CAfile", "CApath", "verifyChain", "verifyPeer", "verify",
		"checkHost", "checkIP", "checkEmail", "requireCert", "sslVersion", "sslVersionMin",
		"sslVersionMax", "ciphers", "ciphersuites", "curves", "curve", "options", "sni",
		"TIMEOUTbusy", "TIMEOUTclose", "TIMEOUTconnect", "TIMEOUTidle", "socket", "delay",
		"retry", "failover", "protocol", "protocolHost", "protocolUsername",
		"protocolPassword", "protocolAuthentication", "protocolHeader", "exec", "execArgs",
		"pty", "redirect", "transparent", "local", "logId", "reset", "securityLevel" };
	static const char *const ignored[] = { "RNDfile", "RNDbytes", "RNDoverwrite", "EGD",
		"stack", "compression", "renegotiation" };
	static const char *const refused[] = { "fips", "engine", "engineCtrl", "engineDefault",
		"engineId", "engineNum", "CAengine", "CAstore", "provider", "providerParameter",
		"config", "libwrap", "ident", "sessiond", "transport", "protocolDomain" };
	static const char *const unknown[] = { "iconActive", "iconError", "iconIdle", "taskbar" };

	for (int i = 0; i < COUNT(works); i++)
		ck_assert_msg(options_find(works[i], true) != NULL &&
		    options_find(works[i], true)->status == OPTION_WORKS, "%s", works[i]);
	for (int i = 0; i < COUNT(ignored); i++)
		ck_assert_int_eq(options_find(ignored[i], true)->status, OPTION_IGNORED);
	for (int i = 0; i < COUNT(refused); i++)
		ck_assert_int_eq(options_find(refused[i], true)->status, OPTION_REFUSED);
	for (int i = 0; i < COUNT(unknown); i++)
		ck_assert_ptr_null(options_find(unknown[i], true));
}
END_TEST

/* A section begins with the defaults as they stand at that moment. */
START_TEST(defaults_of_the_moment)
{
	struct config *c = must_load("TIMEOUTidle=1\ncert=a\n[one]\naccept=1\nconnect=2\n"
	    "TIMEOUTidle=2\ncert=b\n[two]\naccept=3\nconnect=4\n");

	ck_assert_uint_eq(c->nservices, 2);
	ck_assert_str_eq(c->services[0].name, "one");
	ck_assert_uint_eq(c->services[0].timeout_idle, 2);
	ck_assert_str_eq(c->services[0].cert.items[0], "b");
	ck_assert_uint_eq(c->services[1].timeout_idle, 1);
	ck_assert_str_eq(c->services[1].cert.items[0], "a");
	config_free(c);
}
END_TEST

/* Several certificates, and which of them are the section's own. */
START_TEST(certificates)
{
	struct config *c = must_load("accept=1\nconnect=2\ncert=a\ncert=b\nkey=k\n[one]\n"
	    "[two]\ncert=c\nkey=m\nkey=n\n");

	ck_assert_uint_eq(c->services[0].cert.n, 2);
	ck_assert_str_eq(c->services[0].cert.items[1], "b");
	ck_assert_uint_eq(c->services[0].key.n, 1);
	ck_assert_uint_eq(c->services[1].cert.n, 1);
	ck_assert_str_eq(c->services[1].cert.items[0], "c");
	ck_assert_uint_eq(c->services[1].key.n, 2);
	config_free(c);
}
END_TEST

/* A list that a section gives replaces the one that it inherited; within one it grows. */
START_TEST(lists_of_sections)
{
	struct config *c = must_load("accept=1\nconnect=a:1\nconnect=b:1\ncert=s\n"
	    "socket=l:TCP_NODELAY=1\n[one]\n[two]\nconnect=c:1\nconnect=d:1\nconnect=e:1\n"
	    "socket=r:TCP_NODELAY=1\n[three]\n");

	ck_assert_uint_eq(c->nservices, 3);
	ck_assert_uint_eq(c->services[0].connect.n, 2);
	ck_assert_uint_eq(c->services[0].accept.n, 1);
	ck_assert_uint_eq(c->services[1].connect.n, 3);
	ck_assert_str_eq(c->services[1].connect.items[0].host, "c");
	ck_assert_uint_eq(c->services[1].sockopts.n, 1);
	ck_assert_int_eq(c->services[1].sockopts.items[0].side, 'r');
	ck_assert_uint_eq(c->services[2].connect.n, 2);
	ck_assert_int_eq(c->services[2].sockopts.items[0].side, 'l');
	config_free(c);
}
END_TEST

START_TEST(names_verbatim)
{
	struct config *c = must_load("cert=s\nconnect=1\n[ a b ]\naccept=1\n[]\naccept=2\n[]\n"
	    "accept=3\n[192.0.2.1:443]\naccept=4\n");

	ck_assert_uint_eq(c->nservices, 4);
	ck_assert_str_eq(c->services[0].name, " a b ");
	ck_assert_str_eq(c->services[1].name, "");
	ck_assert_str_eq(c->services[2].name, "");
	ck_assert_str_eq(c->services[3].name, "192.0.2.1:443");
	ck_assert_str_eq(c->services[3].accept.items[0].port, "4");
	config_free(c);
}
END_TEST

/* Option names and words in any case; names of socket options as they are. */
START_TEST(cases)
{
	struct config *c = must_load("FOREGROUND=QuIeT\n[s]\nACCEPT=1\nConnect=2\nCERT=s\n"
	    "FAILOVER=RR\nclient=NO\n");

	ck_assert_int_eq(c->foreground, FOREGROUND_QUIET);
	ck_assert_int_eq(c->services[0].failover, FAILOVER_RR);
	config_free(c);
	ck_assert_ptr_null(load("socket=l:tcp_nodelay=1\n" SERVER));
	ck_assert_ptr_nonnull(strstr(errors, "tcp_nodelay"));
}
END_TEST

/* The last one counts, and a global option is the section's own where there are both. */
START_TEST(scalars)
{
	struct config *c = must_load("debug=authpriv.5\ndebug=6\nsetuid=a\n[s]\naccept=1\n"
	    "connect=2\ncert=a\nkeyPass=a\nkeyPass=b\ndebug=7\nsetuid=b\n");

	ck_assert_int_eq(c->debug, 6);
	ck_assert_int_eq(c->facility, LOG_DAEMON);
	ck_assert_str_eq(c->setuid, "a");
	ck_assert_int_eq(c->services[0].debug, 7);
	ck_assert_str_eq(c->services[0].setuid, "b");
	ck_assert_str_eq(c->services[0].key_pass, "b");
	config_free(c);
}
END_TEST

/* stunnel's defaults, ours by one word; what was said stands in any order. */
START_TEST(profiles)
{
	struct config *c = must_load(PLAIN_SERVER "[t]\nTIMEOUTbusy=7\nprofile=strict\naccept=1\n"
	    "connect=2\ncert=s\npeer=c\n");

	ck_assert_int_eq(c->foreground, FOREGROUND_NO);
	ck_assert(c->syslog);
	ck_assert_int_eq(c->debug, LOG_NOTICE);
	ck_assert_uint_eq(c->services[0].timeout_busy, 300);
	ck_assert_int_eq(c->services[0].abort, ABORT_COMPAT);
	ck_assert_int_eq(c->services[0].profile, PROFILE_STUNNEL);
	ck_assert_uint_eq(c->services[1].timeout_busy, 7);
	ck_assert_int_eq(c->services[1].abort, ABORT_STRICT);
	config_free(c);

	c = must_load("abort=compat\nsyslog=yes\nsslVersion=TLSv1.3\nprofile=strict\n" SERVER
	    "[t]\naccept=3\nconnect=4\ncert=s\npeer=c\nprofile=stunnel\n");
	ck_assert_int_eq(c->foreground, FOREGROUND_YES);
	ck_assert(c->syslog);
	ck_assert_int_eq(c->debug, LOG_INFO);
	ck_assert_uint_eq(c->services[0].timeout_busy, 10);
	ck_assert_int_eq(c->services[0].abort, ABORT_COMPAT);
	ck_assert_int_eq(c->services[0].version_min, VERSION_TLS13);
	ck_assert_uint_eq(c->services[1].timeout_busy, 300);
	ck_assert_int_eq(c->services[1].version_min, VERSION_TLS13);
	config_free(c);
}
END_TEST

START_TEST(inetd)
{
	struct config *c = must_load("client=yes\nconnect=h:1\nforeground=yes\n");

	ck_assert(c->inetd);
	ck_assert_uint_eq(c->nservices, 1);
	ck_assert_str_eq(c->services[0].name, "inetd");
	ck_assert_uint_eq(c->services[0].accept.n, 1);
	ck_assert_int_eq(c->services[0].accept.items[0].kind, ADDR_STDIO);
	config_free(c);

	c = must_load("service=all\n" PLAIN_SERVER "service=one\n");
	ck_assert_str_eq(c->ident, "all");
	ck_assert_str_eq(c->services[0].name, "one");
	config_free(c);

	c = must_load("service=rsync\nconnect=1\ncert=s\n");
	ck_assert_str_eq(c->services[0].name, "rsync");
	config_free(c);

	c = must_load(PLAIN_SERVER);
	ck_assert(!c->inetd);
	config_free(c);
}
END_TEST

/* Marks tell where something was set, through files. */
START_TEST(marks)
{
	struct config *c = must_load("TIMEOUTidle=1\n" PLAIN_SERVER "TIMEOUTclose=2\n");
	const struct conf_service *s = &c->services[0];

	ck_assert_uint_eq(c->files.n, 1);
	ck_assert_str_eq(c->files.items[0], "x");
	ck_assert_uint_eq(s->at.line, 2);
	ck_assert_uint_eq(options_marked(options_find("TIMEOUTidle", true), c, s)->line, 1);
	ck_assert(!options_marked(options_find("TIMEOUTidle", true), c, s)->here);
	ck_assert_uint_eq(options_marked(options_find("TIMEOUTclose", true), c, s)->line, 6);
	ck_assert(options_marked(options_find("TIMEOUTclose", true), c, s)->here);
	ck_assert_uint_eq(options_marked(options_find("TIMEOUTbusy", true), c, s)->line, 0);
	config_free(c);
}
END_TEST

START_TEST(files)
{
	static char folder[] = "/tmp/sluss-load-XXXXXX", main_path[64], part[80], text[256];
	const struct conf_report report = { errors, say };
	struct config *c;
	FILE *f;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(part, sizeof(part), "%s/part", folder);
	ck_assert_ptr_nonnull(f = fopen(part, "w"));
	fputs("[s]\naccept=1\nbad\n", f);
	fclose(f);
	strcpy(main_path, "/tmp/sluss-main-XXXXXX");
	ck_assert_ptr_nonnull(f = fdopen(mkstemp(main_path), "w"));
	fprintf(f, "cert=s\ninclude=%s\nconnect=0\n", folder);
	fclose(f);
	errors[0] = '\0';
	c = config_load(main_path, &report);
	unlink(part);
	unlink(main_path);
	rmdir(folder);
	ck_assert_ptr_null(c);
	snprintf(text, sizeof(text), "%s:3: \"bad\": there is no = between an option and its "
	    "value\n%s:3: \"connect = 0\": 0: nothing listens on port 0\n", part, main_path);
	ck_assert_str_eq(errors, text);
	errors[0] = '\0';
	ck_assert_ptr_null(config_load(main_path, &report));
	snprintf(text, sizeof(text), "%s: cannot open the configuration: No such file or "
	    "directory\n", main_path);
	ck_assert_str_eq(errors, text);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("load");
	TCase *tc = tcase_create("load");
	SRunner *r;
	int failed;

	tcase_add_loop_test(tc, refuses, 0, COUNT(bad));
	tcase_add_loop_test(tc, accepts, 0, COUNT(good));
	tcase_add_test(tc, not_there);
	tcase_add_test(tc, statuses);
	tcase_add_test(tc, defaults_of_the_moment);
	tcase_add_test(tc, lists_of_sections);
	tcase_add_test(tc, certificates);
	tcase_add_test(tc, names_verbatim);
	tcase_add_test(tc, cases);
	tcase_add_test(tc, scalars);
	tcase_add_test(tc, profiles);
	tcase_add_test(tc, inetd);
	tcase_add_test(tc, marks);
	tcase_add_test(tc, files);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
