// What the tests of both directions share: our programs as children, identity-serialised clients, promises around calls.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import grpc from '@grpc/grpc-js';

export { grpc };

const bin = process.env.COUNTERSIGN_TEST_BIN;
if (!bin) throw new Error('COUNTERSIGN_TEST_BIN must name the folder of the test programs');
export const program = (name) => path.join(bin, name);

export const temporaryFolder = () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'countersign-grpc-'));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
};

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const identity = (bytes) => bytes;
const method = (name, requestStream, responseStream) => ({
  path: `/countersign.test.Echo/${name}`, requestStream, responseStream,
  requestSerialize: identity, requestDeserialize: identity, responseSerialize: identity, responseDeserialize: identity,
});

export const service = {
  Unary: method('Unary', false, false),
  Fail: method('Fail', false, false),
  Stream: method('Stream', false, true),
  Collect: method('Collect', true, false),
  Bidi: method('Bidi', true, true),
  Hold: method('Hold', true, true),
  Never: method('Never', false, false),
  Metadata: method('Metadata', false, false),
  Head: method('Head', false, false),
  Deadline: method('Deadline', false, false),
  Slow: method('Slow', false, false),
  Small: method('Small', false, false),
  Report: method('Report', false, false),
  Missing: method('Missing', false, false),
};

export const Echo = grpc.makeGenericClientConstructor(service, 'Echo');

// A server of ours in a child process. stop() lets it close in order and fails when it does not: a leak, a handle left
// open or a call that never ended makes its exit code.
export async function startServer(...args) {
  const child = spawn(program('grpc_echo_server'), args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (text) => { errors += text; });
  const exited = new Promise((resolve) => child.on('exit', (code, signal) => resolve({ code, signal })));
  const port = await new Promise((resolve, reject) => {
    child.stdout.on('data', (text) => {
      const found = /listening (\d+)/.exec(text);
      if (found) resolve(Number(found[1]));
    });
    exited.then(() => reject(new Error(`the server ended at once: ${errors}`)));
  });
  return {
    port, child, exited,
    errors: () => errors,
    closing: () => child.stdin.end(),
    kill: () => { child.kill('SIGKILL'); return exited; },
    stop: async () => {
      child.stdin.end();
      const timer = setTimeout(() => child.kill('SIGABRT'), 20000);
      const { code, signal } = await exited;
      clearTimeout(timer);
      if (code !== 0) throw new Error(`the server ended with ${code ?? signal}: ${errors}`);
    },
  };
}

export const tlsCredentials = (folder, { withCertificate = true } = {}) => {
  const ca = readFileSync(path.join(folder, 'ca.pem'));
  if (!withCertificate) return grpc.credentials.createSsl(ca);
  return grpc.credentials.createSsl(ca, readFileSync(path.join(folder, 'client.key')),
    readFileSync(path.join(folder, 'client.pem')));
};

// Resolves with {error} or {reply}, and the trailers.
export function unary(client, name, request, { metadata = new grpc.Metadata(), ...options } = {}) {
  let call;
  const promise = new Promise((resolve) => {
    const result = {};
    call = client[name](Buffer.from(request), metadata, options, (error, reply) => {
      Object.assign(result, { error, reply });
    });
    call.on('status', (status) => {
      setImmediate(() => resolve({ ...result, code: status.code, details: status.details, trailers: status.metadata }));
    });
  });
  return Object.assign(promise, { call });
}

// All messages of a stream, and how it ended.
export function collect(call) {
  return new Promise((resolve) => {
    const messages = [];
    call.on('data', (message) => messages.push(message));
    call.on('error', () => {});
    call.on('status', (status) => resolve({ messages, code: status.code, details: status.details,
      trailers: status.metadata }));
  });
}

export async function report(client) {
  const { reply } = await unary(client, 'Report', '');
  const [opened, ended, lastEnd, bytesSent] = reply.toString().split(' ');
  return { opened: Number(opened), ended: Number(ended), lastEnd, bytesSent: Number(bytesSent) };
}

// Waits until the condition holds; the error names what was waited for.
export async function until(what, condition, withinMs = 10000) {
  const end = Date.now() + withinMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(20);
  }
}
