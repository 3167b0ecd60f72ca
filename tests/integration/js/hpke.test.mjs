// Our HPKE against @hpke/core, both ways, and both against the numbers of RFC 9180.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { bin, run } from './harness.mjs';
import { bytesOf, exact, open, seal, suite } from './hpke.mjs';

const hex = (bytes) => bytes.length ? bytes.toString('hex') : '-';
async function probe(...args) {
  const { status, stdout, stderr } = await run(path.join(bin, 'hpke_probe'), args.map((arg) => typeof arg === 'string' ? arg : hex(arg)));
  assert.equal(status, 0, stderr);
  return stdout.trim().split(' ').map((word) => word === '-' ? Buffer.alloc(0) : word === 'refused' ? word : Buffer.from(word, 'hex'));
}

function newRecipient() {
  const { publicKey, privateKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { spki: publicKey.export({ format: 'der', type: 'spki' }), scalar: Buffer.from(privateKey.export({ format: 'jwk' }).d, 'base64url') };
}
const sizes = [0, 1, 15, 16, 17, 511, 512, 1024, 4096];

test('what C seals JavaScript opens', async () => {
  for (const size of sizes) {
    const { spki, scalar } = newRecipient();
    const [info, aad, plain] = [crypto.randomBytes(size % 100), crypto.randomBytes(size % 300), crypto.randomBytes(size)];
    const [enc, ciphertext] = await probe('seal', spki, info, aad, plain);
    assert.deepEqual(await open(scalar, enc, info, aad, ciphertext), plain, `${size} bytes`);
    await assert.rejects(open(scalar, enc, Buffer.concat([info, Buffer.of(0)]), aad, ciphertext));
  }
});

test('what JavaScript seals C opens, and nothing that was altered', async () => {
  for (const size of sizes) {
    const { spki, scalar } = newRecipient();
    const [info, aad, plain] = [crypto.randomBytes(size % 100), crypto.randomBytes(size % 300), crypto.randomBytes(size)];
    const { enc, ciphertext } = await seal(spki, info, aad, plain);
    const [opened] = await probe('open', scalar, enc, info, aad, ciphertext);
    assert.deepEqual(opened, plain, `${size} bytes`);
    const flipped = Buffer.from(ciphertext);
    flipped[0] ^= 1;
    assert.deepEqual(await probe('open', scalar, enc, info, aad, flipped), ['refused']);
    assert.deepEqual(await probe('open', scalar, enc, info, Buffer.concat([aad, Buffer.of(0)]), ciphertext), ['refused']);
    assert.deepEqual(await probe('open', newRecipient().scalar, enc, info, aad, ciphertext), ['refused']);
  }
});

test('the vector of RFC 9180 is what another implementation says, too', async () => {
  const file = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../vectors/hpke-rfc9180.txt');
  const vector = Object.fromEntries(fs.readFileSync(file, 'utf8').split('\n').filter((line) => line && !line.startsWith('#'))
    .map((line) => line.split(' ')).map(([name, value]) => [name, Buffer.from(value, 'hex')]));
  const { info, skEm, skRm, enc, aad, pt, ct } = vector;
  assert.deepEqual(await open(skRm, enc, info, aad, ct), pt);
  // Sealed with the RFC's own ephemeral key.
  const ecdh = crypto.createECDH('prime256v1');
  ecdh.setPrivateKey(skEm);
  const ephemeral = { privateKey: await suite.kem.deserializePrivateKey(exact(skEm)),
    publicKey: await suite.kem.deserializePublicKey(exact(ecdh.getPublicKey())) };
  ecdh.setPrivateKey(skRm);
  const recipientPublicKey = await suite.kem.deserializePublicKey(exact(ecdh.getPublicKey()));
  const sender = await suite.createSenderContext({ recipientPublicKey, info: exact(info), ekm: ephemeral });
  assert.deepEqual(bytesOf(sender.enc), enc);
  assert.deepEqual(bytesOf(await sender.seal(exact(pt), exact(aad))), ct);
});
