// Signed statements as they travel: DSSE's pre-authentication encoding over the exact payload bytes. Verify first, then parse
// those same bytes. Only verify() makes a Verified. Start there.
import { create } from '@bufbuild/protobuf';
import { EnvelopeSchema, SignatureSchema } from '../gen/countersign/v1/statement_pb';
import { type Bytes, concat, equal, hex, sha256, utf8 } from './bytes';
import { Refusal } from './refusal';
import { decodeStrict, DIGEST_BYTES, encode, isSpki, type Kind, payloadType } from './statements';

const SIGNATURE_BYTES = 64;
const SIGNATURES_MOST = 16;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' };
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' };

export interface Verified {
  payload: Bytes;
  digest: Bytes;          // SHA-256 of the payload
  signers: Uint8Array[];  // SPKIs of those that signed, each once, at least one
}

// Parsed, not believed.
export interface Unverified {
  payloadType: string;
  payload: Bytes;
  signatures: { keyId: Uint8Array; signature: Uint8Array }[];
}

export function parseEnvelope(wire: Uint8Array): Unverified {
  const envelope = decodeStrict(EnvelopeSchema, wire, 'the envelope');
  if (!envelope.payloadType || envelope.payload.length === 0)
    throw new Refusal('the envelope is malformed: it must begin with type and payload');
  if (envelope.signatures.length > SIGNATURES_MOST) throw new Refusal(`the envelope has more than ${SIGNATURES_MOST} signatures`);
  const seen = new Set<string>();
  for (const { keyId, signature } of envelope.signatures) {
    if (keyId.length !== DIGEST_BYTES || signature.length !== SIGNATURE_BYTES) throw new Refusal('the envelope has a malformed signature');
    if (seen.has(hex(keyId))) throw new Refusal('the envelope has two signatures of one key');
    seen.add(hex(keyId));
  }
  return { payloadType: envelope.payloadType, payload: envelope.payload as Bytes, signatures: envelope.signatures };
}

function parseKind(wire: Uint8Array, kind: Kind): Unverified {
  const envelope = parseEnvelope(wire);
  if (envelope.payloadType !== payloadType(kind))
    throw new Refusal(`the envelope holds ${envelope.payloadType} where ${payloadType(kind)} is due`);
  return envelope;
}

// The payload of an envelope of this kind, not believed: for what is shown as such, and for a policy that brings its own roots.
export const peek = (wire: Uint8Array, kind: Kind): Bytes => parseKind(wire, kind).payload;

// What a signature covers: "DSSEv1" SP LEN(type) SP type SP LEN(payload) SP payload.
export const preAuthentication = (type: string, payload: Uint8Array): Bytes =>
  concat(utf8(`DSSEv1 ${utf8(type).length} ${type} ${payload.length} `), payload);

// Imported keys and key ids by the key's bytes: a policy's keys are asked for again and again.
const imported = new Map<string, Promise<CryptoKey>>();
const ids = new Map<string, Promise<Bytes>>();

function keyId(spki: Uint8Array): Promise<Bytes> {
  const name = hex(spki);
  let id = ids.get(name);
  if (!id) ids.set(name, id = sha256(spki));
  return id;
}

function importKey(spki: Uint8Array): Promise<CryptoKey> {
  const name = hex(spki);
  let key = imported.get(name);
  if (!key) {
    if (!isSpki(spki)) throw new Refusal('a public key is not in the form of a P-256 key');
    imported.set(name, key = crypto.subtle.importKey('spki', spki as Bytes, ALGORITHM, false, ['verify']));
  }
  return key;
}

async function holds(spki: Uint8Array, input: Bytes, signature: Uint8Array): Promise<boolean> {
  try {
    return await crypto.subtle.verify(SIGNING, await importKey(spki), signature as Bytes, input);
  } catch {
    return false; // a point that is not on the curve
  }
}

// Requires the kind, and checks every signature of a key that is among `keys` (SPKIs). Refused unless at least one of them
// signed, and when a known key's signature does not hold. Signatures of unknown keys are passed over.
export async function verify(wire: Uint8Array, kind: Kind, keys: readonly Uint8Array[]): Promise<Verified> {
  const envelope = parseKind(wire, kind);
  const known = new Map<string, Uint8Array>();
  for (const spki of keys) known.set(hex(await keyId(spki)), spki);
  const input = preAuthentication(envelope.payloadType, envelope.payload);
  const signers: Uint8Array[] = [];
  for (const { keyId: id, signature } of envelope.signatures) {
    const spki = known.get(hex(id));
    if (!spki) continue;
    if (!await holds(spki, input, signature)) throw new Refusal('a signature of the envelope does not hold');
    signers.push(spki);
  }
  if (signers.length === 0) throw new Refusal('no key that may sign it has signed the envelope');
  return { payload: envelope.payload, digest: await sha256(envelope.payload), signers };
}

// The envelope of the payload, signed by this key.
export async function sign(kind: Kind, payload: Uint8Array, key: CryptoKey, spki: Uint8Array): Promise<Bytes> {
  const signature = new Uint8Array(await crypto.subtle.sign(SIGNING, key, preAuthentication(payloadType(kind), payload)));
  return encode(EnvelopeSchema, create(EnvelopeSchema, { payloadType: payloadType(kind), payload,
    signatures: [create(SignatureSchema, { keyId: await keyId(spki), signature })] }));
}

export const isSignedBy = (verified: Verified, spki: Uint8Array): boolean => verified.signers.some((signer) => equal(signer, spki));
