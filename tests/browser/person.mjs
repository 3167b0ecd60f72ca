// A person at the pages, who finds things as people do: by what they are and by what they are called. The same steps are taken by
// mouse or by keyboard alone.
//
//   const ada = new Person(tab);
//   await ada.list(); await ada.open('gateway.example'); await ada.push('renewal');
import assert from 'node:assert/strict';
import { until } from '../integration/js/harness.mjs';

export class Mouse {
  constructor(page) { this.page = page; }
  press(control) { return control.click(); }
  fill(field, text) { return field.fill(text); }
  async check(box) {
    await box.click();
    await isChecked(box);
  }
}

const isChecked = (box) => until(`${box} is checked`, () => box.isChecked(), { timeout_ms: 5000 });
const focused = (control) => control.evaluate((element) => element === document.activeElement).catch(() => false);

// Tab, Enter, Space, letters and arrows; whatever takes the focus must show that it has it.
export class Keyboard {
  constructor(page) { this.page = page; }

  // Tab goes through everything once; where one of many takes Tab, arrows go on from it.
  async reach(control) {
    await control.waitFor();
    for (let i = 0; i < 150; i++) {
      if (await focused(control)) return this.#isShown(control);
      await this.page.keyboard.press('Tab');
      if (await this.#isBeside(control) && await this.#walk(control)) return this.#isShown(control);
    }
    throw new Error(`the keyboard does not come to ${control}`);
  }

  // The focus is in the picture of the topology, and so is the control.
  #isBeside(control) {
    return control.evaluate((element) => element.tabIndex === -1 && document.activeElement.matches('[data-node]')).catch(() => false);
  }

  async #walk(control) {
    for (const key of ['ArrowRight', ...Array(40).fill('ArrowDown'), ...Array(40).fill('ArrowUp'), 'ArrowRight', 'ArrowLeft', 'ArrowLeft']) {
      if (await focused(control)) return true;
      await this.page.keyboard.press(key);
    }
    return focused(control);
  }

  async #isShown(control) {
    const look = await control.evaluate((element) => {
      const read = (one) => {
        const { outlineStyle, outlineWidth, boxShadow, borderColor } = getComputedStyle(one);
        return JSON.stringify([outlineStyle !== 'none' && outlineWidth, boxShadow, borderColor]);
      };
      // What surrounds it may show it, too.
      const around = (one) => [one, one.parentElement, one.closest('.node, tr, .search, .switch')].filter(Boolean).map(read).join();
      const has = around(element);
      element.blur();
      const has_not = around(element);
      element.focus();
      return has !== has_not;
    });
    assert.ok(look, `${control} does not show that it has the focus`);
  }

  async press(control) {
    await this.reach(control);
    await this.page.keyboard.press('Enter');
  }

  async fill(field, text) {
    await this.reach(field);
    await this.page.keyboard.press('Control+A');
    await this.page.keyboard.type(text);
  }

  // Enter would answer the dialog.
  async check(box) {
    await this.reach(box);
    await this.page.keyboard.press('Space');
    await isChecked(box);
  }
}

export class Person {
  // `shots`: a picture of each step.
  constructor(tab, { hand = Mouse, shots = true } = {}) {
    this.tab = tab;
    this.page = tab.page;
    this.name = tab.name;
    this.hand = new hand(tab.page);
    this.shots = shots;
  }

  async shot(what) {
    if (this.shots) await this.tab.shot(what);
  }

  button(name, within = this.page) { return within.getByRole('button', { name, exact: typeof name === 'string' }); }
  get dialog() { return this.page.getByRole('dialog'); }
  get main() { return this.page.getByRole('main'); }

  // ---- Visibility › Client › All

  async menu(name) {
    await this.hand.press(this.page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name }));
  }

  async list() {
    await this.menu('Visibility');
    await this.page.getByRole('table').waitFor();
  }

  row(commonName) { return this.page.getByRole('row').filter({ has: this.page.getByRole('link', { name: commonName, exact: true }) }); }

  async open(commonName) {
    await this.hand.press(this.page.getByRole('link', { name: commonName, exact: true }));
    await this.page.getByRole('heading', { level: 1, name: commonName }).waitFor();
    await this.page.getByRole('list', { name: 'Colours' }).waitFor();
  }

  // ---- the topology

  node(device, connector) { return this.button(`${connector} on ${device}`); }
  connector(device, connector) { return this.page.getByRole('listitem').filter({ has: this.node(device, connector) }); }

  // The button beside it, where a decision waits for this person.
  decision(verb, device, connector) { return this.button(new RegExp(`^${verb}\\b`), this.connector(device, connector)); }

  // The state that stands beside the connector, once it is that.
  async state(device, connector, wanted, timeout_ms = 20_000) {
    await this.connector(device, connector).getByText(wanted).first().waitFor({ timeout: timeout_ms });
  }

  // As soon as it is painted, which locators, looking now and then, see up to half a second later.
  async appears(device, connector, pattern) {
    await this.page.waitForFunction(([name, source]) => [...document.querySelectorAll('li')].some((item) =>
      item.querySelector(`[aria-label="${name}"]`) && new RegExp(source).test(item.innerText)),
    [`${connector} on ${device}`, pattern.source], { polling: 'raf' });
  }

  async addConnector(device, connector) {
    await this.hand.press(this.button('Add app connector').first());
    await this.dialog.waitFor();
    await this.shot('add app connector');
    await this.hand.check(this.dialog.getByRole('radio', { name: device }));
    await this.hand.check(this.dialog.getByRole('checkbox', { name: connector }));
    await this.shot('add app connector chosen');
    await this.hand.press(this.button('Add', this.dialog));
    await this.dialog.waitFor({ state: 'detached' });
    await this.node(device, connector).waitFor();
  }

  // Up to where the statement stands on the page, decoded: gives its words. Nothing is signed yet.
  async readStatement() {
    // Those of the statement stand first; a decision names the request in words, too.
    const words = this.dialog.getByRole('group', { name: 'What is signed' }).getByText(/^(?:[a-z]{3,7} ){7}[a-z]{3,7}$/).first();
    await words.waitFor();
    return (await words.innerText()).trim();
  }

  // What the dialog shows as fields: { label: value }.
  async fields() {
    return this.dialog.locator('dl').evaluateAll((lists) => Object.fromEntries(lists.flatMap((list) =>
      [...list.querySelectorAll('dt')].map((term) => [term.innerText.trim(), term.nextElementSibling?.innerText.trim()]))));
  }

  async sign() {
    await this.hand.press(this.button('Sign and send', this.dialog));
  }

  async close() {
    await this.hand.press(this.button('Close', this.dialog).last());
    await this.dialog.waitFor({ state: 'detached' });
  }

  // Confirmation, comments, OK; then the statement. Gives its words. A removal and a roll back are asked for in the same way.
  async preparePush(comment, action = 'Push to Device') {
    await this.hand.press(this.button(action));
    await this.dialog.waitFor();
    await this.hand.fill(this.dialog.getByRole('textbox', { name: /comment/i }), comment);
    await this.shot(action);
    await this.hand.press(this.button('OK', this.dialog));
    const words = await this.readStatement();
    await this.shot('what the requester signs');
    return words;
  }

  // Gives { words, request: 'REQ-1', orders: ['WO-1'] }.
  async push(comment, action) {
    const words = await this.preparePush(comment, action);
    return { words, ...await this.sendPush() };
  }

  async sendPush() {
    await this.sign();
    await this.dialog.getByRole('list', { name: 'Work orders' }).getByText(/WO-\d+/).first().waitFor();
    const text = await this.dialog.innerText();
    await this.shot('requested');
    await this.close();
    return { request: text.match(/REQ-\d+/)[0], orders: text.match(/WO-\d+/g) ?? [] };
  }

  // Approve or Implement beside the connector: Manual Implementation on, or off with a time ("2026-12-24T02:00" on the reader's
  // clock); comments, Yes; then the statement. Gives its words.
  async prepareDecision(verb, device, connector, { at, comment }) {
    await this.hand.press(this.decision(verb, device, connector));
    await this.dialog.waitFor();
    const toggle = this.dialog.getByRole('switch', { name: 'Manual Implementation' });
    if ((await toggle.getAttribute('aria-checked') === 'true') !== (at === undefined)) await this.hand.press(toggle);
    if (at !== undefined) await this.hand.fill(this.dialog.getByLabel(/^Not before/), at);
    await this.hand.fill(this.dialog.getByRole('textbox', { name: /comment/i }), comment);
    await this.shot(verb);
    await this.hand.press(this.button('Yes', this.dialog));
    const words = await this.readStatement();
    await this.shot(`what ${verb} signs`);
    return words;
  }

  async decide(verb, device, connector, how) {
    const words = await this.prepareDecision(verb, device, connector, how);
    await this.sign();
    await this.dialog.getByRole('status').filter({ hasText: 'Your decision was taken' }).waitFor();
    await this.shot(`${verb} done`);
    await this.close();
    return words;
  }
}
