/* console_links.h - the links by which a browser gets into `countersign console`, and the tokens that it has
 * got for them. A link is good for one use, however many others are tried: nobody guesses 256 bits, and
 * whoever could end a link by trying would keep the person out. A token is good until its page signs out or
 * the program ends. Pure: random bytes are passed in. */
#ifndef CTL_CLI_CONSOLE_LINKS_H
#define CTL_CLI_CONSOLE_LINKS_H

#include "shared/base/buf.h"

enum {
    CLI_LINK_BYTES = 32,
    /* In base64url without padding (RFC 4648 section 5), with a terminator. */
    CLI_LINK_TEXT_BYTES = 44,
    /* Tabs at once; the oldest one's token ends then. */
    CLI_LINK_TOKENS = 16,
};

enum cli_link_state { CLI_LINK_NONE, CLI_LINK_FRESH, CLI_LINK_USED };
enum cli_link_said { CLI_LINK_OPENED, CLI_LINK_WRONG, CLI_LINK_USED_BEFORE };

/* A zeroed one has no link. To be wiped. */
struct cli_links {
    enum cli_link_state state;
    uint8_t secret[CLI_LINK_BYTES];
    bool wrong_was_tried;                              /* since there is this link */
    char tokens[CLI_LINK_TOKENS][CLI_LINK_TEXT_BYTES]; /* "" where there is none yet */
    unsigned next;
};

/* A new link in the place of the one that there was; its text into ret_text. */
void cli_links_renew(struct cli_links *links, const uint8_t random[CLI_LINK_BYTES],
                     char ret_text[CLI_LINK_TEXT_BYTES]);
/* On CLI_LINK_OPENED a new token, made of `random`, is in ret_token. */
enum cli_link_said cli_links_open(struct cli_links *links, struct cs_slice secret,
                                  const uint8_t random[CLI_LINK_BYTES], char ret_token[CLI_LINK_TEXT_BYTES]);
/* Takes the same time whatever the token is. */
bool cli_links_know(const struct cli_links *links, struct cs_slice token);
/* The token is known no more. */
void cli_links_close(struct cli_links *links, struct cs_slice token);

#endif
