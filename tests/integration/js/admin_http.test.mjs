// The operators' services as curl and any HTTP client reach them: on the admin socket by Connect, in JSON and in protobuf, over
// both versions of HTTP. What faces devices speaks gRPC and nothing else.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import test from 'node:test';
import tls from 'node:tls';
import { Deployment, run } from './harness.mjs';
import { Operator } from './operator.mjs';
import { decode } from './wire.mjs';

const service = (name) => `http://localhost/countersign.v1.${name}`;

async function curl(deployment, ...args) {
  const { status, stdout, stderr } = await run('curl', ['-sS', '--max-time', '20', '--unix-socket', deployment.socket, '-w', '\n%{http_code}', ...args]);
  assert.equal(status, 0, stderr);
  const end = stdout.lastIndexOf('\n');
  return { status: Number(stdout.slice(end + 1)), body: stdout.slice(0, end) };
}

const post = async (deployment, where, body, ...args) => {
  const answer = await curl(deployment, '-H', 'content-type: application/json', '-d', JSON.stringify(body), ...args, service(where));
  return { status: answer.status, body: JSON.parse(answer.body) };
};

test('curl calls what the command line calls, and gets the same', async (t) => {
  const deployment = await Deployment.create(t);
  const operator = await Operator.open(t, deployment);

  for (const version of ['--http1.1', '--http2-prior-knowledge']) {
    const { status, body } = await post(deployment, 'ControllerService/GetStatus', {}, version);
    assert.equal(status, 200);
    assert.equal(Buffer.from(body.deploymentId, 'base64').toString('hex'), Buffer.from(operator.status.deployment_id).toString('hex'));
    assert.equal(body.version, operator.status.version);
  }

  await t.test('in protobuf, too', async () => {
    const answer = await run('curl', ['-sS', '--unix-socket', deployment.socket, '-H', 'content-type: application/proto', '--data-binary', '',
      '-o', deployment.path('status.bin'), service('ControllerService/GetStatus')]);
    assert.equal(answer.status, 0, answer.stderr);
    assert.deepEqual(decode('GetStatusResponse', fs.readFileSync(deployment.path('status.bin'))).deployment_id, operator.status.deployment_id);
  });

  await t.test('with an error that says what to do', async () => {
    const missing = await post(deployment, 'DeviceService/GetDevice', { name: 'nobody' });
    assert.equal(missing.status, 404);
    assert.equal(missing.body.code, 'not_found');
    assert.match(missing.body.message, /nobody/);
    const wrong = await post(deployment, 'DeviceService/GetDevice', { name: 7 });
    assert.equal(wrong.status, 400);
    assert.equal(wrong.body.code, 'invalid_argument');
    assert.match(wrong.body.message, /name/);
    assert.equal((await post(deployment, 'DeviceService/Nothing', {})).status, 404);
    assert.equal((await curl(deployment, service('ControllerService/GetStatus'))).status, 405);
  });

  await t.test('a method of agents is not there', async () => {
    assert.equal((await post(deployment, 'AgentService/Connect', {})).status, 404);
    assert.equal((await post(deployment, 'EnrolmentService/Enrol', {})).status, 404);
  });
});

// The messages of a stream: one byte of flags, four of length, JSON.
async function* messages(answer) {
  let held = Buffer.alloc(0);
  for await (const more of answer) {
    held = Buffer.concat([held, more]);
    while (held.length >= 5 && held.length >= 5 + held.readUInt32BE(1)) {
      const end = 5 + held.readUInt32BE(1);
      yield { flags: held[0], body: JSON.parse(held.subarray(5, end)) };
      held = held.subarray(end);
    }
  }
}

test('node watches over HTTP/1.1 what changes', async (t) => {
  const deployment = await Deployment.create(t);
  const watch = (request) => new Promise((resolve, reject) => {
    const json = JSON.stringify(request), prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(json.length, 1);
    const ask = http.request({ socketPath: deployment.socket, path: '/countersign.v1.WatchService/Watch', method: 'POST', agent: false,
      headers: { 'content-type': 'application/connect+json', 'connect-protocol-version': '1' } },
    (answer) => resolve({ answer, next: messages(answer), stop: () => ask.destroy() }));
    ask.on('error', reject);
    ask.end(Buffer.concat([prefix, Buffer.from(json)]));
  });

  const { answer, next, stop } = await watch({ kinds: ['OBJECT_KIND_CERTIFICATE'] });
  assert.equal(answer.statusCode, 200);
  assert.equal(answer.headers['content-type'], 'application/connect+json');
  const first = await next.next();
  assert.equal(first.value.flags, 0);
  assert.ok(Number(first.value.body.revision) > 0);
  const { pem } = await deployment.certificate('gw-1.example');
  await deployment.cli('cert', 'import', pem);
  const { changes } = (await next.next()).value.body;
  assert.deepEqual(changes.map(({ kind }) => kind), ['OBJECT_KIND_CERTIFICATE']);
  stop();

  // An error is the stream's last message.
  const ahead = await watch({ afterRevision: '1000000' });
  const last = (await ahead.next.next()).value;
  assert.equal(last.flags, 2);
  assert.equal(last.body.error.code, 'out_of_range');
  assert.ok((await ahead.next.next()).done);
});

// Whatever this listener answers to bytes that are HTTP/1.1.
const answerOf = (socket) => new Promise((resolve) => {
  let text = '';
  socket.on('data', (more) => { text += more; });
  socket.on('error', () => {});
  socket.on('close', () => resolve(text));
  socket.write('GET /page HTTP/1.1\r\nhost: h\r\n\r\n');
});

test('the listeners that devices dial speak neither HTTP/1.1 nor Connect', async (t) => {
  const deployment = await Deployment.create(t);

  for (const port of [deployment.agentsPort, deployment.enrolmentPort]) {
    assert.ok(!(await answerOf(net.connect(port, '127.0.0.1'))).includes('HTTP/1.1'));
    const refused = await new Promise((resolve) => {
      tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] })
        .on('error', resolve).on('secureConnect', () => resolve(null));
    });
    assert.match(String(refused), /no application protocol|alert/i);
  }
  // With TLS for everybody: HTTP/1.1 in the clothes of HTTP/2, and Connect over HTTP/2.
  const dressed = tls.connect({ port: deployment.enrolmentPort, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2'] });
  assert.ok(!(await answerOf(dressed)).includes('HTTP/1.1'));
  const session = http2.connect(`https://127.0.0.1:${deployment.enrolmentPort}`, { rejectUnauthorized: false });
  const status = await new Promise((resolve, reject) => {
    const stream = session.request({ ':method': 'POST', ':path': '/countersign.v1.EnrolmentService/Enrol', 'content-type': 'application/json' });
    stream.on('response', (head) => resolve(head[':status'])).on('error', reject);
    stream.end('{}');
  });
  assert.equal(status, 415);
  session.destroy();
});
