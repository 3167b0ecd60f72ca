// Certificates of any shape, made here so that a test can have thousands of them, and wrong ones (RFC 5280).
import crypto from 'node:crypto';
import { der } from './wire.mjs';

const oid = (...bytes) => Buffer.from([0x06, bytes.length, ...bytes]);
const ecdsaWithSha256 = der(0x30, oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02));
const name = (commonName) => der(0x30, der(0x31, der(0x30, oid(0x55, 0x04, 0x03), der(0x0c, Buffer.from(commonName)))));
const time = (ms) => der(0x18, Buffer.from(new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '')));
const utc = (ms) => der(0x17, Buffer.from(new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '').slice(2)));
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
  const serial = Buffer.concat([Buffer.of(1), crypto.randomBytes(15)]);
  const body = der(0x30, der(0xa0, Buffer.from([0x02, 0x01, 0x02])), der(0x02, serial),
    ecdsaWithSha256, name(issuer?.commonName ?? commonName), der(0x30, time(now + fromDays * day), time(now + days * day)),
    name(commonName), key.publicKey.export({ format: 'der', type: 'spki' }), ...(extensions.length ? [der(0xa3, der(0x30, ...extensions))] : []));
  const signature = crypto.sign('sha256', body, (issuer?.key ?? key).privateKey);
  const bytes = der(0x30, body, ecdsaWithSha256, der(0x03, Buffer.of(0), signature));
  return { commonName, key, serial, der: bytes, id: crypto.createHash('sha256').update(bytes).digest(), pem: toPem('CERTIFICATE', bytes),
    keyPem: key.privateKey.export({ format: 'pem', type: 'pkcs8' }) };
}

// A revocation list (RFC 5280 section 5), number `number`. An entry is { serial, reason }: reason by the RFC's number, 0 for none.
export function makeCrl(issuer, { entries = [], number = 1, atMs = Date.now(), nextMs = atMs + 7 * day, critical } = {}) {
  const entry = ({ serial, reason = 0 }) => der(0x30, der(0x02, serial), time(atMs), ...(reason ? [der(0x30, der(0x30, oid(0x55, 0x1d, 0x15),
    der(0x04, der(0x0a, Buffer.of(reason)))))] : []));
  const extensions = [der(0x30, oid(0x55, 0x1d, 0x14), der(0x04, der(0x02, Buffer.of(number)))),
    ...(critical ? [der(0x30, oid(...critical), Buffer.from([0x01, 0x01, 0xff]), der(0x04, der(0x02, Buffer.of(1))))] : [])];
  const body = der(0x30, der(0x02, Buffer.of(1)), ecdsaWithSha256, name(issuer.commonName), utc(atMs), utc(nextMs),
    ...(entries.length ? [der(0x30, ...entries.map(entry))] : []), der(0xa0, der(0x30, ...extensions)));
  const bytes = der(0x30, body, ecdsaWithSha256, der(0x03, Buffer.of(0), crypto.sign('sha256', body, issuer.key.privateKey)));
  return { der: bytes, pem: toPem('X509 CRL', bytes) };
}

// Leaf, its issuer and its key as one text.
export const bundle = (leaf, issuer) => leaf.pem + issuer.pem + leaf.keyPem;
