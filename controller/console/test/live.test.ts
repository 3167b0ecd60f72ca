// What changes, as it changes: one stream for all, from the last revision on, in bundles.
import { create } from '@bufbuild/protobuf';
import { Code, ConnectError, createRouterTransport } from '@connectrpc/connect';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { useTransport } from '../src/api/client';
import { concerns, connection, pauseAfter, startFrom, stopWatching, watch, widest } from '../src/api/live';
import { ControllerService } from '../src/gen/countersign/v1/operator_pb';
import { type Change, ChangeSchema, ObjectKind, type WatchRequest, type WatchResponse, WatchResponseSchema, WatchService } from '../src/gen/countersign/v1/watch_pb';
import { random } from '../src/trust/bytes';

const change = (init: Partial<Change>): Change => create(ChangeSchema, init as Change);

// A controller whose stream says what a test gives it.
class Stream {
  asked: WatchRequest[] = [];
  open = 0;
  revision = 10n;
  fail: ConnectError | undefined;
  #waiting: WatchResponse[] = [];
  #wake: (() => void) | undefined;
  #broken = false;

  constructor() {
    const self = this;
    useTransport((interceptors) => createRouterTransport((router) => {
      router.service(ControllerService, { getStatus: () => ({ revision: self.revision }) });
      router.service(WatchService, { async *watch(request, context) {
        self.asked.push(request);
        if (self.fail) throw self.fail;
        self.open++;
        self.#broken = false;
        try {
          yield create(WatchResponseSchema, { revision: request.afterRevision });
          for (;;) {
            while (self.#waiting.length) yield self.#waiting.shift()!;
            if (self.#broken) throw new ConnectError('gone', Code.Unavailable);
            if (context.signal.aborted) return;
            await new Promise<void>((wake) => {
              self.#wake = wake;
              context.signal.addEventListener('abort', () => wake(), { once: true });
            });
          }
        } finally {
          self.open--;
        }
      } });
    }, { transport: { interceptors } }));
  }

  say(...changes: Partial<Change>[]): void {
    this.revision++;
    this.#waiting.push(create(WatchResponseSchema, { revision: this.revision, changes: changes.map((one) => change({ revision: this.revision, ...one })) }));
    this.#wake?.();
  }

  cut(): void {
    this.#broken = true;
    this.#wake?.();
  }
}

const soon = (check: () => void) => vi.waitFor(check, { timeout: 4000, interval: 10 });
let stream: Stream;
const ends: (() => void)[] = [];
const listen = (filter: Parameters<typeof watch>[0] = {}): Change[][] => {
  const told: Change[][] = [];
  ends.push(watch(filter, (changes) => told.push(changes)));
  return told;
};

beforeEach(() => { stream = new Stream(); });
afterEach(() => {
  for (const end of ends.splice(0)) end();
  stopWatching();
  vi.unstubAllGlobals();
});

describe('the stream', () => {
  it('begins where the page began to list', async () => {
    listen();
    startFrom(7n);
    await soon(() => expect(stream.asked.map((request) => request.afterRevision)).toEqual([7n]));
  });

  it('is one for all who watch, and tells each what concerns it', async () => {
    const id = random(32);
    startFrom(10n);
    const devices = listen({ kinds: [ObjectKind.DEVICE] }), one = listen({ certificateId: id }), all = listen();
    await soon(() => expect(stream.open).toBe(1));
    stream.say({ kind: ObjectKind.DEVICE, name: 'gw-1' }, { kind: ObjectKind.CERTIFICATE, id });
    await soon(() => expect(all.length).toBe(1));
    expect(all[0]!.length).toBe(2);
    expect(devices.flat().map(({ name }) => name)).toEqual(['gw-1']);
    expect(one.flat().map(({ kind }) => kind)).toEqual([ObjectKind.CERTIFICATE]);
    expect(stream.open).toBe(1);
  });

  it('goes on from the last revision after it was cut', async () => {
    startFrom(10n);
    const all = listen();
    await soon(() => expect(stream.open).toBe(1));
    stream.say({ kind: ObjectKind.REQUEST, number: 1n });
    await soon(() => expect(all.length).toBe(1));
    stream.cut();
    await soon(() => expect(connection.value).toBe('lost'));
    await soon(() => expect(stream.asked.at(-1)!.afterRevision).toBe(11n));
    await soon(() => expect(connection.value).toBe('live'));
  });

  it('begins anew, and says that everything may have changed, when the controller does not reach back', async () => {
    const all = listen();
    stream.fail = new ConnectError('too far behind', Code.OutOfRange);
    startFrom(3n);
    await soon(() => expect(stream.asked.length).toBe(1));
    stream.fail = undefined;
    stream.revision = 500n;
    await soon(() => expect(all).toEqual([[]]));
    await soon(() => expect(stream.asked.at(-1)!.afterRevision).toBe(500n));
  });

  it('is asked for no more than what somebody wants', async () => {
    startFrom(10n);
    listen({ kinds: [ObjectKind.POLICY] });
    listen({ kinds: [ObjectKind.REQUEST, ObjectKind.POLICY] });
    await soon(() => expect(stream.asked.at(-1)!.kinds).toEqual([ObjectKind.REQUEST, ObjectKind.POLICY]));
    listen({ kinds: [ObjectKind.DEVICE] });
    await soon(() => expect(stream.asked.at(-1)!.kinds).toEqual([ObjectKind.DEVICE, ObjectKind.REQUEST, ObjectKind.POLICY]));
    await soon(() => expect(stream.open).toBe(1));
  });

  it('is not there while nobody watches, or nobody is signed in', async () => {
    listen();
    await new Promise((resolve) => { setTimeout(resolve, 50); });
    expect(stream.asked).toEqual([]);
    startFrom(10n);
    await soon(() => expect(stream.open).toBe(1));
    ends.splice(0).forEach((end) => end());
    await soon(() => expect(stream.open).toBe(0));
  });

  it('many changes come in few bundles, and very many as "list anew"', async () => {
    startFrom(10n);
    const all = listen();
    await soon(() => expect(stream.open).toBe(1));
    for (let i = 0; i < 50; i++) stream.say({ kind: ObjectKind.DEVICE, name: `gw-${i}` });
    await soon(() => expect(all.flat().length).toBe(50));
    expect(all.length).toBeLessThan(10);
    all.length = 0;
    for (let i = 0; i < 1000; i++) stream.say({ kind: ObjectKind.CERTIFICATE, id: random(32) });
    await soon(() => expect(all.some((changes) => changes.length === 0)).toBe(true));
    expect(all.length).toBeLessThan(10);
  });

  it('backs off, up to a bound, and never by the same time for all', () => {
    expect(pauseAfter(1, 1)).toBe(500);
    expect(pauseAfter(1, 0)).toBe(250);
    expect(pauseAfter(50, 1)).toBe(15000);
  });
});

describe('a change concerns', () => {
  const id = random(32), other = random(32);
  const cases: [string, Partial<Change>, Parameters<typeof concerns>[1], boolean][] = [
    ['its certificate', { kind: ObjectKind.CERTIFICATE, id }, { certificateId: id }, true],
    ['no other certificate', { kind: ObjectKind.CERTIFICATE, id: other }, { certificateId: id }, false],
    ['the certificate of an order', { kind: ObjectKind.ORDER, number: 1n, certificateId: id }, { certificateId: id }, true],
    ['no certificate, being a device', { kind: ObjectKind.DEVICE, name: 'a' }, { certificateId: id }, false],
    ['every certificate, being a count', { kind: ObjectKind.CERTIFICATE, count: 40 }, { certificateId: id }, true],
    ['its device', { kind: ObjectKind.ATTACHMENT, id, name: 'a' }, { deviceName: 'a' }, true],
    ['no other device', { kind: ObjectKind.ORDER, name: 'b' }, { deviceName: 'a' }, false],
    ['every device, being a count', { kind: ObjectKind.ORDER, count: 9, number: 3n, requestNumber: 3n }, { deviceName: 'a' }, true],
    ['its request', { kind: ObjectKind.REQUEST, number: 3n }, { requestNumber: 3n }, true],
    ['the request of an order', { kind: ObjectKind.ORDER, number: 8n, requestNumber: 3n }, { requestNumber: 3n }, true],
    ['no request by an order of that number', { kind: ObjectKind.ORDER, number: 3n, requestNumber: 4n }, { requestNumber: 3n }, false],
    ['only the kinds that are wanted', { kind: ObjectKind.CRL }, { kinds: [ObjectKind.DEVICE] }, false],
  ];
  for (const [what, init, filter, is] of cases) it(what, () => expect(concerns(change(init), filter)).toBe(is));

  it('the widest filter lets through what any of them wants', () => {
    expect(widest([{ kinds: [ObjectKind.DEVICE] }, {}])).toEqual({ kinds: [] });
    expect(widest([{ certificateId: id }, { certificateId: Uint8Array.from(id) }])).toEqual({ kinds: [], certificateId: id });
    expect(widest([{ deviceName: 'a', kinds: [ObjectKind.ORDER] }, { deviceName: 'b', kinds: [ObjectKind.ORDER] }])).toEqual({ kinds: [ObjectKind.ORDER] });
  });
});
