// The pages as the controller serves them: who has nothing but a browser is known by a cookie. What other pages, other programs
// and scripts can do with it, and with the links that bring a browser in.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import test from 'node:test';
import { Deployment, until } from '../integration/js/harness.mjs';
import { encode } from '../integration/js/wire.mjs';
import { Browser } from './browser.mjs';
import { commonName, Gateway } from './gateway.mjs';
import { call, cancelling, isFramed, otherSite, preflight, sendFromPage, submitForm } from './strangers.mjs';
import { ByController, ByControllerTls } from './ways.mjs';

const whoAmI = 'SessionService/WhoAmI';

// Whatever key is kept in the browser's database: what becomes of taking its private half out.
async function exportKeys() {
  const found = [];
  const wanted = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const look = async (value) => {
    if (value instanceof CryptoKey) {
      if (value.type === 'private')
        for (const format of ['pkcs8', 'jwk'])
          found.push(await crypto.subtle.exportKey(format, value).then(() => 'exported', (error) => error.name));
    } else if (value && typeof value === 'object') {
      for (const inner of Object.values(value)) await look(inner);
    }
  };
  for (const { name } of await indexedDB.databases()) {
    const database = await wanted(indexedDB.open(name));
    for (const store of database.objectStoreNames) await look(await wanted(database.transaction(store).objectStore(store).getAll()));
    database.close();
  }
  return found;
}

for (const Way of [ByController, ByControllerTls])
  test(`the session's cookie: ${Way.name}`, async (t) => {
    const gateway = await Gateway.create(t, { web: false, clock: false, controller: Way.settings });
    const { deployment } = gateway;
    await deployment.cli('cert', 'attach', commonName, 'gw-1', 'web');
    await deployment.cli('push', commonName, '--comment', 'renewal', '--as', 'ada', '--yes');
    const way = new Way(deployment);
    const browser = await Browser.start(t);
    const ada = await way.open(browser, 'ada');
    await ada.shot(`signed in, ${Way.name}`);
    const { origin } = way;
    const [cookie, ...others] = await ada.context.cookies(), cookies = `${cookie.name}=${cookie.value}`;

    await t.test('is one that no script reads and no other site sends', async () => {
      assert.deepEqual(others, []);
      assert.equal(cookie.httpOnly, true);
      assert.equal(cookie.sameSite, 'Strict');
      assert.equal(cookie.path, '/');
      assert.equal(cookie.secure, Way.tls);
      assert.equal(cookie.name.startsWith('__Host-'), Way.tls);
    });
    await t.test('is not found by a script, nor the key', async () => {
      assert.equal(await ada.page.evaluate(() => document.cookie), '');
      const stored = await ada.page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
      assert.ok(!stored.includes(cookie.value));
      assert.deepEqual(await ada.page.evaluate(exportKeys), ['InvalidAccessError', 'InvalidAccessError']);
    });
    await t.test('is taken from the own origin only', async () => {
      for (const [headers, works] of [
        [{ origin }, true],
        [{ 'sec-fetch-site': 'same-origin' }, true],
        [{}, false],
        [{ origin: 'http://evil.test' }, false],
        [{ origin: 'null' }, false],
        [{ origin: origin.replace(/^https?/, (scheme) => (scheme === 'http' ? 'https' : 'http')) }, false],
        [{ origin: origin.replace('127.0.0.1', 'localhost') }, false],
        [{ origin: origin.replace(/\d+$/, (port) => Number(port) + 1) }, false],
        [{ 'sec-fetch-site': 'same-site' }, false],
        [{ 'sec-fetch-site': 'cross-site' }, false],
        [{ 'sec-fetch-site': 'none' }, false],
      ])
        assert.equal((await call(origin, whoAmI, undefined, { cookie: cookies, ...headers })).status, works ? 200 : 403, JSON.stringify(headers));
    });
    // Another port of the same host is the same site: the browser does send the cookie, and the origin has to tell (CSRF).
    await t.test('is of no use to another page of the same browser', async () => {
      const cancel = cancelling(1), url = `${origin}/countersign.v1.${cancel.method}`;
      const site = await otherSite(t, `<iframe src="${origin}/"></iframe>`);
      const state = async () => (await deployment.json('request', 'show', 'REQ-1')).state;
      const evil = await ada.context.newPage();
      await evil.goto(site);
      const [session] = (await deployment.json('session', 'list', '--as', 'ada')).sessions.filter(({ operator }) => operator === 'ada');
      const end = { proto: encode('EndSessionRequest', { id: Buffer.from(session.id, 'hex') }), json: JSON.stringify({ id: Buffer.from(session.id, 'hex').toString('base64') }) };
      for (const [method, body] of [[cancel.method, cancel], ['SessionService/EndSession', end], ['SessionService/CloseSession', { proto: Buffer.alloc(0), json: '{}' }]]) {
        const statuses = await sendFromPage(evil, `${origin}/countersign.v1.${method}`, body);
        assert.ok(statuses.length > 3, `${method}: ${statuses}`);
        // What a page may send unasked is of no type that a method takes; for the others the browser asks first.
        assert.deepEqual([...new Set(statuses)], [415], method);
        const asked = await preflight(origin, method, site);
        assert.ok(asked.status >= 400, `${asked.status}`);
        assert.equal(asked.headers['access-control-allow-origin'], undefined);
      }
      for (const enctype of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
        const page = await ada.context.newPage();
        await page.goto(await otherSite(t));
        assert.equal(await submitForm(page, url, enctype, cancel.field), 415, enctype);
      }
      // And if a browser did not ask: right bytes, right cookie, wrong page.
      assert.equal((await call(origin, cancel.method, cancel.proto, { cookie: cookies, origin: site })).status, 403);
      assert.equal(await isFramed(evil, site, origin), false);
      assert.match(await state(), /Push-Approval Pending/);
      assert.equal((await call(origin, cancel.method, cancel.proto, { cookie: cookies, origin })).status, 200, 'the same from the own page');
      assert.match(await state(), /Cancelled/);
    });
    await ada.page.reload();
    await ada.page.getByRole('navigation').first().waitFor();
    browser.clean();
    assert.equal(await deployment.controller.stop(), 0);
  });

test('a session that an attacker chose is never taken over (fixation)', async (t) => {
  const deployment = await Deployment.create(t, { controller: ByController.settings });
  const way = new ByController(deployment);
  const browser = await Browser.start(t);
  const bob = await way.open(browser, 'bob');
  const [first] = await bob.context.cookies();

  // Somebody puts a cookie of the same name into the profile, before the person signs in: one of their own, or one made up.
  await bob.context.clearCookies();
  const planted = crypto.randomBytes(32).toString('base64url');
  await bob.context.addCookies([{ name: first.name, value: planted, url: way.origin }]);
  await way.signIn(bob);
  const cookies = await bob.context.cookies();
  assert.equal(cookies.length, 1);
  assert.notEqual(cookies[0].value, planted);
  assert.notEqual(cookies[0].value, first.value, 'each signing in makes a session of its own');
  const { status } = await call(way.origin, whoAmI, undefined, { cookie: `${first.name}=${planted}`, origin: way.origin });
  assert.equal(status, 401);
  browser.clean();
});

test('a session ends when it is ended, and the page says so', async (t) => {
  const deployment = await Deployment.create(t, { controller: ByController.settings });
  const way = new ByController(deployment);
  const browser = await Browser.start(t);
  const bob = await way.open(browser, 'bob');
  const [{ name, value }] = await bob.context.cookies();
  const asBob = () => call(way.origin, whoAmI, undefined, { cookie: `${name}=${value}`, origin: way.origin });

  await t.test('it is in the list of sessions', async () => {
    await bob.goto(`${way.origin}/sessions`);
    await bob.page.getByRole('main').getByText('bob').first().waitFor();
    await bob.shot('sessions');
  });
  await t.test('an admin ends it, from the command line', async () => {
    const [session] = (await deployment.json('session', 'list', '--as', 'ada')).sessions.filter(({ operator }) => operator === 'bob');
    assert.equal((await asBob()).status, 200);
    await deployment.cli('session', 'end', session.id, '--as', 'ada');
    assert.equal((await asBob()).status, 401);
    await bob.goto(`${way.origin}/certificates`); // the page signs in anew by itself with the key that it has, or says that it must
    await bob.page.getByRole('main').waitFor();
  });
  await t.test('who signs out is out, and the cookie is gone', async () => {
    await way.signIn(bob);
    const [{ value: last }] = await bob.context.cookies();
    await bob.page.getByRole('button', { name: /sign out/i }).first().click();
    await bob.page.getByRole('button', { name: /sign in/i }).first().waitFor();
    await until('the cookie is gone', async () => (await bob.context.cookies()).length === 0, { timeout_ms: 5000 });
    assert.equal((await call(way.origin, whoAmI, undefined, { cookie: `${name}=${last}`, origin: way.origin })).status, 401);
    await bob.shot('signed out');
  });
  browser.clean();
});

test('links that bring a browser in', async (t) => {
  const deployment = await Deployment.create(t, { controller: ByController.settings });
  const way = new ByController(deployment);
  const browser = await Browser.start(t);
  const bob = await way.pair(browser, 'bob');

  await t.test('the words of the key are the same in the page and in the admin\'s terminal', async () => {
    const words = bob.pairing.output.match(/\b(?:[a-z]{3,7} ){7}[a-z]{3,7}\b/)?.[0];
    assert.ok(words, bob.pairing.output);
    await bob.page.getByText(words).first().waitFor();
    await bob.shot('paired');
  });
  await t.test('a link that was followed is no good to another browser', async () => {
    const link = bob.pairing.output.match(/https?:\/\/\S+\/pair#[A-Za-z0-9_.-]+/)[0];
    const mallory = await browser.tab('mallory');
    await mallory.goto(link);
    await mallory.page.getByRole('button', { name: 'Pair this browser' }).click();
    await mallory.page.getByRole('alert').first().waitFor();
    await mallory.shot('a link that was followed');
  });
  await t.test('a made-up link is refused, and after some tries every one is, for a while', async () => {
    const spki = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'der', type: 'spki' });
    const statuses = [];
    for (let i = 0; i < 60; i++) {
      const body = encode('PairRequest', { authentication: crypto.randomBytes(32), spki, binding_mac: crypto.randomBytes(32) });
      statuses.push((await call(way.origin, 'SessionService/Pair', body, { origin: way.origin })).status);
    }
    assert.deepEqual([...new Set(statuses)].sort(), [403, 429]);
  });
  browser.clean();
});
