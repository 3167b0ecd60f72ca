// The wire of Countersign in JavaScript, written from proto/README.md alone: canonical protobuf, DSSE envelopes, Merkle
// proofs, HPKE. Shares no code with the C programs, so that a mistake there cannot hide here.
import crypto from 'node:crypto';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';

const protoRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../../proto');

export const root = new protobuf.Root();
root.resolvePath = (_origin, target) => path.resolve(protoRoot, target);
root.loadSync(['countersign/v1/statement.proto', 'countersign/v1/agent.proto', 'countersign/v1/operator.proto',
  'countersign/v1/watch.proto', 'countersign/v1/session.proto', 'countersign/v1/signer.proto'],
  { keepCase: true });

export const type = (name) => root.lookupType(`countersign.v1.${name}`);
export const enumOf = (name) => root.lookupEnum(`countersign.v1.${name}`).values;

// proto3 leaves defaults out; protobufjs writes whatever is set, so defaults are dropped before.
function withoutDefaults(messageType, object) {
  const out = {};
  for (const field of messageType.fieldsArray) {
    let value = object[field.name];
    if (value === undefined || value === null) continue;
    if (field.repeated) {
      if (value.length === 0) continue;
      if (field.resolve().resolvedType instanceof protobuf.Type)
        value = value.map((item) => withoutDefaults(field.resolvedType, item));
    } else if (field.partOf) {
      if (field.resolve().resolvedType instanceof protobuf.Type) value = withoutDefaults(field.resolvedType, value);
    } else if (field.resolve().resolvedType instanceof protobuf.Type) {
      value = withoutDefaults(field.resolvedType, value);
    } else if (value === 0 || value === '' || value === false || value.length === 0 || value === 0n) {
      continue;
    }
    out[field.name] = typeof value === 'bigint' ? Number(value) : value;
  }
  return out;
}

export function encode(name, object) {
  const messageType = type(name);
  return Buffer.from(messageType.encode(messageType.fromObject(withoutDefaults(messageType, object))).finish());
}

// Numbers as Number: everything here is far below 2^53.
export function decode(name, bytes) {
  const messageType = type(name);
  return messageType.toObject(messageType.decode(bytes), { longs: Number, bytes: Buffer, defaults: true, arrays: true,
    oneofs: true });
}

// Invariant 3: what does not come back byte for byte is refused.
export function decodeStrict(name, bytes) {
  const messageType = type(name);
  const message = messageType.toObject(messageType.decode(bytes), { longs: Number, bytes: Buffer });
  if (!encode(name, message).equals(Buffer.from(bytes))) throw new Error(`${name} is not in canonical form`);
  return decode(name, bytes);
}

export const sha256 = (...parts) => {
  const hash = crypto.createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

export const payloadType = (kind) => `application/vnd.countersign.${kind}.v1`;

function preAuthentication(payload_type, payload) {
  return Buffer.concat([Buffer.from(`DSSEv1 ${Buffer.byteLength(payload_type)} ${payload_type} ${payload.length} `), payload]);
}

const publicKey = (spki) => crypto.createPublicKey({ key: spki, format: 'der', type: 'spki' });

// keys: SPKI buffers that may sign. Returns the payload and the SPKIs that did.
export function openEnvelope(wire, kind, keys) {
  const envelope = decodeStrict('Envelope', wire);
  if (envelope.payload_type !== payloadType(kind)) throw new Error(`expected a ${kind}, got ${envelope.payload_type}`);
  const signers = [];
  for (const { key_id, signature } of envelope.signatures) {
    const spki = keys.find((key) => sha256(key).equals(key_id));
    if (!spki) continue;
    if (signature.length !== 64 || !crypto.verify('sha256', preAuthentication(envelope.payload_type, envelope.payload),
      { key: publicKey(spki), dsaEncoding: 'ieee-p1363' }, signature)) throw new Error(`${kind}: a signature does not hold`);
    if (!signers.some((known) => known.equals(spki))) signers.push(spki);
  }
  if (signers.length === 0) throw new Error(`${kind}: no known key signed it`);
  return { payload: envelope.payload, digest: sha256(envelope.payload), signers };
}

export function signEnvelope(kind, payload, privateKey) {
  const spki = crypto.createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  const signature = crypto.sign('sha256', preAuthentication(payloadType(kind), payload),
    { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return encode('Envelope', { payload_type: payloadType(kind), payload, signatures: [{ key_id: sha256(spki), signature }] });
}

// RFC 9162 section 2.1.3.2.
export function merkleHolds(rootHash, count, index, leaf, proof) {
  if (index >= count) return false;
  let fn = index, sn = count - 1;
  let hash = sha256(Buffer.of(0), leaf);
  for (const sibling of proof) {
    if (sn === 0) return false;
    if (fn & 1 || fn === sn) {
      hash = sha256(Buffer.of(1), sibling, hash);
      while (!(fn & 1) && fn !== 0) { fn >>= 1; sn >>= 1; }
    } else {
      hash = sha256(Buffer.of(1), hash, sibling);
    }
    fn >>= 1; sn >>= 1;
  }
  return sn === 0 && hash.equals(rootHash);
}

// RFC 9180, base mode, 0x0010/0x0001/0x0001, one message.
const hmac = (key, ...parts) => {
  const mac = crypto.createHmac('sha256', key);
  for (const part of parts) mac.update(part);
  return mac.digest();
};
const i2osp = (value, length) => {
  const out = Buffer.alloc(length);
  out.writeUIntBE(value, 0, length);
  return out;
};
function expand(prk, info, length) {
  let out = Buffer.alloc(0), block = Buffer.alloc(0);
  for (let i = 1; out.length < length; i++) {
    block = hmac(prk, block, info, Buffer.of(i));
    out = Buffer.concat([out, block]);
  }
  return out.subarray(0, length);
}
const labeledExtract = (suite, salt, label, ikm) =>
  hmac(salt.length ? salt : Buffer.alloc(32), 'HPKE-v1', suite, label, ikm);
const labeledExpand = (suite, prk, label, info, length) =>
  expand(prk, Buffer.concat([i2osp(length, 2), Buffer.from('HPKE-v1'), suite, Buffer.from(label), info]), length);

export function hpkeOpen(recipientEcdh, recipientPoint, enc, info, aad, ciphertext) {
  const kemSuite = Buffer.concat([Buffer.from('KEM'), i2osp(0x0010, 2)]);
  const suite = Buffer.concat([Buffer.from('HPKE'), i2osp(0x0010, 2), i2osp(1, 2), i2osp(1, 2)]);
  const empty = Buffer.alloc(0);
  const eaePrk = labeledExtract(kemSuite, empty, 'eae_prk', recipientEcdh.computeSecret(enc));
  const shared = labeledExpand(kemSuite, eaePrk, 'shared_secret', Buffer.concat([enc, recipientPoint]), 32);
  const context = Buffer.concat([Buffer.of(0), labeledExtract(suite, empty, 'psk_id_hash', empty),
    labeledExtract(suite, empty, 'info_hash', info)]);
  const secret = labeledExtract(suite, shared, 'secret', empty);
  const key = labeledExpand(suite, secret, 'key', context, 16);
  const nonce = labeledExpand(suite, secret, 'base_nonce', context, 12);
  const opener = crypto.createDecipheriv('aes-128-gcm', key, nonce);
  opener.setAAD(aad);
  opener.setAuthTag(ciphertext.subarray(-16));
  return Buffer.concat([opener.update(ciphertext.subarray(0, -16)), opener.final()]);
}

// As much DER as a certificate request needs (RFC 2986).
export const der = (tag, ...parts) => {
  const body = Buffer.concat(parts);
  const length = body.length < 128 ? Buffer.of(body.length)
    : body.length < 256 ? Buffer.of(0x81, body.length)
      : body.length < 65536 ? Buffer.of(0x82, body.length >> 8, body.length & 255)
        : Buffer.of(0x83, body.length >> 16, body.length >> 8 & 255, body.length & 255);
  return Buffer.concat([Buffer.of(tag), length, body]);
};

export function makeCsr(privateKey, commonName) {
  const spki = crypto.createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  const oidCommonName = Buffer.from([0x06, 0x03, 0x55, 0x04, 0x03]);
  const oidEcdsaSha256 = Buffer.from([0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]);
  const subject = der(0x30, der(0x31, der(0x30, oidCommonName, der(0x0c, Buffer.from(commonName)))));
  const info = der(0x30, Buffer.from([0x02, 0x01, 0x00]), subject, spki, Buffer.from([0xa0, 0x00]));
  const signature = crypto.sign('sha256', info, privateKey);
  return der(0x30, info, der(0x30, oidEcdsaSha256), der(0x03, Buffer.of(0), signature));
}

// The DER certificates that stand one behind the other.
export function splitChain(bytes) {
  const certificates = [];
  for (let at = 0; at < bytes.length;) {
    if (bytes[at] !== 0x30) throw new Error('the chain is not a row of DER certificates');
    let length = bytes[at + 1], head = 2;
    if (length & 0x80) {
      head = 2 + (length & 0x7f);
      length = bytes.readUIntBE(at + 2, length & 0x7f);
    }
    if (at + head + length > bytes.length) throw new Error('the chain ends inside a certificate');
    certificates.push(new crypto.X509Certificate(bytes.subarray(at, at + head + length)));
    at += head + length;
  }
  return certificates;
}
