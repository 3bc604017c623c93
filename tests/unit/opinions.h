#ifndef UNIT_OPINIONS_H_
#define UNIT_OPINIONS_H_

#include "policies.h"

/*
 * What `openssl verify` says about a chain and a policy, where it has an opinion: it knows nothing of
 * rules, of stunnel's ways to read files, of soft CRLs, or of several names.
 */

/* Its errors, and our verdicts on the same; several of ours may be one of its own. */
static const struct {
	int error;
	enum trust_verdict verdict;
} opinion_errors[] = {
	{ 2, TRUST_UNKNOWN_CA }, { 7, TRUST_UNKNOWN_CA }, { 18, TRUST_UNKNOWN_CA },
	{ 19, TRUST_UNKNOWN_CA }, { 20, TRUST_UNKNOWN_CA }, { 21, TRUST_UNKNOWN_CA },
	{ 2, TRUST_NOT_PINNED }, { 18, TRUST_NOT_PINNED }, { 20, TRUST_NOT_PINNED },
	{ 7, TRUST_NOT_PINNED },
	{ 9, TRUST_NOT_YET }, { 10, TRUST_EXPIRED },
	{ 3, TRUST_CRL_MISSING }, { 44, TRUST_CRL_MISSING }, { 35, TRUST_CRL_MISSING },
	{ 8, TRUST_CRL_MISSING },
	{ 11, TRUST_CRL_EXPIRED }, { 12, TRUST_CRL_EXPIRED }, { 23, TRUST_REVOKED },
	{ 26, TRUST_WRONG_USE }, { 79, TRUST_BAD_CHAIN }, { 24, TRUST_BAD_CHAIN },
	{ 25, TRUST_BAD_CHAIN }, { 32, TRUST_BAD_CHAIN }, { 34, TRUST_BAD_CHAIN },
	{ 22, TRUST_BAD_CHAIN }, { 47, TRUST_BAD_CHAIN }, { 48, TRUST_BAD_CHAIN },
	{ 51, TRUST_BAD_CHAIN }, { 53, TRUST_BAD_CHAIN },
	{ 62, TRUST_WRONG_NAME }, { 63, TRUST_WRONG_NAME }, { 64, TRUST_WRONG_NAME },
	{ 66, TRUST_WEAK }, { 67, TRUST_WEAK }, { 68, TRUST_WEAK }, { 95, TRUST_WEAK },
};

#define OPINION_OK 0
#define OPINION_UNREADABLE (-1)
#define OPINION_NONE (-2)

/* All that it says against the chain. */
struct opinion {
	int errors[16];
	size_t n; /* 1 with OPINION_OK and those below */
};

static inline bool
opinion_has(const struct opinion *o, int error)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->errors[i] == error)
			return true;
	return false;
}

/* Whether it gives (among others) the reason that we give. */
static inline bool
opinion_agrees(const struct opinion *o, enum trust_verdict v)
{
	if (o->errors[0] == OPINION_OK || v == TRUST_OK)
		return (o->errors[0] == OPINION_OK) == (v == TRUST_OK);
	if (o->errors[0] == OPINION_UNREADABLE)
		return v == TRUST_MALFORMED;
	for (size_t i = 0; i < sizeof(opinion_errors) / sizeof(opinion_errors[0]); i++)
		if (opinion_errors[i].verdict == v && opinion_has(o, opinion_errors[i].error))
			return true;
	return false;
}

/* The release whose differences are listed: others have others. */
#define OPINION_OF "OpenSSL 3.0."

/* Whether it is that release; to be called first. */
static inline bool
opinion_start(void)
{
	static int known = -1;
	char line[128] = "";
	FILE *f;

	if (known != -1)
		return known == 1;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	known = 0; /* a sanitizer has nothing to find in it */
	return false;
#endif
	if ((f = popen("openssl version", "r")) != NULL) {
		if (fgets(line, sizeof(line), f) == NULL)
			line[0] = '\0';
		pclose(f);
	}
	known = strncmp(line, OPINION_OF, strlen(OPINION_OF)) == 0;
	if (known == 0)
		printf("This is not %sx, so openssl verify is not asked: %s\n", OPINION_OF, line);
	return known == 1;
}

/* Why there can be no opinion, or NULL. */
static inline const char *
opinion_impossible(const char *chain, const struct policy *p)
{
	const char *values[POLICY_MOST];

	if (!opinion_start())
		return "not asked";
	if (*chain == '\0')
		return "no certificate";
	if (p->rules != NULL)
		return "rules";
	if (policy_values(p, "read:", values) > 0)
		return "stunnel's reading";
	if (policy_has(p, "soft"))
		return "soft";
	if (policy_values(p, "host:", values) > 1)
		return "several names";
	if (policy_values(p, "peer:", values) > 0 && policy_values(p, "ca:", values) > 0)
		return "peer and CA";
	return NULL;
}

static inline void
opinion_add(char *command, size_t size, const struct policy *p, const char *key,
    const char *option, const char *suffix)
{
	const char *values[POLICY_MOST];
	size_t n = policy_values(p, key, values);

	for (size_t i = 0; i < n; i++)
		snprintf(command + strlen(command), size - strlen(command), " %s '%s'", option,
		    suffix == NULL ? values[i] : certs_path(values[i], suffix));
}

static inline void
opinion_command(char *command, size_t size, const char *chain, const struct policy *p, time_t now)
{
	const char *words[POLICY_MOST], *host = policy_value(p, "host:", "");
	const int level = atoi(policy_value(p, "level:", "2"));
	char names[512];
	size_t n;

	strcpy(names, chain);
	n = split(names, words, POLICY_MOST);
	snprintf(command, size, "exec openssl verify -no-CAfile -no-CApath -no-CAstore "
	    "-partial_chain -purpose %s -attime %lld -auth_level %d",
	    policy_has(p, "client") ? "sslclient" : "sslserver", (long long)now,
	    level < 2 ? 2 : level);
	opinion_add(command, size, p, "depth:", "-verify_depth", NULL);
	opinion_add(command, size, p, "ca:", "-trusted", ".pem");
	opinion_add(command, size, p, "peer:", "-trusted", ".pem");
	opinion_add(command, size, p, "crl:", "-CRLfile", ".crl");
	opinion_add(command, size, p, "host:", strchr(host, '@') != NULL ? "-verify_email" :
	    strchr(host, ':') != NULL || (*host != '\0' && host[strspn(host, "0123456789.")] == '\0' &&
	    strlen(host) > 1) ? "-verify_ip" : "-verify_hostname", NULL);
	if (policy_has(p, "crls") || strstr(command, "-CRLfile") != NULL)
		snprintf(command + strlen(command), size - strlen(command), " -crl_check%s",
		    policy_has(p, "whole") ? "_all" : "");
	for (size_t i = 1; i < n; i++)
		snprintf(command + strlen(command), size - strlen(command), " -untrusted '%s'",
		    certs_path(words[i], ".pem"));
	snprintf(command + strlen(command), size - strlen(command), " '%s' 2>&1",
	    certs_path(words[0], ".pem"));
}

static inline struct opinion
opinion_of(const char *chain, const struct policy *p, time_t now)
{
	struct opinion o = { { OPINION_NONE }, 1 };
	char command[4096], line[1024];
	int status, error, depth;
	FILE *f;

	if (opinion_impossible(chain, p) != NULL)
		return o;
	opinion_command(command, sizeof(command), chain, p, now);
	if ((f = popen(command, "r")) == NULL)
		ck_abort_msg("%s", command);
	o.n = 0;
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "error %d at %d depth", &error, &depth) == 2 && o.n < 16 &&
		    !opinion_has(&o, error))
			o.errors[o.n++] = error;
	status = pclose(f);
	if (status == 0) /* what it went on after does not count then */
		o = (struct opinion){ { OPINION_OK }, 1 };
	else if (o.n == 0)
		o = (struct opinion){ { OPINION_UNREADABLE }, 1 };
	return o;
}

/* "OK", "10 34", "unreadable" or "-" into a buffer; returns it. */
static inline const char *
opinion_text(const struct opinion *o, char *buf, size_t size)
{
	size_t used = 0;

	*buf = '\0';
	if (o->errors[0] <= 0)
		snprintf(buf, size, "%s", o->errors[0] == OPINION_OK ? "OK" :
		    o->errors[0] == OPINION_NONE ? "-" : "unreadable");
	else
		for (size_t i = 0; i < o->n && used < size; i++)
			used += (size_t)snprintf(buf + used, size - used, "%s%d", i > 0 ? " " : "",
			    o->errors[i]);
	return buf;
}

#endif
