// What the first load costs: an empty profile, until the list of certificates stands. Counted by the browser, as it came over the
// wire, heads of answers included.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Browser } from './browser.mjs';
import { Gateway } from './gateway.mjs';
import { ByConsole } from './ways.mjs';

const MOST_BYTES = 100 * 1000;

test('the first load is small', async (t) => {
  const gateway = await Gateway.create(t, { web: false });
  const way = new ByConsole(gateway.deployment);
  const browser = await Browser.start(t);
  const { link } = await way.start('ada');
  for (const [what, path] of [['the overview', '/'], ['the list of certificates', '/certificates']]) {
    const { link: fresh, console } = path === '/' ? { link } : await way.start('ada');
    const tab = await browser.tab('ada', { clock: gateway.deployment.clock });
    const loads = await counted(tab);
    await tab.goto(fresh.replace('/#', `${path}#`));
    await tab.page.getByRole('navigation').first().waitFor();
    await tab.page.waitForLoadState('networkidle', { timeout: 5000 }).catch(() => {}); // the watch stays open
    const assets = loads().filter(({ url }) => !url.includes('/countersign.v1.'));
    const calls = loads().filter(({ url }) => url.includes('/countersign.v1.'));
    const sum = (list) => list.reduce((bytes, one) => bytes + one.bytes, 0);
    t.diagnostic(`${what}: ${assets.length} requests, ${sum(assets)} bytes compressed; ${calls.length} calls, ${sum(calls)} bytes`);
    for (const { url, bytes, encoding } of assets) t.diagnostic(`  ${String(bytes).padStart(7)}  ${encoding.padEnd(4)}  ${new URL(url).pathname}`);
    const methods = new Map();
    for (const { url } of calls) methods.set(url.split('/').at(-1), (methods.get(url.split('/').at(-1)) ?? 0) + 1);
    t.diagnostic(`  calls: ${[...methods].map(([method, count]) => `${method} ${count}`).join(', ')}`);
    assert.ok(assets.length > 0);
    assert.ok(sum(assets) <= MOST_BYTES, `${sum(assets)} bytes`);
    for (const { url, encoding, bytes } of assets) assert.ok(encoding === 'gzip' || bytes < 1000, `${url} comes as it is`);
    if (console) await console.stop();
  }
  browser.clean();
});

async function counted(tab) {
  const session = await tab.context.newCDPSession(tab.page);
  await session.send('Network.enable');
  const loads = new Map();
  session.on('Network.responseReceived', ({ requestId, response }) => {
    loads.set(requestId, { url: response.url, bytes: response.encodedDataLength,
      encoding: response.headers['content-encoding'] ?? response.headers['Content-Encoding'] ?? '-' });
  });
  session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    const load = loads.get(requestId);
    if (load) load.bytes = encodedDataLength;
  });
  return () => [...loads.values()];
}
