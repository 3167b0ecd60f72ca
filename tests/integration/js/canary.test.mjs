// After pushes in all three key modes through the real programs: no secret is where it must not be. The search proves itself on secrets that
// were planted.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Search, formsOf, formsOfKey, newP256 } from './canary.mjs';
import { clients } from './clients.mjs';
import { Deployment, run, until } from './harness.mjs';
import { serviceOf } from './schema.mjs';
import { decode } from './wire.mjs';

const PASSPHRASES = { key: 'canary-passphrase-of-a-held-key', operator: 'canary-passphrase-of-an-operator' };

async function openssl(...args) {
  const { status, stderr } = await run('openssl', args);
  assert.equal(status, 0, stderr);
}
const keyOf = (file) => crypto.createPrivateKey(fs.readFileSync(file));

test('the search finds what is planted, in every form and across the pieces that it reads', async () => {
  const key = newP256(), secret = crypto.randomBytes(16);
  const search = new Search().add('key', formsOfKey(key)).add('secret', formsOf(secret));
  const pem = (type) => key.export({ format: 'pem', type });
  const planted = {
    'pkcs8 PEM': Buffer.from(pem('pkcs8')), 'sec1 PEM': Buffer.from(pem('sec1')), DER: key.export({ format: 'der', type: 'pkcs8' }),
    'scalar as JWK': Buffer.from(JSON.stringify(key.export({ format: 'jwk' }))),
    'token text': Buffer.from(Buffer.concat([crypto.randomBytes(7), secret, crypto.randomBytes(5)]).toString('base64url')),
    hex: Buffer.from(secret.toString('hex')),
  };
  for (const [name, bytes] of Object.entries(planted))
    assert.ok(search.in(name, Buffer.concat([crypto.randomBytes(100), bytes, crypto.randomBytes(100)])).length > 0, name);
  for (const alignment of [0, 1, 2]) {
    const text = Buffer.concat([crypto.randomBytes(30 + alignment), secret, crypto.randomBytes(30)]).toString('base64');
    assert.deepEqual(search.in('it', Buffer.from(text)).filter((hit) => hit.includes(`base64 at ${alignment}`)).length, 1, text);
  }
  assert.deepEqual(search.in('noise', crypto.randomBytes(1 << 20)), []);
  const file = path.join(fs.mkdtempSync('/tmp/countersign-canary-'), 'file');
  fs.writeFileSync(file, Buffer.concat([Buffer.alloc((8 << 20) - 7), secret, Buffer.alloc(100)]));
  assert.equal(search.inFile(file).length, 1, 'across two pieces');
  fs.rmSync(path.dirname(file), { recursive: true });
  // The memory of this very process has them all.
  assert.ok(search.inMemory('this process', process.pid).found.some((hit) => hit.includes('secret (raw)')));
});

test('no secret is where it must not be', async (t) => {
  const deployment = await Deployment.create(t);
  // Three canaries that lie around on purpose: in the environment of the controller, in a comment, and as a device's name.
  const inEnvironment = newP256(), inComment = newP256();
  const device = `canary-${crypto.randomBytes(16).toString('hex')}`;
  assert.equal(await deployment.controller.stop(), 0);
  const logs = [deployment.controller];
  process.env.COUNTERSIGN_TEST_CANARY = inEnvironment.export({ format: 'pem', type: 'pkcs8' });
  await deployment.start();
  delete process.env.COUNTERSIGN_TEST_CANARY;
  logs.push(deployment.controller);

  const agent = await deployment.agent(device);
  fs.appendFileSync(agent.config, ['held', 'sealed'].map((name) => `[connector "${name}"]\napplication = file\n` +
    `certificate = ${path.join(agent.folder, name)}.pem\nkey = ${path.join(agent.folder, name)}.key\n`).join(''));
  const { token, admitted } = await deployment.addDevice(device);
  const enrolled = await agent.run('enrol', '--token', token);
  assert.equal(enrolled.status, 0, enrolled.stderr);
  await admitted;
  const running = agent.start();
  await deployment.advertised(device, 'sealed');

  // An operator whose key has a passphrase signs the requests.
  fs.writeFileSync(deployment.path('operator-passphrase'), `${PASSPHRASES.operator}\n`, { mode: 0o600 });
  await deployment.cli('operator', 'keygen', 'olga', '--passphrase-file', deployment.path('operator-passphrase'));
  await deployment.publish(['add-operator', 'olga=requester']);
  const push = async (name, comment, ...more) => {
    const out = await deployment.cli('push', name, '--comment', comment, '--as', 'olga', '--yes', '--passphrase-file',
      deployment.path('operator-passphrase'), ...more);
    const [request] = out.match(/REQ-\d+/);
    await deployment.cli('approve', request, '--manual', '--as', 'bob', '--yes');
    await deployment.cli('implement', request, '--manual', '--as', 'carol', '--yes', '--wait');
  };

  // held: imported from an encrypted file, pushed twice.
  const held = await deployment.certificate('held.example');
  fs.writeFileSync(deployment.path('key-passphrase'), `${PASSPHRASES.key}\n`, { mode: 0o600 });
  await openssl('pkcs8', '-topk8', '-v2', 'aes-256-cbc', '-in', held.key, '-passout', `pass:${PASSPHRASES.key}`, '-out', deployment.path('held.enc'));
  await deployment.cli('cert', 'import', held.leaf, '--key', deployment.path('held.enc'), '--passphrase-file', deployment.path('key-passphrase'));
  await deployment.cli('cert', 'attach', 'held.example', device, 'held');
  await push('held.example', inComment.export({ format: 'pem', type: 'pkcs8' }));
  await push('held.example', 'again');
  // sealed
  const sealed = await deployment.certificate('sealed.example');
  await deployment.cli('cert', 'import', sealed.leaf);
  await deployment.cli('cert', 'attach', 'sealed.example', device, 'sealed');
  await push('sealed.example', 'sealed', '--key', sealed.key);
  // on-device
  const asked = await deployment.json('cert', 'request', '--device', device, '--connector', 'app', '--name', 'own.example', '--as', 'ada',
    '--yes', '--wait');
  await deployment.cli('cert', 'csr', asked.key_request_id, '--out', deployment.path('own.csr'));
  await openssl('x509', '-req', '-in', deployment.path('own.csr'), '-CA', deployment.path('ca.crt'), '-CAkey', deployment.path('ca.key'),
    '-CAcreateserial', '-days', '60', '-out', deployment.path('own.crt'));
  await deployment.cli('cert', 'import', deployment.path('own.crt'));
  await deployment.cli('cert', 'attach', 'own.example', device, 'app');
  await push('own.example', 'made there');

  // By every client that is not ours, in JSON and in protobuf, as DER and as PEM; and with what is refused beside it.
  const imported = {};
  for (const [at, client] of clients({ socket: deployment.socket }).entries()) {
    const { leaf, key } = await deployment.certificate(`client-${at}.example`);
    const { importCertificate } = serviceOf('CertificateService').method;
    const privateKey = at % 2 ? fs.readFileSync(key) : keyOf(key).export({ format: 'der', type: 'pkcs8' });
    await client.call(importCertificate, { certificates: fs.readFileSync(leaf), privateKey });
    await assert.rejects(client.call(importCertificate, { certificates: Buffer.from('none'), privateKey }), { code: 'invalid_argument' });
    imported[client.name] = keyOf(key);
  }

  const keys = { ...imported, held: keyOf(held.key), sealed: keyOf(sealed.key), 'on-device': keyOf(path.join(agent.folder, 'key.pem')) };
  for (const name of ['held', 'sealed'])
    assert.ok(keyOf(path.join(agent.folder, `${name}.key`)).equals(keys[name]), `${name} was installed`);
  const { authentication, binding } = decode('EnrolmentToken', Buffer.from(token.replace(/^cst1\./, ''), 'base64url'));
  const all = new Search();
  for (const [name, key] of Object.entries(keys)) all.add(`${name} key`, formsOfKey(key));
  // A PEM's line that stands in JSON is in base64 once more.
  for (const [name, key] of Object.entries(imported))
    for (const [form, line] of Object.entries(formsOfKey(key)).filter(([one]) => /^pkcs8 PEM/.test(one))) all.add(`${name}: ${form}`, formsOf(line));
  all.add('authentication half', formsOf(authentication)).add('binding half', formsOf(binding)).add('token', { text: Buffer.from(token) });
  for (const [name, phrase] of Object.entries(PASSPHRASES)) all.add(`passphrase of ${name}`, formsOf(Buffer.from(phrase)));

  const audit = Buffer.from(await deployment.cli('-o', 'json', 'audit', 'list'));
  const log = Buffer.from(logs.map((program) => program.output).join('\n'));
  const { pid } = deployment.controller;

  // First that the search sees each of these places.
  const planted = new Search().add('canary', formsOfKey(inEnvironment)).add('comment', formsOfKey(inComment)).add('name', { text: Buffer.from(device) });
  const state = deployment.path('state');
  const database = path.join(state, fs.readdirSync(state, { recursive: true }).find((name) => path.basename(name) === 'data.mdb'));
  assert.ok(planted.inFolder(state).some((hit) => hit.startsWith('comment') && hit.endsWith(database)), 'in the database');
  assert.ok(planted.in('the audit', audit).length > 0, 'in the audit');
  assert.ok(planted.in('the log', log).some((hit) => hit.startsWith('name')), 'in the log');
  const memory = planted.inMemory('the controller', pid);
  assert.ok(memory.found.some((hit) => hit.startsWith('canary')), 'in the memory: environment');
  assert.ok(memory.found.some((hit) => hit.startsWith('name')), 'in the memory: the session of the device');
  t.diagnostic(`${(memory.read / 2 ** 20).toFixed(0)} MiB of memory, ${(fs.statSync(database).size / 1024).toFixed(0)} KiB of database read`);

  // Then that it sees none of the secrets.
  assert.deepEqual(all.inFolder(state), [], 'on the controller\'s disk');
  assert.deepEqual(all.in('the audit', audit), []);
  assert.deepEqual(all.in('the log', log), []);
  assert.deepEqual(all.inMemory('the controller', pid).found, [], 'in the controller\'s memory');
  assert.deepEqual(all.inMemory('the agent', running.pid).found, [], 'in the agent\'s memory');
  assert.deepEqual(all.in('the log of the agent', Buffer.from(running.output)), []);

  // And again after a restart, when what was freed has been used anew and the database was opened again.
  await deployment.controller.kill();
  await deployment.start();
  await until('the device comes back', () => deployment.controller.output.includes('agent connected'));
  assert.deepEqual(all.inFolder(state), []);
  assert.deepEqual(all.inMemory('the controller', deployment.controller.pid).found, []);
  assert.equal(await running.stop(), 0);
});
