/* json_probe - controller/json, driven by a test in another language. One line in, one line out: the
 * direction, the message's name, and hex of what is to be turned ("-": nothing).
 *
 *   to_json countersign.v1.Order 0801          prints hex of the text
 *   to_json_with_defaults …
 *   to_proto countersign.v1.Order 7b7d         prints hex of the bytes, or "-", or "refused: " and why
 *   to_proto_strict … */
#include "controller/json/json.h"
#include "shared/base/text.h"

#include <stdio.h>

static struct cs_buf unhex(const char *text)
{
    struct cs_buf bytes = CS_BUF_EMPTY;
    size_t len = strcmp(text, "-") == 0 ? 0 : strlen(text) / 2;

    cs_assert(cs_buf_reserve(&bytes, len + 1) == CS_OK);
    cs_assert(len == 0 || cs_unhex(cs_slice_str(text), bytes.ptr, len) == CS_OK);
    bytes.len = len;
    return bytes;
}

static void print(struct cs_slice bytes)
{
    char *text = malloc(2 * bytes.len + 1);

    cs_assert(text);
    puts(bytes.len ? cs_hex(bytes, text) : "-");
    free(text);
}

/* What a direction is in options: those of reading and those of writing do not overlap. */
static unsigned options_of(const char *direction)
{
    if (strcmp(direction, "to_json_with_defaults") == 0)
        return CTL_JSON_WITH_DEFAULTS;
    return strcmp(direction, "to_proto_strict") == 0 ? CTL_JSON_STRICT : 0;
}

static void turn(char *line)
{
    char *rest = NULL;
    const char *direction = strtok_r(line, " \n", &rest), *name = strtok_r(NULL, " \n", &rest);
    const char *hex = strtok_r(NULL, " \n", &rest);
    const struct ctl_json_message *type = name ? ctl_json_find_message(name) : NULL;
    struct cs_buf in, out = CS_BUF_EMPTY;
    struct cs_err err;
    int code;

    if (!type || !hex) {
        puts("refused: there is no such message");
        return;
    }
    in = unhex(hex);
    if (strncmp(direction, "to_proto", strlen("to_proto")) == 0)
        code = ctl_json_to_proto(type, options_of(direction), cs_buf_slice(&in), &out, &err);
    else
        code = ctl_json_from_proto(type, options_of(direction), cs_buf_slice(&in), &out, &err);
    if (code == CS_OK)
        print(cs_buf_slice(&out));
    else
        printf("refused: %s\n", err.msg);
    cs_buf_free(&in);
    cs_buf_free(&out);
}

int main(void)
{
    char *line = NULL;
    size_t capacity = 0;

    while (getline(&line, &capacity, stdin) > 0)
        turn(line);
    free(line);
    return EXIT_SUCCESS;
}
