// What is pushed, made by openssl: a root, an issuing authority, and pairs whose chain is leaf and issuer.
import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

const NEW_KEYS = { ec: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'], rsa2048: ['-newkey', 'rsa:2048'] };
const CONFIG = `[ca]
default_ca = c
[c]
database = index
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = p
unique_subject = no
[p]
commonName = supplied
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = CA:FALSE
extendedKeyUsage = serverAuth, clientAuth
subjectAltName = DNS:localhost, IP:127.0.0.1
`;
const YEAR_MS = 365 * 86_400_000;
const stamp = (ms) => new Date(ms).toISOString().replace(/[-:T]/g, '').slice(0, 14) + 'Z';

export class Authority {
  constructor(folder) {
    this.folder = folder;
    fs.mkdirSync(folder);
    fs.writeFileSync(path.join(folder, 'config'), CONFIG);
    fs.writeFileSync(path.join(folder, 'index'), '');
    this.#openssl('req', '-x509', ...NEW_KEYS.ec, '-nodes', '-keyout', 'root.key', '-out', 'root.pem', '-subj', '/CN=Example Root', '-days', '3650',
      '-config', '/dev/null', '-addext', 'basicConstraints=critical,CA:TRUE');
    this.#issue('issuer', 'root', 'authority', 'ec', Date.now() - YEAR_MS * 2, Date.now() + YEAR_MS);
    this.root = path.join(folder, 'root.pem');
  }

  #openssl(...args) {
    execFileSync('openssl', args, { cwd: this.folder, stdio: ['ignore', 'ignore', 'pipe'] });
  }

  #issue(name, by, extensions, kind, from_ms, to_ms) {
    this.#openssl('req', ...NEW_KEYS[kind], '-nodes', '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`, '-config', '/dev/null');
    this.#openssl('ca', '-batch', '-notext', '-config', 'config', '-extensions', extensions, '-cert', `${by}.pem`, '-keyfile', `${by}.key`,
      '-in', `${name}.csr`, '-out', `${name}.pem`, '-startdate', stamp(from_ms), '-enddate', stamp(to_ms));
  }

  // A new certificate and its key: { name, chain, key } (paths), and fingerprint and spki to know them by.
  pair(name, { kind = 'ec', expired = false } = {}) {
    const now = Date.now();
    this.#issue(name, 'issuer', 'leaf', kind, now - YEAR_MS / 2, expired ? now - 86_400_000 : now + YEAR_MS / 2);
    const chain = path.join(this.folder, `${name}.chain.pem`);
    const key = path.join(this.folder, `${name}.key`);
    fs.writeFileSync(chain, ['issuer', name].reverse().map((one) => fs.readFileSync(path.join(this.folder, `${one}.pem`), 'utf8')).join(''));
    return { name, chain, key, ...certificateOf(fs.readFileSync(chain, 'utf8')) };
  }
}

// Of the first certificate in a PEM.
export function certificateOf(pem) {
  const leaf = new crypto.X509Certificate(pem);
  return { fingerprint: leaf.fingerprint256, spki: leaf.publicKey.export({ type: 'spki', format: 'der' }).toString('base64') };
}

// Of the private key in a PEM, wherever in it.
export function spkiOfKey(pem) {
  const block = pem.match(/-----BEGIN ([A-Z ]*PRIVATE KEY)-----[\s\S]*?-----END \1-----/);
  return crypto.createPublicKey(crypto.createPrivateKey(block[0])).export({ type: 'spki', format: 'der' }).toString('base64');
}
