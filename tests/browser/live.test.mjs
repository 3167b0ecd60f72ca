// Two browsers at once: what one does appears in the other without reloading, within a second; two people's decisions; and a
// dialog that stood open while somebody else decided is refused.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Browser, story } from './browser.mjs';
import { commonName, Gateway } from './gateway.mjs';
import { Person } from './person.mjs';
import { ByConsole } from './ways.mjs';

// From the moment when the one's browser has the controller's answer to the moment when the other sees it.
async function within(t, what, { doer, method, doing, seeing }, most_ms = 1000) {
  const answered = doer.page.waitForResponse((reply) => reply.url().endsWith(`/${method}`)).then(() => performance.now());
  const seen = seeing().then(() => performance.now());
  await doing();
  const late = await seen - await answered;
  t.diagnostic(`${what}: seen by the other ${Math.round(late)} ms after the answer`);
  assert.ok(late < most_ms, `${what}: ${late} ms`);
}

test('what one does, the other sees', async (t) => {
  const gateway = await Gateway.create(t, { clock: false });
  const way = new ByConsole(gateway.deployment);
  const browser = await Browser.start(t), step = story(t, browser);
  const [ada, bob, carol] = (await way.people(browser, ['ada', 'bob', 'carol'])).map((tab) => new Person(tab));
  for (const person of [ada, bob, carol]) {
    await person.list();
    await person.open(commonName);
  }
  let request;

  await step('an app connector that one adds', async (t) => {
    await within(t, 'the attachment', { doer: ada, method: 'Attach', doing: () => ada.addConnector('gw-1', 'web'), seeing: () => bob.appears('gw-1', 'web', /web/) });
  });
  await step('a request, with the button to approve it', async (t) => {
    await within(t, 'the request', { doer: ada, method: 'SubmitPush', doing: async () => { ({ request } = await ada.push('renewal')); },
      seeing: () => bob.appears('gw-1', 'web', /Approve/) });
    await bob.shot('the other sees the request');
  });
  await step('the count of the inbox', async () => {
    await bob.page.getByRole('navigation', { name: 'Main' }).getByText(/1\s*waiting for you/).waitFor();
  });
  await step('a dialog that stood open while somebody else decided is refused, and says why', async () => {
    await bob.prepareDecision('Approve', 'gw-1', 'web', { comment: 'fine' });
    await gateway.deployment.cli('reject', request, '--comment', 'not today', '--as', 'bob', '--yes');
    await bob.sign();
    await bob.dialog.getByRole('alert').waitFor();
    await bob.shot('a stale dialog');
    const said = await bob.dialog.getByRole('alert').innerText();
    assert.match(said, /meanwhile|changed|no longer|rejected|closed/i, said);
    await bob.page.keyboard.press('Escape');
    await ada.state('gw-1', 'web', /Rejected/);
  });
  await step('two people\'s decisions on another request', async (t) => {
    await ada.push('once more');
    await within(t, 'the approval', { doer: bob, method: 'Decide', doing: () => bob.decide('Approve', 'gw-1', 'web', { comment: 'fine' }),
      seeing: () => carol.appears('gw-1', 'web', /Implement/) });
    await within(t, 'the implementation', { doer: carol, method: 'Decide', doing: () => carol.decide('Implement', 'gw-1', 'web', { comment: 'go' }),
      seeing: () => ada.appears('gw-1', 'web', /Push-Scheduled|Push-In Progress|Completed/) });
    for (const person of [ada, bob, carol]) await person.state('gw-1', 'web', /^Completed/);
    await ada.shot('completed');
  });
  await step('a device that leaves', async () => {
    await gateway.agent.running.stop();
    await ada.page.getByText(/offline/).first().waitFor({ timeout: 5000 });
    await ada.shot('the device is offline');
  });
  browser.clean();
  await way.stop();
  assert.equal(await gateway.deployment.controller.stop(), 0);
});

test('a lost connection shows, and heals', async (t) => {
  const gateway = await Gateway.create(t, { clock: false, web: false });
  const { deployment } = gateway;
  const way = new ByConsole(deployment);
  const browser = await Browser.start(t), step = story(t, browser);
  const ada = new Person(await way.open(browser, 'ada'));
  await ada.list();
  await ada.open(commonName);
  const lost = ada.page.getByRole('status').getByText(/connection to the controller is lost/i);

  assert.equal(await deployment.controller.stop(), 0);
  await lost.waitFor();
  await ada.shot('the controller is away');
  await ada.page.getByRole('heading', { level: 1, name: commonName }).waitFor(); // what was there is there
  await deployment.start();
  await lost.waitFor({ state: 'detached', timeout: 40_000 });
  await deployment.cli('cert', 'attach', commonName, 'gw-1', 'web');
  await ada.node('gw-1', 'web').waitFor();
  browser.clean();
  await way.stop();
});
