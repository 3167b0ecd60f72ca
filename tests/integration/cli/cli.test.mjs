// The command line against a controller that believes everything and lies on demand: the main job, and every lie that
// people must not sign.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { decode, encode, sha256, signEnvelope } from '../js/wire.mjs';
import { Controller, Device, makeCertificate } from './controller.mjs';

const program = path.join(process.env.COUNTERSIGN_TEST_BIN, 'countersign');
const exits = { done: 0, refused: 1, usage: 2, unreachable: 3, orderFailed: 4, timedOut: 5, altered: 6, notAnchored: 7 };
let folder, controller, home;

function countersign(...args) {
  return new Promise((resolve) => {
    const child = execFile(program, args, { cwd: folder, env: { ...process.env, COUNTERSIGN_HOME: home,
      COUNTERSIGN_SOCKET: controller.socket, NO_COLOR: '1' } }, (error, out, err) => resolve({ code: error ? error.code : 0, out, err }));
    child.stdin.end();
  });
}
async function succeeds(...args) {
  const result = await countersign(...args);
  assert.equal(result.code, exits.done, `${args.join(' ')}: ${result.err}`);
  return result;
}
async function fails(code, says, ...args) {
  const result = await countersign(...args);
  assert.equal(result.code, code, `${args.join(' ')}: ${result.err}${result.out}`);
  assert.match(result.err, says);
}
// A lie for the time of one command, which must refuse it.
async function seesThrough(lie, says, ...args) {
  controller.lies = lie;
  try {
    await fails(exits.refused, says, ...args);
  } finally {
    controller.lies = {};
  }
}
// The next version of the policy, changed by these commands and signed by two of the three roots.
async function publish(...edits) {
  await succeeds('trust', 'draft');
  for (const edit of edits) await succeeds('trust', ...edit);
  for (const root of ['root-1', 'root-3']) await succeeds('trust', 'sign', '--root-key', path.join(home, 'roots', `${root}.key`), '--yes');
  await succeeds('trust', 'publish');
}
const json = async (...args) => JSON.parse((await succeeds(...args, '-o', 'json')).out);

before(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'countersign-cli-'));
  home = path.join(folder, 'home');
  controller = new Controller(folder);
  await controller.start();
  makeCertificate(folder, 'client.example');
  makeCertificate(folder, 'other.example');
});
after(() => {
  controller.stop();
  fs.rmSync(folder, { recursive: true, force: true });
});

describe('the main job', () => {
  test('a client without a pin trusts nothing', async () => {
    await fails(exits.refused, /no pin/, 'trust', 'show');
  });

  test('people make keys', async () => {
    for (const name of ['alice', 'bob', 'carol']) await succeeds('operator', 'keygen', name, '--no-passphrase');
    fs.writeFileSync(path.join(folder, 'passphrase'), 'correct horse\n', { mode: 0o600 });
    await succeeds('operator', 'keygen', 'dora', '--passphrase-file', 'passphrase');
    await fails(exits.refused, /never overwritten/, 'operator', 'keygen', 'alice', '--no-passphrase');
    assert.equal(fs.statSync(path.join(home, 'operators/dora.key')).mode & 0o777, 0o600);
  });

  test('the owner makes the deployment', async () => {
    await fails(exits.usage, /no role/, 'trust', 'init', '--operator', 'alice=boss');
    await fails(exits.usage, /give --yes/, 'trust', 'init', '--operator', 'alice=admin', '--operator', 'bob=requester',
      '--operator', 'carol=approver', '--operator', 'dora=implementer', '--no-passphrase');
    await succeeds('trust', 'init', '--operator', 'alice=admin', '--operator', 'bob=requester', '--operator', 'carol=approver',
      '--operator', 'dora=implementer', '--no-passphrase', '--yes');
    assert.deepEqual(fs.readdirSync(path.join(home, 'roots')).sort(), ['root-1.key', 'root-1.pub', 'root-2.key', 'root-2.pub',
      'root-3.key', 'root-3.pub']);
    const policy = await json('trust', 'show');
    assert.equal(policy.signers, '2 of 3 root keys');
    assert.deepEqual(policy.operators.map((o) => o.name), ['alice', 'bob', 'carol', 'dora']);
    await fails(exits.refused, /pinned to a deployment already/, 'trust', 'init', '--operator', 'alice=admin', '--yes');
  });

  test('another client pins the same roots', async () => {
    const { deployment_id, roots_digest } = await json('trust', 'show');
    const mine = home;
    home = path.join(folder, 'second-home');
    await fails(exits.refused, /./, 'trust', 'pin', deployment_id, '00'.repeat(32));
    await succeeds('trust', 'pin', deployment_id, roots_digest);
    assert.equal((await json('trust', 'show')).roots_digest, roots_digest);
    home = mine;
  });

  test('drafts are changed in words, and refused where they contradict themselves', async () => {
    await fails(exits.refused, /no draft .*trust draft/, 'trust', 'set-expiry', '9d');
    await succeeds('trust', 'draft');
    await fails(exits.refused, /a draft already/, 'trust', 'draft');
    await fails(exits.refused, /stays as it was.*cannot be satisfied/, 'trust', 'set-stage', 'default', 'approve', '--required', '2');
    await fails(exits.refused, /stays as it was.*names zoe, who is no operator/, 'trust', 'set-stage', 'default', '1', '--operator', 'zoe');
    await fails(exits.usage, /to add one, say who decides/, 'trust', 'set-stage', 'default', 'security');
    await fails(exits.refused, /no rule lab/, 'trust', 'remove-stage', 'lab', 'approve');
    await fails(exits.usage, /say who decides/, 'trust', 'add-rule', 'lab', '--device', 'lab-1');
    await fails(exits.usage, /--threshold is a number from 1 to/, 'trust', 'set-roots', path.join(home, 'roots/root-1.pub'), '--threshold', '2');
    await succeeds('trust', 'add-rule', 'lab', '--device', 'lab-1', '--stage', 'approve=approver:1:carol', '--requester-may-decide');
    await succeeds('trust', 'set-stage', 'lab', 'check', '--role', 'admin', '--position', '1');
    const { changes } = await json('trust', 'set-stage', 'lab', 'approve', '--anybody');
    assert.deepEqual(changes.filter((one) => one.what.startsWith('rule lab') || one.what.startsWith('order')).map((one) => [one.what, one.after]), [
      ['rule lab matches', 'device lab-1'], ['rule lab, who decides', 'check: 1 admin, then approve: 1 approver'],
      ['rule lab, requester may decide too', 'yes'], ["rule lab, a browser's key may finish", 'no'], ['order of the rules', 'lab, default']]);
    await succeeds('trust', 'keygen', 'spare', '--passphrase-file', 'passphrase');
    await fails(exits.usage, /--root-key FILE/, 'trust', 'sign');
    await fails(exits.refused, /root key neither/, 'trust', 'sign', '--root-key', path.join(home, 'roots/spare.key'), '--yes',
      '--passphrase-file', 'passphrase');
    await fails(exits.usage, /give --yes/, 'trust', 'sign', '--root-key', path.join(home, 'roots/root-2.key'));
    await succeeds('trust', 'sign', '--root-key', path.join(home, 'roots/root-2.key'), '--yes');
    assert.deepEqual((await json('trust', 'diff')).root_signatures.map((one) => one.signature), ['missing', 'signed', 'missing']);
    assert.match((await succeeds('trust', 'show', path.join(home, 'draft'))).out, /1 of the 2 that it takes/);
    const signed = fs.readFileSync(path.join(home, 'draft'));
    fs.writeFileSync(path.join(home, 'draft'), Buffer.concat([signed.subarray(0, -1), Buffer.of(signed.at(-1) ^ 1)]));
    await fails(exits.refused, /signature of the envelope does not hold/, 'trust', 'diff');
    await fails(exits.refused, /does not hold/, 'trust', 'sign', '--root-key', path.join(home, 'roots/root-1.key'), '--yes');
    await fails(exits.refused, /does not hold/, 'trust', 'publish');
    fs.appendFileSync(path.join(home, 'draft'), 'x');
    await fails(exits.refused, /is no trust policy or draft of one/, 'trust', 'diff');
    fs.rmSync(path.join(home, 'draft'));
  });

  test('a device is admitted only with the keys of the token\'s holder', async () => {
    const device = new Device('gw-1');
    const { out } = await succeeds('device', 'add', 'gw-1');
    await fails(exits.timedOut, /has not used its token/, 'device', 'admit', 'gw-1', '--as', 'alice', '--yes');
    device.enrol(out);
    controller.devices.set('gw-1', { device });
    await seesThrough({ enrolment: (e) => ({ ...e, kem_spki: controller.GetStatus().message_key }) }, /not made by the holder/,
      'device', 'admit', 'gw-1', '--as', 'alice', '--yes');
    await fails(exits.refused, /bob is no admin/, 'device', 'admit', 'gw-1', '--as', 'bob', '--yes');
    await succeeds('device', 'admit', 'gw-1', '--as', 'alice', '--yes');
    // From here on nothing older is taken, whatever the controller says.
    assert.match(fs.readFileSync(path.join(home, 'devices'), 'utf8'), /^gw-1 20\d\d-/);
    assert.match((await succeeds('device', 'show', 'gw-1')).out, /signed by an admin/);
  });

  test('certificates are imported with their key, and wrong ones refused here', async () => {
    await fails(exits.refused, /does not belong/, 'cert', 'import', 'client.example.pem', '--key', 'other.example.key');
    fs.writeFileSync(path.join(folder, 'huge.pem'), Buffer.alloc(10 << 20, 'A'));
    await fails(exits.refused, /larger than 96 KiB/, 'cert', 'import', 'huge.pem');
    await fails(exits.refused, /./, 'cert', 'import', 'client.example.key');
    const imported = await json('cert', 'import', 'client.example.pem', '--key', 'client.example.key');
    assert.equal(imported.key_mode, 'held');
    await fails(exits.refused, /no certificate/, 'cert', 'attach', 'nobody.example', 'gw-1', 'app');
  });

  test('a push needs an attachment', async () => {
    await fails(exits.refused, /cert attach/, 'push', 'client.example', '--comment', 'x', '--as', 'bob', '--yes');
    await succeeds('cert', 'attach', 'client.example', 'gw-1', 'app');
    await fails(exits.refused, /not attached to gw-1\/web/, 'push', 'client.example', '--to', 'gw-1/web', '--comment', 'x',
      '--as', 'bob', '--yes');
    await fails(exits.usage, /--comment/, 'push', 'client.example', '--as', 'bob');
    await fails(exits.usage, /COUNTERSIGN_AS/, 'push', 'client.example', '--comment', 'x', '--yes');
    fs.writeFileSync(path.join(home, 'config'), '[client]\nas = alice\n');
    await fails(exits.refused, /alice is no requester/, 'push', 'client.example', '--comment', 'x', '--yes');
    process.env.COUNTERSIGN_AS = 'carol';
    await fails(exits.refused, /carol is no requester/, 'push', 'client.example', '--comment', 'x', '--yes');
    delete process.env.COUNTERSIGN_AS;
    fs.rmSync(path.join(home, 'config'));
    await fails(exits.refused, /alice is no requester/, 'push', 'client.example', '--comment', 'x', '--as', 'alice', '--yes');
  });

  test('a requester signs only what was asked for', async () => {
    const push = ['push', 'client.example', '--comment', 'renewal', '--as', 'bob', '--yes'];
    const bent = (change) => ({ cores: (cores) => cores.map((core) => ({ ...core, ...change(core) })) });
    await seesThrough(bent(() => ({ device_id: crypto.randomBytes(16) })), /another device-id/, ...push);
    await seesThrough(bent(() => ({ connector: 'web' })), /not asked for/, ...push);
    await seesThrough(bent(() => ({ chain_digest: crypto.randomBytes(32) })), /another chain/, ...push);
    await seesThrough(bent(() => ({ leaf_spki_digest: crypto.randomBytes(32) })), /another key/, ...push);
    await seesThrough(bent(() => ({ generation: 5000 })), /generation 5000/, ...push);
    await seesThrough(bent(() => ({ action: 2, key_mode: 4, chain_digest: Buffer.alloc(0), leaf_spki_digest: Buffer.alloc(0),
      expects: Buffer.alloc(32) })),
      /not asked for/, ...push);
    await seesThrough(bent(() => ({ expects: Buffer.alloc(32) })), /replaces only/, ...push);
    await seesThrough({ cores: (cores) => [...cores, ...cores] }, /another number/, ...push);
    await seesThrough({ certificate: (c) => ({ ...c, chain: controller.agentCa }) }, /another certificate/, ...push);
    await seesThrough({ device: (d) => ({ ...d, admission: Buffer.alloc(0) }) }, /not admitted/, ...push);
    await seesThrough({ device: (d) => ({ ...d, admission: signEnvelope('admission', decode('Envelope', d.admission).payload,
      controller.messageKey.privateKey) }) }, /admission of device gw-1/, ...push);
    assert.equal(controller.orders.length, 0, 'nothing was submitted');
  });

  test('what is tried with --dry-run changes nothing', async () => {
    const before = controller.revision;
    const dry = async (says, ...args) => assert.match((await succeeds(...args, '--dry-run')).out, says);
    await dry(/CN=other\.example[\s\S]*private key +yes/, 'cert', 'import', 'other.example.pem', '--key', 'other.example.key');
    await fails(exits.refused, /does not belong/, 'cert', 'import', 'client.example.pem', '--key', 'other.example.key', '--dry-run');
    await dry(/Would be detached from +gw-1\/app/, 'cert', 'detach', 'client.example', 'gw-1', 'app');
    await dry(/Would be attached to +gw-1\/app/, 'cert', 'attach', 'client.example', 'gw-1', 'app');
    await fails(exits.refused, /no app connector web/, 'cert', 'attach', 'client.example', 'gw-1', 'web', '--dry-run');
    await dry(/gw-1/, 'device', 'ban', 'gw-1');
    await fails(exits.usage, /no option "--dry-run"/, 'cert', 'list', '--dry-run');
    assert.equal(controller.revision, before);
  });

  test('a push is requested, approved, implemented and waited for', async () => {
    controller.requests = [];
    const { err } = await succeeds('push', 'client.example', '--comment', 'renewal', '--as', 'bob', '--yes');
    assert.match(err, /push request[\s\S]*client\.example[\s\S]*gw-1/);
    const words = (text) => text.match(/^In words +([a-z]+(?: [a-z]+){7})$/m)[1];
    assert.equal((await json('request', 'show', 'REQ-1')).digest_words, words(err), 'everybody sees the words that were signed');
    const list = fs.readFileSync(new URL('../../../shared/trust/spoken_words.inc', import.meta.url), 'utf8').match(/[a-z]+/g);
    const digest = sha256(decode('Envelope', controller.requests[0].envelope).payload);
    assert.equal(words(err), [...digest.subarray(0, 8)].map((byte) => list[byte]).join(' '), 'as proto/README.md has it');
    await fails(exits.usage, /exclude each other/, 'approve', 'REQ-1', '--manual', '--at', '2030-01-01T00:00:00Z', '--as', 'carol');
    await fails(exits.usage, /Manual Implementation/, 'approve', 'REQ-1', '--as', 'carol', '--yes');
    await fails(exits.refused, /at stage 1, "approve"/, 'implement', 'REQ-1', '--manual', '--as', 'dora', '--yes');
    await fails(exits.refused, /./, 'approve', 'REQ-1', '--manual', '--as', 'bob', '--yes');
    await fails(exits.refused, /./, 'approve', 'REQ-1', '--manual', '--as', 'dora', '--yes', '--passphrase-file', 'passphrase');
    assert.deepEqual((await json('inbox', '--as', 'carol')).requests.map((r) => [r.request, r.stage, r.orders]), [['REQ-1', 'approve', 1]]);
    assert.equal((await succeeds('inbox', '--as', 'carol', '-o', 'name')).out, 'REQ-1\n');
    for (const name of ['bob', 'dora', 'alice'])
      assert.match((await succeeds('inbox', '--as', name)).out, /^Nothing waits for you\.$/m, name);
    assert.match((await succeeds('approve', 'REQ-1', '--manual', '--as', 'carol', '--dry-run')).out, /client\.example[\s\S]*Nothing was changed/);
    await fails(exits.refused, /does not wait for dora/, 'approve', 'REQ-1', '--manual', '--as', 'dora', '--dry-run');
    assert.match((await succeeds('cancel', 'REQ-1', '--dry-run')).out, /Would be cancelled +1/);
    const approved = await succeeds('approve', 'REQ-1', '--manual', '--as', 'carol', '--yes', '--comment', 'fine');
    assert.equal(approved.err.match(/^Request in words +(.*)$/m)[1], words(err), 'whoever decides can compare with the requester');
    assert.match(approved.err, /Window from start +1d[\s\S]*client\.example[\s\S]*Fingerprint[\s\S]*Valid from[\s\S]*gw-1 +app/);
    assert.equal((await json('request', 'show', 'REQ-1')).decisions[0].digest_words, words(approved.err));
    assert.match((await succeeds('inbox', '--as', 'carol')).out, /Nothing waits/);
    assert.equal((await json('inbox', '--as', 'dora')).requests[0].stage, 'implement');
    const me = await json('whoami', '--as', 'dora');
    assert.deepEqual([me.operator, me.roles, me.key_here], ['dora', ['implementer'], true]);
    await fails(exits.timedOut, /has not ended/, 'wait', 'REQ-1', '--timeout', '1s');
    await fails(exits.refused, /does not open/, 'implement', 'REQ-1', '--manual', '--as', 'dora', '--yes',
      '--passphrase-file', 'client.example.pem');
    const done = await succeeds('implement', 'REQ-1', '--at', '2020-01-01T00:00Z', '--wait', '--as', 'dora', '--yes',
      '--passphrase-file', 'passphrase');
    assert.match(done.out, /Completed/);
    assert.equal((await json('request', 'show', 'REQ-1')).decisions.length, 2);
    assert.match((await succeeds('topology', 'client.example')).out, /gw-1[\s\S]*app[\s\S]*Completed/);
  });

  test('the device\'s own account is believed for its signature alone', async () => {
    const shown = await json('order', 'show', 'WO-1');
    assert.deepEqual(shown.deciders, ['approve: carol', 'implement: dora']);
    controller.lies = { order: (o) => ({ ...o, report: signEnvelope('device-report', decode('Envelope', o.report).payload,
      controller.messageKey.privateKey) }) };
    const forged = await json('order', 'show', 'WO-1');
    controller.lies = {};
    assert.equal(forged.deciders, undefined);
    assert.match(forged.report_signature, /report of device gw-1/);
  });
});

describe('a removal and a roll back', () => {
  const bent = (change, more) => ({ cores: (cores) => cores.map((core) => ({ ...core, ...change(core) })), ...more });
  const said = ['--comment', 'because', '--as', 'bob', '--yes'];
  const forget = () => { controller.requests.length = 1; };
  // Another certificate came after WO-1, so that there is something to go back from; the device is at the next generation.
  const later = { orders: (reply) => ({ ...reply, orders: [controller.later.order, ...reply.orders] }) };
  const device = () => controller.devices.get('gw-1').device;
  before(() => {
    device().generation = 1;
    controller.later = { order: { ...controller.orders[0], number: 9, certificate_id: sha256(Buffer.from('other')) },
      core: { ...controller.requests[0].cores[0], number: 9, order_id: Buffer.alloc(16, 9), chain_digest: sha256(Buffer.from('what is there')) } };
  });
  after(() => { device().generation = 0; controller.later = undefined; forget(); });

  test('a requester removes only what was asked for', async () => {
    const remove = ['remove', 'client.example', ...said];
    await seesThrough(bent(() => ({ expects: crypto.randomBytes(32) })), /removes another certificate/, ...remove);
    await seesThrough(bent(() => ({ expects: Buffer.alloc(32) })), /removes another certificate/, ...remove);
    await seesThrough(bent(() => ({ connector: 'web' })), /not asked for/, ...remove);
    await seesThrough(bent(({ expects }) => ({ action: 1, key_mode: 3, chain_digest: expects, leaf_spki_digest: expects })), /not asked for/, ...remove);
    await seesThrough(bent(() => ({ generation: 5000 })), /generation 5000/, ...remove);
    await fails(exits.refused, /not installed there|not attached/, 'remove', 'client.example', '--to', 'gw-1/web', ...said);
    await fails(exits.usage, /no option "--even-expired"/, 'remove', 'client.example', '--even-expired', ...said);
    forget();
    assert.match((await succeeds('remove', 'client.example', '--dry-run', '--as', 'bob')).out, /Action +remove[\s\S]*Nothing was signed/);
    assert.equal(controller.orders.length, 1, 'nothing was submitted');
  });

  test('a requester rolls back only to what the device itself reported', async () => {
    const back = ['roll-back', 'gw-1', 'app', ...said];
    await seesThrough(bent(() => ({ target_generation: 0 }), later), /target_generation/, ...back);
    await seesThrough(bent(() => ({ generation: 3, target_generation: 2 }), later), /another generation than the one that the device reported/, ...back);
    await seesThrough(bent(() => ({ chain_digest: crypto.randomBytes(32) }), later), /another chain/, ...back);
    await seesThrough(bent(() => ({ leaf_spki_digest: crypto.randomBytes(32) }), later), /another key/, ...back);
    await seesThrough(bent(() => ({ action: 1, key_mode: 3, target_generation: 0 }), later), /not asked for/, ...back);
    // What goes is what the device reported to be there last, not what the controller says.
    await seesThrough(bent(() => ({ expects: crypto.randomBytes(32) }), later), /to be left there last/, ...back);
    await seesThrough(bent(() => ({ expects: Buffer.alloc(32) }), later), /to be left there last/, ...back);
    forget();
    const dry = async (lies) => {
      controller.lies = { ...later, ...lies };
      const { out } = await succeeds(...back, '--dry-run');
      controller.lies = {};
      return out;
    };
    assert.match(await dry(), /Action +roll back/);
    assert.match(await dry(), /its own generation 1/);
    // A report that does not hold leaves an ordinary push, and the person reads why.
    const forged = { order: (o) => ({ ...o, report: signEnvelope('device-report', decode('Envelope', o.report).payload, controller.messageKey.privateKey) }) };
    assert.match(await dry(forged), /an ordinary push of it \(the report of device gw-1/);
    const failed = { order: (o) => ({ ...o, report: Buffer.alloc(0) }) };
    assert.match(await dry({ later: (o) => ({ ...o, report: Buffer.alloc(0) }) }), /an ordinary push of it \(there is no report[\s\S]*WO-9/);
    assert.match(await dry(failed), /an ordinary push of it \(there is no report[\s\S]*Action +install/);
    assert.equal(controller.orders.length, 1, 'nothing was submitted');
  });
});

describe('deciders see through', () => {
  before(async () => {
    await succeeds('push', 'client.example', '--comment', 'second', '--as', 'bob', '--yes');
  });
  const approve = () => ['approve', 'REQ-2', '--manual', '--as', 'carol', '--yes'];

  test('other work orders than those signed', async () => {
    await seesThrough({ cores: (cores) => cores.map((core) => ({ ...core, generation: core.generation + 1 })) },
      /not those that bob signed/, ...approve());
  });

  test('another request under the same number', async () => {
    await seesThrough({ request: () => controller.GetRequest.call({ ...controller, bend: (_w, v) => v }, { number: 1 }) },
      /signed as REQ-1/, ...approve());
  });

  test('a request that nobody signed', async () => {
    await seesThrough({ request: (r) => ({ ...r, envelope: signEnvelope('push-request', decode('Envelope', r.envelope).payload,
      controller.messageKey.privateKey) }) }, /./, ...approve());
  });

  test('another certificate under the same request', async () => {
    await succeeds('cert', 'import', 'other.example.pem', '--key', 'other.example.key');
    const other = (await json('cert', 'show', 'other.example')).id;
    await seesThrough({ request: (r) => ({ ...r, request: { ...r.request, certificate_id: Buffer.from(other, 'hex') } }) },
      /another chain/, ...approve());
  });

  test('an earlier policy, and one by other roots', async () => {
    await publish();
    await seesThrough({ policy: () => ({ envelope: controller.policies[0], newest_version: 1 }) }, /version 2 is known here/,
      'trust', 'show');
    const forged = encode('TrustPolicy', { ...decode('TrustPolicy', decode('Envelope', controller.policies[1]).payload), version: 3 });
    controller.policies.push(signEnvelope('trust-policy', forged, controller.messageKey.privateKey));
    await fails(exits.refused, /./, 'trust', 'show');
    controller.policies.pop();
  });

  test('and a reject closes the request', async () => {
    await succeeds('reject', 'REQ-2', '--comment', 'no', '--as', 'carol', '--yes');
    await fails(exits.orderFailed, /did not complete/, 'wait', 'REQ-2');
  });
});

describe('the audit\'s checkpoints', () => {
  const kept = () => fs.readFileSync(path.join(home, 'checkpoints'), 'utf8').trim().split('\n');
  async function withLie(checkpoint, ...args) {
    controller.lies = { checkpoint };
    try {
      return await countersign(...args);
    } finally {
      controller.lies = {};
    }
  }

  test('each that was seen is there, once', async () => {
    const before = kept().length;
    await succeeds('status');
    await succeeds('status');
    assert.equal(kept().length, before);
    await publish();
    assert.equal(kept().length, before + 1);
  });

  test('another hash for the same revision, and a lower revision, are told and kept', async () => {
    const before = kept();
    const says = /THE CONTROLLER'S AUDIT WAS ALTERED OR ROLLED BACK/;
    for (const lie of [(c) => ({ ...c, hash: crypto.randomBytes(32) }), (c) => ({ ...c, revision: 1 }), (c) => ({ ...c, revision: 2, made_at_s: 1 })]) {
      const count = kept().length;
      const result = await withLie(lie, 'status');
      assert.equal(result.code, exits.altered);
      assert.match(result.err, says);
      assert.match(result.out, /Controller/, 'the command did what it was asked to');
      assert.equal(kept().length, count + 1, 'it is evidence');
    }
    assert.equal((await countersign('status')).code, exits.altered, 'the newest revision was signed with two hashes: that stays told');
    fs.writeFileSync(path.join(home, 'checkpoints'), `${before.join('\n')}\n`);
    await succeeds('status');
  });

  test('one that cannot be had or believed is a warning and changes nothing', async () => {
    const before = kept();
    const stranger = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    const refuse = () => { throw Object.assign(new Error('not today'), { code: 14 }); };
    for (const [lie, says] of [[(c) => ({ ...c, key: stranger }), /no known key|sign/], [(c) => ({ ...c, deployment_id: crypto.randomBytes(16) }), /another deployment/],
      [(c) => ({ ...c, hash: Buffer.alloc(3) }), /hash/], [refuse, /not today/]]) {
      const result = await withLie(lie, 'status');
      assert.equal(result.code, exits.done, result.err);
      assert.match(result.err, /warning: no checkpoint/);
      assert.match(result.err, says);
    }
    assert.deepEqual(kept(), before);
  });

  test('a file of checkpoints that somebody damaged is told, and left alone', async () => {
    const file = path.join(home, 'checkpoints');
    const right = fs.readFileSync(file, 'utf8');
    fs.writeFileSync(file, `nonsense\n${right}`);
    const result = await succeeds('status');
    assert.match(result.err, /checkpoints line 1 is no checkpoint/);
    fs.writeFileSync(file, `${right}12 ab`);
    assert.equal((await succeeds('status')).err, '', 'what a crash left half written is no damage');
    await publish();
    assert.equal(kept().length, right.trim().split('\n').length + 1);
    assert.equal(fs.readFileSync(file, 'utf8').startsWith(right), true);
  });

  test('a long file makes room for a new one, and nothing is lost', async () => {
    const file = path.join(home, 'checkpoints');
    const right = kept(), last = right.at(-1).split(' ');
    const { deployment_id } = decode('AuditCheckpoint', decode('Envelope', Buffer.from(last[3], 'base64')).payload);
    const lines = Array.from({ length: 900 }, (_, i) => {
      const revision = Number(last[0]) + 1 + i, hash = sha256(Buffer.from(`record ${revision}`)), made_at_s = 1800000000;
      return [revision, hash.toString('hex'), '2027-01-15T08:00:00Z', signEnvelope('audit-checkpoint',
        encode('AuditCheckpoint', { deployment_id, revision, hash, made_at_s }), controller.messageKey.privateKey).toString('base64')].join(' ');
    });
    fs.writeFileSync(file, `${[...right, ...lines].join('\n')}\n`);
    controller.revision = Number(last[0]) + 900;
    const results = await Promise.all(Array.from({ length: 4 }, (_, i) => countersign('device', 'add', `more-${i}`)));
    for (const { code, err } of results) assert.deepEqual([code, err.match(/warning|ALTERED/)], [exits.done, null], err);
    assert.ok(fs.statSync(file).size < 8192);
    const older = fs.readFileSync(`${file}.1`, 'utf8').trim().split('\n');
    assert.ok(!fs.existsSync(`${file}.2`));
    assert.deepEqual(older, [...right, ...lines]);
    assert.equal(kept()[0], lines.at(-1), 'the newest is where it is compared');
    assert.equal(new Set([...older, ...kept()].map((line) => line.split(' ')[0])).size, older.length + kept().length - 1);
    assert.equal((await withLie((c) => ({ ...c, revision: 5 }), 'status')).code, exits.altered);
    const kept5 = kept();
    assert.equal(kept5.at(-1).split(' ')[0], '5');
    fs.writeFileSync(file, `${kept5.slice(0, -1).join('\n')}\n`);
    const exported = await countersign('audit', 'verify', '/dev/null');
    assert.notEqual(exported.code, exits.done);
    fs.rmSync(`${file}.1`);
  });

  test('many commands at once keep all of theirs', async () => {
    const before = kept().length;
    const results = await Promise.all(Array.from({ length: 12 }, (_, i) => countersign('device', 'add', `many-${i}`)));
    for (const { code, err } of results) assert.equal(code, exits.done, err);
    const revisions = kept().map((line) => line.split(' ')[0]);
    assert.ok(revisions.length > before);
    assert.equal(new Set(revisions).size, revisions.length);
  });
});

describe('results', () => {
  test('come in every format', async () => {
    const wide = (await succeeds('order', 'list', '-o', 'wide')).out, narrow = (await succeeds('order', 'list')).out;
    assert.match(wide.split('\n')[0], /GENERATION.*CERTIFICATE/);
    assert.doesNotMatch(narrow.split('\n')[0], /GENERATION/);
    const lines = (await succeeds('order', 'list', '-o', 'jsonl')).out.trim().split('\n').map(JSON.parse);
    assert.deepEqual(lines, (await json('order', 'list')).orders);
    assert.equal((await succeeds('order', 'list', '-o', 'name')).out, 'WO-2\nWO-1\n');
    assert.equal((await succeeds('order', 'list', '--no-headers')).out.split('\n').length, narrow.split('\n').length - 1);
    const [id] = (await succeeds('cert', 'list', '-o', 'name')).out.split('\n');
    assert.equal((await json('cert', 'show', id)).id, id);
    assert.equal((await succeeds('device', 'show', 'gw-1', '-o', 'name')).out, 'gw-1\n');
    assert.equal(JSON.parse((await succeeds('device', 'show', 'gw-1', '-o', 'jsonl')).out).name, 'gw-1');
    await fails(exits.usage, /did you mean "name"/, 'cert', 'list', '-o', 'nmae');
  });

  test('are filtered by what was typed, with a hint where it is no word', async () => {
    assert.equal((await succeeds('order', 'list', '--state', 'completed', '-o', 'name')).out, 'WO-1\n');
    assert.equal((await succeeds('order', 'list', '--device', 'gw-1', '--request', 'REQ-2', '-o', 'name')).out, 'WO-2\n');
    await fails(exits.usage, /did you mean "completed"/, 'order', 'list', '--state', 'complete');
  });

  test('a list without an end is refused', async () => {
    const honest = controller.ListOrders;
    controller.ListOrders = (request) => ({ ...honest.call(controller, { ...request, request_number: 0 }), more: true });
    try {
      await fails(exits.refused, /its list has no end/, 'order', 'list');
    } finally {
      delete controller.ListOrders;
    }
  });
});

describe('watching', () => {
  const environment = () => ({ ...process.env, COUNTERSIGN_HOME: home, COUNTERSIGN_SOCKET: controller.socket, TERM: 'xterm' });
  // Runs until the output says `until`, with `act` once it has said `after`; then `end` ends it.
  function watch(file, args, after, act, until, end = (child) => child.kill('SIGTERM')) {
    return new Promise((resolve, reject) => {
      const child = spawn(file, args, { cwd: folder, env: environment(), stdio: ['pipe', 'pipe', 'inherit'] });
      let out = '', acted = false, ended = false;
      child.stdout.on('data', (data) => {
        out += data;
        if (!acted && after.test(out)) {
          acted = true;
          act();
        }
        if (acted && !ended && until.test(out)) {
          ended = true;
          end(child);
        }
      });
      child.on('error', reject);
      // One that ended by itself is told apart by its status and what it wrote.
      child.stdin.on('error', () => {});
      child.on('exit', (code, signal) => resolve({ code, signal, out }));
    });
  }

  test('tells in a pipe what is there, and what changes, a line each', async () => {
    const order = controller.orders.at(-1), { state } = order;
    const { code, out } = await watch(program, ['watch', 'orders', '-o', 'jsonl'], /WO-1"/, () => { order.state = 6; }, /"Failed"/);
    order.state = state;
    const rows = out.trim().split('\n').map(JSON.parse);
    assert.equal(code, exits.done);
    assert.deepEqual(rows.map((row) => row.order), ['WO-2', 'WO-1', 'WO-2']);
    assert.deepEqual(rows.map((row) => row.state), ['Rejected', 'Completed', 'Failed']);
  });

  test('draws on a terminal, and leaves it as it was', { skip: !fs.existsSync('/usr/bin/script') && 'script(1) is not here' }, async () => {
    const order = controller.orders.at(-1), { state } = order;
    const { code, out } = await watch('/usr/bin/script', ['-qefc', `stty -echo rows 24 cols 60; exec ${program} watch REQ-2`, '/dev/null'], /WO-2/,
      () => { order.state = 6; }, /Failed/, (child) => child.stdin.write('\x03'));
    order.state = state;
    assert.equal(code, exits.done, 'Ctrl-C is how it ends');
    assert.match(out, /\x1b\[\?1049h[^]*WO-2[^]*Rejected[^]*\x1b\[H[^]*Failed[^]*\x1b\[\?1049l[^]*WO-2[^]*Failed/);
    for (const line of out.split('\x1b[H').at(1).split('\n')) assert.ok(line.replace(/\x1b\[[0-9;?]*[A-Za-z]/g, '').trim().length <= 60, line);
  });

  test('ends after the time that was given, and knows what it watches', async () => {
    const { out } = await succeeds('watch', 'client.example', '--for', '1s');
    assert.match(out, /gw-1\/app/);
    assert.match((await succeeds('watch', 'certificates', '--for', '1s', '-o', 'name')).out, /^[0-9a-f]{64}$/m);
    assert.match((await succeeds('watch', 'devices', '--for', '1s')).out, /^gw-1 /m);
    assert.match((await succeeds('watch', '--for', '1s')).out, /^REQ-2 /m);
    await fails(exits.usage, /jsonl/, 'watch', '-o', 'json');
    await fails(exits.refused, /no certificate/, 'watch', 'nothing.like.it');
  });
});

describe('what was seen of a device before', () => {
  const reject = () => countersign('reject', 'REQ-3', '--comment', 'no', '--as', 'carol', '--yes');
  let before;

  test('an older admission is refused once a newer one was seen', async () => {
    before = controller.devices.get('gw-1').admission;
    const admission = decode('Admission', decode('Envelope', before).payload);
    controller.devices.get('gw-1').admission = signEnvelope('admission', encode('Admission', { ...admission,
      admitted_at_s: Number(admission.admitted_at_s) + 60 }), crypto.createPrivateKey(fs.readFileSync(path.join(home, 'operators/alice.key'))));
    await succeeds('push', 'client.example', '--comment', 'third', '--as', 'bob', '--yes');
    assert.match(fs.readFileSync(path.join(home, 'devices'), 'utf8'), /^gw-1 20\d\d-\S+ [0-9a-f]{64}$/m);
    await seesThrough({ device: (d) => ({ ...d, admission: signEnvelope('admission', decode('Envelope', d.admission).payload,
      controller.messageKey.privateKey) }) }, /admission of device gw-1/, 'approve', 'REQ-3', '--manual', '--as', 'carol', '--yes');
    await seesThrough({ device: (d) => ({ ...d, admission: before }) }, /a newer one, of .*, was seen here.*device forget gw-1/,
      'approve', 'REQ-3', '--manual', '--as', 'carol', '--yes');
  });

  test('an old admission is not signed anew, with the keys of a device that was lost', async () => {
    const { device } = controller.devices.get('gw-1'), admit = ['device', 'admit', 'gw-1', '--as', 'alice', '--yes'];
    const fresh = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const spki = fresh.publicKey.export({ format: 'der', type: 'spki' });
    const renewal = (...keys) => {
      const payload = encode('DeviceRenewal', { deployment_id: device.deploymentId, device_id: device.id, sequence: 9, made_at_s: 1,
        identity_spki: spki });
      const [first, second] = keys.map((key) => decode('Envelope', signEnvelope('device-renewal', payload, key)));
      return encode('Envelope', { ...first, signatures: [...first.signatures, ...second.signatures] });
    };
    const told = controller.devices.get('gw-1').admission, old = (d) => ({ ...d, admission: before });
    const banned = (d) => ({ ...old(d), device: { ...d.device, banned: true } });
    const quarantined = (d) => ({ ...old(d), device: { ...d.device, quarantined: true } });
    const enrolment = (e) => ({ ...e, admitted: true });
    const late = (e) => ({ ...e, admitted: true, identity_spki: spki, renewal: renewal(device.identity.privateKey, fresh.privateKey) });
    const fingerprints = [spki, device.enrolment().kem_spki].flatMap((key) => ['--fingerprint', sha256(key).toString('hex')]);

    await seesThrough({ device: banned, enrolment }, /a newer one, of .*, was seen here/, ...admit);
    await seesThrough({ device: quarantined, enrolment }, /a newer one, of .*, was seen here/, ...admit);
    await seesThrough({ device: old, enrolment: late }, /a newer one, of .*, was seen here/, ...admit);
    // Nor where somebody compares fingerprints: they are the lost device's.
    await seesThrough({ device: old, enrolment: late }, /a newer one, of .*, was seen here/, ...admit, '--pending', ...fingerprints);
    assert.equal(controller.devices.get('gw-1').admission, told, 'nothing was signed');
    // The newest one was signed a minute ahead of this clock: a new one would be taken for the older by whoever saw that.
    controller.lies = { device: (d) => ({ ...d, device: { ...d.device, banned: true } }), enrolment };
    await fails(exits.refused, /the clock of this machine is behind/, ...admit);
    controller.lies = {};
  });

  test('forgetting takes it again', async () => {
    await succeeds('device', 'forget', 'gw-1', '--dry-run');
    await seesThrough({ device: (d) => ({ ...d, admission: before }) }, /was seen here/, 'approve', 'REQ-3', '--manual', '--as', 'carol', '--yes');
    await succeeds('device', 'forget', 'gw-1');
    await fails(exits.refused, /no admission of a device gw-1/, 'device', 'forget', 'gw-1');
    controller.lies = { device: (d) => ({ ...d, admission: before }) };
    const result = await reject();
    controller.lies = {};
    assert.equal(result.code, exits.done, result.err);
  });

  test('a file that somebody damaged is told with its line', async () => {
    fs.appendFileSync(path.join(home, 'devices'), 'gw-2 yesterday\n');
    await fails(exits.refused, /devices line 2/, 'push', 'client.example', '--comment', 'x', '--as', 'bob', '--yes');
    fs.rmSync(path.join(home, 'devices'));
  });
});

test('a list that a controller does not let end ends all the same', async () => {
  for (const token of [Buffer.from('again'), Buffer.alloc(0)]) {
    controller.lies = { list: (reply) => ({ ...reply, more: true, next_page_token: token }) };
    await fails(exits.refused, /the list goes on, and does not let it/, 'cert', 'list');
    await fails(exits.refused, /the list goes on, and does not let it/, 'cert', 'show', 'abcdef');
  }
  controller.lies = {};
});

test('a controller that is not there has an exit status of its own', async () => {
  await fails(exits.unreachable, /does not answer/, 'status', '--socket', path.join(folder, 'nobody'));
});
