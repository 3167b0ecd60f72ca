// One row of the matrix: a preset with its real application, through the real agent, against each bad input.
//
//   matrix({ preset: 'nginx', program: '/usr/sbin/nginx', … });      what an application says of itself is in Application below
//
// The application runs on loopback ports in a folder of its own, is watched from outside all the time, and is ended by its
// process id. A cell is what became of one push; it fails the test when the application stopped serving, served anything
// but the certificate before or the pushed one, or was left with other files than it serves.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { Program, bin, run } from '../integration/js/harness.mjs';
import { Authority, certificateOf, spkiOfKey } from './certificates.mjs';
import { COLUMNS } from './columns.mjs';
import { Watch } from './watch.mjs';

// Long enough for any handshake on a busy machine, short enough not to be mistaken for a reload without a gap.
const AWAY_MS = 1000;
const SETTLE_MS = 15_000;

// What an application is started with, and all that was started; ends with the test.
class World {
  constructor(application) {
    this.application = application;
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'countersign-matrix-'));
    fs.chmodSync(this.folder, 0o755);
    this.programs = [];
    this.root = process.getuid() === 0;
    // In a folder that only root can come to, nobody else could read the files.
    this.others = this.root && ancestors(this.folder).every((folder) => (fs.statSync(folder).mode & 0o001) !== 0);
    fs.mkdirSync(this.path('tls'));
    fs.mkdirSync(this.path('run'), { mode: 0o777 });
    fs.chmodSync(this.path('run'), 0o777);
    this.authority = new Authority(this.path('ca'));
  }

  path(...parts) { return path.join(this.folder, ...parts); }
  get chain() { return this.path('tls', 'chain.pem'); }
  get key() { return this.path('tls', 'key.pem'); }
  get intermediates() { return this.path('tls', 'intermediates.pem'); }
  get bundle() { return this.path('tls', 'bundle.pem'); }
  get pidFile() { return this.path('run', 'pid'); }

  write(name, text, mode = 0o644) {
    fs.writeFileSync(this.path(name), text, { mode });
    fs.chmodSync(this.path(name), mode);
    return this.path(name);
  }

  // The user or group that Debian's application becomes, or ours where there is no such choice.
  user(name) { return this.others ? name : os.userInfo().username; }
  group(name) { return this.others ? name : execFileSync('id', ['-gn'], { encoding: 'utf8' }).trim(); }

  start(file, args, options) {
    const program = new Program(file, args, options);
    this.programs.push(program);
    return program;
  }

  // Those that became daemons have nothing but their pid file.
  async end() {
    await this.watch?.stop();
    for (const program of this.programs.reverse()) {
      if (program.status === undefined) program.child.kill('SIGTERM');
      if (await Promise.race([program.exited, sleep(10_000, 'late', { ref: false })]) === 'late') await program.kill();
    }
    await this.endDaemon();
    this.upstream?.close();
    this.left = await this.whoIsLeft();
    if (process.env.COUNTERSIGN_KEEP) console.log(`kept: ${this.folder}`);
    else fs.rmSync(this.folder, { recursive: true, force: true });
  }

  // Processes that work in this folder or were told of it, after a moment to end in.
  async whoIsLeft() {
    const about = (pid) => {
      try {
        return [fs.readlinkSync(`/proc/${pid}/cwd`), fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')].join(' ');
      } catch {
        return '';
      }
    };
    let left;
    for (let i = 0; i < 100; i++) {
      left = fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name) && about(name).includes(this.folder));
      if (left.length === 0) break;
      await sleep(50);
    }
    return left.map((pid) => `${pid} (${about(pid)})`);
  }

  async endDaemon() {
    const pid = this.daemon;
    if (!pid) return;
    process.kill(pid, 'SIGTERM');
    for (let i = 0; i < 100 && this.daemon === pid; i++) await sleep(50);
    if (this.daemon === pid) process.kill(pid, 'SIGKILL');
  }

  // The process of the pid file, if it is the application's.
  get daemon() {
    try {
      const { file, program } = this.application.daemon?.(this) ?? { file: this.pidFile, program: this.application.program };
      const pid = Number(fs.readFileSync(file, 'utf8'));
      return pid > 1 && fs.readlinkSync(`/proc/${pid}/exe`) === fs.realpathSync(program) ? pid : undefined;
    } catch {
      return undefined;
    }
  }
}

const ancestors = (folder) => folder === '/' ? ['/'] : [folder, ...ancestors(path.dirname(folder))];

export async function freePort() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// The agent with the one connector "web", and the controller that pushes to it.
class Device {
  constructor(world) {
    this.world = world;
    this.config = world.path('agent.conf');
  }

  async enrol() {
    this.controller = this.world.start(path.join(bin, 'matrix_controller'), [], { stdin: 'pipe', name: 'controller' });
    const [, agents, enrolment, token] = await this.controller.line(/^ready (\d+) (\d+) (\S+)/);
    this.head = `[agent]\ncontroller = 127.0.0.1:${agents}\nenrolment = 127.0.0.1:${enrolment}\nstate = ${this.world.path('state')}\n` +
      'backoff_base = 1s\nbackoff_max = 1s\n[connector "web"]\n';
    await this.configure({});
    const { status, stdout, stderr } = await run(path.join(bin, 'countersign-agent'), ['--config', this.config, 'enrol', '--token', token]);
    if (status !== 0) throw new Error(`enrol: ${status}\n${stdout}${stderr}`);
  }

  // The preset, what the application overrides of it because it is not at Debian's places, and what this cell does.
  async configure(more) {
    const { application } = this.world;
    const keys = { probe_timeout: '3s', reload_timeout: '10s', ...application.overrides(this.world), ...more };
    const text = `${this.head}preset = ${application.preset}\n${Object.entries(keys).map(([key, value]) => `${key} = ${value}\n`).join('')}`;
    if (text === this.text) return;
    const runs = this.agent && this.agent.status === undefined;
    if (runs) await this.agent.stop();
    fs.writeFileSync(this.config, text);
    this.text = text;
    if (runs) this.run();
  }

  run() { this.agent = this.world.start(path.join(bin, 'countersign-agent'), ['--config', this.config, 'run'], { name: 'agent' }); }

  async push(pair, { key = pair.key, option = '' } = {}) {
    const from = this.controller.lines.length;
    this.controller.child.stdin.write(`push ${pair.chain} ${key} ${option}\n`);
    const report = this.controller.line(/^report (\S+) (\S+) ?(.*)/, { from, timeout_ms: 90_000 });
    const ended = this.agent.exited.then((status) => Promise.reject(new Error(`the agent ended: ${status}`)));
    const [, outcome, verdict, detail] = await Promise.race([report, ended]);
    ended.catch(() => {});
    return { outcome, verdict, detail };
  }
}

// What the application would read is this pair.
function filesAre(world, pair) {
  const { files } = world.application;
  const read = (file) => fs.existsSync(world[file]) ? fs.readFileSync(world[file], 'utf8') : '';
  return files.filter((file) => file !== 'intermediates').every((file) => {
    const text = read(file);
    return text && (file === 'key' || certificateOf(text.slice(text.indexOf('-----BEGIN CERTIFICATE'))).fingerprint === pair.fingerprint) &&
      (file === 'chain' || spkiOfKey(text) === pair.spki);
  });
}

class Row {
  constructor(world, device) {
    Object.assign(this, { world, device, cells: {}, failures: [] });
  }

  wrong(column, what) {
    this.failures.push(`${column}: ${what}`);
    console.log(`    WRONG: ${what}`);
  }

  // One push. `may`: how it may end, as { completed | failed | refused: verdict pattern }.
  async cell(column, pair, may, { key, option, unnoticed, gap = this.world.application.away_ms ?? AWAY_MS } = {}) {
    const { watch } = this.world;
    const before = this.current;
    watch.mark();
    const started = performance.now();
    const report = await this.device.push(pair, { key, option });
    const { outcome, verdict } = report;
    if (unnoticed) may = { completed: /./ };
    if (!may[outcome]?.test(verdict)) this.wrong(column, `${outcome} ${verdict}: ${report.detail}`);
    const now = outcome === 'completed' && !unnoticed ? pair : before;
    const settled = await watch.until(now.fingerprint, SETTLE_MS);
    const { away } = watch;
    if (!settled) this.wrong(column, `it does not serve ${now.name}: ${watch.failed?.message ?? watch.last}`);
    for (const seen of watch.seen) if (seen !== before.fingerprint && seen !== pair.fingerprint) this.wrong(column, `it served ${seen}`);
    const placed = outcome === 'completed' ? pair : before;
    if (!filesAre(this.world, placed)) this.wrong(column, `its files are not those of ${placed.name}`);
    if (away > gap) this.wrong(column, `away for ${Math.round(away)} ms`);
    if (settled) this.current = now;
    const text = { completed: unnoticed ? 'keeps the old, unnoticed' : this.world.application.word ?? 'serves it', failed: `put back: ${verdict}`, refused: `refused: ${verdict}` }[outcome] ?? outcome;
    this.cells[column] = text;
    console.log(`  ${COLUMNS[column]}: ${text}${report.detail ? `: ${report.detail}` : ''}; ${watch.looks} looks, away ${Math.round(away)} ms${[...watch.why].map((why) => ` (${why})`).join('')}, ` +
      `${Math.round(performance.now() - started)} ms`);
    return { report, away };
  }

  // A program in place of the preset's own way.
  script(name, text) { return this.world.write(name, `#!/bin/sh\n${text}\n`, 0o755); }

  async all() {
    const { world, device } = this;
    const { application, authority } = world;
    const gap = application.away_ms ?? AWAY_MS;

    await this.cell('good', authority.pair('b'), { completed: /./ });
    await this.cell('key', authority.pair('c'), { refused: /^key-mismatch$/ }, { key: authority.pair('other').key, gap: 0 });
    const expired = authority.pair('d', { expired: true });
    await this.cell('expired', expired, { refused: /^certificate-expired$/ }, { gap: 0 });
    await this.cell('override', expired, { completed: /./, failed: /./ }, { option: 'even-expired' });
    await this.cell('good', authority.pair('e'), { completed: /./ });

    await device.configure({ reload: this.script('fails', 'exit 1') });
    await this.cell('fails', authority.pair('f'), { failed: /^reload-failed$/ }, { gap: 0 });

    const asleep = world.path('run', 'asleep');
    await device.configure({ reload: this.script('hangs', `echo $$ >>${asleep}\nexec sleep 1000`), reload_timeout: '1s' });
    await this.cell('hangs', authority.pair('g'), { failed: /^reload-timeout$/ }, { gap: 0 });
    for (const pid of fs.readFileSync(asleep, 'utf8').trim().split('\n')) {
      if (fs.existsSync(`/proc/${pid}`)) this.wrong('hangs', `process ${pid} is still there`);
    }

    await device.configure({});
    if (application.lose) {
      const find = await application.lose(world);
      await this.cell('lost', authority.pair('h'), { failed: /^reload-failed$/ }, { gap: 0 });
      await find();
    }
    if (application.breaks) {
      const file = world.path(application.breaks.file);
      const whole = fs.readFileSync(file, 'utf8');
      fs.writeFileSync(file, application.breaks.text ? whole + application.breaks.text : application.breaks.edit(whole));
      await this.cell('broken', authority.pair('i'), { failed: /./, ...application.breaks.may },
        { gap, unnoticed: application.unnoticed });
      fs.writeFileSync(file, whole);
    }
    if (application.strict) {
      const { away } = await this.cell('unusable', authority.pair('j', { kind: 'rsa2048' }), { failed: /./, ...application.strict.may },
        { gap: application.strict.away_ms ?? gap, unnoticed: application.unnoticed });
      if (application.strict.away_ms) this.cells.unusable += away > gap ? ', away meanwhile' : '';
    }
    await this.cell('good', authority.pair('k'), { completed: /./ });
  }
}

// application: {
//   preset, program          the name of the preset, and the path of the program that must be there
//   skip(world)?             why it cannot run here
//   files                    of 'chain', 'key', 'intermediates', 'bundle': what it reads
//   prepare(world)           writes its configuration
//   command(world)           [program, argument…] that runs it in the foreground; it gets its first pair before
//   look(world)              what sees its certificate (watch.mjs)
//   overrides(world)         keys of the connector, for it is not at Debian's places
//   lose(world)?             makes the preset's reload unable to reach it; gives what undoes that
//   breaks?                  { file, text or edit }: what breaks its own configuration; may: how that may end
//   unnoticed?               nobody but those whom it calls can tell that it did not take new files: it keeps the old ones
//   strict?                  it takes no keys below security level 3: may, and away_ms where nothing but a reload can find out
//   word?                    what a completed push is, where that is not 'serves it'
//   daemon(world)?           { file, program }: its pid file and program, where they are not pidFile and `program`
//   away_ms?                 as long as its own reload leaves it unreachable
// }
export async function matrix(application) {
  if (!fs.existsSync(application.program)) skip(application, `${application.program} is not here`);
  const world = new World(application);
  const folder = process.env.COUNTERSIGN_MATRIX;
  const result = folder && path.join(folder, `${application.preset}.json`);
  if (result) fs.rmSync(result, { force: true });
  let row, reason;
  try {
    reason = await application.skip?.(world);
    if (!reason) row = await play(application, world);
  } catch (error) {
    for (const program of world.programs) console.log(`--- ${program.name}\n${program.output.split('\n').slice(-30).join('\n')}`);
    throw error;
  } finally {
    await world.end();
  }
  if (reason) skip(application, reason);
  if (world.left.length > 0) row.failures.push(`processes are left: ${world.left.join(', ')}`);
  if (result && row.failures.length === 0) {
    fs.mkdirSync(folder, { recursive: true });
    fs.writeFileSync(result, JSON.stringify({ preset: application.preset, cells: row.cells }));
  }
  console.log(row.failures.length === 0 ? 'kept serving in every cell' : `${row.failures.length} failures:\n${row.failures.join('\n')}`);
  process.exit(row.failures.length === 0 ? 0 : 1);
}

function skip(application, reason) {
  console.log(`skipped: ${application.preset}: ${reason}`);
  process.exit(77);
}

async function play(application, world) {
  const device = new Device(world);
  world.port = await freePort();
  // The first pair is there before the application is, pushed too; nothing can be told or probed yet.
  await device.enrol();
  await device.configure({ validate: 'none', reload: 'none', probe: 'none' });
  device.run();
  const row = new Row(world, device);
  const first = world.authority.pair('a');
  const { outcome, verdict, detail } = await device.push(first);
  if (outcome !== 'completed') throw new Error(`the first push: ${outcome} ${verdict} ${detail}`);
  await application.prepare(world);
  const [program, ...args] = application.command(world);
  world.start(program, args, { name: application.preset });
  await world.afterStart?.();
  world.watch = new Watch(await application.look(world), application.every_ms);
  if (!await world.watch.until(first.fingerprint, SETTLE_MS)) throw new Error(`it does not begin to serve: ${world.watch.failed?.message}`);
  row.current = first;
  console.log(`${application.preset}: serves`);
  await device.configure({});
  await row.all();
  if (row.failures.length > 0) {
    for (const one of world.programs) console.log(`--- ${one.name}\n${one.output.split('\n').slice(-60).join('\n')}`);
  }
  return row;
}

// ---- what several applications share

// The pid file is away for a while: a signal finds nobody.
export function hidePidFile(world) {
  fs.renameSync(world.pidFile, `${world.pidFile}.away`);
  return () => fs.renameSync(`${world.pidFile}.away`, world.pidFile);
}
