// The main job with the real programs, and with agents and operators that we did not write.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import grpc from '@grpc/grpc-js';
import { Deployment, bin, jsAgent } from './harness.mjs';
import { decode, encode } from './wire.mjs';

test('a certificate reaches a device after two people decided', async (t) => {
  const deployment = await Deployment.create(t);
  const agent = await deployment.agent('gw-1');
  await agent.enrol();
  const running = agent.start();
  await deployment.advertised('gw-1');
  const { pem, leaf } = await deployment.certificate('metering.example');
  const request = await deployment.push(pem, 'metering.example', 'gw-1');

  const installed = fs.readFileSync(path.join(agent.folder, 'chain.pem'), 'utf8');
  assert.ok(installed.includes(fs.readFileSync(leaf, 'utf8').trim()), 'the pushed leaf is what the connector has');
  assert.equal(fs.statSync(path.join(agent.folder, 'key.pem')).mode & 0o077, 0, 'the key is its owner\'s alone');
  assert.match(await deployment.cli('topology', 'metering.example'), /Completed/);
  assert.match(await deployment.cli('request', 'show', request), /bob[^]*carol/);
  const account = await agent.run('status');
  assert.equal(account.status, 0, account.stderr);
  assert.match(account.stdout, /ada[^]*bob[^]*carol/, 'the device itself says who asked and who decided');
  assert.equal(await running.stop(), 0);
  assert.equal(await deployment.controller.stop(), 0);
});

test('people see each step as it happens, and what waits for whom', async (t) => {
  const deployment = await Deployment.create(t);
  const agent = await deployment.agent('gw-1');
  await agent.enrol();
  agent.start();
  await deployment.advertised('gw-1');
  const watch = deployment.program(path.join(bin, 'countersign'), ['--home', deployment.home, '--socket', deployment.socket, 'watch', 'orders',
    '-o', 'jsonl'], { name: 'watch' });
  const { pem } = await deployment.certificate('metering.example');
  await deployment.cli('cert', 'import', pem);
  await deployment.cli('cert', 'attach', 'metering.example', 'gw-1', 'app');
  const waiting = async (name) => (await deployment.cli('inbox', '--as', name, '-o', 'name')).trim();
  const request = (await deployment.cli('push', 'metering.example', '--comment', 'x', '--as', 'ada', '--yes', '-o', 'name')).trim();
  await watch.line(/Push-Approval Pending/);
  assert.deepEqual([await waiting('ada'), await waiting('bob'), await waiting('carol')], ['', request, '']);
  await deployment.cli('approve', request, '--manual', '--as', 'bob', '--yes');
  await watch.line(/Push-Review In Progress/);
  assert.deepEqual([await waiting('bob'), await waiting('carol')], ['', request]);
  await deployment.cli('implement', request, '--manual', '--as', 'carol', '--yes', '--wait');
  await watch.line(/Completed/);
  assert.equal(await watch.stop(), 0);
  for (const line of watch.lines) assert.equal(JSON.parse(line).device, 'gw-1');
});

test('an RSA certificate, a second push, and a restart of everything in between', async (t) => {
  const deployment = await Deployment.create(t);
  const agent = await deployment.agent('gw-1');
  await agent.enrol();
  let running = agent.start();
  await deployment.advertised('gw-1');
  const first = await deployment.certificate('one.example', { key: 'rsa2048' });
  await deployment.push(first.pem, 'one.example', 'gw-1');
  assert.equal(await running.stop(), 0);
  assert.equal(await deployment.controller.stop(), 0);
  await deployment.start();

  const second = await deployment.certificate('two.example');
  await deployment.cli('cert', 'import', second.pem);
  await deployment.cli('cert', 'attach', 'two.example', 'gw-1', 'app');
  const request = await deployment.pushAttached('two.example', { wait: false });
  assert.match(await deployment.cli('request', 'show', request), /Push-Scheduled/, 'due and offline waits');
  running = agent.start();
  await deployment.cli('wait', request);
  assert.ok(fs.readFileSync(path.join(agent.folder, 'chain.pem'), 'utf8').includes(fs.readFileSync(second.leaf, 'utf8').trim()));
});

test('an agent written in JavaScript from the wire README completes a push', async (t) => {
  const deployment = await Deployment.create(t);
  const { token, admitted } = await deployment.addDevice('js-1');
  fs.mkdirSync(deployment.path('js-1'));
  const agent = deployment.program(process.execPath, [jsAgent, '--controller', `127.0.0.1:${deployment.agentsPort}`, '--enrolment',
    `127.0.0.1:${deployment.enrolmentPort}`, '--token', token, '--state', deployment.path('js-1')], { name: 'js agent' });
  await admitted;
  await deployment.advertised('js-1');
  const { pem, key } = await deployment.certificate('metering.example');
  await deployment.push(pem, 'metering.example', 'js-1');
  const [line] = await agent.line(/"installed"/);
  assert.deepEqual(JSON.parse(line.input ?? agent.lines.find((one) => one.includes('"installed"'))).deciders, ['approve: bob', 'implement: carol']);
  assert.equal(await agent.exited, 0, agent.output);
  const { createPrivateKey } = await import('node:crypto');
  const same = (file) => createPrivateKey(fs.readFileSync(file)).export({ format: 'der', type: 'pkcs8' });
  assert.ok(same(deployment.path('js-1', 'key.pem')).equals(same(key)), 'the held key arrived sealed and opened');
});

test('an operator in JavaScript imports and lists certificates over the admin socket', async (t) => {
  const deployment = await Deployment.create(t);
  for (const name of ['a.example', 'b.example']) await deployment.cli('cert', 'import', (await deployment.certificate(name)).pem);
  const raw = { requestSerialize: (b) => b, requestDeserialize: (b) => b, responseSerialize: (b) => b, responseDeserialize: (b) => b };
  const method = (name) => ({ path: `/countersign.v1.CertificateService/${name}`, requestStream: false, responseStream: false, ...raw });
  const Certificates = grpc.makeGenericClientConstructor({ ImportCertificate: method('ImportCertificate'),
    ListCertificates: method('ListCertificates') }, 'Certificates');
  const client = new Certificates(`unix:${deployment.socket}`, grpc.credentials.createInsecure());
  t.after(() => client.close());
  const call = async (name, request) => decode(`${name}Response`, await new Promise((resolve, reject) =>
    client[name](encode(`${name}Request`, request), (error, reply) => error ? reject(error) : resolve(reply))));
  const { pem } = await deployment.certificate('c.example');
  const { certificate, existed } = await call('ImportCertificate', { certificates: fs.readFileSync(pem) });
  assert.equal(certificate.common_name, 'c.example');
  assert.equal(existed, false);
  const { certificates } = await call('ListCertificates', {});
  assert.deepEqual(certificates.map((one) => one.common_name).sort(), ['a.example', 'b.example', 'c.example']);
});
