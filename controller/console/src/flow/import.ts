// Certificates from files: PEM or DER, several at once, keys among them or beside them. What is found is shown before anything is
// sent; a private key leaves this page only where the person says so: to the controller's vault, or sealed to devices (flow/push.ts).
import { client } from '../api/client';
import { type Certificate, CertificateService } from '../gen/countersign/v1/operator_pb';
import { base64, concat, fromBase64, utf8 } from '../trust/bytes';
import { Refusal } from '../trust/refusal';
import { type Chain, keyFits, readAll, readChain, toPkcs8 } from '../trust/x509';

export const FILE_BYTES_MOST = 96 * 1024;

export interface PickedFile { name: string; bytes: Uint8Array }

export interface FoundCertificate {
  pem: Uint8Array;        // the chain, leaf first
  chain: Chain;
  pkcs8?: Uint8Array;     // the private key that fits, from this file or another one
}

export interface Found {
  certificates: FoundCertificate[];
  problems: { file: string; sentence: string }[];
}

interface Block { label: string; der: Uint8Array; encrypted: boolean }

function pemBlocks(text: string): Block[] {
  return [...text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----([\s\S]*?)-----END \1-----/g)].map(([, label, body]) => {
    const encrypted = label === 'ENCRYPTED PRIVATE KEY' || /Proc-Type:.*ENCRYPTED/.test(body!);
    const der = encrypted ? undefined : fromBase64(body!.replace(/^[A-Za-z-]+:.*$/gm, '').replace(/\s+/g, ''));
    if (!encrypted && !der) throw new Refusal('a block of the PEM file is not base64: copy it whole');
    return { label: label!, der: der ?? new Uint8Array(), encrypted };
  });
}

function toPem(ders: readonly Uint8Array[]): Uint8Array {
  return utf8(ders.map((der) =>
    `-----BEGIN CERTIFICATE-----\n${base64(der).replace(/.{64}/g, '$&\n').trimEnd()}\n-----END CERTIFICATE-----\n`).join(''));
}

interface Read { ders: Uint8Array[]; keys: Uint8Array[] }

function readFile({ bytes }: PickedFile): Read {
  if (bytes.length > FILE_BYTES_MOST) throw new Refusal(`it has more than ${FILE_BYTES_MOST / 1024} KiB: certificates are smaller`);
  const text = new TextDecoder('latin1').decode(bytes);
  if (!text.includes('-----BEGIN ')) {
    const pkcs8 = toPkcs8(bytes);
    return pkcs8 ? { ders: [], keys: [pkcs8] } : { ders: readAll(bytes).map(({ whole }) => whole), keys: [] };
  }
  const blocks = pemBlocks(text);
  if (blocks.some(({ encrypted }) => encrypted))
    throw new Refusal('its private key has a passphrase, which this page does not open: `countersign cert import` asks for it, or decrypt it first');
  const keys = blocks.filter(({ label }) => label.endsWith('PRIVATE KEY')).map(({ der }) => toPkcs8(der));
  if (keys.includes(undefined)) throw new Refusal('its private key is in no form that is known: PKCS#8, PKCS#1 and SEC 1 are');
  return { ders: blocks.filter(({ label }) => /^(X509 |TRUSTED )?CERTIFICATE$/.test(label)).map(({ der }) => der), keys: keys as Uint8Array[] };
}

// The one private key of a file that has nothing else to say, as PKCS#8.
export function readKey(file: PickedFile): Uint8Array {
  const { keys } = readFile(file);
  if (keys.length !== 1) throw new Refusal(`${file.name} has ${keys.length === 0 ? 'no private key' : `${keys.length} private keys, and one is meant`}`);
  return keys[0]!;
}

export async function readCertificates(files: readonly PickedFile[]): Promise<Found> {
  const found: Found = { certificates: [], problems: [] };
  const keys: { file: string; pkcs8: Uint8Array; used: boolean }[] = [];
  for (const file of files) {
    try {
      const { ders, keys: own } = readFile(file);
      if (ders.length === 0 && own.length === 0) throw new Refusal('there is no certificate and no private key in it');
      keys.push(...own.map((pkcs8) => ({ file: file.name, pkcs8, used: false })));
      if (ders.length) found.certificates.push({ pem: toPem(ders), chain: await readChain(concat(...ders)) });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      found.problems.push({ file: file.name, sentence: error.message });
    }
  }
  for (const certificate of found.certificates)
    for (const key of keys)
      if (!certificate.pkcs8 && await keyFits(certificate.chain.leaf, key.pkcs8).catch(() => false)) {
        certificate.pkcs8 = key.pkcs8;
        key.used = true;
      }
  for (const key of keys)
    if (!key.used) found.problems.push({ file: key.file, sentence: 'its private key belongs to none of these certificates' });
  return found;
}

// `holdKey`: the private key goes to the controller's vault; without, it stays here.
export async function importCertificate(found: FoundCertificate, { holdKey = false } = {}): Promise<{ certificate: Certificate; existed: boolean }> {
  if (holdKey && !found.pkcs8) throw new Refusal(`there is no private key for "${found.chain.leaf.commonName}"`);
  const { certificate, existed } = await client(CertificateService).importCertificate({ certificates: found.pem,
    privateKey: holdKey ? found.pkcs8! : new Uint8Array() });
  if (!certificate) throw new Refusal('the controller did not say what it imported: look whether it is in the list');
  return { certificate, existed };
}
