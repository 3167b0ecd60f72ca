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
  const rows = page.getByRole('row');
  const firstRow = () => rows.nth(1).waitFor();
  const times = async (what, doing, runs = 5) => {
    const list = [], tasks = [];
    for (let i = 0; i < runs; i++) {
      list.push(await timed(doing));
      tasks.push(await longest(page));
    }
    say(what, median(list), `longest task ${Math.round(Math.max(...tasks))} ms`);
  };

  await times('overview: loaded anew, until its figures stand', async () => {
    await page.goto(`${origin}/`);
    await page.getByRole('main').getByRole('heading').first().waitFor();
    await page.waitForFunction(() => !document.querySelector('[aria-busy="true"]'));
  });
  await times('certificates: loaded anew, until rows stand', async () => {
    await page.goto(`${origin}/certificates`);
    await firstRow();
  });
  await times('certificates: from the menu', async () => {
    await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Overview' }).click();
    await page.getByRole('heading', { level: 1 }).first().waitFor();
    await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Visibility' }).click();
    await firstRow();
  });
  await times('certificates: a word is typed, until its rows stand', async () => {
    await page.goto(`${origin}/certificates`);
    await firstRow();
    const begun = performance.now();
    await page.getByRole('searchbox').first().fill('gw-012345');
    await page.getByRole('link', { name: /^gw-012345/ }).first().waitFor();
    say('  of that, from the last key on', performance.now() - begun);
  }, 3);
  await times('certificates: the next page', async () => {
    if (await page.getByRole('button', { name: /next/i }).count() === 0) {
      await page.goto(`${origin}/certificates`);
      await firstRow();
    }
    const before = await rows.nth(1).innerText();
    await page.getByRole('button', { name: /next/i }).or(page.getByRole('link', { name: /next/i })).first().click();
    await page.waitForFunction((text) => document.querySelector('tbody tr') && !text.startsWith(document.querySelector('tbody tr a').innerText), before);
  }, 20);
  await times('topology: loaded anew, until connectors stand', async () => {
    await page.goto(`${origin}/certificates/${id}`);
    await page.getByRole('group', { name: 'Actions' }).waitFor();
    await page.locator('[data-node]').nth(2).waitFor();
  });
  const group = page.getByRole('button', { name: /\d+ app connectors/ }).first();
  if (await group.count() > 0)
    await times('topology: a group opens', async () => {
      await group.click();
      await page.waitForFunction(() => document.querySelectorAll('[data-node]').length > 20);
      await group.click();
      await page.waitForFunction(() => document.querySelectorAll('[data-node]').length <= 20);
    });
  await way.stop();
} finally {
  for (const end of ends.reverse()) await end();
}
