// The topology as people read it, and pushes to groups of devices, with the real programs.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Deployment, until } from './harness.mjs';
import { Operator } from './operator.mjs';

test('the tree says whether each device has the certificate, and who decided', async (t) => {
  const deployment = await Deployment.create(t);
  const agents = [];
  for (const name of ['gw-1', 'gw-2']) {
    const agent = await deployment.agent(name);
    await agent.enrol();
    agents.push(agent.start());
    await deployment.advertised(name);
  }
  const { pem } = await deployment.certificate('shop.example');
  await deployment.cli('cert', 'import', pem);
  for (const name of ['gw-1', 'gw-2']) await deployment.cli('cert', 'attach', 'shop.example', name, 'app');
  const before = await deployment.cli('topology', 'shop.example');
  assert.match(before, /missing\n.*not pushed yet/);

  await deployment.cli('push', 'shop.example', '--to', 'gw-1/app', '--comment', 'first one', '--as', 'ada', '--yes');
  await deployment.cli('approve', 'REQ-1', '--manual', '--comment', 'fine', '--as', 'bob', '--yes');
  await deployment.cli('implement', 'REQ-1', '--manual', '--comment', 'go', '--as', 'carol', '--yes', '--wait');
  const tree = await until('the device says what it has', async () => {
    const out = await deployment.cli('topology', 'shop.example');
    return /in sync/.test(out) && out;
  });
  assert.match(tree, /gw-1 {2}connected\n.*app \(file\) .*\n.*in sync\n.*Completed {2}WO-1 of REQ-1, generation 1/);
  assert.match(tree, /REQ-1: ada \d{4}-\S+Z, "first one"/);
  assert.match(tree, /approve: bob \d{4}-\S+Z, Manual Implementation on \(1 work order\)/);
  assert.match(tree, /implement: carol \d{4}-\S+Z/);
  assert.match(tree, /gw-2 {2}connected\n.*\n.*missing\n.*not pushed yet/);

  // From the device's side, and for machines.
  const side = await deployment.cli('device', 'topology', 'gw-1');
  assert.match(side, /gw-1 {2}connected\n.*app \(file\)[^]*shop\.example \([0-9a-f]{16}\) .*\n.*in sync\n.*WO-1 of REQ-1[^]*approve: bob/);
  const json = await deployment.json('topology', 'shop.example');
  assert.deepEqual(json.connectors.map((row) => [row.device, row.sync, row.request]), [['gw-1', 'in sync', 1], ['gw-2', 'missing', 0]]);
  assert.deepEqual(json.decisions.map((row) => [row.request, row.stage, row.decider, row.verdict, row.manual]),
    [[1, 'approve', 'bob', 'accept', true], [1, 'implement', 'carol', 'accept', true]]);
  assert.equal(json.requests[0].comment, 'first one');
  assert.equal((await deployment.json('device', 'topology', 'gw-2')).connectors[0].sync, 'missing');

  // Offline: what it last said may not hold any more, and is said.
  await agents[0].stop();
  const offline = await until('the device is offline', async () => {
    const out = await deployment.cli('topology', 'shop.example');
    return /gw-1 {2}offline/.test(out) && out;
  });
  assert.match(offline, /unknown \(offline since \d{4}-\S+Z; was in sync then\)/);
});

test('a push goes to a group of devices, and only to attachments', async (t) => {
  const deployment = await Deployment.create(t);
  const operator = await Operator.open(t, deployment);
  for (const name of ['gw-1', 'gw-2', 'lab-1']) {
    const agent = await deployment.agent(name);
    await agent.enrol();
    agent.start();
    await deployment.advertised(name);
  }
  const { pem } = await deployment.certificate('shop.example');
  await deployment.cli('cert', 'import', pem);
  const refused = async (pattern, ...args) => {
    const { status, stderr } = await deployment.cliRaw(...args);
    assert.notEqual(status, 0);
    assert.match(stderr, pattern);
  };
  const pushing = (...where) => ['push', 'shop.example', ...where, '--comment', 'edge first', '--as', 'ada', '--yes'];

  // Without an attachment there is nothing to push, on whatever path.
  await refused(/cert attach CERT DEVICE CONNECTOR/, ...pushing());
  const { certificates: [{ id }] } = await operator.call('CertificateService', 'ListCertificates', {});
  for (const body of [{}, { targets: [{ device_name: 'gw-1', connector: 'app' }] }, { groups: ['edge'] }])
    await assert.rejects(operator.call('PushService', 'PreparePush', { certificate_id: id, ...body }), /countersign cert attach CERT DEVICE CONNECTOR/);

  for (const name of ['gw-1', 'gw-2', 'lab-1']) await deployment.cli('cert', 'attach', 'shop.example', name, 'app');
  await deployment.cli('device', 'group', 'gw-1', 'edge', 'north');
  await deployment.cli('device', 'group', 'gw-2', 'edge');
  assert.deepEqual((await deployment.json('device', 'list', '--group', 'edge')).devices.map(({ name, groups }) => [name, groups]),
    [['gw-1', ['edge', 'north']], ['gw-2', ['edge']]]);
  assert.deepEqual((await deployment.json('device', 'list', '--search', 'lab')).devices.map(({ name }) => name), ['lab-1']);
  await refused(/give the groups/, 'device', 'group', 'gw-1');
  await refused(/none of the 0 devices in the group egde/, ...pushing('--group', 'egde'));

  const { stdout, stderr } = await deployment.cliRaw(...pushing('--group', 'edge'));
  assert.match(stdout, /REQ-\d+/);
  assert.match(stderr, /gw-1[^]*gw-2[^]*Who is in a group is the controller's word/);
  assert.doesNotMatch(stderr, /lab-1/);
  const orders = await operator.orders();
  assert.deepEqual(orders.map(({ device_name }) => device_name).sort(), ['gw-1', 'gw-2']);
  const listed = await deployment.json('order', 'list', '--state', 'approval-pending', '--device', 'gw-2', '--request', `REQ-${orders[0].request_number}`);
  assert.equal(listed.orders.length, 1);

  await deployment.cli('device', 'group', 'gw-1', '--none');
  assert.deepEqual((await deployment.json('device', 'list', '--group', 'edge')).devices.map(({ name }) => name), ['gw-2']);
});
