// The Connect protocol as its own clients speak it: @connectrpc/connect-node in the binary format, over HTTP/1.1 and HTTP/2. The
// echo service's messages are google.protobuf.BytesValue here, so that a schema can name them.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { create, createFileRegistry } from '@bufbuild/protobuf';
import { BytesValueSchema, FileDescriptorProtoSchema, FileDescriptorSetSchema, file_google_protobuf_wrappers } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node';
import { sleep, startServer, until } from './harness.mjs';

const limit = 128 * 1024;
const streams = ['Stream', 'HeadStream'], unaries = ['Unary', 'Fail', 'Never', 'Metadata', 'Head', 'Deadline', 'Slow', 'Small', 'Report', 'Missing'];

function service() {
  const type = '.google.protobuf.BytesValue';
  const file = create(FileDescriptorProtoSchema, {
    name: 'echo.proto', package: 'countersign.test', syntax: 'proto3', dependency: ['google/protobuf/wrappers.proto'],
    service: [{ name: 'Echo', method: [
      ...unaries.map((name) => ({ name, inputType: type, outputType: type })),
      ...streams.map((name) => ({ name, inputType: type, outputType: type, serverStreaming: true })),
      { name: 'Bidi', inputType: type, outputType: type, clientStreaming: true, serverStreaming: true },
    ] }],
  });
  return createFileRegistry(create(FileDescriptorSetSchema, { file: [file_google_protobuf_wrappers.proto, file] })).getService('countersign.test.Echo');
}

const Echo = service();
const message = (text) => create(BytesValueSchema, { value: Buffer.from(text) });
const text = (answer) => Buffer.from(answer.value).toString();

async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof ConnectError, String(error));
    return error;
  }
  return assert.fail('it did not fail');
}

for (const httpVersion of ['1.1', '2']) {
  describe(`connect-node over HTTP/${httpVersion}`, { concurrency: false }, () => {
    let server, client;
    before(async () => {
      server = await startServer('--web', '--wrapped');
      client = createClient(Echo, createConnectTransport({ httpVersion, baseUrl: `http://127.0.0.1:${server.port}`, useBinaryFormat: true,
        acceptCompression: [] }));
    });
    after(() => server.stop());
    const report = async () => {
      const [opened, ended, lastEnd] = text(await client.report(message(''))).split(' ');
      return { open: Number(opened) - Number(ended), lastEnd };
    };

    test('calls a unary method, with messages of any size', async () => {
      for (const size of [0, 1, 1000, limit - 10])
        assert.equal((await client.unary(message('x'.repeat(size)))).value.length, size);
    });

    test('gets every code with its sentence and its trailers', async () => {
      for (let code = 1; code <= 16; code++) {
        const error = await failure(client.fail(message(`${code} the "reason" is ${code}`)));
        assert.equal(error.code, code);
        assert.equal(error.rawMessage, `the "reason" is ${code}`);
        assert.equal(error.metadata.get('reason'), 'because');
        assert.equal(error.metadata.get('detail-bin'), 'AAH+/w');
      }
    });

    test('sends metadata of both kinds and gets them back', async () => {
      let trailers;
      const answer = await client.metadata(message(''), { headers: { 'x-echo': 'plain text', 'x-echo-bin': 'AAECAw' },
        onTrailer: (all) => { trailers = all; } });
      assert.equal(text(answer), 'plain text|00010203');
      assert.equal(trailers.get('x-echo'), 'plain text');
      assert.equal(trailers.get('x-echo-bin'), 'AAECAw');
    });

    test('gets what a method adds to the head of its answer', async () => {
      const host = `127.0.0.1:${server.port}`;
      const check = (headers) => assert.deepEqual([headers.get('x-head'), headers.get('x-head-bin')], [`${host}, again`, 'AAH+/w']);
      let head;
      await client.head(message('hi'), { onHeader: (all) => { head = all; } });
      check(head);
      check((await failure(client.head(message('fail')))).metadata);
      head = undefined;
      for await (const answer of client.headStream(message('hi'), { onHeader: (all) => { head = all; } })) assert.equal(text(answer), 'hi');
      check(head);
    });

    test('learns that a method is not there, and that a message is too large', async () => {
      assert.equal((await failure(client.missing(message('')))).code, Code.Unimplemented);
      assert.equal((await failure(client.small(message('x'.repeat(200))))).code, Code.ResourceExhausted);
      assert.equal(text(await client.small(message('still there'))), 'still there');
    });

    test('sets a deadline, which the server sees and keeps', async () => {
      const left = Number(text(await client.deadline(message(''), { timeoutMs: 60000 })));
      assert.ok(left > 50000 && left <= 60000, String(left));
      assert.equal(text(await client.deadline(message(''))), 'none');
      assert.equal((await failure(client.never(message(''), { timeoutMs: 100 }))).code, Code.DeadlineExceeded);
      await until('the end of the call', async () => (await report()).open === 0);
    });

    test('cancels a call, which ends here too', async () => {
      const abort = new AbortController();
      const call = failure(client.never(message(''), { signal: abort.signal }));
      await until('the call', async () => (await report()).open === 1);
      abort.abort();
      assert.equal((await call).code, Code.Canceled);
      await until('its end', async () => (await report()).open === 0);
    });

    test('reads a stream of messages to its end', async () => {
      for (const [count, size] of [[0, 10], [1, 0], [1000, 100], [50, 100000]]) {
        let seen = 0;
        for await (const one of client.stream(message(`${count} ${size}`))) {
          assert.equal(one.value.length, size);
          seen++;
        }
        assert.equal(seen, count);
      }
    });

    test('gets the error of a stream', async () => {
      const read = async () => { for await (const one of client.stream(message('nonsense'))) assert.fail(String(one)); };
      const error = await failure(read());
      assert.equal(error.code, Code.InvalidArgument);
      assert.equal(error.rawMessage, 'say how many messages of which size');
    });

    test('leaves a stream that it does not read to the end', async () => {
      const abort = new AbortController();
      let seen = 0;
      const read = async () => {
        for await (const one of client.stream(message('1000000 10000'), { signal: abort.signal })) {
          assert.equal(one.value.length, 10000);
          if (++seen === 20) abort.abort();
        }
      };
      assert.equal((await failure(read())).code, Code.Canceled);
      await until('the end of the call', async () => (await report()).open === 0);
    });

    test('stops a stream by its deadline', async () => {
      const read = async () => {
        for await (const one of client.stream(message('1000000 10000'), { timeoutMs: 200 })) {
          assert.equal(one.value.length, 10000);
          await sleep(20);
        }
      };
      assert.equal((await failure(read())).code, Code.DeadlineExceeded);
      await until('the end of the call', async () => (await report()).open === 0);
    });

    test('is told where compression and methods of both directions are refused', async () => {
      const compressing = createClient(Echo, createConnectTransport({ httpVersion, baseUrl: `http://127.0.0.1:${server.port}`,
        useBinaryFormat: true, sendCompression: { name: 'gzip', compress: async (bytes) => bytes, decompress: async (bytes) => bytes },
        compressMinBytes: 0 }));
      assert.equal((await failure(compressing.unary(message('x')))).code, Code.Unimplemented);
      const both = async () => { for await (const one of client.bidi((async function* none() { yield message('x'); })())) assert.fail(String(one)); };
      const error = await failure(both());
      if (httpVersion === '2') assert.equal(error.code, Code.Unimplemented);
    });

    test('makes a hundred calls at once', async () => {
      const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => client.unary(message(String(i)))));
      assert.deepEqual(answers.map(text), Array.from({ length: 100 }, (_, i) => String(i)));
    });
  });
}

describe('both protocols on one port', () => {
  test('gRPC and Connect see the same service', async () => {
    const server = await startServer('--web', '--wrapped');
    const baseUrl = `http://127.0.0.1:${server.port}`;
    const clients = [createGrpcTransport({ baseUrl }), createConnectTransport({ baseUrl, httpVersion: '2', useBinaryFormat: true }),
      createConnectTransport({ baseUrl, httpVersion: '1.1', useBinaryFormat: true })].map((transport) => createClient(Echo, transport));
    const errors = await Promise.all(clients.map((client) => failure(client.fail(message('9 the same')))));
    assert.deepEqual(errors.map(({ code, rawMessage }) => [code, rawMessage]), Array(3).fill([Code.FailedPrecondition, 'the same']));
    await server.stop();
  });
});
