/* Every talk of tunnel/preface that hears something.  The first byte chooses the talk, the second
 * how the bytes are cut, the third where the words of the accepted side end and those of the
 * connected side begin. */
#include "talk.h"

int LLVMFuzzerTestOneInput(const unsigned char *, size_t);

static const struct {
	const char *protocol;
	bool client;
	enum preface_stage stage;
} talks[] = {
	{ "connect", true, PREFACE_CLEAR },
	{ "connect", false, PREFACE_CLEAR },
	{ "imap", true, PREFACE_CLEAR },
	{ "imap", false, PREFACE_CLEAR },
	{ "ldap", true, PREFACE_CLEAR },
	{ "nntp", true, PREFACE_CLEAR },
	{ "pgsql", true, PREFACE_CLEAR },
	{ "pgsql", false, PREFACE_CLEAR },
	{ "pop3", true, PREFACE_CLEAR },
	{ "pop3", false, PREFACE_CLEAR },
	{ "smtp", true, PREFACE_CLEAR },
	{ "smtp", true, PREFACE_LATE },
	{ "smtp", false, PREFACE_CLEAR },
	{ "socks", true, PREFACE_LATE },
	{ "socks", false, PREFACE_LATE },
};
#define TALKS (sizeof(talks) / sizeof(talks[0]))

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
	static struct config *configs[TALKS];
	struct heard in[2];
	size_t which, cut, first;

	if (n < 3)
		return -1;
	which = data[0] % TALKS;
	cut = 1 + data[1] % 64;
	first = data[2] * (n - 3) / 255;
	if (configs[which] == NULL)
		configs[which] = talk_config(talks[which].protocol, talks[which].client);
	in[PREFACE_DOWN] = (struct heard){ data + 3, first };
	in[PREFACE_UP] = (struct heard){ data + 3 + first, n - 3 - first };
	talk_both(&configs[which]->services[0], talks[which].stage, in, cut);
	return 0;
}
