#include "controller/cli/compose.h"

#include "controller/cli/public_key.h"
#include "controller/cli/show.h"

#include "shared/base/text.h"

#include <stdio.h>

static void add_stage(countersign_v1_Rule *rule, const char *name, countersign_v1_Role role)
{
    countersign_v1_Stage *stage = &rule->stages[rule->stages_count++];

    snprintf(stage->name, sizeof stage->name, "%s", name);
    stage->role = role;
    stage->required = 1;
}

void cli_compose_first(countersign_v1_TrustPolicy *draft, int64_t now_s, int64_t valid_s)
{
    countersign_v1_Rule *rule = &draft->rules[0];

    cs_random(draft->deployment_id.bytes, sizeof draft->deployment_id.bytes);
    draft->deployment_id.size = sizeof draft->deployment_id.bytes;
    draft->version = 1;
    draft->issued_at_s = now_s;
    draft->expires_at_s = now_s + valid_s;
    draft->rules_count = 1;
    snprintf(rule->name, sizeof rule->name, "default");
    add_stage(rule, "approve", countersign_v1_Role_ROLE_APPROVER);
    add_stage(rule, "implement", countersign_v1_Role_ROLE_IMPLEMENTER);
}

void cli_compose_next(countersign_v1_TrustPolicy *draft, const struct cs_policy *current, int64_t now_s,
                      int64_t valid_s)
{
    struct cs_digest digest = cs_policy_digest(current);

    *draft = *cs_policy_body(current);
    draft->version++;
    CS_PB_SET(&draft->previous_digest, cs_digest_slice(&digest));
    draft->issued_at_s = now_s;
    draft->expires_at_s = now_s + valid_s;
}

void cli_compose_roots(countersign_v1_TrustPolicy *draft, const struct cs_slice *spkis, size_t count,
                       uint32_t threshold)
{
    cs_assert(count <= CS_LIMIT_ROOTS);
    draft->has_roots = true;
    draft->roots.threshold = threshold;
    draft->roots.keys_count = (pb_size_t)count;
    for (size_t i = 0; i < count; i++)
        CS_PB_SET(&draft->roots.keys[i], spkis[i]);
}

uint32_t cli_compose_threshold(size_t roots)
{
    return (uint32_t)roots / 2 + 1;
}

static countersign_v1_Operator *find_operator(countersign_v1_TrustPolicy *draft, const char *name)
{
    for (pb_size_t i = 0; i < draft->operators_count; i++)
        if (strcmp(draft->operators[i].name, name) == 0)
            return &draft->operators[i];
    return NULL;
}

int cli_compose_roles(const char *text, size_t len, const char *whose, countersign_v1_Role *roles,
                      pb_size_t *count, struct cs_err *err)
{
    for (const char *at = text, *end = text + len; at <= end;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        size_t word = (size_t)((comma ? comma : end) - at);
        countersign_v1_Role role = cli_show_role_of(at, word);

        if (role == countersign_v1_Role_ROLE_UNSPECIFIED)
            return cs_err_set(
                err, CS_EINVAL,
                "\"%.*s\" is no role of %s: there are requester, approver, implementer, admin and auditor",
                (int)(word < 30 ? word : 30), at, whose);
        for (pb_size_t i = 0; i < *count; i++)
            if (roles[i] == role)
                return cs_err_set(err, CS_EINVAL, "%s has the role %s twice", whose,
                                  cli_show_role_word(role));
        roles[(*count)++] = role;
        at += word + 1;
    }
    return CS_OK;
}

/* The key in the file; without one, what the draft or the home has. */
static int find_keys(const countersign_v1_TrustPolicy *draft, const char *file, const struct cli_home *home,
                     countersign_v1_Operator *who, struct cs_err *err)
{
    const countersign_v1_Operator *before = file ? NULL : cs_operators_find(draft, who->name);
    uint8_t spki[CS_SPKI_BYTES];
    char path[PATH_MAX];
    int rc = CS_OK;

    if (file && strcmp(file, "-") == 0)
        return CS_OK;
    if (before) {
        memcpy(who->keys, before->keys, sizeof who->keys);
        who->keys_count = before->keys_count;
        return CS_OK;
    }
    if (!file)
        rc = cli_home_operator_public(home, who->name, path, err);
    if (rc == CS_OK)
        rc = cli_public_key_read(file ? file : path, spki, err);
    if (rc == CS_ENOTFOUND)
        return cs_err_set(
            err, rc,
            "there is no public key of %s: `countersign operator keygen %s` makes it, or say where it is "
            "with %s=ROLE:FILE",
            who->name, who->name, who->name);
    if (rc != CS_OK)
        return rc;
    who->keys_count = 1;
    who->keys[0].kind = countersign_v1_KeyKind_KEY_KIND_FILE;
    CS_PB_SET(&who->keys[0].spki, CS_SLICE_ARRAY(spki));
    return CS_OK;
}

int cli_compose_operator(countersign_v1_TrustPolicy *draft, const char *text, const struct cli_home *home,
                         struct cs_err *err)
{
    const char *equals = strchr(text, '=');
    const char *colon = equals ? strchr(equals, ':') : NULL;
    cs_auto_free countersign_v1_Operator *who = calloc(1, sizeof *who);
    countersign_v1_Operator *place;
    size_t roles_len;
    int rc;

    if (!who)
        return cs_err_nomem(err);
    if (!equals || (size_t)(equals - text) >= sizeof who->name)
        return cs_err_set(err, CS_EINVAL, "\"%.60s\" is not of the form NAME=ROLE[,ROLE][:FILE]", text);
    memcpy(who->name, text, (size_t)(equals - text));
    rc = cs_name_check(cs_slice_str(who->name), "the operator's name", err);
    roles_len = colon ? (size_t)(colon - equals - 1) : strlen(equals + 1);
    if (rc == CS_OK)
        rc = cli_compose_roles(equals + 1, roles_len, who->name, who->roles, &who->roles_count, err);
    if (rc == CS_OK)
        rc = find_keys(draft, colon ? colon + 1 : NULL, home, who, err);
    if (rc != CS_OK)
        return rc;
    place = find_operator(draft, who->name);
    if (!place && draft->operators_count == CS_LIMIT_OPERATORS)
        return cs_err_set(err, CS_EFULL, "a policy has at most %d operators", CS_LIMIT_OPERATORS);
    if (!place)
        place = &draft->operators[draft->operators_count++];
    *place = *who;
    return CS_OK;
}

static int find_known(countersign_v1_TrustPolicy *draft, const char *name, countersign_v1_Operator **ret,
                      struct cs_err *err)
{
    *ret = find_operator(draft, name);
    return *ret ? CS_OK
                : cs_err_set(err, CS_ENOTFOUND,
                             "the trust policy has no operator %.63s: `countersign trust add-operator` first",
                             name);
}

int cli_compose_add_key(countersign_v1_TrustPolicy *draft, const char *name, struct cs_slice spki,
                        countersign_v1_KeyKind kind, struct cs_err *err)
{
    countersign_v1_Operator *who;
    int rc = find_known(draft, name, &who, err);

    if (rc != CS_OK)
        return rc;
    for (pb_size_t i = 0; i < who->keys_count; i++)
        if (cs_slice_eq(CS_PB_BYTES(&who->keys[i].spki), spki))
            return cs_err_set(err, CS_EEXISTS, "%s has this key already", who->name);
    if (who->keys_count == CS_ARRAY_LEN(who->keys))
        return cs_err_set(err, CS_EFULL,
                          "%s has %zu keys, and more are not possible: `countersign trust remove-key` first",
                          who->name, CS_ARRAY_LEN(who->keys));
    who->keys[who->keys_count] = (countersign_v1_OperatorKey){.kind = kind};
    CS_PB_SET(&who->keys[who->keys_count].spki, spki);
    who->keys_count++;
    return CS_OK;
}

int cli_compose_remove_key(countersign_v1_TrustPolicy *draft, const char *name, const char *id_prefix,
                           struct cs_err *err)
{
    enum { DIGITS_LEAST = 8 };
    size_t len = strlen(id_prefix), found = 0, count = 0;
    countersign_v1_Operator *who;
    int rc = find_known(draft, name, &who, err);

    if (rc != CS_OK)
        return rc;
    if (len < DIGITS_LEAST)
        return cs_err_set(err, CS_EINVAL, "a key is named by the first %d hex digits of its id or more",
                          DIGITS_LEAST);
    for (pb_size_t i = 0; i < who->keys_count; i++) {
        struct cs_digest id = cs_key_id(CS_PB_BYTES(&who->keys[i].spki));
        char hex[2 * CS_SHA256_BYTES + 1];

        if (strncmp(cs_hex(cs_digest_slice(&id), hex), id_prefix, len) == 0) {
            found = i;
            count++;
        }
    }
    if (count != 1)
        return cs_err_set(err, CS_ENOTFOUND,
                          "%s has %s key whose id begins with %.64s: `countersign trust show` lists them",
                          who->name, count ? "more than one" : "no", id_prefix);
    memmove(&who->keys[found], &who->keys[found + 1], (who->keys_count - found - 1) * sizeof who->keys[0]);
    who->keys_count--;
    return CS_OK;
}

int cli_compose_remove_operator(countersign_v1_TrustPolicy *draft, const char *name, struct cs_err *err)
{
    countersign_v1_Operator *place = find_operator(draft, name);
    size_t behind;

    if (!place)
        return cs_err_set(err, CS_ENOTFOUND, "the trust policy has no operator %.63s", name);
    behind = (size_t)(&draft->operators[draft->operators_count] - place) - 1;
    memmove(place, place + 1, behind * sizeof *place);
    for (pb_size_t i = 0; i < draft->groups_count; i++)
        cli_compose_leave_group(&draft->groups[i], name);
    draft->operators_count--;
    return CS_OK;
}
