// The scenario that everything serves, clicked through in a real browser, once for each way in which the pages are served, with
// the real programs and a real nginx.
import assert from 'node:assert/strict';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Browser, story } from './browser.mjs';
import { commonName, Gateway } from './gateway.mjs';
import { Person } from './person.mjs';
import { ByConsole, ByController, ByControllerTls } from './ways.mjs';

const soon = 5 * 60; // sooner than a browser's session ends
const berlin = (time_s) => new Intl.DateTimeFormat('sv-SE', { timeZone: 'Europe/Berlin', dateStyle: 'short', timeStyle: 'short' })
  .format(new Date(time_s * 1000)).replace(' ', 'T');

for (const Way of [ByConsole, ByController, ByControllerTls])
  test(`a certificate goes from the inventory to the device: ${Way.name}`, async (t) => {
    const gateway = await Gateway.create(t, { controller: Way.settings });
    const { deployment, web, leaf } = gateway;
    const way = new Way(deployment);
    const browser = await Browser.start(t), step = story(t, browser);
    const [ada, bob, carol] = (await way.people(browser, ['ada', 'bob', 'carol'], { finish: true })).map((tab) => new Person(tab));
    const { clock } = deployment;
    const shot = (person, what) => person.shot(`${Way.short} ${what}`);
    let request, start_s;

    await step('Visibility › Client › All lists the client certificates', async () => {
      await ada.list();
      await ada.row(commonName).waitFor();
      assert.match(await ada.row(commonName).innerText(), /Fleet CA[^]*valid/);
      await shot(ada, 'the certificates');
    });
    await step('the operator opens one by its common name and sees its topology', async () => {
      await ada.open(commonName);
      assert.match(ada.page.url(), new RegExp(`/certificates/${leaf.id.toString('hex')}$`));
      await shot(ada, 'the topology, attached to nothing');
    });
    await step('without an app connector there is no Push to Device; one is added', async () => {
      assert.equal(await ada.button('Push to Device').count(), 0);
      await ada.addConnector('gw-1', 'web');
      await shot(ada, 'with an app connector');
    });
    await step('Push to Device asks for comments, and for OK; a request ID and a work order ID come by themselves', async () => {
      const pushed = await ada.push('the old one expires in five days');
      request = pushed.request;
      await ada.state('gw-1', 'web', /Push-Approval Pending/);
      assert.deepEqual(pushed.orders.length, 1);
      assert.match(await ada.connector('gw-1', 'web').innerText(), new RegExp(`${pushed.orders[0]}\\b`));
      await shot(ada, 'Push-Approval Pending');
      await way.wordsOnTerminal('ada', pushed.words);
    });
    await step('the requester is offered neither stage', async () => {
      assert.equal(await ada.decision('Approve', 'gw-1', 'web').count(), 0);
      assert.equal(await ada.decision('Implement', 'gw-1', 'web').count(), 0);
    });
    await step('Approve, from the topology: Manual Implementation off, and a time; the state becomes Push-Review In Progress', async () => {
      await bob.list();
      await bob.open(commonName);
      start_s = Math.ceil((clock.now_s + soon) / 60) * 60;
      const words = await bob.decide('Approve', 'gw-1', 'web', { at: berlin(start_s), comment: 'fine' });
      await bob.state('gw-1', 'web', /Push-Review In Progress/);
      await shot(bob, 'Push-Review In Progress');
      await way.wordsOnTerminal('bob', words);
    });
    await step('Implement, with the same questions: Manual Implementation on; the push has its time', async () => {
      await carol.list();
      await carol.open(commonName);
      const words = await carol.decide('Implement', 'gw-1', 'web', { comment: 'go' });
      await carol.state('gw-1', 'web', /Push-Scheduled/);
      await shot(carol, 'Push-Scheduled');
      await way.wordsOnTerminal('carol', words);
    });
    await step('nothing happens before the time', async () => {
      clock.travelTo(start_s - 60);
      await sleep(1000); // what must not happen cannot be waited for
      assert.ok(!leaf.der.equals(await web.serves()), 'the old certificate is served');
    });
    await step('at its time it is pushed, everybody\'s page says Completed, and nginx serves it', async () => {
      clock.travelTo(start_s);
      for (const person of [ada, bob, carol]) {
        await person.tab.travelled(clock.offset_s);
        await person.state('gw-1', 'web', /^Completed/);
      }
      assert.ok(leaf.der.equals(await web.serves()), 'the new certificate is served');
      await shot(ada, 'Completed');
    });
    await step('its colour is green: available and valid', async () => {
      await ada.connector('gw-1', 'web').getByText('valid').first().waitFor();
      assert.equal((await deployment.json('topology', commonName)).connectors[0].colour, 'green');
    });
    await step('the request tells its whole history, verified in the browser', async () => {
      await ada.tab.goto(`${ada.tab.origin}/requests/${request.replace('REQ-', '')}`);
      const text = ada.page.getByRole('main');
      for (const word of ['ada', 'bob', 'carol', /the old one expires in five days/, /fine/, /go/, /verified/i])
        await text.getByText(word).first().waitFor();
      await shot(ada, 'the request');
    });
    browser.clean();
    await way.stop();
    await gateway.end();
  });
