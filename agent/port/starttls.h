/* starttls.h - what a client says and hears before TLS begins on a connection of SMTP (RFC 3207) or IMAP (RFC
 * 9051 section 6.2.1). Pure: bytes in, a line to send out. */
#ifndef AG_PORT_STARTTLS_H
#define AG_PORT_STARTTLS_H

#include "agent/core/connector.h"
#include "shared/base/err.h"
#include "shared/base/slice.h"

/* No line of either protocol's beginning needs more; what stands behind is passed over. */
enum { AG_STARTTLS_LINE_BYTES = 512 };

struct ag_starttls_talk {
    enum ag_starttls protocol;
    enum { AG_STARTTLS_GREETING, AG_STARTTLS_HELLO, AG_STARTTLS_ASKED, AG_STARTTLS_READY } step;
    bool offered;
    unsigned lines;
    char line[AG_STARTTLS_LINE_BYTES];
    size_t len;
};

/* The struct is zeroed but for its protocol. Takes what the server says; *ret_send is what to say now, or
 * NULL. With AG_STARTTLS_READY the handshake begins. Anything but CS_OK says why it never will. */
CS_MUST_USE int ag_starttls_feed(struct ag_starttls_talk *talk, struct cs_slice bytes, const char **ret_send,
                                 struct cs_err *err);
/* What ends the session politely, inside TLS. */
const char *ag_starttls_goodbye(enum ag_starttls protocol);

#endif
