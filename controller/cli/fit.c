#include "controller/cli/fit.h"

#include "shared/base/err.h"

size_t cli_fit_width(struct cs_slice text)
{
    size_t width = 0;

    for (size_t i = 0; i < text.len; i++)
        width += (text.ptr[i] & 0xc0) != 0x80;
    return width;
}

void cli_fit(size_t *widths, const bool *fixed, size_t count, size_t gap, size_t room)
{
    size_t total = count ? (count - 1) * gap : 0;

    for (size_t i = 0; i < count; i++)
        total += widths[i];
    while (total > room) {
        size_t widest = count;

        for (size_t i = 0; i < count; i++)
            if (!fixed[i] && widths[i] > CLI_FIT_LEAST && (widest == count || widths[i] > widths[widest]))
                widest = i;
        if (widest == count)
            return;
        widths[widest]--;
        total--;
    }
}

int cli_fit_cut(struct cs_slice text, size_t width, bool unicode, struct cs_buf *out)
{
    const char *ellipsis = unicode ? "…" : "..";
    size_t ellipsis_width = unicode ? 1 : 2, kept = 0, len = 0;
    int rc;

    if (cli_fit_width(text) <= width)
        return cs_buf_append(out, text);
    while (len < text.len && kept + ellipsis_width < width) {
        len++;
        while (len < text.len && (text.ptr[len] & 0xc0) == 0x80)
            len++;
        kept++;
    }
    rc = cs_buf_append(out, cs_slice(text.ptr, len));
    return rc == CS_OK ? cs_buf_append_str(out, ellipsis) : rc;
}
