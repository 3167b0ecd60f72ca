// HPKE by @hpke/core, which we did not write: the seal that countersign makes, made and opened by another program.
import { Aes128Gcm, CipherSuite, DhkemP256HkdfSha256, HkdfSha256 } from '@hpke/core';
import { encode } from './wire.mjs';

export const suite = new CipherSuite({ kem: new DhkemP256HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes128Gcm() });
export const bytesOf = (buffer) => Buffer.from(buffer);
// The library wants an ArrayBuffer of exactly these bytes.
export const exact = (bytes) => Uint8Array.from(bytes).buffer;

export async function seal(spki, info, aad, plain) {
  const recipientPublicKey = await suite.kem.deserializePublicKey(exact(spki.subarray(-65)));
  const sender = await suite.createSenderContext({ recipientPublicKey, info: exact(info) });
  return { enc: bytesOf(sender.enc), ciphertext: bytesOf(await sender.seal(exact(plain), exact(aad))) };
}

// `scalar`: the 32 bytes of the recipient's private key.
export async function open(scalar, enc, info, aad, ciphertext) {
  const recipientKey = await suite.kem.deserializePrivateKey(exact(scalar));
  const recipient = await suite.createRecipientContext({ recipientKey, enc: exact(enc), info: exact(info) });
  return bytesOf(await recipient.open(exact(ciphertext), exact(aad)));
}

// A private key for one order, as proto/README.md has it. `place`: { deployment_id, device_id, order_id, core }.
export async function sealKey(kemSpki, place, pkcs8) {
  let plain;
  for (let length = 0; length <= 640; length++) {
    plain = encode('SealedKeyPlain', { pkcs8, padding: Buffer.alloc(length) });
    if (plain.length % 512 === 0) break;
  }
  const info = Buffer.concat([Buffer.from('countersign/v1/sealed-key'), place.deployment_id, place.device_id, place.order_id]);
  return seal(kemSpki, info, place.core, plain);
}
