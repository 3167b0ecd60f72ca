// The scenario by keyboard alone: Tab, arrows, Enter, letters. Whatever takes the focus shows that it has it; dialogs give it back.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Browser, story } from './browser.mjs';
import { commonName, Gateway } from './gateway.mjs';
import { Keyboard, Person } from './person.mjs';
import { ByConsole } from './ways.mjs';

test('the scenario by keyboard alone', async (t) => {
  const gateway = await Gateway.create(t, { clock: false });
  const way = new ByConsole(gateway.deployment);
  const browser = await Browser.start(t), step = story(t, browser);
  const [ada, bob, carol] = (await way.people(browser, ['ada', 'bob', 'carol'])).map((tab) => new Person(tab, { hand: Keyboard }));

  await step('the content is one key away', async () => {
    await ada.list();
    await ada.tab.goto(ada.page.url());
    await ada.row(commonName).waitFor();
    await ada.page.keyboard.press('Tab');
    assert.match(await ada.page.evaluate(() => document.activeElement.innerText), /skip/i);
    await ada.page.keyboard.press('Enter');
    assert.ok(await ada.main.evaluate((element) => element.contains(document.activeElement) || element === document.activeElement));
  });
  await step('the topology, an app connector, a push', async () => {
    await ada.open(commonName);
    await ada.addConnector('gw-1', 'web');
    await ada.push('renewal');
    await ada.state('gw-1', 'web', /Push-Approval Pending/);
  });
  await step('Escape closes a dialog, and the focus is where it was', async () => {
    await ada.hand.press(ada.button('Push to Device'));
    await ada.dialog.waitFor();
    for (let i = 0; i < 30; i++) {
      await ada.page.keyboard.press('Tab');
      assert.ok(await ada.page.evaluate(() => document.activeElement === document.body || Boolean(document.activeElement.closest('dialog'))),
        'the focus stays in the dialog');
    }
    await ada.page.keyboard.press('Escape');
    await ada.dialog.waitFor({ state: 'detached' });
    assert.equal(await ada.page.evaluate(() => document.activeElement.innerText), 'Push to Device');
  });
  for (const [person, verb, becomes] of [[bob, 'Approve', /Push-Review In Progress/], [carol, 'Implement', /^Completed/]])
    await step(verb, async () => {
      await person.list();
      await person.open(commonName);
      await person.decide(verb, 'gw-1', 'web', { comment: 'fine' });
      await person.state('gw-1', 'web', becomes);
      await person.shot(`${verb} by keyboard`);
    });
  assert.ok(gateway.leaf.der.equals(await gateway.web.serves()));
  browser.clean();
  await way.stop();
  await gateway.end();
});
