#ifndef CONF_LOAD_H_
#define CONF_LOAD_H_

#include "conf/config.h"

/*
 * From a configuration file to a checked configuration.  Everything that is wrong is reported,
 * one call a message, at LOG_ERR, "FILE:LINE: \"text\": reason"; what the operator should know at
 * LOG_WARNING, in the same form.
 */
struct conf_report {
	void *arg;
	void (*say)(void *arg, int level, const char *text);
};

/* Reads a file, which has the defaults of stunnel's profile unless it says otherwise.  NULL after
 * an error.  The caller frees the result. */
struct config *config_load(const char *path, const struct conf_report *);

/* The same from a descriptor, whose name is for messages; closes it. */
struct config *config_load_fd(int fd, const char *name, const struct conf_report *);

#endif
