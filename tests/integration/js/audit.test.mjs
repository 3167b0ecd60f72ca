// The audit with the real programs: an operator in JavaScript recomputes the chain from proto/README.md alone; the command line keeps
// checkpoints, exports, and verifies in an empty environment; an evil controller that computes the whole chain anew is caught by what was kept.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Deployment, bin, run } from './harness.mjs';
import { Operator } from './operator.mjs';
import { decode, encode, openEnvelope, sha256, signEnvelope } from './wire.mjs';

const exits = { done: 0, refused: 1, unreachable: 3, altered: 6, notAnchored: 7 };

const hashOf = (before, record) => sha256(Buffer.from('countersign/v1/audit-record'), before, encode('AuditRecord', { ...record, hash: undefined }));

// The records of an export as the wire has them, so that hashes can be computed.
const toWire = (line) => ({ ...line, hash: Buffer.from(line.hash, 'hex') });
const lastOf = (file) => fs.readFileSync(file, 'utf8').trim().split('\n').at(-1);

// As somebody with nothing but files: no home, no socket.
function verifyElsewhere(deployment, ...args) {
  const empty = deployment.path('empty');
  fs.mkdirSync(empty, { recursive: true });
  return run(path.join(bin, 'countersign'), ['audit', 'verify', ...args],
    { env: { HOME: empty, COUNTERSIGN_HOME: empty, COUNTERSIGN_SOCKET: path.join(empty, 'nobody') } });
}

test('before the first policy there is no checkpoint, and it says so', async (t) => {
  const deployment = new Deployment(fs.mkdtempSync('/tmp/countersign-audit-'), {});
  t.after(() => deployment.destroy());
  await deployment.start();
  const operator = new Operator(deployment);
  t.after(() => operator.close());
  await assert.rejects(operator.call('ControllerService', 'GetCheckpoint', {}), (error) => error.code === 9 && /no trust policy yet/.test(error.message));
  assert.equal((await deployment.cliRaw('status')).stderr, '');
});

test('checkpoints are kept, and an export is verified with files alone', async (t) => {
  const deployment = await Deployment.create(t);
  const operator = await Operator.open(t, deployment);
  const kept = path.join(deployment.home, 'checkpoints');
  const count = () => fs.readFileSync(kept, 'utf8').trim().split('\n').length;
  assert.equal(count(), 1, 'trust init keeps the first');
  for (const name of ['gw-1', 'gw-2', 'gw-3']) await deployment.cli('device', 'add', name, '--as', 'ada');
  assert.equal(count(), 4, 'so does each command that changed something');
  await deployment.cli('device', 'list');
  assert.equal(count(), 4, 'and none that did not');
  await deployment.cli('status');
  await deployment.cli('audit', 'list');
  assert.equal(count(), 4, 'nothing new is nothing to keep');
  assert.equal(fs.statSync(kept).mode & 0o777, 0o600);

  await t.test('the chain and the checkpoint are what proto/README.md says', async () => {
    const records = await operator.audit();
    let before = Buffer.alloc(32);
    for (const [index, record] of records.entries()) {
      assert.equal(record.revision, index + 1);
      before = hashOf(before, record);
      assert.deepEqual(record.hash, before);
    }
    const { envelope } = await operator.call('ControllerService', 'GetCheckpoint', {});
    const { message_key, deployment_id } = operator.status;
    const checkpoint = decode('AuditCheckpoint', openEnvelope(envelope, 'audit-checkpoint', [message_key]).payload);
    assert.equal(checkpoint.revision, records.length);
    assert.deepEqual(checkpoint.hash, before);
    assert.deepEqual(checkpoint.deployment_id, deployment_id);
  });

  const file = deployment.path('audit.jsonl');
  await deployment.publish();
  await deployment.cli('audit', 'export', '--out', file);
  const lines = fs.readFileSync(file, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
  assert.equal(lines[0].countersign_audit, 1);
  assert.deepEqual(lines.filter((line) => line.policy).map((line) => line.policy), [1, 2]);
  assert.equal(lines.at(-1).checkpoint, lines.at(-2).revision);
  assert.deepEqual(fs.readdirSync(deployment.folder).filter((name) => name.startsWith('audit.jsonl.')), [], 'nothing is left beside it');
  assert.equal((await deployment.cli('audit', 'export')).trim().split('\n').length, lines.length);

  await t.test('at home, and elsewhere with pin and checkpoints as files', async () => {
    const found = await deployment.json('audit', 'verify', file);
    assert.equal(found.confirmed, lines.at(-1).checkpoint);
    assert.equal(found.checkpoints, count() + 1);
    const pin = path.join(deployment.home, 'pin');
    for (const args of [['--pin', pin], ['--pin', pin, '--checkpoint', kept], ['--roots', (await deployment.json('trust', 'show')).roots_digest]]) {
      const { status, stderr } = await verifyElsewhere(deployment, file, ...args);
      assert.equal(status, exits.done, stderr);
    }
  });

  await t.test('without a pin it says that nothing is anchored', async () => {
    const { status, stdout, stderr } = await verifyElsewhere(deployment, file);
    assert.equal(status, exits.notAnchored);
    assert.match(stdout, /not anchored/);
    assert.match(stderr, /not anchored/);
  });

  await t.test('other roots are refused', async () => {
    const { status, stderr } = await verifyElsewhere(deployment, file, '--roots', '00'.repeat(32));
    assert.equal(status, exits.refused, stderr);
  });

  await t.test('a part is one only when it may be', async () => {
    const part = deployment.path('part.jsonl');
    await deployment.cli('audit', 'export', '--from', '3', '--to', '5', '--out', part);
    assert.deepEqual(fs.readFileSync(part, 'utf8').trim().split('\n').map((line) => JSON.parse(line).revision).filter(Boolean), [3, 4, 5]);
    const { status, stderr } = await deployment.cliRaw('audit', 'verify', part);
    assert.equal(status, exits.refused);
    assert.match(stderr, /--part/);
    const found = await deployment.json('audit', 'verify', '--part', part);
    assert.equal(found.confirmed, 5);
    assert.ok(found.outside > 0);
    const elsewhere = await verifyElsewhere(deployment, part, '--part', '--pin', path.join(deployment.home, 'pin'));
    assert.equal(elsewhere.status, exits.notAnchored, elsewhere.stderr);
    assert.match(elsewhere.stderr, /no checkpoint lies in this part/);
  });

  await t.test('an older export does not hold the newer checkpoints', async () => {
    await deployment.cli('device', 'add', 'gw-4', '--as', 'ada');
    const { status, stderr } = await deployment.cliRaw('audit', 'verify', file);
    assert.equal(status, exits.altered);
    assert.match(stderr, new RegExp(`does not contain the checkpoint of revision ${lines.at(-1).checkpoint + 1}`));
    const old = deployment.path('old-checkpoints');
    fs.writeFileSync(old, `${fs.readFileSync(kept, 'utf8').split('\n').slice(0, 3).join('\n')}\n`);
    assert.equal((await deployment.cliRaw('audit', 'verify', file, '--checkpoint', old)).status, exits.done, 'it may go further than a checkpoint');
  });

  await t.test('an evil controller computes the chain anew: only what was kept shows it', async () => {
    const messageKey = crypto.createPrivateKey(fs.readFileSync(deployment.path('state', 'keys', 'message.key')));
    const forged = deployment.path('forged.jsonl');
    let before = Buffer.alloc(32);
    const out = lines.map((line) => {
      if (line.checkpoint) {
        const { payload } = decode('Envelope', Buffer.from(line.envelope, 'base64'));
        const body = { ...decode('AuditCheckpoint', payload), hash: before };
        return { ...line, envelope: signEnvelope('audit-checkpoint', encode('AuditCheckpoint', body), messageKey).toString('base64') };
      }
      if (!line.revision) return line;
      const changed = { ...line, ...(line.revision === 3 ? { actor: 'nobody' } : {}) };
      before = hashOf(before, toWire(changed));
      return { ...changed, hash: before.toString('hex') };
    });
    fs.writeFileSync(forged, out.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const pin = path.join(deployment.home, 'pin');
    assert.equal((await verifyElsewhere(deployment, forged, '--pin', pin)).status, exits.done, 'its own signature says nothing against it');
    const { status, stderr } = await verifyElsewhere(deployment, forged, '--pin', pin, '--checkpoint', kept);
    assert.equal(status, exits.altered);
    assert.match(stderr, /does not contain the checkpoint of revision 3 /);
  });
});

test('the chain goes on through a restart and kill -9', async (t) => {
  const deployment = await Deployment.create(t);
  for (let round = 0; round < 4; round++) {
    await deployment.cli('device', 'add', `gw-${round}`, '--as', 'ada');
    if (round % 2) await deployment.controller.stop();
    else await deployment.controller.kill();
    await deployment.start();
    const { status, stderr } = await deployment.cliRaw('status');
    assert.equal(status, exits.done, stderr);
    assert.equal(stderr, '');
  }
  const file = deployment.path('audit.jsonl');
  await deployment.cli('audit', 'export', '--out', file);
  const found = await deployment.json('audit', 'verify', file);
  assert.equal(found.confirmed, JSON.parse(lastOf(file)).checkpoint);
  assert.ok(found.checkpoints >= 8);
});

test('a controller that was put back to an old copy of its store is told of at the next command', async (t) => {
  const deployment = await Deployment.create(t);
  await deployment.cli('device', 'add', 'gw-1', '--as', 'ada');
  await deployment.controller.stop();
  fs.cpSync(deployment.path('state'), deployment.path('old'), { recursive: true });
  await deployment.start();
  for (const name of ['gw-2', 'gw-3', 'gw-4', 'gw-5']) await deployment.cli('device', 'add', name, '--as', 'ada');
  await deployment.controller.stop();
  fs.rmSync(deployment.path('state'), { recursive: true });
  fs.renameSync(deployment.path('old'), deployment.path('state'));
  await deployment.start();
  const seen = await deployment.cliRaw('status');
  assert.equal(seen.status, exits.altered);
  assert.match(seen.stderr, /THE CONTROLLER'S AUDIT WAS ALTERED OR ROLLED BACK/);
  const changed = await deployment.cliRaw('device', 'add', 'gw-6', '--as', 'ada');
  assert.equal(changed.status, exits.altered, 'done, and told all the same');
  assert.match(changed.stdout, /cst1\./);
  const file = deployment.path('audit.jsonl');
  assert.equal((await deployment.cliRaw('audit', 'export', '--out', file)).status, exits.altered);
  const { status, stderr } = await deployment.cliRaw('audit', 'verify', file);
  assert.equal(status, exits.altered, stderr);
  assert.match(stderr, /does not contain the checkpoint/);
});
