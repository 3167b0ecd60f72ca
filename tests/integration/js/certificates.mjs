// Certificates of any shape, made here so that a test can have thousands of them, and wrong ones (RFC 5280).
import crypto from 'node:crypto';
import { der } from './wire.mjs';

const oid = (...bytes) => Buffer.from([0x06, bytes.length, ...bytes]);
const ecdsaWithSha256 = der(0x30, oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02));
const name = (commonName) => der(0x30, der(0x31, der(0x30, oid(0x55, 0x04, 0x03), der(0x0c, Buffer.from(commonName)))));
const time = (ms) => der(0x18, Buffer.from(new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '')));
const basicConstraintsCa = der(0x30, oid(0x55, 0x1d, 0x13), Buffer.from([0x01, 0x01, 0xff]),
  der(0x04, der(0x30, Buffer.from([0x01, 0x01, 0xff]))));
const comment = (length) => der(0x30, oid(0x60, 0x86, 0x48, 0x01, 0x86, 0xf8, 0x42, 0x01, 0x0d), der(0x04, der(0x16, Buffer.alloc(length, 'x'))));
const day = 24 * 3600 * 1000;

export const newKey = (kind = 'P-256') => {
  if (kind.startsWith('RSA ')) return crypto.generateKeyPairSync('rsa', { modulusLength: Number(kind.slice(4)) });
  if (kind === 'Ed25519') return crypto.generateKeyPairSync('ed25519');
  return crypto.generateKeyPairSync('ec', { namedCurve: kind });
};
export const toPem = (label, bytes) =>
  `-----BEGIN ${label}-----\n${bytes.toString('base64').replace(/.{64}/g, '$&\n').trimEnd()}\n-----END ${label}-----\n`;

// An issuer is what this returned for it; without one the certificate signs itself, with a P-256 key. `padding` makes it larger.
export function makeCertificate(commonName, { issuer, key = newKey(), fromDays = -1, days = 60, ca = false, padding = 0 } = {}) {
  const now = Date.now();
  const extensions = [...(ca ? [basicConstraintsCa] : []), ...(padding ? [comment(padding)] : [])];
  const body = der(0x30, der(0xa0, Buffer.from([0x02, 0x01, 0x02])), der(0x02, Buffer.concat([Buffer.of(1), crypto.randomBytes(15)])),
    ecdsaWithSha256, name(issuer?.commonName ?? commonName), der(0x30, time(now + fromDays * day), time(now + days * day)),
    name(commonName), key.publicKey.export({ format: 'der', type: 'spki' }), ...(extensions.length ? [der(0xa3, der(0x30, ...extensions))] : []));
  const signature = crypto.sign('sha256', body, (issuer?.key ?? key).privateKey);
  const bytes = der(0x30, body, ecdsaWithSha256, der(0x03, Buffer.of(0), signature));
  return { commonName, key, der: bytes, id: crypto.createHash('sha256').update(bytes).digest(), pem: toPem('CERTIFICATE', bytes),
    keyPem: key.privateKey.export({ format: 'pem', type: 'pkcs8' }) };
}

// Leaf, its issuer and its key as one text.
export const bundle = (leaf, issuer) => leaf.pem + issuer.pem + leaf.keyPem;
