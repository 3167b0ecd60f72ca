// HTTP/1.1 over sockets as hostile clients speak it: every request of tests/vectors/http1.txt, slow senders, thousands of idle
// connections, floods. After each, an ordinary client is served. Then the clients that everybody has: node and curl.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { sleep, startServer, temporaryFolder, until } from '../grpc/harness.mjs';

const run = promisify(execFile);
const headMs = 500, bodyMs = 500, idleMs = 3000;
const echo = (name) => `/countersign.test.Echo/${name}`;

// The escapes of the vectors.
function bytesOf(text) {
  const escapes = { r: '\r', n: '\n', t: '\t', 0: '\0', '\\': '\\' };
  const plain = (part) => part.replace(/\\(x([0-9a-f]{2})|.)/g, (_, one, hex) => (hex ? String.fromCharCode(parseInt(hex, 16)) : escapes[one]));
  return Buffer.from(text.split(/(\{\d+\*[^}]*\})/).map((part) => {
    const [, times, body] = /^\{(\d+)\*([^}]*)\}$/.exec(part) ?? [];
    return times ? plain(body).repeat(Number(times)) : plain(part);
  }).join(''), 'latin1');
}

const vectors = readFileSync(new URL('../../vectors/http1.txt', import.meta.url), 'utf8').split('\n')
  .filter((line) => line && !line.startsWith('#')).map((line) => {
    const [wanted, says, text] = line.split('\t');
    return { wanted, says, bytes: bytesOf(text) };
  });

const statuses = (text) => [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status).join(' ');

// A raw client: what it got, and whether the server hung up.
function dial(where) {
  const socket = net.connect(where);
  const client = { socket, text: '', closed: false };
  socket.setEncoding('latin1');
  socket.on('data', (text) => { client.text += text; });
  socket.on('error', () => {});
  socket.on('close', () => { client.closed = true; });
  return client;
}

async function say(where, bytes, wanted) {
  const client = dial(where);
  client.socket.write(bytes);
  const shown = () => statuses(client.text) + (client.closed ? ' close' : '');
  const end = Date.now() + 10000;
  while (shown() !== wanted && Date.now() < end) await sleep(10);
  // What would come too late to be right.
  await sleep(50);
  client.socket.destroy();
  return shown();
}

// An ordinary request, by a client of its own.
function get(where, name = '/page', headers = {}) {
  return new Promise((resolve, reject) => {
    http.get({ ...where, path: name, headers, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (more) => { text += more; });
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, text }));
    }).on('error', reject);
  });
}

const isServed = async (where) => {
  const { status, text } = await get(where, '/page?ordinary');
  assert.deepEqual([status, text], [200, 'hello ordinary']);
};

describe('a hostile client', { concurrency: false }, () => {
  let server, where;
  before(async () => {
    server = await startServer('--web', '--head', headMs, '--body', bodyMs, '--idle', idleMs, '--handshake', headMs);
    where = { host: '127.0.0.1', port: server.port };
  });
  after(() => server.stop());

  test('gets the answer of the vectors to each of their requests, and nobody else notices', async () => {
    assert.ok(vectors.length > 150);
    for (let i = 0; i < vectors.length; i += 20) {
      await Promise.all(vectors.slice(i, i + 20).map(async ({ wanted, says, bytes }) => {
        assert.equal(await say(where, bytes, wanted), wanted, says);
      }));
      await isServed(where);
    }
  });

  test('that sends one byte at a time gets the same', async () => {
    const one = vectors.find(({ says }) => says === 'a method in chunks');
    const client = dial(where);
    client.socket.setNoDelay(true);
    for (const byte of one.bytes) {
      client.socket.write(Buffer.from([byte]));
      await sleep(0);
    }
    await until('an answer', () => statuses(client.text) === '200');
    client.socket.destroy();
  });

  test('that begins a head and is slow is refused, whatever keeps coming', async () => {
    const client = dial(where);
    client.socket.write('GET /page HTTP/1.1\r\n');
    const drip = setInterval(() => client.socket.write('x: y\r\n'), 50);
    await until('the end', () => client.closed);
    clearInterval(drip);
    assert.equal(statuses(client.text), '408');
    await isServed(where);
  });

  test('whose body makes no progress is refused, and its call ends', async () => {
    const client = dial(where);
    client.socket.write(`POST ${echo('Unary')} HTTP/1.1\r\nhost: h\r\ncontent-type: application/proto\r\ncontent-length: 9000\r\n\r\n`);
    const drip = setInterval(() => client.socket.write('x'), 50);
    await until('the end', () => client.closed);
    clearInterval(drip);
    assert.equal(statuses(client.text), '408');
    await isServed(where);
  });

  test('that says nothing is let go', async () => {
    const silent = dial(where), begins = dial(where), spoke = dial(where);
    begins.socket.write('P');
    spoke.socket.write('GET /page HTTP/1.1\r\nhost: h\r\n\r\n');
    await until('an answer', () => statuses(spoke.text) === '200');
    await until('the end of who had spoken', () => spoke.closed);
    assert.equal(statuses(spoke.text), '200');
    assert.ok(silent.closed && begins.closed);
    assert.equal(silent.text + begins.text, '');
  });

  test('opens 2,000 connections and leaves them idle, half of them in the middle of a head', async () => {
    const patient = await startServer('--web', '--head', 2000, '--handshake', 60000);
    const where = { host: '127.0.0.1', port: patient.port };
    const clients = [];
    for (let i = 0; i < 2000; i++) {
      const client = dial(where);
      clients.push(client);
      if (i % 2) client.socket.write('GET /page HT');
      if (i % 100 === 0) await new Promise((resolve) => client.socket.once('connect', resolve));
    }
    await isServed(where);
    await until('the refusal of all that had begun', () => clients.filter(({ closed }) => closed).length === 1000, 30000);
    assert.equal(clients.filter(({ text }) => statuses(text) === '408').length, 1000);
    await isServed(where);
    assert.equal(clients.filter(({ closed }) => !closed).length, 1000);
    clients.forEach(({ socket }) => socket.destroy());
    await patient.stop();
  });

  test('asks for a hundred pages at once and gets them in order', async () => {
    const client = dial(where);
    client.socket.write(Array.from({ length: 100 }, (_, i) => `GET /page?${i} HTTP/1.1\r\nhost: h\r\n\r\n`).join(''));
    await until('all answers', () => client.text.includes('hello 99'));
    assert.deepEqual([...client.text.matchAll(/hello (\d+)/g)].map(([, i]) => Number(i)), Array.from({ length: 100 }, (_, i) => i));
    client.socket.destroy();
  });

  test('that sends megabytes behind a request which is not answered is let go after its answer', async () => {
    const client = dial(where);
    client.socket.write(`POST ${echo('Never')} HTTP/1.1\r\nhost: h\r\ncontent-type: application/proto\r\nconnect-timeout-ms: 1000\r\n\r\n`);
    client.socket.write('GET /page HTTP/1.1\r\nhost: h\r\n\r\n'.repeat(100000));
    await until('the end', () => client.closed);
    assert.equal(statuses(client.text), '504');
    await isServed(where);
  });

  test('that floods a request and goes is noticed', async () => {
    const client = dial(where);
    client.socket.write(`POST ${echo('Never')} HTTP/1.1\r\nhost: h\r\ncontent-type: application/proto\r\n\r\n${'x'.repeat(300000)}`);
    await sleep(100);
    client.socket.destroy();
    const open = async () => {
      const text = await new Promise((resolve) => http.request({ ...where, path: echo('Report'), method: 'POST', agent: false,
        headers: { 'content-type': 'application/proto' } }, (answer) => answer.setEncoding('utf8').on('data', resolve)).end());
      const [opened, ended] = text.split(' ').map(Number);
      return opened - ended;
    };
    await until('the end of its call', async () => await open() === 0);
  });

  test('that asks for megabytes and reads none does not keep others from theirs', async () => {
    const clients = Array.from({ length: 20 }, () => dial(where));
    for (const { socket } of clients) {
      socket.pause();
      socket.write('GET /large HTTP/1.1\r\nhost: h\r\n\r\n'.repeat(50));
    }
    await sleep(200);
    await isServed(where);
    clients.forEach(({ socket }) => socket.destroy());
  });

  test('that reads nothing of a stream is let go, and the call ends', async () => {
    const strict = await startServer('--web', '--stall', '500');
    const client = dial({ port: strict.port });
    client.socket.pause();
    const body = '1000000 10000';
    client.socket.write(`POST ${echo('Stream')} HTTP/1.1\r\nhost: h\r\ncontent-type: application/connect+proto\r\n`
      + `content-length: ${5 + body.length}\r\n\r\n\0\0\0\0${String.fromCharCode(body.length)}${body}`);
    const hungUp = async () => (await get({ port: strict.port })).status === 200 && await new Promise((resolve) => {
      const ask = http.request({ port: strict.port, path: echo('Report'), method: 'POST', agent: false, headers: { 'content-type': 'application/proto' } },
        (answer) => answer.setEncoding('utf8').on('data', (text) => resolve(/^(\d+) \1 /.test(text) && text !== '0 0')));
      ask.end();
    });
    await until('the end of the call', async () => hungUp());
    client.socket.destroy();
    await strict.stop();
  });

  test('that speaks HTTP/2 byte by byte is understood', async () => {
    const client = dial(where);
    client.socket.setNoDelay(true);
    for (const byte of Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1')) {
      client.socket.write(Buffer.from([byte]));
      await sleep(1);
    }
    // A SETTINGS frame of the server's, then its acknowledgement of ours.
    await until('the settings', () => client.text.includes('\0\0\0\x04\x01\0\0\0\0'));
    assert.equal(client.text[3], '\x04');
    client.socket.destroy();
  });

  test('that hangs up in the middle of anything leaves nothing behind', async () => {
    for (const { bytes } of vectors.slice(0, 40)) {
      const client = dial(where);
      client.socket.write(bytes.subarray(0, Math.ceil(bytes.length / 2)), () => client.socket.resetAndDestroy());
    }
    await isServed(where);
    // Every call that was opened has ended: the server's exit code says so.
  });
});

describe('a client that everybody has', () => {
  const { folder, remove } = temporaryFolder();
  const unix = path.join(folder, 'socket');
  let local, plain, tls, ca;
  before(async () => {
    [local, plain, tls] = await Promise.all([startServer('--web', '--unix', unix), startServer('--web'),
      startServer('--web', '--tls', folder, '--no-client-certificate')]);
    ca = readFileSync(path.join(folder, 'ca.pem'));
  });
  after(async () => {
    await Promise.all([local.stop(), plain.stop(), tls.stop()]);
    remove();
  });

  const curl = async (...args) => {
    const { stdout } = await run('curl', ['-sS', '--max-time', '10', '-w', '|%{http_code}|%{http_version}|%{content_type}', ...args]);
    return stdout;
  };
  const json = ['-H', 'content-type: application/json', '-d', '"hi"'];

  test('curl, over HTTP/1.1 and HTTP/2, on a unix socket', async () => {
    assert.equal(await curl('--unix-socket', unix, ...json, `http://localhost${echo('Unary')}`), '"hi"|200|1.1|application/json');
    assert.equal(await curl('--unix-socket', unix, '--http2-prior-knowledge', ...json, `http://localhost${echo('Unary')}`),
      '"hi"|200|2|application/json');
    assert.equal(await curl('--unix-socket', unix, 'http://localhost/page?a=b'), 'hello a=b|200|1.1|text/plain; charset=utf-8');
    assert.match(await curl('--unix-socket', unix, '-I', 'http://localhost/page'), /content-length: 6\r\n\r\n\|200\|1.1/);
    assert.match(await curl('--unix-socket', unix, '-H', 'content-type: application/json', '-d', '"5 gone"', `http://localhost${echo('Fail')}`),
      /^\{"code":"not_found","message":"gone"\}\|404\|1.1\|application\/json$/);
  });

  test('curl with a body that it asks to send first, and one that it sends in chunks', async () => {
    const args = ['--unix-socket', unix, '-H', 'content-type: application/proto', '-H', 'expect: 100-continue', '--expect100-timeout', '8'];
    const body = 'x'.repeat(100000);
    assert.equal(await curl(...args, '--data-binary', body, `http://localhost${echo('Unary')}`), `${body}|200|1.1|application/proto`);
    assert.equal(await curl(...args, '-H', 'transfer-encoding: chunked', '--data-binary', body, `http://localhost${echo('Unary')}`),
      `${body}|200|1.1|application/proto`);
  });

  test('curl by TLS, which agrees on a protocol', async () => {
    const args = ['--cacert', path.join(folder, 'ca.pem'), `https://localhost:${tls.port}/page`];
    assert.equal(await curl(...args), 'hello |200|2|text/plain; charset=utf-8');
    assert.equal(await curl('--http1.1', ...args), 'hello |200|1.1|text/plain; charset=utf-8');
    assert.equal(await curl('--no-alpn', ...args), 'hello |200|1.1|text/plain; charset=utf-8');
  });

  test('node, on one connection that it keeps', async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const ports = new Set();
    for (let i = 0; i < 20; i++) {
      const text = await new Promise((resolve, reject) => {
        const request = http.request({ port: plain.port, path: echo('Unary'), method: 'POST', agent,
          headers: { 'content-type': 'application/proto' } }, (answer) => {
          ports.add(request.socket.localPort);
          answer.setEncoding('utf8');
          let all = '';
          answer.on('data', (more) => { all += more; }).on('end', () => resolve(all));
        }).on('error', reject);
        request.write('in ');
        request.end(`pieces ${i}`);
      });
      assert.equal(text, `in pieces ${i}`);
    }
    agent.destroy();
    assert.equal(ports.size, 1);
  });

  test('node by TLS over HTTP/1.1', async () => {
    const status = await new Promise((resolve, reject) => https.get({ port: tls.port, path: '/missing', ca, servername: 'localhost' },
      (answer) => { answer.resume(); resolve(answer.statusCode); }).on('error', reject));
    assert.equal(status, 404);
  });

  test("node's fetch", async () => {
    const answer = await fetch(`http://127.0.0.1:${plain.port}${echo('Unary')}`, { method: 'POST', body: '"hi"', headers: { 'content-type': 'application/json' } });
    assert.deepEqual([answer.status, await answer.json()], [200, 'hi']);
    assert.equal((await (await fetch(`http://127.0.0.1:${plain.port}/large`)).arrayBuffer()).byteLength, 1024 * 1024);
  });

  test('node over HTTP/2, many at once', async () => {
    const session = http2.connect(`http://127.0.0.1:${plain.port}`);
    const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => new Promise((resolve, reject) => {
      const stream = session.request({ ':method': 'POST', ':path': echo('Unary'), 'content-type': 'application/json' });
      let text = '';
      stream.setEncoding('utf8');
      stream.on('data', (more) => { text += more; }).on('end', () => resolve(text)).on('error', reject);
      stream.end(`"${i}"`);
    })));
    assert.deepEqual(answers, Array.from({ length: 200 }, (_, i) => `"${i}"`));
    session.close();
  });

  test('a listener that says nothing of it speaks HTTP/2 alone', async () => {
    const server = await startServer();
    await assert.rejects(get({ port: server.port }));
    const session = http2.connect(`http://127.0.0.1:${server.port}`);
    const status = await new Promise((resolve) => session.request({ ':path': '/page' }).on('response', (head) => resolve(head[':status'])));
    assert.equal(status, 405);
    session.destroy();
    await server.stop();
  });

  test('whoever is connected when the server goes down is told', async () => {
    const server = await startServer('--web', '--grace', '300');
    const idle = dial({ port: server.port }), waits = dial({ port: server.port });
    waits.socket.write(`POST ${echo('Never')} HTTP/1.1\r\nhost: h\r\ncontent-type: application/proto\r\n\r\n`);
    idle.socket.write('GET /page HTTP/1.1\r\nhost: h\r\n\r\n');
    await until('an answer', () => statuses(idle.text) === '200');
    server.closing();
    await until('the end of who waits for nothing', () => idle.closed);
    await until('the end of the call', () => waits.closed);
    assert.equal(statuses(waits.text), '503');
    assert.match(waits.text, /connection: close/);
    await server.stop();
  });
});
