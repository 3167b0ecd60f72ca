// The inventory with the real programs: many files, every filter, groups, and a renewal that goes to wherever the old one is.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { bundle, makeCertificate, newKey } from './certificates.mjs';
import { Deployment, run, bin } from './harness.mjs';

const names = (list) => list.certificates.map((one) => one.common_name);

test('a folder is imported file by file, each key with its certificate, and nothing is lost', async (t) => {
  const deployment = await Deployment.create(t);
  const folder = deployment.path('certificates');
  fs.mkdirSync(folder);
  const file = (name, content) => fs.writeFileSync(path.join(folder, name), content, { mode: 0o600 });
  const ca = makeCertificate('issuing.example', { ca: true, days: 400 });
  const [one, two, three, four] = ['one.example', 'two.example', 'three.example', 'four.example'].map((name) => makeCertificate(name, { issuer: ca }));
  file('one.pem', one.pem + ca.pem);
  file('one.key', one.keyPem);
  file('two.der', two.der);
  file('keys-of-others.key', two.keyPem); // found by what it fits
  file('three.crt', bundle(three, ca));
  file('four.cer', four.pem);
  file('broken.pem', '-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n');
  file('nobodys.key', newKey().privateKey.export({ format: 'pem', type: 'pkcs8' }));
  file('wrong.pem', four.pem + newKey().privateKey.export({ format: 'pem', type: 'pkcs8' }));
  file('notes.txt', 'not ours');
  fs.mkdirSync(path.join(folder, 'below.pem'));

  const first = await deployment.cliRaw('-o', 'json', 'cert', 'import', folder);
  assert.equal(first.status, 1, first.stderr);
  assert.match(first.stderr, /3 of 9 files were not imported/);
  const lines = Object.fromEntries(JSON.parse(first.stdout).files.map((line) => [path.basename(line.file), line]));
  assert.deepEqual(Object.keys(lines).sort(), ['broken.pem', 'four.cer', 'nobodys.key', 'one.pem', 'three.crt', 'two.der', 'wrong.pem']);
  for (const [name, key] of [['one.pem', 'yes'], ['two.der', 'yes'], ['three.crt', 'yes'], ['four.cer', 'no']])
    assert.deepEqual([lines[name].result, lines[name].with_key], ['imported', key], name);
  for (const [name, why] of [['broken.pem', /certificate/], ['nobodys.key', /none of the certificates/], ['wrong.pem', /does not belong/]]) {
    assert.equal(lines[name].result, 'refused', name);
    assert.match(lines[name].why, why, name);
  }
  const list = await deployment.json('cert', 'list');
  assert.deepEqual(names(list), ['four.example', 'one.example', 'three.example', 'two.example']);

  const again = await deployment.json('cert', 'import', path.join(folder, 'one.pem'), path.join(folder, 'three.crt'));
  assert.deepEqual(again.files.map((line) => line.result), ['existed', 'existed']);
  const input = await run(path.join(bin, 'countersign'), ['--home', deployment.home, '--socket', deployment.socket, 'cert', 'import', '-'],
    { input: makeCertificate('five.example').pem });
  assert.equal(input.status, 0, input.stderr);
  const nothing = await deployment.cliRaw('cert', 'import', deployment.path('home'));
  assert.match(nothing.stderr, /has no file that ends with/);
});

test('filters, orders, words and groups of a list', async (t) => {
  const deployment = await Deployment.create(t);
  const ca = makeCertificate('Acme Issuing CA', { ca: true, days: 400 });
  const file = deployment.path('one.pem');
  for (const [name, days, key] of [['gw-1.Berlin.example', 5], ['gw-2.paris.example', 20], ['GW-3.berlin.example', 60, 'P-384'],
    ['mail.berlin.example', 200], ['old.paris.example', -1]]) {
    const made = makeCertificate(name, { issuer: ca, days, fromDays: -300, key: newKey(key) });
    fs.writeFileSync(file, bundle(made, ca));
    await deployment.cli('cert', 'import', file);
  }
  const list = async (...args) => names(await deployment.json('cert', 'list', ...args));
  assert.deepEqual(await list(), ['gw-1.Berlin.example', 'gw-2.paris.example', 'GW-3.berlin.example', 'mail.berlin.example', 'old.paris.example']);
  assert.deepEqual(await list('--search', 'BERLIN'), ['gw-1.Berlin.example', 'GW-3.berlin.example', 'mail.berlin.example']);
  assert.deepEqual(await list('--search', 'gw', '--search', 'ber'), ['gw-1.Berlin.example', 'GW-3.berlin.example']);
  assert.deepEqual(await list('--search', 'acme gw-2'), ['gw-2.paris.example']);
  assert.deepEqual(await list('--sort', 'expires', '--limit', '2'), ['old.paris.example', 'gw-1.Berlin.example']);
  assert.deepEqual(await list('--sort', 'expires', '--descending', '--limit', '1'), ['mail.berlin.example']);
  assert.deepEqual(await list('--colour', 'red', '--colour', 'orange'), ['gw-1.Berlin.example', 'old.paris.example']);
  assert.deepEqual(await list('--sort', 'colour'), ['old.paris.example', 'gw-1.Berlin.example', 'gw-2.paris.example', 'GW-3.berlin.example', 'mail.berlin.example']);
  assert.deepEqual(await list('--expires-within', '30d'), ['gw-1.Berlin.example', 'gw-2.paris.example']);
  assert.deepEqual(await list('--key-kind', 'p384'), ['GW-3.berlin.example']);
  assert.deepEqual(await list('--attached'), []);
  assert.deepEqual(await list('--issuer', 'CN=Acme Issuing CA', '--limit', '1'), ['gw-1.Berlin.example']);
  assert.equal((await list('--private-key', 'held', '--unattached')).length, 5);

  await deployment.cli('cert', 'group', 'gw-1.Berlin.example', '+prod', 'edge');
  await deployment.cli('cert', 'group', 'mail.berlin.example', '+prod');
  assert.deepEqual(await list('--group', 'prod'), ['gw-1.Berlin.example', 'mail.berlin.example']);
  await deployment.cli('cert', 'group', 'gw-1.Berlin.example', '--', '-prod', '+lab');
  assert.deepEqual(await list('--group', 'prod'), ['mail.berlin.example']);
  assert.deepEqual((await deployment.json('cert', 'show', 'gw-1.Berlin.example')).groups, ['edge', 'lab']);
  for (const [args, says] of [[['--colour', 'pink'], /--colour is green/], [['--sort', 'size'], /--sort is name/],
    [['--attached', '--unattached'], /one of the two/], [['--search', '--'], /neither letter nor digit/], [['--limit', '0'], /number from 1/]]) {
    const { status, stderr } = await deployment.cliRaw('cert', 'list', ...args);
    assert.notEqual(status, 0, args.join(' '));
    assert.match(stderr, says);
  }
});

test('a renewal is found by its names and pushed to wherever the old one is, with one command', async (t) => {
  const deployment = await Deployment.create(t);
  const agents = [];
  for (const name of ['gw-1', 'gw-2']) {
    const agent = await deployment.agent(name);
    await agent.enrol();
    agent.start();
    await deployment.advertised(name);
    agents.push(agent);
  }
  const ca = makeCertificate('issuing.example', { ca: true, days: 400 });
  const file = deployment.path('renewal.pem');
  const importOne = async (made) => {
    fs.writeFileSync(file, bundle(made, ca), { mode: 0o600 });
    return deployment.json('cert', 'import', file);
  };
  const old = makeCertificate('shop.example', { issuer: ca, fromDays: -30 }), fresh = makeCertificate('shop.example', { issuer: ca, fromDays: -1 });
  await importOne(fresh); // the newer one first: they find each other all the same
  await importOne(old);
  assert.equal((await deployment.json('cert', 'show', fresh.id.toString('hex'))).replaces, old.id.toString('hex'));
  assert.equal((await deployment.json('cert', 'show', old.id.toString('hex'))).replaced_by, fresh.id.toString('hex'));
  assert.deepEqual((await deployment.json('cert', 'list', '--renewed')).certificates.map((one) => one.id), [old.id.toString('hex')]);

  const nowhere = await deployment.cliRaw('push', fresh.id.toString('hex'), '--renew', '--comment', 'renewal', '--as', 'ada', '--yes');
  assert.match(nowhere.stderr, /attached to no app connector/);
  for (const { name } of agents) await deployment.cli('cert', 'attach', old.id.toString('hex'), name, 'app');
  const pushed = await deployment.json('push', fresh.id.toString('hex'), '--renew', '--comment', 'renewal', '--as', 'ada', '--yes');
  assert.equal(pushed.orders.length, 2);
  await deployment.cli('approve', pushed.request, '--manual', '--as', 'bob', '--yes');
  await deployment.cli('implement', pushed.request, '--manual', '--as', 'carol', '--yes', '--wait');
  for (const agent of agents)
    assert.ok(fs.readFileSync(path.join(agent.folder, 'chain.pem'), 'utf8').includes(fresh.pem.trim()));
  const alone = await deployment.cliRaw('push', old.id.toString('hex'), '--renew', '--comment', 'x', '--as', 'ada', '--yes');
  assert.match(alone.stderr, /say which one/);
});
