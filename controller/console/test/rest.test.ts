// A tab that nobody looks at lets its stream rest, because browsers allow few connections to one host, over all tabs; and goes on
// from where it was when somebody looks again.
import { create } from '@bufbuild/protobuf';
import { createRouterTransport } from '@connectrpc/connect';
import { afterEach, expect, it, vi } from 'vitest';
import { type WatchRequest, WatchResponseSchema, WatchService } from '../src/gen/countersign/v1/watch_pb';

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it('rests when it is hidden, and goes on when it is seen', async () => {
  const page = Object.assign(new EventTarget(), { hidden: false });
  vi.stubGlobal('document', page);
  vi.stubGlobal('requestAnimationFrame', (work: () => void) => setTimeout(work, 0));
  vi.useFakeTimers();
  const { useTransport } = await import('../src/api/client');
  const { connection, startFrom, stopWatching, watch } = await import('../src/api/live');
  const asked: WatchRequest[] = [];
  let open = 0;
  useTransport((interceptors) => createRouterTransport((router) => router.service(WatchService, { async *watch(request, context) {
    asked.push(request);
    open++;
    yield create(WatchResponseSchema, { revision: request.afterRevision + 5n });
    await new Promise<void>((ended) => { context.signal.addEventListener('abort', () => ended()); });
    open--;
  } }), { transport: { interceptors } }));
  const show = (hidden: boolean) => {
    page.hidden = hidden;
    page.dispatchEvent(new Event('visibilitychange'));
  };

  startFrom(10n);
  const end = watch({}, () => {});
  await vi.advanceTimersByTimeAsync(100);
  expect([open, asked.length]).toEqual([1, 1]);

  show(true);
  await vi.advanceTimersByTimeAsync(10_000);
  show(false);
  await vi.advanceTimersByTimeAsync(30_000);
  expect([open, asked.length]).toEqual([1, 1]); // a look at another tab is no rest

  show(true);
  await vi.advanceTimersByTimeAsync(16_000);
  expect([open, connection.value]).toEqual([0, 'live']);
  await vi.advanceTimersByTimeAsync(600_000);
  expect(asked.length).toBe(1);

  show(false);
  await vi.advanceTimersByTimeAsync(100);
  expect([open, asked.length, asked.at(-1)!.afterRevision]).toEqual([1, 2, 15n]);

  await vi.advanceTimersByTimeAsync(80_000); // nothing was heard for longer than the controller is ever silent
  expect(asked.length).toBeGreaterThan(2);
  end();
  stopWatching();
});
