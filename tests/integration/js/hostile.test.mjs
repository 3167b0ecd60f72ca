// What strangers, and devices that have been taken over, may send to each listener. Meanwhile everybody else is served; afterwards the
// controller's memory is bounded, nothing was changed, and it ends cleanly. The noise follows from the seed: CS_SEED repeats a run.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import grpc from '@grpc/grpc-js';
import { Deployment } from './harness.mjs';
import { enrolDevice } from './device.mjs';
import { Operator, random } from './operator.mjs';
import { encode, root } from './wire.mjs';

const SECONDS = process.env.CS_LONG === '1' ? 300 : 50;
const MEMORY_BOUND_KB = 64 * 1024; // sanitizers keep freed memory for a while; a leak of a message a connection would still be seen
const seed = Number(process.env.CS_SEED ?? Date.now() % 1e6);
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const services = ['AgentService', 'EnrolmentService', 'ControllerService', 'TrustService', 'DeviceService', 'CertificateService', 'PushService'];
const methods = services.flatMap((service) => root.lookupService(`countersign.v1.${service}`).methodsArray
  .map((method) => ({ path: `/countersign.v1.${service}/${method.name}`, type: method.resolve().resolvedRequestType })));
// Whoever can open the admin socket may ban a device by its name, or put it into groups: no signature is in the way, so it is not
// done in the right shape.
const unsigned = new Set(['/countersign.v1.DeviceService/BanDevice', '/countersign.v1.DeviceService/SetDeviceGroups']);

// ---- HTTP/2 by hand (RFC 9113, RFC 7541)

const DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, PING = 6, CONTINUATION = 9;
const END_STREAM = 1, END_HEADERS = 4;
function frame(type, flags, stream, payload = Buffer.alloc(0)) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream >>> 0, 5);
  return Buffer.concat([head, payload]);
}
function hpackLength(length) {
  if (length < 127) return Buffer.of(length);
  const out = [127];
  for (length -= 127; length >= 128; length = Math.floor(length / 128)) out.push((length % 128) + 128);
  return Buffer.from([...out, length]);
}
const literal = (name, value) => Buffer.concat([Buffer.of(0), ...[name, value].flatMap((text) =>
  [hpackLength(Buffer.byteLength(text)), Buffer.from(text)])]);
const headersFor = (path, more = []) => Buffer.concat([[':method', 'POST'], [':scheme', 'http'], [':path', path],
  [':authority', 'countersignd'], ['content-type', 'application/grpc'], ['te', 'trailers'], ...more].map((pair) => literal(...pair)));
const hello = Buffer.concat([preface, frame(SETTINGS, 0, 0)]);
const grpcFrame = (message, announced = message.length, compressed = 0) => {
  const head = Buffer.alloc(5);
  head[0] = compressed;
  head.writeUInt32BE(announced >>> 0, 1);
  return Buffer.concat([head, message]);
};
function calls(path, bytes, stream = 1) {
  const parts = [frame(HEADERS, END_HEADERS, stream, headersFor(path))];
  for (let at = 0; at === 0 || at < bytes.length; at += 16384)
    parts.push(frame(DATA, at + 16384 >= bytes.length ? END_STREAM : 0, stream, bytes.subarray(at, at + 16384)));
  return Buffer.concat(parts);
}

// ---- what is sent: by name, so that a failure says what did it

// A message of the right shape with values that nobody should send.
function randomMessage(rand, type, depth = 0) {
  const out = {};
  for (const field of type.fieldsArray) {
    if (!rand.chance(0.8)) continue;
    field.resolve();
    const one = () => {
      if (field.resolvedType?.fieldsArray) return depth < 4 ? randomMessage(rand, field.resolvedType, depth + 1) : {};
      if (field.resolvedType) return rand.below(12);
      if (field.type === 'bytes') return rand.bytes(rand.pick([0, 1, 15, 16, 31, 32, 33, 91, 1000]));
      if (field.type === 'string') return rand.pick(['', 'gw-1', '../../x', 'ä\u0000', 'REQ-1', 'x'.repeat(rand.pick([63, 64, 200, 2000]))]);
      if (field.type === 'bool') return rand.chance(0.5);
      return rand.pick([0, 1, 2, 1023, 4294967295]);
    };
    out[field.name] = field.repeated ? Array.from({ length: rand.pick([0, 1, 3, 200]) }, one) : one();
  }
  return out;
}
function spoiled(rand, bytes) {
  const out = Buffer.from(bytes);
  for (let i = rand.below(4); i >= 0 && out.length; i--) out[rand.below(out.length)] = rand.below(256);
  return rand.chance(0.3) ? out.subarray(0, rand.below(out.length + 1)) : out;
}
function anyMessage(rand, type) {
  const bytes = Buffer.from(type.encode(type.fromObject(randomMessage(rand, type))).finish());
  return rand.chance(0.5) ? bytes : spoiled(rand, bytes);
}

const attacks = {
  'noise': (rand) => rand.bytes(rand.below(4000)),
  'half a preface': (rand) => preface.subarray(0, rand.below(preface.length)),
  'random frames': (rand) => Buffer.concat([preface, frame(SETTINGS, 0, 0), ...Array.from({ length: 1 + rand.below(30) }, () =>
    frame(rand.below(12), rand.below(256), rand.below(6), rand.bytes(rand.below(200))))]),
  'a frame that is too large': (rand) => Buffer.concat([hello, frame(rand.below(10), 0, 1, Buffer.alloc(70_000))]),
  'half a frame': (rand) => {
    const whole = Buffer.concat([hello, calls(rand.pick(methods).path, grpcFrame(rand.bytes(300)))]);
    return whole.subarray(0, preface.length + rand.below(whole.length - preface.length));
  },
  'huge headers': (rand) => Buffer.concat([hello, frame(HEADERS, 0, 1, headersFor('/x').subarray(0, 20)),
    ...Array.from({ length: 64 }, () => frame(CONTINUATION, 0, 1, literal(`x-${rand.below(1e6)}`, 'y'.repeat(8000))))]),
  'headers without an end': (rand) => Buffer.concat([hello, frame(HEADERS, 0, 1, headersFor('/x')),
    ...Array.from({ length: 300 }, () => frame(CONTINUATION, 0, 1, rand.chance(0.5) ? Buffer.alloc(0) : literal('a', 'b')))]),
  'header blocks of noise': (rand) => Buffer.concat([hello, frame(HEADERS, END_HEADERS | END_STREAM, 1, rand.bytes(500))]),
  'rapid reset': (rand) => {
    const open = headersFor(rand.pick(methods).path);
    return Buffer.concat([hello, ...Array.from({ length: 1500 }, (_, i) => Buffer.concat([
      frame(HEADERS, END_HEADERS, 2 * i + 1, open), frame(RST_STREAM, 0, 2 * i + 1, Buffer.from([0, 0, 0, 8]))]))]);
  },
  'pings': () => Buffer.concat([hello, ...Array.from({ length: 3000 }, () => frame(PING, 0, 0, Buffer.alloc(8)))]),
  'settings': () => Buffer.concat([hello, ...Array.from({ length: 3000 }, () => frame(SETTINGS, 0, 0))]),
  'empty data': (rand) => Buffer.concat([hello, frame(HEADERS, END_HEADERS, 1, headersFor(rand.pick(methods).path)),
    ...Array.from({ length: 3000 }, () => frame(DATA, 0, 1))]),
  'many streams': (rand) => Buffer.concat([hello, ...Array.from({ length: 2000 }, (_, i) =>
    frame(HEADERS, END_HEADERS, 2 * i + 1, headersFor(rand.pick(methods).path)))]),
  'unknown methods': (rand) => Buffer.concat([hello, ...['/', '//', '', '*', `/${'x'.repeat(5000)}`, '/countersign.v1.PushService/Nothing',
    '/countersign.v2.PushService/Decide', '/countersign.v1.PushService/Decide/'].map((path, i) =>
    calls(path, grpcFrame(rand.bytes(rand.below(50))), 2 * i + 1))]),
  'other requests': (rand) => Buffer.concat([hello, frame(HEADERS, END_HEADERS | END_STREAM, 1, Buffer.concat([[':method', rand.pick(['GET', 'CONNECT', 'PRI'])],
    [':scheme', 'ftp'], [':path', '/../../etc/passwd'], ['transfer-encoding', 'chunked'], ['grpc-timeout', '99999999999H']].map((pair) => literal(...pair))))]),
  'messages that are too large': (rand) => Buffer.concat([hello, calls(rand.pick(methods).path, grpcFrame(Buffer.alloc(200_000, 0x0a)))]),
  'messages that announce another length': (rand) => Buffer.concat([hello,
    calls(rand.pick(methods).path, grpcFrame(rand.bytes(50), rand.pick([0, 1, 49, 51, 131_072, 2 ** 31, 2 ** 32 - 1]), rand.below(3)))]),
  'protobuf of noise': (rand) => Buffer.concat([hello, ...methods.map((method, i) =>
    calls(method.path, rand.chance(0.2) ? rand.bytes(300) : grpcFrame(rand.bytes(rand.below(3000))), 2 * i + 1))]),
  'protobuf of the right shape': (rand) => Buffer.concat([hello, ...methods.filter(({ path }) => !unsigned.has(path)).map((method, i) =>
    calls(method.path, grpcFrame(anyMessage(rand, method.type)), 2 * i + 1))]),
  'protobuf without end': (rand) => Buffer.concat([hello, calls(rand.pick(methods).path, grpcFrame(Buffer.concat([
    Buffer.from([0x0a]), Buffer.alloc(9, 0xff), Buffer.of(1)]))), calls(rand.pick(methods).path, grpcFrame(Buffer.alloc(60_000, 0x0b)), 3)]),
};

// Sends, sometimes in two parts, sometimes with an end, and reads a while; whatever the other side does is right, so long as it stays up.
function say(socket, bytes, rand) {
  const linger_ms = 20 + rand.below(100), cut = rand.chance(0.3) ? rand.below(bytes.length + 1) : bytes.length, ends = rand.chance(0.3);
  return new Promise((resolve) => {
    let timer = setTimeout(() => socket.destroy(), 5000);
    let said = false;
    const speak = async () => {
      if (said) return;
      said = true;
      socket.write(bytes.subarray(0, cut));
      if (cut < bytes.length) {
        await sleep(5);
        if (!socket.destroyed) socket.write(bytes.subarray(cut));
      }
      if (ends) socket.end();
      clearTimeout(timer);
      timer = setTimeout(() => socket.destroy(), linger_ms);
    };
    socket.on('connect', () => { if (!(socket instanceof tls.TLSSocket)) speak(); });
    socket.on('secureConnect', speak);
    socket.on('error', () => {});
    socket.on('data', () => {});
    socket.on('close', () => { clearTimeout(timer); resolve(); });
  });
}

const residentKb = (pid) => Number(fs.readFileSync(`/proc/${pid}/status`, 'utf8').match(/VmRSS:\s+(\d+)/)[1]);

test('strangers and broken peers on every listener', async (t) => {
  const rand = random(seed);
  t.diagnostic(`seed ${seed}`);
  // Freed memory that the sanitizer keeps would hide growth.
  process.env.ASAN_OPTIONS = `${process.env.ASAN_OPTIONS ?? ''}:quarantine_size_mb=4`;
  const deployment = await Deployment.create(t, { controller: { drain_seconds: 2 } });
  const hostile = await enrolDevice(deployment, 'taken-over');
  const agent = await deployment.agent('gw-1');
  await agent.enrol();
  const running = agent.start();
  await deployment.advertised('gw-1');
  const operator = await Operator.open(t, deployment);
  const { pid } = deployment.controller;

  const tcp = (port) => ({ host: '127.0.0.1', port });
  const secure = (port, more) => tls.connect({ ...tcp(port), servername: 'countersignd', ALPNProtocols: ['h2'], rejectUnauthorized: false, ...more });
  const listeners = {
    'admin': () => net.connect(deployment.socket),
    'agents with a certificate': () => secure(deployment.agentsPort, hostile.tls),
    'agents without a certificate': () => secure(deployment.agentsPort),
    'agents without TLS': () => net.connect(tcp(deployment.agentsPort)),
    'enrolment': () => secure(deployment.enrolmentPort),
    'enrolment without TLS': () => net.connect(tcp(deployment.enrolmentPort)),
  };
  const tlsNoise = (bytes) => rand.chance(0.5) ? Buffer.concat([Buffer.from([22, 3, 1, bytes.length >> 8, bytes.length & 255]), bytes]) : bytes;
  async function attack(name, listener) {
    last.push(`${name} (${listener})`);
    if (last.length > 8) last.shift();
    const bytes = attacks[name](rand);
    await say(listeners[listener](), listener.endsWith('without TLS') ? tlsNoise(bytes.subarray(0, 60_000)) : bytes, rand);
  }

  // What a device with a good certificate may say on its stream.
  async function stream() {
    const session = hostile.connect();
    const deadline = sleep(300);
    for (let i = rand.below(6); i >= 0; i--) {
      const type = root.lookupType('countersign.v1.AgentMessage');
      session.stream.write(rand.chance(0.3) ? rand.bytes(rand.below(3000)) : anyMessage(rand, type));
    }
    if (rand.chance(0.3)) session.send({ statement: spoiled(rand, hostile.advertisement()) });
    await Promise.race([session.ended, deadline]);
    session.close();
  }

  // An operator and a device that do nothing wrong: each is answered, all the time.
  const waits = [];
  let stopping = false;
  async function normal() {
    while (!stopping) {
      const began = Date.now();
      await operator.call('DeviceService', 'ListDevices', {}, { timeout_ms: 15_000 });
      waits.push(Date.now() - began);
      await sleep(20);
    }
  }
  const watching = normal();
  watching.catch(() => { stopping = true; });

  const names = Object.keys(attacks), places = Object.keys(listeners);
  let sent = 0;
  const last = []; // what was under way, should the controller end
  const round = async () => {
    for (const place of places)
      for (let at = 0; at < names.length && !stopping; at += 4) {
        await Promise.all([...names.slice(at, at + 4).map((name) => attack(name, place)), ...(at === 0 ? [stream()] : [])]);
        sent += 4;
      }
  };
  const before = (await operator.audit()).at(-1);
  const up = async () => {
    if (stopping) await Promise.race([deployment.controller.exited, sleep(2000)]);
    assert.equal(deployment.controller.status, undefined, `${last.join(', ')}\n${deployment.controller.output.slice(-6000)}`);
  };
  await round();
  await up();
  const settled = residentKb(pid);
  const end = Date.now() + SECONDS * 1000;
  while (Date.now() < end && !stopping) await round();
  await up();
  stopping = true;
  await watching;
  await sleep(500);
  const grown = residentKb(pid) - settled;
  waits.sort((a, b) => a - b);
  t.diagnostic(`${sent} attacks; resident ${settled} KB after the first round, grew by ${grown} KB; ${waits.length} normal calls, ` +
    `half within ${waits[waits.length >> 1]} ms, 99 of 100 within ${waits[Math.floor(waits.length * 0.99)]} ms, all within ${waits.at(-1)} ms`);
  assert.ok(grown < MEMORY_BOUND_KB, `the controller grew by ${grown} KB`);

  // Only the sessions of the device that was taken over, and tokens for names that are fit for one, have left a trace.
  const devices = await operator.call('DeviceService', 'ListDevices', {});
  assert.deepEqual(devices.devices.map((device) => device.name).sort(), ['gw-1', 'taken-over']);
  assert.ok(devices.devices.find((device) => device.name === 'gw-1').connected, 'gw-1 lost its session');
  for (const record of await operator.audit(before.revision))
    assert.match(`${record.command} ${record.subject}`, /^Session\w+ device taken-over$|^Advertisement device taken-over$|^CreateToken /);

  // Every shard still serves devices: a push gets through on a new and on the old connection.
  assert.equal(await running.stop(), 0, running.output);
  const again = agent.start();
  const { pem } = await deployment.certificate('metering.example');
  await deployment.push(pem, 'metering.example', 'gw-1');
  assert.equal(await again.stop(), 0, again.output);
  assert.equal(await deployment.controller.stop(), 0, deployment.controller.output.slice(-4000));
});

test('each method answers a wrong message with a status that says so', async (t) => {
  const deployment = await Deployment.create(t);
  const operator = await Operator.open(t, deployment);
  const status = (path, bytes) => operator.raw(path, bytes).then(() => null, (error) => error);
  for (const { path } of methods.filter((method) => !/AgentService|EnrolmentService/.test(method.path))) {
    const broken = await status(path, Buffer.from([0x0a, 0x7f, 1]));
    assert.equal(broken?.code, grpc.status.INVALID_ARGUMENT, `${path}: ${broken?.code} ${broken?.details}`);
    const large = await status(path, Buffer.alloc(200_000));
    assert.equal(large?.code, grpc.status.RESOURCE_EXHAUSTED, `${path}: ${large?.code} ${large?.details}`);
  }
  for (const path of ['/countersign.v1.PushService/Nothing', '/countersign.v1.AgentService/Connect', '/countersign.v1.EnrolmentService/Enrol']) {
    const unknown = await status(path, encode('GetStatusRequest', {}));
    assert.equal(unknown?.code, grpc.status.UNIMPLEMENTED, `${path}: ${unknown?.code} ${unknown?.details}`);
  }
  assert.equal(await deployment.controller.stop(), 0, deployment.controller.output);
});
