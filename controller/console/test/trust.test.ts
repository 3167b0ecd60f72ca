// The wire as the page reads it: against published vectors, and against tests/integration/js/wire.mjs, which was written from
// proto/README.md alone and shares no code with it.
import { createECDH, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { create } from '@bufbuild/protobuf';
import { h, type VNode } from 'preact';
import { beforeAll, describe, expect, it } from 'vitest';
import * as wire from '../../../tests/integration/js/wire.mjs';
import {
  Action, DecisionSchema, EnvelopeSchema, KeyMode, Mode, OrderCoreSchema, Override, PushRequestSchema, Verdict,
} from '../src/gen/countersign/v1/statement_pb';
import { base64url, concat, equal, fromBase64, hex, random, sha256, unhex, utf8 } from '../src/trust/bytes';
import { parseEnvelope, preAuthentication, sign, verify } from '../src/trust/envelope';
import { merkleRoot } from '../src/trust/merkle';
import { words } from '../src/trust/spoken';
import { shown } from '../src/trust/text';
import { drawHarmless } from '../src/ui/harmless';
import { decodeCore, decodeDecision, decodePushRequest, decodeStrict, encode, isText, readComment } from '../src/trust/statements';
import { keyFits, toPkcs8 } from '../src/trust/x509';
import { makeCertificates, makeKey, type MadeCertificate } from './world';

const vectors = (name: string): string[] => readFileSync(path.join(import.meta.dirname, '../../../tests/vectors', name), 'utf8').split('\n')
  .filter((line) => line && !line.startsWith('#'));

describe('bytes', () => {
  it('go to text and back', () => {
    const bytes = random(64);
    expect(unhex(hex(bytes))).toEqual(bytes);
    expect(fromBase64(base64url(bytes))).toEqual(bytes);
    expect(base64url(Uint8Array.of(251, 255))).toBe('-_8');
    expect(fromBase64('a*')).toBeUndefined();
    expect(unhex('0')).toBeUndefined();
    expect(equal(utf8('abc'), utf8('abd'))).toBe(false);
  });

  it('are spoken as the other programs speak them', async () => {
    expect(words(await sha256(utf8('abc')))).toBe('planet jaguar bishop prairie lilac acorn sailor twig');
  });
});

describe('Merkle trees', () => {
  it('have the roots of RFC 9162', async () => {
    const lines = vectors('merkle-rfc9162.txt').map((line) => line.split(' '));
    const leaves = lines.filter(([kind]) => kind === 'leaf').map(([, , leaf]) => leaf === '-' ? new Uint8Array() : unhex(leaf!)!);
    const roots = lines.filter(([kind]) => kind === 'root');
    expect(roots.length).toBe(8);
    for (const [, count, root] of roots) expect(hex(await merkleRoot(leaves.slice(0, Number(count))))).toBe(root);
  });

  it('have the roots that another program made, of 1 to 64 leaves', async () => {
    const trees = vectors('merkle-64.txt').map((line) => line.split(' '));
    expect(trees.length).toBe(64);
    const leaves = Array.from({ length: 64 }, (_, i) => new Uint8Array(i).fill(i));
    for (const [, count, root] of trees) expect(hex(await merkleRoot(leaves.slice(0, Number(count))))).toBe(root);
  });
});

describe('envelopes', () => {
  it('are signed over what DSSE says', async () => {
    const of = Object.fromEntries(vectors('dsse.txt').map((line) => [line.split(' ')[0]!, line.slice(line.indexOf(' ') + 1)]));
    const input = preAuthentication(of.type!, utf8(of.payload!));
    expect(new TextDecoder().decode(input)).toBe(of.pae);
    const point = concat(Uint8Array.of(4), unhex(of.x!)!, unhex(of.y!)!);
    const key = await crypto.subtle.importKey('raw', point, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify']);
    expect(await crypto.subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, key, unhex(of.signature!)!, input)).toBe(true);
  });

  it('of this page hold for the other reader, and the other way round', async () => {
    const { key, spki } = await makeKey(), payload = random(50);
    const opened = wire.openEnvelope(Buffer.from(await sign('decision', payload, key, spki)), 'decision', [Buffer.from(spki)]);
    expect(hex(opened.payload)).toBe(hex(payload));

    const { privateKey } = (await import('node:crypto')).generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const other = (await import('node:crypto')).createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
    const verified = await verify(wire.signEnvelope('push-request', Buffer.from(payload), privateKey), 'push-request', [spki, other]);
    expect(hex(verified.payload)).toBe(hex(payload));
    expect(verified.signers.map(hex)).toEqual([hex(other)]);
  });

  describe('are refused', async () => {
    const { key, spki } = await makeKey(), payload = random(50);
    const good = await sign('decision', payload, key, spki);
    const { payloadType, signatures } = parseEnvelope(good);
    const made = (more: object) => encode(EnvelopeSchema, create(EnvelopeSchema, { payloadType, payload, signatures, ...more }));
    const last = good.length - 1;
    const cases: [string, Uint8Array, RegExp][] = [
      ['with an altered payload', made({ payload: Uint8Array.from(payload, (byte, i) => i ? byte : byte ^ 1) }), /does not hold/],
      ['with an altered signature', Uint8Array.from(good, (byte, i) => i === last ? byte ^ 1 : byte), /does not hold/],
      ['without a signature', made({ signatures: [] }), /no key that may sign/],
      ['with one key twice', made({ signatures: [...signatures, ...signatures] }), /two signatures of one key/],
      ['with a short signature', made({ signatures: [{ keyId: signatures[0]!.keyId, signature: new Uint8Array(63) }] }), /malformed signature/],
      ['of another kind', made({ payloadType: 'application/vnd.countersign.admission.v1' }), /admission.*is due/],
      ['with something behind', concat(good, Uint8Array.of(0x20, 1)), /canonical/],
      ['with a padded length', concat(good.subarray(0, 1), Uint8Array.of(good[1]! | 0x80, 0), good.subarray(2)), /canonical/],
      ['cut short', good.subarray(0, last), /does not parse/],
    ];
    for (const [how, bytes, says] of cases) it(how, () => expect(verify(bytes, 'decision', [spki])).rejects.toThrow(says));
    it('and signatures of unknown keys are passed over', async () => {
      const { spki: unknown } = await makeKey();
      await expect(verify(good, 'decision', [unknown])).rejects.toThrow(/no key that may sign/);
      expect((await verify(good, 'decision', [unknown, spki])).signers).toEqual([spki]);
    });
    it('a point that is not on the curve verifies nothing', async () => {
      const bad = Uint8Array.from(spki, (byte, i) => i === spki.length - 1 ? byte ^ 1 : byte);
      const forged = made({ signatures: [{ keyId: await sha256(bad), signature: signatures[0]!.signature }] });
      await expect(verify(forged, 'decision', [bad])).rejects.toThrow(/does not hold/);
    });
  });
});

const core = { orderId: random(16), number: 7n, deviceName: 'gw-1', deviceId: random(16), connector: 'nginx', action: Action.INSTALL, generation: 4n,
  chainDigest: random(32), leafSpkiDigest: random(32), keyMode: KeyMode.HELD };
const decision = { deploymentId: random(16), policyVersion: 3, decider: 'bob', requestDigest: random(32), stage: 1, orders: Uint8Array.of(5), verdict: Verdict.ACCEPT,
  mode: Mode.SCHEDULED, notBeforeS: 1800000000n, decidedAtS: 1790000000n, earlier: [random(32), random(32)], commentDigest: random(32) };
const request = { deploymentId: random(16), policyVersion: 3, requester: 'ada', requestId: random(16), number: 300n, requestedAtS: 1790000000n, decideByS: 1790000001n, windowS: 3600n,
  maxAttempts: 3, overrides: [Override.EXPIRED, Override.REVOKED], orderRoot: random(32), orderCount: 1000, commentDigest: random(32) };
const snake = (object: object) => Object.fromEntries(Object.entries(object).map(([name, value]) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), value]));

describe('payloads', () => {
  it('are the bytes that the other writer makes', () => {
    expect(hex(encode(OrderCoreSchema, create(OrderCoreSchema, core)))).toBe(wire.encode('OrderCore', snake(core)).toString('hex'));
    expect(hex(encode(DecisionSchema, create(DecisionSchema, decision)))).toBe(wire.encode('Decision', snake(decision)).toString('hex'));
    expect(hex(encode(PushRequestSchema, create(PushRequestSchema, request)))).toBe(wire.encode('PushRequest', snake(request)).toString('hex'));
  });

  it('come back as they were', () => {
    expect(decodeCore(wire.encode('OrderCore', snake(core))).deviceName).toBe('gw-1');
    expect(decodeDecision(wire.encode('Decision', snake(decision))).earlier.map(hex)).toEqual(decision.earlier.map(hex));
    expect(decodePushRequest(wire.encode('PushRequest', snake(request))).overrides).toEqual([1, 2]);
  });

  const bytes = encode(OrderCoreSchema, create(OrderCoreSchema, core));
  const shapes: [string, Uint8Array][] = [
    ['an unknown field at the end', concat(bytes, Uint8Array.of(0xa0, 0x06, 1))],
    ['a field twice', concat(bytes, Uint8Array.of(0x58, 3))],
    ['a default written out', concat(bytes, Uint8Array.of(0x60, 0))],
    ['fields out of order', concat(bytes.subarray(18), bytes.subarray(0, 18))],
    ['a padded varint', concat(bytes.subarray(0, -1), Uint8Array.of(bytes.at(-1)! | 0x80, 0))],
  ];
  for (const [how, odd] of shapes) it(`are refused with ${how}`, () => expect(() => decodeCore(odd)).toThrow(/canonical|parse/));

  it('packed scalars must be packed', () => {
    const packed = encode(PushRequestSchema, create(PushRequestSchema, request));
    const at = packed.findIndex((byte, i) => byte === 0x52 && packed[i + 1] === 2 && packed[i + 2] === 1);
    const loose = concat(packed.subarray(0, at), Uint8Array.of(0x50, 1, 0x50, 2), packed.subarray(at + 4));
    expect(() => decodePushRequest(loose)).toThrow(/canonical/);
  });

  const wrong: [string, () => unknown, RegExp][] = [
    ['a short id', () => decodeCore(encode(OrderCoreSchema, create(OrderCoreSchema, { ...core, orderId: random(15) }))), /order_id has 15 bytes/],
    ['no name', () => decodeCore(encode(OrderCoreSchema, create(OrderCoreSchema, { ...core, deviceName: '' }))), /device_name/],
    ['a name with a slash', () => decodeCore(encode(OrderCoreSchema, create(OrderCoreSchema, { ...core, connector: 'a/b' }))), /connector/],
    ['an unknown action', () => decodeCore(encode(OrderCoreSchema, create(OrderCoreSchema, { ...core, action: 9 as Action }))), /action is 9/],
    ['an install without a key', () => decodeCore(encode(OrderCoreSchema, create(OrderCoreSchema, { ...core, keyMode: KeyMode.NONE }))), /key_mode/],
    ['a removal that expects anything', () => decodeCore(encode(OrderCoreSchema, create(OrderCoreSchema, { ...core, action: Action.REMOVE }))), /expects/],
    ['a time for a manual decision', () => decodeDecision(encode(DecisionSchema, create(DecisionSchema, { ...decision, mode: Mode.MANUAL }))), /not_before_s/],
    ['an empty bitmap', () => decodeDecision(encode(DecisionSchema, create(DecisionSchema, { ...decision, orders: new Uint8Array(2) }))), /names no order/],
    ['overrides that fall', () => decodePushRequest(encode(PushRequestSchema, create(PushRequestSchema, { ...request, overrides: [2, 1] }))), /rising/],
    ['too long a window', () => decodePushRequest(encode(PushRequestSchema, create(PushRequestSchema, { ...request, windowS: 400000000n }))), /window_s/],
    ['no order', () => decodePushRequest(encode(PushRequestSchema, create(PushRequestSchema, { ...request, orderCount: 0 }))), /order_count/],
  ];
  for (const [how, work, says] of wrong) it(`are refused with ${how}`, () => expect(work).toThrow(says));

  it('a name that is not UTF-8 is refused', () => {
    const odd = Uint8Array.from(bytes), at = odd.findIndex((_, i) => new TextDecoder().decode(odd.subarray(i, i + 4)) === 'gw-1');
    odd[at] = 0xff;
    expect(() => decodeStrict(OrderCoreSchema, odd, 'the order core')).toThrow(/canonical|parse/);
  });

  it('comments are of one kind of newline, and without control characters', () => {
    expect(readComment('a\r\nb\tc')).toBe('a\nb\tc');
    expect(() => readComment('a\u0007')).toThrow(/control/);
    expect(() => readComment('a\u009b')).toThrow(/control/);
    expect(() => readComment('fine \u202e not')).toThrow(/turns text around/);
    expect(() => readComment('ä'.repeat(513))).toThrow(/1026 bytes/);
    expect(isText('\ud800')).toBe(false);
    expect(isText('😀')).toBe(true);
  });
});

describe('text of strangers', () => {
  it('is shown as the command line shows it', () => {
    const lines = vectors('shown-text.txt').map((line) => line.split(' ').map((text) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(unhex(text)!)));
    expect(lines.length).toBeGreaterThan(10);
    for (const [raw, clean] of lines) expect(shown(raw!)).toBe(clean);
  });

  it('is drawn harmless wherever it is drawn', () => {
    drawHarmless();
    const props = (vnode: unknown) => (vnode as VNode).props as Record<string, unknown>;
    expect(props(h('p', { title: 'a\u202eb' }, 'x\u200by\n'))).toMatchObject({ children: 'x???y\n', title: 'a???b' });
    expect(props(h('p', null, 'x', h('b', null, '\u2066')))).toMatchObject({ children: ['x', { props: { children: '???' } }] });
    expect(props(h('textarea', { value: '\u202e' })).value).toBe('\u202e');
  });
});

describe('certificates', () => {
  let made: MadeCertificate[];
  beforeAll(async () => {
    made = await makeCertificates({ name: 'client.example', dns: ['client.example', '*.client.example'] },
      { name: 'rsa.example', key: ['genrsa', '-out'] as string[] }, { name: 'p384.example', key: ['ecparam', '-name', 'secp384r1', '-genkey', '-noout', '-out'] });
  });

  it('are read as Node reads them', async () => {
    for (const { chain: { leaf, count }, pem } of made) {
      const other = new X509Certificate(pem);
      expect(count).toBe(2);
      expect(hex(leaf.digest)).toBe(other.fingerprint256.replaceAll(':', '').toLowerCase());
      expect(hex(leaf.spkiDigest)).toBe(hex(await sha256(other.publicKey.export({ format: 'der', type: 'spki' }))));
      expect(`CN=${leaf.commonName}`).toBe(other.subject);
      expect(leaf.issuerCommonName).toBe('Test ca');
      expect(leaf.issuer).toBe('C=DE, O=Test\\, Inc, CN=Test ca');
      expect(leaf.notAfterS).toBe(Date.parse(other.validTo) / 1000);
      expect(leaf.notBeforeS).toBe(Date.parse(other.validFrom) / 1000);
    }
    expect(made[0]!.chain.leaf.dnsNames).toEqual(['client.example', '*.client.example']);
  });

  it('know the key that fits, in any of its forms', async () => {
    for (const [i, { chain, pkcs8, sec1 }] of made.entries()) {
      expect(await keyFits(chain.leaf, pkcs8)).toBe(true);
      const wrapped = toPkcs8(sec1);
      expect(wrapped).toBeDefined();
      expect(await keyFits(chain.leaf, wrapped!)).toBe(true);
      expect(await keyFits(made[(i + 1) % made.length]!.chain.leaf, pkcs8)).toBe(false);
    }
  });
});

it('a sealed key opens on the device, for this order only', async () => {
  const { World } = await import('./world');
  const { sealKey } = await import('../src/trust/seal');
  const { openDevice } = await import('../src/trust/device');
  const world = await World.make();
  const made = world.devices.get('gw-1')!;
  const device = await openDevice(world.policy, made.reply, 'gw-1');
  const order = create(OrderCoreSchema, { ...core, deviceId: made.deviceId });
  const bytes = encode(OrderCoreSchema, order), pkcs8 = world.certificates[0]!.pkcs8;
  const { enc, ciphertext } = await sealKey(device, order, bytes, pkcs8);
  expect((ciphertext.length - 16) % 512).toBe(0);

  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(Buffer.from((await crypto.subtle.exportKey('jwk', made.kem.privateKey)).d!, 'base64url'));
  const info = Buffer.from(concat(utf8('countersign/v1/sealed-key'), world.deploymentId, made.deviceId, order.orderId));
  const open = (aad: Uint8Array) => wire.hpkeOpen(ecdh, ecdh.getPublicKey(), Buffer.from(enc), info, Buffer.from(aad), Buffer.from(ciphertext));
  expect(hex(wire.decodeStrict('SealedKeyPlain', open(bytes)).pkcs8)).toBe(hex(pkcs8));
  expect(() => open(Uint8Array.from(bytes, (byte, i) => i ? byte : byte ^ 1))).toThrow();
  await expect(sealKey(device, create(OrderCoreSchema, { ...order, deviceId: random(16) }), bytes, pkcs8)).rejects.toThrow(/another device-id/);
});
