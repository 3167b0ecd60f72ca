// WatchService: what changed, as it changes, to a client in another language; across a kill -9 nothing twice and nothing missing.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import path from 'node:path';
import test from 'node:test';
import grpc from '@grpc/grpc-js';
import { Deployment, bin, until } from './harness.mjs';
import { Operator, isLost, orderState } from './operator.mjs';
import { Watcher, objectKind } from './watcher.mjs';

const { OBJECT_KIND_DEVICE: DEVICE, OBJECT_KIND_ORDER: ORDER, OBJECT_KIND_REQUEST: REQUEST,
  OBJECT_KIND_CERTIFICATE: CERTIFICATE, OBJECT_KIND_ATTACHMENT: ATTACHMENT } = objectKind;

// The cheapest command that people see: a device name with a token.
const nameDevice = (operator, name) => operator.call('DeviceService', 'CreateToken', { device_name: name,
  authentication_digest: crypto.randomBytes(32), expires_at_s: Math.floor(Date.now() / 1000) + 600 });

async function nameDevices(operator, names, { at_once = 64 } = {}) {
  const rest = [...names];
  await Promise.all(Array.from({ length: at_once }, async () => {
    for (let name; (name = rest.shift());) await nameDevice(operator, name);
  }));
}

const connect = (t, deployment) => {
  const client = new grpc.Client(`unix:${deployment.socket}`, grpc.credentials.createInsecure(),
    { 'grpc.use_local_subchannel_pool': 1, 'grpc.initial_reconnect_backoff_ms': 20, 'grpc.max_reconnect_backoff_ms': 50 });
  t.after(() => client.close());
  return client;
};

test('a client watches a push go by', async (t) => {
  const deployment = await Deployment.create(t);
  const operator = await Operator.open(t, deployment);
  const agent = await deployment.agent('gw-1');
  const all = new Watcher(operator.client);
  assert.ok((await all.begun()).revision > 0);

  await agent.enrol();
  agent.start();
  await deployment.advertised('gw-1');
  await all.until('the device', (change) => change.kind === DEVICE && change.name === 'gw-1');
  const { pem } = await deployment.certificate('shop.example');
  await deployment.push(pem, 'shop.example', 'gw-1');

  const [order] = await operator.orders();
  assert.equal(order.state, orderState.ORDER_STATE_COMPLETED);
  const { revision } = await operator.call('ControllerService', 'GetStatus', {});
  await all.reached(revision);
  const of = (kind) => all.changes.filter((change) => change.kind === kind);
  assert.ok(of(CERTIFICATE).some(({ id }) => id.equals(order.certificate_id)));
  assert.ok(of(ATTACHMENT).some(({ id, name }) => id.equals(order.certificate_id) && name === 'gw-1'));
  // Requested, approved, implemented, handed over, accepted, completed.
  assert.ok(of(ORDER).length >= 5, `the order was told ${of(ORDER).length} times`);
  for (const change of of(ORDER)) {
    assert.deepEqual([change.number, change.name, change.request_number], [order.number, 'gw-1', order.request_number]);
    assert.ok(change.certificate_id.equals(order.certificate_id));
  }
  assert.ok(of(REQUEST).length >= 4);

  // The same again from the store, with a filter.
  const from = all.messages[0].revision;
  const filtered = [[{ kinds: [ORDER] }, (change) => change.kind === ORDER],
    [{ device_name: 'gw-1', kinds: [DEVICE] }, (change) => change.kind === DEVICE && change.name === 'gw-1'],
    [{ request_number: order.request_number }, (change) => (change.kind === REQUEST && change.number === order.request_number) ||
      change.request_number === order.request_number],
    [{ certificate_id: order.certificate_id }, (change) => change.id.equals(order.certificate_id) ||
      change.certificate_id.equals(order.certificate_id)]];
  for (const [filter, wanted] of filtered) {
    const expected = all.changes.filter((change) => change.revision <= revision && wanted(change));
    const some = new Watcher(operator.client, { after_revision: from, ...filter });
    await some.when(`${expected.length} changes`, () => some.changes.length >= expected.length);
    assert.deepEqual(some.changes.filter((change) => change.revision <= revision), expected);
    some.close();
  }

  // The device goes away: presence is a change like any other.
  const presence = new Watcher(operator.client, { kinds: [DEVICE], device_name: 'gw-1' });
  await presence.begun();
  for (const program of deployment.programs) if (program.name === 'agent gw-1') await program.stop();
  await presence.until('the device has gone', (change) => change.name === 'gw-1');
  const { device } = await operator.call('DeviceService', 'GetDevice', { name: 'gw-1' });
  assert.equal(device.connected, false);
  all.close();
  presence.close();
});

test('after kill -9 a client goes on from its revision: none is missing, none comes twice', async (t) => {
  const deployment = await Deployment.create(t);
  const operator = await Operator.open(t, deployment);
  const told = new Map(); // revision: how often
  let last = operator.status.revision, goal = Infinity, working = true, kills = 0;

  const watching = (async () => {
    while (last < goal) {
      const watcher = new Watcher(operator.client, { after_revision: last });
      const note = (message) => {
        for (const revision of new Set(message.changes.map((change) => change.revision)))
          told.set(revision, (told.get(revision) ?? 0) + 1);
        last = message.revision;
      };
      await watcher.when('the end', () => {
        watcher.messages.splice(0).forEach(note);
        return last >= goal;
      }).catch((error) => assert.ok(isLost(error), error));
      watcher.close();
    }
  })();
  const asking = (async () => {
    for (let i = 0; working; i++) await nameDevice(operator, `d-${i}`).catch((error) => assert.ok(isLost(error), error));
  })();
  for (; kills < 6; kills++) {
    const before = last;
    await until('some revisions are told', () => last >= before + 20, { every_ms: 5 });
    await deployment.controller.kill();
    await deployment.start();
  }
  await operator.ask('ControllerService', 'GetStatus', {});
  working = false;
  await asking;
  const end = await operator.call('ControllerService', 'GetStatus', {});
  await nameDevice(operator, 'last'); // behind which nothing is under way
  goal = end.revision + 1;
  if (last >= goal) await nameDevice(operator, 'one-more'); // so that a message comes that looks at the goal
  await watching;

  const records = (await operator.audit(operator.status.revision)).filter(({ revision }) => revision <= end.revision);
  assert.ok(records.length > 20 * kills);
  for (const { revision, command } of records)
    if (command === 'CreateToken') assert.equal(told.get(revision), 1, `revision ${revision} was told ${told.get(revision)} times`);
  for (const [revision, times] of told) assert.equal(times, 1, `revision ${revision}`);
});

test('a reader that does not read holds up nobody, and misses nothing', async (t) => {
  const deployment = await Deployment.create(t);
  const operator = await Operator.open(t, deployment);
  const slow = new Watcher(connect(t, deployment), {});
  const quick = new Watcher(connect(t, deployment), {});
  await Promise.all([slow.begun(), quick.begun()]);
  slow.call.pause();
  const names = Array.from({ length: 6000 }, (_, i) => `device-with-a-long-name-so-that-there-is-much-to-read-${i}`);
  await nameDevices(operator, names);
  const { revision } = await operator.call('ControllerService', 'GetStatus', {});
  const have = (watcher) => watcher.when('all names', () => watcher.changes.length >= names.length, { timeout_ms: 60_000 });
  await have(quick);
  assert.ok(slow.changes.length < names.length, 'the slow one was not slow');
  slow.call.resume();
  await have(slow);
  for (const watcher of [quick, slow]) {
    assert.equal(watcher.revision, revision);
    assert.deepEqual(watcher.changes.map(({ name }) => name).sort(), [...names].sort());
    watcher.changes.forEach((change, at) => assert.ok(at === 0 || change.revision > watcher.changes[at - 1].revision));
    watcher.close();
  }
});

test('five hundred clients watch, and one connection may not take all the room', async (t) => {
  const deployment = await Deployment.create(t);
  const operator = await Operator.open(t, deployment);
  const watchers = [];
  for (let i = 0; i < 10; i++) {
    const client = connect(t, deployment);
    for (let j = 0; j < 50; j++) watchers.push(new Watcher(client, j % 2 ? {} : { device_name: 'gw-7' }));
  }
  await Promise.all(watchers.map((watcher) => watcher.begun()));
  await nameDevices(operator, Array.from({ length: 20 }, (_, i) => `gw-${i}`));
  await Promise.all(watchers.map((watcher) => watcher.until('gw-7', (change) => change.name === 'gw-7')));
  assert.ok(watchers.every((watcher, at) => at % 2 || watcher.changes.length === 1));

  const greedy = connect(t, deployment);
  const many = Array.from({ length: 65 }, () => new Watcher(greedy, {}));
  const error = await Promise.race(many.map((watcher) => watcher.ended));
  assert.equal(error.code, grpc.status.RESOURCE_EXHAUSTED);
  assert.match(error.details, /one connection may watch 64 times/);
  for (const watcher of [...watchers, ...many]) watcher.close();

  // Room is given back.
  await until('there is room again', async () => {
    const again = new Watcher(greedy, {});
    const begun = await again.begun().then(() => true, () => false);
    again.close();
    return begun;
  });
});

test('countersign wait outlives a restart of the controller', async (t) => {
  const deployment = await Deployment.create(t);
  const operator = await Operator.open(t, deployment);
  const agent = await deployment.agent('gw-1');
  await agent.enrol();
  const first = agent.start();
  await deployment.advertised('gw-1');
  await first.stop();
  const { pem } = await deployment.certificate('shop.example');
  await deployment.push(pem, 'shop.example', 'gw-1', { wait: false });
  const waiting = deployment.program(path.join(bin, 'countersign'),
    ['--home', deployment.home, '--socket', deployment.socket, 'wait', 'REQ-1'], { name: 'wait' });
  await waiting.line(/REQ-1: 0 of 1 ended/);
  await deployment.controller.kill();
  await deployment.start();
  agent.start();
  assert.equal(await waiting.exited, 0, waiting.output);
  assert.match(waiting.output, /Completed/);
  const [order] = await operator.orders();
  assert.equal(order.state, orderState.ORDER_STATE_COMPLETED);
});

// Half a minute of nothing.
if (process.env.CS_LONG === '1') test('a quiet stream says where it stands without being asked', async (t) => {
  const deployment = await Deployment.create(t);
  const operator = await Operator.open(t, deployment);
  const watcher = new Watcher(operator.client, { kinds: [DEVICE] });
  const { revision } = await watcher.begun();
  await deployment.publish('set-expiry 80d'.split(' '));
  await watcher.when('a bookmark', () => watcher.messages.length > 1, { timeout_ms: 90_000 });
  assert.deepEqual(watcher.messages[1].changes, []);
  assert.ok(watcher.revision > revision);
  watcher.close();
});

test('a stream that cannot begin says what to do, and the end of the controller is an end to go on from', async (t) => {
  const deployment = await Deployment.create(t);
  const operator = await Operator.open(t, deployment);
  const ahead = await new Watcher(operator.client, { after_revision: 1_000_000 }).ended;
  assert.equal(ahead.code, grpc.status.OUT_OF_RANGE);
  assert.match(ahead.details, /list anew/);
  const malformed = await new Watcher(operator.client, { device_name: 'no name' }).ended;
  assert.equal(malformed.code, grpc.status.INVALID_ARGUMENT);

  const watcher = new Watcher(operator.client, {});
  await watcher.begun();
  const [stopped, error] = await Promise.all([deployment.controller.stop(), watcher.ended]);
  assert.equal(stopped, 0);
  assert.equal(error.code, grpc.status.UNAVAILABLE);
  assert.match(error.details, /stopping/);
});
