// What changes at the controller, as it changes: one stream for the whole page, whatever its parts want to know of. It goes on
// from the last revision that it saw, so that nothing is missed; a tab that nobody looks at lets it rest. What comes is handed out
// in bundles, because a million imports are a million changes and a person sees one list.
import { create } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { signal } from '@preact/signals';
import { ControllerService } from '../gen/countersign/v1/operator_pb';
import { type Change, ObjectKind, type WatchRequest, WatchRequestSchema, WatchService } from '../gen/countersign/v1/watch_pb';
import { equal } from '../trust/bytes';
import { client, isStranger, tellStranger } from './client';

export type WatchFilter = Partial<Pick<WatchRequest, 'kinds' | 'certificateId' | 'deviceName' | 'requestNumber'>>;

// 'lost' from when the stream could not be had until it is back.
export const connection = signal<'live' | 'lost'>('live');

const FIRST_PAUSE_MS = 250, LONGEST_PAUSE_MS = 15_000;
const SILENCE_MS = 75_000;       // the controller says something every 30 s
const REST_AFTER_MS = 15_000;    // of a hidden tab: browsers allow few connections to one host, over all tabs
const BUNDLE_MS = 120;           // between two bundles for one watcher; …
const STORM_MS = 1_000;          // … and when many changes come
const STORM = 200;               // so many at once are told as "everything may have changed"

interface Watcher {
  filter: WatchFilter;
  onChange: (changes: Change[]) => void;
  waiting: Change[];
  anew: boolean;                 // everything may have changed
  timer: ReturnType<typeof setTimeout> | undefined;
  toldAt: number;
  pause: number;
}

const watchers = new Set<Watcher>();
let revision = 0n;               // everything up to here has been told; 0: not known
let stream: AbortController | undefined;
let streamed = '';               // the filter of the stream
let signedIn = false;
let failures = 0;
let timer: ReturnType<typeof setTimeout> | undefined;
let restTimer: ReturnType<typeof setTimeout> | undefined;

// ---- who wants to know of a change

// As the controller tells it. A change with a count stands for many, and concerns whoever it may concern.
function isOfCertificate({ kind, id, certificateId }: Change, wanted: Uint8Array): boolean {
  if (kind === ObjectKind.CERTIFICATE || kind === ObjectKind.ATTACHMENT) return id.length === 0 || equal(id, wanted);
  if (kind === ObjectKind.REQUEST || kind === ObjectKind.ORDER) return certificateId.length === 0 || equal(certificateId, wanted);
  return false;
}

function isOfDevice({ kind, name, count }: Change, wanted: string): boolean {
  const named = [ObjectKind.DEVICE, ObjectKind.ORDER, ObjectKind.ATTACHMENT, ObjectKind.KEY_REQUEST].includes(kind);
  return named && (count > 0 || name === wanted);
}

function isOfRequest({ kind, number, requestNumber, count }: Change, wanted: bigint): boolean {
  if (kind === ObjectKind.REQUEST) return count > 0 || number === wanted;
  return kind === ObjectKind.ORDER && (requestNumber === wanted || (count > 0 && requestNumber === 0n));
}

export function concerns(change: Change, { kinds, certificateId, deviceName, requestNumber }: WatchFilter): boolean {
  return (!kinds?.length || kinds.includes(change.kind)) &&
    (!certificateId?.length || isOfCertificate(change, certificateId)) &&
    (!deviceName || isOfDevice(change, deviceName)) &&
    (!requestNumber || isOfRequest(change, requestNumber));
}

// The narrowest filter that lets through what any of them wants.
export function widest(filters: readonly WatchFilter[]): WatchFilter {
  const first = filters[0] ?? {};
  const kinds = filters.every((filter) => filter.kinds?.length) ? [...new Set(filters.flatMap((filter) => filter.kinds!))].sort((a, b) => a - b) : [];
  const wide: WatchFilter = { kinds };
  if (first.certificateId?.length && filters.every(({ certificateId }) => certificateId && equal(certificateId, first.certificateId!)))
    wide.certificateId = first.certificateId;
  if (first.deviceName && filters.every(({ deviceName }) => deviceName === first.deviceName)) wide.deviceName = first.deviceName;
  if (first.requestNumber && filters.every(({ requestNumber }) => requestNumber === first.requestNumber)) wide.requestNumber = first.requestNumber;
  return wide;
}

// ---- handing out

function deliver(watcher: Watcher): void {
  const { waiting, anew } = watcher;
  watcher.timer = undefined;
  watcher.toldAt = Date.now();
  watcher.waiting = [];
  watcher.anew = false;
  watcher.pause = anew || waiting.length > STORM / 4 ? STORM_MS : BUNDLE_MS;
  if (watchers.has(watcher)) watcher.onChange(anew ? [] : waiting);
}

// The next frame, but not sooner after the last bundle than is good for a page that lists anew each time.
function schedule(watcher: Watcher): void {
  const now = () => typeof requestAnimationFrame === 'undefined' || document.hidden ? deliver(watcher) : requestAnimationFrame(() => deliver(watcher));
  watcher.timer ??= setTimeout(now, Math.max(0, watcher.toldAt + watcher.pause - Date.now()));
}

function tell(changes: readonly Change[]): void {
  for (const watcher of watchers) {
    for (const change of changes) {
      if (watcher.anew) break;
      if (!concerns(change, watcher.filter)) continue;
      watcher.waiting.push(change);
      if (watcher.waiting.length > STORM) {
        watcher.anew = true;
        watcher.waiting = [];
      }
    }
    if (watcher.anew || watcher.waiting.length) schedule(watcher);
  }
}

function tellAnew(): void {
  for (const watcher of watchers) {
    watcher.anew = true;
    watcher.waiting = [];
    schedule(watcher);
  }
}

// ---- the stream

const isHidden = (): boolean => typeof document !== 'undefined' && document.hidden;

// What the controller keeps does not reach back so far, or it has an older store: begin where it is now.
async function beginAnew(): Promise<void> {
  revision = (await client(ControllerService).getStatus({})).revision;
  tellAnew();
}

async function read(own: AbortController, filter: WatchFilter): Promise<void> {
  let silence: ReturnType<typeof setTimeout> | undefined;
  const listen = () => {
    clearTimeout(silence);
    silence = setTimeout(() => own.abort(), SILENCE_MS);
  };
  try {
    if (revision === 0n) await beginAnew();
    listen();
    const messages = client(WatchService).watch(create(WatchRequestSchema, { ...filter, afterRevision: revision }),
      { signal: own.signal, timeoutMs: 0 });
    for await (const message of messages) {
      listen();
      failures = 0;
      connection.value = 'live';
      if (message.revision > revision) revision = message.revision;
      if (message.changes.length) tell(message.changes);
    }
  } finally {
    clearTimeout(silence);
  }
}

async function run(): Promise<void> {
  const own = stream = new AbortController();
  const filter = widest([...watchers].map((watcher) => watcher.filter));
  streamed = nameOf(filter);
  try {
    await read(own, filter);
  } catch (error) {
    if (stream !== own) return; // ended here, for another one or for rest
    if (isStranger(error)) {
      stream = undefined;
      tellStranger(error);
      return;
    }
    if (error instanceof ConnectError && error.code === Code.OutOfRange) revision = 0n;
    else connection.value = 'lost';
    failures++;
  }
  if (stream !== own) return;
  stream = undefined;
  again(failures ? pauseAfter(failures) : FIRST_PAUSE_MS);
}

// Doubling, up to a quarter of a minute, and anywhere below, so that not everybody comes back at once.
export const pauseAfter = (count: number, chance = Math.random()): number =>
  Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(count, 10)) * (0.5 + chance / 2);

function again(pauseMs: number): void {
  clearTimeout(timer);
  timer = setTimeout(look, pauseMs);
}

const nameOf = (filter: WatchFilter): string => JSON.stringify(filter, (_, value: unknown) =>
  value instanceof Uint8Array ? [...value] : typeof value === 'bigint' ? String(value) : value);

// Starts, ends or changes the stream as it should be now.
function look(): void {
  clearTimeout(timer);
  if (watchers.size === 0 || !signedIn) return stop();
  if (stream && streamed === nameOf(widest([...watchers].map((watcher) => watcher.filter)))) return undefined;
  if (!stream && isHidden() && failures === 0 && revision !== 0n) return undefined;
  stop();
  void run();
  return undefined;
}

function stop(): void {
  const ended = stream;
  stream = undefined;
  ended?.abort();
}

function onVisible(): void {
  clearTimeout(restTimer);
  if (isHidden()) restTimer = setTimeout(() => { failures = 0; stop(); }, REST_AFTER_MS);
  else if (!stream) look();
}

if (typeof document !== 'undefined') {
  document.addEventListener('visibilitychange', onVisible);
  globalThis.addEventListener?.('online', () => { if (!stream) look(); });
}

// ---- for the page

// From when the page began to list: nothing that changes from then on is missed.
export function startFrom(at: bigint): void {
  if (revision === 0n) revision = at;
  signedIn = true;
  look();
}

// Nobody is signed in any more: what is asked for next begins anew.
export function stopWatching(): void {
  signedIn = false;
  clearTimeout(timer);
  stop();
  revision = 0n;
  failures = 0;
  connection.value = 'live';
}

// Tells what changed of what the filter wants; onChange([]): everything may have changed, list anew. Reconnects by itself. Gives
// what ends it.
export function watch(filter: WatchFilter, onChange: (changes: Change[]) => void): () => void {
  const watcher: Watcher = { filter, onChange, waiting: [], anew: false, timer: undefined, toldAt: 0, pause: 0 };
  watchers.add(watcher);
  // Those that come together change the stream once; with those that go, when others come.
  again(0);
  return () => {
    watchers.delete(watcher);
    clearTimeout(watcher.timer);
    again(FIRST_PAUSE_MS);
  };
}
