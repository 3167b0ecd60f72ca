// An operator who signs in at the operators' listener, over gRPC, written from proto/README.md.
//
//   const bob = await SignedIn.open(t, deployment, 'bob', { port });
//   await bob.call('ControllerService', 'GetStatus', {});
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import tls from 'node:tls';
import grpc from '@grpc/grpc-js';
import { decode, encode, sha256, signEnvelope } from './wire.mjs';

const same = (bytes) => bytes;

export const keyOf = (deployment, name) =>
  crypto.createPrivateKey(fs.readFileSync(path.join(deployment.home, 'operators', `${name}.key`)));

export const pem = (der) => `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;

// The public key that the server at this port shows, whoever vouches for it.
export const serverSpki = (port) => new Promise((resolve, reject) => {
  const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['h2'] }, () => {
    resolve(new crypto.X509Certificate(socket.getPeerCertificate().raw).publicKey.export({ format: 'der', type: 'spki' }));
    socket.destroy();
  });
  socket.on('error', reject);
});

export class SignedIn {
  // `ca`: PEM that the server's certificate leads to; none: without TLS.
  constructor({ port, ca, address }) {
    this.port = port;
    this.ca = ca;
    this.metadata = new grpc.Metadata();
    this.client = new grpc.Client(address ?? `127.0.0.1:${port}`,
      ca ? grpc.credentials.createSsl(Buffer.from(ca)) : grpc.credentials.createInsecure(),
      ca ? { 'grpc.ssl_target_name_override': 'countersignd', 'grpc.default_authority': 'countersignd' } : {});
  }

  static async open(t, deployment, name, where) {
    const one = new SignedIn(where);
    t.after(() => one.close());
    await one.signIn(deployment, name);
    return one;
  }

  close() { this.client.close(); }

  async call(service, method, body = {}) {
    const reply = await new Promise((resolve, reject) => this.client.makeUnaryRequest(`/countersign.v1.${service}/${method}`, same, same,
      encode(`${method}Request`, body), this.metadata, { deadline: Date.now() + 10_000 }, (error, bytes) => error ? reject(error) : resolve(bytes)));
    return decode(`${method}Response`, reply);
  }

  // The envelope of an opening that answers a fresh challenge.
  async opening(deployment, name, { key = keyOf(deployment, name), ...more } = {}) {
    const { challenge, deployment_id, policy_version } = await this.call('SessionService', 'GetChallenge');
    const server_spki_digest = this.ca ? sha256(await serverSpki(this.port)) : Buffer.alloc(0);
    const payload = encode('SessionOpening', { deployment_id, policy_version, operator: name, challenge,
      made_at_s: Math.floor(Date.now() / 1000), server_spki_digest, ...more });
    return signEnvelope('session-opening', payload, key);
  }

  async signIn(deployment, name, more) {
    const opened = await this.call('SessionService', 'OpenSession', { envelope: await this.opening(deployment, name, more) });
    this.metadata.set('authorization', `Bearer ${opened.token}`);
    return opened;
  }
}
