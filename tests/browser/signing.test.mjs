// What a person sees before signing is what is signed: the bytes that leave the page are decoded here by other code, and compared
// with the words and fields that stood on the page, with the command line, and with what the device accepts.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { until } from '../integration/js/harness.mjs';
import { decode, decodeStrict, enumOf, sha256 } from '../integration/js/wire.mjs';
import { Browser, story } from './browser.mjs';
import { commonName, Gateway } from './gateway.mjs';
import { Person } from './person.mjs';
import './strangers.mjs';
import { ByConsole, ByController } from './ways.mjs';

// The list of words as the C programs compile it in; each byte of the digest's beginning is one (proto/README.md, "A digest in words").
const list = fs.readFileSync(path.resolve(import.meta.dirname, '../../shared/trust/spoken_words.inc'), 'utf8').match(/"[a-z]+"/g).map((word) => word.slice(1, -1));
const spoken = (payload) => [...sha256(payload).subarray(0, 8)].map((byte) => list[byte]).join(' ');

// The payloads of the statements that this page sent from now on, of both ways: to be signed, or signed.
function payloads(tab, kind) {
  const asked = tab.calls('SignerService/Sign'), submitted = tab.calls('PushService/SubmitPush'), decided = tab.calls('PushService/Decide');
  return () => {
    const seen = asked.map(({ body }) => decode('SignRequest', body));
    const envelopes = [...submitted.map(({ body }) => decode('SubmitPushRequest', body).envelope), ...decided.map(({ body }) => decode('DecideRequest', body).envelope)];
    seen.push(...envelopes.map((bytes) => decode('Envelope', bytes)));
    return seen.filter(({ payload_type }) => payload_type.includes(kind)).map(({ payload }) => payload);
  };
}

const one = (found) => {
  assert.ok(found.length > 0, 'nothing was sent');
  for (const payload of found) assert.ok(payload.equals(found[0]), 'what was signed is not what was sent');
  return found[0];
};

for (const Way of [ByConsole, ByController])
  test(`what stands on the page is what is signed: ${Way.name}`, async (t) => {
    const gateway = await Gateway.create(t, { controller: Way.settings, clock: false });
    const { deployment, leaf } = gateway;
    const way = new Way(deployment);
    const browser = await Browser.start(t), step = story(t, browser);
    const [ada, bob, carol] = (await way.people(browser, ['ada', 'bob', 'carol'])).map((tab) => new Person(tab));
    await deployment.cli('cert', 'attach', commonName, 'gw-1', 'web');
    for (const person of [ada, bob, carol]) {
      await person.list();
      await person.open(commonName);
    }
    const shownBy = async (request) => JSON.parse(await deployment.cli('-o', 'json', 'request', 'show', request));
    let request;

    await step('the push request', async () => {
      const sent = payloads(ada.tab, 'push-request');
      const words = await ada.preparePush('renewal');
      const fields = JSON.stringify(await ada.fields());
      assert.equal(sent().length, 0, 'nothing leaves the page before the person says so');
      await ada.sign();
      await ada.dialog.getByRole('list', { name: 'Work orders' }).getByText(/WO-\d+/).first().waitFor();
      [request] = (await ada.dialog.innerText()).match(/REQ-\d+/);
      await ada.close();

      const payload = one(sent());
      const statement = decodeStrict('PushRequest', payload);
      assert.equal(statement.requester, 'ada');
      assert.equal(statement.order_count, 1);
      assert.ok(statement.comment_digest.equals(sha256(Buffer.from('renewal'))));
      assert.equal(words, spoken(payload), 'the words are those of the bytes');
      for (const shown of ['ada', 'gw-1', 'web', commonName, 'renewal']) assert.ok(fields.includes(shown), `${shown} in ${fields}`);
      const cli = await shownBy(request);
      assert.equal(cli.digest_words, words, 'the command line says the same words');
      assert.equal(cli.digest, sha256(payload).toString('hex'));
      await way.wordsOnTerminal('ada', words);
    });
    await step('the approval', async () => {
      const sent = payloads(bob.tab, 'decision');
      const words = await bob.prepareDecision('Approve', 'gw-1', 'web', { comment: 'fine' });
      const fields = JSON.stringify(await bob.fields());
      assert.equal(sent().length, 0);
      await bob.sign();
      await bob.state('gw-1', 'web', /Push-Review In Progress/);

      const payload = one(sent());
      const statement = decodeStrict('Decision', payload);
      const cli = await shownBy(request);
      assert.equal(statement.decider, 'bob');
      assert.equal(statement.stage, 1);
      assert.equal(statement.verdict, enumOf('Verdict').VERDICT_ACCEPT);
      assert.equal(statement.mode, enumOf('Mode').MODE_MANUAL);
      assert.equal(statement.request_digest.toString('hex'), cli.digest);
      assert.equal(words, spoken(payload));
      assert.equal(cli.decisions[0].digest_words, words);
      for (const shown of ['bob', 'approve', 'fine']) assert.ok(fields.includes(shown), `${shown} in ${fields}`);
      await way.wordsOnTerminal('bob', words);
    });
    if (Way === ByConsole) await step('the device accepts what was signed so', async () => {
      await carol.decide('Implement', 'gw-1', 'web', { comment: 'go' });
      for (const person of [ada, bob, carol]) await person.state('gw-1', 'web', /^Completed/);
      assert.ok(leaf.der.equals(await gateway.web.serves()));
    });
    else {
      await step('a browser\'s key does not complete the last stage', async () => {
        await carol.hand.press(carol.decision('Implement', 'gw-1', 'web'));
        await carol.dialog.waitFor();
        await carol.hand.fill(carol.dialog.getByRole('textbox', { name: /comment/i }), 'go');
        await carol.hand.press(carol.button('Yes', carol.dialog));
        const sign = carol.button('Sign and send', carol.dialog), refusal = carol.dialog.getByRole('alert');
        await until('it is refused, now or when it is sent', async () => await refusal.isVisible() || await sign.isVisible());
        if (!await refusal.isVisible()) await sign.click();
        await refusal.waitFor();
        assert.match(await refusal.innerText(), /browser/i);
        await carol.shot('a browser key may not finish');
        const { orders } = await deployment.json('order', 'list');
        assert.match(orders[0].state, /Push-Review In Progress/);
        assert.ok(!leaf.der.equals(await gateway.web.serves()), 'the old certificate is served');
      });
      await step('the same person\'s key file does', async () => {
        await deployment.cli('implement', request, '--manual', '--comment', 'go', '--as', 'carol', '--yes', '--wait');
        assert.ok(leaf.der.equals(await gateway.web.serves()));
      });
    }
    browser.clean();
    await way.stop();
    await gateway.end();
  });
