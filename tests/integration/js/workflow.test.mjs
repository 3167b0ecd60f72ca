// The work order's life with the real programs: attempts that fail, what a push would need, rolling back, times in words, cancelling.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Deployment } from './harness.mjs';

// A reload that fails as often as the file `failures` says; each line of `reloads` is the generation that was in place.
async function startAgent(deployment, failures) {
  const agent = await deployment.agent('gw-1');
  const file = (name) => path.join(agent.folder, name);
  fs.writeFileSync(file('failures'), String(failures));
  fs.writeFileSync(file('reloads'), '');
  fs.writeFileSync(file('reload.sh'), `now=$(readlink ${file('state')}/connectors/app/current 2>/dev/null || echo none)
echo "$now" >>${file('reloads')}
left=$(cat ${file('failures')})
case $now in g*) ;; *) exit 0 ;; esac
[ "$left" -gt 0 ] || exit 0
echo $((left - 1)) >${file('failures')}
echo "no such worker" >&2
exit 1
`);
  fs.appendFileSync(agent.config, `reload = /bin/sh ${file('reload.sh')}\n`);
  await agent.enrol();
  const running = agent.start();
  await deployment.advertised('gw-1');
  const attempts = (generation) => fs.readFileSync(file('reloads'), 'utf8').split('\n').filter((line) => line === `g${generation}`).length;
  return { ...agent, running, attempts, fail: (count) => fs.writeFileSync(file('failures'), String(count)) };
}
const quick = { controller: { retry_first: '1s', retry_most: '1s' } };
const order = async (deployment, request) => (await deployment.json('order', 'list', '--request', request)).orders[0];
const installed = (agent) => fs.readFileSync(path.join(agent.folder, 'chain.pem'), 'utf8');
const has = (agent, leaf) => installed(agent).includes(fs.readFileSync(leaf, 'utf8').trim());

test('a reload that fails twice and then works completes on the third attempt', async (t) => {
  const deployment = await Deployment.create(t, quick);
  const agent = await startAgent(deployment, 2);
  const { pem, leaf } = await deployment.certificate('one.example');
  const request = await deployment.push(pem, 'one.example', 'gw-1');
  assert.equal((await order(deployment, request)).state, 'Completed');
  assert.equal(agent.attempts(1), 3);
  assert.ok(has(agent, leaf));
  assert.doesNotMatch(await deployment.cli('topology', 'one.example'), /gray/);
  const audit = await deployment.cli('audit', 'list');
  assert.match(audit, /reload-failed now scheduled for attempt 2/);
  assert.match(audit, /reload-failed now scheduled for attempt 3/);

  // For ever failing: exactly as often as was signed, and then the device's own reason.
  agent.fail(1000);
  const two = await deployment.certificate('two.example');
  await deployment.cli('cert', 'import', two.pem);
  await deployment.cli('cert', 'attach', 'two.example', 'gw-1', 'app');
  const out = await deployment.cli('push', 'two.example', '--comment', 'renewal', '--attempts', '2', '--as', 'ada', '--yes');
  const [second] = out.match(/REQ-\d+/);
  await deployment.cli('approve', second, '--manual', '--as', 'bob', '--yes');
  const { status } = await deployment.cliRaw('implement', second, '--manual', '--as', 'carol', '--yes', '--wait');
  assert.equal(status, 4);
  const failed = await order(deployment, second);
  assert.equal(failed.state, 'Failed');
  assert.match(failed.reason, /^reload-failed/);
  assert.equal(agent.attempts(2), 2);
  assert.ok(has(agent, leaf), 'what was there before is there again');
  assert.match(await deployment.cli('topology', 'two.example'), /gray/);
  assert.equal(await agent.running.stop(), 0);
});

test('people see the next attempt, and may cancel it', async (t) => {
  const deployment = await Deployment.create(t); // 15 to 30 s to the next attempt
  const agent = await startAgent(deployment, 1000);
  const { pem } = await deployment.certificate('one.example');
  const request = await deployment.push(pem, 'one.example', 'gw-1', { wait: false });
  let shown;
  do shown = await order(deployment, request); while (!/attempt/.test(shown.state) && !/Failed/.test(shown.state));
  assert.match(shown.state, /^Push-Scheduled \(attempt 2 of 3 at \d{4}-\d\d-\d\dT[\d:]+Z\)$/);
  assert.match(shown.reason, /^attempt 1 of 3 failed: reload-failed/);
  await deployment.cli('cancel', request, '--yes');
  assert.equal((await order(deployment, request)).state, 'Cancelled');
  assert.equal(agent.attempts(1), 1);
});

test('a dry run says who would decide, and asks and signs nothing', async (t) => {
  const deployment = await Deployment.create(t);
  await startAgent(deployment, 0);
  await deployment.cli('operator', 'keygen', 'ben', '--no-passphrase');
  await deployment.publish(['add-operator', 'ben=approver']);
  const { pem } = await deployment.certificate('one.example');
  await deployment.cli('cert', 'import', pem);
  await deployment.cli('cert', 'attach', 'one.example', 'gw-1', 'app');
  const audited = async () => (await deployment.json('audit', 'list')).records.length;
  const before = await audited();
  const said = await deployment.json('push', 'one.example', '--dry-run', '--as', 'ada');
  assert.equal(said.orders, 1);
  assert.deepEqual(said.needs.map(({ rule, orders, example, stage, required, role, may_decide }) =>
    ({ rule, orders, example, stage, required, role, may_decide })), [
    { rule: 'default', orders: 1, example: 'gw-1/app', stage: 'approve', required: 1, role: 'approver', may_decide: ['bob', 'ben'] },
    { rule: 'default', orders: 1, example: 'gw-1/app', stage: 'implement', required: 1, role: 'implementer', may_decide: ['carol'] }]);
  assert.equal(await audited(), before);
  assert.match(await deployment.cli('push', 'one.example', '--dry-run', '--as', 'ada'), /Nothing was signed/);
});

test('the certificate before is pushed again, under the same stages', async (t) => {
  const deployment = await Deployment.create(t);
  const agent = await startAgent(deployment, 0);
  const rollBack = (...args) => deployment.cliRaw('roll-back', 'gw-1', 'app', '--push', '--comment', 'back', '--as', 'ada', '--yes', ...args);
  assert.match((await rollBack()).stderr, /nothing to roll back/);
  const one = await deployment.certificate('one.example');
  await deployment.push(one.pem, 'one.example', 'gw-1');
  assert.match((await rollBack()).stderr, /there is none before it/);
  const two = await deployment.certificate('two.example');
  await deployment.push(two.pem, 'two.example', 'gw-1');
  assert.ok(has(agent, two.leaf));
  assert.match((await rollBack('--dry-run')).stdout, /WO-2 brought what is there now; WO-1 before it.*ordinary push/);
  const { status, stdout, stderr } = await rollBack();
  assert.equal(status, 0, stderr);
  const [request] = stdout.match(/REQ-\d+/);
  assert.match(await deployment.cli('request', 'show', request), /one\.example/);
  assert.ok(has(agent, two.leaf), 'nothing happens before people have decided');
  await deployment.cli('approve', request, '--manual', '--as', 'bob', '--yes');
  await deployment.cli('implement', request, '--manual', '--as', 'carol', '--yes', '--wait');
  assert.ok(has(agent, one.leaf));
});

test('a time in words is signed as the moment that it means', async (t) => {
  const deployment = await Deployment.create(t);
  await startAgent(deployment, 0);
  const { pem } = await deployment.certificate('one.example');
  await deployment.cli('cert', 'import', pem);
  await deployment.cli('cert', 'attach', 'one.example', 'gw-1', 'app');
  const [request] = (await deployment.cli('push', 'one.example', '--comment', 'night', '--as', 'ada', '--yes')).match(/REQ-\d+/);
  const refused = await deployment.cliRaw('approve', request, '--at', 'soon', '--as', 'bob', '--yes');
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /tomorrow 02:00/);
  const tomorrow = new Date(Date.now() + 86400_000).toISOString().slice(0, 10);
  await deployment.cli('approve', request, '--at', 'tomorrow 02:00', '--zone', 'UTC', '--as', 'bob', '--yes');
  await deployment.cli('implement', request, '--manual', '--as', 'carol', '--yes');
  const scheduled = await order(deployment, request);
  assert.equal(scheduled.state, 'Push-Scheduled');
  assert.equal(scheduled.not_before, `${tomorrow}T02:00:00Z`);
  // What has been decided cannot be decided again, and the sentence says what can be done.
  const late = await deployment.cliRaw('reject', request, '--comment', 'late', '--as', 'bob', '--yes');
  assert.equal(late.status, 1);
  assert.match(late.stderr, /WO-1 is Push-Scheduled: it cannot be rejected; possible: cancel/);
  assert.match(await deployment.cli('cancel', request, '--orders', 'WO-1', '--yes'), /Cancelled +1/);
});

test('a clock that is set runs nothing early and nothing twice', async (t) => {
  const deployment = await Deployment.create(t, { clock: true });
  const agent = await startAgent(deployment, 0);
  const { pem } = await deployment.certificate('one.example');
  await deployment.cli('cert', 'import', pem);
  await deployment.cli('cert', 'attach', 'one.example', 'gw-1', 'app');
  const [request] = (await deployment.cli('push', 'one.example', '--comment', 'later', '--as', 'ada', '--yes')).match(/REQ-\d+/);
  await deployment.cli('approve', request, '--at', 'in 2h', '--as', 'bob', '--yes');
  await deployment.cli('implement', request, '--manual', '--as', 'carol', '--yes');
  const at_s = Date.parse((await order(deployment, request)).not_before) / 1000;
  const still = async (state, attempts) => {
    await sleep(1000);
    assert.equal((await order(deployment, request)).state, state);
    assert.equal(agent.attempts(1), attempts);
  };
  deployment.clock.travelTo(at_s - 30);
  await still('Push-Scheduled', 0);
  deployment.clock.travel(-3600);
  await still('Push-Scheduled', 0);
  deployment.clock.travelTo(at_s + 1);
  await deployment.cli('wait', request);
  await still('Completed', 1);
  deployment.clock.travel(-3600);
  await still('Completed', 1);
  deployment.clock.travelTo(at_s + 2);
  await still('Completed', 1);
  assert.equal(await agent.running.stop(), 0);
  assert.equal(await deployment.controller.stop(), 0);
});
