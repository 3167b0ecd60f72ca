// Removals and roll backs with the real controller and command line, and an agent that was written from proto/README.md.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Deployment, jsAgent, until } from './harness.mjs';

// An agent for so many pushes, and what a person types.
async function startAgent(t, pushes) {
  const deployment = await Deployment.create(t);
  const { token, admitted } = await deployment.addDevice('gw-1');
  const state = deployment.path('js-agent');
  fs.mkdirSync(state);
  const agent = deployment.program(process.execPath, [jsAgent, '--controller', `127.0.0.1:${deployment.agentsPort}`,
    '--enrolment', `127.0.0.1:${deployment.enrolmentPort}`, '--token', token, '--state', state, '--pushes', String(pushes)], { name: 'agent.mjs' });
  await admitted;
  await deployment.advertised('gw-1');
  const installed = () => fs.existsSync(path.join(state, 'chain.pem')) ? fs.readFileSync(path.join(state, 'chain.pem'), 'utf8') : null;
  const has = (leaf) => installed()?.includes(fs.readFileSync(leaf, 'utf8').trim());
  return { deployment, agent, ...people(deployment), installed, has };
}

function people(deployment) {
  const ask = (...args) => deployment.cliRaw(...args, '--comment', 'because', '--as', 'ada', '--yes');
  // Asked for, decided by both, and waited for: what was shown before the signature.
  const through = async (...args) => {
    const { status, stdout, stderr } = await ask(...args);
    assert.equal(status, 0, stderr);
    const [request] = stdout.match(/REQ-\d+/);
    const approved = await deployment.cliRaw('approve', request, '--manual', '--as', 'bob', '--yes');
    assert.equal(approved.status, 0, approved.stderr);
    await deployment.cli('implement', request, '--manual', '--as', 'carol', '--yes', '--wait');
    return { request, shown: stderr + stdout, decided: approved.stderr + approved.stdout };
  };
  return { ask, through };
}

test('a certificate is removed, and comes back from the device\'s own generation', async (t) => {
  const { deployment, ask, through, installed, has } = await startAgent(t, 99);
  const one = await deployment.certificate('one.example');
  await deployment.cli('cert', 'import', one.pem);
  await deployment.cli('cert', 'attach', 'one.example', 'gw-1', 'app');
  assert.match((await ask('remove', 'one.example')).stderr, /nothing to remove/);
  await deployment.pushAttached('one.example');
  assert.ok(has(one.leaf));

  assert.match(await deployment.cli('remove', 'one.example', '--dry-run', '--as', 'ada'), /remove[^]*gw-1\/app[^]*Nothing was signed/);
  const removal = await through('remove', 'one.example', '--to', 'gw-1/app');
  assert.match(removal.shown, /remove one\.example from gw-1\/app/);
  assert.match(removal.decided, /remove one\.example from gw-1\/app/);
  assert.equal(installed(), null);
  const tree = await deployment.cli('topology', 'one.example');
  assert.match(tree, /nothing is installed: it was removed/);
  assert.match(tree, /remove: Completed/);
  assert.doesNotMatch(tree, /purple|gray/);
  const [row] = (await deployment.json('topology', 'one.example')).connectors;
  assert.deepEqual([row.sync, row.action, row.remark], ['missing', 'remove', '']);
  assert.match(await deployment.cli('request', 'list'), /REQ-2 +remove/);
  assert.match(await deployment.cli('order', 'show', 'WO-2'), /Action +remove/);

  // It was the only one: the device has it still.
  const back = await through('roll-back', 'gw-1', 'app');
  assert.match(back.shown, /WO-2 removed what was there.*generation 1/);
  assert.match(back.shown, /roll gw-1\/app back to one\.example, generation 1/);
  assert.match(back.decided, /roll gw-1\/app back to one\.example, generation 1/);
  assert.ok(has(one.leaf));
});

test('a roll back names the generation that the device reported, or says why it is a push', async (t) => {
  const { deployment, ask, through, has } = await startAgent(t, 99);
  const leaves = {};
  for (const name of ['one.example', 'two.example']) {
    const { pem, leaf } = await deployment.certificate(name);
    leaves[name] = leaf;
    await deployment.push(pem, name, 'gw-1');
  }
  const dry = await ask('roll-back', 'gw-1', 'app', '--dry-run');
  assert.match(dry.stdout, /WO-2 brought what is there now; WO-1 before it.*generation 1/);
  const { request } = await through('roll-back', 'gw-1', 'app');
  assert.ok(has(leaves['one.example']));
  const shown = await deployment.json('request', 'show', request);
  assert.match(shown.task, /^roll gw-1\/app back to one\.example, generation 1$/);
  assert.equal((await deployment.json('order', 'show', 'WO-3')).target_generation, 1);

  // What came back is a generation of its own; a push is what is asked for.
  const again = await ask('roll-back', 'gw-1', 'app', '--push', '--dry-run');
  assert.match(again.stdout, /WO-3 brought what is there now; WO-2 before it.*ordinary push/);
  await through('roll-back', 'gw-1', 'app', '--push');
  assert.ok(has(leaves['two.example']));
  assert.match((await ask('roll-back', 'gw-1', 'app', '--dry-run')).stdout, /generation 3/);
  await until('everything is reported', async () => (await deployment.json('order', 'list')).orders.every(({ state }) => state === 'Completed'));
});

test('what was changed by hand is removed and rolled back by the device\'s journal', async (t) => {
  const deployment = await Deployment.create(t);
  const { through } = people(deployment);
  const agent = await deployment.agent('gw-1');
  await agent.enrol();
  agent.start();
  await deployment.advertised('gw-1');
  const file = path.join(agent.folder, 'chain.pem');
  for (const name of ['one.example', 'two.example']) await deployment.push((await deployment.certificate(name)).pem, name, 'gw-1');
  const changed = async (change, name, remark) => {
    change();
    await until('the change is told', async () => remark.test((await deployment.json('topology', name)).connectors[0].remark));
  };

  // A digest that no chain has.
  await changed(() => fs.writeFileSync(file, 'no certificate'), 'two.example', /has none in it/);
  const back = await through('roll-back', 'gw-1', 'app');
  assert.match(back.shown, /Changed by hand +gw-1\/app: the device reports that it is not as it was pushed: .*has none in it/);
  assert.ok(fs.readFileSync(file, 'utf8').includes('BEGIN CERTIFICATE'));

  // Nothing at all; "wherever it is" means the place all the same.
  await changed(() => fs.rmSync(file), 'one.example', /removed by hand/);
  const removal = await through('remove', 'one.example');
  assert.match(removal.shown, /Changed by hand +gw-1\/app: .*a file was removed by hand/);
  assert.ok(!fs.existsSync(path.join(agent.folder, 'key.pem')));
  await until('all is as it was pushed', async () => {
    const [row] = (await deployment.json('topology', 'one.example')).connectors;
    return row.sync === 'missing' && row.action === 'remove' && row.remark === '';
  });
});
