/* pages.h - the console's pages: what the build made of the sources beside this file and put into the
 * program, each compressed once and for all. One route answers whatever no method and no other route does:
 * assets by their paths, the one page for every address that a browser navigates to (its own code reads the
 * address), and "/served-by", by which it learns who serves it. Pure. */
#ifndef CTL_CONSOLE_PAGES_H
#define CTL_CONSOLE_PAGES_H

#include "shared/net/web.h"

/* For struct cs_web's `otherwise`: of `countersign console`, and of the controller itself. */
extern const struct cs_route ctl_pages_of_console, ctl_pages_of_countersignd;

/* False where the build had no Node: then the route says so. */
bool ctl_pages_are_built(void);

/* The rest is for tests. */

struct ctl_page {
    const char *path; /* "/assets/index-1a2b3c4d.js"; NULL behind the last */
    const char *content_type;
    struct cs_slice gzip;
    bool is_hashed; /* its content never changes under this path */
};

struct ctl_pages {
    const struct ctl_page *pages;
    const char *served_by;
};

/* The route's function; `owner` is a struct ctl_pages. */
unsigned ctl_pages_get(void *owner, const struct cs_route_request *request, struct cs_route_answer *answer);

/* Made by the build. */
extern const struct ctl_page ctl_pages_embedded[];

#endif
