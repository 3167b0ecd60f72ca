// Who may decide what: policies that follow from a pin, and those that do not; rules; whose word counts for a device; and when a
// push is decided.
import { create } from '@bufbuild/protobuf';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  Action, AdmissionSchema, DeviceRenewalSchema, KeyKind, type OrderCore, OrderCoreSchema, Role, type Rule, RuleSchema, TrustPolicySchema, Verdict,
} from '../src/gen/countersign/v1/statement_pb';
import { random } from '../src/trust/bytes';
import { openAdvertisement, openDevice, openLeft } from '../src/trust/device';
import { openKnownDevice } from '../src/trust/known';
import { checkSigner, hasRole, openFirst, openNext, openPinned, operatorOf, rootsDigest, ruleFor, stageAdmits, verifyByPolicy } from '../src/trust/policy';
import { openPush, type PushOrder } from '../src/trust/push';
import { decodeCore } from '../src/trust/statements';
import type { Leaf } from '../src/trust/x509';
import { envelope, makeKey, nowS, World } from './world';

let world: World;
beforeAll(async () => { world = await World.make(); });

describe('a policy', () => {
  it('is opened from its pin, and from no other', async () => {
    const pin = { deploymentId: world.deploymentId, rootsDigest: await rootsDigest(world.policy.body.roots!), leastVersion: 1 };
    expect((await openPinned(world.policyWire, pin)).body.version).toBe(1);
    await expect(openPinned(world.policyWire, { ...pin, rootsDigest: random(32) })).rejects.toThrow(/other roots/);
    await expect(openPinned(world.policyWire, { ...pin, deploymentId: random(16) })).rejects.toThrow(/another deployment/);
    await expect(openPinned(world.policyWire, { ...pin, leastVersion: 2 })).rejects.toThrow(/at least 2/);
  });

  it('needs its roots to have signed', async () => {
    const stranger = await makeKey(), second = await makeKey();
    const by = (...keys: Awaited<ReturnType<typeof makeKey>>[]) => envelope('trust-policy', TrustPolicySchema,
      world.body({ roots: { threshold: 2, keys: [world.root.spki, second.spki] } }), ...keys);
    await expect(openFirst(await by(stranger), world.deploymentId)).rejects.toThrow(/by its own roots: no key/);
    await expect(openFirst(await by(world.root), world.deploymentId)).rejects.toThrow(/1 of its own roots, and needs 2/);
    await expect(openFirst(await by(world.root, second, stranger), world.deploymentId)).resolves.toBeDefined();
  });

  it('follows from the one before it', async () => {
    const next = (more: object, ...keys: Awaited<ReturnType<typeof makeKey>>[]) => envelope('trust-policy', TrustPolicySchema,
      world.body({ version: 2, previousDigest: world.policy.digest, ...more }), ...(keys.length ? keys : [world.root]));
    expect((await openNext(await next({}), world.policy)).body.version).toBe(2);
    await expect(openNext(await next({ version: 3 }), world.policy)).rejects.toThrow(/version 3, and 2 is due/);
    await expect(openNext(await next({ previousDigest: random(32) }), world.policy)).rejects.toThrow(/follows from another version 1/);
    await expect(openNext(await next({ deploymentId: random(16) }), world.policy)).rejects.toThrow(/another deployment/);
    await expect(openNext(await next({ issuedAtS: 1n }), world.policy)).rejects.toThrow(/issued earlier/);
    const fresh = await makeKey(), roots = { threshold: 1, keys: [fresh.spki] };
    await expect(openNext(await next({ roots }, fresh), world.policy)).rejects.toThrow(/the current roots/);
    await expect(openNext(await next({ roots }), world.policy)).rejects.toThrow(/its own roots/);
    await expect(openNext(await next({ roots }, world.root, fresh), world.policy)).resolves.toBeDefined();
  });

  describe('that contradicts itself is refused:', () => {
    const cases: [string, (world: World) => object, RegExp][] = [
      ['two operators of one name', (w) => ({ operators: [w.body({}).operators![0]!, w.body({}).operators![0]!] }), /there twice|one name/],
      ['a key in two hands', (w) => ({ operators: [...w.body({}).operators!, { name: 'eve', roles: [Role.AUDITOR], keys: [{ spki: w.people.ada!.spki, kind: KeyKind.FILE }] }] }), /each key has one owner/],
      ["a message key that is a person's", (w) => ({ messageKeys: [w.people.bob!.spki] }), /message key/],
      ['no rule', () => ({ rules: [] }), /no rule/],
      ['a stage of nobody', () => ({ rules: [{ name: 'r', stages: [{ name: 's', role: Role.APPROVER, required: 1, operators: ['nobody'] }] }] }), /names nobody/],
      ['a stage of no people', () => ({ rules: [{ name: 'r', stages: [{ name: 's', role: Role.APPROVER, required: 0 }] }] }), /1 to 16/],
      ['a group of strangers', () => ({ groups: [{ name: 'g', members: ['nobody'] }] }), /no operator/],
      ['a threshold of none', (w) => ({ roots: { threshold: 0, keys: [w.root.spki] } }), /threshold/],
      ['a star in the middle', () => ({ rules: [{ name: 'r', names: ['a.*.example'] }] }), /first label/],
      ['an end before the beginning', () => ({ expiresAtS: 1n }), /expires before/],
    ];
    for (const [what, more, says] of cases)
      it(what, async () => {
        const wire = await envelope('trust-policy', TrustPolicySchema, world.body(more(world)), world.root);
        await expect(openFirst(wire, world.deploymentId)).rejects.toThrow(says);
      });
  });

  it('knows roles by groups, and who may decide a stage', async () => {
    const body = await world.publish({ groups: [{ name: 'ops', roles: [Role.AUDITOR], members: ['bob'] }] });
    const bob = operatorOf(body, 'bob')!, carol = operatorOf(body, 'carol')!;
    expect(hasRole(body, bob, Role.AUDITOR)).toBe(true);
    expect(hasRole(body, carol, Role.AUDITOR)).toBe(false);
    const [rule] = [create(RuleSchema, { name: 'r', stages: [{ name: 's', role: Role.APPROVER, required: 1, operators: ['@ops', 'carol'] }] })];
    expect(stageAdmits(body, rule!.stages[0]!, bob)).toBe(true);
    expect(stageAdmits(body, rule!.stages[0]!, carol)).toBe(false);
    await world.publish({});
  });

  it('of several keys of one person counts the one that is not a browser', async () => {
    const second = await makeKey();
    await world.publish({ operators: [{ name: 'ada', roles: [Role.ADMIN, Role.REQUESTER], keys: [{ spki: second.spki, kind: KeyKind.BROWSER }, { spki: world.people.ada!.spki, kind: KeyKind.FILE }] },
      ...world.body({}).operators!.slice(1)] });
    const wire = await envelope('admission', AdmissionSchema, { admin: 'ada' }, second, world.people.ada!);
    expect(checkSigner(world.policy, await verifyByPolicy(world.policy, wire, 'admission'), 'ada')).toBe(KeyKind.FILE);
    const alone = await envelope('admission', AdmissionSchema, { admin: 'ada' }, second);
    expect(checkSigner(world.policy, await verifyByPolicy(world.policy, alone, 'admission'), 'ada')).toBe(KeyKind.BROWSER);
    await world.publish({});
  });
});

describe('the rule for a push', () => {
  const stage = (required: number) => ({ name: `s${required}`, role: Role.APPROVER, required });
  const leaf = (more: Partial<Leaf> = {}) => ({ commonName: 'a.example', dnsNames: [], issuerCommonName: 'Test ca', ...more }) as unknown as Leaf;
  const of = (rules: object[], ...where: [string, string, Leaf | undefined]): string =>
    ruleFor(create(TrustPolicySchema, { rules: rules.map((rule) => create(RuleSchema, rule as Rule)) }), ...where).name;

  it('is the first that matches, and where none does the strictest', () => {
    const rules = [{ name: 'device', devices: ['gw-1'], stages: [stage(1)] }, { name: 'connector', connectors: ['nginx'] }, { name: 'strict', devices: ['x'], stages: [stage(3)] },
      { name: 'as strict', devices: ['x'], stages: [stage(2), { ...stage(1), name: 'b' }] }];
    expect(of(rules, 'gw-1', 'nginx', leaf())).toBe('device');
    expect(of(rules, 'gw-2', 'nginx', leaf())).toBe('connector');
    expect(of(rules, 'gw-2', 'app', leaf())).toBe('as strict');
  });

  const names: [string, string, boolean][] = [['a.example', 'A.Example', true], ['*.example', 'a.example', true], ['*.example', 'a.b.example', false], ['*.example', '.example', false],
    ['*.example', 'example', false], ['a.example', 'b.example', false], [`${'a'.repeat(121)}`, 'a'.repeat(121), false], ['*.EXAMPLE', 'x.example', true]];
  for (const [pattern, name, matches] of names)
    it(`"${pattern.slice(0, 12)}" ${matches ? 'matches' : 'does not match'} "${name.slice(0, 12)}"`, () =>
      expect(of([{ name: 'named', names: [pattern] }, { name: 'else', stages: [stage(1)] }], 'd', 'c', leaf({ commonName: '', dnsNames: [name] }))).toBe(matches ? 'named' : 'else'));

  it('with conditions on the leaf is not for a removal', () => {
    const rules = [{ name: 'issuer', issuers: ['Test ca'] }, { name: 'else', stages: [stage(1)] }];
    expect(of(rules, 'd', 'c', leaf())).toBe('issuer');
    expect(of(rules, 'd', 'c', leaf({ issuerCommonName: 'test ca' }))).toBe('else');
    expect(of(rules, 'd', 'c', undefined)).toBe('else');
  });
});

describe('a device', () => {
  it('is who an admin admitted', async () => {
    const { reply } = world.devices.get('gw-1')!;
    expect((await openDevice(world.policy, reply, 'gw-1')).keys.length).toBe(1);
    await expect(openDevice(world.policy, reply, 'gw-2')).rejects.toThrow(/is that of gw-1/);
    await expect(openDevice(world.policy, { ...reply, admission: new Uint8Array() }, 'gw-1')).rejects.toThrow(/not admitted/);
    const byBob = await envelope('admission', AdmissionSchema, { deploymentId: world.deploymentId, policyVersion: 1, admin: 'bob', deviceName: 'gw-1', deviceId: random(16),
      identitySpki: world.people.ada!.spki, kemSpki: world.people.ada!.spki, admittedAtS: nowS() }, world.people.bob!);
    await expect(openDevice(world.policy, { ...reply, admission: byBob }, 'gw-1')).rejects.toThrow(/role/);
  });

  it('speaks with the key that it had then', async () => {
    const made = await world.addDevice('renewing', 'app'), fresh = await makeKey(), old = made.identity;
    made.reply.renewals = [await envelope('device-renewal', DeviceRenewalSchema, { deploymentId: world.deploymentId, deviceId: made.deviceId, sequence: 7n, identitySpki: fresh.spki }, old, fresh)];
    const device = await openDevice(world.policy, made.reply, 'renewing');
    await world.advertise('renewing', { sequence: 7n });
    await expect(openAdvertisement(device, made.reply.advertisement)).resolves.toBeDefined();
    await world.advertise('renewing', { sequence: 8n });
    await expect(openAdvertisement(device, made.reply.advertisement)).rejects.toThrow(/did not have then/);
    made.identity = fresh;
    await world.advertise('renewing', { sequence: 8n });
    await expect(openAdvertisement(device, made.reply.advertisement)).resolves.toBeDefined();
    await world.advertise('renewing', { sequence: 8n, deviceId: random(16) });
    await expect(openAdvertisement(device, made.reply.advertisement)).rejects.toThrow(/another device-id/);

    const alone = { ...made.reply, renewals: [await envelope('device-renewal', DeviceRenewalSchema, { deploymentId: world.deploymentId, deviceId: made.deviceId, sequence: 7n, identitySpki: fresh.spki }, old)] };
    await expect(openDevice(world.policy, alone, 'renewing')).rejects.toThrow(/fresh key/);
    world.devices.delete('renewing');
  });

  it('is not taken with an older admission than was seen', async () => {
    const made = world.devices.get('gw-2')!;
    const newer = await world.admit('gw-2', { admittedAtS: nowS() + 5n });
    await openKnownDevice(world.policy, { ...made.reply, admission: newer }, 'gw-2');
    const older = await world.admit('gw-2', { admittedAtS: nowS() - 5n });
    await expect(openKnownDevice(world.policy, { ...made.reply, admission: older }, 'gw-2')).rejects.toThrow(/do not trust this controller/);
  });

  it('reports on exactly one order', async () => {
    const made = world.devices.get('gw-1')!, device = await openDevice(world.policy, made.reply, 'gw-1');
    const [core] = world.makeCores({ action: Action.INSTALL, keyMode: 0, targets: [{ deviceName: 'gw-1', connector: 'nginx' }] as never }, world.certificates[0]!);
    const order = core as OrderCore;
    expect(await openLeft(device, order, await world.report('gw-1', order))).toEqual(order.chainDigest);
    await expect(openLeft(device, create(OrderCoreSchema, { ...order, orderId: random(16) }), await world.report('gw-1', order))).rejects.toThrow(/not about it/);
    await expect(openLeft(device, order, await world.report('gw-1', order, { outcome: 3 }))).rejects.toThrow(/completed/);
    await expect(openLeft(device, order, await world.report('gw-1', order, { generation: 99n }))).rejects.toThrow(/generation/);
    await expect(openLeft(device, order, new Uint8Array())).rejects.toThrow(/no report/);
  });
});

describe('a push', () => {
  const open = async (number: bigint) => {
    const push = await openPush(world.policy, world.submitted.get(number)!.envelope);
    const orders: PushOrder[] = world.reserved.get(number)!.cores.map((bytes, index) => {
      const core = decodeCore(bytes);
      return { index, rule: ruleFor(world.policy.body, core.deviceName, core.connector, world.certificates[0]!.chain.leaf) };
    });
    return { push, orders };
  };
  const two = [{ deviceName: 'gw-1', connector: 'nginx' }, { deviceName: 'gw-1', connector: 'app' }];

  it('is decided by different people, stage after stage', async () => {
    const number = await world.request({}, two), { push, orders } = await open(number);
    expect(push.progress(orders[0]!)).toMatchObject({ state: 'open', stage: 1, stageName: 'approve', decided: 0, required: 1 });
    expect(push.waitsFor(orders[0]!, operatorOf(world.policy.body, 'bob')!)).toBe(true);
    expect(push.waitsFor(orders[0]!, operatorOf(world.policy.body, 'carol')!)).toBe(false);
    await world.decide(number, 'bob', 1, { orders: Uint8Array.of(1) });
    await push.add(world.submitted.get(number)!.decisions[0]!.envelope, orders);
    expect(push.progress(orders[0]!).stageName).toBe('implement');
    expect(push.progress(orders[1]!).stageName).toBe('approve');
    const at = nowS() + 500n;
    await world.decide(number, 'carol', 2, { orders: Uint8Array.of(1), mode: 2, notBeforeS: at });
    await push.add(world.submitted.get(number)!.decisions[1]!.envelope, orders);
    expect(push.progress(orders[0]!)).toMatchObject({ state: 'decided', startS: at, endS: at + 3600n });
    await world.decide(number, 'dan', 1, { verdict: Verdict.REJECT, mode: 0 });
    await expect(push.add(world.submitted.get(number)!.decisions[2]!.envelope, orders)).rejects.toThrow(/stage/);
  });

  const refused: [string, (number: bigint) => Promise<Uint8Array>, RegExp, object?][] = [
    ['by somebody without the role', (number) => world.decision(number, 'carol', 1), /may not decide this stage/],
    ['on a stage that is not open', (number) => world.decision(number, 'carol', 2), /earlier stage/],
    ['on a stage that there is not', (number) => world.decision(number, 'bob', 3), /no such stage/],
    ['by the requester', (number) => world.decision(number, 'ada', 1), /requester may not decide/],
    ['on another request', (number) => world.decision(number, 'bob', 1, { requestDigest: random(32) }), /another request/],
    ['without having seen the earlier ones', (number) => world.decision(number, 'bob', 1, { earlier: [random(32)] }), /without seeing/],
    ['too late', (number) => world.decision(number, 'bob', 1, { decidedAtS: nowS() + 9999n }), /after decide_by/],
    ['too early', (number) => world.decision(number, 'bob', 1, { decidedAtS: 1n }), /before the request/],
    ['on an order beyond', (number) => world.decision(number, 'bob', 1, { orders: Uint8Array.of(8) }), /does not parse/],
    ['under a policy that is not known', (number) => world.decision(number, 'bob', 1, { policyVersion: 9 }), /newer trust policy/],
    ['of another deployment', (number) => world.decision(number, 'bob', 1, { deploymentId: random(16) }), /another deployment/],
  ];
  for (const [how, make, says] of refused)
    it(`takes no decision ${how}`, async () => {
      const number = await world.request({}, two), { push, orders } = await open(number);
      await expect(push.add(await make(number), orders)).rejects.toThrow(says);
      expect(push.decisions.length).toBe(0);
    });

  it('takes no decision in the name of another', async () => {
    const number = await world.request(), { push, orders } = await open(number);
    const key = world.people.bob!;
    world.people.bob = world.people.carol!;
    const forged = await world.decision(number, 'bob', 1);
    world.people.bob = key;
    await expect(push.add(forged, orders)).rejects.toThrow(/not signed by a key of its decider.*not signed by a key of bob/);
  });

  it('one person counts once, and a browser does not finish', async () => {
    const number = await world.request(), { push, orders } = await open(number);
    await world.decide(number, 'dan', 1);
    await push.add(world.submitted.get(number)!.decisions[0]!.envelope, orders);
    await expect(push.add(await world.decision(number, 'dan', 2), orders)).rejects.toThrow(/same person/);
    const other = await world.request(), opened = await open(other);
    await world.decide(other, 'bob', 1);
    await opened.push.add(world.submitted.get(other)!.decisions[0]!.envelope, opened.orders);
    await expect(opened.push.add(await world.decision(other, 'dan', 2), opened.orders)).rejects.toThrow(/browser key may not complete/);
    await expect(opened.push.add(await world.decision(other, 'dan', 2, { verdict: Verdict.REJECT, mode: 0 }), opened.orders)).resolves.toBeDefined();
    expect(opened.push.progress(opened.orders[0]!).state).toBe('rejected');
  });

  it('of somebody who may not request is refused', async () => {
    const number = await world.request({}, undefined, 'bob');
    await expect(open(number)).rejects.toThrow(/role/);
  });
});
