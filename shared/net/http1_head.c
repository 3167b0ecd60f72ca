#include "shared/net/http1_head.h"

#include "shared/base/limits.h"

static unsigned refuse(unsigned http_status, struct cs_err *err, const char *sentence)
{
    cs_err_set(err, http_status == 431 || http_status == 414 ? CS_ETOOBIG : CS_EPARSE, "HTTP/1.1: %s",
               sentence);
    return http_status;
}

/* The end of a head */

/* A line has ended with CR LF. */
static unsigned take_line(struct cs_http1_scanner *scanner, bool *ret_complete, struct cs_err *err)
{
    bool is_empty = scanner->line_len == 0;

    scanner->after_cr = false;
    scanner->line_len = 0;
    if (!is_empty) {
        if (++scanner->lines > 1 + CS_HTTP1_HEADERS)
            return refuse(431, err, "the request has too many header lines");
    } else if (scanner->lines == 0) {
        cs_buf_clear(&scanner->head);
        if (++scanner->empty_lines > CS_HTTP1_EMPTY_LINES)
            return refuse(400, err, "there are empty lines where a request should begin");
    } else {
        *ret_complete = true;
    }
    return 0;
}

static unsigned take_byte(struct cs_http1_scanner *scanner, uint8_t c, bool *ret_complete, struct cs_err *err)
{
    if (scanner->after_cr)
        return c == '\n' ? take_line(scanner, ret_complete, err)
                         : refuse(400, err, "a CR stands without its LF");
    if (c == '\r') {
        scanner->after_cr = true;
        return 0;
    }
    if (c == '\n')
        return refuse(400, err, "an LF stands without its CR");
    if ((c < 0x20 && c != '\t') || c == 0x7f)
        return refuse(400, err, "there is a control character in the head");
    scanner->line_len++;
    if (scanner->lines == 0 && scanner->line_len > CS_HTTP1_LINE_BYTES)
        return refuse(414, err, "the request line is too long");
    return 0;
}

unsigned cs_http1_scan(struct cs_http1_scanner *scanner, struct cs_slice *input, bool *ret_complete,
                       struct cs_err *err)
{
    *ret_complete = false;
    while (input->len && !*ret_complete) {
        uint8_t c = input->ptr[0];
        unsigned refused;

        if (scanner->head.len >= CS_LIMIT_HEADER_BYTES)
            return refuse(431, err, "the head of the request is too large");
        if (cs_buf_append_u8(&scanner->head, c) != CS_OK) {
            cs_err_nomem(err);
            return 503;
        }
        *input = cs_slice_from(*input, 1);
        refused = take_byte(scanner, c, ret_complete, err);
        if (refused)
            return refused;
    }
    return 0;
}

void cs_http1_scanner_free(struct cs_http1_scanner *scanner)
{
    cs_buf_wipe(&scanner->head); /* tokens travel here */
    *scanner = (struct cs_http1_scanner){0};
}

/* Characters */

/* RFC 9110 section 5.6.2 */
static bool is_token(struct cs_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        bool is_alphanumeric = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

        if (!is_alphanumeric && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return text.len > 0;
}

/* RFC 3986 section 3.2.2 and a port; nobody is logged in by an address. */
static bool is_authority(struct cs_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        bool is_alphanumeric = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

        if (!is_alphanumeric && (c == '\0' || !strchr("-._~%!$&'()*+,;=:[]", c)))
            return false;
    }
    return text.len > 0;
}

/* The request line */

static bool is_known(struct cs_slice method)
{
    static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"};

    for (size_t i = 0; i < CS_ARRAY_LEN(known); i++)
        if (cs_slice_eq_str(method, known[i]))
            return true;
    return false;
}

static unsigned check_version(struct cs_slice version, struct cs_err *err)
{
    if (cs_slice_eq_str(version, "HTTP/1.1"))
        return 0;
    if (version.len == 8 && cs_slice_starts_with(version, CS_SLICE_LIT("HTTP/")) && version.ptr[6] == '.' &&
        version.ptr[5] >= '0' && version.ptr[5] <= '9' && version.ptr[7] >= '0' && version.ptr[7] <= '9')
        return refuse(505, err, "this server speaks HTTP/1.1 and HTTP/2 only");
    return refuse(400, err, "the request line does not end with a version of HTTP");
}

/* Origin-form, or absolute-form, which becomes it (RFC 9112 section 3.2). */
static unsigned read_target(struct cs_slice text, struct cs_slice *ret_target, struct cs_slice *ret_authority,
                            struct cs_err *err)
{
    size_t scheme = 0, end;

    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= 0x20 || text.ptr[i] >= 0x7f || text.ptr[i] == '#')
            return refuse(400, err, "the request target has a character that none may have");
    *ret_authority = CS_SLICE_EMPTY;
    if (text.len && text.ptr[0] == '/') {
        *ret_target = text;
        return 0;
    }
    if (text.len > 7 && cs_slice_same_text(cs_slice(text.ptr, 7), CS_SLICE_LIT("http://")))
        scheme = 7;
    else if (text.len > 8 && cs_slice_same_text(cs_slice(text.ptr, 8), CS_SLICE_LIT("https://")))
        scheme = 8;
    else
        return refuse(400, err, "the request target is neither a path nor an http address");
    for (end = scheme; end < text.len && text.ptr[end] != '/' && text.ptr[end] != '?'; end++)
        continue;
    *ret_authority = cs_slice(text.ptr + scheme, end - scheme);
    *ret_target = end < text.len ? cs_slice_from(text, end) : CS_SLICE_LIT("/");
    if (!is_authority(*ret_authority) || ret_target->ptr[0] != '/')
        return refuse(400, err, "the request target is no address that this server could have");
    return 0;
}

static unsigned read_request_line(struct cs_slice line, struct cs_http1_head *ret,
                                  struct cs_slice *ret_authority, struct cs_err *err)
{
    bool first, second;
    struct cs_slice target;
    unsigned refused;

    ret->method = cs_slice_cut(&line, ' ', &first);
    target = cs_slice_cut(&line, ' ', &second);
    if (!first || !second || !is_token(ret->method))
        return refuse(400, err, "the request line is not METHOD TARGET HTTP/1.1");
    refused = check_version(line, err);
    if (!refused && !is_known(ret->method))
        refused = refuse(501, err, "this server has no such method");
    return refused ? refused : read_target(target, &ret->target, ret_authority, err);
}

/* The header lines */

/* Below the limits of a head a copy always fits. */
static int add_header(struct cs_metadata_list *headers, struct cs_slice name, struct cs_slice value)
{
    uint8_t lower[256];

    if (name.len > sizeof lower)
        return CS_ETOOBIG;
    for (size_t i = 0; i < name.len; i++)
        lower[i] = name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? (uint8_t)(name.ptr[i] | 0x20) : name.ptr[i];
    return cs_metadata_add(headers, cs_slice(lower, name.len), value);
}

static unsigned read_header(struct cs_slice line, struct cs_metadata_list *headers, struct cs_err *err)
{
    bool has_colon;
    struct cs_slice name;
    int rc;

    if (line.ptr[0] == ' ' || line.ptr[0] == '\t')
        return refuse(400, err, "a header line begins with white space: folded headers are obsolete");
    name = cs_slice_cut(&line, ':', &has_colon);
    if (!has_colon || !is_token(name))
        return refuse(400, err, "a header line does not begin with a name and a colon");
    rc = add_header(headers, name, cs_slice_trim(line));
    if (rc == CS_ETOOBIG)
        return refuse(431, err, "the name of a header is too long");
    if (rc != CS_OK)
        cs_err_nomem(err);
    return rc == CS_OK ? 0 : 503;
}

/* Finds the one value of a header; more than one is a refusal. *ret is empty with NULL in it for none. */
static unsigned find_one(const struct cs_metadata_list *headers, const char *wanted, struct cs_slice *ret,
                         struct cs_err *err)
{
    struct cs_slice name, value;
    bool found = false;

    *ret = CS_SLICE_EMPTY;
    for (size_t cursor = 0; cs_metadata_next(headers, &cursor, &name, &value);) {
        if (!cs_slice_eq_str(name, wanted))
            continue;
        if (found) {
            cs_err_set(err, CS_EPARSE, "HTTP/1.1: the header %s comes twice", wanted);
            return 400;
        }
        found = true;
        *ret = value;
    }
    return 0;
}

static unsigned read_host(struct cs_http1_head *head, struct cs_slice authority, struct cs_err *err)
{
    struct cs_slice host;
    unsigned refused = find_one(&head->headers, "host", &host, err);

    if (refused)
        return refused;
    if (!is_authority(host))
        return refuse(400, err, "a request needs the header host, with a host in it");
    if (authority.len && !cs_slice_same_text(authority, host))
        return refuse(400, err, "the request target and the header host name different hosts");
    return 0;
}

static unsigned read_length(struct cs_slice text, int64_t *ret, struct cs_err *err)
{
    int64_t number = 0;

    if (text.len == 0)
        return refuse(400, err, "content-length is empty");
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return refuse(400, err, "content-length is no number");
        if (number > (INT64_MAX - 9) / 10) {
            cs_err_set(err, CS_ETOOBIG, "HTTP/1.1: content-length is a number of bytes that nobody has");
            return 413;
        }
        number = number * 10 + (text.ptr[i] - '0');
    }
    *ret = number;
    return 0;
}

static bool ends_with_chunked(struct cs_slice value)
{
    struct cs_slice last = value;
    bool more = true;

    while (more) {
        last = cs_slice_trim(cs_slice_cut(&value, ',', &more));
    }
    return cs_slice_same_text(last, CS_SLICE_LIT("chunked"));
}

/* How long the body is (RFC 9112 section 6.3): one way to tell it, or a refusal. */
static unsigned read_framing(struct cs_http1_head *head, struct cs_err *err)
{
    struct cs_slice length, encoding;
    unsigned refused = find_one(&head->headers, "content-length", &length, err);

    if (!refused)
        refused = find_one(&head->headers, "transfer-encoding", &encoding, err);
    if (refused)
        return refused;
    if (length.ptr && encoding.ptr)
        return refuse(400, err, "content-length and transfer-encoding do not go together");
    head->content_length = -1;
    if (length.ptr)
        return read_length(length, &head->content_length, err);
    if (!encoding.ptr)
        return 0;
    head->chunked = cs_slice_same_text(encoding, CS_SLICE_LIT("chunked"));
    if (head->chunked)
        return 0;
    return ends_with_chunked(encoding)
               ? refuse(501, err, "the only transfer-encoding that this server knows is chunked")
               : refuse(400, err, "transfer-encoding does not end with chunked");
}

static bool has_word(const struct cs_metadata_list *headers, const char *wanted, const char *word)
{
    struct cs_slice name, value;
    bool more;

    for (size_t cursor = 0; cs_metadata_next(headers, &cursor, &name, &value);) {
        if (!cs_slice_eq_str(name, wanted))
            continue;
        do {
            if (cs_slice_same_text(cs_slice_trim(cs_slice_cut(&value, ',', &more)), cs_slice_str(word)))
                return true;
        } while (more);
    }
    return false;
}

static unsigned read_wishes(struct cs_http1_head *head, struct cs_err *err)
{
    struct cs_slice upgrade, expect;
    unsigned refused = find_one(&head->headers, "upgrade", &upgrade, err);

    if (!refused)
        refused = find_one(&head->headers, "expect", &expect, err);
    if (refused)
        return refused;
    if (upgrade.ptr)
        return refuse(501, err, "this server changes no protocol: speak HTTP/2 from the first byte");
    if (expect.ptr && !cs_slice_same_text(expect, CS_SLICE_LIT("100-continue")))
        return refuse(417, err, "of expectations this server knows 100-continue only");
    head->expects_continue = expect.ptr != NULL;
    head->close = has_word(&head->headers, "connection", "close");
    return 0;
}

/* Up to CR LF, which cs_http1_scan() has seen to. */
static struct cs_slice next_line(struct cs_slice *rest)
{
    struct cs_slice line = cs_slice_cut(rest, '\r', NULL);

    *rest = cs_slice_from(*rest, 1);
    return line;
}

unsigned cs_http1_head_read(struct cs_slice text, struct cs_http1_head *ret, struct cs_err *err)
{
    struct cs_slice rest = text, authority = CS_SLICE_EMPTY, line;
    unsigned refused;

    *ret = (struct cs_http1_head){.content_length = -1};
    refused = read_request_line(next_line(&rest), ret, &authority, err);
    for (line = next_line(&rest); !refused && line.len; line = next_line(&rest))
        refused = read_header(line, &ret->headers, err);
    if (!refused)
        refused = read_host(ret, authority, err);
    if (!refused)
        refused = read_framing(ret, err);
    return refused ? refused : read_wishes(ret, err);
}
