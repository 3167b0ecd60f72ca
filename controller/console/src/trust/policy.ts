// Who may decide what: the trust policy, verified, and the questions that everybody asks of it. A Policy exists only verified: it
// was signed by enough roots, and follows from what is pinned (proto/README.md, "The trust policy").
import { signal } from '@preact/signals';
import {
  KeyKind, type Operator, type OperatorGroup, Role, type RootSet, RootSetSchema, type Rule, type Stage, type TrustPolicy, TrustPolicySchema,
} from '../gen/countersign/v1/statement_pb';
import { type Bytes, equal, hex, sha256, utf8 } from './bytes';
import { isSignedBy, peek, type Verified, verify } from './envelope';
import { Refusal, within } from './refusal';
import { Check, DECISIONS_MOST, decodeStrict, DIGEST_BYTES, encode, ID_BYTES, type Kind } from './statements';
import type { Leaf } from './x509';

export interface Policy {
  body: TrustPolicy;
  digest: Bytes;       // of the payload
  wire: Uint8Array;
}

// The newest that this page knows; undefined before it is signed in.
export const policy = signal<Policy | undefined>(undefined);

export interface Pin {
  deploymentId: Uint8Array;
  rootsDigest: Uint8Array;
  leastVersion: number;
}

// ---- what makes sense of itself

function checkOperators(check: Check, body: TrustPolicy): void {
  const owners = new Set<string>();
  for (const who of body.operators) {
    check.name('operators.name', who.name);
    for (const { spki, kind } of who.keys) {
      check.spki('operators.keys.spki', spki);
      check.oneOf('operators.keys.kind', kind, KeyKind.PKCS11);
      check.that(!owners.has(hex(spki)), `a key of ${who.name} is there twice: each key has one owner`);
      owners.add(hex(spki));
    }
    for (const role of who.roles) check.oneOf('operators.roles', role, Role.AUDITOR);
    check.that(new Set(who.roles).size === who.roles.length, `${who.name} has one role twice`);
  }
  check.that(new Set(body.operators.map(({ name }) => name)).size === body.operators.length, 'two operators have one name');
  for (const spki of body.messageKeys) {
    check.spki('message_keys', spki);
    check.that(!owners.has(hex(spki)) && !body.roots!.keys.some((key) => equal(key, spki)),
      "a message key of the controller is a root's or an operator's, too");
  }
}

function checkGroups(check: Check, body: TrustPolicy): void {
  for (const group of body.groups) {
    check.name('groups.name', group.name);
    for (const role of group.roles) check.oneOf('groups.roles', role, Role.AUDITOR);
    check.that(new Set(group.roles).size === group.roles.length, `group ${group.name} has one role twice`);
    check.that(group.members.length > 0, `group ${group.name} has no members`);
    check.that(new Set(group.members).size === group.members.length, `group ${group.name} has somebody twice`);
    for (const name of group.members) check.that(!!operatorOf(body, name), `group ${group.name} has ${name}, who is no operator`);
  }
  check.that(new Set(body.groups.map(({ name }) => name)).size === body.groups.length, 'two groups have one name');
}

function checkRule(check: Check, body: TrustPolicy, rule: Rule): void {
  let people = 0;
  check.name('rules.name', rule.name);
  for (const name of rule.devices) check.name('rules.devices', name);
  for (const name of rule.connectors) check.name('rules.connectors', name);
  for (const issuer of rule.issuers) check.filled('rules.issuers', issuer);
  for (const pattern of rule.names) {
    const fixed = pattern.startsWith('*.') ? pattern.slice(2) : pattern;
    check.filled('rules.names', pattern);
    check.that(fixed !== '' && !fixed.includes('*'), "rules.names may have a '*' as its whole first label only");
  }
  check.that(rule.stages.length <= 4, `rule ${rule.name} has more than 4 stages`);
  for (const stage of rule.stages) {
    check.name('rules.stages.name', stage.name);
    check.oneOf('rules.stages.role', stage.role, Role.AUDITOR);
    check.that(stage.required >= 1 && stage.required <= DECISIONS_MOST, 'rules.stages.required must be 1 to 16');
    people += stage.required;
    for (const entry of stage.operators)
      check.that(entry.startsWith('@') ? !!groupOf(body, entry.slice(1)) : !!operatorOf(body, entry), `rule ${rule.name} names ${entry}, who is not there`);
  }
  check.that(new Set(rule.stages.map(({ name }) => name)).size === rule.stages.length, `rule ${rule.name} has two stages of one name`);
  check.that(people <= DECISIONS_MOST, `rule ${rule.name} wants ${people} people and may want ${DECISIONS_MOST}`);
}

// That every rule can be satisfied is not looked at: the controller takes no other policy, and a device refuses it.
function decodePolicy(payload: Uint8Array): TrustPolicy {
  const body = decodeStrict(TrustPolicySchema, payload, 'the trust policy');
  const check = new Check('the trust policy');
  const roots = body.roots;
  check.size('deployment_id', body.deploymentId, ID_BYTES);
  check.positive('version', body.version);
  check.size('previous_digest', body.previousDigest, body.version === 1 ? 0 : DIGEST_BYTES);
  check.time('issued_at_s', body.issuedAtS);
  check.time('expires_at_s', body.expiresAtS);
  check.that(body.expiresAtS > body.issuedAtS, 'it expires before it is issued');
  check.that(!!roots, 'roots is missing');
  for (const key of roots!.keys) check.spki('roots.keys', key);
  check.that(roots!.threshold >= 1 && roots!.threshold <= roots!.keys.length, 'the threshold of its roots is not from 1 to their number');
  check.that(new Set(roots!.keys.map(hex)).size === roots!.keys.length, 'a root key comes twice');
  checkOperators(check, body);
  checkGroups(check, body);
  check.that(body.rules.length > 0, 'it has no rule');
  for (const rule of body.rules) checkRule(check, body, rule);
  check.that(new Set(body.rules.map(({ name }) => name)).size === body.rules.length, 'two rules have one name');
  for (const name of body.clocklessDevices) check.name('clockless_devices', name);
  return body;
}

// ---- verifying

export const rootsDigest = (roots: RootSet): Promise<Bytes> => sha256(encode(RootSetSchema, roots));

async function checkSignedBy(wire: Uint8Array, roots: RootSet, whose: string): Promise<void> {
  const { signers } = await within(`the trust policy, by ${whose} roots`, () => verify(wire, 'trust-policy', roots.keys));
  if (signers.length < roots.threshold)
    throw new Refusal(`the trust policy is signed by ${signers.length} of ${whose} roots, and needs ${roots.threshold}`);
}

// The roots that check the signature stand in the payload itself, so for once it is parsed first. What makes them believable is
// the pinned digest, and nothing else of the payload is used before they have signed it.
async function openUnverified(wire: Uint8Array): Promise<Policy> {
  const payload = peek(wire, 'trust-policy');
  return { body: decodePolicy(payload), digest: await sha256(payload), wire };
}

// The first policy that a pin accepts.
export async function openPinned(wire: Uint8Array, pin: Pin): Promise<Policy> {
  const opened = await openUnverified(wire);
  if (!equal(await rootsDigest(opened.body.roots!), pin.rootsDigest))
    throw new Refusal('the trust policy has other roots than those that are pinned here');
  await checkSignedBy(wire, opened.body.roots!, 'its own');
  if (!equal(opened.body.deploymentId, pin.deploymentId)) throw new Refusal('the trust policy belongs to another deployment');
  if (opened.body.version < pin.leastVersion)
    throw new Refusal(`the trust policy is version ${opened.body.version}; at least ${pin.leastVersion} is due`);
  return opened;
}

// One whose roots nobody has pinned here yet: signed by the roots that it names itself.
export async function openFirst(wire: Uint8Array, deploymentId: Uint8Array): Promise<Policy> {
  const { body } = await openUnverified(wire);
  return openPinned(wire, { deploymentId, rootsDigest: await rootsDigest(body.roots!), leastVersion: 1 });
}

// The one after `current`.
export async function openNext(wire: Uint8Array, current: Policy): Promise<Policy> {
  await checkSignedBy(wire, current.body.roots!, 'the current');
  const next = await openUnverified(wire);
  const { body } = next, before = current.body;
  await checkSignedBy(wire, body.roots!, 'its own');
  if (!equal(body.deploymentId, before.deploymentId)) throw new Refusal('the trust policy belongs to another deployment');
  if (body.version !== before.version + 1)
    throw new Refusal(`the trust policy is version ${body.version}, and ${before.version + 1} is due`);
  if (!equal(body.previousDigest, current.digest))
    throw new Refusal(`the trust policy, version ${body.version}, follows from another version ${before.version} than ours`);
  if (body.issuedAtS < before.issuedAtS)
    throw new Refusal(`the trust policy, version ${body.version}, is issued earlier than the one before it`);
  return next;
}

// ---- people

export const operatorOf = (body: TrustPolicy, name: string): Operator | undefined => body.operators.find((who) => who.name === name);
const groupOf = (body: TrustPolicy, name: string): OperatorGroup | undefined => body.groups.find((group) => group.name === name);

// The role is the operator's own, or that of a group that the operator is in.
export const hasRole = (body: TrustPolicy, who: Operator, role: Role): boolean => who.roles.includes(role) ||
  body.groups.some((group) => group.roles.includes(role) && group.members.includes(who.name));

// Among the people whom the stage names, "@NAME" for those of a group; one that names nobody is for all.
export const isNamed = (body: TrustPolicy, stage: Stage, name: string): boolean => stage.operators.length === 0 ||
  stage.operators.some((entry) => entry.startsWith('@') ? groupOf(body, entry.slice(1))?.members.includes(name) : entry === name);

export const stageAdmits = (body: TrustPolicy, stage: Stage, who: Operator): boolean =>
  isNamed(body, stage, who.name) && hasRole(body, who, stage.role);

const operatorKeys = (body: TrustPolicy): Uint8Array[] => body.operators.flatMap((who) => who.keys.map(({ spki }) => spki));

// Signed by anybody's key whom the policy knows. Who it was, and whether that one may, checkSigner() tells.
export const verifyByPolicy = ({ body }: Policy, wire: Uint8Array, kind: Kind): Promise<Verified> => verify(wire, kind, operatorKeys(body));

// The statement was signed by a key of the operator `name`, who has the role (none: any). Gives the kind of key: of several, one
// that is not of kind browser.
export function checkSigner({ body }: Policy, statement: Verified, name: string, role?: Role): KeyKind {
  const who = operatorOf(body, name);
  if (!who) throw new Refusal(`${name} is no operator in trust policy version ${body.version}`);
  const kinds = who.keys.filter(({ spki }) => isSignedBy(statement, spki)).map(({ kind }) => kind);
  if (kinds.length === 0) throw new Refusal(`the statement is not signed by a key of ${name}`);
  if (role !== undefined && !hasRole(body, who, role)) throw new Refusal(`${name} does not have the role that this takes`);
  return kinds.find((kind) => kind !== KeyKind.BROWSER) ?? kinds[0]!;
}

// ---- rules

const LONGEST_WHOLE_NAME_BYTES = 120; // a longer one may have been cut, so it is not known and matches nothing

const fold = (text: string): string => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
const isWhole = (name: string): boolean => utf8(name).length <= LONGEST_WHOLE_NAME_BYTES;

// DNS names have no case; "*.example" stands for one label before ".example".
function nameMatches(pattern: string, name: string): boolean {
  if (name === '' || !isWhole(name)) return false;
  if (!pattern.startsWith('*.')) return fold(pattern) === fold(name);
  const dot = name.indexOf('.');
  return dot > 0 && fold(pattern.slice(1)) === fold(name.slice(dot));
}

function ruleMatches(rule: Rule, device: string, connector: string, leaf: Leaf | undefined): boolean {
  const names = leaf ? [leaf.commonName, ...leaf.dnsNames] : [];
  return (rule.devices.length === 0 || rule.devices.includes(device)) &&
    (rule.connectors.length === 0 || rule.connectors.includes(connector)) &&
    (rule.issuers.length === 0 || (!!leaf && isWhole(leaf.issuerCommonName) && rule.issuers.includes(leaf.issuerCommonName))) &&
    (rule.names.length === 0 || rule.names.some((pattern) => names.some((name) => nameMatches(pattern, name))));
}

const peopleOf = (rule: Rule): number => rule.stages.reduce((people, stage) => people + stage.required, 0);

const isStricter = (rule: Rule, than: Rule): boolean =>
  peopleOf(rule) !== peopleOf(than) ? peopleOf(rule) > peopleOf(than) : rule.stages.length > than.stages.length;

// The rule for a push: the first that matches; where none matches, the strictest. Without a leaf (a removal) rules with
// conditions on it do not match.
export function ruleFor(body: TrustPolicy, device: string, connector: string, leaf: Leaf | undefined): Rule {
  return body.rules.find((rule) => ruleMatches(rule, device, connector, leaf)) ??
    body.rules.reduce((strictest, rule) => isStricter(rule, strictest) ? rule : strictest);
}
