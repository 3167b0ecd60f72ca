// Operators' clients that we did not write, all behind one interface: Connect and gRPC by @connectrpc/connect-node, and `buf curl`.
//
//   const client = clients(deployment.unix).find((each) => each.name === 'Connect, JSON, HTTP/1.1');
//   const reply = await client.call(serviceOf('ControllerService').method.getStatus, {});
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { create, fromJsonString, toJsonString } from '@bufbuild/protobuf';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node';
import { protoFolder } from './schema.mjs';

const TIMEOUT_MS = 30_000;
const modules = path.join(path.dirname(fileURLToPath(import.meta.url)), '../node_modules');
const buf = path.join(modules, `@bufbuild/buf-linux-${process.arch === 'arm64' ? 'aarch64' : process.arch}/bin/buf`);
const codeName = (code) => Code[code].replace(/(?!^)[A-Z]/g, (letter) => `_${letter}`).toLowerCase();

// `place`: { socket } or { url }, with TLS { ca, servername }, and the headers of every call. Gives what a test asserts on: a reply, or an Error with code and message.
class Connect {
  constructor(name, makeTransport, place, { json = false, http = '2' } = {}) {
    const options = { baseUrl: place.url ?? 'http://localhost', httpVersion: http, useBinaryFormat: !json, defaultTimeoutMs: TIMEOUT_MS };
    if (place.socket) options.nodeOptions = http === '2' ? { createConnection: () => net.connect(place.socket) } : { socketPath: place.socket };
    else if (place.ca) options.nodeOptions = { ca: place.ca, servername: place.servername };
    this.name = name;
    this.place = place;
    this.transport = makeTransport(options);
  }

  async call(method, init, { headers = {} } = {}) {
    try {
      return await createClient(method.parent, this.transport)[method.localName](init, { headers: { ...this.place.headers, ...headers } });
    } catch (error) {
      throw refusal(error);
    }
  }

  // The replies one after the other, until `signal` ends them.
  async *stream(method, init, { signal } = {}) {
    try {
      yield* createClient(method.parent, this.transport)[method.localName](init, { headers: this.place.headers, signal, timeoutMs: 0 });
    } catch (error) {
      if (!signal?.aborted) throw refusal(error);
    }
  }
}

function refusal(error) {
  const { code, rawMessage } = ConnectError.from(error);
  return Object.assign(new Error(rawMessage), { code: codeName(code) });
}

class BufCurl {
  constructor(name, place, { protocol, http2 = false }) {
    this.name = name;
    this.place = place;
    this.options = ['--schema', protoFolder, '--protocol', protocol, ...(http2 && !place.ca ? ['--http2-prior-knowledge'] : []),
      ...(place.socket ? ['--unix-socket', place.socket] : []), ...(place.ca ? ['--cacert', place.caFile, '--servername', place.servername] : [])];
  }

  #start(method, init, headers, options) {
    const all = Object.entries({ ...this.place.headers, ...headers }).flatMap(([key, value]) => ['-H', `${key}: ${value}`]);
    const child = spawn(buf, ['curl', ...this.options, ...all, '-d', '@-',
      `${this.place.url ?? 'http://localhost'}/${method.parent.typeName}/${method.name}`], { stdio: 'pipe', ...options });
    const out = { stderr: '' };
    child.stderr.setEncoding('utf8').on('data', (text) => { out.stderr += text; });
    out.ended = new Promise((resolve, reject) => child.on('error', reject).on('close', resolve));
    child.stdin.end(toJsonString(method.input, create(method.input, init)));
    out.stdout = child.stdout.setEncoding('utf8');
    return out;
  }

  async #end(out) {
    const status = await out.ended;
    if (status === 0) return;
    let answer;
    try {
      answer = JSON.parse(out.stderr);
    } catch {
      throw new Error(`buf curl ended with ${status}: ${out.stderr}`);
    }
    throw Object.assign(new Error(answer.message), { code: answer.code });
  }

  async call(method, init, { headers = {} } = {}) {
    const out = this.#start(method, init, headers, { timeout: TIMEOUT_MS });
    let text = '';
    for await (const part of out.stdout) text += part;
    await this.#end(out);
    return fromJsonString(method.output, text.trim() || '{}');
  }

  // Each reply is printed as an object of several lines, or of one that is empty.
  async *stream(method, init, { signal } = {}) {
    const out = this.#start(method, init, {}, { signal });
    out.ended.catch(() => {});
    let text = '';
    try {
      for await (const part of out.stdout) {
        text += part;
        for (let end; (end = text.match(/^(\{\}|\})$/m)); text = text.slice(end.index + end[0].length))
          yield fromJsonString(method.output, text.slice(0, end.index + end[0].length));
      }
      await this.#end(out);
    } catch (error) {
      if (!signal?.aborted) throw error;
    }
  }
}

// The binary is an optional package, because there is none for every processor; where there is one it has to be here.
const hasBuf = fs.existsSync(buf);
if (!hasBuf && ['x64', 'arm64'].includes(process.arch))
  throw new Error(`${buf} is missing: npm ci --include=optional in tests/integration`);

export function clients(place) {
  const all = [
    new Connect('Connect, JSON, HTTP/1.1', createConnectTransport, place, { json: true, http: '1.1' }),
    new Connect('Connect, protobuf, HTTP/1.1', createConnectTransport, place, { http: '1.1' }),
    new Connect('Connect, JSON, HTTP/2', createConnectTransport, place, { json: true }),
    new Connect('Connect, protobuf, HTTP/2', createConnectTransport, place),
    new Connect('gRPC', createGrpcTransport, place),
  ];
  if (hasBuf) {
    all.push(new BufCurl('buf curl, Connect', place, { protocol: 'connect' }));
    all.push(new BufCurl('buf curl, gRPC', place, { protocol: 'grpc', http2: true }));
    // It takes its time for each call.
    if (process.env.CS_LONG) all.push(new BufCurl('buf curl, Connect over HTTP/2', place, { protocol: 'connect', http2: true }));
  }
  return all;
}
