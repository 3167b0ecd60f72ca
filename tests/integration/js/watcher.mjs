// A client that watches: the messages of WatchService as they come, with all that was told kept.
//
//   const watcher = new Watcher(operator.client, { kinds: [objectKind.OBJECT_KIND_ORDER] });
//   await watcher.until((change) => change.number === 3);
import grpc from '@grpc/grpc-js';
import { decode, encode, enumOf } from './wire.mjs';

export const objectKind = enumOf('ObjectKind');
const same = (bytes) => bytes;

export class Watcher {
  constructor(client, request = {}) {
    this.changes = [];
    this.messages = [];
    this.revision = request.after_revision ?? 0;
    this.waiters = new Set();
    this.call = client.makeServerStreamRequest('/countersign.v1.WatchService/Watch', same, same, encode('WatchRequest', request),
      new grpc.Metadata());
    this.call.on('data', (bytes) => {
      const message = decode('WatchResponse', bytes);
      if (message.revision < this.revision) this.failure = new Error(`revision ${message.revision} after ${this.revision}`);
      this.revision = message.revision;
      this.messages.push(message);
      this.changes.push(...message.changes);
      this.#look();
    });
    this.ended = new Promise((resolve) => {
      this.call.on('error', (error) => {
        this.error = error;
        resolve(error);
        this.#look();
      });
      this.call.on('end', () => resolve(this.error));
    });
  }

  #look() {
    for (const waiter of [...this.waiters]) waiter();
  }

  // Whatever `probe` gives that is not false, once messages have made it so.
  async when(what, probe, { timeout_ms = 30_000 } = {}) {
    return new Promise((resolve, reject) => {
      const finish = (settle, value) => {
        clearTimeout(timer);
        this.waiters.delete(look);
        settle(value);
      };
      const look = () => {
        const found = probe();
        if (this.failure) finish(reject, this.failure);
        else if (found) finish(resolve, found);
        else if (this.error) finish(reject, this.error);
      };
      const timer = setTimeout(() => finish(reject, new Error(`not told in ${timeout_ms} ms: ${what}`)), timeout_ms);
      this.waiters.add(look);
      look();
    });
  }

  async until(what, wanted, options) { return this.when(what, () => this.changes.find(wanted), options); }
  async begun() { return this.when('where the stream begins', () => this.messages.length > 0 && this.messages[0]); }
  async reached(revision) { return this.when(`revision ${revision}`, () => this.revision >= revision); }

  close() { this.call.cancel(); }
}
