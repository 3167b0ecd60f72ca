#include "shared/base/log.h"

#include "shared/base/text.h"
#include "shared/base/utf8.h"

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

/* One line. What does not fit is left out in whole characters and whole fields, and the line says so at its
 * end, for which there is always room. */
struct line {
    char *out;
    size_t len, room;
    bool cut;
};

static void put(struct line *line, const char *bytes, size_t len)
{
    if (line->cut || line->room - line->len < len) {
        line->cut = true;
        return;
    }
    memcpy(line->out + line->len, bytes, len);
    line->len += len;
}

static void put_str(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* One character as it stands between quotes, and how long it is in the text. */
struct quoted {
    char bytes[8];
    size_t len, step;
};

/* What a stranger sent may stand in a value: escapes keep it on its line and out of the terminal, and JSON
 * remains UTF-8. */
static struct quoted quote_char(struct cs_slice rest)
{
    struct quoted q = {.step = cs_utf8_char(rest)};

    if (q.step == 0) {
        q.step = 1;
        q.len = (size_t)snprintf(q.bytes, sizeof q.bytes, "\\ufffd");
    } else if (cs_utf8_is_control(rest)) {
        q.len = (size_t)snprintf(q.bytes, sizeof q.bytes, "\\u%04x", rest.ptr[q.step - 1]);
    } else {
        if (rest.ptr[0] == '"' || rest.ptr[0] == '\\')
            q.bytes[q.len++] = '\\';
        memcpy(q.bytes + q.len, rest.ptr, q.step);
        q.len += q.step;
    }
    return q;
}

/* Room for the closing quote is kept back, so that a value that is cut is still a value. */
static void put_quoted(struct line *line, const char *text)
{
    struct cs_slice rest = cs_slice_str(text);

    if (line->cut || line->room - line->len < 2) {
        line->cut = true;
        return;
    }
    line->room--;
    put(line, "\"", 1);
    while (rest.len && !line->cut) {
        struct quoted q = quote_char(rest);

        put(line, q.bytes, q.len);
        rest = cs_slice_from(rest, q.step);
    }
    line->room++;
    line->out[line->len++] = '"';
}

static bool needs_quotes(const char *text)
{
    struct cs_slice rest = cs_slice_str(text);

    if (rest.len == 0)
        return true;
    while (rest.len) {
        struct quoted q = quote_char(rest);

        if (q.len != q.step || rest.ptr[0] == ' ' || rest.ptr[0] == '=')
            return true;
        rest = cs_slice_from(rest, q.step);
    }
    return false;
}

static void put_name(struct line *line, const char *name)
{
    if (log_format == CS_LOG_JSON) {
        put(line, line->len == 0 ? "{" : ",", 1);
        put_quoted(line, name);
        put(line, ":", 1);
        return;
    }
    if (line->len)
        put(line, " ", 1);
    put_str(line, name);
    put(line, "=", 1);
}

/* A text may be cut behind its first character; a field of which nothing fits is not begun. */
static void put_field(struct line *line, const char *name, const char *text)
{
    size_t before = line->len, begun;

    if (line->cut)
        return;
    put_name(line, name);
    begun = line->len;
    if (log_format == CS_LOG_JSON || needs_quotes(text))
        put_quoted(line, text);
    else
        for (const char *at = text; *at && !line->cut;) {
            size_t step = cs_utf8_char(cs_slice_str(at));

            put(line, at, step);
            at += step;
        }
    if (line->cut && line->len == begun)
        line->len = before;
}

/* A number is whole or absent: cut it would be another one. */
static void put_number(struct line *line, const char *name, int64_t number)
{
    size_t before = line->len;
    char digits[24];

    if (line->cut)
        return;
    snprintf(digits, sizeof digits, "%lld", (long long)number);
    put_name(line, name);
    put_str(line, digits);
    if (line->cut)
        line->len = before;
}

size_t cs_log_render(char *out, size_t out_bytes, int64_t now_s, enum cs_log_level level, const char *group,
                     const char *msg, const struct cs_log_field *fields)
{
    bool json = log_format == CS_LOG_JSON;
    const char *end = json ? "}\n" : "\n", *cut_end = json ? ",\"cut\":true}\n" : " cut=true\n";
    struct line line = {.out = out, .room = out_bytes - strlen(cut_end)};
    char time_text[CS_TIME_TEXT_BYTES];

    cs_assert(out_bytes >= CS_LOG_LEAST_BYTES);
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
    if (line.cut)
        end = cut_end;
    memcpy(line.out + line.len, end, strlen(end));
    return line.len + strlen(end);
}

void cs_log_fields(enum cs_log_level level, const char *group, const char *msg,
                   const struct cs_log_field *fields)
{
    char line[CS_LOG_LINE_BYTES];
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
