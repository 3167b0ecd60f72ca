// Looks for secrets where they must not be: every form in which bytes may lie around, in files, texts and the memory of a running process.
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

const CHUNK = 8 << 20;
const reversed = (bytes) => Buffer.from(bytes).reverse();

// Base64 of the bytes wherever they may stand in what was encoded: the characters that do not depend on their neighbours.
function base64At(bytes, alignment) {
  const text = Buffer.concat([Buffer.alloc(alignment), bytes]).toString('base64').replace(/=+$/, '');
  const first = Math.ceil(alignment * 8 / 6);
  const last = Math.floor((alignment + bytes.length) * 8 / 6);
  return text.slice(first, last);
}

export function formsOf(bytes) {
  const forms = { raw: bytes, 'raw, limbs from the last': reversed(bytes), hex: Buffer.from(bytes.toString('hex')),
    'hex, upper case': Buffer.from(bytes.toString('hex').toUpperCase()) };
  for (const alignment of [0, 1, 2]) {
    const text = base64At(bytes, alignment);
    forms[`base64 at ${alignment}`] = Buffer.from(text);
    forms[`base64url at ${alignment}`] = Buffer.from(text.replaceAll('+', '-').replaceAll('/', '_'));
  }
  return forms;
}

// A P-256 private key: its scalar in every form, and the whole of its usual encodings.
export function formsOfKey(key) {
  const scalar = Buffer.from(key.export({ format: 'jwk' }).d, 'base64url');
  const forms = {};
  for (const [form, bytes] of Object.entries(formsOf(scalar))) forms[`scalar, ${form}`] = bytes;
  for (const type of ['pkcs8', 'sec1']) {
    const der = key.export({ format: 'der', type });
    forms[`${type} DER`] = der;
    forms[`${type} DER, hex`] = Buffer.from(der.toString('hex'));
    // Each line of the PEM in which bytes of the scalar stand.
    const from = der.indexOf(scalar);
    der.toString('base64').match(/.{1,64}/g).forEach((line, at) => {
      if (48 * at < from + 32 && 48 * (at + 1) > from) forms[`${type} PEM, line ${at + 1}`] = Buffer.from(line);
    });
  }
  return forms;
}

// Secrets by name, each with its forms; gives the places as "NAME (FORM) in WHERE".
export class Search {
  constructor() {
    this.needles = [];
    this.longest = 0;
  }

  add(name, forms) {
    for (const [form, bytes] of Object.entries(forms)) {
      if (bytes.length < 12) throw new Error(`${name}, ${form}: too short to be told from chance`);
      this.needles.push({ name, form, bytes });
      this.longest = Math.max(this.longest, bytes.length);
    }
    return this;
  }

  in(where, bytes) {
    return this.needles.filter((needle) => bytes.includes(needle.bytes)).map(({ name, form }) => `${name} (${form}) in ${where}`);
  }

  // Overlapping pieces, so that what stands across two is found.
  #read(where, read, from, length) {
    const found = new Set();
    const piece = Buffer.alloc(CHUNK + this.longest);
    for (let at = 0; at < length; at += CHUNK) {
      const got = read(piece, from + at, Math.min(piece.length, length - at));
      if (got > 0) for (const hit of this.in(where, piece.subarray(0, got))) found.add(hit);
    }
    return [...found];
  }

  inFile(file) {
    const fd = fs.openSync(file, 'r');
    try {
      return this.#read(file, (piece, at, length) => fs.readSync(fd, piece, 0, length, at), 0, fs.fstatSync(fd).size);
    } finally {
      fs.closeSync(fd);
    }
  }

  // Every file below, the database's free pages too: files are read as they lie on the disk.
  inFolder(folder) {
    return fs.readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
      .flatMap((entry) => this.inFile(path.join(entry.parentPath ?? entry.path, entry.name)));
  }

  // What the process can write: heap, stacks, data. Sanitizers reserve terabytes for their own notes, which hold none of the program's bytes.
  inMemory(name, pid) {
    const fd = fs.openSync(`/proc/${pid}/mem`, 'r');
    const found = [];
    let read = 0;
    try {
      for (const line of fs.readFileSync(`/proc/${pid}/maps`, 'utf8').trim().split('\n')) {
        const [, start, end, mode] = line.match(/^([0-9a-f]+)-([0-9a-f]+) (\S+)/);
        const from = Number.parseInt(start, 16);
        const length = Number.parseInt(end, 16) - from;
        if (!mode.startsWith('rw') || length > 2 ** 33) continue;
        found.push(...this.#read(`the memory of ${name}`, (piece, at, most) => {
          try {
            const got = fs.readSync(fd, piece, 0, most, at);
            read += got;
            return got;
          } catch {
            return 0; // taken away meanwhile, or never there
          }
        }, from, length));
      }
    } finally {
      fs.closeSync(fd);
    }
    return { found: [...new Set(found)], read };
  }
}

export const newP256 = () => crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
