#include "controller/cli/progress.h"

#include "controller/cli/fit.h"

enum { BAR_LEAST = 10, BAR_MOST = 40, AROUND_BAR = 3 };

static int write_text(const struct cli_progress *p, struct cs_buf *out)
{
    unsigned long long ended = p->completed + p->failed;
    int64_t s = p->elapsed_s < 0 ? 0 : p->elapsed_s;
    int rc = cs_buf_printf(out, "%llu of %llu ended", ended, (unsigned long long)p->orders);

    if (rc == CS_OK && p->failed)
        rc = cs_buf_printf(out, ", %llu failed", (unsigned long long)p->failed);
    if (rc == CS_OK)
        rc = cs_buf_append_str(out, "  ");
    if (rc == CS_OK)
        rc = cli_clean(cs_slice_str(p->state), out);
    if (rc == CS_OK && s >= 3600)
        return cs_buf_printf(out, "  %lld:%02lld:%02lld", (long long)(s / 3600), (long long)(s / 60 % 60),
                             (long long)(s % 60));
    return rc == CS_OK ? cs_buf_printf(out, "  %lld:%02lld", (long long)(s / 60), (long long)(s % 60)) : rc;
}

static int write_bar(const struct cli_progress *p, size_t cells, struct cs_buf *out)
{
    uint64_t ended = p->completed + p->failed;
    size_t full = p->orders && ended < p->orders ? (size_t)((double)ended / (double)p->orders * (double)cells)
                  : p->orders                    ? cells
                                                 : 0;
    int rc = cs_buf_append_u8(out, '[');

    for (size_t i = 0; rc == CS_OK && i < cells; i++)
        rc = cs_buf_append_u8(out, i < full ? '#' : '.');
    return rc == CS_OK ? cs_buf_append_str(out, "] ") : rc;
}

int cli_progress_line(const struct cli_progress *progress, size_t width, struct cs_buf *out)
{
    struct cs_buf text = CS_BUF_EMPTY;
    size_t used;
    int rc = write_text(progress, &text);

    used = cli_fit_width(cs_buf_slice(&text)) + AROUND_BAR;
    if (rc == CS_OK && width >= used + BAR_LEAST)
        rc = write_bar(progress, width - used < BAR_MOST ? width - used : BAR_MOST, out);
    if (rc == CS_OK)
        rc = width ? cli_fit_cut(cs_buf_slice(&text), width, false, out)
                   : cs_buf_append(out, cs_buf_slice(&text));
    cs_buf_free(&text);
    return rc;
}
