// Every page and every dialog, in both themes, wide and narrow, under axe's rules for WCAG 2.0, 2.1 and 2.2, levels A and AA; and
// no page wider than its window.
import assert from 'node:assert/strict';
import test from 'node:test';
import { AxeBuilder } from '@axe-core/playwright';
import { until } from '../integration/js/harness.mjs';
import { Browser } from './browser.mjs';
import { commonName, Gateway } from './gateway.mjs';
import { Person } from './person.mjs';
import { ByConsole, ByController } from './ways.mjs';

const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

async function complaints(page) {
  const { violations } = await new AxeBuilder({ page }).withTags(rules).analyze();
  return violations.flatMap(({ id, help, nodes }) => nodes.map(({ target, failureSummary }) =>
    `${id} (${help}): ${target.join(' ')}: ${failureSummary.split('\n').slice(1).join('; ').trim()}`));
}

// What is wider than the window makes the page scroll sideways.
const tooWide = (page) => page.evaluate(() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  return [...document.querySelectorAll('body *')].filter((element) => element.getBoundingClientRect().right > width + 1)
    .slice(0, 5).map((element) => `${element.tagName.toLowerCase()}.${element.className.baseVal ?? element.className} reaches ${Math.round(element.getBoundingClientRect().right)} of ${width}`);
});

async function settled(page) {
  await page.getByRole('main').waitFor();
  await until('what is loading has come', async () => await page.locator('[aria-busy="true"], .progress').count() === 0, { timeout_ms: 10_000 });
}

async function look(person, what, found) {
  for (const width of [1280, 360]) {
    await person.page.setViewportSize({ width, height: 800 });
    await settled(person.page);
    const said = await complaints(person.page);
    const wide = await tooWide(person.page);
    found.push(...said.map((one) => `${what}, ${width} px: ${one}`), ...wide.map((one) => `${what}, ${width} px: ${one}`));
    await person.tab.shot(`${what} ${person.theme} ${width}`, { fullPage: true });
  }
  await person.page.setViewportSize({ width: 1280, height: 800 });
}

// A deployment with something of everything.
async function world(t) {
  const gateway = await Gateway.create(t, { clock: false, web: false, controller: ByController.settings });
  const { deployment } = gateway;
  await gateway.device('gw-2');
  for (const [name, days] of [['blue.example', 60], ['yellow.example', 20], ['orange.example', 5], ['red.example', -0.5],
    ['a-very-long-name-that-goes-on-and-on-and-on.subdomain.of.a.subdomain.example', 200]])
    await gateway.certificate(name, { days });
  await gateway.pushed();
  await deployment.cli('cert', 'attach', commonName, 'gw-2', 'web');
  await deployment.cli('push', commonName, '--comment', 'a second one, with a comment that is long enough to be broken into lines somewhere', '--as', 'ada', '--yes');
  await deployment.cli('cert', 'group', 'blue.example', '+edge');
  return gateway;
}

const dialogs = {
  'push to device': async (person) => person.button('Push to Device').click(),
  'add app connector': async (person) => person.button('Add app connector').first().click(),
  'roll back': async (person) => person.button(/^Roll back/).first().click(),
  remove: async (person) => person.button(/^Remove/).first().click(),
  revoke: async (person) => person.button(/^Revoke/).first().click(),
};

test('the rules find what is wrong', async (t) => {
  const browser = await Browser.start(t);
  const tab = await browser.tab('guest');
  await tab.page.goto('data:text/html,<!doctype html><title>x</title><img src="x"><p style="color:%23bbb">grey on white<p style="width:3000px">wide');
  const found = (await complaints(tab.page)).join('\n');
  for (const rule of ['image-alt', 'color-contrast', 'html-has-lang']) assert.match(found, new RegExp(`^${rule} `, 'm'));
  assert.notDeepEqual(await tooWide(tab.page), []);
});

for (const theme of ['light', 'dark'])
  test(`no page breaks a rule, ${theme}`, async (t) => {
    const gateway = await world(t);
    const { deployment, leaf } = gateway;
    const way = new ByConsole(deployment);
    const browser = await Browser.start(t);
    const people = await way.people(browser, ['ada', 'bob'], { colorScheme: theme });
    const [ada, bob] = people.map((tab) => Object.assign(new Person(tab), { theme }));
    const topology = `/certificates/${leaf.id.toString('hex')}`;
    const found = [];
    const pages = [['overview', '/'], ['certificates', '/certificates'], ['certificates, filtered to none', '/certificates?search=nothing-is-called-so'],
      ['topology', topology], ['requests', '/requests'], ['request', '/requests/1'], ['open request', '/requests/2'], ['inbox', '/inbox'],
      ['devices', '/devices'], ['device', '/devices/gw-1'], ['audit', '/audit'], ['nothing there', '/nowhere'], ['no such device', '/devices/nobody'],
      ['no such request', '/requests/99'], ['no such certificate', `/certificates/${'0'.repeat(64)}`]];

    for (const [what, path] of pages)
      await t.test(what, async () => {
        const mine = [];
        await ada.tab.goto(`${ada.tab.origin}${path}`);
        await look(ada, what, mine);
        found.push(...mine);
        assert.deepEqual(mine, []);
      });
    await t.test('inbox with something in it', async () => {
      const mine = [];
      await bob.tab.goto(`${bob.tab.origin}/inbox`);
      await look(bob, 'inbox of bob', mine);
      assert.deepEqual(mine, []);
    });
    for (const [what, opens] of Object.entries(dialogs))
      await t.test(`dialog: ${what}`, async () => {
        const mine = [];
        await ada.tab.goto(`${ada.tab.origin}${topology}`);
        await settled(ada.page);
        await opens(ada);
        await ada.dialog.waitFor();
        await look(ada, `dialog ${what}`, mine);
        assert.deepEqual(mine, []);
      });
    await t.test('dialog: approve, and the statement', async () => {
      const mine = [];
      await bob.tab.goto(`${bob.tab.origin}${topology}`);
      await settled(bob.page);
      await bob.decision('Approve', 'gw-2', 'web').click();
      await bob.dialog.waitFor();
      await look(bob, 'dialog approve', mine);
      await bob.dialog.getByRole('switch', { name: 'Manual Implementation' }).click();
      await look(bob, 'dialog approve at a time', mine);
      await bob.dialog.getByRole('switch', { name: 'Manual Implementation' }).click();
      await bob.dialog.getByRole('textbox', { name: /comment/i }).fill('fine');
      await bob.button('Yes', bob.dialog).click();
      await bob.readStatement();
      await look(bob, 'dialog statement', mine);
      assert.deepEqual(mine, []);
    });
    browser.clean();
    await way.stop();
  });

test('the pages before one is signed in', async (t) => {
  const gateway = await world(t);
  const { deployment } = gateway;
  const way = new ByController(deployment), console = await new ByConsole(deployment).start('ada');
  const browser = await Browser.start(t);
  for (const theme of ['light', 'dark']) {
    const guest = Object.assign(new Person(await browser.tab('guest', { colorScheme: theme })), { theme });
    const found = [];
    await guest.tab.goto(`${way.origin}/sign-in`);
    await look(guest, 'sign in without a key', found);
    await guest.tab.goto(`${way.origin}/pair`);
    await look(guest, 'pair without a link', found);
    await guest.tab.goto(console.origin);
    await look(guest, 'console without a link', found);
    assert.deepEqual(found, []);
  }
  const bob = Object.assign(new Person(await way.pair(browser, 'bob')), { theme: 'light' });
  const found = [];
  await look(bob, 'paired', found);
  await deployment.publish(['add-key', 'bob', bob.tab.keyFile, '--kind', 'browser']);
  await way.signIn(bob.tab);
  await bob.tab.goto(`${way.origin}/sessions`);
  await look(bob, 'sessions', found);
  assert.deepEqual(found, []);
  browser.clean();
});
