// What a device makes of orders that are cancelled, and of policies that came while it was away.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Deployment } from './harness.mjs';

test('a push that was cancelled while the device was away is never installed', async (t) => {
  const deployment = await Deployment.create(t);
  const agent = await deployment.agent('gw-1');
  await agent.enrol();
  let running = agent.start();
  await deployment.advertised('gw-1');
  assert.equal(await running.stop(), 0);

  const { pem } = await deployment.certificate('one.example');
  const request = await deployment.push(pem, 'one.example', 'gw-1', { wait: false });
  await deployment.cli('cancel', request, '--yes');
  running = agent.start();
  const second = await deployment.certificate('two.example');
  await deployment.push(second.pem, 'two.example', 'gw-1');
  const installed = fs.readFileSync(path.join(agent.folder, 'chain.pem'), 'utf8');
  assert.ok(installed.includes(fs.readFileSync(second.leaf, 'utf8').trim()));
  assert.match(await deployment.cli('request', 'show', request), /[Cc]ancel/);
  assert.doesNotMatch((await agent.run('status')).stdout, /one\.example/);
});

test('a device that missed policies takes one after the other before it installs', async (t) => {
  const deployment = await Deployment.create(t);
  const agent = await deployment.agent('gw-1');
  await agent.enrol();
  let running = agent.start();
  await deployment.advertised('gw-1');
  assert.equal(await running.stop(), 0);
  for (let i = 0; i < 3; i++) await deployment.publish();
  running = agent.start();
  const { pem } = await deployment.certificate('metering.example');
  await deployment.push(pem, 'metering.example', 'gw-1');
  const accepted = running.lines.filter((line) => line.includes('trust policy accepted')).map((line) => line.match(/version=(\d+)/)[1]);
  assert.deepEqual(accepted, ['2', '3', '4']);
});
