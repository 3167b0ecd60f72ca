#include "controller/cli/console_links.h"

#include "shared/base/text.h"

static void write_text(const uint8_t bytes[CLI_LINK_BYTES], char ret[CLI_LINK_TEXT_BYTES])
{
    struct cs_buf out = {
        .ptr = (uint8_t *)ret, .capacity = CLI_LINK_TEXT_BYTES, .limit_bytes = CLI_LINK_TEXT_BYTES};
    int rc = cs_base64url_encode(cs_slice(bytes, CLI_LINK_BYTES), &out);

    cs_assert(rc == CS_OK && out.len == CLI_LINK_TEXT_BYTES - 1 && out.ptr == (uint8_t *)ret);
    ret[out.len] = '\0';
}

void cli_links_renew(struct cli_links *links, const uint8_t random[CLI_LINK_BYTES],
                     char ret_text[CLI_LINK_TEXT_BYTES])
{
    links->state = CLI_LINK_FRESH;
    links->wrong_was_tried = false;
    memcpy(links->secret, random, CLI_LINK_BYTES);
    write_text(random, ret_text);
}

enum cli_link_said cli_links_open(struct cli_links *links, struct cs_slice secret,
                                  const uint8_t random[CLI_LINK_BYTES], char ret_token[CLI_LINK_TEXT_BYTES])
{
    bool fits = cs_slice_eq_secret(secret, CS_SLICE_ARRAY(links->secret));
    char *token = links->tokens[links->next];

    if (links->state == CLI_LINK_NONE || !fits) {
        links->wrong_was_tried = true;
        return CLI_LINK_WRONG;
    }
    if (links->state == CLI_LINK_USED)
        return CLI_LINK_USED_BEFORE;
    links->state = CLI_LINK_USED;
    write_text(random, token);
    memcpy(ret_token, token, CLI_LINK_TEXT_BYTES);
    links->next = (links->next + 1) % CLI_LINK_TOKENS;
    return CLI_LINK_OPENED;
}

static bool is_token(const char *token, struct cs_slice given)
{
    return token[0] && cs_slice_eq_secret(given, cs_slice(token, CLI_LINK_TEXT_BYTES - 1));
}

bool cli_links_know(const struct cli_links *links, struct cs_slice token)
{
    bool known = false;

    for (size_t i = 0; i < CLI_LINK_TOKENS; i++)
        known |= is_token(links->tokens[i], token);
    return known;
}

void cli_links_close(struct cli_links *links, struct cs_slice token)
{
    for (size_t i = 0; i < CLI_LINK_TOKENS; i++)
        if (is_token(links->tokens[i], token))
            cs_wipe(links->tokens[i], sizeof links->tokens[i]);
}
