// The agent for a device (tests/cross registers it), run by qemu, does the main job with the real controller. CS_AGENT is its command;
// COUNTERSIGN_BIN has this machine's countersignd and countersign.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Deployment } from './harness.mjs';

test('it enrols, and a certificate reaches it after two people decided', async (t) => {
  const deployment = await Deployment.create(t);
  const agent = await deployment.agent('gw-1', { program: process.env.CS_AGENT.split(' '), reload: '/bin/true' });
  await agent.enrol();
  const running = agent.start();
  await deployment.advertised(agent.name);
  const { pem, leaf } = await deployment.certificate('metering.example', { key: 'rsa2048' });
  const request = await deployment.push(pem, 'metering.example', agent.name);

  assert.match(await deployment.cli('topology', 'metering.example'), /Completed/);
  assert.match(await deployment.cli('request', 'show', request), /bob[^]*carol/);
  assert.ok(fs.readFileSync(path.join(agent.folder, 'chain.pem'), 'utf8').includes(fs.readFileSync(leaf, 'utf8').trim()));
  const account = await agent.run('status');
  assert.match(account.stdout, /ada[^]*bob[^]*carol/, 'the device itself says who asked and who decided');
  assert.equal(await running.stop(), 0);
});
