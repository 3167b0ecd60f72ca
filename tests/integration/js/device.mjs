// A device as far as tests need one: enrols for real, then says on its stream what a test tells it to.
import crypto from 'node:crypto';
import grpc from '@grpc/grpc-js';
import { toPem } from './certificates.mjs';
import { decode, encode, makeCsr, signEnvelope } from './wire.mjs';

const same = (bytes) => bytes;
const names = { 'grpc.ssl_target_name_override': 'countersignd', 'grpc.default_authority': 'countersignd' };
export const readToken = (text) => decode('EnrolmentToken', Buffer.from(text.replace(/^cst1\./, ''), 'base64url'));

// What a token's enrolment sends; `spoil` may change it before it goes.
export function makeDevice(deployment, token) {
  const identity = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const kem = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = (pair) => pair.publicKey.export({ format: 'der', type: 'spki' });
  const device_id = crypto.randomBytes(16);
  let sequence = 0;
  const device = {
    token, device_id, identity,
    async enrol(spoil = (request) => request) {
      const client = new grpc.Client(`127.0.0.1:${deployment.enrolmentPort}`,
        grpc.credentials.createSsl(Buffer.from(toPem('CERTIFICATE', token.agent_ca))), names);
      const name = Buffer.from(token.device_name);
      const binding_mac = crypto.createHmac('sha256', token.binding).update('countersign/v1/enrol').update(token.deployment_id)
        .update(Buffer.of(name.length)).update(name).update(device_id).update(spki(identity)).update(spki(kem)).digest();
      const request = encode('EnrolRequest', spoil({ authentication: token.authentication, device_name: token.device_name, device_id,
        csr: makeCsr(identity.privateKey, token.device_name), kem_spki: spki(kem), binding_mac }));
      try {
        const reply = await new Promise((resolve, reject) => client.makeUnaryRequest('/countersign.v1.EnrolmentService/Enrol', same, same,
          request, (error, bytes) => error ? reject(error) : resolve(bytes)));
        device.certificate = toPem('CERTIFICATE', decode('EnrolResponse', reply).certificate);
      } finally {
        client.close();
      }
    },
    // For tls.connect() and for gRPC alike.
    get tls() {
      return { ca: toPem('CERTIFICATE', token.agent_ca), cert: device.certificate,
        key: identity.privateKey.export({ format: 'pem', type: 'pkcs8' }) };
    },
    // The stream after hello; every message is kept, `ended` has the error. `answers`: challenges, with the nonce of hello.
    connect({ nonce = crypto.randomBytes(16), answers = true } = {}) {
      const { ca, key, cert } = device.tls;
      const client = new grpc.Client(`127.0.0.1:${deployment.agentsPort}`,
        grpc.credentials.createSsl(Buffer.from(ca), Buffer.from(key), Buffer.from(cert)), names);
      const stream = client.makeBidiStreamRequest('/countersign.v1.AgentService/Connect', same, same);
      const session = { stream, messages: [], send: (body) => stream.write(encode('AgentMessage', body)) };
      stream.on('data', (bytes) => {
        const message = decode('ControllerMessage', bytes);
        session.messages.push(message);
        if (message.body === 'challenge' && answers)
          session.send({ challenge_answer: { challenge: message.challenge.challenge, process_nonce: nonce } });
      });
      session.ended = new Promise((resolve) => {
        stream.on('error', (error) => { client.close(); resolve(error); });
        stream.on('end', () => resolve(null));
      });
      session.close = () => { stream.cancel(); client.close(); };
      session.send({ hello: { agent_version: 'test', process_nonce: nonce } });
      return session;
    },
    state(kind, name, fields, key = identity.privateKey) {
      return signEnvelope(kind, encode(name, { deployment_id: token.deployment_id, device_id, sequence: ++sequence,
        made_at_s: Math.floor(Date.now() / 1000), ...fields }), key);
    },
    advertisement(fields = {}, key) {
      return device.state('device-advertisement', 'DeviceAdvertisement', { agent_version: 'test', platform: 'node/js',
        connectors: [{ name: 'app', application: 'file' }],
        payload_types: ['push-request', 'decision', 'push-batch'].map((one) => `application/vnd.countersign.${one}.v1`), ...fields }, key);
    },
  };
  return device;
}

// Enrolled and admitted, as `device add --wait` does it.
export async function enrolDevice(deployment, name) {
  const { token, admitted } = await deployment.addDevice(name);
  const device = makeDevice(deployment, readToken(token));
  await device.enrol();
  await admitted;
  return device;
}
