// As much of X.509 (RFC 5280) as a client checks before it signs: whom a leaf names, who issued it, until when, its key. Names are
// a stranger's: odd bytes are escaped, as the programs do, because the policy's rules are matched against the same text. Pure.
import { type Bytes, concat, equal, hex, sha256, utf8 } from './bytes';
import { Refusal } from './refusal';

const CERTS_MOST = 8;
const NAMES_MOST = 8; // of the alternative names; what comes behind them counts nowhere

export interface Leaf {
  digest: Bytes;             // of the DER: the certificate's id
  spki: Uint8Array;
  spkiDigest: Bytes;
  commonName: string;
  issuer: string;
  issuerCommonName: string;
  dnsNames: string[];
  notBeforeS: number;
  notAfterS: number;
}

export interface Chain {
  bytes: Uint8Array;         // DER one behind the other, leaf first
  digest: Bytes;
  count: number;
  leaf: Leaf;
}

// ---- DER

export interface Der {
  tag: number;
  body: Uint8Array;
  whole: Uint8Array;
}

const SEQUENCE = 0x30, SET = 0x31, INTEGER = 0x02, BIT_STRING = 0x03, OCTET_STRING = 0x04, OID = 0x06;
const UTC_TIME = 0x17, GENERALIZED_TIME = 0x18, BOOLEAN = 0x01;

// The element at the beginning; definite lengths in their shortest form only.
function readDer(bytes: Uint8Array): Der {
  const malformed = () => new Refusal('the certificate is malformed');
  if (bytes.length < 2 || (bytes[0]! & 0x1f) === 0x1f) throw malformed();
  let length = bytes[1]!, head = 2;
  if (length & 0x80) {
    const count = length & 0x7f;
    if (count < 1 || count > 3 || bytes.length < 2 + count) throw malformed();
    length = 0;
    for (let i = 0; i < count; i++) length = length << 8 | bytes[2 + i]!;
    if (length < 0x80 || length < 1 << 8 * (count - 1)) throw malformed();
    head = 2 + count;
  }
  if (bytes.length < head + length) throw malformed();
  return { tag: bytes[0]!, body: bytes.subarray(head, head + length), whole: bytes.subarray(0, head + length) };
}

// All elements that stand in it one behind the other.
export function readAll(bytes: Uint8Array): Der[] {
  const all: Der[] = [];
  for (let rest = bytes; rest.length;) {
    const next = readDer(rest);
    all.push(next);
    rest = rest.subarray(next.whole.length);
  }
  return all;
}

function children(element: Der | undefined, tag: number): Der[] {
  if (!element || element.tag !== tag) throw new Refusal('the certificate is malformed');
  return readAll(element.body);
}

function writeDer(tag: number, ...parts: Uint8Array[]): Bytes {
  const body = concat(...parts);
  const n = body.length;
  const head = n < 0x80 ? [n] : n < 0x100 ? [0x81, n] : n < 0x10000 ? [0x82, n >> 8, n & 255] : [0x83, n >> 16, n >> 8 & 255, n & 255];
  return concat(Uint8Array.of(tag, ...head), body);
}

// ---- text

const NAME_BYTES_MOST = 127;

// UTF-8 without control characters as it is; else its odd bytes as \xx. Whole characters, as many as fit.
function text(bytes: Uint8Array): string {
  let clean: string | undefined;
  try {
    clean = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    clean = undefined;
  }
  if (clean !== undefined && /[\u0000-\u001f\u007f]/.test(clean)) clean = undefined;
  let out = '', used = 0;
  const letters = clean !== undefined ? [...clean]
    : Array.from(bytes, (byte) => byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\${byte.toString(16).padStart(2, '0')}`);
  for (const letter of letters) {
    used += utf8(letter).length;
    if (used > NAME_BYTES_MOST) break;
    out += letter;
  }
  return out;
}

const ATTRIBUTES: Record<string, string> = { '550403': 'CN', '550406': 'C', '550407': 'L', '550408': 'ST', '55040a': 'O', '55040b': 'OU',
  '550405': 'serialNumber', '550409': 'STREET', '550404': 'SN', '55042a': 'GN', '2a864886f70d010901': 'emailAddress', '0992268993f22c640119': 'DC',
  '0992268993f22c640101': 'UID' };
const COMMON_NAME = '550403';

interface Attribute { type: string; value: Uint8Array }

const readName = (name: Der | undefined): Attribute[] => children(name, SEQUENCE).flatMap((set) => children(set, SET).map((pair) => {
  const [type, value] = children(pair, SEQUENCE);
  if (!type || type.tag !== OID || !value) throw new Refusal('the certificate is malformed');
  return { type: hex(type.body), value: value.body };
}));

// The most specific one, which comes last.
function commonName(name: Attribute[]): string {
  const found = name.filter((attribute) => attribute.type === COMMON_NAME).at(-1);
  return found ? text(found.value) : '';
}

const nameText = (name: Attribute[]): string => name.map(({ type, value }) =>
  `${ATTRIBUTES[type] ?? type}=${text(value).replace(/[,+"\\<>;=]/g, '\\$&')}`).join(', ');

function readTime(time: Der | undefined): number {
  const digits = time ? new TextDecoder().decode(time.body) : '';
  const match = time?.tag === UTC_TIME ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(digits)
    : time?.tag === GENERALIZED_TIME ? /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(digits) : null;
  if (!match) throw new Refusal('the certificate has a malformed date');
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [number, number, number, number, number, number];
  const full = year >= 100 ? year : year < 50 ? 2000 + year : 1900 + year;
  return Date.UTC(full, month - 1, day, hour, minute, second) / 1000;
}

// ---- certificates

const SUBJECT_ALT_NAME = '551d11';
const NAME_EMAIL = 0x81, NAME_DNS = 0x82, NAME_URI = 0x86, NAME_IP = 0x87;

function readDnsNames(extensions: Der | undefined): string[] {
  if (!extensions) return [];
  const list = readAll(extensions.body)[0];
  for (const extension of children(list, SEQUENCE)) {
    const parts = children(extension, SEQUENCE);
    if (hex(parts[0]?.body ?? new Uint8Array()) !== SUBJECT_ALT_NAME) continue;
    const value = parts[1]?.tag === BOOLEAN ? parts[2] : parts[1];
    if (value?.tag !== OCTET_STRING) throw new Refusal('the certificate is malformed');
    return children(readDer(value.body), SEQUENCE)
      .filter(({ tag }) => [NAME_EMAIL, NAME_DNS, NAME_URI, NAME_IP].includes(tag)).slice(0, NAMES_MOST)
      .filter(({ tag }) => tag === NAME_DNS).map(({ body }) => text(body));
  }
  return [];
}

async function readLeaf(der: Uint8Array): Promise<Leaf> {
  const [body] = children(readDer(der), SEQUENCE);
  const fields = children(body, SEQUENCE);
  if (fields[0]?.tag === 0xa0) fields.shift(); // the version
  const [serial, , issuer, validity, subject, spki] = fields;
  const [notBefore, notAfter] = children(validity, SEQUENCE);
  if (serial?.tag !== INTEGER || spki?.tag !== SEQUENCE) throw new Refusal('the certificate is malformed');
  return {
    digest: await sha256(der), spki: spki.whole, spkiDigest: await sha256(spki.whole),
    commonName: commonName(readName(subject)), issuer: nameText(readName(issuer)), issuerCommonName: commonName(readName(issuer)),
    dnsNames: readDnsNames(fields.find((field) => field.tag === 0xa3)),
    notBeforeS: readTime(notBefore), notAfterS: readTime(notAfter),
  };
}

// DER one behind the other, leaf first, as a chain travels.
export async function readChain(bytes: Uint8Array): Promise<Chain> {
  const certificates = readAll(bytes);
  const first = certificates[0];
  if (!first) throw new Refusal('there is no certificate');
  if (certificates.length > CERTS_MOST) throw new Refusal(`the chain has ${certificates.length} certificates, and may have ${CERTS_MOST}`);
  return { bytes, digest: await sha256(bytes), count: certificates.length, leaf: await readLeaf(first.whole) };
}

// The chain that the controller gave for this id is of the certificate that it names.
export async function readChainOf(id: Uint8Array, bytes: Uint8Array): Promise<Chain> {
  const chain = await readChain(bytes);
  if (!equal(chain.leaf.digest, id)) throw new Refusal('the controller gave another certificate than the one asked for');
  return chain;
}

// ---- keys

type KeyAlgorithm = { import: RsaHashedImportParams | EcKeyImportParams; sign: AlgorithmIdentifier | EcdsaParams };

const OID_RSA = '2a864886f70d010101', OID_EC = '2a8648ce3d0201', OID_P256 = '2a8648ce3d030107', OID_P384 = '2b81040022';

// What WebCrypto calls the leaf's kind of key; undefined: no kind that Countersign carries.
function algorithmOf(spki: Uint8Array): KeyAlgorithm | undefined {
  const [algorithm] = children(readDer(spki), SEQUENCE);
  const [type, parameters] = children(algorithm, SEQUENCE);
  const curve = parameters ? hex(parameters.body) : '';
  if (hex(type?.body ?? new Uint8Array()) === OID_RSA)
    return { import: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }, sign: { name: 'RSASSA-PKCS1-v1_5' } };
  if (hex(type?.body ?? new Uint8Array()) !== OID_EC || (curve !== OID_P256 && curve !== OID_P384)) return undefined;
  return { import: { name: 'ECDSA', namedCurve: curve === OID_P256 ? 'P-256' : 'P-384' }, sign: { name: 'ECDSA', hash: 'SHA-256' } };
}

// The private key (PKCS#8 DER) is the leaf's: what it signs, the leaf's public key verifies.
export async function keyFits(leaf: Leaf, pkcs8: Uint8Array): Promise<boolean> {
  const algorithm = algorithmOf(leaf.spki);
  if (!algorithm) throw new Refusal('the certificate has a key that is neither RSA nor on P-256 or P-384');
  try {
    const secret = await crypto.subtle.importKey('pkcs8', pkcs8 as Bytes, algorithm.import, false, ['sign']);
    const open = await crypto.subtle.importKey('spki', leaf.spki as Bytes, algorithm.import, false, ['verify']);
    const probe = crypto.getRandomValues(new Uint8Array(32));
    return await crypto.subtle.verify(algorithm.sign, open, await crypto.subtle.sign(algorithm.sign, secret, probe), probe);
  } catch {
    return false;
  }
}

const oid = (digits: string): Bytes => writeDer(OID, Uint8Array.from(digits.match(/../g)!, (byte) => parseInt(byte, 16)));
const VERSION_0 = Uint8Array.of(INTEGER, 1, 0), NULL = Uint8Array.of(5, 0);

// PKCS#8 of a key in PKCS#8, PKCS#1 (RSA) or SEC 1 (EC); undefined: it is none of them.
export function toPkcs8(der: Uint8Array): Bytes | undefined {
  let parts: Der[];
  try {
    const whole = readDer(der);
    if (whole.whole.length !== der.length) return undefined;
    parts = children(whole, SEQUENCE);
  } catch {
    return undefined;
  }
  if (parts[0]?.tag !== INTEGER) return undefined;
  if (parts[1]?.tag === SEQUENCE && parts[2]?.tag === OCTET_STRING) return Uint8Array.from(der);
  if (parts.length >= 9 && parts.every(({ tag }) => tag === INTEGER))
    return writeDer(SEQUENCE, VERSION_0, writeDer(SEQUENCE, oid(OID_RSA), NULL), writeDer(OCTET_STRING, der));
  const curve = parts.find(({ tag }) => tag === 0xa0);
  if (parts[1]?.tag === OCTET_STRING && curve) {
    // The curve stands outside in PKCS#8, and not again inside (RFC 5915 section 3 allows it; WebCrypto wants it so).
    const point = parts.find(({ tag, body }) => tag === 0xa1 && body[0] === BIT_STRING);
    const inner = writeDer(SEQUENCE, parts[0].whole, parts[1].whole, ...(point ? [point.whole] : []));
    return writeDer(SEQUENCE, VERSION_0, writeDer(SEQUENCE, oid(OID_EC), curve.body), writeDer(OCTET_STRING, inner));
  }
  return undefined;
}
