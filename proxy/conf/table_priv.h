#ifndef CONF_TABLE_PRIV_H_
#define CONF_TABLE_PRIV_H_

#include "conf/options.h"

/* The rows; conf/options.h has what may be asked about them. */
extern const struct option option_table[];
extern const size_t option_count;

#endif
