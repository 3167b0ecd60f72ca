// Clients that we did not write call every method that operators have: Connect and gRPC, JSON and protobuf, HTTP/1.1 and HTTP/2.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { makeCertificate, toPem } from './certificates.mjs';
import { clients } from './clients.mjs';
import { Deployment, run } from './harness.mjs';
import { cases, signIn } from './methods.mjs';
import { enumOf, services } from './schema.mjs';
import { sha256 } from './wire.mjs';

// Those that devices call, on other listeners, and what the console's own page does.
const ofOthers = ['AgentService', 'EnrolmentService', 'SignerService'];
const methodOf = (name) => {
  const [service, method] = name.split('/');
  return services.find((one) => one.name === service).methods.find((one) => one.name === method);
};

const methodsOf = (kind) => services.filter((service) => !ofOthers.includes(service.name)).flatMap((service) => service.methods)
  .filter((method) => method.methodKind === kind).map((method) => `${method.parent.name}/${method.name}`);

test('every method of an operator service has a case', () => {
  const all = methodsOf('unary');
  const has = Object.keys(cases);
  assert.deepEqual(all.filter((name) => !has.includes(name)), [], 'methods without a case in methods.mjs');
  assert.deepEqual(has.filter((name) => !all.includes(name)), [], 'cases without a method in proto/');
  assert.deepEqual(methodsOf('server_streaming').sort(), Object.keys(streams).sort());
  assert.deepEqual([...methodsOf('client_streaming'), ...methodsOf('bidi_streaming')], [], 'Connect over HTTP/1.1 has none of these');
});

// `as` gives the headers with which somebody calls: on the socket whoever can open it may do everything.
const newStory = (deployment, client, as = () => ({})) => ({ deployment, as,
  key: (name) => crypto.createPrivateKey(fs.readFileSync(path.join(deployment.home, 'operators', `${name}.key`))),
  call: (name, init, headers) => client.call(methodOf(name), init, { headers }) });

// One client's story from the first case to the last, each as a test of its own.
async function tell(t, deployment, client, n, as) {
  const s = newStory(deployment, client, as);
  for (const [name, run] of Object.entries(cases)) {
    const ok = (init, headers) => s.call(name, init, headers);
    const refused = (code, init, pattern, headers) => assert.rejects(s.call(name, init, headers), (error) => {
      assert.match(error.code ?? String(error), code instanceof RegExp ? code : new RegExp(`^${code}$`), error.message);
      assert.match(error.message, pattern ?? /./);
      return true;
    });
    await t.test(`${client.name}: ${name}`, () => run({ ok, refused, s, c: { place: client.place, n } }));
  }
  s.session?.close();
}

test('every client calls every method on the admin socket', async (t) => {
  const deployment = await Deployment.create(t, { controller: { operators: '127.0.0.1:0', console: 'yes' } });
  for (const [n, client] of clients({ socket: deployment.socket }).entries()) await tell(t, deployment, client, n);
});

test('every client calls every method on the operators\' listener, with a session', async (t) => {
  const deployment = await Deployment.create(t, { controller: { operators: '127.0.0.1:0', console: 'yes' } });
  const [, port] = await deployment.controller.line(/READY.*\boperators=\S*?:(\d+)/);
  const place = { url: `http://127.0.0.1:${port}` };
  for (const client of clients(place))
    await assert.rejects(client.call(methodOf('DeviceService/ListDevices'), {}), { code: 'unauthenticated' }, client.name);
  const people = {};
  for (const name of ['ada', 'bob', 'carol']) people[name] = await signIn(newStory(deployment, clients(place)[0]), name);
  for (const [n, client] of clients({ ...place, headers: people.ada }).entries()) await tell(t, deployment, client, n, (name) => people[name]);
});

// What stands at the other end of a TLS connection.
function serverSpkiOf(port, options) {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host: '127.0.0.1', port, ...options }, () => {
      resolve(socket.getPeerX509Certificate().publicKey.export({ format: 'der', type: 'spki' }));
      socket.end();
    }).on('error', reject);
  });
}

test('every client calls the operators\' listener over TLS', async (t) => {
  const deployment = await Deployment.create(t, { controller: { operators: '127.0.0.1:0', operators_tls: 'on' } });
  const [, port] = await deployment.controller.line(/READY.*\boperators=\S*?:(\d+)/);
  const { agentCa } = await clients({ socket: deployment.socket })[0].call(methodOf('ControllerService/GetStatus'), {});
  const place = { url: `https://127.0.0.1:${port}`, servername: 'countersignd', ca: toPem('CERTIFICATE', Buffer.from(agentCa)),
    caFile: deployment.path('agent-ca.pem') };
  fs.writeFileSync(place.caFile, place.ca);
  const serverSpkiDigest = sha256(await serverSpkiOf(port, place));
  for (const client of clients(place)) {
    await assert.rejects(client.call(methodOf('DeviceService/ListDevices'), {}), { code: 'unauthenticated' }, client.name);
    // The opening names the key that the client saw, so that nobody in between can use it.
    await assert.rejects(signIn(newStory(deployment, client), 'ada'), { code: 'unauthenticated' }, client.name);
    const headers = await signIn({ ...newStory(deployment, client), serverSpkiDigest }, 'ada');
    assert.equal((await client.call(methodOf('SessionService/WhoAmI'), {}, { headers })).operator, 'ada', client.name);
    assert.deepEqual((await client.call(methodOf('DeviceService/ListDevices'), {}, { headers })).devices, []);
  }
});

// The first message that `probe` likes; then the stream is ended from here.
async function firstOf(client, method, init, probe) {
  const ending = new AbortController();
  const timer = setTimeout(() => ending.abort(), 30_000);
  try {
    for await (const message of client.stream(method, init, { signal: ending.signal })) if (await probe(message)) return message;
    throw new Error('the stream ended before it told what was wanted');
  } finally {
    clearTimeout(timer);
    ending.abort();
  }
}

const streams = {
  async 'WatchService/Watch'(until, client, n) {
    const kinds = [enumOf('ObjectKind').OBJECT_KIND_CERTIFICATE];
    const leaf = makeCertificate(`watched-${n}.example`);
    const tells = (message) => message.changes.some((change) => Buffer.from(change.id).equals(leaf.id));
    let begun;
    const told = await until({ kinds }, async (message) => {
      if (begun) return tells(message);
      begun = message.revision;
      await client.call(methodOf('CertificateService/ImportCertificate'), { certificates: Buffer.from(leaf.pem) });
      return false;
    });
    assert.ok(told.revision > begun);
    // The same again for one who comes later, and nothing for one who asks for something else.
    await until({ kinds, afterRevision: begun }, tells);
    await until({ kinds, afterRevision: begun, certificateId: leaf.id }, tells);
    await assert.rejects(until({ afterRevision: 2n ** 40n }, () => false), { code: 'out_of_range' });
    await assert.rejects(until({ certificateId: Buffer.alloc(5) }, () => false), { code: 'invalid_argument' });
  },
  async 'Health/Watch'(until) {
    const SERVING = 1, SERVICE_UNKNOWN = 3;
    assert.equal((await until({}, () => true)).status, SERVING);
    assert.equal((await until({ service: 'countersign.v1.PushService' }, () => true)).status, SERVING);
    assert.equal((await until({ service: 'nothing' }, () => true)).status, SERVICE_UNKNOWN);
  },
};

test('every client gets every stream', async (t) => {
  const deployment = await Deployment.create(t);
  for (const [n, client] of clients({ socket: deployment.socket }).entries())
    for (const [name, run] of Object.entries(streams))
      await t.test(`${client.name}: ${name}`, () => run((init, probe) => firstOf(client, methodOf(name), init, probe), client, n));
});

test('curl works as the README has it', async (t) => {
  const readme = fs.readFileSync(path.join(path.dirname(fileURLToPath(import.meta.url)), '../../../README.md'), 'utf8');
  const examples = [...readme.matchAll(/^```\n((?:(?!```)[^])*?\bcurl [^]*?)^```$/gm)].map(([, text]) => text);
  const deployment = await Deployment.create(t);
  for (const [name, days] of [['soon.example', 5], ['fine.example', 300]]) {
    fs.writeFileSync(deployment.path(`${name}.pem`), makeCertificate(name, { days }).pem);
    await deployment.cli('cert', 'import', deployment.path(`${name}.pem`));
  }
  const sh = (text) => run('sh', ['-ec', text], { env: { COUNTERSIGN_SOCKET: deployment.socket } });
  // What each is known by, and what it has to print.
  const known = {
    'CertificateService/ListCertificates': async (stdout, text) => {
      assert.deepEqual(JSON.parse(stdout).certificates.map((one) => [one.commonName, one.colour]), [['soon.example', 'COLOUR_ORANGE']]);
      // A mistake is told with its place.
      const wrong = JSON.parse((await sh(text.replace('COLOUR_RED', 'RED'))).stdout);
      assert.equal(wrong.code, 'invalid_argument');
      assert.match(wrong.message, /^colours\[0\]: 'RED' is no Colour: use one of COLOUR_UNSPECIFIED, COLOUR_GREEN/);
    },
    '/metrics': async (stdout) => assert.match(stdout, /^countersign_certificates\{colour="orange"\} 1$/m),
  };
  const nameOf = (text) => Object.keys(known).find((name) => text.includes(name));
  assert.deepEqual(examples.map(nameOf).sort(), Object.keys(known).sort(), 'an example that is new needs a look at what it should print');
  for (const text of examples) {
    const { status, stdout, stderr } = await sh(text);
    assert.deepEqual([status, stderr], [0, ''], text);
    await known[nameOf(text)](stdout, text);
  }
});
