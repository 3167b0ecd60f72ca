/* The part of compose.h that is about rules and their stages. */
#include "controller/cli/compose.h"
#include "controller/cli/show.h"

#include "shared/base/text.h"

#include <stdio.h>
#include <stdlib.h>

int cli_compose_find_rule(countersign_v1_TrustPolicy *draft, const char *name, countersign_v1_Rule **ret,
                          struct cs_err *err)
{
    for (pb_size_t i = 0; i < draft->rules_count; i++) {
        if (strcmp(draft->rules[i].name, name) == 0) {
            *ret = &draft->rules[i];
            return CS_OK;
        }
    }
    return cs_err_set(err, CS_ENOTFOUND,
                      "the draft has no rule %.63s: `countersign trust show FILE` lists them", name);
}

static bool matches_everything(const countersign_v1_Rule *rule)
{
    return rule->devices_count + rule->connectors_count + rule->issuers_count + rule->names_count == 0;
}

static size_t strict_position(const countersign_v1_TrustPolicy *draft, const countersign_v1_Rule *rule)
{
    size_t at = 0;

    while (at < draft->rules_count && !matches_everything(&draft->rules[at]) &&
           cs_rule_people(&draft->rules[at]) >= cs_rule_people(rule))
        at++;
    return at;
}

/* Room for one element at an index below or at `count`. */
static void open_gap(void *elements, size_t size, size_t count, size_t at)
{
    uint8_t *place = (uint8_t *)elements + at * size;

    memmove(place + size, place, (count - at) * size);
}

static void close_gap(void *elements, size_t size, size_t count, size_t at)
{
    uint8_t *place = (uint8_t *)elements + at * size;

    memmove(place, place + size, (count - at - 1) * size);
}

int cli_compose_add_rule(countersign_v1_TrustPolicy *draft, const countersign_v1_Rule *rule,
                         uint64_t position, struct cs_err *err)
{
    size_t at = position ? (size_t)position - 1 : strict_position(draft, rule);

    for (pb_size_t i = 0; i < draft->rules_count; i++)
        if (strcmp(draft->rules[i].name, rule->name) == 0)
            return cs_err_set(err, CS_EEXISTS,
                              "the draft has a rule %s already: `countersign trust remove-rule %s` first",
                              rule->name, rule->name);
    if (draft->rules_count == CS_LIMIT_RULES)
        return cs_err_set(err, CS_EFULL, "a policy has at most %d rules", CS_LIMIT_RULES);
    if (at > draft->rules_count)
        return cs_err_set(err, CS_EINVAL, "the draft has %u rules: the position of one more is 1 to %u",
                          (unsigned)draft->rules_count, (unsigned)draft->rules_count + 1);
    open_gap(draft->rules, sizeof *rule, draft->rules_count, at);
    draft->rules[at] = *rule;
    draft->rules_count++;
    return CS_OK;
}

int cli_compose_remove_rule(countersign_v1_TrustPolicy *draft, const char *name, struct cs_err *err)
{
    countersign_v1_Rule *rule;
    int rc = cli_compose_find_rule(draft, name, &rule, err);

    if (rc != CS_OK)
        return rc;
    close_gap(draft->rules, sizeof *rule, draft->rules_count, (size_t)(rule - draft->rules));
    draft->rules_count--;
    return CS_OK;
}

int cli_compose_role(const char *text, countersign_v1_Role *ret, struct cs_err *err)
{
    countersign_v1_Role role = cli_show_role_of(text, strlen(text));

    if (role == countersign_v1_Role_ROLE_UNSPECIFIED)
        return cs_err_set(
            err, CS_EINVAL,
            "\"%.30s\" is no role: there are requester, approver, implementer, admin and auditor", text);
    *ret = role;
    return CS_OK;
}

int cli_compose_count(const char *text, uint32_t *ret, struct cs_err *err)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);

    if (!*text || *end || number < 1 || number > CS_LIMIT_DECISIONS)
        return cs_err_set(err, CS_EINVAL, "a stage wants 1 to %d people, not \"%.20s\"", CS_LIMIT_DECISIONS,
                          text);
    *ret = (uint32_t)number;
    return CS_OK;
}

int cli_compose_stage_person(countersign_v1_Stage *stage, const char *name, struct cs_err *err)
{
    int rc = name[0] == '@' ? cs_name_check(cs_slice_str(name + 1), "the name of a group of the stage", err)
                            : cs_name_check(cs_slice_str(name), "the name of a person of the stage", err);

    if (rc != CS_OK)
        return rc;
    if (stage->operators_count == CS_ARRAY_LEN(stage->operators))
        return cs_err_set(err, CS_EFULL,
                          "a stage names at most %zu people; a role of their own can have more",
                          CS_ARRAY_LEN(stage->operators));
    snprintf(stage->operators[stage->operators_count++], sizeof stage->operators[0], "%s", name);
    return CS_OK;
}

/* Cuts `text` at the next separator: the part in *ret, the rest is returned, NULL behind the last. */
static const char *next_part(const char *text, char separator, char *ret, size_t room)
{
    const char *end = strchr(text, separator);
    size_t len = end ? (size_t)(end - text) : strlen(text);

    /* What is cut off makes a wrong name or role of it, never a right one. */
    snprintf(ret, room, "%.*s", (int)(len < room ? len : room), text);
    return end ? end + 1 : NULL;
}

static int stage_people(countersign_v1_Stage *stage, const char *text, struct cs_err *err)
{
    char part[CS_LIMIT_NAME_BYTES + 3];
    int rc = CS_OK;

    for (const char *rest = text; rest && rc == CS_OK;) {
        rest = next_part(rest, ',', part, sizeof part);
        rc = cli_compose_stage_person(stage, part, err);
    }
    return rc;
}

int cli_compose_stage(const char *text, countersign_v1_Stage *ret, struct cs_err *err)
{
    cs_auto_free countersign_v1_Stage *stage = calloc(1, sizeof *stage);
    char part[CS_LIMIT_NAME_BYTES + 2];
    const char *rest;
    int rc;

    if (!stage)
        return cs_err_nomem(err);
    if (!strchr(text, '='))
        return cs_err_set(err, CS_EINVAL, "\"%.60s\" is not of the form NAME=ROLE[:COUNT][:PERSON,PERSON]",
                          text);
    stage->required = 1;
    rest = next_part(text, '=', part, sizeof part);
    rc = cs_name_check(cs_slice_str(part), "the stage's name", err);
    if (rc != CS_OK)
        return rc;
    snprintf(stage->name, sizeof stage->name, "%.63s", part);
    rest = next_part(rest, ':', part, sizeof part);
    rc = cli_compose_role(part, &stage->role, err);
    /* What is a number is the count, and nobody's name. */
    if (rc == CS_OK && rest && rest[0] != ':' && strspn(rest, "0123456789") == strcspn(rest, ":")) {
        rest = next_part(rest, ':', part, sizeof part);
        rc = cli_compose_count(part, &stage->required, err);
    }
    if (rc == CS_OK && rest)
        rc = stage_people(stage, rest, err);
    if (rc == CS_OK)
        *ret = *stage;
    return rc;
}

countersign_v1_Stage *cli_compose_find_stage(countersign_v1_Rule *rule, const char *name)
{
    char *end;
    unsigned long number = strtoul(name, &end, 10);

    for (pb_size_t i = 0; i < rule->stages_count; i++)
        if (strcmp(rule->stages[i].name, name) == 0)
            return &rule->stages[i];
    return *name && !*end && number >= 1 && number <= rule->stages_count ? &rule->stages[number - 1] : NULL;
}

int cli_compose_add_stage(countersign_v1_Rule *rule, const countersign_v1_Stage *stage, uint64_t position,
                          struct cs_err *err)
{
    size_t at = position ? (size_t)position - 1 : rule->stages_count;

    if (rule->stages_count == CS_LIMIT_STAGES)
        return cs_err_set(err, CS_EFULL, "a rule has at most %d stages", CS_LIMIT_STAGES);
    if (at > rule->stages_count)
        return cs_err_set(err, CS_EINVAL, "rule %s has %u stages: the position of one more is 1 to %u",
                          rule->name, (unsigned)rule->stages_count, (unsigned)rule->stages_count + 1);
    open_gap(rule->stages, sizeof *stage, rule->stages_count, at);
    rule->stages[at] = *stage;
    rule->stages_count++;
    return CS_OK;
}

int cli_compose_remove_stage(countersign_v1_Rule *rule, const char *name, struct cs_err *err)
{
    countersign_v1_Stage *stage = cli_compose_find_stage(rule, name);

    if (!stage)
        return cs_err_set(err, CS_ENOTFOUND, "rule %s has no stage %.63s", rule->name, name);
    close_gap(rule->stages, sizeof *stage, rule->stages_count, (size_t)(stage - rule->stages));
    rule->stages_count--;
    return CS_OK;
}
