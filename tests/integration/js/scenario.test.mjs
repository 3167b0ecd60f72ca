// The scenario that everything serves, in its own words, with the real programs; days pass by tests/support/clock_shim.c.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { X509Certificate } from 'node:crypto';
import { bundle, makeCertificate, makeCrl } from './certificates.mjs';
import { Deployment, until } from './harness.mjs';
import { nginx, webServer } from './web_server.mjs';

const day = 24 * 3600;
const name = 'gateway.example';
const ca = makeCertificate('Fleet CA', { ca: true, days: 3650 });

async function gateway(t, options = {}) {
  const deployment = await Deployment.create(t, { clock: true, policyLife: '3650d', ...options,
    controller: { identity_lifetime: '3650d', ...options.controller } });
  return deployment;
}

async function startAgent(deployment, options) {
  const agent = await deployment.agent('gw-1', { connector: 'web', ...options });
  await agent.enrol();
  agent.running = agent.start();
  await deployment.advertised('gw-1', 'web');
  return agent;
}

async function importLeaf(deployment, { days }) {
  const leaf = makeCertificate(name, { issuer: ca, days });
  fs.writeFileSync(deployment.path('leaf.pem'), bundle(leaf, ca));
  await deployment.cli('cert', 'import', deployment.path('leaf.pem'));
  return leaf;
}

// As both places show it, the inventory and the topology: with one connector they agree, unless it changes between the two.
async function colour(deployment) {
  const [listed] = (await deployment.json('cert', 'list')).certificates;
  const [row] = (await deployment.json('topology', name)).connectors;
  return listed.colour === row.colour ? row.colour : `${listed.colour}, then ${row.colour}`;
}
const state = async (deployment) => (await deployment.json('topology', name)).connectors[0].state;
const becomes = (deployment, wanted) => until(`the colour is ${wanted}`, async () => await colour(deployment) === wanted);
const rfc3339 = (time_s) => new Date(time_s * 1000).toISOString().replace('.000', '');

async function refused(deployment, says, ...args) {
  const { status, stderr } = await deployment.cliRaw(...args);
  assert.notEqual(status, 0, args.join(' '));
  assert.match(stderr, says);
}

test('a certificate goes from the inventory to the device, as the scenario tells it', async (t) => {
  const deployment = await gateway(t);
  const web = await webServer(deployment, deployment.path('gw-1'), makeCertificate(name, { issuer: ca, days: 5 }));
  const agent = await startAgent(deployment, { application: nginx ? 'nginx' : 'file', reload: web.reload, adopt: true });
  const leaf = await importLeaf(deployment, { days: 120 });
  const { clock } = deployment;
  const push = (...more) => ['push', name, '--as', 'ada', ...more];
  let start_s, request;

  await t.test('Visibility › Client › All lists the client certificates', async () => {
    const { certificates } = await deployment.json('cert', 'list');
    assert.deepEqual(certificates.map((one) => one.common_name), [name]);
  });
  await t.test('the operator opens one by its common name and sees its topology', async () => {
    const topology = await deployment.json('topology', name);
    assert.equal(topology.id, leaf.id.toString('hex'));
    assert.deepEqual(topology.connectors, []);
  });
  await t.test('without an app connector there is no Push to Device, and the refusal says how to add one', async () => {
    await refused(deployment, /not attached to any app connector[^]*countersign cert attach/, ...push('--comment', 'renewal', '--yes'));
    await deployment.cli('cert', 'attach', name, 'gw-1', 'web');
    const [row] = (await deployment.json('topology', name)).connectors;
    assert.deepEqual([row.device, row.connector, row.connected], ['gw-1', 'web', true]);
  });
  await t.test('with one there is; it asks for comments, and for OK', async () => {
    await refused(deployment, /--comment/, ...push('--yes'));
    await refused(deployment, /--yes/, ...push('--comment', 'renewal'));
    assert.equal((await deployment.json('topology', name)).connectors[0].request, 0, 'nothing was requested');
  });
  await t.test('a request ID and a work order ID come by themselves, the status beside the connector', async () => {
    [request] = (await deployment.cli(...push('--comment', 'the old one expires in five days', '--yes'))).match(/REQ-\d+/);
    const [row] = (await deployment.json('topology', name)).connectors;
    assert.equal(`REQ-${row.request}`, request);
    assert.ok(row.order > 0);
    assert.match(row.state, /^Push-Approval Pending/);
    assert.match(await deployment.cli('topology', name), new RegExp(`web[^]*Push-Approval Pending[^]*WO-${row.order} of ${request}`));
  });
  await t.test('Approve asks for the mode: Manual Implementation on, or off and a time; then "Push-Review In Progress"', async () => {
    await refused(deployment, /--manual[^]*--at/, 'approve', request, '--comment', 'fine', '--as', 'bob', '--yes');
    await deployment.cli('approve', request, '--at', rfc3339(clock.now_s + day), '--comment', 'fine', '--as', 'bob', '--yes');
    assert.match(await state(deployment), /^Push-Review In Progress/);
  });
  await t.test('Implement, with the same questions, can move it later: now it has its time', async () => {
    start_s = clock.now_s + 2 * day;
    await refused(deployment, /--manual[^]*--at/, 'implement', request, '--comment', 'go', '--as', 'carol', '--yes');
    await deployment.cli('implement', request, '--at', rfc3339(start_s), '--comment', 'in the night', '--as', 'carol', '--yes');
    assert.match(await state(deployment), /^Push-Scheduled/);
  });
  await t.test('nothing happens before the time', async () => {
    clock.travelTo(start_s - 60);
    await sleep(1000); // what must not happen cannot be waited for
    assert.match(await state(deployment), /^Push-Scheduled/);
    assert.ok(!leaf.der.equals(await web.serves()), 'the old certificate is served');
  });
  await t.test('at its time the push is triggered, and when it is done the status is "Completed"', async () => {
    clock.travelTo(start_s);
    await until('Completed', async () => await state(deployment) === 'Completed');
    await until('the new certificate is served', async () => leaf.der.equals(await web.serves()));
  });
  await t.test('its colour is green: available and valid', async () => {
    assert.equal(await colour(deployment), 'green');
    assert.match(await deployment.cli('topology', name), /green \(available and valid\)/);
  });
  assert.equal(await agent.running.stop(), 0);
  assert.equal(await deployment.controller.stop(), 0);
});

// Each colour by what really brings it, and each one while the causes of those before still hold: so this is their order, too.
test('the colour tells the state: eight colours, each worse one before the others', async (t) => {
  const crls = fs.mkdtempSync('/tmp/countersign-crls-');
  t.after(() => fs.rmSync(crls, { recursive: true }));
  const deployment = await gateway(t, { controller: { crls } });
  const { clock } = deployment;
  const broken = deployment.path('the-application-is-broken');
  const agent = await startAgent(deployment, { check: '1s', reload: `/usr/bin/test ! -e ${broken}` });
  const leaf = await importLeaf(deployment, { days: 120 });
  const expires_s = Math.floor(Date.parse(new X509Certificate(leaf.pem).validTo) / 1000);
  const chain = path.join(agent.folder, 'chain.pem');
  await deployment.cli('cert', 'attach', name, 'gw-1', 'web');
  await deployment.pushAttached(name);

  await t.test('green: available and valid', async () => assert.equal(await colour(deployment), 'green'));
  for (const [wanted, days] of [['blue', 90], ['yellow', 30], ['orange', 10]])
    await t.test(`${wanted}: expires within ${days} days, and not before`, async () => {
      const before = await colour(deployment);
      clock.travelTo(expires_s - days * day - 60);
      assert.equal(await colour(deployment), before);
      clock.travelTo(expires_s - days * day + 1);
      assert.equal(await colour(deployment), wanted);
    });
  await t.test('purple: the certificate in use on the device was removed by hand; and back when it is restored', async () => {
    fs.renameSync(chain, `${chain}.away`);
    await becomes(deployment, 'purple');
    fs.renameSync(`${chain}.away`, chain);
    await becomes(deployment, 'orange');
    fs.unlinkSync(chain);
    await becomes(deployment, 'purple');
  });
  await t.test('gray: the push failed', async () => {
    fs.writeFileSync(broken, '');
    const [request] = (await deployment.cli('push', name, '--comment', 'once more', '--attempts', '1', '--as', 'ada', '--yes')).match(/REQ-\d+/);
    await deployment.cli('approve', request, '--manual', '--comment', 'fine', '--as', 'bob', '--yes');
    await deployment.cli('implement', request, '--manual', '--comment', 'go', '--as', 'carol', '--yes');
    await until('Failed', async () => await state(deployment) === 'Failed');
    assert.equal(await colour(deployment), 'gray');
    fs.rmSync(chain, { force: true });
    await until('the device says that nothing is there', async () =>
      !(await deployment.json('device', 'show', 'gw-1')).connectors[0].installed_digest);
    assert.equal(await colour(deployment), 'gray', 'removed by hand and failed: failed is worse');
  });
  await t.test('red: expired', async () => {
    clock.travelTo(expires_s + 1);
    assert.equal(await colour(deployment), 'red');
  });
  await t.test('black: revoked, by the list of its issuer in the watched folder', async () => {
    const crl = makeCrl(ca, { entries: [{ serial: leaf.serial, reason: 1 }], atMs: clock.now_s * 1000 });
    fs.writeFileSync(path.join(crls, 'fleet.crl'), crl.der);
    await becomes(deployment, 'black');
    assert.match(await deployment.cli('topology', name), /black \(revoked\)/);
  });
  assert.equal(await agent.running.stop(), 0);
  assert.equal(await deployment.controller.stop(), 0);
});
