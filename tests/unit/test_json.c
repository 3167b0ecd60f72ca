/* JSON to protobuf's bytes and back: each kind of field by hand, then every message of the wire. */
#include "tests/support/check.h"

#include "controller/api/api.h"
#include "controller/api/transcode.h"
#include "controller/json/json.h"
#include "controller/limits.h"
#include "shared/base/text.h"
#include "shared/trust/statement.h"
#include "tests/support/json_random.h"

#include <stdio.h>

/* ---- a message with a field of each kind, as no message of the wire has all of them */

static const struct ctl_json_enum_value colour_values[] = {{"NONE", 0}, {"RED", 1}, {"BELOW", -2}};
static const struct ctl_json_enum colour = {"Colour", colour_values, CS_ARRAY_LEN(colour_values)};
#define FIELD(json_name_, name_, number_, kind_, ...)                                                        \
    {                                                                                                        \
        .json_name = json_name_, .name = name_, .number = number_, .kind = CTL_JSON_##kind_, __VA_ARGS__     \
    }
static const struct ctl_json_field inner_fields[] = {
    FIELD("name", "name", 1, STRING, .most_bytes = 8),
    FIELD("others", "others", 2, STRING, .repeated = true, .most_count = 3, .most_bytes = 4),
};
static const struct ctl_json_message inner = {"test.Inner", inner_fields, CS_ARRAY_LEN(inner_fields), NULL,
                                              0};
static const struct ctl_json_message every;
static const struct ctl_json_field every_fields[] = {
    FIELD("isSo", "is_so", 1, BOOL),
    FIELD("small", "small", 2, INT32),
    FIELD("wide", "wide", 3, INT64),
    FIELD("smallCount", "small_count", 4, UINT32),
    FIELD("wideCount", "wide_count", 5, UINT64),
    FIELD("colour", "colour", 6, ENUM, .enumeration = &colour),
    FIELD("text", "text", 7, STRING, .most_bytes = 20),
    FIELD("raw", "raw", 8, BYTES, .most_bytes = 5),
    FIELD("inner", "inner", 9, MESSAGE, .has_presence = true, .message = &inner),
    FIELD("numbers", "numbers", 10, UINT64, .repeated = true, .most_count = 4),
    FIELD("colours", "colours", 11, ENUM, .repeated = true, .most_count = 4, .enumeration = &colour),
    FIELD("inners", "inners", 12, MESSAGE, .repeated = true, .most_count = 2, .message = &inner),
    FIELD("oneText", "one_text", 13, STRING, .oneof = 1, .most_bytes = 20),
    FIELD("oneNumber", "one_number", 14, UINT32, .oneof = 1),
    FIELD("perhaps", "perhaps", 15, UINT32, .has_presence = true),
    FIELD("again", "again", 16, MESSAGE, .has_presence = true, .message = &every),
    FIELD("yesNo", "yes_no", 17, BOOL, .repeated = true, .most_count = 3),
    FIELD("raws", "raws", 18, BYTES, .repeated = true, .most_count = 3, .most_bytes = 5),
};
static const struct ctl_json_message every = {"test.Every", every_fields, CS_ARRAY_LEN(every_fields), NULL,
                                              0};

static struct cs_buf read_hex(const char *hex)
{
    struct cs_buf bytes = CS_BUF_EMPTY;
    size_t len = strlen(hex) / 2;

    assert_int_equal(cs_buf_reserve(&bytes, len + 1), CS_OK);
    assert_int_equal(cs_unhex(cs_slice_str(hex), bytes.ptr, len), CS_OK);
    bytes.len = len;
    return bytes;
}

static void check_reads(const char *json, const char *hex)
{
    struct cs_buf wanted = read_hex(hex), proto = CS_BUF_EMPTY;
    struct cs_err err;

    err.msg[0] = '\0';
    if (ctl_json_to_proto(&every, CTL_JSON_STRICT, cs_slice_str(json), &proto, &err) != CS_OK)
        fail_msg("%s: %s", json, err.msg);
    if (!cs_slice_eq(cs_buf_slice(&proto), cs_buf_slice(&wanted)))
        fail_msg("%s did not become %s", json, hex);
    cs_buf_free(&proto);
    cs_buf_free(&wanted);
}

static void check_refuses(const char *json, int code, const char *says)
{
    struct cs_buf proto = CS_BUF_EMPTY;
    struct cs_err err;
    int actual;

    assert_int_equal(cs_buf_append_str(&proto, "before"), CS_OK);
    actual = ctl_json_to_proto(&every, 0, cs_slice_str(json), &proto, &err);
    if (actual != code || !strstr(err.msg, says))
        fail_msg("%s: %s: '%s' does not say '%s'", json, cs_code_text(actual), actual ? err.msg : "", says);
    check_code(ctl_json_to_proto(&every, 0, cs_slice_str(json), &proto, NULL), code);
    check_slice(cs_buf_slice(&proto), CS_SLICE_LIT("before"));
    cs_buf_free(&proto);
}

static void every_kind_is_read_in_each_of_its_forms(void **state)
{
    static const struct {
        const char *json, *hex;
    } cases[] = {
        {"{}", ""},
        {" \t\r\n{ } \n", ""},
        {"{\"isSo\":true}", "0801"},
        {"{\"is_so\":true}", "0801"},
        {"{\"isSo\":false}", ""},
        {"{\"isSo\":null,\"inner\":null,\"numbers\":null,\"oneText\":null,\"oneNumber\":3}", "7003"},
        {"{\"small\":-1}", "10ffffffffffffffffff01"},
        {"{\"small\":-2147483648}", "1080808080f8ffffffff01"},
        {"{\"small\":\"2147483647\"}", "10ffffffff07"},
        {"{\"small\":-0}", ""},
        {"{\"wide\":\"-9223372036854775808\"}", "1880808080808080808001"},
        {"{\"wide\":-9223372036854775808}", "1880808080808080808001"},
        {"{\"wide\":9223372036854775807}", "18ffffffffffffffff7f"},
        {"{\"smallCount\":4294967295}", "20ffffffff0f"},
        {"{\"smallCount\":4.294967295e9}", "20ffffffff0f"},
        {"{\"smallCount\":1.0}", "2001"},
        {"{\"smallCount\":\"1.0\"}", "2001"},
        {"{\"smallCount\":\"1e2\"}", "2064"},
        {"{\"smallCount\":12300E-2}", "207b"},
        {"{\"smallCount\":0.0e99999999999999999999}", ""},
        {"{\"smallCount\":0.0000000000000000000000000000001e31}", "2001"},
        {"{\"wideCount\":18446744073709551615}", "28ffffffffffffffffff01"},
        {"{\"wideCount\":\"18446744073709551615\"}", "28ffffffffffffffffff01"},
        {"{\"wideCount\":9007199254740993}", "2881808080808080"
                                             "10"},
        {"{\"colour\":\"RED\"}", "3001"},
        {"{\"colour\":\"BELOW\"}", "30feffffffffffffffff01"},
        {"{\"colour\":\"NONE\"}", ""},
        {"{\"colour\":1}", "3001"},
        {"{\"colour\":77}", "304d"},
        {"{\"text\":\"a\\u00e4\\ud83d\\udd11\\n\"}", "3a0861c3a4f09f94910a"},
        {"{\"text\":\"\"}", ""},
        {"{\"raw\":\"+/8=\"}", "4202fbff"},
        {"{\"raw\":\"-_8=\"}", "4202fbff"},
        {"{\"raw\":\"-_8\"}", "4202fbff"},
        {"{\"raw\":\"AA\"}", "420100"},
        {"{\"raw\":\"\"}", ""},
        {"{\"inner\":{}}", "4a00"},
        {"{\"inner\":{\"others\":[\"\",\"b\"],\"name\":\"a\"}}", "4a080a01611200120162"},
        {"{\"numbers\":[0,\"1\",300]}", "52040001ac02"},
        {"{\"numbers\":[]}", ""},
        {"{\"colours\":[\"RED\",0,5]}", "5a03010005"},
        {"{\"inners\":[{},{\"name\":\"b\"}]}", "620062030a0162"},
        {"{\"oneText\":\"\"}", "6a00"},
        {"{\"oneNumber\":0}", "7000"},
        {"{\"perhaps\":0}", "7800"},
        {"{\"again\":{\"again\":{\"small\":1}}}", "820105820102"
                                                  "1001"},
        {"{\"yesNo\":[true,false]}", "8a01020100"},
        {"{\"raws\":[\"\",\"AAE\"]}", "920100"
                                      "9201020001"},
        /* The order of the text is not that of the bytes. */
        {"{\"text\":\"b\",\"isSo\":true}", "08013a0162"},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++)
        check_reads(cases[i].json, cases[i].hex);
}

static void what_is_wrong_is_named_with_its_place(void **state)
{
    static const struct {
        const char *json;
        int code;
        const char *says;
    } cases[] = {
        {"", CS_EPARSE, "an empty message is {}"},
        {"{", CS_EPARSE, "reading JSON: "},
        {"{}x", CS_EPARSE, "at byte 2"},
        {"{} {}", CS_EPARSE, "reading JSON: "},
        {"{\"text\":\"a\"\0}", CS_EPARSE, "reading JSON: "},
        {"{\"text\":\"\xff\"}", CS_EPARSE, "reading JSON: "},
        {"{\"text\":\"\\ud800\"}", CS_EPARSE, "reading JSON: "},
        {"{\"text\":\"\\udc00\\ud800\"}", CS_EPARSE, "reading JSON: "},
        {"{'text':1}", CS_EPARSE, "reading JSON: "},
        {"{\"text\":\"a\",}", CS_EPARSE, "reading JSON: "},
        {"{/**/}", CS_EPARSE, "reading JSON: "},
        {"{\"small\":NaN}", CS_EPARSE, "reading JSON: "},
        {"{\"small\":01}", CS_EPARSE, "reading JSON: "},
        {"[]", CS_EINVAL, "an object is wanted"},
        {"null", CS_EINVAL, "an object is wanted"},
        {"\"{}\"", CS_EINVAL, "an object is wanted"},
        {"{\"isSo\":1}", CS_EINVAL, "isSo: true or false is wanted"},
        {"{\"isSo\":\"true\"}", CS_EINVAL, "isSo: true or false is wanted"},
        {"{\"small\":2147483648}", CS_EINVAL, "small: the number is out of range: -2147483648 to 2147483647"},
        {"{\"small\":-2147483649}", CS_EINVAL, "small: the number is out of range"},
        {"{\"small\":0.5}", CS_EINVAL, "small: a whole number is wanted"},
        {"{\"small\":1e-1}", CS_EINVAL, "small: a whole number is wanted"},
        {"{\"small\":\"\"}", CS_EINVAL, "small: a whole number is wanted"},
        {"{\"small\":\" 1\"}", CS_EINVAL, "small: a whole number is wanted"},
        {"{\"small\":\"1 \"}", CS_EINVAL, "small: a whole number is wanted"},
        {"{\"small\":\"+1\"}", CS_EINVAL, "small: a whole number is wanted"},
        {"{\"small\":\"0x1\"}", CS_EINVAL, "small: a whole number is wanted"},
        {"{\"small\":\"1.\"}", CS_EINVAL, "small: a whole number is wanted"},
        {"{\"small\":\"1e\"}", CS_EINVAL, "small: a whole number is wanted"},
        {"{\"small\":\"1\\u0000\"}", CS_EINVAL, "small: a whole number is wanted"},
        {"{\"small\":true}", CS_EINVAL, "small: a whole number is wanted"},
        {"{\"small\":[1]}", CS_EINVAL, "small: a whole number is wanted"},
        {"{\"wide\":9223372036854775808}", CS_EINVAL, "wide: the number is out of range"},
        {"{\"wide\":1e99999999999999999999}", CS_EINVAL, "wide: the number is out of range"},
        {"{\"smallCount\":-1}", CS_EINVAL, "smallCount: the number is out of range: 0 to 4294967295"},
        {"{\"smallCount\":4294967296}", CS_EINVAL, "smallCount: the number is out of range"},
        {"{\"wideCount\":18446744073709551616}", CS_EINVAL, "wideCount: the number is out of range"},
        {"{\"wideCount\":\"100000000000000000000\"}", CS_EINVAL, "wideCount: the number is out of range"},
        {"{\"wideCount\":-1}", CS_EINVAL, "wideCount: the number is out of range"},
        {"{\"colour\":\"PINK\"}", CS_EINVAL, "colour: 'PINK' is no Colour: use one of NONE, RED, BELOW"},
        {"{\"colour\":\"1\"}", CS_EINVAL, "colour: '1' is no Colour"},
        {"{\"colour\":2147483648}", CS_EINVAL, "colour: the number is out of range"},
        {"{\"colour\":true}", CS_EINVAL, "colour: a whole number is wanted"},
        {"{\"text\":\"123456789012345678901\"}", CS_EINVAL, "text: 21 bytes; at most 20 are allowed"},
        {"{\"text\":1}", CS_EINVAL, "text: a text is wanted"},
        {"{\"text\":\"a\\u0000b\"}", CS_EINVAL, "text: the text has the character U+0000"},
        {"{\"raw\":\"AAECAwQF\"}", CS_EINVAL, "raw: 6 bytes; at most 5 are allowed"},
        {"{\"raw\":\"A\"}", CS_EINVAL, "raw: the text is not base64"},
        {"{\"raw\":\"AA=\"}", CS_EINVAL, "raw: the text is not base64"},
        {"{\"raw\":\"AB==\"}", CS_EINVAL, "raw: the text is not base64"},
        {"{\"raw\":\"A A=\"}", CS_EINVAL, "raw: the text is not base64"},
        {"{\"raw\":\"====\"}", CS_EINVAL, "raw: the text is not base64"},
        {"{\"raw\":7}", CS_EINVAL, "raw: bytes in base64 are wanted"},
        {"{\"inner\":{\"name\":\"123456789\"}}", CS_EINVAL, "inner.name: 9 bytes; at most 8"},
        {"{\"inner\":[]}", CS_EINVAL, "inner: an object is wanted"},
        {"{\"inners\":[{},{\"others\":[\"\",\"\",\"12345\"]}]}", CS_EINVAL, "inners[1].others[2]: 5 bytes"},
        {"{\"inners\":[{},{},{}]}", CS_EINVAL, "inners: 3 of them; at most 2 are allowed"},
        {"{\"inners\":[null]}", CS_EINVAL, "inners[0]: a list may not have null in it"},
        {"{\"inners\":{}}", CS_EINVAL, "inners: a list is wanted"},
        {"{\"numbers\":[1,2,3,4,5]}", CS_EINVAL, "numbers: 5 of them; at most 4 are allowed"},
        {"{\"numbers\":[1,-1]}", CS_EINVAL, "numbers[1]: the number is out of range"},
        {"{\"numbers\":[null]}", CS_EINVAL, "numbers[0]: a list may not have null in it"},
        {"{\"isSo\":true,\"isSo\":true}", CS_EINVAL, "isSo: given twice"},
        {"{\"isSo\":true,\"is_so\":false}", CS_EINVAL, "isSo: given twice"},
        {"{\"inner\":{\"name\":null,\"name\":\"a\"}}", CS_EINVAL, "inner.name: given twice"},
        {"{\"oneText\":\"\",\"oneNumber\":0}", CS_EINVAL, "'oneText' and 'oneNumber' exclude each other"},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++)
        check_refuses(cases[i].json, cases[i].code, cases[i].says);
}

static void a_field_that_is_not_there_is_passed_over_or_refused(void **state)
{
    struct cs_slice json =
        CS_SLICE_LIT("{\"new\":{\"a\":[1,{}]},\"inner\":{\"newer\":1e999,\"name\":\"a\"}}");
    struct cs_buf proto = CS_BUF_EMPTY;
    struct cs_err err;

    (void)state;
    check_ok(ctl_json_to_proto(&every, 0, json, &proto, &err), err);
    check_slice(cs_buf_slice(&proto), CS_SLICE_LIT("\x4a\x03\x0a\x01\x61"));
    check_code(ctl_json_to_proto(&every, CTL_JSON_STRICT, json, &proto, &err), CS_EINVAL);
    check_says(err, "there is no field 'new' in test.Every");
    json = CS_SLICE_LIT("{\"inner\":{\"newer\":1}}");
    check_code(ctl_json_to_proto(&every, CTL_JSON_STRICT, json, &proto, &err), CS_EINVAL);
    check_says(err, "inner: there is no field 'newer' in test.Inner");
    cs_buf_free(&proto);
}

static void append_many(struct cs_buf *text, const char *part, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(cs_buf_append_str(text, part), CS_OK);
}

static void depth_and_size_are_bounded(void **state)
{
    struct cs_buf json = CS_BUF_EMPTY, proto = CS_BUF_EMPTY;
    struct cs_err err;

    (void)state;
    append_many(&json, "{\"again\":", 17);
    append_many(&json, "{", 1);
    append_many(&json, "}", 18);
    check_code(ctl_json_to_proto(&every, 0, cs_buf_slice(&json), &proto, &err), CS_EINVAL);
    check_says(err, "again.again");
    check_says(err, "more than 16 deep");
    /* What is passed over may be as deep as it likes. */
    cs_buf_clear(&json);
    append_many(&json, "{\"x\":", 1);
    append_many(&json, "[", 100000);
    append_many(&json, "]", 100000);
    append_many(&json, "}", 1);
    check_ok(ctl_json_to_proto(&every, 0, cs_buf_slice(&json), &proto, &err), err);
    append_many(&json, " ", CTL_LIMIT_JSON_BYTES);
    check_code(ctl_json_to_proto(&every, 0, cs_buf_slice(&json), &proto, &err), CS_ETOOBIG);
    check_says(err, "at most 262144 are allowed");
    cs_buf_clear(&json);
    append_many(&json, "{\"text\":\"1234567890\"}", 1);
    proto.limit_bytes = 8;
    check_code(ctl_json_to_proto(&every, 0, cs_buf_slice(&json), &proto, &err), CS_ETOOBIG);
    cs_buf_free(&proto);
    cs_buf_free(&json);
}

/* Every beginning of a good text is a refusal, never a crash and never a message. */
static void a_text_that_ends_early_is_refused(void **state)
{
    struct cs_slice whole =
        CS_SLICE_LIT("{\"text\":\"a\\u00e4\",\"numbers\":[1,2],\"inner\":{\"name\":\"n\"},\"isSo\":true}");
    struct cs_buf proto = CS_BUF_EMPTY;
    struct cs_err err;

    (void)state;
    for (size_t len = 0; len < whole.len; len++) {
        /* At its exact size, so that a read past the end is seen. */
        char *part = malloc(len + 1);

        assert_non_null(part);
        memcpy(part + 1, whole.ptr, len);
        check_code(ctl_json_to_proto(&every, 0, cs_slice(part + 1, len), &proto, &err), CS_EPARSE);
        free(part);
    }
    assert_int_equal(proto.len, 0);
    cs_buf_free(&proto);
}

static void check_writes(const char *hex, unsigned options, const char *wanted)
{
    struct cs_buf proto = read_hex(hex), json = CS_BUF_EMPTY;
    struct cs_err err;

    err.msg[0] = '\0';
    if (ctl_json_from_proto(&every, options, cs_buf_slice(&proto), &json, &err) != CS_OK)
        fail_msg("%s: %s", hex, err.msg);
    assert_int_equal(cs_buf_append_u8(&json, 0), CS_OK);
    assert_string_equal((const char *)json.ptr, wanted);
    cs_buf_free(&json);
    cs_buf_free(&proto);
}

static void every_kind_is_written_as_the_mapping_has_it(void **state)
{
    (void)state;
    check_writes("", 0, "{}");
    check_writes("0801", 0, "{\"isSo\":true}");
    check_writes("0800", 0, "{}");
    check_writes("10ffffffffffffffffff01", 0, "{\"small\":-1}");
    check_writes("1880808080808080808001", 0, "{\"wide\":\"-9223372036854775808\"}");
    check_writes("20ffffffff0f", 0, "{\"smallCount\":4294967295}");
    check_writes("28ffffffffffffffffff01", 0, "{\"wideCount\":\"18446744073709551615\"}");
    check_writes("3001", 0, "{\"colour\":\"RED\"}");
    check_writes("304d", 0, "{\"colour\":77}");
    check_writes("30feffffffffffffffff01", 0, "{\"colour\":\"BELOW\"}");
    check_writes("3a0861c3a4f09f94910a", 0, "{\"text\":\"a\xc3\xa4\xf0\x9f\x94\x91\\n\"}");
    check_writes("3a04222f5c01", 0, "{\"text\":\"\\\"/\\\\\\u0001\"}");
    check_writes("4202fbff", 0, "{\"raw\":\"+/8=\"}");
    check_writes("4a00", 0, "{\"inner\":{}}");
    check_writes("52040001ac02", 0, "{\"numbers\":[\"0\",\"1\",\"300\"]}");
    /* Not packed, and with another field in between. */
    check_writes("50010801500250ac02", 0, "{\"isSo\":true,\"numbers\":[\"1\",\"2\",\"300\"]}");
    check_writes("5a03010005", 0, "{\"colours\":[\"RED\",\"NONE\",5]}");
    check_writes("620062030a0162", 0, "{\"inners\":[{},{\"name\":\"b\"}]}");
    check_writes("6a00", 0, "{\"oneText\":\"\"}");
    check_writes("7000", 0, "{\"oneNumber\":0}");
    check_writes("7800", 0, "{\"perhaps\":0}");
    check_writes("8a01020100", 0, "{\"yesNo\":[true,false]}");
    check_writes("9201009201020001", 0, "{\"raws\":[\"\",\"AAE=\"]}");
    /* The last of one that comes twice; fields that the message does not have, of every wire type. */
    check_writes("20012002", 0, "{\"smallCount\":2}");
    check_writes("9806"
                 "01"
                 "9906"
                 "0102030405060708"
                 "9a06"
                 "0141"
                 "9d06"
                 "01020304"
                 "0801",
                 0, "{\"isSo\":true}");
    check_writes(
        "", CTL_JSON_WITH_DEFAULTS,
        "{\"isSo\":false,\"small\":0,\"wide\":\"0\",\"smallCount\":0,\"wideCount\":\"0\",\"colour\":"
        "\"NONE\",\"text\":\"\",\"raw\":\"\",\"numbers\":[],\"colours\":[],\"inners\":[],\"yesNo\":[],"
        "\"raws\":[]}");
    check_writes("4a030a0162", CTL_JSON_PRETTY, "{\n  \"inner\": {\n    \"name\": \"b\"\n  }\n}");
}

static void bytes_that_are_not_the_message_are_refused(void **state)
{
    static const struct {
        const char *hex;
        int code;
        const char *says;
    } cases[] = {
        {"08", CS_EPARSE, "malformed"},
        {"3a05", CS_EPARSE, "malformed"},
        {"3affffffffffffffffff01", CS_EPARSE, "malformed"},
        {"0001", CS_EPARSE, "malformed"},
        {"0b", CS_EPARSE, "malformed"}, /* a group */
        {"3801", CS_EPARSE, "text: the message's bytes are malformed"},
        {"0a0101", CS_EPARSE, "isSo: the message's bytes are malformed"},
        {"2080808080"
         "10",
         CS_EPARSE, "smallCount: "}, /* 2^32 */
        {"1080808080"
         "08",
         CS_EPARSE, "small: "}, /* 2^31 */
        {"3080808080"
         "08",
         CS_EPARSE, "colour: "},
        {"520180", CS_EPARSE, "numbers: "},
        {"4a004a00", CS_EPARSE, "inner: "},
        {"6a007000", CS_EPARSE, "malformed"}, /* two of a oneof */
        {"4a020a05", CS_EPARSE, "inner: "},
        {"3a01ff", CS_EINVAL, "text: the text is not UTF-8"},
        {"3a0100", CS_EINVAL, "text: the text has the character U+0000"},
        {"4206000000000000", CS_EINVAL, "raw: 6 bytes; at most 5"},
        {"52050102030405", CS_EINVAL, "numbers: 5 of them; at most 4"},
        {"620062021200"
         "62081200120012001200",
         CS_EINVAL, "inners: 3 of them; at most 2"},
    };

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(cases); i++) {
        struct cs_buf proto = read_hex(cases[i].hex), json = CS_BUF_EMPTY;
        struct cs_err err;
        int code = ctl_json_from_proto(&every, 0, cs_buf_slice(&proto), &json, &err);

        if (code != cases[i].code || !strstr(err.msg, cases[i].says))
            fail_msg("%s: %s: %s", cases[i].hex, cs_code_text(code), code ? err.msg : "");
        assert_int_equal(err.code, cases[i].code);
        check_code(ctl_json_from_proto(&every, 0, cs_buf_slice(&proto), &json, NULL), cases[i].code);
        assert_int_equal(json.len, 0);
        cs_buf_free(&json);
        cs_buf_free(&proto);
    }
}

/* ---- the wire's own messages */

static void check_there_and_back(const struct ctl_json_message *type, struct cs_slice bytes, unsigned options)
{
    struct cs_buf json = CS_BUF_EMPTY, proto = CS_BUF_EMPTY;
    struct cs_err err;

    err.msg[0] = '\0';
    if (ctl_json_from_proto(type, options, bytes, &json, &err) != CS_OK ||
        ctl_json_to_proto(type, CTL_JSON_STRICT, cs_buf_slice(&json), &proto, &err) != CS_OK)
        fail_msg("%s: %s", type->name, err.msg);
    if (!cs_slice_eq(cs_buf_slice(&proto), bytes))
        fail_msg("%s came back differently", type->name);
    cs_buf_free(&json);
    cs_buf_free(&proto);
}

static void every_message_of_the_wire_survives_json(void **state)
{
    uint64_t seed = 1;

    (void)state;
    assert_true(ctl_json_message_count > 80);
    for (size_t i = 0; i < ctl_json_message_count; i++) {
        const struct ctl_json_message *type = ctl_json_messages[i];
        void *message = malloc(type->struct_bytes);

        assert_non_null(message);
        assert_ptr_equal(ctl_json_find_message(type->name), type);
        for (unsigned round = 0; round < 24; round++) {
            struct cs_buf bytes = CS_BUF_EMPTY;
            struct cs_err err;

            json_random_message(type, &seed, &bytes);
            /* nanopb takes the same bytes, and would have written them so: bounds and form are the same. */
            check_ok(
                cs_message_decode_strict(type->descriptor, cs_buf_slice(&bytes), message, type->name, &err),
                err);
            check_there_and_back(type, cs_buf_slice(&bytes), 0);
            check_there_and_back(type, cs_buf_slice(&bytes), CTL_JSON_WITH_DEFAULTS | CTL_JSON_PRETTY);
            cs_buf_free(&bytes);
        }
        free(message);
    }
}

static void check_method(const struct cs_method *method, void *count)
{
    const struct ctl_json_method *found = ctl_json_find_method(method->service, method->name);
    struct cs_buf proto = CS_BUF_EMPTY, json = CS_BUF_EMPTY;
    struct cs_err err;

    if (!found)
        fail_msg("%s/%s is registered and has no messages in proto/: is its name right?", method->service,
                 method->name);
    check_ok(ctl_transcode.to_proto(NULL, method, CS_SLICE_LIT("{}"), &proto, &err), err);
    check_ok(ctl_transcode.to_json(NULL, method, CS_SLICE_EMPTY, &json, &err), err);
    check_slice(cs_buf_slice(&json), CS_SLICE_LIT("{}"));
    cs_buf_free(&json);
    ++*(unsigned *)count;
}

static void every_operator_method_has_its_messages(void **state)
{
    const struct cs_method decide = {.service = "countersign.v1.PushService", .name = "Decide"};
    const struct cs_method other = {.service = "countersign.v1.PushService", .name = "decide"};
    struct cs_buf out = CS_BUF_EMPTY;
    struct cs_registry *registry;
    struct cs_err err;
    unsigned count = 0;

    (void)state;
    check_ok(cs_registry_new(&registry, &err), err);
    check_ok(ctl_api_register(registry, NULL, &err), err);
    cs_registry_each(registry, check_method, &count);
    assert_true(count >= 30);
    cs_registry_free(registry);

    /* Requests are read as the method's request, replies written as its reply. */
    check_ok(ctl_transcode.to_proto(NULL, &decide, CS_SLICE_LIT("{\"number\":\"7\"}"), &out, &err), err);
    check_slice(cs_buf_slice(&out), CS_SLICE_LIT("\x08\x07"));
    cs_buf_clear(&out);
    check_ok(ctl_transcode.to_json(NULL, &decide, CS_SLICE_LIT("\x08\x05"), &out, &err), err);
    check_slice(cs_buf_slice(&out), CS_SLICE_LIT("{\"state\":\"ORDER_STATE_COMPLETED\"}"));
    check_code(ctl_transcode.to_proto(NULL, &other, CS_SLICE_LIT("{}"), &out, &err), CS_EUNSUPPORTED);
    check_code(ctl_transcode.to_json(NULL, &other, CS_SLICE_EMPTY, &out, &err), CS_EUNSUPPORTED);
    assert_null(ctl_json_find_message("countersign.v1.Nothing"));
    cs_buf_free(&out);
}

static void the_bounds_are_those_of_the_options(void **state)
{
    const struct ctl_json_message *type = ctl_json_find_message("countersign.v1.ImportCertificateResponse");
    struct cs_buf json = CS_BUF_EMPTY, proto = CS_BUF_EMPTY;
    struct cs_err err;

    (void)state;
    append_many(&json, "{\"certificate\":{\"names\":[\"a\",\"", 1);
    append_many(&json, "b", 127);
    append_many(&json, "\"]}}", 1);
    check_ok(ctl_json_to_proto(type, 0, cs_buf_slice(&json), &proto, &err), err);
    json.len -= strlen("\"]}}");
    append_many(&json, "b\"]}}", 1);
    check_code(ctl_json_to_proto(type, 0, cs_buf_slice(&json), &proto, &err), CS_EINVAL);
    assert_string_equal(err.msg, "certificate.names[1]: 128 bytes; at most 127 are allowed");
    cs_buf_clear(&json);
    append_many(&json, "{\"certificate\":{\"names\":[\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\"]}}", 1);
    check_code(ctl_json_to_proto(type, 0, cs_buf_slice(&json), &proto, &err), CS_EINVAL);
    assert_string_equal(err.msg, "certificate.names: 9 of them; at most 8 are allowed");

    /* An enum with more names than a sentence holds. */
    type = ctl_json_find_message("countersign.v1.ListOrdersRequest");
    check_code(ctl_json_to_proto(type, 0, CS_SLICE_LIT("{\"state\":\"DONE\"}"), &proto, &err), CS_EINVAL);
    check_says(err, "state: 'DONE' is no OrderState: use one of ORDER_STATE_UNSPECIFIED, ORDER_STATE_PUSH_");
    assert_string_equal(err.msg + strlen(err.msg) - strlen(", \u2026"), ", \u2026");
    cs_buf_free(&json);
    cs_buf_free(&proto);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_read_in_each_of_its_forms),
        cmocka_unit_test(what_is_wrong_is_named_with_its_place),
        cmocka_unit_test(a_field_that_is_not_there_is_passed_over_or_refused),
        cmocka_unit_test(depth_and_size_are_bounded),
        cmocka_unit_test(a_text_that_ends_early_is_refused),
        cmocka_unit_test(every_kind_is_written_as_the_mapping_has_it),
        cmocka_unit_test(bytes_that_are_not_the_message_are_refused),
        cmocka_unit_test(every_message_of_the_wire_survives_json),
        cmocka_unit_test(every_operator_method_has_its_messages),
        cmocka_unit_test(the_bounds_are_those_of_the_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
