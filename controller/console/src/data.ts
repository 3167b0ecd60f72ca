// What a page reads: kept by a key, so that Back shows it at once while it is read anew; read again when something changed, and when
// a lost connection is back. What was shown stays until the new is here.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { useSignalEffect } from '@preact/signals';
import { isAway, sentence } from './api/fault';
import { connection, watch } from './api/live';
import type { ObjectKind } from './gen/countersign/v1/watch_pb';

export interface Data<T> {
  data: T | undefined;
  of: string;            // the key that `data` was read for: another one's may stand there while the new is on its way
  error: string;         // a sentence; what was read before may still be there
  busy: boolean;
  reload: () => void;    // now
  soon: () => void;      // in a moment, however often it is asked for
}

const KEPT = 40;
const kept = new Map<string, unknown>();
function keep(key: string, value: unknown): void {
  kept.delete(key);
  kept.set(key, value);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value!);
}

const GATHER_MS = 250, AGAIN_MS = 5000;

export function useData<T>(key: string, load: (stop: AbortSignal, partial: (value: T) => void) => Promise<T>): Data<T> {
  const [, draw] = useState(0);
  const state = useRef<{ data: T | undefined; of: string; error: string; away: boolean; busy: boolean }>(
    { data: kept.get(key) as T | undefined, of: key, error: '', away: false, busy: true });
  const now = useRef({ key, load, stop: undefined as AbortController | undefined, timer: 0 as unknown as ReturnType<typeof setTimeout> | 0 });
  now.current.key = key;
  now.current.load = load;

  const read = useCallback(() => {
    const own = now.current, stop = new AbortController(), wanted = own.key;
    own.stop?.abort();
    own.stop = stop;
    const put = (change: Partial<typeof state.current>) => {
      if (stop.signal.aborted) return;
      Object.assign(state.current, change);
      draw((count) => count + 1);
    };
    const told = (data: T) => {
      if (!stop.signal.aborted) keep(wanted, data);
      put({ data, of: wanted, error: '', away: false });
    };
    put({ busy: true });
    own.load(stop.signal, told).then((data) => {
      told(data);
      put({ busy: false });
    }, (error: unknown) => put({ error: sentence(error), away: isAway(error), busy: false, ...(state.current.of === wanted ? {} : { data: undefined, of: wanted }) }));
  }, []);

  const soon = useCallback(() => {
    const own = now.current;
    if (own.timer) return;
    own.timer = setTimeout(() => {
      own.timer = 0;
      read();
    }, GATHER_MS);
  }, []);

  useEffect(() => {
    const known = kept.get(key) as T | undefined;
    if (known !== undefined) Object.assign(state.current, { data: known, of: key, error: '' });
    read();
  }, [key]);
  useEffect(() => () => {
    now.current.stop?.abort();
    if (now.current.timer) clearTimeout(now.current.timer);
  }, []);
  // What could not be reached is tried again: when the stream of changes is back, and now and then.
  useSignalEffect(() => {
    if (connection.value === 'live' && state.current.away) read();
  });
  useEffect(() => {
    const timer = setInterval(() => {
      if (state.current.away && !state.current.busy && document.visibilityState === 'visible') read();
    }, AGAIN_MS);
    return () => clearInterval(timer);
  }, []);
  return { ...state.current, reload: read, soon };
}

// Calls `changed` when something of these kinds did, as long as the page is shown.
export function useWatch(kinds: ObjectKind[], changed: () => void, filter: Omit<Parameters<typeof watch>[0], 'kinds'> = {}): void {
  useEffect(() => watch({ ...filter, kinds }, () => changed()), []);
}
