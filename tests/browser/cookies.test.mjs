// The pages as the controller serves them: who has nothing but a browser is known by a cookie. What other pages, other programs
// and scripts can do with it, and with the links that bring a browser in.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import test from 'node:test';
import { Deployment } from '../integration/js/harness.mjs';
import { encode } from '../integration/js/wire.mjs';
import { Browser } from './browser.mjs';
import { call, isFramed, otherSite, sendFromPage, submitForm } from './strangers.mjs';
import { ByController, ByControllerTls } from './ways.mjs';

const whoAmI = 'SessionService/WhoAmI';
const refused = (status) => status === 401 || status === 403;

for (const Way of [ByController, ByControllerTls])
  test(`the session's cookie: ${Way.name}`, async (t) => {
    const deployment = await Deployment.create(t, { controller: Way.settings });
    const way = new Way(deployment);
    const browser = await Browser.start(t);
    const bob = await way.open(browser, 'bob');
    await bob.shot(`signed in, ${Way.name}`);
    const [cookie, ...others] = await bob.context.cookies();

    await t.test('is one that no script reads and no other site sends', async () => {
      assert.deepEqual(others, []);
      assert.equal(cookie.httpOnly, true);
      assert.equal(cookie.sameSite, 'Strict');
      assert.equal(cookie.path, '/');
      assert.equal(cookie.secure, Way.tls);
      assert.equal(cookie.name.startsWith('__Host-'), Way.tls);
    });
    await t.test('is not found by a script, nor the key', async () => {
      assert.equal(await bob.page.evaluate(() => document.cookie), '');
      const stored = await bob.page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
      assert.ok(!stored.includes(cookie.value));
      // Whatever key is kept in the browser's database, its private half cannot be taken out.
      const exported = await bob.page.evaluate(async () => {
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
      });
      assert.deepEqual(exported, ['InvalidAccessError', 'InvalidAccessError']);
    });
    if (!Way.tls) await t.test('is taken from the own origin only (CSRF)', async () => {
      const { origin } = way;
      const cookies = `${cookie.name}=${cookie.value}`;
      for (const [headers, works] of [
        [{ origin }, true],
        [{ 'sec-fetch-site': 'same-origin' }, true],
        [{}, false],
        [{ origin: 'http://evil.test' }, false],
        [{ origin: 'null' }, false],
        [{ origin: origin.replace('http', 'https') }, false],
        [{ origin: origin.replace('127.0.0.1', 'localhost') }, false],
        [{ origin: origin.replace(/\d+$/, (port) => Number(port) + 1) }, false],
        [{ 'sec-fetch-site': 'same-site' }, false],
        [{ 'sec-fetch-site': 'cross-site' }, false],
        [{ 'sec-fetch-site': 'none' }, false],
      ]) {
        const { status } = await call(origin, whoAmI, undefined, { cookie: cookies, ...headers });
        assert.equal(status === 200, works, `${JSON.stringify(headers)}: ${status}`);
      }
    });
    await t.test('is of no use to another page of the same browser', async () => {
      const site = await otherSite(t, `<iframe src="${way.origin}/"></iframe>`);
      const { revision } = await deployment.json('status');
      const evil = await bob.context.newPage();
      const statuses = [];
      evil.on('response', (reply) => {
        if (reply.url().startsWith(way.origin) && reply.request().method() === 'POST') statuses.push(reply.status());
      });
      await evil.goto(site);
      for (const method of ['PushService/Cancel', 'SessionService/EndSession', 'SessionService/CloseSession', whoAmI]) {
        const seen = await sendFromPage(evil, `${way.origin}/countersign.v1.${method}`);
        for (const kind of ['proto', 'json', 'read']) assert.match(seen[kind], /^refused/, `${method}: ${kind}`);
      }
      const other = await bob.context.newPage();
      await other.goto(await otherSite(t));
      const status = await submitForm(other, `${way.origin}/countersign.v1.PushService/Cancel`, 'text/plain');
      assert.ok([...statuses, status].every((one) => one >= 400 && one < 500), `${statuses}`);
      assert.equal(await isFramed(evil, site, way.origin), false);
      assert.equal((await deployment.json('status')).revision, revision, 'nothing was changed');
      await evil.close();
      await bob.page.reload();
      await bob.page.getByRole('navigation').first().waitFor();
    });
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
  assert.ok(refused(status), `${status}`);
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
    assert.ok(refused((await asBob()).status));
    await bob.goto(`${way.origin}/certificates`); // the page signs in anew by itself with the key that it has, or says that it must
    await bob.page.getByRole('main').waitFor();
  });
  await t.test('who signs out is out, and the cookie is gone', async () => {
    await way.signIn(bob);
    const [{ value: last }] = await bob.context.cookies();
    await bob.page.getByRole('button', { name: /sign out/i }).first().click();
    await bob.page.getByRole('button', { name: /sign in/i }).first().waitFor();
    assert.deepEqual(await bob.context.cookies(), []);
    assert.ok(refused((await call(way.origin, whoAmI, undefined, { cookie: `${name}=${last}`, origin: way.origin })).status));
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
    assert.ok(statuses.every((status) => status >= 400 && status < 500), `${statuses}`);
    assert.ok(statuses.includes(429), `never too many: ${[...new Set(statuses)]}`);
  });
  browser.clean();
});
