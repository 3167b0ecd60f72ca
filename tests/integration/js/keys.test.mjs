// Private keys that the controller never has: made on the device, or sealed by the requester. With the real programs.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { bundle, makeCertificate } from './certificates.mjs';
import { Deployment, run, until } from './harness.mjs';
import { sealKey } from './hpke.mjs';
import { Operator, hasEnded, orderState, random } from './operator.mjs';
import { decode, enumOf, sha256, signEnvelope } from './wire.mjs';

const mode = enumOf('KeyMode');
const ca = makeCertificate('Test CA', { ca: true });
const spkiOf = (key) => key.export({ format: 'der', type: 'spki' });

async function openssl(...args) {
  const { status, stdout, stderr } = await run('openssl', args);
  assert.equal(status, 0, `openssl ${args.join(' ')}: ${stderr}`);
  return stdout;
}

// A device with two connectors, "app" and "web".
async function twoConnectors(deployment, name = 'gw-1') {
  const agent = await deployment.agent(name);
  fs.appendFileSync(agent.config, `[connector "web"]\napplication = file\ncertificate = ${path.join(agent.folder, 'web.pem')}\n` +
    `key = ${path.join(agent.folder, 'web.key')}\n`);
  fs.writeFileSync(agent.config, fs.readFileSync(agent.config, 'utf8').replace('[connector', 'backoff_base = 1s\nbackoff_max = 1s\n[connector'));
  await agent.enrol();
  return { ...agent, pending: () => {
    const folder = path.join(agent.folder, 'state', 'keys');
    return fs.existsSync(folder) ? fs.readdirSync(folder) : [];
  } };
}

function request(deployment, more = []) {
  const options = { '--device': 'gw-1', '--connector': 'app', '--name': 'gw-1.example', '--as': 'ada' };
  const given = Object.entries(options).filter(([option]) => !more.includes(option)).flat();
  return deployment.cliRaw('-o', 'json', 'cert', 'request', '--yes', ...given, ...more);
}
const requested = async (deployment, more) => {
  const { status, stdout, stderr } = await request(deployment, more);
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
};
const keyRequest = async (deployment, id) =>
  (await deployment.json('cert', 'requests')).key_requests.find((one) => one.key_request_id === id);
const answered = (deployment, id) => until('the device answers', async () => {
  const one = await keyRequest(deployment, id);
  return one.state !== 'waiting' && one;
});

// The CSR as the operator gets it, and what a CA makes of it: leaf and CA in one file.
async function issue(deployment, id, name = 'answer') {
  const file = (suffix) => deployment.path(`${name}${suffix}`);
  await deployment.cli('cert', 'csr', id, '--out', file('.csr'));
  fs.writeFileSync(deployment.path('js-ca.crt'), ca.pem);
  fs.writeFileSync(deployment.path('js-ca.key'), ca.keyPem);
  await openssl('x509', '-req', '-in', file('.csr'), '-CA', deployment.path('js-ca.crt'), '-CAkey', deployment.path('js-ca.key'),
    '-CAcreateserial', '-days', '60', '-copy_extensions', 'copyall', '-out', file('.crt'));
  fs.writeFileSync(file('.pem'), fs.readFileSync(file('.crt'), 'utf8') + ca.pem);
  return { csr: file('.csr'), pem: file('.pem'), leaf: new crypto.X509Certificate(fs.readFileSync(file('.crt'))) };
}

test('a key is made on the device, and only the certificate travels', async (t) => {
  const deployment = await Deployment.create(t);
  const agent = await twoConnectors(deployment);
  let running = agent.start();
  await deployment.advertised('gw-1', 'web');
  const asked = await requested(deployment, ['--dns', 'gw-1.example', '--dns', '*.gw-1.example', '--wait']);
  assert.equal(asked.state, 'answered');
  const [spki] = agent.pending();
  assert.equal(agent.pending().length, 1);
  assert.equal(fs.statSync(path.join(agent.folder, 'state', 'keys', spki, 'pending')).mode & 0o777, 0o600);
  const { csr, pem, leaf } = await issue(deployment, asked.key_request_id.slice(0, 8));
  const text = await openssl('req', '-in', csr, '-noout', '-verify', '-text');
  assert.match(text, /CN ?= ?gw-1\.example[^]*DNS:gw-1\.example, DNS:\*\.gw-1\.example/);
  assert.equal(sha256(spkiOf(leaf.publicKey)).toString('hex'), spki, 'the key is named by its SPKI');

  // Both programs begin anew between the CSR and its certificate.
  assert.equal(await running.stop(), 0);
  assert.equal(await deployment.controller.stop(), 0);
  await deployment.start();
  running = agent.start();
  const imported = await deployment.json('cert', 'import', pem);
  assert.equal(imported.key_mode, 'on-device');
  assert.equal(imported.made_for, 'gw-1/app');
  assert.match(await deployment.cli('cert', 'show', 'gw-1.example'), /Private key +made on the device/);
  assert.equal((await keyRequest(deployment, asked.key_request_id)).state, 'imported');
  const elsewhere = await deployment.cliRaw('cert', 'attach', 'gw-1.example', 'gw-1', 'web');
  assert.match(elsewhere.stderr, /made on gw-1 for app: it can be attached only there/);
  await deployment.cli('cert', 'attach', 'gw-1.example', 'gw-1', 'app');
  await deployment.advertised('gw-1', 'web');
  const foreign = await deployment.certificate('foreign.example');
  const brought = await deployment.cliRaw('push', 'gw-1.example', '--key', foreign.key, '--comment', 'x', '--as', 'ada', '--yes');
  assert.match(brought.stderr, /made on gw-1 and is nowhere else/);

  await deployment.pushAttached('gw-1.example');
  const key = () => crypto.createPrivateKey(fs.readFileSync(path.join(agent.folder, 'key.pem')));
  assert.ok(leaf.checkPrivateKey(key()), 'the key that is installed is the certificate\'s');
  assert.deepEqual(agent.pending(), [], 'the key waits no longer');
  assert.match(await deployment.cli('topology', 'gw-1.example'), /made on the device[^]*Completed/);
  assert.match(await deployment.cli('order', 'show', 'WO-1'), /Private key +made on the device/);
  // Once more: its key is where it was installed.
  await deployment.pushAttached('gw-1.example');
  assert.ok(leaf.checkPrivateKey(key()));
  assert.equal(await running.stop(), 0, running.output);
  assert.equal(await deployment.controller.stop(), 0, deployment.controller.output);
});

test('a request waits for its device, and a repeated one gets the same CSR', async (t) => {
  const deployment = await Deployment.create(t);
  const agent = await twoConnectors(deployment);
  let running = agent.start();
  await deployment.advertised('gw-1');
  assert.equal(await running.stop(), 0);
  const asked = await requested(deployment);
  assert.equal(asked.state, 'waiting');
  const early = await deployment.cliRaw('cert', 'csr', asked.key_request_id);
  assert.match(early.stderr, /there is no CSR: waits for the device/);
  const late = await requested(deployment, ['--expires', '1s']);
  const timed = await request(deployment, ['--wait', '--timeout', '1s']);
  assert.equal(timed.status, 5, timed.stderr);
  await deployment.controller.kill();
  await deployment.start();
  running = agent.start();
  const { state } = await answered(deployment, asked.key_request_id);
  assert.equal(state, 'answered');
  assert.equal((await keyRequest(deployment, late.key_request_id)).state, 'expired');
  assert.match((await deployment.cliRaw('cert', 'csr', late.key_request_id)).stderr, /expired: the device did not answer in time/);
  await until('both keys are made', () => agent.pending().length === 2);
  assert.equal(await running.stop(), 0);

  // The controller forgets the answer: it is restored from a backup that was made before.
  const csr = (id) => deployment.cli('cert', 'csr', id);
  const before = deployment.path('before');
  running = agent.start();
  await deployment.advertised('gw-1');
  assert.equal(await running.stop(), 0);
  const again = await requested(deployment);
  assert.equal(await deployment.controller.stop(), 0);
  fs.cpSync(deployment.path('state'), before, { recursive: true });
  await deployment.start();
  running = agent.start();
  await answered(deployment, again.key_request_id);
  const first = await csr(again.key_request_id);
  assert.equal(await deployment.controller.stop(), 0);
  fs.rmSync(deployment.path('state'), { recursive: true });
  fs.renameSync(before, deployment.path('state'));
  await deployment.start();
  assert.equal((await answered(deployment, again.key_request_id)).state, 'answered');
  assert.equal(await csr(again.key_request_id), first, 'the same CSR to the byte');
  await running.line(/key request answered again/);
  assert.equal(agent.pending().length, 3);
  assert.equal(await running.stop(), 0);
});

test('what a device refuses its operator is told', async (t) => {
  const deployment = await Deployment.create(t);
  const agent = await twoConnectors(deployment);
  const running = agent.start();
  await deployment.advertised('gw-1');
  for (let i = 0; i < 4; i++) await requested(deployment, ['--wait']);
  const { status, stdout, stderr } = await request(deployment, ['--wait']);
  assert.equal(status, 1, stdout);
  assert.match(stderr, /device gw-1 made no key: keys-pending: 4 keys that were made here wait/);
  const refused = JSON.parse(stdout);
  assert.match((await deployment.cliRaw('cert', 'csr', refused.key_request_id)).stderr, /made no key: keys-pending/);
  assert.match(await deployment.cli('cert', 'requests'), /refused +keys-pending/);
  assert.equal(agent.pending().length, 4);
  assert.match((await agent.run('status')).stdout, /4 keys wait for their certificates[^]*for "app"/);
  for (const [args, says] of [
    [['--device', 'gw-9'], /no device gw-9/], [['--connector', 'mail'], /does not say that it has an app connector mail/],
    [['--dns', 'a b'], /not a DNS name/], [['--as', 'bob'], /bob is no requester/], [['--expires', '91d'], /within 90 days/]])
    assert.match((await request(deployment, args)).stderr, says);

  // A client that signs for itself, and a controller that lets it: here the controller already refuses.
  const operator = await Operator.open(t, deployment);
  const { request: envelope } = await operator.call('CertificateService', 'GetKeyRequest',
    { key_request_id: Buffer.from(refused.key_request_id, 'hex') });
  const mallory = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  await assert.rejects(operator.call('CertificateService', 'RequestKey',
    { envelope: signEnvelope('key-request', decode('Envelope', envelope).payload, mallory) }), /UNAUTHENTICATED/);
  await assert.rejects(operator.call('CertificateService', 'RequestKey',
    { envelope: signEnvelope('key-request', decode('Envelope', envelope).payload, operator.key('carol')) }), /PERMISSION_DENIED|UNAUTHENTICATED/);
  assert.equal(await running.stop(), 0);
});

test('kill -9 of the agent leaves a key with its CSR, or neither', async (t) => {
  const rand = random(Number(process.env.CS_SEED ?? Date.now() % 1e6));
  const deployment = await Deployment.create(t);
  const agent = await twoConnectors(deployment);
  let running = agent.start();
  await deployment.advertised('gw-1');
  await running.kill();
  let kills = 0, made = 0;
  const keys = new Set();
  for (let round = 1; round <= 3; round++) {
    const asked = await requested(deployment);
    for (let tries = 0; tries < 15 && (await keyRequest(deployment, asked.key_request_id)).state === 'waiting'; tries++) {
      running = agent.start();
      await running.line(/connected/);
      await sleep(rand.below(40));
      await running.kill();
      kills++;
      made += agent.pending().length >= round;
    }
    running = agent.start();
    assert.equal((await answered(deployment, asked.key_request_id)).state, 'answered');
    await running.kill();
    const { leaf } = await issue(deployment, asked.key_request_id, `round-${round}`);
    keys.add(sha256(spkiOf(leaf.publicKey)).toString('hex'));
    assert.deepEqual(agent.pending().sort(), [...keys].sort(), 'one key for one request');
  }
  assert.equal(keys.size, 3);
  t.diagnostic(`${kills} kills until three answers were durable, ${made} of them with the key on disk`);
});

// ---- sealed

test('a key that the requester seals reaches its devices and nobody else', async (t) => {
  const deployment = await Deployment.create(t);
  const agents = [await twoConnectors(deployment, 'gw-1'), await twoConnectors(deployment, 'gw-2')];
  const running = agents.map((agent) => agent.start());
  for (const agent of agents) await deployment.advertised(agent.name, 'web');
  const { leaf, key } = await deployment.certificate('metering.example');
  const { key: otherKey } = await deployment.certificate('other.example');
  const imported = await deployment.json('cert', 'import', leaf);
  assert.equal(imported.key_mode, 'none');
  for (const [device, connector] of [['gw-1', 'app'], ['gw-1', 'web'], ['gw-2', 'app']])
    await deployment.cli('cert', 'attach', 'metering.example', device, connector);
  const push = (...more) => deployment.cliRaw('push', 'metering.example', '--comment', 'x', '--as', 'ada', '--yes', ...more);
  assert.match((await push()).stderr, /give --key FILE to seal it/);
  assert.match((await push('--key', otherKey)).stderr, /does not belong to "metering\.example": nothing was sealed/);
  const sealed = await push('--key', key);
  assert.equal(sealed.status, 0, sealed.stderr);
  assert.match(sealed.stderr, /sealed by the requester/, 'what is signed says so');
  await deployment.cli('approve', 'REQ-1', '--manual', '--as', 'bob', '--yes');
  await deployment.cli('implement', 'REQ-1', '--manual', '--as', 'carol', '--yes', '--wait');
  const x509 = new crypto.X509Certificate(fs.readFileSync(leaf));
  for (const file of ['gw-1/key.pem', 'gw-1/web.key', 'gw-2/key.pem'])
    assert.ok(x509.checkPrivateKey(crypto.createPrivateKey(fs.readFileSync(deployment.path(file)))), file);
  assert.match(await deployment.cli('order', 'show', 'WO-2'), /Private key +sealed by the requester/);
  assert.match(await deployment.cli('request', 'show', 'REQ-1'), /Private key +sealed by the requester/);

  // A passphrase opens the file here.
  fs.writeFileSync(deployment.path('passphrase'), 'correct horse\n');
  await openssl('pkcs8', '-topk8', '-v2', 'aes-256-cbc', '-in', key, '-passout', 'pass:correct horse', '-out', deployment.path('enc.key'));
  const again = await push('--key', deployment.path('enc.key'), '--key-passphrase-file', deployment.path('passphrase'), '--to', 'gw-2/app');
  assert.equal(again.status, 0, again.stderr);
  for (const one of running) assert.equal(await one.stop(), 0, one.output);
});

test('keys that are missing, swapped, or not the certificate\'s', async (t) => {
  const deployment = await Deployment.create(t);
  const agent = await twoConnectors(deployment);
  const running = agent.start();
  await deployment.advertised('gw-1', 'web');
  const operator = await Operator.open(t, deployment);
  const leaf = makeCertificate('push.example', { issuer: ca });
  const other = makeCertificate('push.example', { issuer: ca });
  await operator.call('CertificateService', 'ImportCertificate', { certificates: Buffer.from(leaf.pem + ca.pem) });
  for (const connector of ['app', 'web'])
    await operator.call('CertificateService', 'Attach', { certificate_id: leaf.id, device_name: 'gw-1', connector });
  const { admission } = await operator.call('DeviceService', 'GetDevice', { name: 'gw-1' });
  const { kem_spki } = decode('Admission', decode('Envelope', admission).payload);
  const der = (one) => one.key.privateKey.export({ format: 'der', type: 'pkcs8' });

  await assert.rejects(operator.call('PushService', 'PreparePush', { certificate_id: leaf.id }), /holds no private key/);
  const prepare = async () => {
    const prepared = await operator.call('PushService', 'PreparePush', { certificate_id: leaf.id, key_mode: mode.KEY_MODE_SEALED });
    const { cores } = await operator.call('PushService', 'GetOrderCores', { number: prepared.number });
    return { prepared, cores };
  };
  const place = (core) => ({ deployment_id: operator.status.deployment_id, ...decode('OrderCore', core), core });
  const sealFor = async (core, key) => sealKey(kem_spki, { ...place(core), core }, key);
  const put = (prepared, from_index, keys) => operator.call('PushService', 'PutSealedKeys', { number: prepared.number, from_index, keys });
  // Two orders: the root over them by hand.
  const sign = ({ prepared, cores }) => operator.signRequest(prepared, { order_count: cores.length,
    order_root: sha256(Buffer.of(1), ...cores.map((core) => sha256(Buffer.of(0), core))) });
  const decided = async (signed) => {
    const approved = operator.signDecision(signed, 1, 'bob', []);
    await operator.decide(signed, approved);
    await operator.decide(signed, operator.signDecision(signed, 2, 'carol', [approved.digest]));
  };
  const ends = ({ cores }) => Promise.all(cores.map((core) => until('the order ends', async () => {
    const order = await operator.order(decode('OrderCore', core).number);
    return hasEnded(order.state) && order;
  })));

  // Missing: none, then one of two.
  const first = await prepare();
  const keys = [await sealFor(first.cores[0], der(leaf)), await sealFor(first.cores[1], der(leaf))];
  const signed = await sign(first);
  await assert.rejects(operator.submit(signed), /sealed keys of 2 of 2 work orders are missing, the first is WO-1/);
  await put(first.prepared, 0, [keys[0]]);
  await assert.rejects(operator.submit(signed), /sealed keys of 1 of 2 work orders are missing, the first is WO-2/);
  await assert.rejects(put(first.prepared, 1, keys), /no order for each key/);
  await assert.rejects(put(first.prepared, 0, [{ enc: keys[0].enc.subarray(1), ciphertext: keys[0].ciphertext }]), /malformed/);
  // Swapped between the two, as a controller could do it.
  await put(first.prepared, 0, [keys[1], keys[0]]);
  await operator.submit(signed);
  await decided(signed);
  for (const order of await ends(first)) {
    assert.equal(order.state, orderState.ORDER_STATE_FAILED);
    assert.match(order.reason, /^key-seal:/);
  }
  // Another certificate's key, sealed well: only the device can see that.
  const second = await prepare();
  await put(second.prepared, 0, [await sealFor(second.cores[0], der(other)), await sealFor(second.cores[1], der(leaf))]);
  const resigned = await sign(second);
  await operator.submit(resigned);
  await decided(resigned);
  const [mismatched, good] = await ends(second);
  assert.match(mismatched.reason, /^key-mismatch:/);
  assert.equal(good.state, orderState.ORDER_STATE_COMPLETED, good.reason);
  await assert.rejects(put(second.prepared, 0, keys), /nothing is reserved/);
  assert.ok(leaf.key && !fs.existsSync(path.join(agent.folder, 'key.pem')));
  // What is held goes another way: nothing can be sealed into it.
  await operator.call('CertificateService', 'ImportCertificate', { certificates: Buffer.from(bundle(leaf, ca)) });
  const held = await operator.call('PushService', 'PreparePush', { certificate_id: leaf.id });
  await assert.rejects(put(held, 0, keys), /was not prepared for sealed keys/);
  assert.equal(await running.stop(), 0, running.output);
});
