/* transcode.h - the JSON of Connect's calls, for listeners that serve operators: each method's own messages
 * by controller/json. Constant. */
#ifndef CTL_API_TRANSCODE_H
#define CTL_API_TRANSCODE_H

#include "shared/net/web.h"

extern const struct cs_transcode ctl_transcode;

#endif
