#include "tests/support/inventory.h"

#include "shared/base/text.h"

#include <stdio.h>

enum { DAY_S = 86400 };

uint64_t inventory_mix(uint64_t number)
{
    number += 0x9e3779b97f4a7c15u;
    number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9u;
    number = (number ^ number >> 27) * 0x94d049bb133111ebu;
    return number ^ number >> 31;
}

static void make_names(uint64_t number, uint64_t dice, ctl_certificate_row *row)
{
    static const char *const services[] = {"mail", "shop", "vpn", "ldap", "proxy", "Metrics", "pay", "db"};
    static const char *const places[] = {"berlin", "paris", "rome", "oslo", "Prague"};
    const char *service = services[dice % CS_ARRAY_LEN(services)],
               *place = places[dice / 8 % CS_ARRAY_LEN(places)];
    unsigned n = (unsigned)number;

    switch (number % 10) {
    case 0:
    case 1:
        snprintf(row->common_name, sizeof row->common_name, "router%06u", n);
        snprintf(row->names[row->names_count++], sizeof row->names[0], "dns:router%06u.%s.example", n, place);
        break;
    case 2:
        snprintf(row->common_name, sizeof row->common_name, "%s.%s.example", service, place);
        snprintf(row->names[row->names_count++], sizeof row->names[0], "dns:%s.%s.example", service, place);
        snprintf(row->names[row->names_count++], sizeof row->names[0], "dns:%s-%u.example", service, n % 97);
        break;
    case 3:
        snprintf(row->common_name, sizeof row->common_name, "M\xc3\xbcller %s %u", service, n % 1000);
        snprintf(row->names[row->names_count++], sizeof row->names[0], "email:m%u@%s.example", n, place);
        break;
    default:
        snprintf(row->common_name, sizeof row->common_name, "gw-%06u.%s.fleet.example", n, place);
        snprintf(row->names[row->names_count++], sizeof row->names[0], "dns:gw-%06u.%s.fleet.example", n,
                 place);
        break;
    }
}

static void make_groups(uint64_t dice, ctl_certificate_row *row)
{
    if (dice % 10 < 3)
        snprintf(row->groups[row->groups_count++], sizeof row->groups[0], "prod");
    if (dice / 10 % 100 == 0)
        snprintf(row->groups[row->groups_count++], sizeof row->groups[0], "lab");
    if (dice / 1000 % 2 == 0)
        snprintf(row->groups[row->groups_count++], sizeof row->groups[0], "site-%u",
                 (unsigned)(dice / 2000 % 50));
}

static void make_state(uint64_t dice, ctl_certificate_row *row)
{
    row->attachments = dice % 4 ? (uint32_t)(dice / 4 % 3 + 1) : 0;
    row->revoked = dice / 16 % 500 == 0;
    if (row->attachments && dice / 8000 % 50 == 0)
        row->failed = 1;
    if (row->attachments && dice / 400000 % 100 == 0)
        row->changed = 1;
    row->key_mode = dice / 64 % 8 == 0   ? countersign_v1_KeyMode_KEY_MODE_NONE
                    : dice / 64 % 8 == 1 ? countersign_v1_KeyMode_KEY_MODE_ON_DEVICE
                                         : countersign_v1_KeyMode_KEY_MODE_HELD;
    row->key = dice / 512 % 10 == 0     ? countersign_v1_CertificateKey_CERTIFICATE_KEY_RSA
               : dice / 512 % 1000 == 1 ? countersign_v1_CertificateKey_CERTIFICATE_KEY_P384
                                        : countersign_v1_CertificateKey_CERTIFICATE_KEY_P256;
    row->key_bits = row->key == countersign_v1_CertificateKey_CERTIFICATE_KEY_RSA ? 2048 : 256;
}

void inventory_row(uint64_t number, uint64_t of, ctl_certificate_row *ret)
{
    uint64_t dice = inventory_mix(number), more = inventory_mix(dice);
    struct cs_digest id = cs_sha256(cs_slice(&number, sizeof number));
    struct cs_digest issuer;

    memset(ret, 0, sizeof *ret);
    CTL_BYTES_SET(ret->id, cs_digest_slice(&id));
    make_names(number, dice, ret);
    make_groups(more, ret);
    make_state(dice / 64, ret);
    /* A few issuers have most of them. */
    snprintf(ret->issuer, sizeof ret->issuer, "C=DE, O=Acme GmbH, CN=Acme Issuing CA %u",
             (unsigned)(more / 7 % 40 * (more / 11 % 40) / 40));
    issuer = cs_sha256(cs_slice_str(ret->issuer));
    CTL_BYTES_SET(ret->issuer_digest, cs_digest_slice(&issuer));
    (void)cs_hex(cs_slice(&more, sizeof more), ret->serial);
    ret->not_before_s = INVENTORY_NOW_S - (int64_t)(dice % (400 * (uint64_t)DAY_S));
    ret->not_after_s = ret->not_before_s + (int64_t)395 * DAY_S;
    ret->imported_at_s = INVENTORY_NOW_S - (int64_t)(of - number);
    ret->chain_count = 2;
    CTL_BYTES_COPY(ret->chain_digest, ret->id);
    CTL_BYTES_COPY(ret->spki_digest, ret->id);
}
