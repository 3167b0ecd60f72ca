// People who have only a browser: how its key comes to be known, how it signs in, and for whom its cookie counts.
import test from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http2 from 'node:http2';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { Browser } from './browser.mjs';
import { Deployment, bin, until } from './harness.mjs';
import { Operator } from './operator.mjs';
import { SignedIn, keyOf, pem } from './sign_in.mjs';
import { decode, encode, sha256 } from './wire.mjs';

const MINUTE_S = 60, HOUR_S = 3600;
const refused = (code, says) => (error) => {
  assert.equal(error.code, code, error.message);
  assert.match(error.message, says);
  return true;
};

async function create(t, { tls = false, clock = false } = {}) {
  const deployment = await Deployment.create(t, { clock, policyLife: '3650d', controller: { operators: '127.0.0.1:0', operators_tls: tls ? 'on' : 'off', console: 'yes' } });
  const [, port] = await deployment.controller.line(/READY.*\boperators=\S*?:(\d+)/);
  deployment.admin = await Operator.open(t, deployment);
  deployment.port = Number(port);
  deployment.url = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`;
  deployment.ca = tls ? pem(deployment.admin.status.agent_ca) : undefined;
  deployment.browser = (url = deployment.url) => Browser.create(url, { ca: deployment.ca });
  deployment.auditLines = async () => (await deployment.admin.audit()).map(({ command, actor, subject, detail }) => `${command} ${actor} ${subject} ${detail}`);
  return deployment;
}

// `countersign operator pair` beside a browser that follows its link.
function pairing(deployment, name, ...more) {
  const program = deployment.program(path.join(bin, 'countersign'), ['--home', deployment.home, '--socket', deployment.socket, 'operator', 'pair', name,
    '--url', deployment.url, '--wait', ...more], { name: 'operator pair' });
  return { program, link: program.line(/^https?:\S+\/pair#\S+$/).then(([link]) => link) };
}

async function pair(deployment, browser, name) {
  const { program, link } = pairing(deployment, name);
  const { operator } = await browser.pair(await link);
  assert.equal(operator, name);
  assert.equal(await program.exited, 0, program.output);
  return { output: program.output, file: program.output.match(/\S+-browser-[0-9a-f]{8}\.pub/)[0] };
}

// With a key that the newest policy has.
async function known(deployment, name = 'bob') {
  const browser = await deployment.browser();
  const { file } = await pair(deployment, browser, name);
  await deployment.publish(['add-key', name, file, '--kind', 'browser']);
  return browser;
}

// A link as the client of an admin makes it.
async function makeLink(deployment, operator, { life_s = 600, now_s = Math.floor(Date.now() / 1000) } = {}) {
  const halves = [crypto.randomBytes(32), crypto.randomBytes(32), deployment.admin.status.deployment_id];
  await deployment.admin.call('SessionService', 'CreatePairing', { operator, authentication_digest: sha256(halves[0]), expires_at_s: now_s + life_s });
  return { link: `${deployment.url}/pair#${halves.map((half) => Buffer.from(half).toString('base64url')).join('.')}`, digest: sha256(halves[0]) };
}

// The end of a stream that the browser watches.
async function watch(browser) {
  const message = encode('WatchRequest', {}), length = Buffer.alloc(4);
  length.writeUInt32BE(message.length);
  const { body } = await browser.request('POST', '/countersign.v1.WatchService/Watch', Buffer.concat([Buffer.of(0), length, message]), { 'content-type': 'application/connect+proto' });
  return body.toString('latin1');
}

for (const tls of [false, true])
  test(`a browser is paired, signs in and signs out, ${tls ? 'over TLS' : 'on this machine'}`, async (t) => {
    const deployment = await create(t, { tls });
    const browser = await deployment.browser();

    // Before the roots have put the key into the policy a pairing allows nothing.
    const { output, file } = await pair(deployment, browser, 'bob');
    const key_id = sha256(browser.spki).toString('hex');
    assert.match(output, new RegExp(key_id));
    assert.match(output, /In words +([a-z]+ ){7}[a-z]+/);
    assert.match(output, /trust add-key bob \S+ --kind browser/);
    assert.deepEqual(crypto.createPublicKey(fs.readFileSync(file)).export({ format: 'der', type: 'spki' }), browser.spki);
    await assert.rejects(browser.signIn('bob'), refused('unauthenticated', /./));
    assert.equal(browser.cookies.size, 0);

    await deployment.publish(['add-key', 'bob', file, '--kind', 'browser']);
    assert.match(await deployment.cli('trust', 'show'), /bob.*browser/);
    const opened = await browser.signIn('bob');
    assert.equal(opened.token, '');
    assert.equal(opened.idle_s, 1800);
    assert.equal(browser.setCookie.length, 1);
    const attributes = browser.setCookie[0].split('; ').slice(1).sort();
    assert.deepEqual(attributes, ['HttpOnly', 'Max-Age=43200', 'Path=/', 'SameSite=Strict', ...(tls ? ['Secure'] : [])].sort());
    const name = tls ? '__Host-countersign' : 'countersign';
    assert.deepEqual([...browser.cookies.keys()], [name]);
    const me = await browser.call('SessionService/WhoAmI');
    assert.deepEqual([me.operator, me.roles], ['bob', [2]]);
    assert.deepEqual(browser.setCookie, []);

    // The pages are there; they may not be framed, and nothing of theirs is from elsewhere.
    const page = await browser.request('GET', '/pair', undefined, { accept: 'text/html', 'accept-encoding': 'gzip', origin: undefined, cookie: undefined });
    if (page.status !== 200) assert.match(String(page.body), /without|Node|pages/);
    else assert.match(page.headers['content-security-policy'], /frame-ancestors 'none'/);

    // Where it came from, and whose it is.
    const { sessions } = await browser.call('SessionService/ListSessions');
    assert.deepEqual(sessions.map(({ operator, key_kind, own, key_id: id }) => [operator, key_kind, own, Buffer.from(id).toString('hex')]), [['bob', 2, true, key_id]]);
    assert.match(sessions[0].peer, /^127\.0\.0\.1:/);

    // Who signs out has no cookie any more, and who kept one has no session.
    const kept = browser.cookieHeader;
    await browser.call('SessionService/CloseSession');
    assert.match(browser.setCookie[0], new RegExp(`^${name}=; Max-Age=0; Path=/; `));
    assert.equal(browser.cookies.size, 0);
    await assert.rejects(browser.call('SessionService/WhoAmI', {}, { cookie: kept }), refused('unauthenticated', /session has ended/));
    await browser.call('SessionService/CloseSession', {}, { cookie: kept });
    assert.match(browser.setCookie[0], /Max-Age=0/);

    const audit = await deployment.auditLines();
    for (const line of [/^CreatePairing .* operator bob until 20/, new RegExp(`^Pair bob operator bob ${key_id}$`), /^OpenSession bob operator bob /, /^CloseSession bob operator bob closed$/])
      assert.equal(audit.filter((one) => line.test(one)).length, 1, `${line}\n${audit.join('\n')}`);
    assert.ok(!deployment.controller.output.includes(kept.split('=')[1].slice(0, 20)));
  });

test('a cookie counts for pages of the own origin alone', async (t) => {
  const deployment = await create(t, { tls: true });
  const browser = await known(deployment);
  await browser.signIn('bob');
  const who = (headers) => browser.call('SessionService/WhoAmI', {}, headers);

  for (const headers of [{}, { origin: undefined }, { 'sec-fetch-site': undefined }, { cookie: `theme=dark; ${browser.cookieHeader}; a=b` }])
    assert.equal((await who(headers)).operator, 'bob', JSON.stringify(headers));
  for (const [headers, says] of [
    [{ origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }, /another origin, https:\/\/evil\.example/],
    [{ origin: 'https://evil.example', 'sec-fetch-site': undefined }, /another origin/],
    [{ origin: undefined, 'sec-fetch-site': 'cross-site' }, /another origin/],
    [{ origin: `https://127.0.0.1:${deployment.port + 1}`, 'sec-fetch-site': 'same-site' }, /another origin/],
    [{ origin: `http://127.0.0.1:${deployment.port}` }, /another origin/],
    [{ origin: 'null', 'sec-fetch-site': 'cross-site' }, /another origin, null/],
    [{ 'sec-fetch-site': 'none', origin: undefined }, /another origin/],
    [{ origin: undefined, 'sec-fetch-site': undefined }, /says from which page it comes/],
    [{ host: 'evil.example', origin: `https://127.0.0.1:${deployment.port}` }, /another origin/],
  ]) {
    await assert.rejects(who(headers), refused('permission_denied', says), JSON.stringify(headers));
    // What changes something is refused as well, and so is signing in and out in somebody's name.
    await assert.rejects(browser.call('CertificateService/ImportCertificate', { certificates: Buffer.from('x') }, headers), refused('permission_denied', says));
    await assert.rejects(browser.call('SessionService/CloseSession', {}, headers), refused('permission_denied', says));
    await assert.rejects(browser.call('SessionService/OpenSession', { envelope: await browser.opening('bob'), cookie: true }, headers), refused('permission_denied', says));
    assert.deepEqual(browser.setCookie, []);
  }
  assert.equal((await who()).operator, 'bob');

  // Two of the name: one of them was set by somebody else. One of the name without its prefix: likewise.
  await assert.rejects(who({ cookie: `${browser.cookieHeader}; __Host-countersign=AAAA` }), refused('unauthenticated', /2 cookies of this name/));
  await assert.rejects(who({ cookie: browser.cookieHeader.replace('__Host-', '') }), refused('unauthenticated', /takes a session/));

  // A token is stronger than the cookie that comes along, and wants no origin.
  const carol = await SignedIn.open(t, deployment, 'carol', { port: deployment.port, ca: deployment.ca });
  const authorization = carol.metadata.get('authorization')[0];
  assert.equal((await who({ authorization })).operator, 'carol');
  assert.equal((await who({ authorization, origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' })).operator, 'carol');
  await assert.rejects(who({ authorization: 'Bearer AAAA' }), refused('unauthenticated', /authorization is not/));

  // What one was opened for it is good for, and for nothing else: another service on this host is sent the cookie, too.
  const secret = browser.cookieHeader.slice(browser.cookieHeader.indexOf('=') + 1);
  await assert.rejects(who({ cookie: undefined, origin: undefined, authorization: `Bearer ${secret}` }), refused('unauthenticated', /opened by a browser's cookie/));
  await assert.rejects(who({ cookie: `__Host-countersign=${authorization.slice('Bearer '.length)}` }), refused('unauthenticated', /opened for a token|takes a session/));

  // By gRPC there are no cookies, however it is called.
  carol.metadata.remove('authorization');
  carol.metadata.set('cookie', browser.cookieHeader);
  carol.metadata.set('origin', browser.origin);
  carol.metadata.set('sec-fetch-site', 'same-origin');
  await assert.rejects(carol.call('SessionService', 'WhoAmI'), (error) => error.code === status.PERMISSION_DENIED && /cookies are for browsers/.test(error.details));
  await assert.rejects(carol.call('SessionService', 'OpenSession', { envelope: await carol.opening(deployment, 'carol'), cookie: true }),
    (error) => error.code === status.PERMISSION_DENIED && /cookies are for browsers/.test(error.details));
  // Nor on the admin socket, where the system says who calls.
  await assert.rejects(deployment.admin.call('SessionService', 'OpenSession', { envelope: Buffer.from('x'), cookie: true }), (error) => /on the admin socket the system says/.test(error.details));
});

// A browser over HTTP/2 may send each cookie in a header of its own (RFC 9113 section 8.2.3).
test('cookies may come one by one', async (t) => {
  const deployment = await create(t, { tls: true });
  const browser = await known(deployment);
  await browser.signIn('bob');
  const session = http2.connect(deployment.url, { ca: deployment.ca, servername: 'countersignd', checkServerIdentity: () => undefined });
  session.on('error', () => {}); // of the end, with the controller
  const stream = session.request({ ':method': 'POST', ':authority': browser.url.host, ':path': '/countersign.v1.SessionService/WhoAmI', 'content-type': 'application/proto',
    origin: browser.origin, cookie: ['theme=dark', browser.cookieHeader, 'a=b'] });
  stream.end(encode('WhoAmIRequest', {}));
  let code;
  stream.on('response', (headers) => { code = headers[':status']; });
  const parts = [];
  for await (const part of stream) parts.push(part);
  assert.equal(code, 200, String(Buffer.concat(parts)));
  session.destroy();
  assert.equal(decode('WhoAmIResponse', Buffer.concat(parts)).operator, 'bob');
});

test('nobody signs somebody in with a cookie of an own choice', async (t) => {
  const deployment = await create(t);
  const browser = await known(deployment);
  const chosen = crypto.randomBytes(32).toString('base64');
  browser.cookies.set('countersign', chosen);
  await assert.rejects(browser.call('SessionService/WhoAmI'), refused('unauthenticated', /not known here/));
  await browser.signIn('bob');
  assert.notEqual(browser.cookies.get('countersign'), chosen);
  const first = browser.cookies.get('countersign');
  await browser.signIn('bob');
  assert.notEqual(browser.cookies.get('countersign'), first);
  await assert.rejects(browser.call('SessionService/WhoAmI', {}, { cookie: `countersign=${chosen}` }), refused('unauthenticated', /not known here/));

  // Under a name that was led to this machine there is no signing in (DNS rebinding).
  const led = { host: `evil.example:${deployment.port}`, origin: `http://evil.example:${deployment.port}` };
  await assert.rejects(browser.signIn('bob', { headers: led }), refused('permission_denied', /127\.0\.0\.1, localhost or \[::1\]/));
  await assert.rejects(browser.call('SessionService/WhoAmI', {}, led), refused('permission_denied', /127\.0\.0\.1, localhost or \[::1\]/));
  const local = { host: `localhost:${deployment.port}`, origin: `http://localhost:${deployment.port}` };
  assert.equal((await browser.call('SessionService/WhoAmI', {}, local)).operator, 'bob');
});

test('over TLS a key of kind browser alone may leave out whose certificate it saw', async (t) => {
  const deployment = await create(t, { tls: true });
  const browser = await known(deployment);
  await assert.rejects(browser.signIn('bob', { server_spki_digest: Buffer.alloc(32, 7) }), refused('unauthenticated', /another server's key/));
  await assert.rejects(browser.signIn('carol'), refused('unauthenticated', /not signed by a key of carol/));
  const bob = new SignedIn({ port: deployment.port, ca: deployment.ca });
  t.after(() => bob.close());
  await assert.rejects(bob.signIn(deployment, 'bob', { server_spki_digest: Buffer.alloc(0), key: keyOf(deployment, 'bob') }),
    (error) => error.code === status.UNAUTHENTICATED && /another server's key/.test(error.details));
  await browser.signIn('bob');
});

test('a session ends when it is idle, when it is old, and when somebody ends it', async (t) => {
  const deployment = await create(t, { clock: true });
  const browser = await known(deployment);
  const who = () => browser.call('SessionService/WhoAmI');

  await browser.signIn('bob');
  deployment.clock.travel(29 * MINUTE_S);
  await who();
  deployment.clock.travel(29 * MINUTE_S);
  await who();
  deployment.clock.travel(31 * MINUTE_S);
  await assert.rejects(who(), refused('unauthenticated', /session has ended \(idle\)|not known here/));

  await browser.signIn('bob');
  for (let hours = 0; hours < 11.5; hours += 0.4) {
    deployment.clock.travel(0.4 * HOUR_S);
    await who();
  }
  deployment.clock.travel(29 * MINUTE_S);
  await assert.rejects(who(), refused('unauthenticated', /session has ended \(too old\)|not known here/));

  // Another browser of the same person, and an admin, who sees all of them.
  await browser.signIn('bob');
  const other = await deployment.browser();
  const carol = await known(deployment, 'carol');
  await carol.signIn('carol');
  Object.assign(other, { keys: browser.keys, spki: browser.spki });
  await other.signIn('bob');
  const { sessions } = await browser.call('SessionService/ListSessions');
  assert.deepEqual(sessions.map(({ operator, own }) => [operator, own]).sort(), [['bob', false], ['bob', true]]);
  const idOf = (one) => sha256(Buffer.from(one.cookies.get('countersign'), 'base64'));
  await assert.rejects(browser.call('SessionService/EndSession', { id: idOf(carol) }), refused('not_found', /somebody else's/));
  await assert.rejects(browser.call('SessionService/EndSession', { id: Buffer.alloc(32, 1) }), refused('not_found', /no session with this id/));
  const watching = watch(other);
  assert.equal(await Promise.race([watching, sleep(500, 'it goes on', { ref: false })]), 'it goes on');
  await browser.call('SessionService/EndSession', { id: idOf(other) });
  assert.deepEqual(browser.setCookie, []);
  assert.match(await Promise.race([watching, sleep(5000, 'it goes on', { ref: false })]), /unauthenticated.*session has ended/);
  await assert.rejects(other.call('SessionService/WhoAmI'), refused('unauthenticated', /not known here/));
  await who();
  // The own one: the cookie goes with it.
  await browser.call('SessionService/EndSession', { id: idOf(browser) });
  assert.match(browser.setCookie[0], /Max-Age=0/);

  const list = await deployment.json('session', 'list');
  assert.deepEqual(list.sessions.map(({ operator, key_kind }) => [operator, key_kind]), [['carol', 'browser']]);
  assert.equal((await deployment.cliRaw('session', 'end', '0123')).status, 1);
  assert.match(await deployment.cli('session', 'end', list.sessions[0].id.slice(0, 12)), /Session ended/);
  await assert.rejects(carol.call('SessionService/WhoAmI'), refused('unauthenticated', /not known here/));
  assert.match(await deployment.cli('session', 'list'), /No session is open/);
  const audit = await deployment.auditLines();
  for (const line of [/^CloseSession bob operator bob idle$/, /^CloseSession bob operator bob too old$/, /^CloseSession bob operator bob ended$/, /^CloseSession uid:\d+ operator carol ended$/])
    assert.ok(audit.some((one) => line.test(one)), `${line}\n${audit.join('\n')}`);

  // Without its key in the policy a session ends at once.
  await browser.signIn('bob');
  await deployment.publish(['remove-key', 'bob', sha256(browser.spki).toString('hex').slice(0, 12)]);
  await assert.rejects(who(), refused('unauthenticated', /session has ended|not known here/));
  await assert.rejects(browser.signIn('bob'), refused('unauthenticated', /./));
});

test('a link is good for one browser and ten minutes, and says nothing to who guesses', async (t) => {
  const deployment = await create(t, { clock: true });
  const { admin } = deployment;
  const first = await deployment.browser(), second = await deployment.browser();
  const got = async ({ digest }) => admin.call('SessionService', 'GetPairing', { authentication_digest: digest });
  const no = refused('permission_denied', /this link is not good, or not any more/);

  const used = await makeLink(deployment, 'bob');
  assert.equal((await got(used)).spki.length, 0);
  await first.pair(used.link);
  await first.pair(used.link);
  await assert.rejects(second.pair(used.link), no);
  assert.deepEqual(Buffer.from((await got(used)).spki), first.spki);

  const withdrawn = await makeLink(deployment, 'bob');
  const late = await makeLink(deployment, 'bob');
  await assert.rejects(second.pair(withdrawn.link), no);
  await assert.rejects(got(withdrawn), (error) => error.code === status.NOT_FOUND);
  deployment.clock.travel(10 * MINUTE_S + 1);
  await assert.rejects(second.pair(late.link), no);
  await assert.rejects(got(late), (error) => error.code === status.NOT_FOUND);
  assert.deepEqual(Buffer.from((await got(used)).spki), first.spki);

  // Keys that are none, or somebody's already.
  const { link } = await makeLink(deployment, 'bob', { now_s: deployment.clock.now_s });
  const asked = await deployment.browser();
  for (const [spki, code, says] of [[Buffer.alloc(91), 'invalid_argument', /P-256/], [asked.spki.subarray(0, 90), 'invalid_argument', /P-256/],
    [crypto.createPublicKey(keyOf(deployment, 'bob')).export({ format: 'der', type: 'spki' }), 'already_exists', /in the trust policy already/]])
    await assert.rejects(Object.assign(await deployment.browser(), { spki }).pair(link), refused(code, says));
  await asked.pair(link);

  // Guessing is slow, from each address.
  const guesses = await Promise.all(Array.from({ length: 60 }, () => second.call('SessionService/Pair', { authentication: crypto.randomBytes(32), spki: second.spki, binding_mac: Buffer.alloc(32) })
    .then(() => 'in', (error) => error.code)));
  assert.ok(guesses.every((code) => ['permission_denied', 'resource_exhausted'].includes(code)), guesses.join());
  assert.ok(guesses.filter((code) => code === 'resource_exhausted').length >= 30, guesses.join());

  // A restart forgets links.
  const forgotten = await makeLink(deployment, 'carol', { now_s: deployment.clock.now_s });
  await deployment.controller.stop();
  deployment.settings.operators = `127.0.0.1:${deployment.port}`;
  await deployment.start();
  await until('pairing again', () => second.pair(forgotten.link).then(() => assert.fail('it was paired'), (error) => error.code === 'permission_denied'));
});

test('the client believes no key that the controller put in the browser\'s place', async (t) => {
  const deployment = await create(t);
  const { program, link } = pairing(deployment, 'bob');
  // Whoever has the first half alone, as the controller does once the link is followed.
  const [authentication] = new URL(await link).hash.slice(1).split('.').map((part) => Buffer.from(part, 'base64url'));
  const thief = await deployment.browser();
  await thief.call('SessionService/Pair', { authentication, spki: thief.spki, binding_mac: crypto.randomBytes(32) });
  assert.equal(await program.exited, 1, program.output);
  assert.match(program.output, /not made by who had the whole link/);
  assert.ok(!fs.readdirSync(path.join(deployment.home, 'operators')).some((file) => /browser/.test(file)));

  // A link that was made without waiting is waited for later; each is kept for its owner alone.
  const link2 = (await deployment.cli('operator', 'pair', 'bob', '--url', deployment.url)).trim();
  assert.equal(fs.statSync(path.join(deployment.home, 'pairings', 'bob')).mode & 0o777, 0o600);
  const again = pairing(deployment, 'bob');
  assert.equal(await again.link, link2);
  await (await deployment.browser()).pair(link2);
  assert.equal(await again.program.exited, 0, again.program.output);
  assert.deepEqual(fs.readdirSync(path.join(deployment.home, 'pairings')), []);
  // And another one where that is wanted.
  const third = pairing(deployment, 'bob', '--new');
  assert.notEqual(await third.link, link2);
  await third.program.stop();

  assert.match((await deployment.cliRaw('operator', 'pair', 'nobody', '--url', deployment.url)).stderr, /nobody is no operator/);
  assert.equal((await deployment.cliRaw('operator', 'pair', 'bob')).status, 2);
  assert.match((await deployment.cliRaw('operator', 'pair', 'bob', '--url', 'http://controller.example')).stderr, /this machine alone/);
});

test('who has only a browser is an operator by that alone', async (t) => {
  const deployment = await create(t);
  await deployment.publish(['add-operator', 'dan=approver:-']);
  const browser = await known(deployment, 'dan');
  await browser.signIn('dan');
  assert.deepEqual((await browser.call('SessionService/WhoAmI')).roles, [2]);
});

test('without console = yes there are no pages and no links', async (t) => {
  const deployment = await Deployment.create(t, { controller: { operators: '127.0.0.1:0' } });
  const [, port] = await deployment.controller.line(/READY.*\boperators=\S*?:(\d+)/);
  const url = `http://127.0.0.1:${port}`;
  const browser = await Browser.create(url);
  const page = await browser.request('GET', '/', undefined, { accept: 'text/html', 'accept-encoding': 'gzip' });
  assert.equal(page.status, 404);
  assert.match((await deployment.cliRaw('operator', 'pair', 'bob', '--url', url)).stderr, /write `console = yes` into its configuration/);
});
