#include "server/systemd.h"
#include "server/watchdog.h"
#include "tunnel/pulse.h"

int
watchdog_turn(struct watchdog *w, struct pool *p, uint64_t now)
{
	unsigned ms = systemd_watchdog_ms();

	if (ms == 0)
		return -1;
	if (w->asked && pulse_felt(p)) {
		systemd_alive();
		w->asked = false;
	}
	if (now >= w->next) {
		pulse_ask(p);
		w->asked = true;
		w->next = now + (ms + 1) / 2;
	}
	return (int)(w->next - now);
}
