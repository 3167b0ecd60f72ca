// The two ways in which the pages are served, and how people come to be signed in on each.
//
//   const way = new ByConsole(deployment);
//   const [ada, bob] = await way.people(browser, ['ada', 'bob']);   // tabs that show the pages, signed in
import assert from 'node:assert/strict';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bin } from '../integration/js/harness.mjs';

const menu = (tab) => tab.page.getByRole('navigation', { name: 'Main' });

class Way {
  constructor(deployment) { this.deployment = deployment; }
  async open(browser, name, options) { return (await this.people(browser, [name], options))[0]; }
}

// `countersign console`: a process of each person's own, on loopback; statements are signed there with the key file.
export class ByConsole extends Way {
  static name = 'countersign console';
  static short = 'console';
  static settings = {};

  constructor(deployment) {
    super(deployment);
    this.consoles = new Map();
  }

  // The process, and the link that it printed.
  async start(name, ...args) {
    const { deployment } = this;
    const console = deployment.program(path.join(bin, 'countersign'), ['--home', deployment.home, '--socket', deployment.socket,
      'console', '--no-open', '--as', name, ...args], { name: `console of ${name}` });
    const [link] = await console.line(/http:\/\/127\.0\.0\.1:\d+\/#link=[A-Za-z0-9_-]+/);
    this.consoles.set(name, console);
    return { console, link, origin: new URL(link).origin };
  }

  async people(browser, names, { finish: _, ...options } = {}) {
    const tabs = [];
    for (const name of names) {
      const { console, link } = await this.start(name);
      const tab = await browser.tab(name, { clock: this.deployment.clock, ...options });
      tab.console = console;
      await tab.goto(link);
      await menu(tab).waitFor();
      tabs.push(tab);
    }
    return tabs;
  }

  // What was signed stands on the person's own terminal, too: its words.
  async wordsOnTerminal(name, words) {
    await this.consoles.get(name).line(new RegExp(words));
  }

  async stop() {
    for (const console of this.consoles.values()) assert.equal(await console.stop(), 0, console.output);
  }
}

// `countersignd` itself, for those who have a browser and nothing else: a key of kind browser, made in the page.
export class ByController extends Way {
  static name = 'countersignd';
  static short = 'countersignd';
  static settings = { operators: '127.0.0.1:0', console: 'yes' };
  // The same under TLS, with the controller's own certificate, which no browser knows.
  static tls = false;

  get origin() {
    const [, port] = this.deployment.controller.output.match(/\boperators=\S*?:(\d+)/);
    return `${this.constructor.tls ? 'https' : 'http'}://127.0.0.1:${port}`;
  }

  // An admin's link, followed in a new profile. Gives a tab with `pairing`, the admin's terminal, and `keyFile`.
  async pair(browser, name, options = {}) {
    const { deployment } = this;
    const keyFile = deployment.path(`${name}.browser.pub`);
    const pairing = deployment.program(path.join(bin, 'countersign'), ['--home', deployment.home, '--socket', deployment.socket,
      'operator', 'pair', name, '--url', this.origin, '--wait', '--out', keyFile, '--as', 'ada'], { name: `pairing of ${name}` });
    const [link] = await pairing.line(/https?:\/\/\S+\/pair#[A-Za-z0-9_.-]+/);
    const tab = await browser.tab(name, { clock: deployment.clock, ignoreHTTPSErrors: this.constructor.tls, ...options });
    await tab.goto(link);
    await tab.page.getByRole('button', { name: 'Pair this browser' }).click();
    await tab.page.getByRole('heading', { name: `Paired as ${name}` }).waitFor();
    assert.equal(await Promise.race([pairing.exited, sleep(20_000, 'late', { ref: false })]), 0, pairing.output);
    return Object.assign(tab, { pairing, keyFile });
  }

  // `finish`: the policy lets a browser's key complete the last stage, which it does not by default.
  async people(browser, names, { finish, ...options } = {}) {
    const tabs = [];
    for (const name of names) tabs.push(await this.pair(browser, name, options));
    await this.deployment.publish(...(finish ? [['add-rule', 'all', '--stage', 'approve=approver', '--stage', 'implement=implementer', '--browser-may-finish'],
      ['remove-rule', 'default']] : []),
      ...tabs.map((tab) => ['add-key', tab.name, tab.keyFile, '--kind', 'browser']));
    for (const tab of tabs) await this.signIn(tab);
    return tabs;
  }

  async signIn(tab) {
    await tab.goto(`${this.origin}/`);
    const enter = tab.page.getByRole('button', { name: `Sign in as ${tab.name}` });
    await enter.or(menu(tab)).first().waitFor();
    if (await enter.isVisible()) await enter.click();
    await menu(tab).waitFor();
  }

  async wordsOnTerminal() {}
  async stop() {}
}

export class ByControllerTls extends ByController {
  static name = 'countersignd under TLS';
  static short = 'tls';
  static tls = true;
  static settings = { operators: '127.0.0.1:0', operators_tls: 'on', console: 'yes' };
}
