// A device comes in by a token that the page made, is admitted after the page has checked whose keys they are, and is banned again.
import assert from 'node:assert/strict';
import test from 'node:test';
import { run, until } from '../integration/js/harness.mjs';
import { Browser, story } from './browser.mjs';
import { Gateway } from './gateway.mjs';
import { Person } from './person.mjs';
import { ByConsole } from './ways.mjs';

test('a device, from its token to its ban', async (t) => {
  const gateway = await Gateway.create(t, { web: false, clock: false });
  const { deployment } = gateway;
  const way = new ByConsole(deployment);
  const browser = await Browser.start(t), step = story(t, browser);
  const ada = new Person(await way.open(browser, 'ada'));
  const agent = await deployment.agent('gw-7', { connector: 'web' });
  await ada.menu('Devices');

  await step('the list has those that are there', async () => {
    await ada.page.getByRole('link', { name: 'gw-1' }).waitFor();
    await ada.shot('devices');
  });
  await step('a token, and the command to copy', async () => {
    await ada.button(/^Add a device/).first().click();
    await ada.dialog.getByRole('textbox', { name: /name/i }).fill('gw-7');
    await ada.button('Make a token', ada.dialog).click();
    const command = await ada.dialog.getByText(/countersign-agent enrol --token cst1\./).first().innerText();
    await ada.shot('the token');
    const { status, stdout, stderr } = await run(`${process.env.COUNTERSIGN_BIN}/countersign-agent`,
      ['--config', agent.config, ...command.trim().split(' ').slice(1)]);
    assert.equal(status, 0, stdout + stderr);
    await ada.dialog.getByText('gw-7 has enrolled').waitFor();
  });
  await step('its admission, signed after the page has checked whose keys they are', async () => {
    await ada.button('Look at its keys and admit it', ada.dialog).click();
    await ada.button(/^Admit/).first().click();
    await ada.dialog.getByText('These are its keys').waitFor();
    await ada.shot('whose keys they are');
    await ada.button('Go on', ada.dialog).click();
    const words = await ada.readStatement();
    await ada.shot('what the admin signs');
    await ada.sign();
    await ada.dialog.getByText('gw-7 is admitted').waitFor();
    await ada.close();
    await way.wordsOnTerminal('ada', words);
    agent.running = agent.start();
    await deployment.advertised('gw-7', 'web');
    await ada.main.getByText('connected').first().waitFor();
    await ada.main.getByText('web').first().waitFor();
    await ada.shot('the device');
  });
  await step('a ban asks for the name, and ends the session at once', async () => {
    await ada.button(/^Ban/).click();
    await ada.button('Ban it', ada.dialog).click();
    await ada.dialog.getByRole('alert').waitFor();
    await ada.dialog.getByRole('textbox', { name: /Type gw-7/ }).fill('gw-7');
    await ada.button('Ban it', ada.dialog).click();
    await ada.main.getByText('This device is banned').waitFor();
    await ada.shot('banned');
    await until('the controller says so', async () => (await deployment.cli('device', 'list')).match(/gw-7.*banned/));
  });
  await step('the audit tells of it, and its chain and checkpoint hold', async () => {
    await ada.menu('Audit');
    await ada.main.getByText('BanDevice').first().waitFor();
    await ada.main.getByText('The audit holds, checked in this browser').waitFor();
    await ada.shot('audit');
  });
  browser.clean();
  await way.stop();
});
