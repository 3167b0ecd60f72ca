// Completion in real shells: what bash, and zsh and fish where they are, offer for the words of a command line.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Controller, Device, makeCertificate } from './controller.mjs';

const bin = process.env.COUNTERSIGN_TEST_BIN;
const program = path.join(bin, 'countersign');
let folder, controller, env;

function run(file, args, more = {}) {
  return new Promise((resolve) => {
    const child = execFile(file, args, { cwd: folder, env: { ...env, ...more } }, (error, out, err) =>
      resolve({ code: error ? error.code : 0, out, err }));
    child.stdin.end();
  });
}

// As bash breaks a line into words: at blanks, and at = and : which become words of their own.
function bashWords(line) {
  const words = [];
  for (const part of line.split(/(?<!\\) +/)) words.push(...part.split(/(?<=[=:])|(?=[=:])/));
  return words;
}

const script = `
source <("$1" completion bash)
COMP_LINE=$2 COMP_POINT=\${#2} COMP_WORDS=("\${@:3}") COMP_CWORD=$(($# - 3))
_countersign
((\${#COMPREPLY[@]} == 0)) || printf '%s\\n' "\${COMPREPLY[@]}"`;

async function bash(line, more) {
  const { code, out, err } = await run('bash', ['-c', script, 'bash', program, `countersign ${line}`, 'countersign',
    ...bashWords(line)], more);
  assert.equal(code, 0, err);
  return out.split('\n').filter(Boolean).sort();
}

before(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'countersign-complete-'));
  controller = new Controller(folder);
  await controller.start();
  env = { ...process.env, PATH: `${bin}:${process.env.PATH}`, COUNTERSIGN_HOME: path.join(folder, 'home'), COUNTERSIGN_SOCKET: controller.socket };
  for (const name of ['client.example', 'with blank', 'urn:client:1']) {
    makeCertificate(folder, name);
    controller.ImportCertificate({ certificates: fs.readFileSync(path.join(folder, `${name}.pem`)), private_key: Buffer.alloc(0) });
  }
  for (const name of ['gw-1', 'gw-2']) controller.devices.set(name, { device: new Device(name), groups: ['edge', ...(name === 'gw-2' ? ['lab'] : [])] });
  for (const name of ['alice', 'bob', 'carol'])
    assert.equal((await run(program, ['operator', 'keygen', name, '--no-passphrase'])).code, 0);
  assert.equal((await run(program, ['trust', 'init', '--roots', '1', '--operator', 'alice=admin,requester', '--operator',
    'bob=approver', '--operator', 'carol=implementer', '--no-passphrase', '--yes'])).code, 0);
});
after(() => {
  controller.stop();
  fs.rmSync(folder, { recursive: true, force: true });
});

test('bash completes commands, options and fixed words', async () => {
  assert.deepEqual(await bash('appr'), ['approve']);
  assert.ok((await bash('')).includes('push'));
  assert.deepEqual(await bash('cert a'), ['attach']);
  assert.deepEqual(await bash('push x --com'), ['--comment']);
  assert.deepEqual(await bash('cert list -o '), ['json', 'jsonl', 'name', 'table', 'wide']);
  assert.deepEqual(await bash('cert list -o js'), ['json', 'jsonl']);
  assert.ok(!(await bash('push x --yes --')).includes('--yes'));
  assert.deepEqual(await bash('cert list --key-kind p'), ['p256', 'p384']);
  assert.deepEqual(await bash('cert list --colour bl'), ['black', 'blue']);
  assert.deepEqual(await bash('cert revoke x --reason ce'), ['cessation-of-operation']);
  assert.deepEqual(await bash('trust add-key bob x.pub --kind b'), ['browser']);
});

test('bash completes names from the controller', async () => {
  assert.deepEqual(await bash('cert show cli'), ['client.example']);
  assert.deepEqual(await bash('device show '), ['gw-1', 'gw-2']);
  assert.deepEqual(await bash('cert attach client.example gw-2 '), ['app']);
  assert.deepEqual(await bash('push client.example --to gw-1/'), ['gw-1/app']);
  assert.deepEqual(await bash('push client.example --group '), ['edge', 'lab'], 'each once');
});

test('bash completes names with blanks, colons and equals signs in front', async () => {
  assert.deepEqual(await bash('cert show with'), ['with\\ blank']);
  assert.deepEqual(await bash('cert show with\\ bl'), ['with\\ blank']);
  assert.deepEqual(await bash('cert show urn:'), ['client:1']);
  assert.deepEqual(await bash('cert show urn:client:'), ['1']);
  assert.deepEqual(await bash('push x --to=gw-2'), ['gw-2/app']);
  assert.deepEqual(await bash('push x --to='), ['gw-1/app', 'gw-2/app']);
});

test('bash completes people from the pinned policy without the controller', async () => {
  const gone = { COUNTERSIGN_SOCKET: path.join(folder, 'nobody') };
  assert.deepEqual(await bash('push x --as ', gone), ['alice', 'bob', 'carol']);
  assert.deepEqual(await bash('push x --as=c', gone), ['carol']);
  assert.deepEqual(await bash('cert show ', gone), []);
});

test('bash completes files where files are asked for', async () => {
  assert.deepEqual(await bash('cert import client.ex'), ['client.example.key', 'client.example.pem']);
  assert.deepEqual(await bash('status --home ho'), ['home']);
});

test('a controller that does not answer costs a second and says nothing', async () => {
  const socket = path.join(folder, 'silent');
  const silent = net.createServer(() => {}).listen(socket);
  try {
    const { code, out, err } = await run(program, ['__complete', 'cert', 'show', ''], { COUNTERSIGN_SOCKET: socket });
    assert.deepEqual([code, out, err], [0, '', '']);
  } finally {
    silent.close();
  }
});

test('a name that a shell would run, or take for an option, is not offered as one', async () => {
  const describe = Controller.prototype.describe;
  const called = (common_name) => { controller.describe = (id) => ({ ...describe.call(controller, id), common_name }); };
  try {
    called('x$(touch /tmp/never)`id`');
    assert.deepEqual(await bash('cert show x'), ['x\\$\\(touch\\ /tmp/never\\)\\`id\\`']);
    assert.deepEqual(await bash('cert show "x'), []);
    called('--yes');
    assert.deepEqual(await bash('cert show '), []);
  } finally {
    delete controller.describe;
  }
});

test('what the controller says cannot become a second candidate', async () => {
  controller.describe = (describe => (id) => ({ ...describe.call(controller, id), common_name: 'a\nb\tc\x1b[2J' }))(Controller.prototype.describe);
  try {
    const { out } = await run(program, ['__complete', 'cert', 'show', '']);
    for (const line of out.split('\n').filter(Boolean)) assert.match(line, /^a b c\?\[2J\t[^\t]*$/);
  } finally {
    delete controller.describe;
  }
});

const here = (shell) => {
  try {
    execFileSync(shell, ['-c', 'true'], { stdio: 'ignore' });
    return false;
  } catch {
    return `${shell} is not here`;
  }
};

test('zsh takes its script', { skip: here('zsh') }, async () => {
  const { code, out, err } = await run('zsh', ['-fc', `autoload -Uz compinit; compinit -u -d "$1/dump"; source <(countersign completion zsh)
    _describe() { print -rl -- "\${(@P)4}" }
    words=(countersign device show '') CURRENT=4; _countersign`, 'zsh', folder]);
  assert.deepEqual([code, err, out.split('\n').filter(Boolean)], [0, '', ['gw-1:connected', 'gw-2:connected'].map((l) => l.replace('connected', 'not admitted'))]);
});

test('fish takes its script', { skip: here('fish') }, async () => {
  const { code, out, err } = await run('fish', ['-c', `countersign completion fish | source; complete -C 'countersign device show '`],
    { HOME: folder, XDG_CONFIG_HOME: folder });
  assert.deepEqual([code, err, out.split('\n').filter(Boolean)], [0, '', ['gw-1\tnot admitted', 'gw-2\tnot admitted']]);
});
