#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "conf/config.h"
#include "conf/options.h"

/* What no option's default says. */
static void
service_init(struct conf_service *s, enum conf_profile profile)
{
	s->profile = profile;
	s->verify = CONF_VERIFY_OFF;
	s->debug = -1;
	s->per_source_v4 = 32;
	s->per_source_v6 = 64;
	s->retry_ms = 1000;
}

struct config *
config_empty(enum conf_profile profile, struct errmsg *why)
{
	struct config *config;

	if ((config = calloc(1, sizeof(*config))) == NULL) {
		errmsg_set(why, "out of memory");
		return NULL;
	}
	atomic_init(&config->refs, 1);
	clock_gettime(CLOCK_REALTIME, &config->begun);
	service_init(&config->defaults, profile);
	config->facility = LOG_DAEMON;
	if (options_defaults(profile, config, &config->defaults, why) == -1) {
		config_free(config);
		return NULL;
	}
	return config;
}

struct conf_service *
config_add(struct config *config, const char *name, struct errmsg *why)
{
	struct conf_service *services, *s;

	services = reallocarray(config->services, config->nservices + 1, sizeof(*services));
	if (services == NULL)
		goto err;
	config->services = services;
	s = &services[config->nservices];
	if (options_copy(s, &config->defaults, why) == -1)
		return NULL;
	config->nservices++;
	if ((s->name = strdup(name)) == NULL)
		goto err;
	return s;

err:
	errmsg_set(why, "out of memory");
	return NULL;
}

struct config *
config_new(const char *name, bool client, struct errmsg *why)
{
	struct config *config;

	if ((config = config_empty(PROFILE_STRICT, why)) == NULL)
		return NULL;
	config->defaults.client = client;
	if (config_add(config, name, why) == NULL) {
		config_free(config);
		return NULL;
	}
	return config;
}

static void
strings_free(struct conf_strings *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i]);
	free(list->items);
}

struct config *
config_ref(struct config *config)
{
	atomic_fetch_add_explicit(&config->refs, 1, memory_order_relaxed);
	return config;
}

void
config_free(struct config *config)
{
	if (config == NULL ||
	    atomic_fetch_sub_explicit(&config->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < config->nservices; i++) {
		options_release(OPTION_SERVICE, &config->services[i]);
		free(config->services[i].name);
	}
	free(config->services);
	options_release(OPTION_SERVICE, &config->defaults);
	options_release(OPTION_GLOBAL, config);
	strings_free(&config->files);
	strings_free(&config->folders);
	free(config);
}

int
config_prefix(const struct config *config, const struct conf_service *s, struct errmsg *e)
{
	const char *file;

	if (config->files.n == 0)
		return -1;
	file = config->files.items[s->at.file < config->files.n ? s->at.file : 0];
	if (s->at.line == 0)
		return errmsg_prefix(e, "%s", file);
	return errmsg_prefix(e, "%s:%u: \"[%.120s]\"", file, s->at.line, s->name);
}

const char *
config_where(const struct config *config, const struct conf_service *s, const char *option,
    char *text, size_t size)
{
	const struct conf_mark *at = options_marked(options_find(option, true), config, s);

	text[0] = '\0';
	if (config->files.n == 0)
		return text;
	if (at->line == 0 || at->file >= config->files.n)
		at = &s->at;
	snprintf(text, size, "%s:%u: ", config->files.items[at->file < config->files.n ? at->file : 0],
	    at->line);
	return text;
}
