// Certificates that are revoked: by hand, by their issuers' lists, and from the watched folder.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import test from 'node:test';
import { bundle, makeCertificate, makeCrl } from './certificates.mjs';
import { Deployment, run, until } from './harness.mjs';

const ca = makeCertificate('Fleet CA', { ca: true, days: 3650 });
const leafOf = (name) => makeCertificate(name, { issuer: ca });

async function withCertificate(t, name, options) {
  const deployment = await Deployment.create(t, options);
  const leaf = leafOf(name);
  fs.writeFileSync(deployment.path('leaf.pem'), bundle(leaf, ca));
  await deployment.cli('cert', 'import', deployment.path('leaf.pem'));
  return { deployment, leaf };
}
const write = (deployment, name, bytes) => {
  fs.writeFileSync(deployment.path(name), bytes);
  return deployment.path(name);
};
const colours = async (deployment) => Object.fromEntries((await deployment.json('cert', 'list')).certificates.map((one) => [one.common_name, one.colour]));

test('a certificate that is revoked by hand is black at once, and why is said', async (t) => {
  const { deployment } = await withCertificate(t, 'shop.example');
  await deployment.cli('cert', 'revoke', 'shop.example', '--reason', 'key-compromise', '--comment', 'laptop stolen', '--yes');
  assert.equal((await colours(deployment))['shop.example'], 'black');
  const shown = await deployment.json('cert', 'show', 'shop.example');
  assert.equal(shown.revocation_reason, 'key-compromise');
  assert.ok(shown.revoked_at);
  assert.match(await deployment.cli('audit', 'list'), /RevokeCertificate[^]*laptop stolen \(key-compromise\)/);
  const again = await deployment.cliRaw('cert', 'revoke', 'shop.example', '--reason', 'superseded', '--comment', 'x', '--yes');
  assert.notEqual(again.status, 0);
  assert.match(again.stderr, /revoked already/);
  for (const [args, says] of [[[], /--reason/], [['--reason', 'boredom'], /boredom/], [['--reason', 'certificate-hold'], /hold/]]) {
    const refused = await deployment.cliRaw('cert', 'revoke', 'shop.example', ...args, '--comment', 'x', '--yes');
    assert.notEqual(refused.status, 0);
    assert.match(refused.stderr, says);
  }
});

test('what a list of the issuer names is black, also when it is imported later', async (t) => {
  const { deployment, leaf } = await withCertificate(t, 'shop.example');
  const late = leafOf('late.example');
  const crl = makeCrl(ca, { number: 7, entries: [{ serial: leaf.serial, reason: 1 }, { serial: late.serial, reason: 4 }] });
  const imported = await deployment.json('crl', 'import', write(deployment, 'fleet.crl', crl.pem));
  assert.deepEqual([imported.issuer, imported.entries, imported.revoked, imported.existed], ['CN=Fleet CA', 2, 1, false]);
  assert.equal((await colours(deployment))['shop.example'], 'black');
  await deployment.cli('cert', 'import', write(deployment, 'late.pem', bundle(late, ca)));
  assert.equal((await colours(deployment))['late.example'], 'black');
  assert.equal((await deployment.json('crl', 'import', write(deployment, 'fleet.crl', crl.der))).existed, true);
  const [listed] = (await deployment.json('crl', 'list')).crls;
  assert.deepEqual([listed.issuer, listed.number, listed.entries], ['CN=Fleet CA', '07', 2]);
});

test('a list that OpenSSL made is read', async (t) => {
  const deployment = await Deployment.create(t);
  const { leaf, pem } = await deployment.certificate('shop.example');
  await deployment.cli('cert', 'import', pem);
  const openssl = async (...args) => {
    const { status, stderr } = await run('openssl', args, { cwd: deployment.folder });
    assert.equal(status, 0, stderr);
  };
  write(deployment, 'ca.conf', '[ca]\ndefault_ca = one\n[one]\ndatabase = index\ncrlnumber = number\ndefault_md = sha256\ndefault_crl_days = 7\n' +
    'certificate = ca.crt\nprivate_key = ca.key\ncrl_extensions = ext\n[ext]\nauthorityKeyIdentifier = keyid:always\n');
  write(deployment, 'index', '');
  write(deployment, 'number', '01\n');
  await openssl('ca', '-config', 'ca.conf', '-revoke', leaf, '-crl_reason', 'cessationOfOperation');
  await openssl('ca', '-config', 'ca.conf', '-gencrl', '-out', 'ca.crl');
  assert.equal((await deployment.json('crl', 'import', deployment.path('ca.crl'))).revoked, 1);
  assert.equal((await deployment.json('cert', 'show', 'shop.example')).revocation_reason, 'cessation-of-operation');
});

test('a hold ends with a newer list that does not name the certificate', async (t) => {
  const { deployment, leaf } = await withCertificate(t, 'shop.example');
  await deployment.cli('crl', 'import', write(deployment, 'a.crl', makeCrl(ca, { number: 1, entries: [{ serial: leaf.serial, reason: 6 }] }).der));
  assert.equal((await colours(deployment))['shop.example'], 'black');
  await deployment.cli('crl', 'import', write(deployment, 'b.crl', makeCrl(ca, { number: 2 }).der));
  assert.equal((await colours(deployment))['shop.example'], 'blue');
});

test('a list that cannot be believed is refused with a sentence', async (t) => {
  const { deployment, leaf } = await withCertificate(t, 'shop.example');
  const entries = [{ serial: leaf.serial }];
  const other = makeCertificate('Fleet CA', { ca: true });
  const stranger = makeCertificate('Another CA', { ca: true });
  const forged = makeCrl(other, { entries });
  const cases = [
    [makeCrl(stranger, { entries }).der, [], /not known here/],
    [forged.der, [], /not signed by this issuer/],
    [makeCrl(stranger, { entries }).der, ['--issuer', write(deployment, 'ca.pem', ca.pem)], /another name/],
    [makeCrl(ca, { entries, atMs: Date.now() + 3600_000 }).der, [], /clock/],
    [makeCrl(ca, { entries, critical: [0x55, 0x1d, 0x1b] }).der, [], /delta CRL/],
    [makeCrl(ca, { entries, critical: [0x55, 0x1d, 0x7f] }).der, [], /not understood/],
    [Buffer.from('hello'), [], /no CRL/],
  ];
  for (const [bytes, more, says] of cases) {
    const { status, stderr } = await deployment.cliRaw('crl', 'import', write(deployment, 'bad.crl', bytes), ...more);
    assert.notEqual(status, 0);
    assert.match(stderr, says);
  }
  assert.equal((await colours(deployment))['shop.example'], 'blue');
  const sent = await deployment.json('crl', 'import', write(deployment, 'sent.crl', makeCrl(stranger).der), '--issuer',
    write(deployment, 'stranger.pem', stranger.pem));
  assert.equal(sent.issuer, 'CN=Another CA');
});

test('the controller watches a folder of lists, small and large ones', async (t) => {
  const crls = fs.mkdtempSync('/tmp/countersign-crls-');
  t.after(() => fs.rmSync(crls, { recursive: true }));
  const { deployment, leaf } = await withCertificate(t, 'shop.example', { controller: { crls, crls_every: '1h' } });
  const place = (name, bytes) => {
    fs.writeFileSync(path.join(crls, `.${name}`), bytes);
    fs.renameSync(path.join(crls, `.${name}`), path.join(crls, name));
  };
  const stranger = makeCertificate('Another CA', { ca: true });
  place('other.crl', makeCrl(stranger).der);
  await deployment.controller.line(/CRL not imported.*source=other\.crl.*not known here/);
  place('other.pem', stranger.pem);
  await deployment.controller.line(/CRL imported.*source=other\.crl/);

  const serial = (i) => Buffer.of(2, i >> 8, i & 255, 7);
  const many = Array.from({ length: 3500 }, (_, i) => ({ serial: serial(i) }));
  place('fleet.crl', makeCrl(ca, { number: 3, entries: [...many, { serial: leaf.serial, reason: 1 }] }).pem);
  await until('black from the folder', async () => (await colours(deployment))['shop.example'] === 'black');
  await deployment.controller.line(/CRL imported.*source=fleet\.crl.*entries=3501 revoked=1/);
  assert.equal((await deployment.json('crl', 'list')).crls.find((one) => one.issuer === 'CN=Fleet CA').source, 'fleet.crl');
  assert.equal(deployment.controller.output.match(/CRL not imported/g).length, 1, 'a bad file is said once');
  assert.equal(await deployment.controller.stop(), 0);
  await deployment.start();
  assert.equal((await colours(deployment))['shop.example'], 'black');
});

test('the controller fetches lists from where their issuers publish them', async (t) => {
  const leaf = leafOf('shop.example');
  const asked = [];
  let crl = makeCrl(ca, { number: 1 }).der;
  let modified = 'Mon, 23 Nov 2026 10:00:00 GMT';
  const server = http.createServer((request, response) => {
    asked.push(request.headers['if-modified-since']);
    if (request.url !== '/fleet.crl') return response.writeHead(302, { location: '/fleet.crl' }).end();
    if (request.headers['if-modified-since'] === modified) return response.writeHead(304).end();
    response.writeHead(200, { 'last-modified': modified }).end(crl);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const base = `http://127.0.0.1:${server.address().port}`;
  const deployment = await Deployment.create(t, { controller: { crl_url: `${base}/moved\ncrl_url = ${base}/fleet.crl`, crls_every: '1s' } });
  await deployment.controller.line(/CRL not fetched.*moved.*status 302.*redirects are not followed/);
  await deployment.controller.line(/CRL not fetched.*fleet.crl.*not known here/);
  await deployment.cli('cert', 'import', write(deployment, 'leaf.pem', bundle(leaf, ca)));
  await deployment.controller.line(/CRL imported.*fleet.crl.*entries=0/);
  await until('it is asked whether there is a newer one', () => asked.filter((one) => one === modified).length > 1);
  crl = makeCrl(ca, { number: 2, entries: [{ serial: leaf.serial, reason: 1 }] }).der;
  modified = 'Mon, 23 Nov 2026 11:00:00 GMT';
  await until('black from the URL', async () => (await colours(deployment))['shop.example'] === 'black');
  assert.equal((await deployment.json('crl', 'list')).crls[0].source, `${base}/fleet.crl`);
  assert.equal(deployment.controller.output.match(/CRL not fetched/g).length, 2, 'what fails is said once');
  assert.equal(await deployment.controller.stop(), 0);
});
