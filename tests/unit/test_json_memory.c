/* JSON when memory ends, how much it takes, and what it leaves behind in what it gives back. */
#include "tests/support/check.h"

#include "controller/json/json.h"
#include "shared/base/text.h"
#include "tests/support/alloc_fail.h"
#include "tests/support/json_random.h"

#include <malloc.h>

/* ---- every block that is given back is looked at before it goes (tests/unit/CMakeLists.txt) */

static const char canary[] = "the-canary-that-nobody-may-keep";
/* The compiler believes that free() touches none of our variables. */
static volatile struct {
    bool on;
    unsigned found;
    size_t bytes;
} watch;

void __real_free(void *ptr);
void __wrap_free(void *ptr);
void __wrap_free(void *ptr)
{
    if (ptr && watch.on) {
        size_t size = malloc_usable_size(ptr);

        watch.bytes += size;
        watch.found += memmem(ptr, size, canary, strlen(canary)) != NULL;
    }
    __real_free(ptr);
}

static void append(struct cs_buf *out, const char *text)
{
    assert_int_equal(cs_buf_append_str(out, text), CS_OK);
}

/* A key of which each byte is the canary's, in the text as it came (bytes in base64, and once more as a
 * text). */
static struct cs_buf import_with_canary(size_t size)
{
    struct cs_buf json = CS_BUF_EMPTY, key = CS_BUF_EMPTY;

    while (key.len + strlen(canary) < size)
        append(&key, canary);
    append(&json, "{\"unknown\":\"");
    append(&json, canary);
    append(&json, "\",\"privateKey\":\"");
    assert_int_equal(cs_base64_encode(cs_buf_slice(&key), &json), CS_OK);
    append(&json, "\"}");
    cs_buf_free(&key);
    return json;
}

static void a_private_key_is_left_in_no_memory_that_was_given_back(void **state)
{
    const struct ctl_json_message *type = ctl_json_find_message("countersign.v1.ImportCertificateRequest");
    struct cs_buf json = import_with_canary(8000), proto = CS_BUF_EMPTY;
    struct cs_err err;
    char *planted;

    (void)state;
    watch.on = true;
    watch.found = 0;
    check_ok(ctl_json_to_proto(type, 0, cs_buf_slice(&json), &proto, &err), err);
    watch.on = false;
    assert_int_equal(watch.found, 0);
    assert_non_null(memmem(proto.ptr, proto.len, canary, strlen(canary)));
    cs_buf_wipe(&proto);

    /* Refused behind the key, which stood in the buffer already: the buffer has nothing of it either. */
    json.len -= strlen("}");
    append(&json, ",\"certificates\":7}");
    watch.on = true;
    check_code(ctl_json_to_proto(ctl_json_find_message("countersign.v1.ImportCertificateRequest"), 0,
                                 cs_buf_slice(&json), &proto, &err),
               CS_EINVAL);
    watch.on = false;
    assert_int_equal(watch.found, 0);
    assert_int_equal(proto.len, 0);
    cs_buf_free(&proto);

    /* And the watch sees what it is for. */
    planted = strdup(canary);
    assert_string_equal(planted, canary);
    watch.on = true;
    free(planted);
    watch.on = false;
    assert_int_equal(watch.found, 1);
    cs_buf_free(&json);
}

static void a_large_import_takes_a_few_times_its_size(void **state)
{
    const struct ctl_json_message *type = ctl_json_find_message("countersign.v1.ImportCertificateRequest");
    struct cs_buf json = CS_BUF_EMPTY, proto = CS_BUF_EMPTY, bytes = CS_BUF_EMPTY;
    struct cs_err err;

    (void)state;
    while (bytes.len < 96 * 1024)
        append(&bytes, "certificate and ");
    append(&json, "{\"certificates\":\"");
    assert_int_equal(cs_base64_encode(cs_buf_slice(&bytes), &json), CS_OK);
    append(&json, "\"}");
    watch.on = true;
    watch.bytes = 0;
    check_ok(ctl_json_to_proto(type, 0, cs_buf_slice(&json), &proto, &err), err);
    cs_buf_free(&proto);
    watch.on = false;
    /* All that was ever taken, so no less than was held at once. */
    assert_in_range(watch.bytes, json.len, 8 * json.len);

    /* The text that becomes the most: small values, which nobody asked for. */
    cs_buf_clear(&json);
    append(&json, "{\"x\":[0");
    while (json.len < 128 * 1024)
        append(&json, ",0");
    append(&json, "]}");
    watch.on = true;
    watch.bytes = 0;
    check_ok(ctl_json_to_proto(type, 0, cs_buf_slice(&json), &proto, &err), err);
    watch.on = false;
    assert_in_range(watch.bytes, json.len, 40 * json.len);
    cs_buf_free(&json);
    cs_buf_free(&bytes);
    cs_buf_free(&proto);
}

struct scene {
    const struct ctl_json_message *type;
    struct cs_slice proto;
};

static void there_and_back(void *data)
{
    const struct scene *scene = data;
    struct cs_buf json = CS_BUF_EMPTY, proto = CS_BUF_EMPTY;
    struct cs_err err;
    int code = ctl_json_from_proto(scene->type, 0, scene->proto, &json, &err);

    if (code == CS_OK)
        code = ctl_json_to_proto(scene->type, 0, cs_buf_slice(&json), &proto, &err);
    if (code == CS_OK)
        check_slice(cs_buf_slice(&proto), scene->proto);
    else if (!alloc_fail_happened() || code != CS_ENOMEM)
        fail_msg("%s: %s", cs_code_text(code), err.msg);
    else
        assert_int_equal(proto.len, 0);
    cs_buf_free(&json);
    cs_buf_free(&proto);
}

static void any_allocation_may_fail(void **state)
{
    static const char *const names[] = {"countersign.v1.GetDeviceResponse", "countersign.v1.TrustPolicy",
                                        "countersign.v1.CancelRequestRequest", "countersign.v1.AgentMessage"};
    uint64_t seed = 7;

    (void)state;
    for (size_t i = 0; i < CS_ARRAY_LEN(names); i++) {
        struct cs_buf proto = CS_BUF_EMPTY;
        struct scene scene = {.type = ctl_json_find_message(names[i])};

        do {
            cs_buf_clear(&proto);
            json_random_message(scene.type, &seed, &proto);
        } while (proto.len < 16);
        scene.proto = cs_buf_slice(&proto);
        assert_true(alloc_fail_run(there_and_back, &scene) > 4);
        cs_buf_free(&proto);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_private_key_is_left_in_no_memory_that_was_given_back),
        cmocka_unit_test(a_large_import_takes_a_few_times_its_size),
        cmocka_unit_test(any_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
