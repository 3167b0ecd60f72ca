/* A controller for the matrix: enrols one device, and pushes what it is told to, whatever that is, decided
 * by all who must. It speaks lines, so that the tests themselves need no C:
 *
 *   > ready AGENT-PORT ENROLMENT-PORT TOKEN
 *   < push CHAIN.pem KEY.pem [even-expired]     when the device has enrolled; the key need not fit
 *   > report completed|failed|refused VERDICT DETAIL…
 *
 * It ends with its standard input. */
#include "tests/support/fake_controller.h"

#include "shared/base/text.h"

#include <stdio.h>

enum { REPORT_SECONDS = 60 };
static const char device[] = "gw-7";

static struct cs_buf read_file(const char *path)
{
    struct cs_buf out = CS_BUF_EMPTY;
    char chunk[4096];
    FILE *file = fopen(path, "r");

    cs_assert(file);
    for (size_t count; (count = fread(chunk, 1, sizeof chunk, file)) > 0;)
        cs_assert(cs_buf_append(&out, cs_slice(chunk, count)) == CS_OK);
    fclose(file);
    return out;
}

/* In place of the certificate and the key that the story made for itself. */
static void take_pair(struct delivery_story *story, const char *chain_path, const char *key_path)
{
    cs_auto(cs_buf_free) struct cs_buf pem = read_file(chain_path);
    cs_auto(cs_buf_wipe) struct cs_buf key = read_file(key_path);
    cs_auto(cs_chain_freep) struct cs_chain *chain = NULL;
    struct cs_cert_info *leaf = calloc(1, sizeof *leaf);
    struct cs_err err;

    cs_assert(leaf && cs_chain_parse_pem(cs_buf_slice(&pem), &chain, &err) == CS_OK);
    cs_buf_free(&story->chain);
    cs_buf_wipe(&story->pkcs8);
    cs_assert(cs_buf_append(&story->chain, cs_chain_bytes(chain)) == CS_OK);
    cs_assert(cs_private_key_to_pkcs8(cs_buf_slice(&key), CS_SLICE_EMPTY, &story->pkcs8, &err) == CS_OK);
    cs_chain_info(chain, 0, leaf);
    struct cs_digest digest = cs_chain_digest(chain);

    CS_PB_SET(&delivery_core(story)->chain_digest, cs_digest_slice(&digest));
    CS_PB_SET(&delivery_core(story)->leaf_spki_digest, cs_digest_slice(&leaf->spki_digest));
    free(leaf);
}

static struct delivery_story *make_story(struct deployment *d, struct fake_controller *controller,
                                         uint64_t number, const char *chain_path, const char *key_path,
                                         bool even_expired)
{
    uint8_t device_id[16], kem_spki[CS_SPKI_BYTES];

    cs_assert(fake_controller_enrolled(controller, device_id, kem_spki));
    d->now_s = pki_now();
    struct delivery_story *story = delivery_prepare(d, device, device_id, number);

    take_pair(story, chain_path, key_path);
    if (even_expired) {
        story->push.request.overrides_count = 1;
        story->push.request.overrides[0] = countersign_v1_Override_OVERRIDE_EXPIRED;
    }
    delivery_submit(story);
    story_decide(&story->push, "bob", 1);
    story_decide(&story->push, "carol", 2);
    delivery_assemble(story, CS_SLICE_ARRAY(kem_spki));
    delivery_wrap(story);
    return story;
}

static void print_report(const struct fake_reports *reports)
{
    const char *outcome = reports->completed ? "completed" : reports->failed ? "failed" : "refused";

    printf("report %s %s %s\n", outcome, reports->last.verdict[0] ? reports->last.verdict : "-",
           reports->last.detail);
}

static void push(struct deployment *d, struct fake_controller *controller, uint64_t number, const char *line)
{
    char chain[256], key[256], option[32] = "";
    struct fake_reports reports;

    cs_assert(sscanf(line, "push %255s %255s %31s", chain, key, option) >= 2);
    struct delivery_story *story =
        make_story(d, controller, number, chain, key, strcmp(option, "even-expired") == 0);
    const uint8_t *order_id = delivery_core(story)->order_id.bytes;

    fake_controller_push(controller, story);
    if (fake_controller_wait(controller, order_id, REPORT_SECONDS)) {
        fake_controller_reports(controller, order_id, &reports);
        print_report(&reports);
    } else {
        printf("report none - nothing in %d s\n", REPORT_SECONDS);
    }
    delivery_free(story);
}

int main(void)
{
    struct deployment d;
    char line[1024];

    setvbuf(stdout, NULL, _IOLBF, 0);
    deployment_make_at(&d, pki_now() - 60);
    struct fake_controller *controller = fake_controller_start(&d);
    struct cs_buf token = fake_controller_token(controller, device);

    printf("ready %u %u %.*s\n", fake_controller_agent_port(controller),
           fake_controller_enrolment_port(controller), (int)token.len, (const char *)token.ptr);
    cs_buf_free(&token);
    for (uint64_t number = 1; fgets(line, sizeof line, stdin); number++)
        push(&d, controller, number, line);
    fake_controller_stop(controller);
    deployment_free(&d);
    return 0;
}
