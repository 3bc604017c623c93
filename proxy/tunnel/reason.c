#include <assert.h>

#include "tunnel/reason.h"

static const struct {
	const char *text;
	bool proper;
} table[REASON_COUNT] = {
#define REASON_ROW(name, is_proper, says) [name] = { .text = says, .proper = is_proper },
	REASONS(REASON_ROW)
#undef REASON_ROW
};

const char *
reason_text(enum reason r)
{
	assert(r > REASON_NONE && r < REASON_COUNT);
	return table[r].text;
}

bool
reason_is_proper(enum reason r)
{
	assert(r > REASON_NONE && r < REASON_COUNT);
	return table[r].proper;
}
