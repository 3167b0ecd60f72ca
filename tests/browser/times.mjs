// How long a person waits with a large fleet: not a test, but figures. Needs a release build and its bench:
//
//   cmake --build --preset release --target countersign countersignd countersign-agent bench_fill
//   COUNTERSIGN_BIN=build/release/bin toolchain/node/with tests/integration tests/browser -- \
//     node tests/browser/times.mjs [CERTIFICATES [CONNECTORS]]          (default 1000000 500)
import fs from 'node:fs';
import path from 'node:path';
import { bin, Deployment, run } from '../integration/js/harness.mjs';
import { Browser } from './browser.mjs';
import { Person } from './person.mjs';
import { ByConsole } from './ways.mjs';

const certificates = process.argv[2] ?? '1000000', connectors = process.argv[3] ?? '500';
const ends = [];
const t = { after: (end) => ends.push(end) };
const say = (what, ms, more = '') => console.log(`${what.padEnd(58)} ${ms.toFixed(0).padStart(6)} ms${more && `  ${more}`}`);
const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];

async function timed(doing) {
  const begun = performance.now();
  await doing();
  return performance.now() - begun;
}

// The longest time in which the page did nothing else.
const longest = (page) => page.evaluate(() => {
  const list = globalThis.longTasks ?? [];
  globalThis.longTasks = [];
  return Math.max(0, ...list);
});

try {
  const deployment = await Deployment.create(t);
  await deployment.controller.stop();
  const { status, stdout, stderr } = await run(path.resolve(bin, '../tests/bench/bench_fill'),
    [deployment.path('state', 'store'), certificates, connectors, connectors], { timeout_ms: 900_000 });
  if (status !== 0) throw new Error(stderr);
  const [, id] = stdout.match(/attached: (\S+)/);
  await deployment.start();
  console.log(`${certificates} certificates, ${connectors} app connectors; ${fs.readFileSync('/proc/loadavg', 'utf8').split(' ')[0]} load`);

  const way = new ByConsole(deployment);
  const browser = await Browser.start(t);
  const tab = await way.open(browser, 'ada');
  await tab.context.addInitScript(() => {
    globalThis.longTasks = [];
    new PerformanceObserver((entries) => globalThis.longTasks.push(...entries.getEntries().map(({ duration }) => duration)))
      .observe({ type: 'longtask', buffered: true });
  });
  const ada = new Person(tab, { shots: false });
  const { page } = ada, { origin } = tab;
  // Looked at with every frame: what is measured is when it is painted.
  const seen = (look, arg, timeout = 20_000) => page.waitForFunction(look, arg, { polling: 'raf', timeout });
  const firstRow = () => seen(() => document.querySelector('tbody tr a'));
  const load = (path) => page.goto(`${origin}${path}`, { waitUntil: 'commit' });
  const link = (name) => page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name });
  const times = async (what, doing, runs = 5, before = () => {}) => {
    const list = [], tasks = [];
    for (let i = 0; i < runs; i++) {
      await before();
      await longest(page);
      list.push(await timed(doing));
      tasks.push(await longest(page));
    }
    say(what, median(list), `longest task ${Math.round(Math.max(...tasks))} ms`);
  };

  // The controller counts in the background when it starts; the page shows the rest meanwhile.
  say('overview: the controller\'s first count after its start', await timed(async () => {
    await load('/');
    await seen(() => document.getElementById('expiry'), undefined, 300_000);
  }));
  await times('overview: loaded anew, until its figures stand', async () => {
    await load('/');
    await seen(() => document.getElementById('expiry'));
  });
  await times('certificates: loaded anew, until rows stand', async () => {
    await load('/certificates');
    await firstRow();
  });
  await times('certificates: from the menu', async () => {
    await link('Visibility').click();
    await firstRow();
  }, 5, () => link('Overview').click());
  await times('certificates: from the last key of a search to its rows', async () => {
    await page.keyboard.type('5');
    await seen(() => [...document.querySelectorAll('tbody tr')].length > 0 && [...document.querySelectorAll('tbody tr a')].every((one) => one.innerText.startsWith('gw-00123')) &&
      !document.querySelector('table[aria-busy="true"]'));
  }, 5, async () => {
    await load('/certificates?search=gw-0012');
    await firstRow();
    await page.getByRole('searchbox').focus();
    await page.keyboard.press('End');
    await page.keyboard.press('3');
    await page.keyboard.press('Backspace');
    await page.keyboard.type('3');
  });
  const names = () => page.evaluate(() => [...document.querySelectorAll('tbody tr a')].map((one) => one.href).join());
  await load('/certificates');
  await firstRow();
  let shown;
  await times('certificates: the next page', async () => {
    await page.getByRole('button', { name: 'Next' }).click();
    await seen((list) => document.querySelector('tbody tr a') && [...document.querySelectorAll('tbody tr a')].map((one) => one.href).join() !== list, shown);
  }, 20, async () => { shown = await names(); });
  for (const [what, query] of [['colour', 'colour=gray'], ['group', 'group=lab'], ['expiry, first to expire first', 'sort=expires'], ['word, by expiry', 'search=berlin&sort=expires']])
    await times(`certificates: by ${what}`, async () => {
      await load(`/certificates?${query}`);
      await firstRow();
    });
  await times('topology: loaded anew, until connectors stand', async () => {
    await load(`/certificates/${id}`);
    await seen(() => document.querySelectorAll('[data-node]').length > 2);
  });
  const group = page.getByRole('button', { name: /\d+ app connectors/ }).first();
  if (await group.count() > 0) {
    await times('topology: a group opens', async () => {
      await group.click();
      await seen(() => document.querySelectorAll('.node-connector').length > 10);
    }, 5, async () => {
      await load(`/certificates/${id}`);
      await group.waitFor();
    });
    await times('topology: all of the group stand', async () => {
      for (const more = page.getByRole('button', { name: /^Show more/ }); await more.count() > 0;) await more.click();
    }, 1);
    await times('topology: an arrow key', async () => {
      await page.keyboard.press('ArrowDown');
      await seen(() => document.activeElement.matches('[data-node]'));
    }, 20, () => page.locator('.node-connector [data-node]').first().focus());
  }
  await way.stop();
} finally {
  for (const end of ends.reverse()) await end();
}
