// `countersign console` and its page, as far as a test needs one: requests as a browser sends them, with every header in the test's
// hands, and calls by Connect in protobuf.
//
//   const page = await Console.open(t, deployment, 'ada');   // the link is opened, the token kept
//   const { signers } = await page.call('SignerService', 'GetSigner');
import http from 'node:http';
import path from 'node:path';
import { bin } from './harness.mjs';
import { decode, encode } from './wire.mjs';

export const linkPattern = /(http:\/\/127\.0\.0\.1:(\d+)\/)#link=([A-Za-z0-9_-]{43})/;

// What a method that is called by Connect refuses with.
export class Refusal extends Error {
  constructor(status, { code, message }) {
    super(`${code}: ${message}`);
    Object.assign(this, { status, code, sentence: message });
  }
}

export class Console {
  // `command`: what stands in front of the program; `where`: how it finds the controller.
  static async start(t, deployment, name, { args = ['--no-open'], where = ['--socket', deployment.socket], env, stdin, command } = {}) {
    const line = [path.join(bin, 'countersign'), '--home', deployment.home, ...where, 'console',
      ...(name ? ['--as', name] : []), ...args];
    const program = command ? deployment.program(...command(line), { name: 'console', env, stdin })
      : deployment.program(line[0], line.slice(1), { name: 'console', env, stdin });
    const link = await program.line(linkPattern, { timeout_ms: 40_000 });
    const page = new Console(program, link);
    t.after(() => page.close());
    return page;
  }

  static async open(t, deployment, name, options) {
    const page = await Console.start(t, deployment, name, options);
    await page.openLink();
    return page;
  }

  constructor(program, [, url, port, secret]) {
    Object.assign(this, { program, url, port: Number(port), secret: Buffer.from(secret, 'base64url') });
    this.agent = new http.Agent({ keepAlive: true });
  }

  close() { this.agent.destroy(); }

  get host() { return `127.0.0.1:${this.port}`; }

  // One request; headers that are null are left out.
  request(method, where, { headers = {}, body, signal } = {}) {
    const all = Object.fromEntries(Object.entries({ host: this.host, ...headers }).filter(([, value]) => value !== null));
    return new Promise((resolve, reject) => {
      const request = http.request({ host: '127.0.0.1', port: this.port, method, path: where, headers: all, setHost: false, agent: this.agent,
        signal }, resolve);
      request.on('error', reject);
      request.end(body);
    });
  }

  async whole(method, where, options) {
    const answer = await this.request(method, where, options);
    const parts = [];
    for await (const part of answer) parts.push(part);
    return { status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts) };
  }

  // What the page sends with a call.
  headers(more) {
    return { 'content-type': 'application/proto', 'connect-protocol-version': '1', origin: `http://${this.host}`,
      'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty',
      ...(this.token ? { authorization: `Bearer ${this.token}` } : {}), ...more };
  }

  async call(service, method, body = {}, { headers, bytes } = {}) {
    const answer = await this.whole('POST', `/countersign.v1.${service}/${method}`,
      { headers: this.headers(headers), body: bytes ?? encode(`${method}Request`, body) });
    if (answer.status !== 200) throw new Refusal(answer.status, JSON.parse(answer.body));
    return decode(`${method}Response`, answer.body);
  }

  async openLink(secret = this.secret) {
    this.token = (await this.call('SignerService', 'OpenLink', { secret })).token;
    return this.token;
  }

  // The messages of a server stream; ends with the stream, or throws its refusal.
  async* stream(service, method, body = {}, { signal, headers } = {}) {
    const request = encode(`${method}Request`, body), prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(request.length, 1);
    const answer = await this.request('POST', `/countersign.v1.${service}/${method}`,
      { headers: this.headers({ 'content-type': 'application/connect+proto', ...headers }), body: Buffer.concat([prefix, request]), signal });
    let held = Buffer.alloc(0);
    for await (const more of answer) {
      held = Buffer.concat([held, more]);
      while (held.length >= 5 && held.length >= 5 + held.readUInt32BE(1)) {
        const message = held.subarray(5, 5 + held.readUInt32BE(1));
        if (held[0] & 2) {
          const { error } = JSON.parse(message);
          if (error) throw new Refusal(answer.statusCode, error);
          return;
        }
        yield decode(`${method}Response`, message);
        held = held.subarray(5 + message.length);
      }
    }
    throw new Error('the stream was cut');
  }
}
