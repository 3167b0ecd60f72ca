// `countersign console` listens on the operator's own loopback, where every program of the machine and every page of the browser
// can reach it. Each of them is tried here against the real one.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import test from 'node:test';
import { Deployment } from '../integration/js/harness.mjs';
import { decode, encode } from '../integration/js/wire.mjs';
import { Browser } from './browser.mjs';
import { ask, call, isFramed, otherSite, sendFromPage, submitForm } from './strangers.mjs';
import { ByConsole } from './ways.mjs';

const secretOf = (link) => Buffer.from(link.split('#link=')[1], 'base64url');
const openLink = (origin, secret, headers) => call(origin, 'SignerService/OpenLink', encode('OpenLinkRequest', { secret }), headers);
const tokenOf = async (started) => decode('OpenLinkResponse', (await openLink(started.origin, secretOf(started.link))).body).token;
const refused = (status) => status === 401 || status === 403 || status === 421;
const whoAmI = 'SessionService/WhoAmI';

async function revision(deployment) {
  return (await deployment.json('status')).revision;
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

  await t.test('wrong links open nothing, and do not end the right one', async () => {
    for (let i = 0; i < 50; i++) {
      const { status } = await openLink(first.origin, crypto.randomBytes(32));
      assert.equal(status, 403);
    }
    await first.console.line(/wrong/i);
    const { status, text } = await openLink(first.origin, secretOf(first.link));
    assert.equal(status, 200, text);
  });
  await t.test('a secret that is too short, too long or empty opens nothing', async () => {
    const secret = secretOf(second.link);
    for (const wrong of [secret.subarray(0, 31), Buffer.concat([secret, Buffer.of(0)]), Buffer.alloc(0)]) {
      const { status } = await openLink(second.origin, wrong);
      assert.ok(status >= 400 && status < 500, `${status}`);
    }
  });
  const token = await tokenOf(second);
  await t.test('a token is good for its own process only', async () => {
    const authorization = `Bearer ${token}`;
    assert.equal((await call(second.origin, whoAmI, undefined, { authorization })).status, 200);
    assert.ok(refused((await call(first.origin, whoAmI, undefined, { authorization })).status));
  });
  await t.test('no token, half a token and another scheme are nobody', async () => {
    for (const authorization of ['', 'Bearer', 'Bearer ', `Bearer ${token.slice(0, -1)}`, `Bearer ${token}x`, `Basic ${token}`, token])
      assert.ok(refused((await call(second.origin, whoAmI, undefined, authorization ? { authorization } : {})).status), authorization);
  });
});

test('other pages of the same browser reach nothing', async (t) => {
  const deployment = await Deployment.create(t);
  const way = new ByConsole(deployment);
  const browser = await Browser.start(t);
  const ada = await way.open(browser, 'ada');
  const origin = ada.origin;
  const site = await otherSite(t, `<iframe id="framed" src="${origin}/"></iframe>`);
  const before = await revision(deployment);
  const evil = await ada.context.newPage(); // the same profile: whatever the browser would send along, it can

  await t.test('calls from another origin are refused before they are looked at (CSRF)', async () => {
    const statuses = [];
    evil.on('response', (reply) => {
      if (reply.url().startsWith(origin) && reply.request().method() === 'POST') statuses.push(reply.status());
    });
    await evil.goto(site);
    for (const method of ['PushService/Cancel', 'SignerService/Sign', 'SignerService/OpenLink', whoAmI]) {
      const seen = await sendFromPage(evil, `${origin}/countersign.v1.${method}`);
      for (const kind of ['proto', 'json', 'read']) assert.match(seen[kind], /^refused/, `${method}: ${kind}`);
    }
    assert.ok(statuses.length > 0);
    assert.ok(statuses.every(refused), `${statuses}`);
  });
  await t.test('nor by a form', async () => {
    for (const enctype of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
      const page = await ada.context.newPage();
      await page.goto(await otherSite(t));
      const status = await submitForm(page, `${origin}/countersign.v1.PushService/Cancel`, enctype);
      assert.ok(status >= 400 && status < 500, `${enctype}: ${status}`);
    }
  });
  await t.test('the pages are not framed (clickjacking)', async () => {
    assert.equal(await isFramed(evil, site, origin), false);
    const { headers } = await ask(origin, '/', { headers: { accept: 'text/html', 'accept-encoding': 'gzip' } });
    assert.match(headers['content-security-policy'], /frame-ancestors 'none'/);
  });
  await t.test('a window that another page opened is not reached, and knows nothing', async () => {
    await evil.goto(site);
    const opening = ada.context.waitForEvent('page');
    await evil.evaluate((url) => { globalThis.opened = window.open(url); }, origin);
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
    await opened.close();
  });
  assert.equal(await revision(deployment), before, 'nothing was changed');
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
      assert.ok(refused(reply.status()), `${host}: ${reply.status()}`);
      assert.doesNotMatch(await reply.text(), /<script/);
      const seen = await sendFromPage(mallory.page, `http://${host}:${port}/countersign.v1.SignerService/OpenLink`);
      assert.match(seen.proto, /^(401|403|421)/, host);
      await mallory.shot(`as ${host}`);
    }
  });
  await t.test('by every other spelling, on every kind of path', async () => {
    const hosts = ['evil.test', `evil.test:${port}`, '127.0.0.1', `127.0.0.1:${Number(port) + 1}`, `127.0.0.1.evil.test:${port}`, `localhost.evil.test:${port}`,
      `evil.test@127.0.0.1:${port}`, `[::1]:${port}`, `0.0.0.0:${port}`, `127.1:${port}`, `2130706433:${port}`, `127.0.0.1:${port}.`];
    for (const host of hosts)
      for (const path of ['/', '/served-by', '/certificates', '/assets/x.js', '/countersign.v1.SignerService/GetSigner']) {
        const { status, text } = await ask(origin, path, { headers: { host, accept: 'text/html', 'accept-encoding': 'gzip' } });
        assert.ok(status >= 400 && status < 500, `host ${host}, ${path}: ${status}`);
        assert.doesNotMatch(text, /<script/);
      }
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
    for (const [headers, works] of [
      [{}, true],
      [{ origin }, true],
      [{ origin, 'sec-fetch-site': 'same-origin' }, true],
      [{ origin: `http://evil.test:${port}` }, false],
      [{ origin: `https://127.0.0.1:${port}` }, false],
      [{ origin: 'http://127.0.0.1' }, false],
      [{ origin: `http://localhost:${port}` }, false], // of the other name: a page there has no business here
      [{ origin: 'null' }, false],
      [{ 'sec-fetch-site': 'cross-site' }, false],
      [{ 'sec-fetch-site': 'same-site' }, false],
    ]) {
      const { status } = await call(origin, whoAmI, undefined, { authorization, ...headers });
      assert.equal(status === 200, works, `${JSON.stringify(headers)}: ${status}`);
    }
  });
  assert.equal(await console.stop(), 0, console.output);
});
