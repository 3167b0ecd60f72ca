#include "tests/support/sys_fail.h"

#include "tests/support/simfs.h"

static struct sys_failure plan;
static unsigned seen;
static const char *failed;
static size_t log_len;

void sys_fail_set(const struct sys_failure *failure)
{
    plan = failure ? *failure : (struct sys_failure){0};
    seen = 0;
    failed = NULL;
}

bool sys_fail_happened(void)
{
    return failed != NULL;
}

size_t sys_fail_log_len(void)
{
    return log_len;
}

const char *sys_fail_call(void)
{
    return failed ? failed : "none";
}

static void note(const char *call)
{
    if (failed)
        return;
    failed = call;
    log_len = simfs_log_len();
}

static bool is_due(bool writing)
{
    if (plan.nth == 0 || (plan.writing && !writing))
        return false;
    seen++;
    return seen == plan.nth || (seen > plan.nth && plan.for_good);
}

int sys_fail_next(const char *call, bool writing)
{
    if (plan.error == 0 || !is_due(writing))
        return 0;
    note(call);
    return plan.error;
}

int sys_fail_shorten(const char *call, bool writing, size_t *len)
{
    if (plan.error != 0)
        return sys_fail_next(call, writing);
    if (*len < 2 || !is_due(writing))
        return 0;
    note(call);
    *len = plan.for_good ? 1 : *len / 2;
    return 0;
}
