// Trust policies that several people sign, each on a machine of the own, and what a newer one does to devices, clients and open requests.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Deployment, bin, run, until } from './harness.mjs';

// A deployment of 2 of 3 roots. Each holder has a home with the pin, the first policy and one key, and no way to the controller.
class Roots {
  static async create(t, people = { ada: 'requester,admin', bob: 'approver', ben: 'approver', carol: 'implementer' }) {
    const deployment = new Deployment(fs.mkdtempSync(path.join(os.tmpdir(), 'countersign-')), {});
    t.after(() => deployment.destroy());
    await deployment.start();
    for (const name of Object.keys(people)) await deployment.cli('operator', 'keygen', name, '--no-passphrase');
    await deployment.cli('trust', 'init', '--no-passphrase', '--yes',
      ...Object.entries(people).flatMap(([name, roles]) => ['--operator', `${name}=${roles}`]));
    const roots = new Roots();
    roots.deployment = deployment;
    roots.draft = deployment.path('policy.draft');
    roots.holders = {};
    const { deployment_id, roots_digest } = await deployment.json('trust', 'show');
    for (const name of ['root-1', 'root-2', 'root-3']) {
      roots.holders[name] = deployment.path(name);
      fs.mkdirSync(roots.holders[name], { mode: 0o700 });
      fs.renameSync(path.join(deployment.home, 'roots', `${name}.key`), path.join(roots.holders[name], 'root.key'));
      const first = path.join(deployment.home, 'policies', '1');
      await roots.at(name, 'trust', 'pin', deployment_id, roots_digest, '--policy', first);
    }
    return roots;
  }

  atRaw(holder, ...args) {
    return run(path.join(bin, 'countersign'), ['--home', this.holders[holder], '--socket', '/nonexistent', ...args]);
  }
  async at(holder, ...args) {
    const result = await this.atRaw(holder, ...args);
    assert.equal(result.status, 0, `${holder}: ${args.join(' ')}: ${result.stderr}`);
    return result;
  }

  async edit(...edits) {
    await this.deployment.cli('trust', 'draft', '--draft', this.draft, '--replace');
    for (const edit of edits) await this.deployment.cli('trust', ...edit, '--draft', this.draft);
  }
  sign(holder) { return this.at(holder, 'trust', 'sign', this.draft, '--root-key', path.join(this.holders[holder], 'root.key'), '--yes'); }

  // Holders get the versions that they missed as files.
  carry(version) {
    for (const home of Object.values(this.holders))
      fs.copyFileSync(path.join(this.deployment.home, 'policies', String(version)), path.join(home, 'policies', String(version)));
  }
  async publish(...edits) {
    await this.edit(...edits);
    for (const holder of ['root-1', 'root-2']) await this.sign(holder);
    await this.deployment.cli('trust', 'publish', this.draft);
    const { version } = await this.deployment.json('trust', 'show');
    this.carry(version);
    return version;
  }
}

const says = async (promise, pattern) => {
  const { status, stderr } = await promise;
  assert.notEqual(status, 0);
  assert.match(stderr, pattern);
};
const wordsOf = ({ stderr }) => stderr.match(/^In words +(.+)$/m)[1];

test('two of three holders sign the next policy, each off the network', async (t) => {
  const roots = await Roots.create(t);
  const { deployment, draft } = roots;
  await roots.edit(['set-stage', 'default', 'approve', '--required', '2']);
  await says(deployment.cliRaw('trust', 'publish', draft), /0 of 2 signatures of the current roots/);
  const first = await roots.sign('root-3');
  assert.match(first.stderr, /rule default, who decides +approve: 1 approver, .* +approve: 2 approvers, /, 'what changes is said before it is signed');
  await says(roots.atRaw('root-3', 'trust', 'sign', draft, '--root-key', path.join(roots.holders['root-3'], 'root.key'), '--yes'), /signed this draft already/);
  await says(deployment.cliRaw('trust', 'publish', draft), /1 of 2 signatures of the current roots/);
  await says(roots.atRaw('root-1', 'trust', 'sign', draft, '--root-key', path.join(deployment.home, 'operators', 'bob.key'), '--yes'), /root key neither/);

  // A change takes the signature away.
  assert.match(await deployment.cli('trust', 'set-expiry', '30d', '--draft', draft), /no signatures any more/);
  await says(deployment.cliRaw('trust', 'publish', draft), /0 of 2/);
  const [one, two] = [await roots.sign('root-1'), await roots.sign('root-2')];
  assert.equal(wordsOf(one), wordsOf(two), 'both holders see the same words');
  assert.notEqual(wordsOf(one), wordsOf(first));
  assert.match(two.stdout, /2 of the 2 that it takes/);
  await deployment.cli('trust', 'publish', draft);
  await deployment.cli('trust', 'publish', draft); // the answer may have been lost
  const policy = await deployment.json('trust', 'show');
  assert.equal(policy.version, 2);
  assert.equal(policy.digest_words, wordsOf(one));
  assert.match(policy.rules[0].stages, /approve: 2 approvers/);

  // Who was slower begins again.
  await says(deployment.cliRaw('trust', 'set-expiry', '9d', '--draft', draft), /version 2/);
  roots.carry(2);
  await says(roots.atRaw('root-1', 'trust', 'diff', draft), /version 2 is published already: begin again/);
});

test('roots change by the signatures of the old and the new, and every client follows', async (t) => {
  const roots = await Roots.create(t);
  const { deployment, draft } = roots;
  const { deployment_id, roots_digest } = await deployment.json('trust', 'show');
  await roots.publish();
  await deployment.cli('trust', 'keygen', 'root-4', '--no-passphrase');
  roots.holders['root-4'] = deployment.path('root-4');
  fs.cpSync(roots.holders['root-3'], roots.holders['root-4'], { recursive: true });
  fs.renameSync(path.join(deployment.home, 'roots', 'root-4.key'), path.join(roots.holders['root-4'], 'root.key'));
  const publics = ['root-3', 'root-4'].map((name) => path.join(deployment.home, 'roots', `${name}.pub`));
  await roots.edit(['set-roots', ...publics, '--threshold', '2']);
  await roots.sign('root-1');
  await roots.sign('root-2');
  await says(deployment.cliRaw('trust', 'publish', draft), /2 of 2 signatures of the current roots and 0 of 2 of its own/);
  await roots.sign('root-4');
  await says(deployment.cliRaw('trust', 'publish', draft), /1 of 2 of its own/);
  await roots.sign('root-3');
  await deployment.cli('trust', 'publish', draft);
  roots.carry(3);

  // The old roots have no say any more.
  await roots.edit();
  await says(roots.atRaw('root-1', 'trust', 'sign', draft, '--root-key', path.join(roots.holders['root-1'], 'root.key'), '--yes'), /root key neither/);
  await roots.sign('root-3');
  await roots.sign('root-4');
  await deployment.cli('trust', 'publish', draft);

  // Somebody who was given the first pin gets here through every version, and keeps each.
  const late = deployment.path('late');
  const asLate = (...args) => run(path.join(bin, 'countersign'), ['--home', late, '--socket', deployment.socket, ...args]);
  const pinned = await asLate('trust', 'pin', deployment_id, roots_digest);
  assert.equal(pinned.status, 0, pinned.stderr);
  assert.deepEqual(fs.readdirSync(path.join(late, 'policies')).sort(), ['1', '2', '3', '4']);
  assert.equal(JSON.parse((await asLate('trust', 'show', '-o', 'json')).stdout).version, 4);
});

test('a device that was away for three policies, one of other roots and one expired, takes each and then the push', async (t) => {
  const roots = await Roots.create(t);
  const { deployment, draft } = roots;
  const agent = await deployment.agent('gw-1');
  await agent.enrol();
  let running = agent.start();
  await deployment.advertised('gw-1');
  assert.equal(await running.stop(), 0);
  await roots.publish(['set-expiry', '1s']);
  const publics = ['root-1', 'root-2'].map((name) => path.join(deployment.home, 'roots', `${name}.pub`));
  await roots.publish(['set-roots', ...publics, '--threshold', '1']);
  await roots.edit(['add-operator', 'ben=approver,implementer'], ['remove-operator', 'carol']);
  await roots.sign('root-2');
  await deployment.cli('trust', 'publish', draft);
  await sleep(1100);

  running = agent.start();
  const { pem } = await deployment.certificate('metering.example');
  await deployment.cli('cert', 'import', pem);
  await deployment.cli('cert', 'attach', 'metering.example', 'gw-1', 'app');
  const [request] = (await deployment.cli('push', 'metering.example', '--comment', 'renewal', '--as', 'ada', '--yes')).match(/REQ-\d+/);
  await deployment.cli('approve', request, '--manual', '--as', 'bob', '--yes');
  await says(deployment.cliRaw('implement', request, '--manual', '--as', 'carol', '--yes'), /carol is no operator/);
  await deployment.cli('implement', request, '--manual', '--as', 'ben', '--yes', '--wait');
  const accepted = running.lines.filter((line) => line.includes('trust policy accepted')).map((line) => line.match(/version=(\d+)/)[1]);
  assert.deepEqual(accepted, ['2', '3', '4']);
  assert.deepEqual(fs.readdirSync(path.join(agent.folder, 'state', 'policies')).sort(), ['1', '2', '3', '4'], 'every version is kept');
  assert.match((await agent.run('status')).stdout, /implement: ben/);
});

test('a newer policy ends the requests that it does not satisfy, and lets the others live', async (t) => {
  const roots = await Roots.create(t);
  const { deployment } = roots;
  const agent = await deployment.agent('gw-1');
  await agent.enrol();
  agent.start();
  await deployment.advertised('gw-1');
  const request = async (name, approver) => {
    const { pem } = await deployment.certificate(name);
    await deployment.cli('cert', 'import', pem);
    await deployment.cli('cert', 'attach', name, 'gw-1', 'app');
    const [number] = (await deployment.cli('push', name, '--comment', 'renewal', '--as', 'ada', '--yes')).match(/REQ-\d+/);
    if (approver) await deployment.cli('approve', number, '--manual', '--as', approver, '--yes');
    return number;
  };
  const byBob = await request('bob.example', 'bob'), byBen = await request('ben.example', 'ben'), open = await request('open.example');
  await roots.publish(['remove-operator', 'bob']);
  const order = async (number) => (await deployment.json('order', 'list', '--request', number)).orders[0];
  await until('the request that bob approved is cancelled', async () => (await order(byBob)).state === 'Cancelled');
  assert.equal((await order(byBob)).reason, 'policy changed');
  await deployment.cli('implement', byBen, '--manual', '--as', 'carol', '--yes', '--wait');
  await deployment.cli('approve', open, '--manual', '--as', 'ben', '--yes');
  await deployment.cli('implement', open, '--manual', '--as', 'carol', '--yes', '--wait');
  assert.match(await deployment.cli('topology', 'open.example'), /Completed/);
});
