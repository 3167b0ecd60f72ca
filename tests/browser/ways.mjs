// The two ways in which the pages are served, and how a person comes to be signed in on each.
//
//   const way = new ByConsole(deployment);
//   const ada = await way.open(browser, 'ada');      // a tab that shows the pages, signed in
import assert from 'node:assert/strict';
import path from 'node:path';
import { bin, until } from '../integration/js/harness.mjs';

const shell = (tab) => tab.page.getByRole('navigation').first();

// `countersign console`: a process of each person's own, on loopback; statements are signed there with the key file.
export class ByConsole {
  static name = 'countersign console';
  static settings = {};

  constructor(deployment) {
    this.deployment = deployment;
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

  async open(browser, name, options = {}) {
    const { console, link } = await this.start(name);
    const tab = await browser.tab(name, { clock: this.deployment.clock, ...options });
    tab.console = console;
    await tab.goto(link);
    await shell(tab).waitFor();
    return tab;
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
export class ByController {
  static name = 'countersignd';
  static settings = { operators: '127.0.0.1:0', console: 'yes' };
  // The same under TLS, with the controller's own certificate, which no browser knows.
  static tls = false;

  constructor(deployment) {
    this.deployment = deployment;
    this.scheme = this.constructor.tls ? 'https' : 'http';
  }

  get origin() {
    const [, port] = this.deployment.controller.output.match(/\boperators=\S*?:(\d+)/);
    return `${this.scheme}://127.0.0.1:${port}`;
  }

  // An admin's link, followed in a new profile; the key's words on both sides; then the next policy has the key.
  async pair(browser, name, options = {}) {
    const { deployment } = this;
    const file = deployment.path(`${name}.browser.pub`);
    const pairing = deployment.program(path.join(bin, 'countersign'), ['--home', deployment.home, '--socket', deployment.socket,
      'operator', 'pair', name, '--url', this.origin, '--wait', '--out', file, '--as', 'ada'], { name: `pairing of ${name}` });
    const [link] = await pairing.line(/https?:\/\/\S+\/pair#[A-Za-z0-9_.-]+/);
    const tab = await browser.tab(name, { clock: deployment.clock, ignoreHTTPSErrors: this.constructor.tls, ...options });
    await tab.goto(link);
    assert.equal(await pairing.exited, 0, pairing.output);
    tab.pairing = pairing;
    tab.keyFile = file;
    return tab;
  }

  async open(browser, name, options) {
    const tab = await this.pair(browser, name, options);
    await this.deployment.publish(['add-key', name, tab.keyFile, '--kind', 'browser']);
    await this.signIn(tab);
    return tab;
  }

  async signIn(tab) {
    await tab.goto(`${this.origin}/`);
    await until(`${tab.name} is signed in`, async () => await shell(tab).isVisible());
  }

  async wordsOnTerminal() {}
  async stop() {}
}

export class ByControllerTls extends ByController {
  static name = 'countersignd under TLS';
  static tls = true;
  static settings = { operators: '127.0.0.1:0', console: 'yes' };
}
