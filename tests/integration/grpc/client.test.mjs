// @grpc/grpc-js as a client of our server, over TCP, a unix socket and mutual TLS.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Echo, collect, grpc, report, sleep, startServer, temporaryFolder, tlsCredentials, unary, until }
  from './harness.mjs';

const { status } = grpc;
const limit = 128 * 1024;

const transports = [
  { name: 'TCP', args: () => [], address: (server) => `127.0.0.1:${server.port}`,
    credentials: () => grpc.credentials.createInsecure() },
  { name: 'a unix socket', args: (folder) => ['--unix', path.join(folder, 's')],
    address: (_server, folder) => `unix:${path.join(folder, 's')}`, credentials: () => grpc.credentials.createInsecure() },
  { name: 'mutual TLS', args: (folder) => ['--tls', folder], address: (server) => `localhost:${server.port}`,
    credentials: (folder) => tlsCredentials(folder) },
];

for (const transport of transports) {
  describe(`over ${transport.name}`, () => {
    let place, server, client;
    const connect = (options = {}) => new Echo(transport.address(server, place.folder),
      transport.credentials(place.folder), { 'grpc.use_local_subchannel_pool': 1, ...options });

    before(async () => {
      place = temporaryFolder();
      server = await startServer(...transport.args(place.folder));
      client = connect();
    });
    after(async () => {
      client.close();
      await server.stop();
      place.remove();
    });

    test('echoes a unary call', async () => {
      const { error, reply } = await unary(client, 'Unary', 'hello');
      assert.equal(error, null);
      assert.equal(reply.toString(), 'hello');
    });

    test('echoes an empty message', async () => {
      const { error, reply } = await unary(client, 'Unary', '');
      assert.equal(error, null);
      assert.equal(reply.length, 0);
    });

    test('echoes a message of the largest size', async () => {
      const { error, reply } = await unary(client, 'Unary', Buffer.alloc(limit, 7));
      assert.equal(error, null);
      assert.equal(reply.length, limit);
      assert.ok(reply.every((byte) => byte === 7));
    });

    test('refuses a message that is one byte larger', async () => {
      const { code } = await unary(client, 'Unary', Buffer.alloc(limit + 1));
      assert.equal(code, status.RESOURCE_EXHAUSTED);
    });

    test("keeps to a method's own limit", async () => {
      assert.equal((await unary(client, 'Small', Buffer.alloc(100))).code, status.OK);
      assert.equal((await unary(client, 'Small', Buffer.alloc(101))).code, status.RESOURCE_EXHAUSTED);
    });

    test('streams messages to the client in order', async () => {
      const { messages, code } = await collect(client.Stream(Buffer.from('1000 100')));
      assert.equal(code, status.OK);
      assert.equal(messages.length, 1000);
      assert.ok(messages.every((message) => message.length === 100));
    });

    test('streams more than every window holds', async () => {
      const { messages, code } = await collect(client.Stream(Buffer.from(`100 ${limit}`)));
      assert.equal(code, status.OK);
      assert.equal(messages.reduce((sum, message) => sum + message.length, 0), 100 * limit);
    });

    test("collects a client's stream", async () => {
      const result = new Promise((resolve) => {
        const call = client.Collect((error, reply) => resolve({ error, reply }));
        for (let i = 0; i < 500; i++) call.write(Buffer.alloc(i));
        call.end();
      });
      const { error, reply } = await result;
      assert.equal(error, null);
      assert.equal(reply.toString(), `500 ${(499 * 500) / 2}`);
    });

    test('echoes both ways at once', async () => {
      const call = client.Bidi();
      const done = collect(call);
      for (let i = 0; i < 300; i++) call.write(Buffer.alloc(1000, i));
      call.end();
      const { messages, code } = await done;
      assert.equal(code, status.OK);
      assert.equal(messages.length, 300);
      messages.forEach((message, i) => assert.equal(message[0], i % 256));
    });

    test('ends a stream that has no messages', async () => {
      const call = client.Bidi();
      const done = collect(call);
      call.end();
      const { messages, code } = await done;
      assert.equal(code, status.OK);
      assert.equal(messages.length, 0);
    });

    test('gives status, sentence and trailers', async () => {
      const { code, details, trailers } = await unary(client, 'Fail', '9 not 100 % ready: ä\n');
      assert.equal(code, status.FAILED_PRECONDITION);
      assert.equal(details, 'not 100 % ready: ä\n');
      assert.deepEqual(trailers.get('reason'), ['because']);
      assert.deepEqual(trailers.get('detail-bin'), [Buffer.from([0, 1, 0xfe, 0xff])]);
    });

    test('gives every status code', async () => {
      for (let wanted = 1; wanted <= 16; wanted++)
        assert.equal((await unary(client, 'Fail', String(wanted))).code, wanted);
    });

    test('carries metadata both ways', async () => {
      const metadata = new grpc.Metadata();
      metadata.set('x-echo', 'some text');
      metadata.set('x-echo-bin', Buffer.from([0, 255, 1, 2, 3]));
      const { reply, trailers } = await unary(client, 'Metadata', '', { metadata });
      assert.equal(reply.toString(), 'some text|00ff010203');
      assert.deepEqual(trailers.get('x-echo'), ['some text']);
      assert.deepEqual(trailers.get('x-echo-bin'), [Buffer.from([0, 255, 1, 2, 3])]);
    });

    test('gets what a method adds to the head of its answer', async () => {
      for (const [sent, code] of [['hi', status.OK], ['fail', status.NOT_FOUND]]) {
        const answer = unary(client, 'Head', sent);
        const head = new Promise((resolve) => answer.call.on('metadata', resolve));
        const result = await answer;
        assert.equal(result.code, code);
        // A refusal without a message is one list of headers, which this client gives as the trailers.
        const metadata = code === status.OK ? await head : result.trailers;
        assert.equal(metadata.get('x-head').join(), ', again');
        assert.deepEqual(metadata.get('x-head-bin'), [Buffer.from([0, 1, 254, 255])]);
      }
    });

    test('says that there is no such method', async () => {
      assert.equal((await unary(client, 'Missing', '')).code, status.UNIMPLEMENTED);
    });

    test('knows the deadline', async () => {
      assert.equal((await unary(client, 'Deadline', '')).reply.toString(), 'none');
      const { reply } = await unary(client, 'Deadline', '', { deadline: Date.now() + 5000 });
      const left = Number(reply.toString());
      assert.ok(left > 1000 && left <= 5000, String(left));
    });

    test('ends a call whose deadline passes', async () => {
      const begun = await report(client);
      const { code } = await unary(client, 'Never', '', { deadline: Date.now() + 200 });
      assert.equal(code, status.DEADLINE_EXCEEDED);
      await until('the handler to be told', async () => (await report(client)).ended === begun.ended + 1);
      assert.match((await report(client)).lastEnd, /DEADLINE_EXCEEDED|CANCELLED/);
    });

    test('tells the handler of a cancel', async () => {
      const begun = await report(client);
      const never = unary(client, 'Never', '');
      await until('the handler to be there', async () => (await report(client)).opened === begun.opened + 1);
      never.call.cancel();
      assert.equal((await never).code, status.CANCELLED);
      await until('the handler to be told', async () => (await report(client)).ended === begun.ended + 1);
      assert.equal((await report(client)).lastEnd, 'CANCELLED');
    });

    test('has two thousand streams open on one connection', { timeout: 60000 }, async () => {
      const calls = Array.from({ length: 2000 }, () => client.Bidi());
      const ends = calls.map(collect);
      const begun = await report(client);
      calls.forEach((call, i) => call.write(Buffer.from(`first ${i}`)));
      await until('all to be open', async () => (await report(client)).opened >= begun.opened, 30000);
      calls.forEach((call, i) => { call.write(Buffer.from(`second ${i}`)); call.end(); });
      const results = await Promise.all(ends);
      results.forEach(({ messages, code }, i) => {
        assert.equal(code, status.OK);
        assert.deepEqual(messages.map(String), [`first ${i}`, `second ${i}`]);
      });
    });

    test('cancels two thousand streams at once', { timeout: 60000 }, async () => {
      const begun = await report(client);
      const calls = Array.from({ length: 2000 }, () => client.Bidi());
      const ends = calls.map(collect);
      calls.forEach((call) => call.write(Buffer.from('x')));
      await Promise.all(calls.map((call) => new Promise((resolve) => call.once('data', resolve))));
      calls.forEach((call) => call.cancel());
      for (const { code } of await Promise.all(ends)) assert.equal(code, status.CANCELLED);
      await until('every handler to be told', async () => (await report(client)).ended === begun.ended + 2000);
    });

    test('lets a client wait that sends what nobody reads', async () => {
      const writer = connect();
      const call = writer.Hold();
      const done = collect(call);
      let sent = 0;
      for (let i = 0; i < 100; i++) {
        call.write(Buffer.alloc(64 * 1024), () => { sent++; });
      }
      await sleep(300);
      assert.ok(sent < 100, 'a server that does not read took everything');
      call.cancel();
      assert.equal((await done).code, status.CANCELLED);
      writer.close();
    });

    test('survives clients that go away in the middle', async () => {
      const begun = await report(client);
      const others = Array.from({ length: 10 }, () => connect());
      const calls = others.map((other) => other.Bidi());
      calls.forEach((call) => { call.on('error', () => {}); call.write(Buffer.from('x')); });
      await Promise.all(calls.map((call) => new Promise((resolve) => call.once('data', resolve))));
      others.forEach((other) => other.close());
      calls.forEach((call) => call.cancel());
      await until('all to have ended', async () => (await report(client)).ended === begun.ended + 10);
    });
  });
}

// Not with grpc-js, which reads on while its caller does not.
describe('a client that does not read', () => {
  test('costs the server a bounded amount', async () => {
    const server = await startServer();
    const client = new Echo(`127.0.0.1:${server.port}`, grpc.credentials.createInsecure());
    const session = http2.connect(`http://127.0.0.1:${server.port}`);
    const stream = session.request({ ':method': 'POST', ':path': '/countersign.test.Echo/Stream',
      'content-type': 'application/grpc', te: 'trailers' });
    const request = Buffer.from(`2000 ${limit}`);
    stream.on('error', () => {});
    stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, request.length]), request]));
    let before = -1, now = 0;
    await until('the server to stop sending', async () => {
      before = now;
      await sleep(300);
      now = (await report(client)).bytesSent;
      return now > 0 && now === before;
    });
    assert.ok(now < 1024 * 1024, `${now} bytes were taken for a client that reads nothing`);
    stream.close(http2.constants.NGHTTP2_CANCEL);
    session.destroy();
    client.close();
    await server.stop();
  });
});

describe('a server that goes', () => {
  test('drains: open calls finish, new ones go elsewhere', async () => {
    const server = await startServer('--grace', '5000');
    const client = new Echo(`127.0.0.1:${server.port}`, grpc.credentials.createInsecure());
    assert.equal((await unary(client, 'Unary', 'x')).code, status.OK);
    const slow = unary(client, 'Slow', '600');
    await sleep(200);
    server.closing();
    assert.equal((await slow).code, status.OK);
    client.close();
    await server.stop();
  });

  test('ends what does not finish within the grace', async () => {
    const server = await startServer('--grace', '300');
    const client = new Echo(`127.0.0.1:${server.port}`, grpc.credentials.createInsecure());
    const never = unary(client, 'Never', '');
    await sleep(200);
    server.closing();
    const { code, details } = await never;
    assert.equal(code, status.UNAVAILABLE);
    assert.match(details, /going down/);
    client.close();
    await server.stop();
  });

  test('is killed: calls end as UNAVAILABLE', async () => {
    const server = await startServer();
    const client = new Echo(`127.0.0.1:${server.port}`, grpc.credentials.createInsecure());
    const never = unary(client, 'Never', '');
    await sleep(200);
    await server.kill();
    assert.equal((await never).code, status.UNAVAILABLE);
    client.close();
  });

  test('asks connections that are old to go, and serves on', async () => {
    const server = await startServer('--max-age', '300');
    const client = new Echo(`127.0.0.1:${server.port}`, grpc.credentials.createInsecure());
    const slow = unary(client, 'Slow', '900');
    for (let i = 0; i < 12; i++) {
      assert.equal((await unary(client, 'Unary', 'x')).code, status.OK);
      await sleep(100);
    }
    assert.equal((await slow).code, status.OK);
    client.close();
    await server.stop();
  });
});

describe('what is not gRPC', () => {
  let server, session;
  before(async () => {
    server = await startServer();
    session = http2.connect(`http://127.0.0.1:${server.port}`);
  });
  after(async () => {
    session.close();
    await server.stop();
  });

  const request = (headers, body) => new Promise((resolve, reject) => {
    const stream = session.request({ ':method': 'POST', ':path': '/countersign.test.Echo/Unary',
      'content-type': 'application/grpc', te: 'trailers', ...headers });
    const result = { chunks: [] };
    stream.on('response', (head) => { result.head = head; });
    stream.on('trailers', (trailers) => { result.trailers = trailers; });
    stream.on('data', (chunk) => result.chunks.push(chunk));
    stream.on('error', reject);
    stream.on('close', () => resolve({ ...result, code: Number((result.trailers ?? result.head)['grpc-status']),
      http: result.head[':status'], body: Buffer.concat(result.chunks) }));
    stream.end(body);
  });
  const frame = (bytes, flag = 0) => {
    const prefix = Buffer.alloc(5);
    prefix[0] = flag;
    prefix.writeUInt32BE(bytes.length, 1);
    return Buffer.concat([prefix, Buffer.from(bytes)]);
  };

  test('another method is 405', async () => assert.equal((await request({ ':method': 'PUT' })).http, 405));
  test('another content type is 415', async () => {
    assert.equal((await request({ 'content-type': 'application/json' })).http, 415);
    assert.equal((await request({ 'content-type': 'application/grpc-web' })).http, 415);
  });
  test('+proto is gRPC', async () =>
    assert.equal((await request({ 'content-type': 'application/grpc+proto' }, frame('x'))).code, status.OK));
  test('without te: trailers it is INTERNAL', async () =>
    assert.equal((await request({ te: undefined }, frame('x'))).code, status.INTERNAL));
  test('an unknown encoding is UNIMPLEMENTED, and says what is known', async () => {
    const { code, head } = await request({ 'grpc-encoding': 'gzip' }, frame('x'));
    assert.equal(code, status.UNIMPLEMENTED);
    assert.equal(head['grpc-accept-encoding'], 'identity');
  });
  test('a compressed message that was not announced is INTERNAL', async () =>
    assert.equal((await request({}, frame('x', 1))).code, status.INTERNAL));
  test('no message is UNIMPLEMENTED', async () => assert.equal((await request({}, '')).code, status.UNIMPLEMENTED));
  test('half a message is INTERNAL', async () =>
    assert.equal((await request({}, frame('hello').subarray(0, 7))).code, status.INTERNAL));
  test('a second message is UNIMPLEMENTED for a method that takes one', async () => {
    // The first one is answered before the second is read where both come together.
    const { code, body } = await request({ ':path': '/countersign.test.Echo/Never' },
      Buffer.concat([frame('a'), frame('b')]));
    assert.equal(code, status.UNIMPLEMENTED);
    assert.equal(body.length, 0);
  });
  test('a malformed timeout is INTERNAL', async () =>
    assert.equal((await request({ 'grpc-timeout': 'soon' }, frame('x'))).code, status.INTERNAL));
  test('a -bin header that is no base64 is INTERNAL', async () =>
    assert.equal((await request({ 'x-echo-bin': '***' }, frame('x'))).code, status.INTERNAL));
  test('headers of 17 KB are 431', async () =>
    assert.equal((await request({ 'x-large': 'x'.repeat(17000) }, frame('x'))).http, 431));
  test('the connection still serves', async () =>
    assert.equal((await request({}, frame('x'))).body.toString(), frame('x').toString()));
});

describe('several loops on one port', () => {
  test('serve many clients', { timeout: 60000 }, async () => {
    const place = temporaryFolder();
    const server = await startServer('--threads', '4', '--tls', place.folder);
    const clients = Array.from({ length: 40 }, () => new Echo(`localhost:${server.port}`,
      tlsCredentials(place.folder), { 'grpc.use_local_subchannel_pool': 1 }));
    await Promise.all(clients.map(async (client) => {
      for (let i = 0; i < 25; i++) assert.equal((await unary(client, 'Unary', Buffer.alloc(1000))).code, status.OK);
      const { messages, code } = await collect(client.Stream(Buffer.from('50 1000')));
      assert.equal(code, status.OK);
      assert.equal(messages.length, 50);
    }));
    clients.forEach((client) => client.close());
    await server.stop();
    place.remove();
  });
});

describe('who may come', () => {
  test('a client without a certificate is refused, with a sentence', async () => {
    const place = temporaryFolder();
    const server = await startServer('--tls', place.folder);
    const client = new Echo(`localhost:${server.port}`, tlsCredentials(place.folder, { withCertificate: false }));
    const { code } = await unary(client, 'Unary', 'x', { deadline: Date.now() + 3000 });
    assert.ok([status.UNAVAILABLE, status.DEADLINE_EXCEEDED].includes(code));
    await until('the server to say so', () => /refused 127.0.0.1:\d+: .*certificate/.test(server.errors()));
    client.close();
    await server.stop();
    place.remove();
  });
});
