// What does not belong on a listener is refused with the error that a gRPC user expects, and logged once.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import test from 'node:test';
import tls from 'node:tls';
import grpc from '@grpc/grpc-js';
import { Deployment, run, until } from './harness.mjs';
import { encode } from './wire.mjs';

const raw = { requestSerialize: (b) => b, requestDeserialize: (b) => b, responseSerialize: (b) => b, responseDeserialize: (b) => b };
const Agent = grpc.makeGenericClientConstructor({ Connect: { path: '/countersign.v1.AgentService/Connect', requestStream: true,
  responseStream: true, ...raw } }, 'AgentService');

async function openssl(...args) {
  const { status, stderr } = await run('openssl', args);
  assert.equal(status, 0, `openssl ${args.join(' ')}: ${stderr}`);
}

// A client certificate under a CA that is made for it, or under the controller's own.
async function clientCertificate(deployment, name, { ca, days = 30 }) {
  const at = (suffix) => deployment.path(`${name}${suffix}`);
  await openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', at('.key'));
  await openssl('req', '-new', '-key', at('.key'), '-subj', `/CN=${name}`, '-out', at('.csr'));
  if (days < 0) {
    fs.writeFileSync(at('.cnf'), '[ca]\ndefault_ca=one\n[one]\ndatabase=' + at('.db') + '\nserial=' + at('.srl') + '\nnew_certs_dir=' +
      deployment.folder + '\ndefault_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n');
    fs.writeFileSync(at('.db'), '');
    fs.writeFileSync(at('.srl'), '01\n');
    await openssl('ca', '-batch', '-config', at('.cnf'), '-in', at('.csr'), '-cert', ca.certificate, '-keyfile', ca.key, '-out', at('.crt'),
      '-startdate', '20200101000000Z', '-enddate', '20210101000000Z', '-notext');
  } else {
    await openssl('x509', '-req', '-in', at('.csr'), '-CA', ca.certificate, '-CAkey', ca.key, '-CAcreateserial', '-days', String(days),
      '-out', at('.crt'));
  }
  return { key: fs.readFileSync(at('.key')), cert: fs.readFileSync(at('.crt')) };
}

// The status with which a session ends.
function connect(deployment, credentials) {
  const client = new Agent(`127.0.0.1:${deployment.agentsPort}`, credentials, { 'grpc.ssl_target_name_override': 'countersignd',
    'grpc.default_authority': 'countersignd' });
  return new Promise((resolve) => {
    const stream = client.Connect({ deadline: Date.now() + 5000 });
    stream.on('data', () => {});
    stream.on('error', (error) => { client.close(); resolve(error); });
    stream.write(encode('AgentMessage', { hello: { agent_version: 'x', process_nonce: crypto.randomBytes(16) } }));
  });
}

// One connection by hand; resolves with this end's port once it is over.
function knock(make) {
  return new Promise((resolve) => {
    const socket = make();
    let port;
    const timer = setTimeout(() => socket.destroy(), 15_000);
    const note = () => { port ??= socket.localPort; };
    socket.on('connect', note);
    socket.on('error', () => {});
    socket.on('data', () => {});
    socket.on('close', () => { clearTimeout(timer); resolve(port); });
  });
}

test('wrong peers are refused as a gRPC user expects, and logged once', async (t) => {
  const deployment = await Deployment.create(t);
  const own = { certificate: deployment.path('state', 'keys', 'agent-ca.pem'), key: deployment.path('state', 'keys', 'agent-ca.key') };
  await openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', deployment.path('foreign.key'),
    '-subj', '/CN=Foreign CA', '-days', '30', '-out', deployment.path('foreign.crt'));
  const foreign = { certificate: deployment.path('foreign.crt'), key: deployment.path('foreign.key') };
  const anchor = fs.readFileSync(own.certificate);

  const unknown = await clientCertificate(deployment, 'unknown', { ca: own });
  const expired = await clientCertificate(deployment, 'expired', { ca: own, days: -1 });
  const stranger = await clientCertificate(deployment, 'stranger', { ca: foreign });
  const cases = [
    { name: 'no certificate', credentials: grpc.credentials.createSsl(anchor), code: grpc.status.UNAVAILABLE },
    { name: 'a foreign certificate', credentials: grpc.credentials.createSsl(anchor, stranger.key, stranger.cert), code: grpc.status.UNAVAILABLE },
    { name: 'an expired certificate', credentials: grpc.credentials.createSsl(anchor, expired.key, expired.cert), code: grpc.status.UNAVAILABLE },
    { name: 'a certificate of no device', credentials: grpc.credentials.createSsl(anchor, unknown.key, unknown.cert), code: grpc.status.UNAUTHENTICATED },
    { name: 'plain text', credentials: grpc.credentials.createInsecure(), code: grpc.status.UNAVAILABLE },
  ];
  for (const one of cases) {
    const error = await connect(deployment, one.credentials);
    assert.equal(error.code, one.code, `${one.name}: ${error.code} ${error.details}`);
  }

  const host = { host: '127.0.0.1', port: deployment.agentsPort };
  const secure = { ...host, ca: anchor, servername: 'countersignd', ALPNProtocols: ['h2'] };
  const knocks = [
    { name: 'no certificate', make: () => tls.connect(secure), says: /certificate/ },
    { name: 'a foreign certificate', make: () => tls.connect({ ...secure, ...stranger }), says: /certificate/ },
    { name: 'an expired certificate', make: () => tls.connect({ ...secure, ...expired }), says: /expired/ },
    { name: 'TLS 1.2', make: () => tls.connect({ ...secure, maxVersion: 'TLSv1.2' }), says: /TLS 1\.[23]/ },
    { name: 'plain text', make: () => net.connect(host, function () { this.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'); }), says: /HTTP|TLS/ },
    { name: 'another ALPN', make: () => tls.connect({ ...secure, ...unknown, ALPNProtocols: ['http/1.1'] }), says: /ALPN|h2/ },
  ];
  for (const one of knocks) {
    const port = await knock(one.make);
    const mine = () => deployment.controller.lines.filter((line) => line.includes(`127.0.0.1:${port}`));
    await until(`a log line for ${one.name}`, () => mine().length > 0, { timeout_ms: 5000 });
    assert.equal(mine().length, 1, `${one.name}: ${mine().join('\n')}`);
    assert.match(mine()[0], one.says, one.name);
  }
  assert.equal(await deployment.controller.stop(), 0, deployment.controller.output);
});
