/* A number's text to an integer without a detour through floating point, which would round what is beyond
 * 2^53. */
#include "controller/json/internal.h"

struct digits {
    struct cs_slice whole, fraction;
    bool negative;
    int64_t exponent;
};

static bool is_digit(struct cs_slice text)
{
    return text.len && text.ptr[0] >= '0' && text.ptr[0] <= '9';
}

static bool take(struct cs_slice *text, const char *any_of)
{
    if (!text->len || !text->ptr[0] || !strchr(any_of, text->ptr[0]))
        return false;
    *text = cs_slice_from(*text, 1);
    return true;
}

static struct cs_slice take_digits(struct cs_slice *text)
{
    struct cs_slice all = *text;

    while (is_digit(*text))
        *text = cs_slice_from(*text, 1);
    return cs_slice(all.ptr, all.len - text->len);
}

/* Far beyond what any text within the limit can make up for with zeros. */
enum { MOST_EXPONENT = 1000 * 1000 * 1000 };

static bool take_exponent(struct cs_slice *text, int64_t *ret)
{
    bool negative = text->len && text->ptr[0] == '-';
    struct cs_slice digits;

    take(text, "+-");
    digits = take_digits(text);
    *ret = 0;
    for (size_t i = 0; i < digits.len && *ret < MOST_EXPONENT; i++)
        *ret = *ret * 10 + (digits.ptr[i] - '0');
    if (negative)
        *ret = -*ret;
    return digits.len > 0;
}

/* RFC 8259 section 6. */
static bool split(struct cs_slice text, struct digits *ret)
{
    *ret = (struct digits){.negative = take(&text, "-")};
    ret->whole = take_digits(&text);
    if (ret->whole.len == 0 || (ret->whole.len > 1 && ret->whole.ptr[0] == '0'))
        return false;
    if (take(&text, ".")) {
        ret->fraction = take_digits(&text);
        if (ret->fraction.len == 0)
            return false;
    }
    if (take(&text, "eE") && !take_exponent(&text, &ret->exponent))
        return false;
    return text.len == 0;
}

static uint8_t digit_at(const struct digits *digits, size_t i)
{
    uint8_t c = i < digits->whole.len ? digits->whole.ptr[i] : digits->fraction.ptr[i - digits->whole.len];

    return (uint8_t)(c - '0');
}

enum json_number json_number_parse(struct cs_slice text, bool *ret_negative, uint64_t *ret_magnitude)
{
    struct digits digits;
    size_t first = 0, end;
    int64_t zeros;
    uint64_t value = 0;

    if (!split(text, &digits))
        return JSON_NUMBER_MALFORMED;
    end = digits.whole.len + digits.fraction.len;
    while (end > 0 && digit_at(&digits, end - 1) == 0)
        end--;
    while (first < end && digit_at(&digits, first) == 0)
        first++;
    /* The significant digits are an integer's, and as many zeros stand behind them. */
    zeros = digits.exponent + (int64_t)digits.whole.len - (int64_t)end;
    if (first < end && zeros < 0)
        return JSON_NUMBER_FRACTION;
    for (size_t i = first; i < end; i++)
        if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)digit_at(&digits, i), &value))
            return JSON_NUMBER_TOO_BIG;
    for (; value > 0 && zeros > 0; zeros--)
        if (__builtin_mul_overflow(value, (uint64_t)10, &value))
            return JSON_NUMBER_TOO_BIG;
    *ret_negative = digits.negative;
    *ret_magnitude = value;
    return JSON_NUMBER_OK;
}
