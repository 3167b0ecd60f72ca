// A browser as the operators' listener sees one: it keeps cookies, says from which page a call comes, and has a key that WebCrypto made
// and does not give away. Over HTTP/1.1, Connect in protobuf, written from proto/README.md.
//
//   const browser = await Browser.create('https://controller.example:9443', { ca });
//   await browser.pair(link);
//   await browser.signIn(operator);
//   await browser.call('SessionService/WhoAmI');
import http from 'node:http';
import https from 'node:https';
import { decode, encode, payloadType, sha256 } from './wire.mjs';

const { subtle } = globalThis.crypto;

export class Refused extends Error {
  constructor(status, { code, message }) {
    super(message);
    Object.assign(this, { status, code });
  }
}

const preAuthentication = (kind, payload) => {
  const type = payloadType(kind);
  return Buffer.concat([Buffer.from(`DSSEv1 ${type.length} ${type} ${payload.length} `), payload]);
};

export class Browser {
  // `ca`: PEM that the server's certificate leads to, which bears the name countersignd.
  static async create(url, { ca } = {}) {
    const browser = new Browser();
    Object.assign(browser, { url: new URL(url), ca, cookies: new Map() });
    browser.keys = await subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']);
    browser.spki = Buffer.from(await subtle.exportKey('spki', browser.keys.publicKey));
    return browser;
  }

  get origin() { return this.url.origin; }
  get cookieHeader() { return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; '); }

  // Status, headers and body. What a page of this origin says of itself stands in front of `headers`; undefined leaves one out.
  request(method, path, body, headers = {}) {
    const all = { host: this.url.host, origin: this.origin, 'sec-fetch-site': 'same-origin', ...(this.cookies.size && { cookie: this.cookieHeader }),
      ...(body && { 'content-type': 'application/proto', 'content-length': body.length }), ...headers };
    for (const name of Object.keys(all)) if (all[name] === undefined) delete all[name];
    const { request } = this.url.protocol === 'https:' ? https : http;
    return new Promise((resolve, reject) => {
      const sent = request({ method, path, host: this.url.hostname, port: this.url.port, headers: all, ca: this.ca, servername: 'countersignd', agent: false }, (answer) => {
        const parts = [];
        answer.on('data', (part) => parts.push(part));
        answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts) }));
      });
      sent.setTimeout(10_000, () => sent.destroy(new Error(`no answer to ${path}`)));
      sent.on('error', reject);
      sent.end(body);
    });
  }

  // The reply, and in `browser.setCookie` what the answer's head set.
  async call(name, body = {}, headers) {
    const [service, method] = name.split('/');
    const answer = await this.request('POST', `/countersign.v1.${service}/${method}`, encode(`${method}Request`, body), headers);
    this.setCookie = answer.headers['set-cookie'] ?? [];
    for (const line of this.setCookie) {
      const [, key, value] = line.match(/^([^=]+)=([^;]*)/);
      if (/; Max-Age=0(;|$)/.test(line)) this.cookies.delete(key);
      else this.cookies.set(key, value);
    }
    if (answer.status !== 200) throw new Refused(answer.status, JSON.parse(answer.body));
    return decode(`${method}Response`, answer.body);
  }

  // As the page at /pair does it.
  async pair(link, { keepMac } = {}) {
    const [authentication, binding, deploymentId] = new URL(link).hash.slice(1).split('.').map((part) => Buffer.from(part, 'base64url'));
    const key = await subtle.importKey('raw', binding, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
    const mac = Buffer.from(await subtle.sign('HMAC', key, Buffer.concat([Buffer.from('countersign/v1/pair'), deploymentId, this.spki])));
    if (keepMac) keepMac(mac);
    return this.call('SessionService/Pair', { authentication, spki: this.spki, binding_mac: mac });
  }

  async sign(kind, payload) {
    const signature = Buffer.from(await subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, this.keys.privateKey, preAuthentication(kind, payload)));
    return encode('Envelope', { payload_type: payloadType(kind), payload, signatures: [{ key_id: sha256(this.spki), signature }] });
  }

  // The envelope of an opening; a page knows nothing of the server's key.
  async opening(operator, more = {}) {
    const { challenge, deployment_id, policy_version } = await this.call('SessionService/GetChallenge');
    return this.sign('session-opening', encode('SessionOpening', { deployment_id, policy_version, operator, challenge, made_at_s: Math.floor(Date.now() / 1000), ...more }));
  }

  async signIn(operator, { headers, ...more } = {}) {
    return this.call('SessionService/OpenSession', { envelope: await this.opening(operator, more), cookie: true }, headers);
  }
}
