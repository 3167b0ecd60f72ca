// What monitoring sees: /livez, /readyz, /metrics and grpc.health.v1, over each listener that operators have.
import test from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { spawnSync } from 'node:child_process';
import grpc, { status } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import { Deployment, until } from './harness.mjs';
import { Operator } from './operator.mjs';
import { SignedIn, pem } from './sign_in.mjs';

const health = protobuf.parse(fs.readFileSync(new URL('../../../proto/grpc/health/v1/health.proto', import.meta.url), 'utf8'),
  new protobuf.Root(), { keepCase: true }).root;
const ask = health.lookupType('grpc.health.v1.HealthCheckRequest'), answer = health.lookupType('grpc.health.v1.HealthCheckResponse');
const [SERVING, NOT_SERVING, SERVICE_UNKNOWN] = [1, 2, 3];

const get = ({ tls, ...where }, path, headers = {}) => new Promise((resolve, reject) => {
  const request = (tls ? https : http).request({ host: '127.0.0.1', path, agent: false, rejectUnauthorized: false, headers, ...where }, (response) => {
    let body = '';
    response.setEncoding('utf8').on('data', (text) => { body += text; }).on('end', () => resolve({ code: response.statusCode, type: response.headers['content-type'], body }));
  });
  request.on('error', reject).end();
});

const check = (client, service = '') => new Promise((resolve, reject) => client.makeUnaryRequest('/grpc.health.v1.Health/Check',
  (bytes) => bytes, (bytes) => answer.decode(bytes).status, Buffer.from(ask.encode({ service }).finish()), new grpc.Metadata(),
  { deadline: Date.now() + 5000 }, (error, reply) => error ? reject(error) : resolve(reply)));

// What a watch was told, in order.
function watch(client, service = '') {
  const told = [];
  const call = client.makeServerStreamRequest('/grpc.health.v1.Health/Watch', (bytes) => bytes, (bytes) => answer.decode(bytes).status,
    Buffer.from(ask.encode({ service }).finish()));
  call.on('data', (one) => told.push(one)).on('error', () => {});
  return { told, call };
}

// The value of a series, by its name and labels as they stand.
const value = (page, series) => {
  const line = page.split('\n').find((one) => one.startsWith(`${series} `));
  assert.ok(line, `${series} is not in\n${page}`);
  return Number(line.slice(series.length + 1));
};

// promtool of the Debian package prometheus, where it is installed.
function promtool(page, t) {
  const { error, status: code, stdout, stderr } = spawnSync(process.env.PROMTOOL ?? 'promtool', ['check', 'metrics'], { input: page, encoding: 'utf8' });
  if (error?.code === 'ENOENT') return t.diagnostic('promtool is not installed: the page was checked by our own reading alone');
  assert.equal(`${code}${stdout}${stderr}`, '0');
  return t.diagnostic('promtool check metrics: nothing to say');
}

// Each family has its help and type before its samples, each series is there once.
function wellFormed(page) {
  const series = new Set();
  let family = '';
  assert.ok(page.endsWith('\n'));
  for (const line of page.split('\n').slice(0, -1)) {
    const begins = line.match(/^# TYPE (\S+) (gauge|counter|histogram)$/);
    if (begins) family = begins[1];
    if (line.startsWith('#')) continue;
    const [, name, labels = ''] = line.match(/^([a-z0-9_]+)(\{(?:[a-zA-Z_]+="(?:[^"\\\n]|\\["\\n])*",?)*\})? -?[0-9.e+-]+$/) ?? assert.fail(line);
    assert.ok(name.startsWith(family), `${name} under ${family}`);
    assert.ok(!series.has(name + labels), `twice: ${name}${labels}`);
    series.add(name + labels);
  }
  return series.size;
}

test('ready with a policy, alive before', async (t) => {
  const deployment = new Deployment(fs.mkdtempSync('/tmp/countersign-'), { operators: '127.0.0.1:0' });
  t.after(() => deployment.destroy());
  await deployment.start();
  const port = Number((await deployment.controller.line(/READY.*\boperators=\S*?:(\d+)/))[1]);
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  t.after(() => client.close());

  for (const where of [{ port }, { socketPath: deployment.socket }]) {
    assert.deepEqual(await get(where, '/livez'), { code: 200, type: 'text/plain; charset=utf-8', body: 'ok\n' });
    const { code, body } = await get(where, '/readyz');
    assert.equal(code, 503);
    assert.match(body, /^policy: there is no trust policy yet/);
    const page = await get(where, '/metrics');
    assert.equal(value(page.body, 'countersign_policy_version'), 0);
  }
  const whole = watch(client), unknown = watch(client, 'nobody.Service');
  await until('the first word', () => whole.told.length && unknown.told.length);
  assert.equal(await check(client), NOT_SERVING);

  await deployment.found();
  assert.equal((await get({ port }, '/readyz')).body, 'ready\n');
  assert.equal(await check(client), SERVING);
  assert.equal(await check(client, 'countersign.v1.PushService'), SERVING);
  await assert.rejects(check(client, 'nobody.Service'), (error) => error.code === status.NOT_FOUND);
  await until('a word of the change', () => whole.told.length > 1);
  assert.deepEqual(whole.told, [NOT_SERVING, SERVING]);
  assert.deepEqual(unknown.told, [SERVICE_UNKNOWN]);

  // Going down is told before the stream ends.
  await deployment.controller.stop();
  assert.deepEqual(whole.told, [NOT_SERVING, SERVING, NOT_SERVING]);
});

test('the metrics are those of what there is', async (t) => {
  const deployment = new Deployment(fs.mkdtempSync('/tmp/countersign-'), { operators: '127.0.0.1:0', metrics_certificates: 1 });
  t.after(() => deployment.destroy());
  await deployment.start();
  await deployment.found();
  const where = { socketPath: deployment.socket };
  const agent = await deployment.agent('gw-1');
  await agent.enrol();
  agent.start();
  await deployment.advertised('gw-1');
  await deployment.certificate('soon.example', { days: 5 });
  await deployment.certificate('later.example', { days: 400 });
  await deployment.cli('cert', 'import', deployment.path('later.example.pem'));
  await deployment.cli('cert', 'attach', 'later.example', 'gw-1', 'app');
  await deployment.push(deployment.path('soon.example.pem'), 'soon.example', 'gw-1');

  // What the other shard's listener counted is there with the scrape after the one that asked it.
  const { code, type, body: page } = await until('a page with the device', async () => {
    const one = await get(where, '/metrics');
    return value(one.body, 'countersign_connections{listener="agents"}') === 1 && one;
  });
  assert.equal(code, 200);
  assert.equal(type, 'text/plain; version=0.0.4; charset=utf-8');
  const admin = await Operator.open(t, deployment);
  assert.equal(value(page, 'countersign_audit_revision'), admin.status.revision);
  assert.equal(value(page, 'countersign_certificates{colour="orange"}'), 1);
  assert.equal(value(page, 'countersign_certificates{colour="green"}'), 1);
  assert.equal(value(page, 'countersign_certificates_attached'), 2);
  assert.equal(value(page, 'countersign_certificates_with_series'), 1);
  assert.equal(value(page, 'countersign_orders{state="completed"}'), 1);
  assert.equal(value(page, 'countersign_devices_connected'), 1);
  assert.ok(value(page, 'countersign_handshakes_total{listener="agents"}') >= 1);
  assert.equal(value(page, 'countersign_connections{listener="agents"}'), 1);
  assert.ok(value(page, 'countersign_syncs_total') > 5);
  assert.equal(value(page, 'countersign_commit_duration_seconds_count'), value(page, 'countersign_syncs_total'));
  assert.ok(value(page, 'countersign_policy_expiry_timestamp_seconds') > Date.now() / 1000 + 80 * 86400);
  const expiry = page.match(/^x509_cert_not_after\{serial_number="\d+",subject_CN="soon.example",issuer_CN="Test ca",discriminator="[0-9a-f]{16}"\} (\d+)$/m);
  assert.ok(Math.abs(Number(expiry[1]) - Date.now() / 1000 - 5 * 86400) < 600, page);
  assert.doesNotMatch(page, /later\.example/);
  assert.ok(wellFormed(page) > 60);
  promtool(page, t);
});

test('over TLS the metrics take a session, unless they are open', async (t) => {
  for (const open_metrics of ['no', 'yes']) {
    const deployment = new Deployment(fs.mkdtempSync('/tmp/countersign-'), { operators: '127.0.0.1:0', operators_tls: 'on', open_metrics });
    t.after(() => deployment.destroy());
    await deployment.start();
    const port = Number((await deployment.controller.line(/READY.*\boperators=\S*?:(\d+)/))[1]);
    await deployment.found();
    const where = { port, tls: true };
    assert.equal((await get(where, '/livez')).code, 200);
    assert.equal((await get(where, '/readyz')).code, 200);
    const { code, body } = await get(where, '/metrics');
    assert.equal(code, open_metrics === 'yes' ? 200 : 401);
    if (open_metrics === 'yes') continue;
    assert.match(body, /open_metrics = yes/);
    const admin = await Operator.open(t, deployment);
    const bob = await SignedIn.open(t, deployment, 'bob', { port, ca: pem(admin.status.agent_ca) });
    const page = await get(where, '/metrics', { authorization: bob.metadata.get('authorization')[0] });
    assert.equal(page.code, 200);
    assert.equal(value(page.body, 'countersign_sessions'), 1);
    assert.equal((await get(where, '/metrics', { authorization: 'Bearer AAAA' })).code, 401);
  }
});

test('a device\'s listeners answer nothing of it', async (t) => {
  const deployment = await Deployment.create(t);
  for (const port of [deployment.agentsPort, deployment.enrolmentPort])
    await assert.rejects(get({ port, tls: true }, '/metrics'));
});
