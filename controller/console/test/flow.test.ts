// From a person's wish to the bytes that are signed: what is shown is what the bytes say, and whatever the controller hands over
// that is not what was asked for is refused with a sentence, before anything is signed.
import { create } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as wire from '../../../tests/integration/js/wire.mjs';
import { isStale, sentence } from '../src/api/fault';
import { prepareDecision, type DecideWish } from '../src/flow/decide';
import { preparePush, type PushWish } from '../src/flow/push';
import { openRequest } from '../src/flow/request';
import { findWayBack, wishToRollBack } from '../src/flow/rollback';
import type { Draft } from '../src/flow/draft';
import { Action, KeyMode, Mode, type OrderCore, OrderCoreSchema, Override, Verdict } from '../src/gen/countersign/v1/statement_pb';
import { hex, random, sha256, utf8 } from '../src/trust/bytes';
import { parseEnvelope } from '../src/trust/envelope';
import { words } from '../src/trust/spoken';
import { encode } from '../src/trust/statements';
import { headlineOf } from '../src/requests/headline';
import { forgetKnown } from '../src/trust/known';
import { World } from './world';

let world: World;
const gw1 = { deviceName: 'gw-1', connector: 'nginx' }, gw2 = { deviceName: 'gw-2', connector: 'nginx' }, app = { deviceName: 'gw-1', connector: 'app' };
const wish = (more: Partial<PushWish> = {}): PushWish => ({ certificateId: world.certificates[0]!.chain.leaf.digest, targets: [gw1, gw2], comment: 'renewal', ...more });
const said = <T>(draft: Draft<T>, label: string): string | undefined => draft.fields.find((field) => field.label === label)?.value;
const noted = <T>(draft: Draft<T>, label: string): string | undefined => draft.notes.find((field) => field.label === label)?.value;

beforeEach(async () => {
  world = await World.make();
  await world.open('ada');
});
afterEach(() => vi.unstubAllGlobals());

describe('a push', () => {
  it('is shown as its bytes say, signed and sent', async () => {
    const draft = await preparePush(wish({ overrides: [Override.REVOKED, Override.EXPIRED, Override.REVOKED], windowS: 7200, decideByS: 86400, maxAttempts: 2 }));
    expect(world.signed).toEqual([]);
    const request = wire.decodeStrict('PushRequest', Buffer.from(draft.payload));
    expect(request).toMatchObject({ requester: 'ada', policy_version: 1, window_s: 7200, max_attempts: 2, overrides: [1, 2], order_count: 2 });
    expect(request.decide_by_s - request.requested_at_s).toBe(86400);
    expect(hex(request.comment_digest)).toBe(hex(await sha256(utf8('renewal'))));
    expect(draft.words).toBe(words(await sha256(draft.payload)));
    expect(said(draft, 'To be done')).toBe('install client.example at 2 app connectors');
    expect(said(draft, 'Request')).toBe(`REQ-${request.number}`);
    expect(said(draft, 'Comment')).toBe('renewal');
    expect(said(draft, 'Window from start')).toBe('2h');
    expect(said(draft, 'Root over them')).toBe(hex(request.order_root));
    expect(said(draft, 'Fingerprint (SHA-256)')).toBe(hex(world.certificates[0]!.chain.leaf.digest));
    expect(draft.orders.map(({ device, connector, action, generation, replaces, key }) => ({ device, connector, action, generation, replaces, key }))).toEqual([
      { device: 'gw-1', connector: 'nginx', action: 'install', generation: '4', replaces: 'anything', key: 'held by the controller' },
      { device: 'gw-2', connector: 'nginx', action: 'install', generation: '4', replaces: 'anything', key: 'held by the controller' }]);

    const { number } = await draft.sign();
    expect(Number(number)).toBe(request.number);
    expect(world.signed.map(({ payload }) => hex(payload))).toEqual([hex(draft.payload)]);
    const opened = wire.openEnvelope(Buffer.from(world.submitted.get(number)!.envelope), 'push-request', [Buffer.from(world.people.ada!.spki)]);
    expect(hex(opened.payload)).toBe(hex(draft.payload));
  });

  it('sent again after a lost answer is the same bytes, signed once', async () => {
    const draft = await preparePush(wish());
    world.fail.SubmitPush = new ConnectError('away', Code.Unavailable);
    await expect(draft.sign()).rejects.toThrow(/away/);
    delete world.fail.SubmitPush;
    const { number } = await draft.sign();
    expect(world.signed.length).toBe(1);
    expect(hex(parseEnvelope(world.submitted.get(number)!.envelope).payload)).toBe(hex(draft.payload));
  });

  it('goes everywhere when no target is named', async () => {
    const draft = await preparePush(wish({ targets: [] }));
    expect(draft.orders.map(({ device, connector }) => `${device}/${connector}`).sort()).toEqual(['gw-1/app', 'gw-1/nginx', 'gw-2/nginx']);
  });

  it('goes to the places that the person saw, also where all were meant and there are more by now', async () => {
    await world.addDevice('gw-3', 'nginx');
    const seen = [gw1, gw2, app];
    const draft = await preparePush(wish({ targets: seen }));
    expect(draft.orders.map(({ device }) => device)).not.toContain('gw-3');
    const many = Array.from({ length: 65 }, (_, i) => `c${i}`);
    await world.addDevice('gw-4', ...many);
    await world.addDevice('gw-5', 'late');
    const shown = [gw1, gw2, app, { deviceName: 'gw-3', connector: 'nginx' }, ...many.map((connector) => ({ deviceName: 'gw-4', connector }))];
    const refused = await preparePush(wish({ targets: shown })).catch((error: unknown) => error);
    expect(isStale(refused)).toBe(true);
    expect(sentence(refused)).toMatch(/69 app connectors were chosen.*70 now: look again/);
    const other = [...shown.slice(0, -1), { deviceName: 'gw-4', connector: 'gone' }, { deviceName: 'gw-5', connector: 'late' }];
    const swapped = await preparePush(wish({ targets: other })).catch((error: unknown) => error);
    expect(isStale(swapped)).toBe(true);
    expect(sentence(swapped)).toMatch(/was not asked for.*Look again/);
    expect(world.signed).toEqual([]);
  });

  it('with a key seals it for each device before it is sent', async () => {
    const { pkcs8 } = world.certificates[0]!;
    world.keyMode = KeyMode.NONE;
    const draft = await preparePush(wish({ pkcs8, targets: [] }));
    expect(draft.orders.every(({ key }) => key === 'sealed by the requester')).toBe(true);
    const { number } = await draft.sign();
    expect(world.calls.indexOf('PutSealedKeys')).toBeLessThan(world.calls.indexOf('SubmitPush'));
    expect(world.sealed.map((page) => [page.number, page.fromIndex, page.keys.length])).toEqual([[number, 0, 3]]);
  });

  const tamper = (change: (core: OrderCore, i: number) => OrderCore) => () => { world.tamperCores = (cores) => cores.map(change); };
  const one = (more: object) => tamper((core, i) => i === 0 ? create(OrderCoreSchema, { ...core, ...more }) : core);
  const refused: [string, () => void | Promise<unknown>, RegExp, Partial<PushWish>?][] = [
    ['a core for another device-id', one({ deviceId: new Uint8Array(16).fill(7) }), /another device-id than the one that was admitted as gw-1: nothing was signed/],
    ['a core for another place', one({ connector: 'app' }), /not asked for \(install gw-1\/app\)/],
    ['a core for another device', one({ deviceName: 'gw-2' }), /two work orders for gw-2\/nginx/],
    ['another action', one({ action: Action.REMOVE, expects: random(32), chainDigest: new Uint8Array(), leafSpkiDigest: new Uint8Array(), keyMode: KeyMode.NONE }), /not asked for \(remove/],
    ['another chain', one({ chainDigest: random(32) }), /names another chain than the certificate's/],
    ['another key', one({ leafSpkiDigest: random(32) }), /names another key/],
    ['a key in another way', one({ keyMode: KeyMode.SEALED }), /brings its private key in another way/],
    ['an expectation that nobody has', one({ expects: random(32) }), /only one certain certificate/],
    ['a generation that was seen', one({ generation: 3n }), /generation 3, but gw-1\/nginx is at 3/],
    ['a generation far ahead', one({ generation: 3000n }), /takes at most 1024 more/],
    ['one order more', () => { world.tamperCores = (cores) => [...cores, create(OrderCoreSchema, { ...cores[0]!, orderId: random(16) })]; }, /2 app connectors were asked for, the controller made 3/],
    ['one order fewer', () => { world.tamperCores = (cores) => cores.slice(1); }, /the controller made 1/],
    ['a malformed core', one({ orderId: random(8) }), /order_id has 8 bytes/],
    ['another certificate', () => { world.certificateOf = () => world.certificates[1]!; }, /gave another certificate than the one asked for/],
    ['a device that nobody admitted', () => { world.tamperDevice = (reply) => ({ ...reply, admission: new Uint8Array() }); }, /is not admitted/],
    ["another device's admission", () => { world.tamperDevice = (reply) => ({ ...reply, admission: world.devices.get('gw-2')!.reply.admission }); }, /is that of gw-2/],
    ['an admission by somebody who is no admin', () => world.admit('gw-1', {}, 'bob'), /bob does not have the role/],
    ['an advertisement by another device', () => { world.tamperDevice = (reply) => ({ ...reply, advertisement: world.devices.get('gw-2')!.reply.advertisement }); }, /about its connectors/],
    ['a connector that the device does not have', () => { delete world.devices.get('gw-1')!.generations.nginx; return world.advertise('gw-1').then(() => { world.devices.get('gw-1')!.generations.nginx = 3n; }); }, /does not say that it has an app connector nginx/],
    ['no comment', () => {}, /say why/, { comment: ' \n' }],
    ['a private key of another certificate', () => {}, /does not belong to "client.example"/, { pkcs8: new Uint8Array(100) }],
    ['a key that is nowhere', () => { world.keyMode = KeyMode.NONE; }, /has no private key/],
    ['no attempts', () => {}, /attempts/, { maxAttempts: 0 }],
  ];
  for (const [what, change, says, more] of refused)
    it(`is refused: ${what}`, async () => {
      await change();
      forgetKnown();
      await expect(preparePush(wish(more))).rejects.toThrow(says);
      expect(world.signed).toEqual([]);
      expect(world.calls).not.toContain('SubmitPush');
    });

  it('is refused to who is no requester, and to a page that has no key', async () => {
    await world.open('bob');
    await expect(preparePush(wish())).rejects.toThrow('bob is no requester');
    delete world.people.bob;
    await expect(preparePush(wish())).rejects.toThrow(/only look/);
  });

  it('whose signer signs something else is not sent', async () => {
    const draft = await preparePush(wish());
    world.tamperSigned = (payload) => { const other = Uint8Array.from(payload); other[other.length - 1]! ^= 1; return other; };
    await expect(draft.sign()).rejects.toThrow(/something else was signed/);
    world.tamperSigned = (payload) => payload;
    world.tamperSignature = (envelope) => { const other = Uint8Array.from(envelope); other[other.length - 1]! ^= 1; return other; };
    await expect(draft.sign()).rejects.toThrow(/does not hold/);
    expect(world.calls).not.toContain('SubmitPush');
  });

  it('of a name that turns text around is shown harmless', async () => {
    const { chain } = world.certificates[0]!;
    const odd = { ...chain, leaf: { ...chain.leaf, commonName: 'a\u202eb' } };
    const { certificateFields, taskFields } = await import('../src/flow/show');
    expect(certificateFields(odd)[0]!.value).toBe('a???b');
    expect(taskFields(world.makeCores({ action: Action.INSTALL, keyMode: 0, targets: [gw1] as never }, world.certificates[0]!), odd.leaf.commonName)[0]!.value)
      .toBe('install a???b at gw-1/nginx');
  });

  it('whose bytes were changed after they were shown is not signed', async () => {
    const draft = await preparePush(wish());
    draft.payload[5]! ^= 1;
    await expect(draft.sign()).rejects.toThrow(/changed since it was shown/);
    expect(world.signed).toEqual([]);
  });

  it('under a policy that has expired says that devices refuse it', async () => {
    expect(noted(await preparePush(wish()), 'Trust policy')).toBeUndefined();
    await world.publish({ expiresAtS: 1000n, issuedAtS: 1n });
    await world.open('ada');
    expect(noted(await preparePush(wish()), 'Trust policy')).toMatch(/expired/);
  });

  it('under a policy that is older than one that was seen is refused', async () => {
    const first = world.policyWire;
    await world.publish({ version: 2, previousDigest: world.policy.digest });
    await preparePush(wish());
    world.policyWire = first;
    await expect(preparePush(wish())).rejects.toThrow(/version 1, and this page has seen version 2/);
  });
});

describe('a removal and a roll back', () => {
  it('remove what is meant and nothing else', async () => {
    const draft = await preparePush(wish({ action: Action.REMOVE, targets: [gw1] }));
    expect(said(draft, 'To be done')).toBe('remove client.example from gw-1/nginx');
    expect(draft.orders[0]).toMatchObject({ key: 'none travels', replaces: hex(world.certificates[0]!.chain.digest).slice(0, 16) });
    expect(noted(draft, 'Changed by hand')).toMatch(/gw-1\/nginx: .*nothing is there/);
    world.tamperCores = (cores) => cores.map((core) => create(OrderCoreSchema, { ...core, expects: random(32) }));
    await expect(preparePush(wish({ action: Action.REMOVE, targets: [gw1] }))).rejects.toThrow(/removes another certificate/);
  });

  const complete = async (certificate: number, generation: bigint, more: object = {}): Promise<void> => {
    const made = world.certificates[certificate]!;
    const [core] = world.makeCores({ action: Action.INSTALL, keyMode: KeyMode.HELD, targets: [gw1] as never }, made);
    const order = create(OrderCoreSchema, { ...core!, generation });
    world.orders.push({ number: order.number, device: 'gw-1', connector: 'nginx', certificate: made, action: Action.INSTALL, core: encode(OrderCoreSchema, order),
      report: await world.report('gw-1', order, more) });
  };

  it('goes back to a generation that the device itself reported', async () => {
    await complete(1, 2n);
    await complete(0, 3n);
    const way = await findWayBack(world.policy, 'gw-1', 'nginx');
    expect(way).toMatchObject({ generation: 2n, expects: world.certificates[0]!.chain.digest });
    const draft = await preparePush({ ...await wishToRollBack('gw-1', 'nginx'), comment: 'as before' });
    expect(said(draft, 'To be done')).toBe('roll gw-1/nginx back to older.example, generation 2');
    expect(noted(draft, 'Roll back')).toMatch(/the device goes back to its own generation 2/);
    world.tamperCores = (cores) => cores.map((core) => create(OrderCoreSchema, { ...core, targetGeneration: 1n }));
    await expect(preparePush({ ...await wishToRollBack('gw-1', 'nginx'), comment: 'as before' })).rejects.toThrow(/another generation than the one/);
  });

  it('is an ordinary push where the device did not report it', async () => {
    await complete(1, 2n, { outcome: 3 });
    await complete(0, 3n);
    const back = await wishToRollBack('gw-1', 'nginx');
    expect(back).toMatchObject({ action: Action.INSTALL, certificateId: world.certificates[1]!.chain.leaf.digest });
    expect(back.because).toMatch(/an ordinary push of it/);
  });

  it('shows nothing that the controller says beside a statement', async () => {
    await complete(1, 2n);
    await complete(0, 3n);
    world.fail.GetDevice = new ConnectError('VERIFIED BY THE DEVICE: sign this', Code.NotFound);
    const back = await wishToRollBack('gw-1', 'nginx');
    expect(back.action).toBe(Action.INSTALL);
    expect(back.because).not.toMatch(/VERIFIED/);
    delete world.fail.GetDevice;
    const draft = await preparePush({ ...back, comment: 'back' });
    expect(draft.fields[0]!.label).toBe('To be done');
    expect(noted(draft, 'Roll back')).toMatch(/could not be had/);
  });

  it('needs something to go back to', async () => {
    await expect(wishToRollBack('gw-1', 'nginx')).rejects.toThrow(/no push to gw-1\/nginx has completed/);
    await complete(0, 3n);
    await expect(wishToRollBack('gw-1', 'nginx')).rejects.toThrow(/the only certificate/);
  });
});

describe('a decision', () => {
  const decide = (number: bigint, more: Partial<DecideWish> = {}): Promise<Draft<{ state: number }>> =>
    prepareDecision({ number, verdict: Verdict.ACCEPT, mode: Mode.MANUAL, comment: 'fine', ...more });

  it('is shown as its bytes say, signed and sent', async () => {
    const number = await world.request({}, [gw1, gw2, app]);
    await world.open('bob');
    const draft = await decide(number, { mode: Mode.SCHEDULED, notBeforeS: 1900000000 });
    const decision = wire.decodeStrict('Decision', Buffer.from(draft.payload));
    expect(decision).toMatchObject({ decider: 'bob', stage: 1, verdict: 1, mode: 2, not_before_s: 1900000000, earlier: [], policy_version: 1 });
    expect(decision.orders.length).toBe(0);
    expect(hex(decision.request_digest)).toBe(hex(await sha256(parseEnvelope(world.submitted.get(number)!.envelope).payload)));
    expect(said(draft, 'Verdict')).toBe('ACCEPT');
    expect(said(draft, 'Stage')).toBe('1, approve');
    expect(said(draft, 'Manual Implementation off: not before')).toMatch(/2030-03-17T17:46:40Z/);
    expect(said(draft, "Request's comment")).toBe('renewal');
    expect(said(draft, 'On request')).toBe(`REQ-${number}`);
    expect(draft.orders.length).toBe(3);
    await draft.sign();
    expect(world.submitted.get(number)!.decisions.length).toBe(1);

    await world.open('carol');
    const next = await decide(number, { seen: { decisions: 1, stage: 2 } });
    expect(said(next, 'Said before')).toBe('bob accepted stage 1');
    expect(said(next, 'Manual Implementation')).toBe('on: no time of its own');
    expect(wire.decodeStrict('Decision', Buffer.from(next.payload)).earlier.map(hex)).toEqual([hex(await sha256(draft.payload))]);
    await next.sign();
  });

  it('covers the orders that were chosen', async () => {
    const number = await world.request({}, [gw1, gw2, app]);
    await world.open('bob');
    const { cores } = await openRequest(number);
    const draft = await decide(number, { orders: [cores[0]!.number, cores[2]!.number] });
    expect([...wire.decodeStrict('Decision', Buffer.from(draft.payload)).orders]).toEqual([5]);
    expect(draft.orders.map(({ connector }) => connector)).toEqual(['nginx', 'app']);
    await draft.sign();
    await expect(decide(number)).rejects.toThrow(/at different stages/);
    await expect(decide(number, { orders: [9999n] })).rejects.toThrow(/not every work order/);
    await world.open('dan');
    const rest = await decide(number, { orders: [cores[1]!.number], verdict: Verdict.REJECT });
    expect(wire.decodeStrict('Decision', Buffer.from(rest.payload))).toMatchObject({ verdict: 2, mode: 0 });
    expect(said(rest, 'Verdict')).toBe('REJECT');
    await rest.sign();
    await expect(decide(number, { orders: [cores[1]!.number] })).rejects.toThrow(/was rejected already/);
  });

  it('made on what has changed is stale', async () => {
    const number = await world.request();
    await world.open('bob');
    await world.decide(number, 'dan', 1);
    const stale = await decide(number, { seen: { decisions: 0, stage: 1 } }).catch((error: unknown) => error);
    expect(isStale(stale)).toBe(true);
    expect(sentence(stale)).toBe(`REQ-${number} has changed since you looked: dan accepted stage 1. Look again.`);
  });

  it('is refused where the stage has another name than the controller gave it', async () => {
    const number = await world.request();
    await world.open('bob');
    await expect(decide(number, { seen: { decisions: 0, stage: 1, stageName: 'look-only' } })).rejects.toThrow(/open stage of REQ-\d+ is "approve", and the controller calls it "look-only"/);
    expect((await decide(number, { seen: { decisions: 0, stage: 1, stageName: 'approve' } })).title).toMatch(/stage approve/);
  });

  it('is not for who may not, and not for a browser that would finish', async () => {
    const number = await world.request();
    await world.open('carol');
    await expect(decide(number)).rejects.toThrow(/carol on stage 1: the decider may not decide this stage/);
    await world.open('ada');
    await expect(decide(number)).rejects.toThrow(/requester may not decide/);
    await world.decide(number, 'bob', 1);
    await world.open('dan');
    await expect(decide(number)).rejects.toThrow(/browser key may not complete the last stage/);
    await world.open('bob');
    await expect(decide(number)).rejects.toThrow(/may not decide this stage/);
    expect(world.signed).toEqual([]);
  });

  const refused: [string, (number: bigint) => unknown, RegExp][] = [
    ['cores that the requester did not sign', (number) => { const { cores } = world.reserved.get(number)!; cores[0] = encode(OrderCoreSchema, create(OrderCoreSchema, { ...wire2core(cores[0]!), generation: 5n })); }, /are not those that ada signed: nothing was signed/],
    ['cores in another order', (number) => world.reserved.get(number)!.cores.reverse(), /are not those that ada signed/],
    ['a decision that was left out', async (number) => { await world.decide(number, 'bob', 1, { orders: Uint8Array.of(1) }); await world.decide(number, 'dan', 1, { orders: Uint8Array.of(2) }); world.submitted.get(number)!.decisions.shift(); }, /without seeing all earlier ones/],
    ['a request that was signed as another', (number) => { world.submitted.set(number + 100n, world.submitted.get(number)!); world.reserved.set(number + 100n, world.reserved.get(number)!); }, /the controller gave what was signed as REQ-/],
    ['a device that was enrolled anew', (number) => world.addDevice('gw-1', 'nginx', 'app').then(() => number), /another device-id/],
  ];
  for (const [what, change, says] of refused)
    it(`is refused: ${what}`, async () => {
      const number = await world.request({}, [gw1, gw2]);
      await change(number);
      await world.open('bob');
      await expect(decide(what.includes('as another') ? number + 100n : number)).rejects.toThrow(says);
      expect(world.signed).toEqual([]);
    });

  it('that is scheduled names its time', async () => {
    const number = await world.request();
    await world.open('bob');
    await expect(decide(number, { mode: Mode.SCHEDULED })).rejects.toThrow(/date and time/);
  });
});

describe('a request to look at', () => {
  it('says who signed what, and what of it was verified here', async () => {
    const number = await world.request({}, [gw1, gw2]);
    await world.decide(number, 'bob', 1);
    const review = await openRequest(number);
    expect(review).toMatchObject({ verified: true, trouble: '', comment: 'renewal', commentHolds: true });
    expect(review.decisions).toMatchObject([{ verified: true, trouble: '', comment: '', commentHolds: true }]);
    expect(review.progress.map(({ stageName }) => stageName)).toEqual(['implement', 'implement']);
    expect(review.words).toBe(words(await sha256(parseEnvelope(world.submitted.get(number)!.envelope).payload)));
  });

  it('is headed by what was signed, whatever the controller says beside it', async () => {
    const number = await world.request({}, [gw1, gw2]);
    const review = await openRequest(number), name = world.certificates[0]!.chain.leaf.commonName;
    review.request.certificateName = 'bank.example';
    review.request.requester = 'root';
    review.request.orderCount = 1;
    expect(headlineOf(review)).toMatchObject({ task: `install ${name}`, requester: 'ada', orders: 2 });
    expect(headlineOf({ ...review, verified: false })).toMatchObject({ requester: 'root', orders: 1 });
  });

  it('that does not hold together is shown with the sentence that says so', async () => {
    const number = await world.request({}, [gw1, gw2]);
    await world.decide(number, 'bob', 1);
    const kept = world.submitted.get(number)!;
    kept.comment = 'another';
    kept.decisions[0]!.comment = 'invented';
    const forged = Uint8Array.from(kept.decisions[0]!.envelope);
    forged[forged.length - 1]! ^= 1;
    kept.decisions[0]!.envelope = forged;
    const review = await openRequest(number);
    expect(review).toMatchObject({ verified: true, commentHolds: false });
    expect(review.decisions[0]).toMatchObject({ verified: false, commentHolds: false });
    expect(review.decisions[0]!.trouble).toMatch(/does not hold/);
    const { certificate } = world.reserved.get(number)!;
    world.reserved.get(number)!.certificate = world.certificates[1]!;
    expect(await openRequest(number)).toMatchObject({ verified: false, trouble: expect.stringMatching(/names another chain than the certificate's/) });
    world.reserved.get(number)!.certificate = certificate;
    world.reserved.get(number)!.cores.reverse();
    const other = await openRequest(number);
    expect(other).toMatchObject({ verified: false, progress: [] });
    expect(other.trouble).toMatch(/not those that ada signed/);
  });
});

function wire2core(bytes: Uint8Array): object {
  const core = wire.decodeStrict('OrderCore', Buffer.from(bytes));
  return { orderId: core.order_id, number: BigInt(core.number), deviceName: core.device_name, deviceId: core.device_id, connector: core.connector, action: core.action,
    generation: BigInt(core.generation), expects: core.expects, chainDigest: core.chain_digest, leafSpkiDigest: core.leaf_spki_digest, keyMode: core.key_mode };
}
