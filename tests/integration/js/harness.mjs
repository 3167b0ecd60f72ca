// Starts the real programs in a folder of their own and drives them as people do. Every process is ended by its id; every wait is bounded.
//
//   const deployment = await Deployment.create(t);   // countersignd with a policy, three people and an admin
//   await deployment.cli('cert', 'import', file);
import { spawn, execFile } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
export const bin = process.env.COUNTERSIGN_BIN ?? path.resolve(here, '../../../build/dev/bin');
export const jsAgent = path.join(here, 'agent.mjs');

// LeakSanitizer cannot stop a process that was killed; leaks of those that end are still found.
export async function run(program, args, { input, env, timeout_ms = 60_000, cwd } = {}) {
  return new Promise((resolve) => {
    const child = execFile(program, args, { env: { ...process.env, NO_COLOR: '1', ...env }, timeout: timeout_ms, cwd,
      maxBuffer: 64 << 20 }, (error, stdout, stderr) => resolve({ status: error ? (error.code ?? error.signal) : 0, stdout, stderr }));
    if (input !== undefined) child.stdin.end(input);
  });
}

// A process whose lines are kept, so that a test can wait for one.
export class Program {
  constructor(program, args, { env, name, stdin = 'ignore' } = {}) {
    this.name = name ?? path.basename(program);
    this.lines = [];
    this.waiters = [];
    this.child = spawn(program, args, { env: { ...process.env, ...env }, stdio: [stdin, 'pipe', 'pipe'] });
    this.exited = new Promise((resolve) => this.child.on('exit', (code, signal) => {
      this.status = code ?? signal;
      resolve(this.status);
      this.#look();
    }));
    for (const stream of [this.child.stdout, this.child.stderr]) {
      let rest = '';
      stream.setEncoding('utf8');
      stream.on('data', (text) => {
        const parts = (rest + text).split('\n');
        rest = parts.pop();
        this.lines.push(...parts);
        this.#look();
      });
    }
  }

  get pid() { return this.child.pid; }
  get output() { return this.lines.join('\n'); }

  #look() {
    for (const waiter of [...this.waiters]) waiter();
  }

  // The first line, now or later, that the pattern matches; its match.
  async line(pattern, { timeout_ms = 20_000, from = 0 } = {}) {
    let at = from;
    return new Promise((resolve, reject) => {
      const finish = (settle, value) => {
        clearTimeout(timer);
        this.waiters.splice(this.waiters.indexOf(look), 1);
        settle(value);
      };
      const look = () => {
        for (; at < this.lines.length; at++) {
          const match = this.lines[at].match(pattern);
          if (match) return finish(resolve, match);
        }
        if (this.status !== undefined) finish(reject, new Error(`${this.name} ended (${this.status}) before ${pattern}:\n${this.output}`));
      };
      const timer = setTimeout(() => finish(reject, new Error(`${this.name}: no line ${pattern} in ${timeout_ms} ms:\n${this.output}`)), timeout_ms);
      this.waiters.push(look);
      look();
    });
  }

  // SIGTERM and a bounded wait; SIGKILL after it is a failure of the program.
  async stop(timeout_ms = 15_000) {
    if (this.status !== undefined) return this.status;
    this.child.kill('SIGTERM');
    const late = Symbol('late');
    if (await Promise.race([this.exited, sleep(timeout_ms, late, { ref: false })]) === late) {
      this.child.kill('SIGKILL');
      await this.exited;
      throw new Error(`${this.name} did not end in ${timeout_ms} ms after SIGTERM:\n${this.output}`);
    }
    return this.status;
  }

  async kill() {
    if (this.status === undefined) this.child.kill('SIGKILL');
    return this.exited;
  }
}

export async function until(what, probe, { timeout_ms = 30_000, every_ms = 50 } = {}) {
  const end = Date.now() + timeout_ms;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not in ${timeout_ms} ms: ${what}`);
    await sleep(every_ms);
  }
}

// The wall clock of every program that is started with its env: the system's, and as much as was travelled (tests/support/clock_shim.c).
export class Clock {
  constructor(file) {
    this.file = file;
    this.offset_s = 0;
    this.#write();
    this.env = { LD_PRELOAD: path.join(bin, 'clock_shim.so'), COUNTERSIGN_TEST_CLOCK: file,
      ASAN_OPTIONS: [process.env.ASAN_OPTIONS, 'verify_asan_link_order=0'].filter(Boolean).join(':') };
  }

  #write() {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(this.offset_s));
    const file = fs.openSync(this.file, fs.existsSync(this.file) ? 'r+' : 'w'); // in place: the programs have it mapped
    fs.writeSync(file, bytes, 0, 8, 0);
    fs.closeSync(file);
  }

  get now_s() { return Math.floor(Date.now() / 1000) + this.offset_s; }
  travel(seconds) {
    this.offset_s += Math.round(seconds);
    this.#write();
  }
  travelTo(time_s) { this.travel(time_s - this.now_s); }
}

export class Deployment {
  static async create(t, { controller = {}, clock = false, policyLife } = {}) {
    const deployment = new Deployment(fs.mkdtempSync(path.join(os.tmpdir(), 'countersign-')), controller, clock);
    t.after(() => deployment.destroy());
    await deployment.start();
    await deployment.found(policyLife);
    return deployment;
  }

  constructor(folder, settings, clock = false) {
    this.folder = folder;
    this.clock = clock ? new Clock(path.join(folder, 'clock')) : undefined;
    this.env = this.clock?.env;
    this.home = path.join(folder, 'home');
    this.socket = path.join(folder, 'admin.sock');
    this.settings = settings;
    this.programs = new Set();
    this.wrapper = []; // a command that starts the controller, and becomes it
    fs.mkdirSync(this.home, { mode: 0o700 });
  }

  path(...parts) { return path.join(this.folder, ...parts); }

  // Ports are the system's choice at the first start, and kept for the next ones, as a device would expect.
  async start() {
    const settings = { state: this.path('state'), admin_socket: this.socket, agents: `127.0.0.1:${this.agentsPort ?? 0}`,
      enrolment: `127.0.0.1:${this.enrolmentPort ?? 0}`, shards: 2, ...this.settings };
    fs.writeFileSync(this.path('countersignd.conf'), `[controller]\n${Object.entries(settings).map(([key, value]) => `${key} = ${value}\n`).join('')}${this.sections ?? ''}`);
    const [program, ...args] = [...this.wrapper, path.join(bin, 'countersignd'), '--config', this.path('countersignd.conf')];
    this.controller = new Program(program, args, { name: 'countersignd', env: this.env });
    this.programs.add(this.controller);
    const [, agents, enrolment] = await this.controller.line(/READY.*\bagents=\S*?:(\d+).*\benrolment=\S*?:(\d+)/);
    this.agentsPort = Number(agents);
    this.enrolmentPort = Number(enrolment);
    return this.controller;
  }

  program(file, args, options) {
    const started = new Program(file, args, { ...options, env: { ...this.env, ...options?.env } });
    this.programs.add(started);
    return started;
  }

  cliRaw(...args) {
    return run(path.join(bin, 'countersign'), ['--home', this.home, '--socket', this.socket, ...args], { env: this.env });
  }

  async cli(...args) {
    const { status, stdout, stderr } = await this.cliRaw(...args);
    if (status !== 0) throw new Error(`countersign ${args.join(' ')}: ${status}\n${stdout}${stderr}\n${this.controller.output.split('\n').slice(-20).join('\n')}`);
    return stdout;
  }

  async json(...args) { return JSON.parse(await this.cli('-o', 'json', ...args)); }

  // The people and the first policy.
  async found(policyLife) {
    const people = { ada: 'requester,admin', bob: 'approver', carol: 'implementer' };
    for (const name of Object.keys(people)) await this.cli('operator', 'keygen', name, '--no-passphrase');
    await this.cli('trust', 'init', '--roots', '1', '--no-passphrase', '--yes', ...(policyLife ? ['--expires', policyLife] : []),
      ...Object.entries(people).flatMap(([name, roles]) => ['--operator', `${name}=${roles}`]));
  }

  // The next version of the policy, changed by these commands ("add-operator", …) and signed by the one root.
  async publish(...edits) {
    await this.cli('trust', 'draft');
    for (const edit of edits) await this.cli('trust', ...edit);
    await this.cli('trust', 'sign', '--root-key', path.join(this.home, 'roots', 'root-1.key'), '--yes');
    return this.cli('trust', 'publish');
  }

  // A CA and leaves by openssl: real input, made here.
  async certificate(name, { days = 60, key = 'ec', ca = 'ca' } = {}) {
    const file = (suffix) => this.path(`${name}${suffix}`);
    const openssl = async (...args) => {
      const { status, stderr } = await run('openssl', args);
      if (status !== 0) throw new Error(`openssl ${args.join(' ')}: ${stderr}`);
    };
    const newKey = (out, kind) => kind === 'ec' ? openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', out)
      : openssl('genrsa', '-out', out, kind.replace('rsa', ''));
    if (!fs.existsSync(this.path(`${ca}.crt`))) {
      await newKey(this.path(`${ca}.key`), 'ec');
      await openssl('req', '-x509', '-new', '-key', this.path(`${ca}.key`), '-subj', `/CN=Test ${ca}`, '-days', '3650', '-out', this.path(`${ca}.crt`));
    }
    await newKey(file('.key'), key);
    await openssl('req', '-new', '-key', file('.key'), '-subj', `/CN=${name}`, '-out', file('.csr'));
    await openssl('x509', '-req', '-in', file('.csr'), '-CA', this.path(`${ca}.crt`), '-CAkey', this.path(`${ca}.key`),
      '-CAcreateserial', '-days', String(days), '-out', file('.crt'));
    const chain = fs.readFileSync(file('.crt'), 'utf8') + fs.readFileSync(this.path(`${ca}.crt`), 'utf8');
    fs.writeFileSync(file('.pem'), chain + fs.readFileSync(file('.key'), 'utf8'));
    return { pem: file('.pem'), leaf: file('.crt'), key: file('.key') };
  }

  // `countersign device add NAME --wait` beside whatever enrols; resolves with the token and the end of the admission.
  async addDevice(name) {
    const adding = this.program(path.join(bin, 'countersign'), ['--home', this.home, '--socket', this.socket, 'device', 'add', name,
      '--wait', '--as', 'ada', '--yes'], { name: 'device add' });
    const [token] = await adding.line(/cst1\.[A-Za-z0-9_-]+/);
    const admitted = adding.exited.then((status) => {
      if (status !== 0) throw new Error(`device add: ${status}\n${adding.output}`);
    });
    admitted.catch(() => {});
    return { token, admitted };
  }

  // The C agent with one connector of files; not started yet.
  async agent(name, { program = [path.join(bin, 'countersign-agent')], connector = 'app', application = 'file', reload, adopt, check } = {}) {
    const folder = this.path(name);
    fs.mkdirSync(folder, { recursive: true });
    const config = path.join(folder, 'agent.conf');
    fs.writeFileSync(config, `[agent]\ncontroller = 127.0.0.1:${this.agentsPort}\nenrolment = 127.0.0.1:${this.enrolmentPort}\n` +
      `state = ${path.join(folder, 'state')}\n${check ? `check = ${check}\n` : ''}[connector "${connector}"]\napplication = ${application}\ncertificate = ${path.join(folder, 'chain.pem')}\n` +
      `key = ${path.join(folder, 'key.pem')}\n${reload ? `reload = ${reload}\n` : ''}${adopt ? 'adopt = yes\n' : ''}`);
    const command = (...args) => [program[0], [...program.slice(1), '--config', config, ...args]];
    return {
      folder, config, name, connector,
      enrol: async () => {
        const { token, admitted } = await this.addDevice(name);
        const { status, stdout, stderr } = await run(...command('enrol', '--token', token), { env: this.env });
        if (status !== 0) throw new Error(`enrol: ${status}\n${stdout}${stderr}`);
        await admitted;
      },
      start: () => this.program(...command('run'), { name: `agent ${name}` }),
      run: (...args) => run(...command(...args), { env: this.env }),
    };
  }

  advertised(device, connector = 'app') {
    return until(`${device} advertises ${connector}`, async () => {
      const { status, stdout } = await this.cliRaw('-o', 'json', 'device', 'show', device);
      return status === 0 && stdout.includes(`"${connector}"`);
    });
  }

  // Import, attach, push, approve, implement; gives the number of the request ("REQ-1").
  async push(pem, commonName, device, { connector = 'app', wait = true } = {}) {
    await this.cli('cert', 'import', pem);
    await this.cli('cert', 'attach', commonName, device, connector);
    return this.pushAttached(commonName, { wait });
  }

  async pushAttached(commonName, { wait = true } = {}) {
    const out = await this.cli('push', commonName, '--comment', 'renewal', '--as', 'ada', '--yes');
    const [request] = out.match(/REQ-\d+/);
    await this.cli('approve', request, '--manual', '--comment', 'fine', '--as', 'bob', '--yes');
    await this.cli('implement', request, '--manual', '--comment', 'go', '--as', 'carol', '--yes', ...(wait ? ['--wait'] : []));
    return request;
  }

  async destroy() {
    for (const program of this.programs) await program.kill();
    if (!process.env.COUNTERSIGN_KEEP) fs.rmSync(this.folder, { recursive: true, force: true });
    else console.error(`kept: ${this.folder}`);
  }
}
