// Certificates come in by drag and drop. A key among them goes where the person says: into the vault, or sealed in the browser to
// the devices that were chosen, and then it leaves the page as a ciphertext only.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { createPrivateKey } from 'node:crypto';
import { makeCertificate } from '../integration/js/certificates.mjs';
import { Browser, story } from './browser.mjs';
import { Gateway, issuer } from './gateway.mjs';
import { Person } from './person.mjs';
import { ByConsole } from './ways.mjs';

// Files as they come when they are let go of over the page.
async function drop(page, files) {
  const transfer = await page.evaluateHandle((list) => {
    const data = new DataTransfer();
    for (const [name, text] of list) data.items.add(new File([text], name));
    return data;
  }, files);
  await page.dispatchEvent('body', 'dragenter', { dataTransfer: transfer });
  await page.dispatchEvent('body', 'dragover', { dataTransfer: transfer });
  await page.dispatchEvent('body', 'drop', { dataTransfer: transfer });
}

// The scalar, and what PEM makes of the key: one of both would be found whatever it was wrapped in.
function tracesOf({ keyPem }) {
  const key = createPrivateKey(keyPem);
  return [Buffer.from(key.export({ format: 'jwk' }).d, 'base64url'), Buffer.from(keyPem.split('\n')[2])];
}

test('certificates are dropped on the page', async (t) => {
  const gateway = await Gateway.create(t, { web: false, clock: false });
  const { deployment } = gateway;
  const way = new ByConsole(deployment);
  const browser = await Browser.start(t), step = story(t, browser);
  const ada = new Person(await way.open(browser, 'ada'));
  const leaves = {}, sent = [];
  for (const name of ['sealed.example', 'vault.example', 'bare.example']) leaves[name] = makeCertificate(name, { issuer, days: 200 });
  ada.page.on('request', (request) => sent.push(request.postDataBuffer() ?? Buffer.alloc(0)));
  const left = (name) => tracesOf(leaves[name]).some((trace) => sent.some((body) => body.includes(trace)));
  const pemOf = (name) => leaves[name].pem + issuer.pem;
  await ada.list();

  await step('without keys', async () => {
    await drop(ada.page, [['bare.pem', pemOf('bare.example')], ['notes.txt', 'nothing of a certificate']]);
    await ada.dialog.getByText('bare.example').first().waitFor();
    await ada.dialog.getByText('notes.txt').waitFor();
    await ada.shot('what is in the files');
    await ada.button(/^Import 1 certificate/, ada.dialog).click();
    await ada.dialog.getByText('imported').first().waitFor();
    await ada.close();
    await ada.row('bare.example').waitFor();
  });
  await step('with a key for the vault', async () => {
    await drop(ada.page, [['vault.pem', pemOf('vault.example') + leaves['vault.example'].keyPem]]);
    await ada.dialog.getByRole('radio', { name: /vault/ }).waitFor();
    await ada.button(/^Import 1 certificate/, ada.dialog).click();
    await ada.dialog.getByText('imported').first().waitFor();
    await ada.close();
    assert.ok(left('vault.example'), 'this one does leave the page, and would be found');
  });
  await step('with a key that is sealed here to a device', async () => {
    await drop(ada.page, [['sealed.pem', pemOf('sealed.example')], ['sealed.key', leaves['sealed.example'].keyPem]]);
    await ada.dialog.getByRole('radio', { name: /Sealed here/ }).check();
    await ada.shot('where the key goes');
    await ada.button(/^Import 1 certificate/, ada.dialog).click();
    await ada.button(/^Seal to devices/, ada.dialog).click();
    await ada.dialog.getByRole('checkbox', { name: /web/ }).first().click();
    await ada.dialog.getByRole('textbox', { name: /comment/i }).fill('sealed in the browser');
    await ada.shot('to which devices');
    await ada.button('Seal', ada.dialog).click();
    await ada.readStatement();
    await ada.shot('what is signed for a sealed key');
    await ada.sign();
    await ada.dialog.getByRole('list', { name: 'Work orders' }).getByText(/WO-\d+/).first().waitFor();
    await ada.button('Close', ada.dialog).last().click();
    await ada.dialog.getByText('REQ-1').waitFor(); // back at what was imported
    await ada.close();
    assert.ok(!left('sealed.example'), 'the key was in what the page sent');
  });
  await step('and the device can open it', async () => {
    for (const [verb, name] of [['approve', 'bob'], ['implement', 'carol']])
      await deployment.cli(verb, 'REQ-1', '--manual', '--comment', 'fine', '--as', name, '--yes', ...(verb === 'implement' ? ['--wait'] : []));
    const installed = createPrivateKey(fs.readFileSync(`${gateway.agent.folder}/key.pem`));
    assert.ok(installed.equals(createPrivateKey(leaves['sealed.example'].keyPem)));
  });
  browser.clean();
  await way.stop();
  await gateway.end();
});
