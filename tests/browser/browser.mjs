// Chromium, with a profile of its own for each person, watched for what these pages must never do: break their own policy for
// content, throw, or ask anybody but their own server.
//
//   const browser = await Browser.start(t);
//   const tab = await browser.tab('ada');
//   await tab.page.goto(link);
//   await tab.shot('the list');                      // a file in COUNTERSIGN_SHOTS, numbered in the order of the shots
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { chromium } from 'playwright-core';

const program = execFileSync('sh', ['-c', 'command -v "$0"', process.env.COUNTERSIGN_CHROMIUM ?? 'chromium'], { encoding: 'utf8' }).trim();
const shots = process.env.COUNTERSIGN_SHOTS;
const WAIT_MS = 20_000;

// Those of an earlier run would stand among this one's.
let taken = 0;
if (shots && fs.existsSync(shots)) for (const file of fs.readdirSync(shots)) if (/^\d+-.*\.png$/.test(file)) fs.rmSync(path.join(shots, file));

// The pages' clock is the system's and what was travelled, as that of the programs (tests/support/clock_shim.c).
function travellingClock(travelled_ms) {
  const Real = Date;
  globalThis.travelled_ms = travelled_ms;
  globalThis.Date = class extends Real {
    constructor(...at) {
      if (at.length === 0) super(Real.now() + globalThis.travelled_ms);
      else super(...at);
    }
    static now() { return Real.now() + globalThis.travelled_ms; }
  };
}

function tellViolations() {
  document.addEventListener('securitypolicyviolation', (event) =>
    console.error(`Content Security Policy: ${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber} ${event.sample}`));
}

// Cases of one story: where one fails, each tab is photographed, and those after it have nothing to begin with.
export function story(t, browser) {
  let broken = false;
  return (name, tell) => !broken && t.test(name, async (inner) => {
    try {
      await tell(inner);
    } catch (error) {
      broken = true;
      for (const tab of browser.tabs) await tab.shot('failed').catch(() => {});
      throw error;
    }
  });
}

export class Tab {
  constructor(browser, name, context, page) {
    Object.assign(this, { browser, name, context, page });
    this.problems = [];  // each a sentence; none is ever right
    this.requests = [];  // all URLs that were asked for
    this.allowed = [];   // patterns of problems that a test brings about itself
    page.setDefaultTimeout(WAIT_MS);
    page.on('console', (message) => {
      const text = message.text();
      if (message.type() === 'error' && /Content Security Policy|Trusted(HTML|Script|Type)/.test(text)) this.#problem(text);
    });
    page.on('pageerror', (error) => this.#problem(`thrown in the page: ${error.stack ?? error}`));
    page.on('crash', () => this.#problem('the page crashed'));
    page.on('request', (request) => {
      const url = request.url();
      this.requests.push(url);
      const own = this.origin;
      if (own && !url.startsWith(`${own}/`)) this.#problem(`asked ${url}, which is not of ${own}`);
    });
  }

  #problem(text) {
    if (!this.allowed.some((pattern) => pattern.test(text))) this.problems.push(`${this.name}: ${text}`);
  }

  // From here on, every request must be of this origin.
  async goto(url) {
    this.origin = new URL(url).origin;
    return this.page.goto(url);
  }

  // Bytes of the calls that this page makes of a method from now on: [{ url, body }].
  calls(method) {
    const seen = [];
    this.page.on('request', (request) => {
      if (new URL(request.url()).pathname.endsWith(method)) seen.push({ url: request.url(), body: request.postDataBuffer() ?? Buffer.alloc(0) });
    });
    return seen;
  }

  async shot(what, options = {}) {
    if (!shots) return;
    fs.mkdirSync(shots, { recursive: true });
    const number = String(++taken).padStart(3, '0');
    const file = `${number}-${what}-${this.name}`.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-').replace(/-$/, '');
    await this.page.screenshot({ path: path.join(shots, `${file}.png`), animations: 'disabled', caret: 'initial', ...options });
  }

  // Time goes on in the page as it did in the programs.
  travelled(seconds) { return this.page.evaluate((ms) => { globalThis.travelled_ms = ms; }, seconds * 1000); }

  clean() { assert.deepEqual(this.problems, []); }
}

export class Browser {
  static async start(t, { args = [] } = {}) {
    const chrome = await chromium.launch({ executablePath: program, headless: !process.env.COUNTERSIGN_HEADED,
      slowMo: Number(process.env.COUNTERSIGN_SLOW ?? 0), args: ['--disable-gpu', ...args] });
    const browser = new Browser(chrome);
    t.after(() => browser.stop());
    return browser;
  }

  constructor(chrome) {
    this.chrome = chrome;
    this.tabs = [];
  }

  // A new profile: nothing is stored in it, and nobody is signed in. `clock`: of the deployment, where it has one.
  async tab(name, { clock, ...options } = {}) {
    const context = await this.chrome.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce',
      locale: 'en-GB', timezoneId: 'Europe/Berlin', ...options });
    await context.addInitScript(tellViolations);
    if (clock) await context.addInitScript(travellingClock, clock.offset_s * 1000);
    const tab = new Tab(this, name, context, await context.newPage());
    this.tabs.push(tab);
    return tab;
  }

  // Fails for whatever any page did that it must not.
  clean() {
    for (const tab of this.tabs) tab.clean();
  }

  async stop() {
    await this.chrome.close();
  }
}
