// A tampered message of every kind over the wire: whoever receives it refuses it, and names why. Toward the device stands a controller that
// has been taken over: it has all of the real one's keys, passes everything on, and changes one thing at a time.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import grpc from '@grpc/grpc-js';
import { bundle, makeCertificate, toPem } from './certificates.mjs';
import { enrolDevice, makeDevice, readToken } from './device.mjs';
import { Deployment, run, until } from './harness.mjs';
import { Operator, orderState } from './operator.mjs';
import { decode, encode, enumOf, makeCsr, sha256, signEnvelope } from './wire.mjs';

const same = (bytes) => bytes;
const ca = makeCertificate('Test CA', { ca: true });
const flip = (bytes, at = bytes.length - 1) => {
  const out = Buffer.from(bytes);
  out[at < 0 ? out.length + at : at] ^= 1;
  return out;
};
// The last byte of an envelope is of its signature; the tenth from the end of the payload is of a field's content.
const flipSignature = (envelope) => flip(envelope);
const flipPayload = (envelope) => {
  const parts = decode('Envelope', envelope);
  return encode('Envelope', { ...parts, payload: flip(parts.payload, -10) });
};
const failure = (promise) => promise.then(() => null, (error) => error);

// ---- toward the device

class TakenOver {
  constructor(deployment, agent) {
    const file = (...parts) => fs.readFileSync(deployment.path('state', 'keys', ...parts));
    this.deployment = deployment;
    this.agent = agent;
    this.anchor = file('agent-ca.pem');
    this.messageKey = crypto.createPrivateKey(file('message.key'));
    this.change = {};
    this.reports = []; // as the device signed them
  }

  // With the agent CA's key it makes itself any certificate.
  async certificate(commonName, key, extension) {
    const at = (suffix) => this.deployment.path(`taken-over-${commonName}${suffix}`);
    fs.writeFileSync(at('.csr'), toPem('CERTIFICATE REQUEST', makeCsr(key, commonName)));
    fs.writeFileSync(at('.ext'), extension ?? '');
    const keys = this.deployment.path('state', 'keys');
    const { status, stderr } = await run('openssl', ['x509', '-req', '-in', at('.csr'), '-CA', path.join(keys, 'agent-ca.pem'), '-CAkey',
      path.join(keys, 'agent-ca.key'), '-set_serial', '7', '-days', '5', '-extfile', at('.ext'), '-out', at('.crt')]);
    assert.equal(status, 0, stderr);
    return fs.readFileSync(at('.crt'));
  }

  async start() {
    const key = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    const pem = (one) => Buffer.from(one.export({ format: 'pem', type: 'pkcs8' }));
    const identity = crypto.createPrivateKey(fs.readFileSync(path.join(this.agent.folder, 'state', 'identity.key')));
    this.upstream = grpc.credentials.createSsl(this.anchor, pem(identity), await this.certificate('gw-1', identity));
    this.server = new grpc.Server();
    this.server.addService({ Connect: { path: '/countersign.v1.AgentService/Connect', requestStream: true, responseStream: true,
      requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same } },
    { Connect: (call) => this.pass(call) });
    const credentials = grpc.ServerCredentials.createSsl(this.anchor, [{ private_key: pem(key),
      cert_chain: await this.certificate('countersignd', key, 'subjectAltName=DNS:countersignd') }], true);
    this.port = await new Promise((resolve, reject) => this.server.bindAsync('127.0.0.1:0', credentials,
      (error, port) => error ? reject(error) : resolve(port)));
  }

  stop() { this.server.forceShutdown(); }

  pass(call) {
    const client = new grpc.Client(`127.0.0.1:${this.deployment.agentsPort}`, this.upstream,
      { 'grpc.ssl_target_name_override': 'countersignd', 'grpc.default_authority': 'countersignd' });
    const real = client.makeBidiStreamRequest('/countersign.v1.AgentService/Connect', same, same);
    const over = () => { real.cancel(); client.close(); };
    call.on('data', (bytes) => {
      this.note(decode('AgentMessage', bytes));
      real.write(bytes);
    });
    call.on('end', over);
    call.on('cancelled', over);
    call.on('error', over);
    real.on('data', (bytes) => call.write(this.changed(bytes)));
    real.on('error', () => call.end());
    real.on('end', () => call.end());
  }

  note({ body, statement }) {
    if (body !== 'statement') return;
    const { payload_type, payload } = decode('Envelope', statement);
    if (payload_type.includes('device-report')) this.reports.push(decode('DeviceReport', payload));
  }

  changed(bytes) {
    const message = decode('ControllerMessage', bytes);
    const change = this.change[message.body];
    return change ? encode('ControllerMessage', { [message.body]: change(message[message.body]) }) : bytes;
  }

  // The push message changed and signed again: a message key is the controller's own.
  message(change) {
    return (delivery) => {
      const bytes = change(decode('PushMessage', delivery.message));
      const { deployment_id } = decode('PushBatch', decode('Envelope', delivery.batch).payload);
      const batch = encode('PushBatch', { deployment_id, root: sha256(Buffer.of(0), bytes), count: 1, issued_at_s: Math.floor(Date.now() / 1000) });
      return { message: bytes, batch: signEnvelope('push-batch', batch, this.messageKey), index: 0, proof: [] };
    };
  }

  field(change) { return this.message((message) => encode('PushMessage', { ...message, ...change(message) })); }
}

test('a controller that has been taken over changes what it delivers', async (t) => {
  const deployment = await Deployment.create(t);
  const agent = await deployment.agent('gw-1');
  await agent.enrol();
  const between = new TakenOver(deployment, agent);
  await between.start();
  t.after(() => between.stop());
  const config = fs.readFileSync(agent.config, 'utf8').replace(/^controller = .*/m, `controller = 127.0.0.1:${between.port}\nbackoff_base = 1s\nbackoff_max = 1s`);
  fs.writeFileSync(agent.config, config);

  between.change.policy = flipSignature;
  const running = agent.start();
  const [refusal] = (await running.line(/trust policy refused.*error="(.*)"/)).slice(1);
  const verdicts = [`policy, signature: ${refusal}`];
  between.change = {};
  await running.stop();
  const again = agent.start();
  await deployment.advertised('gw-1');

  const operator = await Operator.open(t, deployment);
  const leaf = makeCertificate('push.example', { issuer: ca });
  const other = makeCertificate('push.example', { issuer: ca });
  const otherChain = Buffer.concat([other.der, ca.der]);
  await operator.call('CertificateService', 'ImportCertificate', { certificates: Buffer.from(bundle(leaf, ca)) });
  await operator.call('CertificateService', 'Attach', { certificate_id: leaf.id, device_name: 'gw-1', connector: 'app' });
  const core = (change) => ({ order_core }) => ({ order_core: encode('OrderCore', { ...decode('OrderCore', order_core), ...change }) });
  const decisions = (change) => between.field((message) => ({ decisions: change(message.decisions) }));
  const mallory = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const signedByMallory = (kind, envelope) => signEnvelope(kind, decode('Envelope', envelope).payload, mallory);

  const cases = {
    'batch, signature': ['batch-signature', (delivery) => ({ ...delivery, batch: flipSignature(delivery.batch) })],
    'batch, signed by another key': ['batch-signature', (delivery) => ({ ...delivery, batch: signedByMallory('push-batch', delivery.batch) })],
    'message, not signed again': ['not-in-batch', (delivery) => {
      const message = decode('PushMessage', delivery.message);
      return { ...delivery, message: encode('PushMessage', { ...message, decisions: message.decisions.slice(1) }) };
    }],
    'order core, with another certificate': ['not-in-request', between.field((message) => ({ chain: otherChain, ...core({
      chain_digest: sha256(otherChain), leaf_spki_digest: sha256(other.key.publicKey.export({ format: 'der', type: 'spki' })) })(message) }))],
    'request, signature': ['request-signature', between.field(({ request }) => ({ request: flipSignature(request) }))],
    'request, payload': ['request-signature', between.field(({ request }) => ({ request: flipPayload(request) }))],
    'request, signed by another key': ['request-signature', between.field(({ request }) => ({ request: signedByMallory('push-request', request) }))],
    'decision, signature': ['decision-signature', decisions(([first, second]) => [first, flipSignature(second)])],
    'decision, payload': ['decision-signature', decisions(([first, second]) => [flipPayload(first), second])],
    'decision, signed by another key': ['decision-signature', decisions(([first, second]) => [first, signedByMallory('decision', second)])],
    'decision, left out': ['undecided', decisions(([first]) => [first])],
    'decision, the first left out': ['decision-stale', decisions(([, second]) => [second])],
    'decision, twice': ['decision-stale', decisions(([first]) => [first, first])],
    'chain, of another certificate': ['chain-digest', between.field(() => ({ chain: otherChain }))],
    'chain, a byte': ['chain-digest', between.field(({ chain }) => ({ chain: flip(chain) }))],
    'sealed key, a byte': ['key-seal', between.field(({ sealed_key }) => ({ sealed_key: { ...sealed_key, ciphertext: flip(sealed_key.ciphertext) } }))],
    'sealed key, encapsulation': ['key-seal', between.field(({ sealed_key }) => ({ sealed_key: { ...sealed_key,
      enc: crypto.createECDH('prime256v1').generateKeys() } }))],
    'sealed key, left out': ['key-missing', between.field(() => ({ sealed_key: null }))],
    'message, bytes behind it': ['message-malformed', between.message((message) => Buffer.concat([encode('PushMessage', message), Buffer.from([0x78, 1])]))],
    'order core, bytes behind it': ['order-malformed', between.field(({ order_core }) => ({ order_core: Buffer.concat([order_core, Buffer.from([0x78, 1])]) }))],
    'order core, device-id': ['wrong-device', between.field(core({ device_id: crypto.randomBytes(16) }))],
    'order core, generation': ['not-in-request', between.field((message) => core({ generation: decode('OrderCore', message.order_core).generation + 1 })(message))],
  };
  const wrong = [];
  for (const [name, [verdict, change]] of Object.entries(cases)) {
    between.change = { push: change };
    const request = await operator.push(leaf.id, 'gw-1', 'app');
    // Nothing names the order: the device can only say in its log why it drops the message.
    if (/malformed/.test(verdict)) {
      const [line] = await again.line(new RegExp(`push refused.*verdict=${verdict}`));
      verdicts.push(`${name}: ${line.match(/verdict=.*/)[0]}`);
      continue;
    }
    const report = await until(`${name}: a report`, () => between.reports.find((one) => one.order_id.equals(request.core.order_id)),
    { timeout_ms: 10_000 });
    verdicts.push(`${name}: ${report.verdict}: ${report.detail}`);
    if (report.verdict !== verdict || report.outcome !== enumOf('Outcome').OUTCOME_REFUSED)
      wrong.push(`${name}: ${report.outcome} ${report.verdict} where ${verdict} was due`);
    // What the controller then shows; a report on a generation that it never gave names no order.
    if (name !== 'order core, generation')
      await until(`${name}: the order ends`, async () => {
        const order = await operator.order(request.core.number);
        return order.state === orderState.ORDER_STATE_FAILED && order.reason.startsWith(`${report.verdict}:`);
      });
  }
  assert.deepEqual(wrong, []);
  assert.ok(!fs.existsSync(path.join(agent.folder, 'chain.pem')), 'nothing was installed');
  // The one that nobody touched.
  between.change = {};
  const request = await operator.push(leaf.id, 'gw-1', 'app');
  await until('an order as it was decided completes', async () =>
    (await operator.order(request.core.number)).state === orderState.ORDER_STATE_COMPLETED);
  t.diagnostic(verdicts.join('\n'));
  assert.equal(await again.stop(), 0, again.output);
  assert.equal(await deployment.controller.stop(), 0, deployment.controller.output);
});

// ---- toward the controller and the client

test('the controller refuses what operators did not sign', async (t) => {
  const deployment = await Deployment.create(t);
  const device = await enrolDevice(deployment, 'gw-1');
  const session = device.connect();
  await until('welcome', () => session.messages.some((message) => message.body === 'welcome'));
  session.send({ statement: device.advertisement() });
  await deployment.advertised('gw-1');
  const operator = await Operator.open(t, deployment);
  const leaf = makeCertificate('push.example', { issuer: ca });
  await operator.call('CertificateService', 'ImportCertificate', { certificates: Buffer.from(bundle(leaf, ca)) });
  await operator.call('CertificateService', 'Attach', { certificate_id: leaf.id, device_name: 'gw-1', connector: 'app' });
  const policy = (await operator.call('TrustService', 'GetPolicy', {})).envelope;
  const { admission } = await operator.call('DeviceService', 'GetDevice', { name: 'gw-1' });
  const request = await operator.signRequest(await operator.prepare(leaf.id, 'gw-1', 'app'));
  const said = [];
  const refuses = async (name, says, service, method, body) => {
    const error = await failure(operator.call(service, method, body));
    assert.ok(error, `${name}: was taken`);
    assert.match(error.details, says, name);
    said.push(`${name}: ${grpc.status[error.code]} ${error.details}`);
  };
  const policyText = decode('TrustPolicy', decode('Envelope', policy).payload);
  const next = signEnvelope('trust-policy', encode('TrustPolicy', { ...policyText, version: 2,
    previous_digest: sha256(decode('Envelope', policy).payload) }), operator.key('ada'));
  for (const [name, envelope] of Object.entries({ 'signed by an operator': next, signature: flipSignature(policy), payload: flipPayload(policy) }))
    await refuses(`policy, ${name}`, /signature|signed|version|parse/, 'TrustService', 'PublishPolicy', { envelope });
  for (const [name, change] of Object.entries({ signature: flipSignature, payload: flipPayload })) {
    await refuses(`admission, ${name}`, /signature|signed/, 'DeviceService', 'AdmitDevice', { envelope: change(admission) });
    await refuses(`request, ${name}`, /signature|signed/, 'PushService', 'SubmitPush', { envelope: change(request.envelope) });
  }
  await operator.submit(request);
  const approval = operator.signDecision(request, 1, 'bob', []);
  for (const [name, change] of Object.entries({ signature: flipSignature, payload: flipPayload }))
    await refuses(`decision, ${name}`, /signature|signed/, 'PushService', 'Decide', { number: request.number, envelope: change(approval.envelope) });
  await refuses('decision, signed by another person', /signature|signed/, 'PushService', 'Decide', { number: request.number,
    envelope: signEnvelope('decision', decode('Envelope', approval.envelope).payload, operator.key('carol')) });
  await refuses('decision, as a request', /type|kind|decision|push-request/, 'PushService', 'Decide', { number: request.number, envelope: request.envelope });
  await operator.decide(request, approval);
  t.diagnostic(said.join('\n'));
  session.close();
  assert.equal(await deployment.controller.stop(), 0, deployment.controller.output);
});

test('the controller refuses what the device did not state', async (t) => {
  const deployment = await Deployment.create(t);
  const device = await enrolDevice(deployment, 'gw-1');
  const stranger = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const report = (fields = {}, key) => device.state('device-report', 'DeviceReport', { order_id: crypto.randomBytes(16), connector: 'app',
    generation: 1, attempt: 1, outcome: 2, verdict: 'ok', detail: 'x', policy_version: 1, ...fields }, key);
  const cases = {
    'advertisement, signature': flipSignature(device.advertisement()),
    'advertisement, payload': flipPayload(device.advertisement()),
    'advertisement, signed by another key': device.advertisement({}, stranger),
    'advertisement, of another device-id': device.advertisement({ device_id: crypto.randomBytes(16) }),
    'advertisement, of another deployment': device.advertisement({ deployment_id: crypto.randomBytes(16) }),
    'report, signature': flipSignature(report()),
    'report, payload': flipPayload(report()),
    'report, signed by another key': report({}, stranger),
    'report, of another device-id': report({ device_id: crypto.randomBytes(16) }),
    'report, of another deployment': report({ deployment_id: crypto.randomBytes(16) }),
    'a statement that devices do not make': signEnvelope('decision', Buffer.from([0x0a, 0]), device.identity.privateKey),
  };
  const said = [];
  for (const [name, statement] of Object.entries(cases)) {
    const session = device.connect();
    await until('welcome', () => session.messages.some((message) => message.body === 'welcome'));
    session.send({ statement });
    const error = await Promise.race([session.ended, new Promise((resolve) => { setTimeout(resolve, 5000, 'no answer').unref(); })]);
    assert.ok(error?.code, `${name}: ${error}`);
    assert.match(error.details, /sign|another device-id|another deployment|does not make/, name);
    assert.ok(!session.messages.some((message) => message.body === 'ack'), `${name}: was acknowledged`);
    said.push(`${name}: ${grpc.status[error.code]} ${error.details}`);
    session.close();
  }
  assert.equal((await deployment.json('device', 'show', 'gw-1')).connectors?.length ?? 0, 0, 'something was advertised');
  t.diagnostic(said.join('\n'));
  assert.equal(await deployment.controller.stop(), 0, deployment.controller.output);
});

test('an enrolment that was changed on its way is not admitted', async (t) => {
  const deployment = await Deployment.create(t);
  const said = [];
  for (const [name, spoil] of Object.entries({
    'mac': (request) => ({ ...request, binding_mac: flip(request.binding_mac) }),
    'device-id': (request) => ({ ...request, device_id: crypto.randomBytes(16) }),
    'kem': (request) => ({ ...request, kem_spki: crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'der', type: 'spki' }) }),
    'key': (request) => ({ ...request, csr: makeCsr(crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, request.device_name) }),
  })) {
    const { token, admitted } = await deployment.addDevice(`gw-${name}`);
    await makeDevice(deployment, readToken(token)).enrol(spoil);
    const error = await failure(admitted);
    assert.match(error?.message ?? 'admitted', /MAC|did not make|does not hold|not the one|token/i, name);
    said.push(`${name}: ${error.message.split('\n').at(-1)}`);
  }
  for (const [name, spoil] of Object.entries({
    'csr': (request) => ({ ...request, csr: flip(request.csr) }),
    'authentication': (request) => ({ ...request, authentication: flip(request.authentication) }),
    'name': (request) => ({ ...request, device_name: 'gw-other' }),
  })) {
    const { token } = await deployment.addDevice(`gw-${name}`);
    const error = await failure(makeDevice(deployment, readToken(token)).enrol(spoil));
    assert.ok(error?.code, `${name}: was enrolled`);
    said.push(`${name}: ${grpc.status[error.code]} ${error.details}`);
  }
  assert.deepEqual((await deployment.json('device', 'list')).devices?.filter((device) => device.admitted) ?? [], []);
  t.diagnostic(said.join('\n'));
  assert.equal(await deployment.controller.stop(), 0, deployment.controller.output);
});
