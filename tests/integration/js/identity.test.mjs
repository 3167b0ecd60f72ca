// A device's identity through its life, with the real agent and the real controller: renewals in time and too late, bans, two machines
// with one state folder, and kill -9 at each step of a renewal. Certificates live for seconds here.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import grpc from '@grpc/grpc-js';
import { enrolDevice } from './device.mjs';
import { Deployment, until } from './harness.mjs';

// With the shortest back-off, so that a test is not a wait.
async function makeAgent(deployment, name) {
  const agent = await deployment.agent(name);
  const config = fs.readFileSync(agent.config, 'utf8');
  fs.writeFileSync(agent.config, config.replace('\n[connector', '\nbackoff_base = 1s\nbackoff_max = 1s\n[connector'));
  await agent.enrol();
  return agent;
}

// The same device on a second machine: its state folder, copied.
function copyAgent(deployment, agent, folder) {
  const there = deployment.path(folder);
  fs.cpSync(agent.folder, there, { recursive: true });
  const config = path.join(there, 'agent.conf');
  fs.writeFileSync(config, fs.readFileSync(config, 'utf8').replaceAll(agent.folder, there));
  return { start: () => deployment.program(path.join(path.dirname(agent.program), 'countersign-agent'), ['--config', config, 'run'],
    { name: `copy ${folder}` }) };
}

const show = (deployment, name) => deployment.json('device', 'show', name);
const connected = (deployment, name) => until(`${name} is connected`, async () => (await show(deployment, name)).state === 'connected');
const admit = (deployment, ...args) => deployment.cli('device', 'admit', ...args, '--as', 'ada', '--yes');

async function completes(deployment, certificate) {
  const request = await deployment.pushAttached(certificate);
  const { orders } = await deployment.json('order', 'list', '--request', request);
  assert.deepEqual(orders.map((order) => order.state), ['Completed']);
  return orders[0].order;
}

async function attachNew(deployment, certificate, device) {
  const { pem } = await deployment.certificate(certificate);
  await deployment.advertised(device);
  await deployment.cli('cert', 'import', pem);
  await deployment.cli('cert', 'attach', certificate, device, 'app');
}

test('an identity renews at half of its life, and pushes go on before and after', async (t) => {
  const deployment = await Deployment.create(t, { controller: { identity_lifetime: '20s' } });
  const agent = await makeAgent(deployment, 'gw-1');
  const running = agent.start();
  await attachNew(deployment, 'shop.example', 'gw-1');
  const before = await show(deployment, 'gw-1');
  const first = await completes(deployment, 'shop.example');
  const begun = Date.now();
  await running.line(/identity.*renewed/);
  t.diagnostic(`renewed ${((Date.now() - begun) / 1000).toFixed(1)} s after the first push`);
  await connected(deployment, 'gw-1');
  const after = await show(deployment, 'gw-1');
  assert.equal(after.renewals, 1);
  assert.ok(Date.parse(after.identity_until) > Date.parse(before.identity_until), 'the certificate is a later one');
  assert.equal(after.device_id, before.device_id);
  assert.equal(after.advertisement, 'the device itself');
  const second = await completes(deployment, 'shop.example');
  // Reports of both keys are believed, each for the sequences of its time.
  for (const order of [first, second])
    assert.match(await deployment.cli('order', 'show', order), /signed by the identity key that the device had/);
  // Whatever was interrupted is said again after a restart, by keys that the controller still knows.
  await running.stop();
  const again = agent.start();
  await again.line(/session.*connected/);
  await completes(deployment, 'shop.example');
  const keys = fs.readdirSync(path.join(agent.folder, 'state')).filter((name) => /^identity.*key$/.test(name));
  assert.equal(keys.length, 1, `the old key is gone: ${keys}`);
});

test('after its certificate has expired a device waits until an admin has admitted its fresh key', async (t) => {
  const deployment = await Deployment.create(t, { controller: { identity_lifetime: '10s' } });
  const agent = await makeAgent(deployment, 'gw-1');
  const first = agent.start();
  await attachNew(deployment, 'shop.example', 'gw-1');
  await first.stop();
  await until('the certificate has expired', async () => Date.parse((await show(deployment, 'gw-1')).identity_until) < Date.now() - 1000);
  const late = agent.start();
  const [, fingerprint] = await late.line(/has expired: an admin has to admit the fresh key.*identity_key=([0-9a-f]{64})/);
  assert.equal((await show(deployment, 'gw-1')).state, 'waits for a new admission');
  // The device shows the fingerprint that the admin gets to see.
  assert.ok((await agent.run('status')).stdout.includes(fingerprint));
  const listed = await deployment.cliRaw('device', 'admit', '--pending', '--as', 'ada');
  assert.ok(listed.stdout.includes(fingerprint) && listed.stdout.includes('late renewal'), listed.stdout + listed.stderr);
  await sleep(2500); // asks again and again
  assert.equal(late.lines.filter((line) => line.includes('has to admit the fresh key')).length, 1, 'said once');
  const asked = late.lines.length;
  const { stderr } = await deployment.cliRaw('device', 'admit', 'gw-1', '--as', 'ada', '--yes');
  assert.match(stderr, /signed for by the key that ada admitted/);
  await late.line(/session.*connected/, { from: asked });
  await connected(deployment, 'gw-1');
  await completes(deployment, 'shop.example');
});

test('a ban ends the session within a second, outlives a restart, and a new admission lifts it', async (t) => {
  const deployment = await Deployment.create(t);
  const agent = await makeAgent(deployment, 'gw-1');
  const running = agent.start();
  await attachNew(deployment, 'shop.example', 'gw-1');
  const request = await deployment.pushAttached('shop.example').then(() => deployment.cli('push', 'shop.example', '--comment', 'next',
    '--as', 'ada', '--yes')).then((out) => out.match(/REQ-\d+/)[0]);
  const begun = performance.now();
  const ending = running.line(/ended the session.*status=PERMISSION_DENIED.*banned/).then(() => performance.now() - begun);
  await deployment.cli('device', 'ban', 'gw-1', '--comment', 'stolen from the van', '--yes');
  const took = await ending;
  t.diagnostic(`the session ended ${took.toFixed(0)} ms after the command was typed`);
  assert.ok(took < 1000);
  const { orders } = await deployment.json('order', 'list', '--request', request);
  assert.equal(orders[0].state, 'Cancelled');
  assert.match(orders[0].reason, /banned: stolen from the van/);
  assert.equal((await show(deployment, 'gw-1')).state, 'banned');
  const refused = await deployment.cliRaw('push', 'shop.example', '--comment', 'no', '--as', 'ada', '--yes');
  assert.notEqual(refused.status, 0);
  assert.match(refused.stderr, /device gw-1 is banned/);
  await sleep(3000);
  const said = deployment.controller.lines.filter((line) => line.includes('agent refused'));
  assert.ok(said.length >= 1 && said.length <= 2, `once for each thread that it came to: ${said.length}`);

  await deployment.controller.stop();
  await deployment.start();
  await deployment.controller.line(/agent refused.*banned/);
  assert.equal((await show(deployment, 'gw-1')).state, 'banned');

  const from = running.lines.length;
  await admit(deployment, 'gw-1');
  await running.line(/session.*connected/, { from });
  await completes(deployment, 'shop.example');
});

test('two machines with one state folder are quarantined, and get nothing', async (t) => {
  const deployment = await Deployment.create(t);
  const agent = await makeAgent(deployment, 'gw-1');
  const running = agent.start();
  await attachNew(deployment, 'shop.example', 'gw-1');
  agent.program = running.child.spawnfile;
  const begun = performance.now();
  const copy = copyAgent(deployment, agent, 'stolen').start();
  await Promise.all([running, copy].map((one) => one.line(/ended the session.*status=PERMISSION_DENIED.*quarantined/)));
  t.diagnostic(`both streams ended ${(performance.now() - begun).toFixed(0)} ms after the copy was started`);
  assert.equal((await show(deployment, 'gw-1')).state, 'quarantined');
  const refused = await deployment.cliRaw('push', 'shop.example', '--comment', 'no', '--as', 'ada', '--yes');
  assert.match(refused.stderr, /device gw-1 is quarantined/);
  const { records } = await deployment.json('audit', 'list');
  assert.equal(records.filter((record) => record.command === 'QuarantineDevice').length, 1);
  await copy.stop();
  const from = running.lines.length;
  await admit(deployment, 'gw-1');
  await running.line(/session.*connected/, { from });
  await completes(deployment, 'shop.example');
});

test('a device that comes back is no second one', async (t) => {
  const deployment = await Deployment.create(t);
  const agent = await makeAgent(deployment, 'gw-1');
  let running = agent.start();
  await connected(deployment, 'gw-1');
  for (let i = 0; i < 5; i++) {
    await running.kill();
    running = agent.start();
    await running.line(/session.*connected/);
  }
  // One that hangs does not answer: the other machine takes its place.
  agent.program = running.child.spawnfile;
  running.child.kill('SIGSTOP');
  const begun = performance.now();
  const copy = copyAgent(deployment, agent, 'spare').start();
  await copy.line(/session.*connected/);
  t.diagnostic(`replaced a silent stream after ${(performance.now() - begun).toFixed(0)} ms`);
  await running.kill();
  assert.equal((await show(deployment, 'gw-1')).state, 'connected');
  const { records } = await deployment.json('audit', 'list');
  assert.ok(!records.some((record) => record.command === 'QuarantineDevice'));
});

test('of two streams the answers to challenges say which process is the device', async (t) => {
  const deployment = await Deployment.create(t);
  const device = await enrolDevice(deployment, 'gw-1');
  const welcomed = (session) => until('welcome', () => session.messages.some((message) => message.body === 'welcome'), { timeout_ms: 8000 });
  const nonce = crypto.randomBytes(16);
  const first = device.connect({ nonce });
  await welcomed(first);
  // The same process on a new connection: it takes over at once, and is not asked.
  const second = device.connect({ nonce });
  await welcomed(second);
  assert.match((await first.ended).details, /newer stream/);
  assert.ok(!second.messages.some((message) => message.body === 'challenge'));
  // Another process that does not prove that it is alive: the older one stays.
  const mute = device.connect({ answers: false });
  const refused = await mute.ended;
  assert.equal(refused.code, grpc.status.DEADLINE_EXCEEDED, refused.details);
  assert.ok(mute.messages.some((message) => message.body === 'challenge') && second.messages.some((message) => message.body === 'challenge'));
  assert.equal((await show(deployment, 'gw-1')).state, 'connected');
  // One that answers with another nonce than its own breaks the rules, and is not heard.
  second.send({ challenge_answer: { challenge: crypto.randomBytes(16), process_nonce: crypto.randomBytes(16) } });
  assert.equal((await second.ended).code, grpc.status.INVALID_ARGUMENT);
  // Many at once, all alive: quarantined, once.
  const crowd = Array.from({ length: 6 }, () => device.connect());
  await Promise.all(crowd.map(async (session) => assert.notEqual(await session.ended, null)));
  assert.equal((await show(deployment, 'gw-1')).state, 'quarantined');
});

test('without its token a device is admitted by its fingerprints only', async (t) => {
  const deployment = await Deployment.create(t);
  const agent = await deployment.agent('gw-1');
  const token = (await deployment.cli('device', 'add', 'gw-1')).trim();
  assert.equal((await agent.run('enrol', '--token', token)).status, 0);
  fs.rmSync(path.join(deployment.home, 'tokens', 'gw-1'));
  const { stdout } = await agent.run('status');
  const [identity, kem] = [/^identity key +([0-9a-f]{64})$/m, /^KEM key +([0-9a-f]{64})$/m].map((pattern) => stdout.match(pattern)[1]);
  const refused = async (says, ...args) => {
    const result = await deployment.cliRaw('device', 'admit', ...args, '--as', 'ada', '--yes');
    assert.equal(result.status, 1, result.stdout + result.stderr);
    assert.match(result.stderr, says);
    assert.notEqual((await show(deployment, 'gw-1')).admission, 'signed by an admin of the trust policy');
  };
  await refused(/compares fingerprints instead/, 'gw-1');
  await refused(/a person has to compare/, 'gw-1', '--pending');
  await refused(/are not those/, 'gw-1', '--pending', '--fingerprint', identity);
  await refused(/are not those/, 'gw-1', '--pending', '--fingerprint', identity, '--fingerprint', identity.replace(/./g, '0'));
  assert.ok((await deployment.cliRaw('device', 'admit', '--pending', '--as', 'ada')).stdout.includes(kem));
  await admit(deployment, 'gw-1', '--pending', '--fingerprint', identity, '--fingerprint', kem);
  assert.equal((await show(deployment, 'gw-1')).admission, 'signed by an admin of the trust policy');
});

// The state folder tells where the agent is: beside a file that is about to be replaced stands its successor.
test('kill -9 at each step of a renewal leaves an identity that works', { timeout: 280_000 }, async (t) => {
  const deployment = await Deployment.create(t, { controller: { identity_lifetime: '12s' } });
  const agent = await makeAgent(deployment, 'gw-1');
  const state = path.join(agent.folder, 'state');
  const other = () => fs.existsSync(path.join(state, 'identity-2.key')) ? /identity\.key/ : /identity-2\.key/;
  const steps = [
    { says: 'the fresh key is being written', at: (name, fresh) => fresh.test(name) },
    { says: 'the fresh key is on disk', at: (name, fresh, there) => fresh.test(name) && there(name) },
    { says: 'the statement is being written', at: (name) => /renewal/.test(name) },
    { says: 'the statement is on disk', at: (name, fresh, there) => name === 'renewal' && there(name) },
    { says: 'the certificate is being written', at: (name, fresh) => /identity/.test(name) && !/key/.test(name) },
    { says: 'the certificate is on disk', at: (name, fresh, there) => name === 'identity' && there(name) },
    { says: 'the statement is forgotten', at: (name, fresh, there) => name === 'renewal' && !there(name) },
  ];
  let device = agent.start();
  await connected(deployment, 'gw-1');
  for (const step of steps) {
    const before = await show(deployment, 'gw-1');
    const fresh = other();
    const there = (name) => fs.existsSync(path.join(state, name));
    const killed = new Promise((resolve, reject) => {
      const watcher = fs.watch(state, (event, name) => {
        if (!name || !step.at(name, fresh, there)) return;
        watcher.close();
        device.child.kill('SIGKILL');
        resolve();
      });
      setTimeout(() => { watcher.close(); reject(new Error(`never: ${step.says}`)); }, 25_000).unref();
    });
    await killed;
    await device.exited;
    device = agent.start();
    await device.line(/session.*connected/, { timeout_ms: 15_000 });
    await until(`renewed after: ${step.says}`, async () => {
      const now = await show(deployment, 'gw-1');
      return now.state === 'connected' && now.renewals > before.renewals;
    });
    const now = await show(deployment, 'gw-1');
    assert.equal(now.advertisement, 'the device itself', step.says);
    t.diagnostic(`${step.says}: goes on after ${now.renewals} renewals`);
  }
});
