// @grpc/grpc-js as the server of our client.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { grpc, program, service, sleep, startServer, temporaryFolder } from './harness.mjs';

const { status } = grpc;
const limit = 128 * 1024;

const handlers = {
  Unary: (call, reply) => reply(null, call.request),
  Fail: (call, reply) => {
    const [code, ...words] = call.request.toString().split(' ');
    const metadata = new grpc.Metadata();
    metadata.set('reason', 'because');
    reply({ code: Number(code), details: words.join(' '), metadata });
  },
  Stream: async (call) => {
    const [count, size] = call.request.toString().split(' ').map(Number);
    for (let i = 0; i < count && !call.cancelled; i++)
      if (!call.write(Buffer.alloc(size))) await new Promise((resolve) => { call.once('drain', resolve); call.once('cancelled', resolve); });
    call.end();
  },
  Collect: (call, reply) => {
    let count = 0, bytes = 0;
    call.on('data', (message) => { count++; bytes += message.length; });
    call.on('end', () => reply(null, Buffer.from(`${count} ${bytes}`)));
  },
  Bidi: (call) => {
    call.on('data', (message) => call.write(message));
    call.on('end', () => call.end());
  },
  Hold: () => {},
  Never: () => {},
  Metadata: (call, reply) => {
    const [plain] = call.metadata.get('x-echo'), [binary] = call.metadata.get('x-echo-bin');
    const metadata = new grpc.Metadata();
    metadata.set('reason', `${plain.replace(' ', '_')}|${binary.toString('hex')}`);
    reply(null, Buffer.alloc(0), metadata);
  },
  Slow: (call, reply) => setTimeout(() => reply(null, call.request), Number(call.request.toString())),
  Deadline: (call, reply) => reply(null, Buffer.from(String(call.getDeadline()))),
  Small: (call, reply) => reply(null, call.request),
  Report: (call, reply) => reply(null, call.request),
};

async function serve(address, credentials = grpc.ServerCredentials.createInsecure(), options = {}) {
  const server = new grpc.Server({ 'grpc.max_receive_message_length': limit, ...options });
  const { Missing, ...known } = service;
  server.addService(known, handlers);
  const port = await new Promise((resolve, reject) =>
    server.bindAsync(address, credentials, (error, bound) => (error ? reject(error) : resolve(bound))));
  return { server, port };
}

// Runs our client; every line of its output, and its exit code.
function probe(...args) {
  const child = spawn(program('grpc_probe_client'), args.map(String), { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '', errors = '';
  child.stdout.on('data', (more) => { text += more; });
  child.stderr.on('data', (more) => { errors += more; });
  const timer = setTimeout(() => child.kill('SIGABRT'), 30000);
  const done = new Promise((resolve) => child.on('close', (code, signal) => {
    clearTimeout(timer);
    // grpc-js says "OK" with OK, which is its right.
    resolve({ code: code ?? signal, lines: text.trim().split('\n').map((line) => line.replace(/ OK$/, '').trim()), errors });
  }));
  return Object.assign(done, { output: () => text });
}

async function expectLines(args, wanted) {
  const { code, lines, errors } = await probe(...args);
  assert.equal(code, 0, errors);
  assert.deepEqual(lines, ['up', ...wanted]);
}

// Our own server makes certificates for whoever asks it to.
async function makeCertificates(folder) {
  await (await startServer('--tls', folder)).stop();
}

const read = (folder, name) => readFileSync(path.join(folder, name));

const transports = [
  { name: 'TCP', address: () => 'localhost:0', args: (port) => ['--port', port] },
  { name: 'a unix socket', address: (folder) => `unix:${folder}/s`, args: (_port, folder) => ['--unix', `${folder}/s`] },
  { name: 'mutual TLS', address: () => 'localhost:0', tls: true,
    args: (port, folder) => ['--port', port, '--tls', folder] },
];

for (const transport of transports) {
  describe(`over ${transport.name}`, () => {
    let place, bound, to;
    before(async () => {
      place = temporaryFolder();
      if (transport.tls) await makeCertificates(place.folder);
      const credentials = transport.tls ? grpc.ServerCredentials.createSsl(read(place.folder, 'ca.pem'),
        [{ private_key: read(place.folder, 'server.key'), cert_chain: read(place.folder, 'server.pem') }], true) : undefined;
      bound = await serve(transport.address(place.folder), credentials);
      to = transport.args(bound.port, place.folder);
    });
    after(() => {
      bound.server.forceShutdown();
      place.remove();
    });

    test('makes every kind of call', () => expectLines([...to, 'unary', 5, 'unary', 0, 'unary', limit, 'stream', 100, 1000,
      'collect', 50, 10, 'bidi', 200, 1000, 'stream', 100, limit, 'bidi', 100, limit], [
      'unary OK 1 5 -', 'unary OK 1 0 -', `unary OK 1 ${limit} -`, 'stream OK 100 100000 -', 'collect OK 1 6 -',
      'bidi OK 200 200000 -', `stream OK 100 ${100 * limit} -`, `bidi OK 100 ${100 * limit} -`]));

    test('learns status, sentence and trailers', () => expectLines([...to, 'fail', 9, 'fail', 16, 'missing'], [
      'fail FAILED_PRECONDITION 0 0 because said so: ä 100 %', 'fail UNAUTHENTICATED 0 0 because said so: ä 100 %',
      'missing UNIMPLEMENTED 0 0 - The server does not implement the method /countersign.test.Echo/Missing']));

    test('sends and receives metadata', () =>
      expectLines([...to, 'metadata'], ['metadata OK 1 0 some_text|00ff010203']));

    test('keeps its deadline', () =>
      expectLines([...to, 'deadline', 100, 'unary', 1], ['deadline DEADLINE_EXCEEDED 0 0 - the deadline has passed',
        'unary OK 1 1 -']));

    test('cancels in the middle', () => expectLines([...to, 'cancel', 'unary', 1], [
      'cancel CANCELLED 3 3000 - the call was cancelled here', 'unary OK 1 1 -']));

    test('stops reading and goes on', () =>
      expectLines([...to, 'paused-stream', 100, limit], [`paused-stream OK 100 ${100 * limit} -`]));

    test('has two thousand calls open', async () => {
      const { code, lines } = await probe(...to, 'many', 2000);
      assert.equal(code, 0);
      assert.equal(lines.filter((line) => line === 'many OK 2 20 -').length, 2000);
    });
  });
}

describe('a server that goes', () => {
  test('is told apart: GOAWAY first, then the end', async () => {
    const { server, port } = await serve('localhost:0');
    const running = probe('--port', port, 'slow', 500);
    await sleep(250);
    const shut = new Promise((resolve) => server.tryShutdown(resolve));
    const { code, lines } = await running;
    await shut;
    assert.equal(code, 0);
    assert.deepEqual(lines.slice(0, 2), ['up', 'goaway']);
    assert.match(lines[2], /^slow OK 1 3 -/);
  });

  test('ends calls as UNAVAILABLE when it is cut off', async () => {
    const { server, port } = await serve('localhost:0');
    const proxied = new Set();
    const proxy = net.createServer((socket) => {
      const inner = net.connect(port, 'localhost');
      proxied.add(socket);
      socket.pipe(inner).pipe(socket);
      socket.on('error', () => inner.destroy());
      inner.on('error', () => {});
    });
    await new Promise((resolve) => proxy.listen(0, 'localhost', resolve));
    const running = probe('--port', proxy.address().port, 'never');
    await sleep(400);
    for (const socket of proxied) socket.resetAndDestroy();
    const { code, lines } = await running;
    assert.equal(code, 0);
    assert.equal(lines[0], 'up');
    assert.match(lines[1], /^never UNAVAILABLE .*reset/);
    assert.match(lines[2], /^down .*reset/);
    proxy.close();
    server.forceShutdown();
  });

  test('is noticed when it falls silent', async () => {
    const { server, port } = await serve('localhost:0');
    let held = false;
    const sockets = [];
    const proxy = net.createServer((socket) => {
      const inner = net.connect(port, 'localhost');
      sockets.push(socket, inner);
      socket.on('data', (bytes) => { if (!held) inner.write(bytes); });
      inner.on('data', (bytes) => { if (!held) socket.write(bytes); });
      socket.on('error', () => {});
      inner.on('error', () => {});
    });
    await new Promise((resolve) => proxy.listen(0, 'localhost', resolve));
    const running = probe('--port', proxy.address().port, '--keepalive', 200, 'never');
    await sleep(300);
    held = true;
    const { code, lines } = await running;
    assert.equal(code, 0);
    assert.match(lines[1], /^never UNAVAILABLE .*did not answer a ping/);
    sockets.forEach((socket) => socket.destroy());
    proxy.close();
    server.forceShutdown();
  });

  test('is not there', async () => {
    const { code, lines } = await probe('--port', 1, 'unary', 1);
    assert.equal(code, 0);
    assert.match(lines[0], /^down localhost:1: connecting: connection refused/);
  });

  test('that limits streams makes calls wait', async () => {
    const { server, port } = await serve('localhost:0', undefined, { 'grpc.max_concurrent_streams': 5 });
    const { code, lines } = await probe('--port', port, 'many', 100);
    assert.equal(code, 0);
    assert.equal(lines.filter((line) => line === 'many OK 2 20 -').length, 100);
    server.forceShutdown();
  });
});
