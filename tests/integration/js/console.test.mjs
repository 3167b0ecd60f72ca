// `countersign console` as its page uses it, and as others would like to: who gets in, what is forwarded and how, and what is signed.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import zlib from 'node:zlib';
import { setTimeout as sleep } from 'node:timers/promises';
import { Console, linkPattern, Refusal } from './console.mjs';
import { bin, Deployment, run, until } from './harness.mjs';
import { decode, encode, enumOf, openEnvelope, payloadType, sha256 } from './wire.mjs';

const nowS = () => Math.floor(Date.now() / 1000);
const refuses = (code, pattern) => (error) => {
  assert.ok(error instanceof Refusal, error);
  assert.equal(error.code, code, error.message);
  assert.match(error.sentence, pattern);
  return true;
};
const html = 'text/html,application/xhtml+xml';
const bare = await run(path.join(bin, 'countersign'), ['console', '--no-open', '--home', '/nonexistent']);
// A build without Node has no pages; where this test runs there is one.
assert.doesNotMatch(bare.stderr, /built without the console's pages/);

test('a link opens the console once', async (t) => {
  const deployment = await Deployment.create(t);
  const page = await Console.start(t, deployment, 'ada');

  await assert.rejects(page.call('SignerService', 'GetSigner'), refuses('unauthenticated', /open the link/));
  await assert.rejects(page.openLink(crypto.randomBytes(32)), refuses('permission_denied', /this is not the link/));
  await assert.rejects(page.openLink(page.secret.subarray(1)), refuses('permission_denied', /this is not the link/));
  await assert.rejects(page.openLink(Buffer.alloc(0)), refuses('permission_denied', /this is not the link/));
  await page.program.line(/tried a wrong link/);
  const token = await page.openLink();
  assert.match(token, /^[A-Za-z0-9_-]{43}$/);
  await page.program.line(/The link was opened in a browser/);
  const { operator, spki, key_kind, controller, version, policy } = await page.call('SignerService', 'GetSigner');
  assert.equal(operator, 'ada');
  assert.equal(key_kind, enumOf('KeyKind').KEY_KIND_FILE);
  assert.deepEqual(spki, crypto.createPublicKey(fs.readFileSync(path.join(deployment.home, 'operators', 'ada.key')))
    .export({ format: 'der', type: 'spki' }));
  assert.equal(controller, deployment.socket);
  assert.match(version, /^\d+\.\d+/);
  assert.equal(decode('TrustPolicy', decode('Envelope', policy).payload).version, 1);

  await assert.rejects(page.openLink(), refuses('permission_denied', /has been used/));
  await page.program.line(/opened a second time, and refused/);
  page.token = token;
  await page.call('SignerService', 'GetSigner');
  assert.equal(await page.program.stop(), 0, page.program.output);
});

test('a page that signs out ends its token, and nobody else\'s', async (t) => {
  const deployment = await Deployment.create(t);
  const quote = (word) => `'${word.replaceAll("'", "'\\''")}'`;
  const page = await Console.start(t, deployment, 'ada', { stdin: 'pipe',
    command: (line) => ['script', ['-qfec', line.map(quote).join(' '), '/dev/null']] });
  await page.openLink();
  const from = page.program.lines.length;
  page.program.child.stdin.write('\n');
  const other = new Console(page.program, await page.program.line(linkPattern, { from }));
  t.after(() => other.close());
  await other.openLink();

  await assert.rejects(page.call('SignerService', 'CloseLink', {}, { headers: { authorization: null } }), refuses('unauthenticated', /open the link/));
  await page.call('SignerService', 'GetSigner');
  await page.call('SignerService', 'CloseLink');
  await page.program.line(/A page signed out/);
  for (const [service, method] of [['SignerService', 'GetSigner'], ['ControllerService', 'GetStatus'], ['SignerService', 'CloseLink']])
    await assert.rejects(page.call(service, method), refuses('unauthenticated', /open the link/));
  await assert.rejects(page.openLink(), refuses('permission_denied', /not the link/));
  await other.call('SignerService', 'GetSigner');
});

test('whoever guesses links ends none, and the person at the terminal makes another', async (t) => {
  const deployment = await Deployment.create(t);
  const quote = (word) => `'${word.replaceAll("'", "'\\''")}'`;
  // The console has a terminal of its own.
  const page = await Console.start(t, deployment, 'ada', { stdin: 'pipe',
    command: (line) => ['script', ['-qfec', line.map(quote).join(' '), '/dev/null']] });

  const guess = () => assert.rejects(page.openLink(crypto.randomBytes(32)), refuses('permission_denied', /not the link/));
  for (let i = 0; i < 50; i++) await guess();
  await page.openLink();
  await page.call('SignerService', 'GetSigner');
  await guess();
  await page.program.line(/tried a wrong link/);
  assert.equal(page.program.lines.filter((line) => /wrong link/.test(line)).length, 1, 'nobody fills the terminal by guessing');
  const from = page.program.lines.length;
  page.program.child.stdin.write('\n');
  const second = new Console(page.program, await page.program.line(linkPattern, { from }));
  t.after(() => second.close());
  assert.notDeepEqual(second.secret, page.secret);
  await second.openLink();
  await second.call('SignerService', 'GetSigner');
});

test('only the own page gets in', async (t) => {
  const deployment = await Deployment.create(t);
  const page = await Console.open(t, deployment, 'ada');
  const get = (headers, where = '/') => page.whole('GET', where, { headers: { accept: html, 'accept-encoding': 'gzip', ...headers } });

  await t.test('the page itself needs no token, and says what a browser may do with it', async () => {
    const { status, headers, body } = await get({ 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' });
    assert.equal(status, 200);
    assert.equal(headers['content-type'], 'text/html; charset=utf-8');
    assert.equal(headers['cache-control'], 'no-store');
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.match(headers['content-security-policy'], /default-src 'none'.*frame-ancestors 'none'.*require-trusted-types-for 'script'/);
    const text = zlib.gunzipSync(body).toString();
    const script = text.match(/src="(\/assets\/[^"]+\.js)"/)[1];
    const asset = await get({ accept: '*/*' }, script);
    assert.equal(asset.status, 200);
    assert.equal(asset.headers['cache-control'], 'public, max-age=31536000, immutable');
    assert.equal((await get({}, '/certificates/00')).status, 200);
    assert.equal((await get({ 'accept-encoding': 'identity' })).status, 406);
    assert.equal((await get({ accept: '*/*' }, '/served-by')).body.toString(), 'console');
    assert.equal((await get({}, '/countersign.v1.ControllerService/GetStatus')).status, 401);
  });

  await t.test('a name of somebody else\'s that leads here (DNS rebinding)', async () => {
    for (const host of ['evil.example', `evil.example:${page.port}`, '127.0.0.1', `127.0.0.1:${page.port + 1}`, `127.0.0.2:${page.port}`,
      `localhost.evil.example:${page.port}`, `127.0.0.1:${page.port}.evil.example`]) {
      assert.equal((await get({ host })).status, 403, host);
      await assert.rejects(page.call('ControllerService', 'GetStatus', {}, { headers: { host, origin: `http://${host}` } }),
        refuses('permission_denied', /at no other address/));
    }
    assert.equal((await get({ host: `localhost:${page.port}` })).status, 200);
    assert.equal((await get({ host: null })).status, 400);
  });

  await t.test('another page (CSRF)', async () => {
    for (const headers of [{ origin: 'http://evil.example' }, { origin: 'null' }, { origin: `http://localhost:${page.port}` },
      { origin: `https://127.0.0.1:${page.port}` }, { origin: `http://127.0.0.1:${page.port + 1}` },
      { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' },
      { origin: null, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }])
      for (const [service, method, body] of [['ControllerService', 'GetStatus', {}], ['SignerService', 'OpenLink', { secret: page.secret }]])
        await assert.rejects(page.call(service, method, body, { headers }), refuses('permission_denied', /another page/));
    // What an image, a script or a frame elsewhere asks for.
    for (const dest of ['image', 'script', 'iframe', 'empty'])
      assert.equal((await get({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': dest === 'iframe' ? 'navigate' : 'no-cors', 'sec-fetch-dest': dest })).status, 403);
    // A link that somebody follows; the page asks for the token that this tab does not have.
    assert.equal((await get({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' })).status, 200);
    // Those who are no browser say nothing of it.
    await page.call('ControllerService', 'GetStatus', {}, { headers: { origin: null, 'sec-fetch-site': null } });
  });

  await t.test('a call without its token, or with another', async () => {
    for (const authorization of [null, '', 'Bearer', 'Bearer ', `Bearer ${crypto.randomBytes(32).toString('base64url')}`, `bearer ${page.token}`,
      `Bearer ${page.token} `, `Bearer ${page.token}x`, page.token])
      for (const method of ['GetStatus', 'ListAudit'])
        if (authorization !== `Bearer ${page.token} `) // HTTP itself takes blanks off the end
          await assert.rejects(page.call('ControllerService', method, {}, { headers: { authorization } }), refuses('unauthenticated', /open the link/));
    await assert.rejects(page.call('SignerService', 'Sign', {}, { headers: { authorization: null } }), refuses('unauthenticated', /open the link/));
  });

  await t.test('over HTTP/2 and by gRPC it is the same', async () => {
    const session = http2.connect(page.url);
    const ask = (headers) => new Promise((resolve, reject) => {
      const stream = session.request({ ':method': 'POST', ':path': '/countersign.v1.ControllerService/GetStatus', ...headers });
      stream.on('response', resolve).on('error', reject).resume().end();
    });
    try {
      const own = { authorization: `Bearer ${page.token}`, 'content-type': 'application/proto' };
      assert.equal((await ask(own))[':status'], 200);
      assert.equal((await ask({ ...own, authorization: 'Bearer x' }))[':status'], 401);
      assert.equal((await ask({ ...own, ':authority': `evil.example:${page.port}` }))[':status'], 403);
      assert.equal((await ask({ ...own, host: `evil.example:${page.port}` }))[':status'], 403);
      const refused = await ask({ 'content-type': 'application/grpc', te: 'trailers' });
      assert.equal(refused['grpc-status'], '16');
    } finally {
      session.close();
    }
  });

  await t.test('what opens sessions is not there', async () => {
    for (const method of ['GetChallenge', 'OpenSession', 'CloseSession', 'Pair'])
      assert.equal((await page.whole('POST', `/countersign.v1.SessionService/${method}`, { headers: page.headers() })).status, 404, method);
    assert.equal((await page.whole('POST', '/countersign.v1.AgentService/Connect', { headers: page.headers() })).status, 404);
  });
});

test('whoever asks for pages and reads none of them fills no memory', { skip: !fs.existsSync('/proc/self/status') }, async (t) => {
  const deployment = await Deployment.create(t);
  const page = await Console.start(t, deployment, 'ada');
  const resident = () => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${page.program.pid}/status`, 'utf8'))[1]) / 1024;
  const get = (where) => page.whole('GET', where, { headers: { accept: html, 'accept-encoding': 'gzip' } });
  const text = zlib.gunzipSync((await get('/')).body).toString();
  const assets = await Promise.all([...text.matchAll(/"(\/assets\/[^"]+)"/g)].map(async ([, where]) => ({ where, size: (await get(where)).body.length })));
  const { where, size } = assets.reduce((most, one) => one.size > most.size ? one : most);
  const before = resident();
  const sessions = [];
  t.after(() => { for (const session of sessions) session.destroy(); });
  const answered = [];
  for (let i = 0; i < 40; i++) {
    // It opens no window: nothing of a body can be sent to it.
    const session = http2.connect(page.url, { settings: { initialWindowSize: 0 } });
    session.on('error', () => {});
    sessions.push(session);
    for (let k = 0; k < 120; k++)
      answered.push(new Promise((resolve) => session.request({ ':path': where, 'accept-encoding': 'gzip' })
        .on('response', (headers) => resolve(headers[':status'])).on('error', () => resolve('reset'))));
  }
  const statuses = await Promise.all(answered), grown = resident() - before;
  t.diagnostic(`${statuses.length} times ${size} bytes: ${before.toFixed()} MB, and ${grown.toFixed()} MB more`);
  assert.ok(size > 20_000 && statuses.every((status) => status === 200), [...new Set(statuses)].join());
  // An open stream costs some KB, and more with AddressSanitizer; the pages asked for are hundreds of MB.
  assert.ok(grown < 120, `${grown} MB`);
  assert.equal((await get(where)).status, 200); // others go on
});

test('what the page asks is asked in the operator\'s name, and answered as the controller answers', async (t) => {
  const deployment = await Deployment.create(t);
  const bob = await Console.open(t, deployment, 'bob');

  assert.equal((await bob.call('SessionService', 'WhoAmI')).operator, 'bob');
  const { deployment_id } = await bob.call('ControllerService', 'GetStatus');
  assert.equal(deployment_id.length, 16);
  await assert.rejects(bob.call('DeviceService', 'GetDevice', { name: 'nobody' }), refuses('not_found', /nobody/));
  // bob is no admin, and is told so in the very words of the controller.
  const { stderr } = await deployment.cliRaw('device', 'group', 'gw-1', 'edge', '--as', 'bob');
  await assert.rejects(bob.call('DeviceService', 'SetDeviceGroups', { name: 'gw-1', groups: ['edge'] }), (error) => {
    refuses('permission_denied', /bob/)(error);
    assert.ok(stderr.includes(error.sentence), `${stderr} / ${error.sentence}`);
    return true;
  });
  const malformed = await bob.whole('POST', '/countersign.v1.DeviceService/GetDevice', { headers: bob.headers(), body: Buffer.of(0xff, 0xff) });
  assert.equal(malformed.status, 400);
  assert.equal(JSON.parse(malformed.body).code, 'invalid_argument');

  await t.test('what changes streams through', async () => {
    const stop = new AbortController();
    const stream = bob.stream('WatchService', 'Watch', {}, { signal: stop.signal });
    const first = (await stream.next()).value;
    assert.equal(first.changes.length, 0);
    await deployment.cli('cert', 'import', (await deployment.certificate('watched.example')).pem);
    const second = (await stream.next()).value;
    assert.ok(second.revision > first.revision);
    assert.ok(second.changes.length > 0);
    stop.abort();
    await assert.rejects(stream.next());
    // The controller learns of it, too.
    await until('the stream has ended at the controller', async () => {
      const { status, stdout } = await run('curl', ['-sS', '--unix-socket', deployment.socket, 'http://localhost/metrics']);
      return status === 0 && /^countersign_streams\{[^}]*admin[^}]*\} 0$/m.test(stdout);
    });
  });

  await t.test('a deadline ends a stream in the controller\'s place', async () => {
    const stream = bob.stream('WatchService', 'Watch', {}, { headers: { 'connect-timeout-ms': '500' } });
    await stream.next();
    await assert.rejects(stream.next(), refuses('deadline_exceeded', /deadline/));
  });

  await t.test('a controller that was away is found again', async () => {
    await deployment.controller.stop();
    await assert.rejects(bob.call('ControllerService', 'GetStatus'), refuses('unavailable', /does not answer/));
    await deployment.start();
    await bob.call('ControllerService', 'GetStatus');
    const stream = bob.stream('WatchService', 'Watch', {});
    await stream.next();
    await Promise.all([assert.rejects(stream.next(), refuses('unavailable', /./)), deployment.controller.stop()]);
    await deployment.start();
    await bob.call('ControllerService', 'GetStatus');
  });
  assert.equal(await bob.program.stop(), 0, bob.program.output);
});

// Between the console and the real controller; passes everything on but what a test has something else to say to.
class Between {
  constructor(t, deployment) {
    this.socket = deployment.path('between.sock');
    this.lies = {}; // by the method's name: (stream) => …
    this.sessions = [];
    this.real = http2.connect('http://localhost', { createConnection: () => net.connect(deployment.socket) });
    this.server = http2.createServer();
    this.server.on('session', (session) => this.sessions.push(session));
    this.server.on('stream', (stream, headers) => {
      stream.on('error', () => {});
      const lie = this.lies[headers[':path'].split('/').pop()];
      if (lie) lie(stream);
      else this.pass(stream, headers);
    });
    t.after(() => {
      this.real.destroy();
      for (const session of this.sessions) session.destroy();
      this.server.close();
    });
  }

  listen() { return new Promise((resolve) => this.server.listen(this.socket, resolve)); }

  pass(stream, headers) {
    const real = this.real.request(headers);
    let trailers = {};
    real.on('error', () => stream.destroy());
    real.on('trailers', (all) => { trailers = all; });
    real.on('response', (answer, flags) => {
      const endStream = (flags & http2.constants.NGHTTP2_FLAG_END_STREAM) !== 0;
      stream.respond(answer, { endStream, waitForTrailers: !endStream });
      real.pipe(stream);
    });
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    stream.on('close', () => real.close(http2.constants.NGHTTP2_CANCEL));
    stream.pipe(real);
  }
}

const framed = (bytes) => {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
};
const answer = (stream, messages, trailers) => {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  stream.end(Buffer.concat(messages.map(framed)));
};

test('a controller that says strange things is passed on or refused, and never more', async (t) => {
  const deployment = await Deployment.create(t);
  const between = new Between(t, deployment);
  await between.listen();
  const page = await Console.open(t, deployment, 'ada', { where: ['--socket', between.socket] });
  await page.call('ControllerService', 'GetStatus');

  await t.test('a sentence comes as it was said', async () => {
    const sentence = 'es geht nicht: "käse" \\ 100 % \u{1f511}';
    between.lies.GetStatus = (stream) => answer(stream, [], { 'grpc-status': '9', 'grpc-message': encodeURIComponent(sentence) });
    await assert.rejects(page.call('ControllerService', 'GetStatus'), (error) => error.code === 'failed_precondition' && error.sentence === sentence);
  });

  await t.test('two answers to one question are none', async () => {
    const status = encode('GetStatusResponse', { version: 'x' });
    between.lies.GetStatus = (stream) => answer(stream, [status, status], { 'grpc-status': '0' });
    await assert.rejects(page.call('ControllerService', 'GetStatus'), refuses('internal', /answered twice/));
    between.lies.GetStatus = (stream) => answer(stream, [], { 'grpc-status': '0' });
    await assert.rejects(page.call('ControllerService', 'GetStatus'), refuses('internal', /without an answer/));
    between.lies.GetStatus = (stream) => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
    await assert.rejects(page.call('ControllerService', 'GetStatus'), refuses('internal', /./));
    // On the socket there is no session that could have ended.
    between.lies.GetStatus = (stream) => answer(stream, [], { 'grpc-status': '16', 'grpc-message': 'who' });
    await assert.rejects(page.call('ControllerService', 'GetStatus'), refuses('unauthenticated', /who/));
    delete between.lies.GetStatus;
    await page.call('ControllerService', 'GetStatus');
  });

  await t.test('a page that goes away takes its question back', async () => {
    const asked = new Promise((resolve) => { between.lies.ListDevices = resolve; });
    const stop = new AbortController();
    const answered = page.request('POST', '/countersign.v1.DeviceService/ListDevices', { headers: page.headers(), body: '', signal: stop.signal });
    const stream = await asked;
    const closed = new Promise((resolve) => stream.on('close', resolve));
    stop.abort();
    await assert.rejects(answered);
    await closed;
    assert.equal(stream.rstCode, http2.constants.NGHTTP2_CANCEL);
    delete between.lies.ListDevices;
  });

  await t.test('a page that reads slowly holds the controller up, and not its own program', async () => {
    const size = 32 * 1024, count = 2000;
    let written = 0;
    between.lies.Watch = async (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      for (; written < count && !stream.closed; written++)
        if (!stream.write(framed(encode('WatchResponse', { revision: written + 1, changes: [{ name: 'x'.repeat(size) }] }))))
          await new Promise((resolve) => stream.once('drain', resolve));
      stream.end();
    };
    const stream = page.stream('WatchService', 'Watch');
    let told = 0;
    for (; told < 3; told++) assert.equal((await stream.next()).value.revision, told + 1);
    let before;
    await until('the writer is held up', async () => {
      const same = before === written;
      before = written;
      return same;
    }, { every_ms: 500 });
    assert.ok(written < count / 4, `${written} messages were taken`);
    await page.call('ControllerService', 'GetStatus'); // others go on
    for await (const message of stream) assert.equal(message.revision, ++told);
    assert.equal(told, count);
    delete between.lies.Watch;
  });

  await t.test('one that wants no more calls on a connection is called on another', async () => {
    const stream = page.stream('WatchService', 'Watch');
    await stream.next();
    const session = between.sessions.at(-1), count = between.sessions.length;
    session.goaway(http2.constants.NGHTTP2_NO_ERROR, 2 ** 31 - 1);
    await sleep(200);
    const ended = assert.rejects(stream.next(), refuses('unavailable', /made anew/));
    await page.call('ControllerService', 'GetStatus');
    await ended;
    assert.equal(between.sessions.length, count + 1);
  });
  assert.equal(await page.program.stop(), 0, page.program.output);
});

for (const tls of [false, true])
test(`at the operators' listener ${tls ? 'over TLS ' : ''}a session that has ended is opened anew`, async (t) => {
  const deployment = await Deployment.create(t, { controller: { operators: '127.0.0.1:0', ...(tls ? { operators_tls: 'on' } : {}) } });
  const [, port] = await deployment.controller.line(/READY.*\boperators=\S*?:(\d+)/);
  const url = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`;
  deployment.settings.operators = `127.0.0.1:${port}`;
  const page = await Console.open(t, deployment, 'ada', { where: ['--controller', url] });

  assert.equal((await page.call('SessionService', 'WhoAmI')).operator, 'ada');
  assert.equal((await page.call('SignerService', 'GetSigner')).controller, url);
  for (let i = 0; i < 2; i++) {
    await deployment.controller.stop(); // sessions end with it
    await deployment.start();
    const answers = await Promise.all(['WhoAmI', 'WhoAmI', 'WhoAmI'].map((method) => page.call('SessionService', method)));
    assert.deepEqual(answers.map((answer) => answer.operator), ['ada', 'ada', 'ada']);
    assert.equal((await page.call('SignerService', 'GetSigner')).operator, 'ada');
  }
  assert.equal(await page.program.stop(), 0, page.program.output);
});

test('signs what its operator may sign, after a look at the very bytes', async (t) => {
  const deployment = await Deployment.create(t);
  const agent = await deployment.agent('gw-1');
  await agent.enrol();
  agent.start();
  await deployment.advertised('gw-1');
  await deployment.cli('cert', 'import', (await deployment.certificate('client.example')).pem);
  await deployment.cli('cert', 'attach', 'client.example', 'gw-1', 'app');
  const page = await Console.open(t, deployment, 'ada');
  const { deployment_id, policy_version } = await page.call('ControllerService', 'GetStatus');
  const { spki } = await page.call('SignerService', 'GetSigner');
  const { certificates } = await page.call('CertificateService', 'ListCertificates', {});
  const prepared = await page.call('PushService', 'PreparePush', { certificate_id: certificates[0].id,
    targets: [{ device_name: 'gw-1', connector: 'app' }] });
  const { cores } = await page.call('PushService', 'GetOrderCores', { number: prepared.number });
  const request = { deployment_id, policy_version, requester: 'ada', request_id: prepared.request_id, number: prepared.number,
    requested_at_s: nowS(), decide_by_s: nowS() + 3600, window_s: 3600, max_attempts: 3, order_root: sha256(Buffer.of(0), cores[0]),
    order_count: 1, comment_digest: sha256('renewal') };
  const sign = (kind, payload) => page.call('SignerService', 'Sign', { payload_type: payloadType(kind), payload });

  await t.test('refuses everything else', async () => {
    const push = (more) => encode('PushRequest', { ...request, ...more });
    const policy = decode('Envelope', (await page.call('SignerService', 'GetSigner')).policy).payload;
    const good = push({});
    const cases = [
      ['permission_denied', /another deployment/, 'push-request', push({ deployment_id: crypto.randomBytes(16) })],
      ['permission_denied', /in the name of bob/, 'push-request', push({ requester: 'bob' })],
      ['aborted', /version 2 .* newest that was verified here is 1/, 'push-request', push({ policy_version: policy_version + 1 })],
      ['invalid_argument', /./, 'push-request', Buffer.concat([good, Buffer.of(0xf8, 0x01, 0x00)])], // an unknown field
      ['invalid_argument', /./, 'push-request', Buffer.concat([good, good.subarray(0, 18)])], // a field twice
      ['invalid_argument', /./, 'push-request', good.subarray(0, -1)],
      ['invalid_argument', /./, 'push-request', Buffer.alloc(0)],
      ['invalid_argument', /./, 'decision', good], // another kind's bytes
      ['invalid_argument', /./, 'push-request', push({ request_id: Buffer.alloc(15, 1) })],
      ['unimplemented', /nothing else/, 'trust-policy', policy],
      ['unimplemented', /nothing else/, 'session-opening', encode('SessionOpening', { deployment_id, policy_version, operator: 'ada',
        challenge: crypto.randomBytes(32), made_at_s: nowS() })],
      ['unimplemented', /nothing else/, 'device-renewal', good],
      ['unimplemented', /nothing else/, 'nothing-of-ours', good],
      ['permission_denied', /in the name of bob/, 'decision', encode('Decision', { deployment_id, policy_version, decider: 'bob',
        request_digest: sha256(good), stage: 1, verdict: 1, mode: 1, decided_at_s: nowS(), earlier: [], comment_digest: sha256('') })],
    ];
    for (const [code, pattern, kind, payload] of cases) await assert.rejects(sign(kind, payload), refuses(code, pattern));
    await page.program.line(/Refused to sign: the statement is of another deployment/);
  });

  await t.test('and the controller takes what it signs', async () => {
    const payload = encode('PushRequest', request);
    const { envelope } = await sign('push-request', payload);
    assert.deepEqual(openEnvelope(envelope, 'push-request', [spki]).payload, payload);
    const [, words] = await page.program.line(/Signed as ada: push request: REQ-1, 1 work order \(((?:[a-z]+ ){7}[a-z]+)\)/);
    await page.call('PushService', 'SubmitPush', { envelope, comment: 'renewal' });
    await until('a checkpoint of the audit is kept, as after any change', () => fs.existsSync(path.join(deployment.home, 'checkpoints')));
    // The same words as the command line has for the same bytes.
    assert.ok((await deployment.cli('request', 'show', 'REQ-1')).includes(words), words);

    const bob = await Console.open(t, deployment, 'bob');
    const decision = encode('Decision', { deployment_id, policy_version, decider: 'bob', request_digest: sha256(payload), stage: 1, verdict: 1,
      mode: 1, decided_at_s: nowS(), earlier: [], comment_digest: sha256('') });
    const decided = await bob.call('SignerService', 'Sign', { payload_type: payloadType('decision'), payload: decision });
    await bob.program.line(/Signed as bob: decision: accept stage 1 of the request [0-9a-f]{16}…, Manual Implementation \(/);
    await bob.call('PushService', 'Decide', { number: prepared.number, envelope: decided.envelope });
    assert.equal(await bob.program.stop(), 0, bob.program.output);
  });

  await t.test('under a policy that came meanwhile, and no more with a key that it took away', async () => {
    await deployment.publish(['set-expiry', '60d']);
    await sign('push-request', encode('PushRequest', { ...request, policy_version: policy_version + 1 }));
    fs.renameSync(path.join(deployment.home, 'operators', 'ada.key'), path.join(deployment.home, 'ada.old'));
    fs.rmSync(path.join(deployment.home, 'operators', 'ada.pub'));
    await deployment.cli('operator', 'keygen', 'ada', '--no-passphrase');
    await deployment.publish(['add-operator', `ada=requester,admin:${path.join(deployment.home, 'operators', 'ada.pub')}`]);
    assert.equal((await page.call('SignerService', 'GetSigner')).spki.length, 0);
    await assert.rejects(sign('push-request', encode('PushRequest', request)), refuses('permission_denied', /not one that the trust policy has/));
  });
  assert.equal(await page.program.stop(), 0, page.program.output);
});

test('holds what the controller says of a device against what this operator has seen before, whatever the page remembers', async (t) => {
  const deployment = await Deployment.create(t);
  const agent = await deployment.agent('gw-1');
  await agent.enrol();
  const file = path.join(deployment.home, 'devices'), read = () => fs.readFileSync(file, 'utf8');
  // As another client's write: beside, and put into its place.
  const write = (text) => { fs.writeFileSync(`${file}.other`, text); fs.renameSync(`${file}.other`, file); };
  const show = (page) => page.call('DeviceService', 'GetDevice', { name: 'gw-1' });
  const older = refuses('permission_denied', /a newer one, of 2099-01-01T00:00:00Z, was seen here.*device forget gw-1/);
  fs.rmSync(file, { force: true });

  await t.test('what is given is noted at once, for the next start', async () => {
    const page = await Console.open(t, deployment, 'ada');
    assert.equal((await show(page)).device.name, 'gw-1');
    await until('it is in the file', () => fs.existsSync(file) && /^gw-1 20\d\d-\S+ [0-9a-f]{64}$/m.test(read()));
    page.program.child.kill('SIGKILL');
    await page.program.exited;
  });
  const kept = read();

  await t.test('what is older is not given to the page, which has never seen the device', async () => {
    write('gw-1 2099-01-01T00:00:00Z\n');
    const page = await Console.open(t, deployment, 'ada');
    await assert.rejects(show(page), older);
    await page.call('DeviceService', 'ListDevices'); // others go on
    assert.equal(await page.program.stop(), 0, page.program.output);
    assert.equal(read(), 'gw-1 2099-01-01T00:00:00Z\n');
  });

  await t.test('what another command sees meanwhile counts, and what it forgets', async () => {
    write(kept);
    const page = await Console.open(t, deployment, 'ada');
    await show(page);
    write('gw-1 2099-01-01T00:00:00Z\n');
    await assert.rejects(show(page), older);
    await deployment.cli('device', 'forget', 'gw-1');
    await show(page);
    write('gw-1 yesterday\n');
    await assert.rejects(show(page), refuses('permission_denied', /devices line 1/));
    write('');
    await show(page);
    assert.equal(await page.program.stop(), 0, page.program.output);
    assert.equal(read(), kept);
  });

  await t.test('an admission that was signed here is noted, before anybody asks for the device', async () => {
    const page = await Console.open(t, deployment, 'ada');
    const before = await show(page);
    const admission = decode('Admission', decode('Envelope', before.admission).payload);
    const later = Number(admission.admitted_at_s) + 5, bytes = encode('Admission', { ...admission, admitted_at_s: later });
    const { envelope } = await page.call('SignerService', 'Sign', { payload_type: payloadType('admission'), payload: bytes });
    await page.call('DeviceService', 'BanDevice', { name: 'gw-1', comment: 'lost' });
    await page.call('DeviceService', 'AdmitDevice', { envelope });
    const when = new Date(later * 1000).toISOString().replace('.000', '');
    await until('it is in the file', () => read().startsWith(`gw-1 ${when}`));
    assert.equal(await page.program.stop(), 0, page.program.output);
  });
});

test('without a key it only looks', async (t) => {
  const deployment = await Deployment.create(t);
  fs.renameSync(path.join(deployment.home, 'operators', 'bob.key'), path.join(deployment.home, 'bob.elsewhere'));
  for (const name of ['bob', undefined]) {
    const page = await Console.open(t, deployment, name);
    await page.program.line(/The page signs nothing/);
    const signer = await page.call('SignerService', 'GetSigner');
    assert.equal(signer.operator, name ?? '');
    assert.equal(signer.spki.length, 0);
    assert.ok(signer.policy.length > 0);
    await page.call('ControllerService', 'GetStatus');
    await assert.rejects(page.call('SignerService', 'Sign', { payload_type: payloadType('decision'), payload: Buffer.of(1) }),
      refuses('permission_denied', /only looks/));
    assert.equal(await page.program.stop(), 0, page.program.output);
  }
});

test('ends by itself after a time without a request of its page', async (t) => {
  const deployment = await Deployment.create(t);
  const page = await Console.open(t, deployment, 'ada', { args: ['--no-open', '--idle', '2s'] });
  for (let i = 0; i < 3; i++) {
    await sleep(1000);
    await page.call('ControllerService', 'GetStatus');
  }
  // Others who ask keep nothing open: neither for the page, nor with a link or token that is none.
  const { token } = page;
  let ended = false;
  page.program.exited.then(() => { ended = true; });
  for (let i = 0; i < 20 && !ended; i++) {
    await sleep(250);
    page.token = undefined;
    await page.whole('GET', '/', { headers: { accept: html, 'accept-encoding': 'gzip' } }).catch(() => {});
    await page.openLink(crypto.randomBytes(32)).catch(() => {});
    page.token = `${token.slice(1)}A`;
    await page.call('ControllerService', 'GetStatus').catch(() => {});
  }
  assert.ok(ended, 'strangers kept the console open');
  assert.equal(await page.program.exited, 0, page.program.output);
  assert.match(page.program.output, /the console ends/);
});

test('a browser is led to the link by a file that nobody else reads', async (t) => {
  const deployment = await Deployment.create(t);
  const folder = deployment.path('desktop');
  fs.mkdirSync(path.join(folder, 'run'), { recursive: true });
  fs.writeFileSync(path.join(folder, 'xdg-open'), `#!/bin/sh\necho "$#" >"${folder}/count"\necho "$1" >"${folder}/told"\n`, { mode: 0o755 });
  const env = { PATH: `${folder}:${process.env.PATH}`, DISPLAY: ':77', XDG_RUNTIME_DIR: path.join(folder, 'run') };
  const page = await Console.start(t, deployment, 'ada', { args: [], env });
  const file = await until('xdg-open was called', () => fs.existsSync(path.join(folder, 'told')) && fs.readFileSync(path.join(folder, 'told'), 'utf8').trim());
  assert.equal(path.dirname(file), env.XDG_RUNTIME_DIR);
  assert.equal(fs.statSync(file).mode & 0o777, 0o600);
  assert.ok(fs.readFileSync(file, 'utf8').includes(`${page.url}#link=${page.secret.toString('base64url')}`));
  await page.openLink();
  assert.ok(!fs.existsSync(file));
  assert.equal(await page.program.stop(), 0, page.program.output);

  // One that was not used goes with the program.
  const unused = await Console.start(t, deployment, 'ada', { args: [], env });
  await until('there is a file', () => fs.readdirSync(env.XDG_RUNTIME_DIR).length === 1);
  assert.equal(await unused.program.stop(), 0, unused.program.output);
  assert.deepEqual(fs.readdirSync(env.XDG_RUNTIME_DIR), []);

  // No browser is no reason to end.
  const none = await Console.open(t, deployment, 'ada', { args: [], env: { ...env, PATH: '/nonexistent' } });
  await none.program.line(/no browser was opened: xdg-open cannot be started/);
  assert.equal(await none.program.stop(), 0, none.program.output);
  const headless = await Console.open(t, deployment, 'ada', { args: [], env: { ...env, DISPLAY: '', WAYLAND_DISPLAY: '' } });
  await headless.program.line(/no browser was opened: there is no display/);
  assert.equal(await headless.program.stop(), 0, headless.program.output);
});

test('says what is wrong with how it is started', async (t) => {
  const deployment = await Deployment.create(t);
  const start = (...args) => deployment.cliRaw('console', '--no-open', ...args);
  for (const port of ['x', '-1', '65536', '1x', '']) {
    const { status, stderr } = await start('--port', port);
    assert.equal(status, 2, port);
    assert.match(stderr, /--port/);
  }
  assert.equal((await start('--as', '../x')).status, 2);
  const page = await Console.start(t, deployment, 'ada');
  const taken = await start('--as', 'ada', '--port', String(page.port));
  assert.equal(taken.status, 1);
  assert.match(taken.stderr, new RegExp(`${page.port}`));
  await deployment.controller.stop();
  const alone = await start('--as', 'ada');
  assert.equal(alone.status, 3);
  assert.match(alone.stderr, /does not answer/);
});
