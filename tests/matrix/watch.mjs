// Looks from outside what an application serves or shows, all the time, with OpenSSL as Node has it: nothing of ours.
import crypto from 'node:crypto';
import net from 'node:net';
import tls from 'node:tls';
import { setTimeout as sleep } from 'node:timers/promises';

const EVERY_MS = 50;
const LOOK_TIMEOUT_MS = 1500;

const ended = (socket) => new Promise((_, reject) => {
  socket.setTimeout(LOOK_TIMEOUT_MS, () => socket.destroy(new Error('no answer')));
  socket.on('error', reject);
  socket.on('close', () => reject(new Error('closed')));
});

async function handshake(options) {
  const socket = tls.connect({ rejectUnauthorized: false, servername: 'localhost', ...options });
  try {
    await Promise.race([new Promise((resolve) => socket.on('secureConnect', resolve)), ended(socket)]);
    return socket.getPeerCertificate().fingerprint256;
  } finally {
    socket.destroy();
  }
}

// A server's own certificate.
export const served = (port) => () => handshake({ port, host: '127.0.0.1' });

// The same behind STARTTLS of SMTP.
export const servedBySmtp = (port) => async () => {
  const socket = net.connect({ port, host: '127.0.0.1' });
  const broken = ended(socket);
  broken.catch(() => {});
  const reply = () => Promise.race([broken, new Promise((resolve) => {
    let text = '';
    const on = (chunk) => {
      text += chunk;
      if (!/^\d{3} .*\r\n$/m.test(text)) return;
      socket.off('data', on);
      resolve(text);
    };
    socket.on('data', on);
  })]);
  try {
    await reply();
    socket.write('EHLO localhost\r\n');
    await reply();
    socket.write('STARTTLS\r\n');
    if (!(await reply()).startsWith('220')) throw new Error('no STARTTLS');
    return await handshake({ socket });
  } finally {
    socket.destroy();
  }
};

// Somebody whom the application calls, and who asks for its certificate: on each connection `answer(socket, fingerprint)`.
export async function upstream(pair, fs, answer) {
  const server = tls.createServer({ cert: fs.readFileSync(pair.chain), key: fs.readFileSync(pair.key), requestCert: true, rejectUnauthorized: false },
    (socket) => {
      socket.on('error', () => {});
      const peer = socket.getPeerX509Certificate();
      answer(socket, peer ? new crypto.X509Certificate(peer.raw).fingerprint256 : 'none');
    });
  server.on('tlsClientError', () => {});
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

// What comes over a plain connection, to its end.
export const said = (port, request) => async () => {
  const socket = net.connect({ port, host: '127.0.0.1' });
  let text = '';
  socket.on('data', (chunk) => { text += chunk; });
  if (request) socket.write(request);
  try {
    await Promise.race([new Promise((resolve) => socket.on('end', resolve)), ended(socket)]);
    const [fingerprint] = text.match(/([0-9A-F]{2}:){31}[0-9A-F]{2}/) ?? [];
    if (!fingerprint) throw new Error(`it said "${text.slice(0, 40)}"`);
    return fingerprint;
  } finally {
    socket.destroy();
  }
};

export class Watch {
  // look(): the fingerprint that is there now, or an error.
  constructor(look, every_ms = EVERY_MS) {
    this.look = look;
    this.every_ms = every_ms;
    this.mark();
    this.running = this.#run();
  }

  async #run() {
    while (!this.stopped) {
      try {
        const fingerprint = await this.look();
        this.away_ms = Math.max(this.away_ms, this.failed ? performance.now() - this.good_at : 0);
        this.failed = undefined;
        this.good_at = performance.now();
        this.last = fingerprint;
        this.seen.add(fingerprint);
        this.looks++;
      } catch (error) {
        this.failed = error;
        this.why.add(error.message.split('\n')[0]);
      }
      await sleep(this.every_ms);
    }
  }

  // From here on: which were seen, and the longest time between two looks that saw something when one between them did not.
  mark() {
    this.seen = new Set();
    this.away_ms = 0;
    this.good_at = performance.now();
    this.looks = 0;
    this.why = new Set();
  }

  get away() { return this.failed ? Math.max(this.away_ms, performance.now() - this.good_at) : this.away_ms; }

  // Several looks in a row saw this one.
  async until(fingerprint, timeout_ms) {
    const end = performance.now() + timeout_ms;
    for (let from = this.looks, right = 0; performance.now() < end; await sleep(this.every_ms)) {
      if (this.failed || (this.looks > from && this.last !== fingerprint)) right = 0;
      else if (this.looks > from) right++;
      from = this.looks;
      if (right >= 4) return true;
    }
    return false;
  }

  async stop() {
    this.stopped = true;
    await this.running;
  }
}
