// Who may call what over which listener: sessions by signed challenges, roles, users of the machine.
import test from 'node:test';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { status } from '@grpc/grpc-js';
import { Deployment, bin, run } from './harness.mjs';
import { Operator } from './operator.mjs';
import { SignedIn, keyOf, pem } from './sign_in.mjs';
import { encode, root, sha256, signEnvelope, type } from './wire.mjs';

const refused = (code, says) => (error) => {
  assert.equal(error.code, code, `${status[error.code]}: ${error.details}`);
  assert.match(error.details, says);
  return true;
};

async function listening(t, controller, sections = '') {
  const deployment = new Deployment(fs.mkdtempSync('/tmp/countersign-'), { operators: '127.0.0.1:0', ...controller });
  deployment.sections = sections;
  t.after(() => deployment.destroy());
  await deployment.start();
  deployment.operatorsPort = Number((await deployment.controller.line(/READY.*\boperators=\S*?:(\d+)/))[1]);
  await deployment.found();
  return deployment;
}

const auditOf = async (operator) => (await operator.audit()).map(({ command, actor, subject, detail }) => `${command} ${actor} ${subject} ${detail}`);

test('a signed challenge opens a session, once, for whose key it is', async (t) => {
  const deployment = await listening(t);
  const port = deployment.operatorsPort;
  const admin = await Operator.open(t, deployment);
  const bob = new SignedIn({ port });
  t.after(() => bob.close());

  await assert.rejects(bob.call('ControllerService', 'GetStatus'), refused(status.UNAUTHENTICATED, /takes a session/));
  await assert.rejects(bob.call('SessionService', 'WhoAmI'), refused(status.UNAUTHENTICATED, /takes a session/));

  const envelope = await bob.opening(deployment, 'bob');
  const opened = await bob.call('SessionService', 'OpenSession', { envelope });
  assert.equal(Buffer.from(opened.token, 'base64').length, 32);
  assert.equal(opened.idle_s, 1800);
  await assert.rejects(bob.call('SessionService', 'OpenSession', { envelope }), refused(status.UNAUTHENTICATED, /answers no challenge/));
  bob.metadata.set('authorization', `Bearer ${opened.token}`);
  assert.equal((await bob.call('ControllerService', 'GetStatus')).policy_version, 1);
  const me = await bob.call('SessionService', 'WhoAmI');
  assert.deepEqual([me.operator, me.roles, me.operators], ['bob', [2], ['bob']]);

  const mallory = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  for (const [name, more, says] of [
    ['bob', { key: mallory }, /no key|not signed|signature/i],
    ['bob', { key: keyOf(deployment, 'carol') }, /not signed by a key of bob/],
    ['mallory', { key: keyOf(deployment, 'bob') }, /mallory is no operator/],
    ['bob', { deployment_id: Buffer.alloc(16, 1) }, /another deployment/],
    ['bob', { challenge: Buffer.alloc(32, 7) }, /answers no challenge/],
    ['bob', { server_spki_digest: Buffer.alloc(32, 7) }, /another server's key/],
  ])
    await assert.rejects(bob.signIn(deployment, name, more), refused(status.UNAUTHENTICATED, says), JSON.stringify(more));

  // What is not signed is done in the caller's name.
  await assert.rejects(bob.call('DeviceService', 'BanDevice', { name: 'gw-1' }), refused(status.PERMISSION_DENIED, /BanDevice takes the role admin; bob has approver/));
  const ada = await SignedIn.open(t, deployment, 'ada', { port });
  await deployment.certificate('client.example');
  const { certificate } = await ada.call('CertificateService', 'ImportCertificate',
    { certificates: fs.readFileSync(deployment.path('client.example.pem')) });
  assert.equal(certificate.common_name, 'client.example');

  // On the admin socket the command line says which operator calls.
  await deployment.certificate('other.example');
  await deployment.cli('cert', 'import', deployment.path('other.example.pem'), '--as', 'ada');
  const refusal = await deployment.cliRaw('cert', 'import', deployment.path('other.example.pem'), '--as', 'bob');
  assert.match(refusal.stderr, /ImportCertificate takes the role requester or admin; bob has approver/);

  await bob.call('SessionService', 'CloseSession');
  await assert.rejects(bob.call('ControllerService', 'GetStatus'), refused(status.UNAUTHENTICATED, /session has ended/));
  const audit = await auditOf(admin);
  for (const line of ['OpenSession bob operator bob ', 'OpenSession ada operator ada ', 'CloseSession bob operator bob closed'])
    assert.ok(audit.includes(line), `${line}\n${audit.join('\n')}`);
  assert.equal(audit.filter((line) => line.startsWith('ImportCertificate ada ')).length, 2, audit.join('\n'));
  assert.ok(!deployment.controller.output.includes(opened.token));
});

test('whoever signs calls', async (t) => {
  const deployment = await listening(t);
  await deployment.cli('operator', 'keygen', 'dan', '--no-passphrase');
  await deployment.publish(['add-operator', 'dan=requester']);
  const admin = await Operator.open(t, deployment);
  const now_s = Math.floor(Date.now() / 1000);
  const payload = encode('PushRequest', { deployment_id: admin.status.deployment_id, policy_version: 2, requester: 'ada', number: 1,
    request_id: Buffer.alloc(16, 1), requested_at_s: now_s, decide_by_s: now_s + 60, window_s: 60, max_attempts: 1,
    order_root: Buffer.alloc(32, 1), order_count: 1, comment_digest: sha256(Buffer.alloc(0)) });
  const envelope = signEnvelope('push-request', payload, keyOf(deployment, 'ada'));
  const where = { port: deployment.operatorsPort };
  const dan = await SignedIn.open(t, deployment, 'dan', where), ada = await SignedIn.open(t, deployment, 'ada', where);
  await assert.rejects(dan.call('PushService', 'SubmitPush', { envelope }), refused(status.PERMISSION_DENIED, /signed by ada, and dan calls/));
  await assert.rejects(ada.call('PushService', 'SubmitPush', { envelope }), (error) => error.code !== status.PERMISSION_DENIED);
});

// Every unary method that the wire has; a new one that changes something is refused by itself.
test('an auditor sees all and changes nothing', async (t) => {
  const deployment = await listening(t);
  await deployment.cli('operator', 'keygen', 'ann', '--no-passphrase');
  await deployment.publish(['add-operator', 'ann=auditor']);
  const ann = await SignedIn.open(t, deployment, 'ann', { port: deployment.operatorsPort });
  let changing = 0, reading = 0;

  for (const service of ['ControllerService', 'TrustService', 'DeviceService', 'CertificateService', 'PushService'])
    for (const method of Object.keys(root.lookupService(`countersign.v1.${service}`).methods)) {
      type(`${method}Request`);
      const error = await ann.call(service, method).then(() => ({ code: status.OK }), (why) => why);
      if (error.code === status.UNIMPLEMENTED) continue;
      if (/^(Get|List|Explain)/.test(method)) {
        reading++;
        assert.ok(![status.PERMISSION_DENIED, status.UNAUTHENTICATED].includes(error.code), `${method}: ${error.details}`);
      } else {
        changing++;
        assert.equal(error.code, status.PERMISSION_DENIED, `${method}: ${status[error.code]} ${error.details}`);
        assert.match(error.details, /ann has auditor/);
      }
    }
  assert.ok(changing >= 13 && reading >= 14, `${changing} that change, ${reading} that read`);
});

test('a policy without the person or the key ends the session at once', async (t) => {
  const deployment = await listening(t);
  await deployment.cli('operator', 'keygen', 'ben', '--no-passphrase');
  await deployment.publish(['add-operator', 'ben=approver'], ['add-group', 'night=admin:ben,carol']);
  const where = { port: deployment.operatorsPort };
  const ben = await SignedIn.open(t, deployment, 'ben', where);
  const carol = await SignedIn.open(t, deployment, 'carol', where);
  const me = await ben.call('SessionService', 'WhoAmI');
  assert.deepEqual([me.roles, me.groups], [[2, 4], ['night']]);
  await assert.rejects(ben.call('DeviceService', 'BanDevice', { name: 'nobody' }), refused(status.NOT_FOUND, /nobody/));

  // Roles are looked up for each call: the group goes, and with it the role.
  await deployment.publish(['remove-group', 'night']);
  await assert.rejects(ben.call('DeviceService', 'BanDevice', { name: 'nobody' }), refused(status.PERMISSION_DENIED, /ben has approver/));
  await deployment.publish(['remove-operator', 'ben']);
  await assert.rejects(ben.call('ControllerService', 'GetStatus'), refused(status.UNAUTHENTICATED, /session has ended/));
  await assert.rejects(ben.signIn(deployment, 'ben'), (error) => error.code === status.UNAUTHENTICATED);
  await carol.call('ControllerService', 'GetStatus');
  const admin = await Operator.open(t, deployment);
  assert.ok((await auditOf(admin)).includes('CloseSession ben operator ben the operator is no longer in the trust policy'));
});

test('over TLS a challenge that was handed on is worth nothing', async (t) => {
  const deployment = await listening(t, { operators_tls: 'on' });
  const port = deployment.operatorsPort;
  const admin = await Operator.open(t, deployment);
  const ca = pem(admin.status.agent_ca);
  const bob = await SignedIn.open(t, deployment, 'bob', { port, ca });
  assert.equal((await bob.call('ControllerService', 'GetStatus')).policy_version, 1);

  const other = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'der', type: 'spki' });
  await assert.rejects(bob.signIn(deployment, 'bob', { server_spki_digest: sha256(other) }), refused(status.UNAUTHENTICATED, /another server's key/));
  await assert.rejects(bob.signIn(deployment, 'bob', { server_spki_digest: Buffer.alloc(0) }), refused(status.UNAUTHENTICATED, /another server's key/));

  // A client that expects another CA does not get as far as a call.
  await deployment.certificate('unused.example');
  const misled = new SignedIn({ port, ca: fs.readFileSync(deployment.path('ca.crt')) });
  t.after(() => misled.close());
  await assert.rejects(misled.call('SessionService', 'GetChallenge'), (error) => error.code === status.UNAVAILABLE);
});

const remote = (deployment, url, ...args) =>
  run(path.join(bin, 'countersign'), ['--home', deployment.home, '--controller', url, ...args]);

test('the command line signs in, keeps its session and checks the server', async (t) => {
  const deployment = await listening(t, { operators_tls: 'on' });
  const url = `https://127.0.0.1:${deployment.operatorsPort}`;
  const admin = await Operator.open(t, deployment);
  const openings = async () => (await auditOf(admin)).filter((line) => line.startsWith('OpenSession')).length;
  const done = async (...args) => {
    const { status: code, stdout, stderr } = await remote(deployment, url, ...args);
    assert.equal(code, 0, `${args.join(' ')}: ${stderr}`);
    return { stdout, stderr };
  };

  assert.match((await done('status', '--as', 'ada')).stderr, /Signing in at https/);
  assert.doesNotMatch((await done('device', 'list', '--as', 'ada')).stderr, /Signing in/);
  assert.equal(await openings(), 1);
  const [file] = fs.readdirSync(path.join(deployment.home, 'sessions'));
  assert.equal(fs.statSync(path.join(deployment.home, 'sessions', file)).mode & 0o777, 0o600);
  assert.match((await done('session', 'show', '--as', 'bob')).stdout, /approver/);
  const refusal = await remote(deployment, url, 'device', 'ban', 'gw-1', '--yes', '--as', 'bob');
  assert.equal(refusal.status, 1);
  assert.match(refusal.stderr, /BanDevice takes the role admin; bob has approver/);

  // A restart forgets sessions, and its certificate is new: the next command signs in again.
  await deployment.controller.stop();
  deployment.settings.operators = `127.0.0.1:${deployment.operatorsPort}`;
  await deployment.start();
  assert.match((await done('status', '--as', 'ada')).stderr, /Signing in/);
  await done('session', 'close', '--as', 'ada');
  assert.match((await remote(deployment, url, 'session', 'close', '--as', 'ada')).stderr, /no session of ada/);

  // Without what vouches for the server, and with something else.
  const empty = deployment.path('empty');
  fs.mkdirSync(empty, { mode: 0o700 });
  const stranger = await run(path.join(bin, 'countersign'), ['--home', empty, '--controller', url, 'status', '--as', 'ada']);
  assert.match(stranger.stderr, /--ca FILE/);
  await deployment.certificate('unused.example');
  const misled = await remote(deployment, url, '--ca', deployment.path('ca.crt'), 'status', '--as', 'ada');
  assert.equal(misled.status, 3, misled.stderr);
  assert.match((await remote(deployment, 'http://controller.example:9443', 'status', '--as', 'ada')).stderr, /for this machine alone/);
});

test('a listener with a certificate of one\'s own', async (t) => {
  const folder = fs.mkdtempSync('/tmp/countersign-');
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const openssl = async (...args) => assert.equal((await run('openssl', args)).status, 0, args.join(' '));
  await openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', `${folder}/key.pem`);
  await openssl('req', '-x509', '-new', '-key', `${folder}/key.pem`, '-subj', '/CN=controller', '-days', '30',
    '-addext', 'subjectAltName=IP:127.0.0.1', '-out', `${folder}/chain.pem`);
  fs.chmodSync(`${folder}/key.pem`, 0o600);
  const deployment = await listening(t, { operators_certificate: `${folder}/chain.pem`, operators_key: `${folder}/key.pem` });
  const url = `https://127.0.0.1:${deployment.operatorsPort}`;
  const { status: code, stderr } = await remote(deployment, url, '--ca', `${folder}/chain.pem`, 'status', '--as', 'ada');
  assert.equal(code, 0, stderr);
  assert.equal((await remote(deployment, url, 'status', '--as', 'bob')).status, 3);
});

// Why nobody else can call from this machine, or false.
function nobodyElse() {
  if (process.getuid() !== 0) return 'takes root, to be others';
  const { status: code, error, stderr } = spawnSync(process.execPath, ['-e', 'fs.statSync("/tmp")'], { uid: 4001, encoding: 'utf8' });
  return code === 0 ? false : `other users cannot run programs here: ${error?.message ?? stderr}`;
}

// A process of another user that passes on what comes to `path`: there the controller sees that user. (Node does not change its
// own user where the system's libuv could use io_uring.)
async function relay(t, uid, path_, to) {
  const program = `const net = require('node:net');
    net.createServer((from) => { const on = net.connect(process.argv[2]); from.pipe(on).pipe(from); for (const one of [from, on]) one.on('error', () => {}); })
      .listen(process.argv[1], () => { fs.chmodSync(process.argv[1], 0o666); console.log('ready'); });
    process.stdin.resume().on('end', () => process.exit());`;
  const child = spawn(process.execPath, ['-e', program, path_, to], { uid, stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill());
  await once(child.stdout, 'data', { signal: AbortSignal.timeout(10_000) });
}

test('a user of the machine calls as whom the configuration says', { skip: nobodyElse() }, async (t) => {
  const deployment = await listening(t, {}, '[uid "4001"]\noperators = ada\n[uid "4002"]\noperators = bob, carol\n');
  fs.chmodSync(deployment.folder, 0o711);
  fs.chmodSync(deployment.socket, 0o666);
  const relays = fs.mkdtempSync('/tmp/countersign-');
  t.after(() => fs.rmSync(relays, { recursive: true }));
  fs.chmodSync(relays, 0o777);
  for (const uid of [4001, 4002, 4003]) await relay(t, uid, `${relays}/${uid}`, deployment.socket);
  const callAs = async (uid, named) => {
    const client = new SignedIn({ address: `unix:${uid ? `${relays}/${uid}` : deployment.socket}` });
    if (named) client.metadata.set('countersign-operator', named);
    return client.call('SessionService', 'WhoAmI').finally(() => client.close());
  };

  assert.equal((await callAs(4001)).operator, 'ada');
  assert.deepEqual((await callAs(4002, 'carol')).operators, ['bob', 'carol']);
  await assert.rejects(callAs(4001, 'bob'), refused(status.PERMISSION_DENIED, /user 4001 may not call as bob: add the name to `operators` under \[uid "4001"\]/));
  await assert.rejects(callAs(4002), refused(status.PERMISSION_DENIED, /user 4002 may be bob or carol/));
  await assert.rejects(callAs(4003), refused(status.PERMISSION_DENIED, /user 4003 is no operator here/));
  const root_ = await callAs(0);
  assert.deepEqual([root_.operator, root_.roles.length], ['', 5]);
  assert.equal((await callAs(0, 'bob')).operator, 'bob');
});

test('refuses to listen in the clear where others can read along', async (t) => {
  const folder = fs.mkdtempSync('/tmp/countersign-');
  t.after(() => fs.rmSync(folder, { recursive: true }));
  fs.writeFileSync(`${folder}/c.conf`, `[controller]\nstate = ${folder}/state\nadmin_socket = ${folder}/s\noperators = 0.0.0.0:0\noperators_tls = off\n`);
  const { status: code, stderr } = await run(path.join(bin, 'countersignd'), ['--config', `${folder}/c.conf`]);
  assert.equal(code, 2);
  assert.match(stderr, /operators_tls is off, and 0.0.0.0 can be reached from other machines/);
});
