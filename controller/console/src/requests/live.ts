// Something that is read from the controller and read again when it may have changed; what is on the page stays until then.
import { useEffect, useRef, useState } from 'preact/hooks';
import { sentence } from '../api/fault';
import { watch, type WatchFilter } from '../api/live';

export interface Live<T> {
  value: T | undefined;
  trouble: string;
  busy: boolean;
  again: () => void;
}

// `key` names what is read: when it changes, it is read anew and what was there goes (unless `keep`).
export function useLive<T>(key: string, read: () => Promise<T>, filter: WatchFilter, keep = false): Live<T> {
  const [state, setState] = useState<{ key: string; value: T | undefined; trouble: string; busy: boolean }>({ key, value: undefined, trouble: '', busy: true });
  const latest = useRef(read);
  latest.current = read;
  const run = useRef(() => {});
  useEffect(() => {
    let stopped = false, running = false, wanted = false;
    const go = async () => {
      if (running) {
        wanted = true;
        return;
      }
      running = true;
      do {
        wanted = false;
        try {
          const value = await latest.current();
          if (!stopped) setState({ key, value, trouble: '', busy: false });
        } catch (error) {
          if (!stopped) setState((before) => ({ key, value: before.key === key || keep ? before.value : undefined, trouble: sentence(error), busy: false }));
        }
      } while (wanted && !stopped);
      running = false;
    };
    run.current = () => { void go(); };
    setState((before) => (before.key === key ? before : { key, value: keep ? before.value : undefined, trouble: '', busy: true }));
    void go();
    const unwatch = watch(filter, () => { void go(); });
    return () => {
      stopped = true;
      unwatch();
    };
  }, [key]);
  const fresh = state.key === key || keep;
  return { value: fresh ? state.value : undefined, trouble: state.key === key ? state.trouble : '', busy: state.key !== key || state.busy, again: () => run.current() };
}
