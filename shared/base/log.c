#include "shared/base/log.h"

#include "shared/base/text.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static enum cs_log_format log_format = CS_LOG_LOGFMT;
static enum cs_log_level log_least = CS_LOG_INFO;

static const char *const level_names[] = {
    [CS_LOG_DEBUG] = "debug", [CS_LOG_INFO] = "info", [CS_LOG_WARN] = "warn", [CS_LOG_ERROR] = "error"};

void cs_log_setup(enum cs_log_format format, enum cs_log_level least)
{
    log_format = format;
    log_least = least;
}

bool cs_log_level_parse(const char *text, enum cs_log_level *ret)
{
    for (size_t i = 0; i < CS_ARRAY_LEN(level_names); i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *ret = (enum cs_log_level)i;
            return true;
        }
    }
    return false;
}

/* One line that is cut, never overrun; the last byte is kept for the newline. */
struct line {
    char *out;
    size_t len, room;
};

static void put_char(struct line *line, char c)
{
    if (line->len < line->room)
        line->out[line->len++] = c;
}

static void put(struct line *line, const char *text)
{
    while (*text)
        put_char(line, *text++);
}

/* What a stranger sent may stand in a value: escapes keep it on its line and out of the terminal. */
static void put_quoted(struct line *line, const char *text)
{
    put_char(line, '"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        char escape[8];

        if (c == '"' || c == '\\') {
            put_char(line, '\\');
            put_char(line, (char)c);
        } else if (c < 0x20 || c == 0x7f) {
            snprintf(escape, sizeof escape, "\\u%04x", c);
            put(line, escape);
        } else {
            put_char(line, (char)c);
        }
    }
    put_char(line, '"');
}

static bool needs_quotes(const char *text)
{
    if (!*text)
        return true;
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || *text == '"' || *text == '=' || *text == '\\' || *text == 0x7f)
            return true;
    return false;
}

static void put_field(struct line *line, const char *name, const char *text)
{
    if (log_format == CS_LOG_JSON) {
        put_char(line, line->len == 0 ? '{' : ',');
        put_quoted(line, name);
        put_char(line, ':');
        put_quoted(line, text);
        return;
    }
    if (line->len)
        put_char(line, ' ');
    put(line, name);
    put_char(line, '=');
    if (needs_quotes(text))
        put_quoted(line, text);
    else
        put(line, text);
}

static void put_number(struct line *line, const char *name, int64_t number)
{
    char digits[24];

    snprintf(digits, sizeof digits, "%lld", (long long)number);
    if (log_format == CS_LOG_JSON) {
        put_char(line, ',');
        put_quoted(line, name);
        put_char(line, ':');
        put(line, digits);
        return;
    }
    put_field(line, name, digits);
}

size_t cs_log_render(char *out, size_t out_bytes, int64_t now_s, enum cs_log_level level, const char *group,
                     const char *msg, const struct cs_log_field *fields)
{
    struct line line = {out, 0, out_bytes - 2};
    char time_text[CS_TIME_TEXT_BYTES];

    put_field(&line, "ts", cs_time_text(now_s, time_text));
    put_field(&line, "level", level_names[level]);
    put_field(&line, "group", group);
    put_field(&line, "msg", msg);
    for (; fields->name; fields++) {
        if (fields->text)
            put_field(&line, fields->name, fields->text);
        else
            put_number(&line, fields->name, fields->number);
    }
    line.room = out_bytes;
    if (log_format == CS_LOG_JSON)
        put_char(&line, '}');
    put_char(&line, '\n');
    return line.len;
}

void cs_log_fields(enum cs_log_level level, const char *group, const char *msg,
                   const struct cs_log_field *fields)
{
    char line[2048];
    struct timespec now;
    size_t len, done = 0;

    if (level < log_least)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    len = cs_log_render(line, sizeof line, now.tv_sec, level, group, msg, fields);
    while (done < len) {
        ssize_t wrote = write(STDERR_FILENO, line + done, len - done);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return;
        done += (size_t)wrote;
    }
}
