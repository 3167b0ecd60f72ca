#include "agent/port/said.h"

static void put(struct ag_said *said, char c)
{
    enum { HALF = AG_LIMIT_COMMAND_OUTPUT };

    if (said->len == sizeof said->text - 1) {
        memmove(said->text, said->text + said->len - HALF, HALF);
        said->len = HALF;
    }
    said->text[said->len++] = c;
}

static void put_text(struct ag_said *said, const char *text)
{
    while (*text)
        put(said, *text++);
}

static void write_gap(struct ag_said *said)
{
    if (said->len > 0 && said->gap != AG_SAID_NO_GAP)
        put_text(said, said->gap == AG_SAID_BLANK ? " " : " | ");
    said->gap = AG_SAID_NO_GAP;
}

static bool is_base64(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/' || c == '=';
}

/* The run is shorter than AG_SAID_RUN, so all of it still stands at the end. */
static void take_run_back(struct ag_said *said)
{
    said->len -= said->run;
    said->run = 0;
}

static void hear_base64(struct ag_said *said, unsigned char c)
{
    if (said->in_key)
        return;
    if (said->run == 0) {
        said->run_is_all = said->gap == AG_SAID_LINE_END || said->len == 0;
        write_gap(said);
    }
    put(said, (char)c);
    if (++said->run < AG_SAID_RUN)
        return;
    take_run_back(said);
    put_text(said, "[...]");
    said->in_key = true;
}

/* PEM breaks a key into lines, the last of which may be short. */
static void end_line(struct ag_said *said)
{
    if (said->below_key && said->run > 0 && said->run_is_all) {
        take_run_back(said);
        while (said->len > 0 && (said->text[said->len - 1] == ' ' || said->text[said->len - 1] == '|'))
            said->len--;
        said->in_key = true;
    }
    if (said->run > 0 || said->in_key)
        said->below_key = said->in_key;
    said->in_key = false;
    said->run = 0;
    said->gap = AG_SAID_LINE_END;
}

static void hear_blank(struct ag_said *said)
{
    said->below_key = said->below_key || said->in_key;
    said->in_key = false;
    said->run = 0;
    if (said->gap == AG_SAID_NO_GAP)
        said->gap = AG_SAID_BLANK;
}

/* What colours a terminal, ESC [ … letter, leaves nothing. True when `c` was part of that. */
static bool is_escape(struct ag_said *said, unsigned char c)
{
    bool was_in_it = said->escape != AG_SAID_PLAIN;

    if (c == 0x1b)
        said->escape = AG_SAID_ESCAPE;
    else if (said->escape == AG_SAID_ESCAPE)
        said->escape = c == '[' ? AG_SAID_SEQUENCE : AG_SAID_PLAIN;
    else if (said->escape == AG_SAID_SEQUENCE && (c < 0x20 || c > 0x3f))
        said->escape = AG_SAID_PLAIN;
    return c == 0x1b || (was_in_it && c >= 0x20 && c < 0x7f);
}

static void hear(struct ag_said *said, unsigned char c)
{
    if (is_escape(said, c))
        return;
    if (is_base64(c)) {
        hear_base64(said, c);
    } else if (c == '\n' || c == '\r') {
        end_line(said);
    } else if (c <= 0x20 || c == 0x7f) {
        hear_blank(said);
    } else {
        said->run = 0;
        said->in_key = said->below_key = false;
        write_gap(said);
        put(said, c < 0x7f ? (char)c : '?');
    }
}

void ag_said_hear(struct ag_said *said, struct cs_slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        hear(said, bytes.ptr[i]);
}

const char *ag_said_text(struct ag_said *said)
{
    enum { MOST = AG_LIMIT_COMMAND_OUTPUT - 1 };

    end_line(said);
    said->text[said->len] = '\0';
    return said->len > MOST ? said->text + said->len - MOST : said->text;
}
