// kill -9 of either program a hundred times in the middle of its work: nothing that was acknowledged is lost, no order runs twice, and
// every order ends. CS_LONG=1: five times as often.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { bundle, makeCertificate } from './certificates.mjs';
import { Deployment, until } from './harness.mjs';
import { Operator, hasEnded, isLost, orderState, random } from './operator.mjs';
import { sha256 } from './wire.mjs';

const KILLS = process.env.CS_LONG === '1' ? 500 : 100;
const seed = Number(process.env.CS_SEED ?? Date.now() % 1e6);
const ended = /^.*now (completed|failed)$/;

// An agent with a connector for each name. Each reload appends the generation that is in place; reloads() counts them.
async function startAgent(deployment, connectors) {
  const agent = await deployment.agent('gw-1', { connector: connectors[0] });
  const log = path.join(agent.folder, 'reloads');
  const script = path.join(agent.folder, 'reload.sh');
  fs.writeFileSync(log, '');
  fs.writeFileSync(script, `echo "$1 $(readlink ${path.join(agent.folder, 'state', 'connectors')}/$1/current)" >>${log}\n`);
  const section = (name) => `[connector "${name}"]\napplication = file\ncertificate = ${path.join(agent.folder, name)}.pem\n` +
    `key = ${path.join(agent.folder, name)}.key\nreload = /bin/sh ${script} ${name}\n`;
  const [head] = fs.readFileSync(agent.config, 'utf8').split('[connector');
  fs.writeFileSync(agent.config, `${head}backoff_base = 1s\nbackoff_max = 1s\n${connectors.map(section).join('')}`);
  await agent.enrol();
  const lines = () => fs.readFileSync(log, 'utf8').trim().split('\n').filter(Boolean);
  const reloads = () => {
    const counts = new Map();
    for (const line of lines()) counts.set(line, (counts.get(line) ?? 0) + 1);
    return counts;
  };
  return { ...agent, lines, reloads };
}

const place = (order) => `${order.connector} g${order.generation}`;

// One rising number without a gap, one end an order; gives the ends by order.
function checkAudit(records) {
  records.forEach((record, at) => assert.equal(record.revision, records[0].revision + at, 'the revisions have a gap'));
  const ends = new Map();
  for (const { subject, detail } of records)
    if (/^WO-/.test(subject) && ended.test(detail)) ends.set(subject, [...(ends.get(subject) ?? []), detail]);
  for (const [order, how] of ends) assert.equal(how.length, 1, `${order} ended ${how.length} times: ${how.join(' · ')}`);
  return ends;
}

test('kill -9 of the controller while operators and a device are at work', async (t) => {
  const rand = random(seed);
  t.diagnostic(`seed ${seed}`);
  const deployment = await Deployment.create(t);
  const connectors = ['a', 'b'];
  const agent = await startAgent(deployment, connectors);
  const running = agent.start();
  for (const connector of connectors) await deployment.advertised('gw-1', connector);
  const operator = await Operator.open(t, deployment);
  const ca = makeCertificate('Test CA', { ca: true });
  const certificates = [];
  const acknowledged = []; // { command, subject, detail? }: what the audit must have
  let stopping = false;

  // The reply, or null when the controller went away under the call. Every other error is a bug.
  const attempt = async (call) => {
    try {
      return await call();
    } catch (error) {
      if (isLost(error)) {
        await sleep(5);
        return null;
      }
      throw error;
    }
  };
  const command = async (service, method, body, subject, detail) => {
    const reply = await attempt(() => operator.call(service, method, body));
    if (reply) acknowledged.push({ command: method, subject, detail });
    return reply;
  };

  const tokens = [];
  async function makeTokens() {
    for (let i = 1; !stopping; i++) {
      const device_name = `t-${i}`;
      if (await command('DeviceService', 'CreateToken', { device_name, authentication_digest: sha256(Buffer.from(device_name)),
        expires_at_s: Math.floor(Date.now() / 1000) + 3000 }, `device ${device_name}`)) tokens.push(device_name);
      await sleep(10);
    }
  }

  const attached = new Set();
  async function importAndAttach() {
    for (let i = 1; !stopping; i++) {
      const leaf = makeCertificate(`c-${i}.example`, { issuer: ca });
      const subject = `certificate ${leaf.commonName}`;
      if (!await command('CertificateService', 'ImportCertificate', { certificates: Buffer.from(bundle(leaf, ca)) }, subject)) continue;
      certificates.push(leaf);
      const connector = rand.pick(connectors);
      if (await command('CertificateService', 'Attach', { certificate_id: leaf.id, device_name: 'gw-1', connector }, subject,
        `to ${connector} on gw-1`)) attached.add(`${leaf.id.toString('hex')} ${connector}`);
      await sleep(10);
    }
  }

  // A step that was lost is repeated unless it turns out to have been done.
  const decided = [];
  async function step(method, number, done, call) {
    for (;;) {
      let reply;
      try {
        reply = await attempt(call);
      } catch (error) {
        if (await done()) return;
        throw error;
      }
      if (reply) {
        acknowledged.push({ command: method, subject: `REQ-${number}` });
        return;
      }
      if (await done()) return;
    }
  }
  async function push(leaf, connector) {
    let prepared = null;
    while (!prepared) prepared = await attempt(() => operator.prepare(leaf.id, 'gw-1', connector));
    acknowledged.push({ command: 'PreparePush', subject: `REQ-${prepared.number}` });
    const request = await operator.signRequest(prepared);
    const decisions = async () => {
      try {
        return (await operator.ask('PushService', 'GetRequest', { number: request.number })).decisions.length;
      } catch (error) {
        if (error.code === 5) return -1;
        throw error;
      }
    };
    await step('SubmitPush', request.number, async () => await decisions() >= 0, () => operator.submit(request));
    const approved = operator.signDecision(request, 1, 'bob', []);
    await step('Decide', request.number, async () => await decisions() >= 1, () => operator.decide(request, approved));
    const implemented = operator.signDecision(request, 2, 'carol', [approved.digest]);
    await step('Decide', request.number, async () => await decisions() >= 2, () => operator.decide(request, implemented));
    decided.push(request);
    for (const end = Date.now() + 3000; Date.now() < end && !stopping; await sleep(20))
      if (hasEnded((await operator.order(request.core.number)).state)) return;
  }
  async function pusher(connector) {
    const leaf = makeCertificate(`push-${connector}.example`, { issuer: ca });
    const get = (service, method, body) => until(method, () => attempt(() => operator.call(service, method, body)));
    await get('CertificateService', 'ImportCertificate', { certificates: Buffer.from(bundle(leaf, ca)) });
    await get('CertificateService', 'Attach', { certificate_id: leaf.id, device_name: 'gw-1', connector });
    while (!stopping) await push(leaf, connector);
  }

  // What was read of the audit stays as it was, and has everything that was acknowledged before the reading began.
  let records = [];
  const seen = new Map();
  const key = ({ command: method, subject, detail }) => `${method} ${subject}${detail ? ` ${detail}` : ''}`;
  let checked = 0;
  async function checkAcknowledged() {
    const upTo = acknowledged.length;
    const last = records.at(-1);
    const fresh = await operator.audit(last ? last.revision - 1 : 0);
    if (last) assert.deepEqual(fresh.shift(), last, 'an audit record that was read before is another now');
    records = records.concat(fresh);
    for (const record of fresh)
      for (const one of [key({ ...record, detail: '' }), key(record)]) seen.set(one, (seen.get(one) ?? 0) + 1);
    const lost = acknowledged.slice(checked, upTo).map(key).filter((one) => !seen.has(one));
    assert.deepEqual(lost, [], 'acknowledged and lost');
    checked = upTo;
  }

  const workers = Promise.all([makeTokens(), importAndAttach(), ...connectors.map(pusher)]);
  workers.catch(() => { stopping = true; });
  const began = Date.now();
  for (let kills = 0; kills < KILLS && !stopping; kills++) {
    if (kills % 10 === 9) await sleep(2500); // long enough for the device to come back
    await sleep(rand.below(200));
    await deployment.controller.kill();
    await deployment.start();
    await checkAcknowledged();
  }
  stopping = true;
  await workers;
  const seconds = (Date.now() - began) / 1000;
  await checkAcknowledged();

  await until('every order ends', async () => (await operator.orders()).every((order) => hasEnded(order.state)), { timeout_ms: 60_000 });
  const orders = await operator.orders();
  const completed = orders.filter((order) => order.state === orderState.ORDER_STATE_COMPLETED);
  const counts = agent.reloads();
  for (const order of orders) {
    assert.ok([orderState.ORDER_STATE_COMPLETED, orderState.ORDER_STATE_SUPERSEDED].includes(order.state),
      `WO-${order.number} is ${order.state_text}: ${order.reason}`);
    assert.equal(counts.get(place(order)) ?? 0, order.state === orderState.ORDER_STATE_COMPLETED ? 1 : 0,
      `reloads of WO-${order.number}, ${order.state_text}`);
  }
  assert.ok(completed.length >= 5 && decided.length >= completed.length, 'too few pushes got through to show anything');
  const byNumber = new Map(orders.map((order) => [order.number, order]));
  for (const request of decided) assert.ok(byNumber.has(request.core.number), `WO-${request.core.number} was lost`);
  checkAudit(await operator.audit());
  for (const device_name of tokens) await operator.call('DeviceService', 'GetEnrolment', { device_name });
  for (const leaf of certificates) {
    const { certificate, chain } = await operator.call('CertificateService', 'GetCertificate', { id: leaf.id });
    assert.equal(certificate.common_name, leaf.commonName);
    assert.ok(chain.equals(Buffer.concat([leaf.der, ca.der])));
    const { rows } = await operator.call('CertificateService', 'GetTopology', { certificate_id: leaf.id });
    for (const connector of connectors)
      if (attached.has(`${leaf.id.toString('hex')} ${connector}`)) assert.ok(rows.some((row) => row.connector === connector));
  }
  t.diagnostic(`${KILLS} kills in ${seconds.toFixed(0)} s; ${acknowledged.length} acknowledged commands (${tokens.length} tokens, ` +
    `${certificates.length} certificates, ${attached.size} attachments); ${orders.length} orders, ${completed.length} completed, ` +
    `${orders.length - completed.length} superseded; ${records.length} audit records`);
  assert.equal(await running.stop(), 0);
  assert.equal(await deployment.controller.stop(), 0, deployment.controller.output);
});

test('kill -9 of the agent during pushes', async (t) => {
  const rand = random(seed + 1);
  t.diagnostic(`seed ${seed}`);
  const deployment = await Deployment.create(t);
  const agent = await startAgent(deployment, ['a']);
  let running = agent.start();
  await deployment.advertised('gw-1', 'a');
  const operator = await Operator.open(t, deployment);
  const ca = makeCertificate('Test CA', { ca: true });
  const leaf = makeCertificate('push.example', { issuer: ca });
  await operator.call('CertificateService', 'ImportCertificate', { certificates: Buffer.from(bundle(leaf, ca)) });
  await operator.call('CertificateService', 'Attach', { certificate_id: leaf.id, device_name: 'gw-1', connector: 'a' });

  let stopping = false;
  const ends = []; // { order, reloads }: as it was when the controller first said that it has ended
  async function pushes() {
    while (!stopping) {
      // One attempt each: further ones wait longer than this test kills.
      const { core } = await operator.push(leaf.id, 'gw-1', 'a', { max_attempts: 1 });
      const order = await until(`WO-${core.number} ends`, async () => {
        const one = await operator.order(core.number);
        return hasEnded(one.state) && one;
      }, { timeout_ms: 60_000, every_ms: 10 });
      ends.push({ order, reloads: agent.reloads().get(place(order)) ?? 0 });
    }
  }
  const working = pushes();
  working.catch(() => { stopping = true; });
  let kills = 0;
  for (; kills < KILLS && !stopping; kills++) {
    // Most of them in the middle of something, some before the agent has connected, some when it is idle.
    await sleep(rand.chance(0.2) ? rand.below(1500) : rand.below(350));
    await running.kill();
    running = agent.start();
  }
  stopping = true;
  await working;

  const counts = agent.reloads();
  const tally = { completed: 0, failed: 0 };
  for (const [at, { order, reloads }] of ends.entries()) {
    const completed = order.state === orderState.ORDER_STATE_COMPLETED;
    tally[completed ? 'completed' : 'failed']++;
    assert.ok(completed || (order.state === orderState.ORDER_STATE_FAILED && order.reason), `WO-${order.number} is ${order.state_text}`);
    assert.equal(reloads > 0, completed, `WO-${order.number} is ${order.state_text}: ${order.reason}`);
    // When an attempt at the next order is put back, the application is told to read what it has once more.
    const next = ends[at + 1]?.order;
    if (next?.state !== orderState.ORDER_STATE_FAILED && !(next?.attempts > 1))
      assert.equal(counts.get(place(order)) ?? 0, reloads, `WO-${order.number} was installed again after its end`);
  }
  const generations = agent.lines().map((line) => Number(line.match(/ g(\d+)$/)[1]));
  generations.reduce((before, now) => {
    assert.ok(now >= before, `generation ${now} came back after ${before}`);
    return now;
  });
  const audit = checkAudit(await operator.audit());
  for (const { order } of ends) assert.ok(audit.has(`WO-${order.number}`), `the audit does not tell the end of WO-${order.number}`);
  assert.ok(ends.length >= 20, `only ${ends.length} pushes in ${kills} kills`);
  t.diagnostic(`${kills} kills; ${ends.length} orders: ${tally.completed} completed, ${tally.failed} failed; ` +
    `${ends.filter((end) => end.reloads > 1).length} finished by a second reload after a kill`);
  assert.equal(await running.stop(), 0, running.output);
  assert.equal(await deployment.controller.stop(), 0, deployment.controller.output);
});
