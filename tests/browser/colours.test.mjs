// Each of the eight colours on screen, by what really brings it, with its word: in the list and in the topology.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { X509Certificate } from 'node:crypto';
import { makeCrl } from '../integration/js/certificates.mjs';
import { until } from '../integration/js/harness.mjs';
import { Browser, story } from './browser.mjs';
import { commonName, Gateway, issuer } from './gateway.mjs';
import { Person } from './person.mjs';
import { ByConsole } from './ways.mjs';

const day = 24 * 3600;
const meanings = { green: 'available and valid', blue: 'expires within 90 days', yellow: 'expires within 30 days', orange: 'expires within 10 days',
  purple: /.*(removed|by hand)/, gray: 'the push failed', red: 'expired', black: 'revoked' };

test('eight colours on screen', async (t) => {
  const crls = fs.mkdtempSync('/tmp/countersign-crls-');
  t.after(() => fs.rmSync(crls, { recursive: true }));
  let broken;
  const gateway = await Gateway.create(t, { web: false, controller: { crls }, agent: (deployment) => {
    broken = deployment.path('the-application-is-broken');
    return { check: '1s', reload: `/usr/bin/test ! -e ${broken}` };
  } });
  const { deployment, leaf } = gateway;
  const { clock } = deployment;
  const way = new ByConsole(deployment);
  const browser = await Browser.start(t), step = story(t, browser);
  const ada = new Person(await way.open(browser, 'ada')), dark = new Person(await way.open(browser, 'bob', { colorScheme: 'dark' }));
  const expires_s = Math.floor(Date.parse(new X509Certificate(leaf.pem).validTo) / 1000);
  const chain = path.join(gateway.agent.folder, 'chain.pem');
  await gateway.pushed();
  for (const person of [ada, dark]) await person.list();

  // The colour's word, by eye and by ear; and the paint is there, not the same as any other's.
  const paints = { light: {}, dark: {} };
  async function shows(colour) {
    await until(`the controller says ${colour}`, async () => (await deployment.json('topology', commonName)).connectors[0].colour === colour);
    for (const [theme, person] of [['light', ada], ['dark', dark]]) {
      await person.tab.travelled(clock.offset_s);
      const chip = person.row(commonName).locator(`[data-colour="${colour}"]`);
      // What only time changes is not told to anybody: a page looks again by itself, or when it is loaded.
      await chip.waitFor({ timeout: 3000 }).catch(async () => {
        await person.tab.goto(person.page.url());
        await chip.waitFor();
      });
      assert.match(await chip.getAttribute('title'), new RegExp(`^${colour}: ${meanings[colour].source ?? meanings[colour]}`));
      assert.notEqual((await chip.innerText()).trim(), '');
      assert.match(await chip.textContent(), new RegExp(`^${colour}, `));
      paints[theme][colour] = await chip.evaluate((element) => ['', '::before', '::after'].map((part) => {
        const { backgroundColor, color, borderColor } = getComputedStyle(element, part);
        return [backgroundColor, color, borderColor];
      }).join());
      await person.shot(`${colour} in the list, ${theme}`);
    }
    await ada.open(commonName);
    await ada.connector('gw-1', 'web').locator(`[data-colour="${colour}"]`).waitFor();
    await ada.shot(`${colour} in the topology`);
    await ada.list();
  }

  await step('green', () => shows('green'));
  for (const [colour, days] of [['blue', 90], ['yellow', 30], ['orange', 10]])
    await step(colour, async () => {
      clock.travelTo(expires_s - days * day + 1);
      await shows(colour);
    });
  await step('purple', async () => {
    fs.unlinkSync(chain);
    await shows('purple');
  });
  await step('gray', async () => {
    fs.writeFileSync(broken, '');
    const [request] = (await deployment.cli('push', commonName, '--comment', 'once more', '--attempts', '1', '--as', 'ada', '--yes')).match(/REQ-\d+/);
    await deployment.cli('approve', request, '--manual', '--comment', 'fine', '--as', 'bob', '--yes');
    await deployment.cli('implement', request, '--manual', '--comment', 'go', '--as', 'carol', '--yes');
    await shows('gray');
  });
  await step('red', async () => {
    clock.travelTo(expires_s + 1);
    await shows('red');
  });
  await step('black', async () => {
    fs.writeFileSync(path.join(crls, 'fleet.crl'), makeCrl(issuer, { entries: [{ serial: leaf.serial, reason: 1 }], atMs: clock.now_s * 1000 }).der);
    await shows('black');
  });
  await step('no two are painted alike, in either theme', () => {
    for (const theme of ['light', 'dark']) assert.equal(new Set(Object.values(paints[theme])).size, 8, JSON.stringify(paints[theme], null, 1));
  });
  browser.clean();
  await way.stop();
  await gateway.end();
});
