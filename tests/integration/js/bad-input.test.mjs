// Certificates that must not come in, and a disk that is full: each refused with a sentence that helps, and nothing of it is kept.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import test from 'node:test';
import grpc from '@grpc/grpc-js';
import { bundle, makeCertificate, newKey, toPem } from './certificates.mjs';
import { Deployment, run } from './harness.mjs';
import { Operator } from './operator.mjs';

const ca = makeCertificate('Test CA', { ca: true });
const good = makeCertificate('good.example', { issuer: ca });
const other = makeCertificate('other.example', { issuer: ca });
const otherCa = makeCertificate('Test CA', { ca: true });
const kind = (name) => makeCertificate('odd.example', { issuer: ca, key: newKey(name) });
// As large as a chain may be, to fill a disk with.
const largeCa = makeCertificate('Large CA', { ca: true, padding: 7000 });
const largeIssuer = makeCertificate('Large issuer', { issuer: largeCa, ca: true, padding: 7000 });
const cut = (pem) => pem.replace(/\n[^\n]+\n(-----END)/, '\n$1');

// `certificates` as both the CLI and the service take it: one PEM text.
const refused = [
  { name: 'a key of another certificate', text: good.pem + ca.pem + other.keyPem, says: /key does not belong to the certificate: (send|are)/ },
  { name: 'a chain that does not chain', text: good.pem + other.pem + good.keyPem, says: /is not a CA, so it cannot have issued certificate 1/ },
  { name: 'an issuer of the same name and another key', text: good.pem + otherCa.pem + good.keyPem, says: /sign|issued|chain/i },
  { name: 'the issuer before the leaf', text: ca.pem + good.pem + good.keyPem, says: /chain|sign|issued|leaf/i },
  { name: 'Ed25519', text: bundle(kind('Ed25519'), ca), says: /Ed25519[^]*(RSA|P-256)/ },
  { name: 'P-521', text: bundle(kind('P-521'), ca), says: /P-521[^]*(RSA|P-256)/ },
  { name: 'secp256k1', text: bundle(kind('secp256k1'), ca), says: /secp256k1[^]*(RSA|P-256)/ },
  { name: 'RSA 1024', text: bundle(kind('RSA 1024'), ca), says: /1024[^]*2048/ },
  { name: 'no certificate', text: good.keyPem, says: /BEGIN CERTIFICATE/ },
  { name: 'an empty file', text: '', says: /empty|no certificate/i },
  { name: 'garbage', text: crypto.randomBytes(3000).toString('latin1'), says: /PEM|certificate/ },
  { name: 'garbage in PEM', text: toPem('CERTIFICATE', crypto.randomBytes(700)) + good.keyPem, says: /certificate/ },
  { name: 'a certificate that is cut', text: cut(good.pem) + ca.pem + good.keyPem, says: /certificate/ },
  { name: 'a PEM without its end', text: good.pem.slice(0, 300), says: /END|PEM|certificate/ },
  { name: 'two keys', text: bundle(good, ca) + other.keyPem, says: /key/ },
  { name: 'too many certificates', text: good.pem + ca.pem.repeat(12) + good.keyPem, says: /more than 8 certificates/, code: grpc.status.RESOURCE_EXHAUSTED },
];

test('certificates that must not come in', async (t) => {
  const deployment = await Deployment.create(t);
  const operator = await Operator.open(t, deployment);
  const before = (await operator.audit()).at(-1).revision;
  const sentences = [];
  const wrong = [];
  for (const { name, text, says, code = grpc.status.INVALID_ARGUMENT } of refused) {
    const straight = await operator.call('CertificateService', 'ImportCertificate', { certificates: Buffer.from(text, 'latin1') })
      .then(() => null, (error) => error);
    if (straight?.code !== code || !says.test(straight.details))
      wrong.push(`${name}: ${straight ? `${straight.code} ${straight.details}` : 'was taken'}`);
    fs.writeFileSync(deployment.path('in.pem'), text, 'latin1');
    const { status, stderr } = await deployment.cliRaw('cert', 'import', deployment.path('in.pem'));
    if (status === 0 || !says.test(stderr)) wrong.push(`${name}, by the CLI: ${status} ${stderr}`);
    sentences.push(`${name}: ${straight?.details} | ${stderr.trim()}`);
  }
  assert.deepEqual(wrong, []);

  const large = Buffer.alloc(10_000_000, `${good.pem}`);
  fs.writeFileSync(deployment.path('in.pem'), large);
  const { status, stderr } = await deployment.cliRaw('cert', 'import', deployment.path('in.pem'));
  assert.notEqual(status, 0);
  assert.match(stderr, /96 KiB|98304|too large|larger/i);
  sentences.push(`10 MB by the CLI: ${stderr.trim()}`);
  const error = await operator.call('CertificateService', 'ImportCertificate', { certificates: large }).then(() => null, (e) => e);
  assert.equal(error?.code, grpc.status.RESOURCE_EXHAUSTED, error?.details);
  sentences.push(`10 MB straight: ${error.details}`);
  t.diagnostic(sentences.join('\n'));

  assert.deepEqual((await operator.call('CertificateService', 'ListCertificates', {})).certificates, []);
  assert.deepEqual(await operator.audit(before), [], 'a refusal left a trace');
  await operator.call('CertificateService', 'ImportCertificate', { certificates: Buffer.from(bundle(good, ca)) });
  assert.equal(await deployment.controller.stop(), 0, deployment.controller.output);
});

// It may be what a device has: it comes in and is red. Pushing it is another thing.
test('an expired certificate comes in red, and is not pushed unless the request says so', async (t) => {
  const deployment = await Deployment.create(t);
  const agent = await deployment.agent('gw-1');
  await agent.enrol();
  const running = agent.start();
  await deployment.advertised('gw-1');
  const expired = makeCertificate('late.example', { issuer: ca, fromDays: -30, days: -1 });
  fs.writeFileSync(deployment.path('in.pem'), bundle(expired, ca));
  await deployment.cli('cert', 'import', deployment.path('in.pem'));
  assert.match(await deployment.cli('cert', 'list'), /late\.example .* red /);
  await deployment.cli('cert', 'attach', 'late.example', 'gw-1', 'app');
  const { status, stdout, stderr } = await deployment.cliRaw('push', 'late.example', '--comment', 'x', '--as', 'ada', '--yes');
  assert.notEqual(status, 0, stdout);
  assert.match(stderr, /expired/i);
  t.diagnostic(stderr.trim());
  assert.equal(await running.stop(), 0);
  assert.equal(await deployment.controller.stop(), 0, deployment.controller.output);
});

// Two ways to a full disk. Each: start the controller on it, fill it, make room.
const disks = {
  // A small file system of its own, that only the controller and its keeper see.
  'a small tmpfs': {
    async prepare(deployment) {
      const state = deployment.path('state');
      fs.mkdirSync(state, { mode: 0o700 });
      const keeper = deployment.program('unshare', ['-m', 'sh', '-c', `mount -t tmpfs -o size=8m,mode=700 tmpfs ${state} && echo mounted && exec sleep 600`],
        { name: 'tmpfs' });
      await keeper.line(/mounted/);
      deployment.wrapper = ['nsenter', '-t', String(keeper.pid), '-m', '--'];
      this.ballast = `/proc/${keeper.pid}/root${state}/ballast`;
    },
    async fill() {
      const file = fs.openSync(this.ballast, 'w');
      try {
        for (let bytes = 1 << 20; bytes >= 4096;) {
          try {
            fs.writeSync(file, Buffer.alloc(bytes));
          } catch (error) {
            assert.equal(error.code, 'ENOSPC');
            bytes >>= 1;
          }
        }
      } finally {
        fs.closeSync(file);
      }
    },
    async makeRoom() { fs.rmSync(this.ballast); },
  },
  // No file may grow beyond a size: everybody may set that, and LMDB's file hits it as it hits the end of a disk.
  'a limit on the size of files': {
    async prepare(deployment) {
      deployment.wrapper = ['sh', '-c', 'trap "" XFSZ; exec "$@"', 'sh'];
      this.deployment = deployment;
    },
    async fill() {
      const { pid } = this.deployment.controller;
      const size = fs.statSync(this.deployment.path('state', 'store', 'data.mdb')).size;
      await this.limit(pid, size);
    },
    async makeRoom() { await this.limit(this.deployment.controller.pid, 'unlimited'); },
    async limit(pid, bytes) {
      const { status, stderr } = await run('prlimit', ['--pid', String(pid), `--fsize=${bytes}:`]);
      assert.equal(status, 0, stderr);
    },
  },
};

for (const [name, disk] of Object.entries(disks)) {
  test(`a full disk: ${name}`, async (t) => {
    if (name === 'a small tmpfs') {
      const { status, stderr } = await run('unshare', ['-m', 'sh', '-c', 'mount -t tmpfs tmpfs /mnt']);
      if (status !== 0) return t.skip(`mounting is not permitted here: ${stderr.trim()}`);
    }
    const deployment = new Deployment(fs.mkdtempSync('/tmp/countersign-'), {});
    t.after(() => deployment.destroy());
    await disk.prepare(deployment);
    await deployment.start();
    await deployment.found();
    const operator = await Operator.open(t, deployment);
    const taken = [];
    let made = 0;
    const large = () => {
      const leaf = makeCertificate(`c-${++made}.example`, { issuer: largeIssuer, padding: 7000 });
      return { leaf, text: leaf.pem + largeIssuer.pem + largeCa.pem + leaf.keyPem };
    };
    const one = async () => {
      const { leaf, text } = large();
      await operator.call('CertificateService', 'ImportCertificate', { certificates: Buffer.from(text) });
      taken.push(leaf);
    };
    const allThere = async () => {
      for (const leaf of taken) {
        const { certificate } = await operator.ask('CertificateService', 'GetCertificate', { id: leaf.id });
        assert.equal(certificate.common_name, leaf.commonName);
      }
      const { certificates } = await operator.ask('ControllerService', 'GetStatus', {});
      assert.equal(certificates, taken.length);
    };

    for (let i = 0; i < 5; i++) await one();
    await disk.fill();
    let error = null;
    while (!error && made < 5000) error = await one().then(() => null, (e) => e);
    assert.equal(error?.code, grpc.status.RESOURCE_EXHAUSTED, `${made} were taken: ${error?.code} ${error?.details}`);
    assert.match(error.details, /disk[^]*make room/);
    const before = taken.length;
    // It stays up, says the same again, and reads go on.
    for (let i = 0; i < 20; i++)
      assert.equal((await one().then(() => null, (e) => e))?.code, grpc.status.RESOURCE_EXHAUSTED);
    await allThere();
    fs.writeFileSync(deployment.path('in.pem'), large().text);
    const { status, stderr } = await deployment.cliRaw('cert', 'import', deployment.path('in.pem'));
    assert.notEqual(status, 0);
    assert.match(stderr, /disk/);

    // Ended and begun again while it is still full.
    await deployment.controller.kill();
    let restart = 'starts, and serves what it has';
    try {
      await deployment.start();
      await allThere();
    } catch (why) {
      assert.match(why.message, /disk/, 'why it cannot start is said');
      restart = `does not start: ${why.message.match(/error="([^"]*)"/)?.[1]}`;
    }

    await disk.makeRoom();
    if (deployment.controller.status !== undefined) await deployment.start();
    for (let i = 0; i < 20; i++) await one();
    await allThere();
    assert.equal(taken.length, before + 20);
    assert.equal(await deployment.controller.stop(), 0, deployment.controller.output);
    await deployment.start();
    await allThere();
    const records = await operator.audit();
    records.forEach((record, at) => assert.equal(record.revision, records[0].revision + at));
    assert.equal(await deployment.controller.stop(), 0, deployment.controller.output);
    t.diagnostic(`"${error.details}" after ${before} certificates; CLI: ${stderr.trim()}; on the full disk it ${restart}`);
  });
}
