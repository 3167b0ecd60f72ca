// The rest of what people do with a certificate on a device: it comes back, is taken away, is not let through, is revoked and goes
// there all the same. Each step asks the device's own files, and the command line.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { createPrivateKey } from 'node:crypto';
import { until } from '../integration/js/harness.mjs';
import { Browser, story } from './browser.mjs';
import { commonName, Gateway } from './gateway.mjs';
import { Person } from './person.mjs';
import { ByConsole } from './ways.mjs';

const next = 'successor.example';

// What the device really has: the leaf and its key, or nothing.
function has(agent, leaf) {
  const [chain, key] = ['chain.pem', 'key.pem'].map((file) => path.join(agent.folder, file));
  if (!leaf) return !fs.existsSync(chain) && !fs.existsSync(key);
  return fs.readFileSync(chain, 'utf8').startsWith(leaf.pem) && createPrivateKey(fs.readFileSync(key)).equals(createPrivateKey(leaf.keyPem));
}

test('a certificate comes back, is removed, is refused by people, and is revoked', async (t) => {
  const gateway = await Gateway.create(t, { web: false, clock: false });
  const { deployment, agent, leaf } = gateway;
  const way = new ByConsole(deployment);
  const browser = await Browser.start(t), step = story(t, browser);
  const [ada, bob, carol] = (await way.people(browser, ['ada', 'bob', 'carol'])).map((tab) => new Person(tab));
  const show = async (person, name) => {
    await person.list();
    await person.open(name);
  };
  // Both stages, from the topology, to the state that stands there in the end.
  const decided = async (state) => {
    for (const [person, verb] of [[bob, 'Approve'], [carol, 'Implement']]) {
      await show(person, commonName);
      await person.decide(verb, 'gw-1', 'web', { comment: 'fine' });
    }
    await show(ada, commonName);
    await ada.state('gw-1', 'web', state);
  };
  const row = async () => (await deployment.json('topology', commonName)).connectors[0];
  const stateOf = async (request) => (await deployment.json('request', 'show', request)).state;
  // By the command line, for what a step is not about.
  const requested = async () => (await deployment.cli('push', commonName, '--comment', 'again', '--as', 'ada', '--yes')).match(/REQ-\d+/)[0];
  const look = async (person, request) => {
    await person.tab.goto(`${person.tab.origin}/requests/${request.replace('REQ-', '')}`);
    await person.page.getByRole('heading', { level: 1, name: request }).waitFor();
  };

  await gateway.pushed();
  const successor = await gateway.certificate(next);
  await gateway.pushed(next);
  assert.ok(has(agent, successor));

  await step('where another certificate is by now, nothing is offered to be rolled back or removed', async () => {
    await show(ada, commonName);
    for (const action of ['Roll back…', 'Remove…']) assert.equal(await ada.button(action).count(), 0, action);
  });
  await step('roll back: the one before comes back as the device\'s own generation, with its key', async () => {
    await show(ada, next);
    const words = await ada.preparePush('the new one is not trusted by all', 'Roll back…');
    assert.match(JSON.stringify(await ada.fields()), /generation 1/);
    const { request } = await ada.sendPush();
    assert.match((await deployment.json('request', 'show', request)).task, new RegExp(`back to ${commonName}, generation 1`));
    await way.wordsOnTerminal('ada', words);
    await decided(/Roll back: Completed/);
    assert.ok(has(agent, leaf), 'the device has the first one again');
    assert.equal((await row()).sync, 'in sync');
    await ada.shot('rolled back');
  });
  await step('remove: nothing is left, and the page says why', async () => {
    await ada.push('it is not needed any more', 'Remove…');
    await decided(/Remove: Completed/);
    assert.ok(has(agent), 'files were left');
    const { sync, colour } = await row();
    assert.equal(sync, 'missing');
    const text = await ada.connector('gw-1', 'web').innerText();
    assert.match(text, /it was removed, as people decided/);
    assert.equal(colour, 'green');
    await ada.connector('gw-1', 'web').locator('.c-green').first().waitFor();
    for (const action of ['Roll back…', 'Remove…']) assert.equal(await ada.button(action).count(), 0, action);
    await ada.shot('removed');
  });
  await step('reject, from the request: signed, and the end of it', async () => {
    const request = await requested();
    await look(bob, request);
    await bob.button('Reject…').click();
    await bob.dialog.getByRole('textbox', { name: /comment/i }).fill('not today');
    await bob.button('Yes', bob.dialog).click();
    const words = await bob.readStatement();
    await bob.shot('what a reject signs');
    await bob.sign();
    await bob.dialog.getByText('The request was rejected').waitFor();
    await bob.close();
    await bob.main.getByText('not today').waitFor();
    await bob.main.getByText(/bob rejected/).waitFor();
    await bob.page.getByRole('table').getByText('Rejected', { exact: true }).waitFor();
    await bob.shot('rejected');
    assert.equal(await bob.button('Reject…').count(), 0);
    assert.equal(await stateOf(request), 'Rejected');
    await way.wordsOnTerminal('bob', words);
  });
  await step('cancel, from the request', async () => {
    const request = await requested();
    await look(ada, request);
    await ada.button('Cancel…').click();
    await ada.dialog.getByText(/It reaches 1 work order/).waitFor();
    await ada.dialog.getByRole('textbox', { name: /comment/i }).fill('asked for too early');
    await ada.shot('cancel');
    await ada.button('Cancel the push', ada.dialog).click();
    await ada.dialog.getByText('1 work order cancelled').waitFor();
    await ada.close();
    await ada.page.locator('.head').getByText('Cancelled').waitFor();
    await ada.page.getByRole('table').getByText('Cancelled', { exact: true }).waitFor();
    await ada.shot('cancelled');
    assert.equal(await stateOf(request), 'Cancelled');
    assert.ok(has(agent), 'nothing went to the device');
  });
  await step('revoke asks for the common name, and all is black', async () => {
    await show(ada, commonName);
    await ada.button('Revoke…').click();
    await ada.dialog.getByLabel('Reason').selectOption({ label: 'key compromise' });
    await ada.dialog.getByRole('textbox', { name: /common name/ }).fill(next);
    await ada.button('Revoke', ada.dialog).click();
    await ada.dialog.getByRole('alert').filter({ hasText: commonName }).waitFor();
    await ada.shot('revoke, with another name');
    await ada.dialog.getByRole('textbox', { name: /common name/ }).fill(commonName);
    await ada.button('Revoke', ada.dialog).click();
    await ada.dialog.waitFor({ state: 'detached' });
    await ada.page.locator('.head').getByText('revoked').waitFor();
    assert.equal(await ada.button('Revoke…').count(), 0, 'it is offered once');
    await ada.list();
    await ada.row(commonName).getByText('revoked').first().waitFor();
    await ada.shot('black in the list');
    await until('the controller says so', async () => (await row()).colour === 'black');
  });
  await step('a push of it has to be meant, and is black where it is', async () => {
    await show(ada, commonName);
    await ada.button('Push to Device').click();
    await ada.dialog.getByRole('textbox', { name: /comment/i }).fill('until the successor is trusted');
    await ada.button('OK', ada.dialog).click();
    await ada.dialog.getByRole('alert').filter({ hasText: 'all the same' }).waitFor();
    await ada.shot('push of a revoked one');
    await ada.hand.check(ada.dialog.getByRole('checkbox', { name: 'Push it although it is revoked' }));
    await ada.button('OK', ada.dialog).click();
    await ada.readStatement();
    assert.match(JSON.stringify(await ada.fields()), /revoked/);
    await ada.shot('what the requester signs of a revoked one');
    await ada.sendPush();
    await decided(/^Completed/);
    assert.ok(has(agent, leaf));
    assert.equal((await row()).colour, 'black');
    await ada.connector('gw-1', 'web').locator('.c-black').first().waitFor();
    await ada.shot('black where it is');
  });
  browser.clean();
  await way.stop();
  await gateway.end();
});

// Whom the pages offer anything by which something would change, each with how it would be called.
const changes = /^(Push to Device|Add app connector|Roll back…|Remove…|Revoke…|Approve|Implement|Reject…|Cancel…|Detach|Import|Add a device|Admit|Ban|Make )/;

test('who signs nothing looks, and is offered nothing', async (t) => {
  const gateway = await Gateway.create(t, { web: false, clock: false });
  const { deployment, leaf } = gateway;
  await gateway.pushed();
  const request = (await deployment.cli('push', commonName, '--comment', 'again', '--as', 'ada', '--yes')).match(/REQ-(\d+)/)[1];
  await deployment.cli('operator', 'keygen', 'ann', '--no-passphrase');
  await deployment.publish(['add-operator', 'ann=auditor']);
  const way = new ByConsole(deployment);
  const browser = await Browser.start(t), step = story(t, browser);
  const ann = new Person(await way.open(browser, 'ann'));
  const offeredIn = async (area) => (await area.getByRole('button').evaluateAll((buttons) => buttons.map((one) => (one.getAttribute('aria-label') ?? one.innerText).trim())))
    .filter((name) => changes.test(name));

  const pages = { overview: '/', certificates: '/certificates', topology: `/certificates/${leaf.id.toString('hex')}`, requests: '/requests',
    request: `/requests/${request}`, inbox: '/inbox', devices: '/devices', device: '/devices/gw-1', audit: '/audit' };
  for (const [what, url] of Object.entries(pages))
    await step(what, async () => {
      await ann.tab.goto(`${ann.tab.origin}${url}`);
      await ann.main.getByRole('heading', { level: 1 }).waitFor();
      await ann.page.waitForFunction(() => !document.querySelector('main [aria-busy=true]'));
      await ann.shot(what);
      assert.deepEqual(await offeredIn(ann.page), []);
      assert.equal(await ann.page.getByRole('group', { name: 'Actions' }).count(), 0);
    });
  await step('an app connector', async () => {
    await ann.list();
    await ann.open(commonName);
    await ann.node('gw-1', 'web').click();
    await ann.dialog.waitFor();
    await ann.shot('an app connector');
    assert.deepEqual(await offeredIn(ann.dialog), []);
  });
  await step('which an admin, who asks for pushes, is', async () => {
    const ada = new Person(await way.open(browser, 'ada'));
    for (const [url, name] of [[pages.topology, 'Push to Device'], [pages.request, 'Cancel…'], [pages.devices, 'Add a device…'], [pages.device, 'Ban…']]) {
      await ada.tab.goto(`${ada.tab.origin}${url}`);
      await ada.button(name).first().waitFor();
      assert.ok((await offeredIn(ada.page)).includes(name), name);
    }
  });
  browser.clean();
  await way.stop();
  await gateway.end();
});
