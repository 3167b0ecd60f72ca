/* served.h - looks at what the applications serve, one connector after the other, while there is nothing else
 * to do. What it finds goes to installed.h. Part of the device (device.h). */
#ifndef AG_SERVED_H
#define AG_SERVED_H

#include "agent/application.h"

struct ag_served {
    bool under_way;
    size_t index;          /* of the connector that is looked at */
    struct cs_digest leaf; /* that it should serve */
    bool news;             /* something was found that the controller does not know */
};

#endif
