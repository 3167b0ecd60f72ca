// `countersign console` listens on the operator's own loopback, where every program of the machine and every page of the browser
// can reach it. Each of them is tried here against the real one.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import test from 'node:test';
import { Deployment } from '../integration/js/harness.mjs';
import { decode, encode } from '../integration/js/wire.mjs';
import { Browser } from './browser.mjs';
import { commonName, Gateway } from './gateway.mjs';
import { ask, call, cancelling, isFramed, otherSite, preflight, sendFromPage, submitForm } from './strangers.mjs';
import { ByConsole } from './ways.mjs';

const secretOf = (link) => Buffer.from(link.split('#link=')[1], 'base64url');
const openLink = (origin, secret, headers) => call(origin, 'SignerService/OpenLink', encode('OpenLinkRequest', { secret }), headers);
const whoAmI = 'SessionService/WhoAmI';

async function tokenOf({ origin, link }) {
  const { status, body, text } = await openLink(origin, secretOf(link), { origin });
  assert.equal(status, 200, text);
  return decode('OpenLinkResponse', body).token;
}

test('a person comes in by the link, once', async (t) => {
  const deployment = await Deployment.create(t);
  const way = new ByConsole(deployment);
  const browser = await Browser.start(t);
  const { console, link, origin } = await way.start('ada');
  const ada = await browser.tab('ada');
  await ada.goto(link);
  await ada.page.getByRole('navigation').first().waitFor();
  await ada.shot('signed in');

  await t.test('the secret does not stay in the address, nor where other pages could read it', async () => {
    assert.doesNotMatch(ada.page.url(), /link=/);
    assert.deepEqual(await ada.context.cookies(), []);
    assert.equal(await ada.page.evaluate(() => document.cookie), '');
    assert.equal(await ada.page.evaluate((text) => JSON.stringify({ ...localStorage }).includes(text), link.split('#link=')[1]), false);
  });
  await t.test('reloading keeps the session of this tab', async () => {
    await ada.page.reload();
    await ada.page.getByRole('navigation').first().waitFor();
  });
  await t.test('whoever follows the same link again is told that it was used, and sees nothing', async () => {
    const mallory = await browser.tab('mallory');
    await mallory.goto(link);
    await mallory.page.getByText(/link/i).filter({ hasText: /used|once|new link/i }).first().waitFor();
    assert.equal(await mallory.page.getByRole('navigation').count(), 0);
    await mallory.shot('a used link');
  });
  await t.test('whoever comes without a link is told how to get in', async () => {
    const mallory = await browser.tab('mallory');
    await mallory.goto(origin);
    await mallory.page.getByText(/countersign console/).first().waitFor();
    assert.equal(await mallory.page.getByRole('navigation').count(), 0);
    await mallory.shot('no link');
  });
  browser.clean();
  assert.equal(await console.stop(), 0, console.output);
});

test('links and tokens are not guessed', async (t) => {
  const deployment = await Deployment.create(t);
  const way = new ByConsole(deployment);
  const first = await way.start('ada'), second = await way.start('bob');
  const statusOf = async (secret) => (await openLink(first.origin, secret, { origin: first.origin })).status;

  await t.test('wrong secrets open nothing, are told of at the terminal, and do no harm to the right one', async () => {
    const secret = secretOf(first.link), near = Buffer.from(secret);
    near[31] ^= 1;
    for (const wrong of [near, ...Array.from({ length: 100 }, () => crypto.randomBytes(32))]) assert.equal(await statusOf(wrong), 403);
    for (const wrong of [secret.subarray(0, 31), Buffer.concat([secret, Buffer.of(0)]), Buffer.alloc(0)])
      assert.ok([400, 403].includes(await statusOf(wrong)), `${wrong.length} bytes`);
    await first.console.line(/wrong/i);
    await tokenOf(first);
    assert.equal(await statusOf(secret), 403, 'once');
  });
  const token = await tokenOf(second), as = (authorization) => (authorization === undefined ? {} : { authorization });
  await t.test('a token is good for its own process only', async () => {
    assert.equal((await call(second.origin, whoAmI, undefined, as(`Bearer ${token}`))).status, 200);
    assert.equal((await call(first.origin, whoAmI, undefined, as(`Bearer ${token}`))).status, 401);
  });
  await t.test('no token, half a token and another scheme are nobody', async () => {
    for (const authorization of [undefined, 'Bearer', 'Bearer ', `Bearer ${token.slice(0, -1)}`, `Bearer ${token}x`, `Basic ${token}`, token])
      assert.equal((await call(second.origin, whoAmI, undefined, as(authorization))).status, 401, authorization);
  });
});

test('other pages of the same browser reach nothing', async (t) => {
  const gateway = await Gateway.create(t, { web: false, clock: false });
  const { deployment } = gateway;
  await deployment.cli('cert', 'attach', commonName, 'gw-1', 'web');
  await deployment.cli('push', commonName, '--comment', 'renewal', '--as', 'ada', '--yes');
  const cancel = cancelling(1);
  const way = new ByConsole(deployment);
  const browser = await Browser.start(t);
  const ada = await way.open(browser, 'ada'), bobs = await way.start('bob');
  const { origin } = ada, url = `${origin}/countersign.v1.${cancel.method}`;
  const site = await otherSite(t, `<iframe id="framed" src="${origin}/"></iframe>`);
  const state = async () => (await deployment.json('request', 'show', 'REQ-1')).state;
  const evil = await ada.context.newPage(); // the same profile: whatever the browser would send along, it can

  await t.test('calls from another origin are refused (CSRF)', async () => {
    await evil.goto(site);
    const statuses = await sendFromPage(evil, url, cancel);
    assert.ok(statuses.length > 3, `${statuses}`);
    assert.deepEqual([...new Set(statuses)], [403]);
    const asked = await preflight(origin, cancel.method, site);
    assert.equal(asked.status, 403);
    assert.equal(asked.headers['access-control-allow-origin'], undefined);
  });
  await t.test('nor by a form', async () => {
    for (const enctype of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
      const page = await ada.context.newPage();
      await page.goto(await otherSite(t));
      assert.equal(await submitForm(page, url, enctype, cancel.field), 403, enctype);
    }
  });
  await t.test('nor with a secret that is known there: links are opened by the console\'s own page', async () => {
    for (const headers of [{ origin: site }, { origin: 'null' }, { 'sec-fetch-site': 'same-site' }, { 'sec-fetch-site': 'cross-site' }])
      assert.equal((await openLink(bobs.origin, secretOf(bobs.link), headers)).status, 403, JSON.stringify(headers));
    assert.ok(await tokenOf(bobs));
  });
  await t.test('the pages are not framed (clickjacking)', async () => {
    assert.equal(await isFramed(evil, site, origin), false);
    const { headers } = await ask(origin, '/', { headers: { accept: 'text/html', 'accept-encoding': 'gzip' } });
    assert.match(headers['content-security-policy'], /frame-ancestors 'none'/);
  });
  await t.test('a window that another page opened is not reached, and knows nothing', async () => {
    await evil.goto(site);
    const opening = ada.context.waitForEvent('page');
    await evil.evaluate((to) => { globalThis.opened = window.open(to); }, origin);
    const opened = await opening;
    await opened.waitForLoadState();
    await opened.getByText(/countersign console/).first().waitFor(); // no link, no token: another tab's is not this one's
    assert.equal(await opened.getByRole('navigation').count(), 0);
    assert.match(await evil.evaluate(() => {
      try {
        return String(globalThis.opened.document.body.innerText);
      } catch (error) {
        return `refused: ${error.name}`;
      }
    }), /^refused: (SecurityError|TypeError)/);
  });
  await t.test('while the same bytes do it from the own page', async () => {
    assert.match(await state(), /Push-Approval Pending/);
    const status = await ada.page.evaluate(async ([to, bytes]) => {
      const token = Object.values({ ...sessionStorage }).find((value) => /^[A-Za-z0-9_-]{43}$/.test(value));
      return (await fetch(to, { method: 'POST', headers: { 'content-type': 'application/proto', authorization: `Bearer ${token}` }, body: new Uint8Array(bytes) })).status;
    }, [url, [...cancel.proto]]);
    assert.equal(status, 200);
    assert.match(await state(), /Cancelled/);
  });
  browser.clean();
  await way.stop();
});

test('a name that leads to this machine is not this machine (DNS rebinding)', async (t) => {
  const deployment = await Deployment.create(t);
  const way = new ByConsole(deployment);
  const { console, link, origin } = await way.start('ada');
  const { port } = new URL(origin);
  const browser = await Browser.start(t, { args: ['--host-resolver-rules=MAP evil.test 127.0.0.1,MAP *.localhost 127.0.0.1'] });

  await t.test('in the browser', async () => {
    for (const host of ['evil.test', 'console.localhost']) {
      const mallory = await browser.tab('mallory');
      mallory.allowed.push(/./); // the browser asks for an icon of a page that was refused
      const reply = await mallory.goto(`http://${host}:${port}/`);
      assert.equal(reply.status(), 403, host);
      assert.doesNotMatch(await reply.text(), /<script/);
      const status = await mallory.page.evaluate(async (bytes) => (await fetch('/countersign.v1.SignerService/OpenLink', { method: 'POST',
        headers: { 'content-type': 'application/proto' }, body: new Uint8Array(bytes) })).status, [...encode('OpenLinkRequest', { secret: secretOf(link) })]);
      assert.equal(status, 403, host);
      await mallory.shot(`as ${host}`);
    }
  });
  await t.test('by every other spelling, on every kind of path', async () => {
    const hosts = ['evil.test', `evil.test:${port}`, '127.0.0.1', `127.0.0.1:${Number(port) + 1}`, `127.0.0.1.evil.test:${port}`, `localhost.evil.test:${port}`,
      `[::1]:${port}`, `0.0.0.0:${port}`, `127.1:${port}`, `2130706433:${port}`, `127.0.0.1:${port}.`];
    for (const host of hosts)
      for (const path of ['/', '/served-by', '/certificates', '/assets/x.js', '/countersign.v1.SignerService/GetSigner']) {
        const { status, text } = await ask(origin, path, { headers: { host, accept: 'text/html', 'accept-encoding': 'gzip' } });
        assert.equal(status, 403, `host ${host}, ${path}: ${text}`);
      }
    // This one no host can be called: the request is not one.
    assert.equal((await ask(origin, '/', { headers: { host: `evil.test@127.0.0.1:${port}` } })).status, 400);
  });
  await t.test('while its own two names work', async () => {
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`]) {
      const { status, text } = await ask(origin, '/served-by', { headers: { host, 'accept-encoding': 'gzip' } });
      assert.equal(status, 200, host);
      assert.match(text, /console/);
    }
  });
  await t.test('a call with the right token from a wrong origin is refused', async () => {
    const authorization = `Bearer ${await tokenOf({ link, origin })}`;
    for (const [headers, status] of [
      [{}, 200],
      [{ origin }, 200],
      [{ origin, 'sec-fetch-site': 'same-origin' }, 200],
      [{ origin: `http://evil.test:${port}` }, 403],
      [{ origin: `https://127.0.0.1:${port}` }, 403],
      [{ origin: 'http://127.0.0.1' }, 403],
      [{ origin: `http://localhost:${port}` }, 403], // of the other name: a page there has no business here
      [{ origin: 'null' }, 403],
      [{ 'sec-fetch-site': 'cross-site' }, 403],
      [{ 'sec-fetch-site': 'same-site' }, 403],
    ])
      assert.equal((await call(origin, whoAmI, undefined, { authorization, ...headers })).status, status, JSON.stringify(headers));
  });
  assert.equal(await console.stop(), 0, console.output);
});
