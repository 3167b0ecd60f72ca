// Private keys for devices: HPKE (RFC 9180, base mode) to the key-encryption key of the device's admission, bound to deployment,
// device-id, order and core (proto/README.md, "Sealed keys"). The library is loaded when the first key is sealed.
import { create } from '@bufbuild/protobuf';
import { type OrderCore, type SealedKey, SealedKeyPlainSchema, SealedKeySchema } from '../gen/countersign/v1/statement_pb';
import { type Bytes, concat, equal, utf8 } from './bytes';
import type { Device } from './device';
import { Refusal } from './refusal';
import { encode } from './statements';

const PADDED_TO = 512;
const KEY_BYTES_MOST = 4096;
const POINT_BYTES = 65;

// As few zeros as make the encoding's length a multiple of 512, so that it does not tell the kind of key.
function padded(pkcs8: Uint8Array): Bytes {
  for (let length = 0; ; length++) {
    const plain = encode(SealedKeyPlainSchema, create(SealedKeyPlainSchema, { pkcs8, padding: new Uint8Array(length) }));
    if (plain.length % PADDED_TO === 0) return plain;
    plain.fill(0);
  }
}

export async function sealKey(device: Device, core: OrderCore, coreBytes: Uint8Array, pkcs8: Uint8Array): Promise<SealedKey> {
  const { admission } = device;
  if (admission.deviceName !== core.deviceName || !equal(admission.deviceId, core.deviceId))
    throw new Refusal(`WO-${core.number} names another device-id than the one that was admitted as ${core.deviceName}: no key was sealed`);
  if (pkcs8.length > KEY_BYTES_MOST) throw new Refusal(`the private key has ${pkcs8.length} bytes, more than fit a message`);
  const { Aes128Gcm, CipherSuite, DhkemP256HkdfSha256, HkdfSha256 } = await import('@hpke/core');
  const suite = new CipherSuite({ kem: new DhkemP256HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes128Gcm() });
  // The library wants buffers of exactly these bytes.
  const exact = (bytes: Uint8Array): ArrayBuffer => Uint8Array.from(bytes).buffer;
  const recipientPublicKey = await suite.kem.deserializePublicKey(exact(admission.kemSpki.subarray(-POINT_BYTES)));
  const info = concat(utf8('countersign/v1/sealed-key'), admission.deploymentId, core.deviceId, core.orderId);
  const sender = await suite.createSenderContext({ recipientPublicKey, info: exact(info) });
  const plain = padded(pkcs8);
  try {
    const ciphertext = await sender.seal(plain.buffer, exact(coreBytes));
    return create(SealedKeySchema, { enc: new Uint8Array(sender.enc), ciphertext: new Uint8Array(ciphertext) });
  } finally {
    plain.fill(0);
  }
}
