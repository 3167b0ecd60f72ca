// A certificate's topology as the controller has it, kept as it changes. One load at a time: what changes while one runs causes
// another behind it, and what is on the page stays there until the next is complete.
import { type DescMessage, equals, type MessageShape } from '@bufbuild/protobuf';
import { effect, type ReadonlySignal, signal } from '@preact/signals';
import { client } from '../api/client';
import { sentence } from '../api/fault';
import { connection, watch } from '../api/live';
import {
  type Certificate,
  CertificateSchema,
  CertificateService,
  type DecisionSummary,
  type Order,
  PushService,
  type Request,
  type RequestHistory,
  RequestHistorySchema,
  RequestSchema,
  type TopologyRow,
  TopologyRowSchema,
} from '../gen/countersign/v1/operator_pb';
import { type Change, ObjectKind } from '../gen/countersign/v1/watch_pb';
import { isOpen } from '../dialogs/waiting';
import { equal } from '../trust/bytes';
import { peek } from '../trust/envelope';
import { decodeDecision } from '../trust/statements';
import { rowKey } from './fold';

export interface Topology {
  certificate: Certificate;
  rows: TopologyRow[];
  histories: Map<bigint, RequestHistory>;
  // Those of the rows' requests that people still decide.
  requests: Map<bigint, Request>;
  // Of requests with decisions that cover some of their orders only: a bitmap for each decision, as it was signed.
  coverage: Map<bigint, Uint8Array[]>;
}

// Those of a request's decisions that are about this order.
export function decisionsOn(
  { histories, coverage }: Pick<Topology, 'histories' | 'coverage'>,
  order: Order | undefined,
): DecisionSummary[] {
  if (!order) return [];
  const bitmaps = coverage.get(order.requestNumber);
  return (histories.get(order.requestNumber)?.decisions ?? []).filter((_, i) => {
    const bitmap = bitmaps?.[i];
    return !bitmap || bitmap.length === 0 || (((bitmap[order.index >> 3] ?? 0) >> (order.index & 7)) & 1) === 1;
  });
}

// A request of which some decision covers fewer orders than there are, as far as can be told from the rows.
export function isPartly(history: RequestHistory, rows: TopologyRow[]): boolean {
  const own = rows.filter((row) => row.order?.requestNumber === history.number);
  const least = Math.max(own.length, ...own.map((row) => row.order!.index + 1)),
    first = history.decisions[0]?.orders;
  return history.decisions.some((decision) => decision.orders < least || decision.orders !== first);
}

export interface Loading {
  topology: ReadonlySignal<Topology | undefined>;
  trouble: ReadonlySignal<string>;
  again(): Promise<void>;
  stop(): void;
}

// A device changes often; hundreds of orders that move would ask for everything again and again.
const PAUSE_MS = 300;
// What only time changes, the colours, nobody is told of.
const ANEW_MS = 10 * 60_000;

async function fetchTopology(certificateId: Uint8Array): Promise<Topology> {
  const rows: TopologyRow[] = [],
    histories = new Map<bigint, RequestHistory>();
  let certificate: Certificate | undefined,
    afterDevice = '',
    afterConnector = '';
  for (;;) {
    const page = await client(CertificateService).getTopology({ certificateId, afterDevice, afterConnector });
    certificate ??= page.certificate;
    rows.push(...page.rows);
    for (const request of page.requests) histories.set(request.number, request);
    const last = page.rows.at(-1);
    if (!page.more) break;
    if (!last) throw new Error("The controller's list of app connectors has no end. Load the page again.");
    afterDevice = last.deviceName;
    afterConnector = last.connector;
  }
  if (!certificate) throw new Error('The controller gave no certificate. Load the page again.');
  const asked = new Set(rows.filter((row) => row.order && isOpen(row.order.state)).map((row) => row.order!.requestNumber));
  for (const history of histories.values()) if (isPartly(history, rows)) asked.add(history.number);
  const requests = new Map<bigint, Request>(),
    coverage = new Map<bigint, Uint8Array[]>();
  await Promise.all(
    [...asked].map(async (number) => {
      const { request, decisions } = await client(PushService).getRequest({ number });
      if (request && isOpen(request.state)) requests.set(number, request);
      coverage.set(
        number,
        decisions.map(({ envelope }) => decodeDecision(peek(envelope, 'decision')).orders),
      );
    }),
  );
  return { certificate, rows, histories, requests, coverage };
}

// What did not change stays the same object: what is drawn of it need not be drawn again.
const kept = <D extends DescMessage>(schema: D, before: MessageShape<D> | undefined, now: MessageShape<D>): MessageShape<D> =>
  before && equals(schema, before, now) ? before : now;

function keepSame(before: Topology | undefined, now: Topology): Topology {
  if (!before) return now;
  const rows = new Map(before.rows.map((row) => [rowKey(row), row]));
  return {
    certificate: kept(CertificateSchema, before.certificate, now.certificate),
    rows: now.rows.map((row) => kept(TopologyRowSchema, rows.get(rowKey(row)), row)),
    histories: new Map(
      [...now.histories].map(([number, one]) => [number, kept(RequestHistorySchema, before.histories.get(number), one)]),
    ),
    requests: new Map([...now.requests].map(([number, one]) => [number, kept(RequestSchema, before.requests.get(number), one)])),
    coverage: now.coverage,
  };
}

// Whether what is on the page may have changed by it.
function concerns(change: Change, topology: Topology): boolean {
  if (change.count > 0) return change.id.length === 0 || equal(change.id, topology.certificate.id);
  switch (change.kind) {
    case ObjectKind.CERTIFICATE:
    case ObjectKind.ATTACHMENT:
      return equal(change.id, topology.certificate.id);
    case ObjectKind.REQUEST:
    case ObjectKind.ORDER:
      return change.certificateId.length === 0 || equal(change.certificateId, topology.certificate.id);
    case ObjectKind.DEVICE:
      return topology.rows.some((row) => row.deviceName === change.name);
    case ObjectKind.POLICY:
      return true;
    default:
      return false;
  }
}

export function loadTopology(certificateId: Uint8Array): Loading {
  const topology = signal<Topology | undefined>(undefined),
    trouble = signal('');
  let running: Promise<void> | undefined,
    wanted = false,
    stopped = false,
    timer: ReturnType<typeof setTimeout> | undefined;

  async function read(): Promise<void> {
    wanted = false;
    try {
      const fetched = await fetchTopology(certificateId);
      if (!stopped) {
        topology.value = keepSame(topology.value, fetched);
        trouble.value = '';
      }
    } catch (error) {
      if (!stopped) trouble.value = sentence(error);
    }
  }

  // What is asked for while one runs is another one behind it.
  function run(): Promise<void> {
    const own: Promise<void> = (running ?? Promise.resolve())
      .then(() => (stopped ? undefined : read()))
      .finally(() => {
        if (running === own) running = undefined;
        if (wanted && !running && !stopped) later();
      });
    running = own;
    return own;
  }

  function later(): void {
    wanted = true;
    if (running || timer !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      void run();
    }, PAUSE_MS);
  }

  const unwatch = watch({}, (changes) => {
    const there = topology.value;
    if (changes.length === 0 || !there || changes.some((change) => concerns(change, there))) later();
  });
  const clock = setInterval(later, ANEW_MS);
  const unheal = effect(() => {
    if (connection.value === 'live' && trouble.peek()) later();
  });
  void run();
  return {
    topology,
    trouble,
    again: run,
    stop: () => {
      stopped = true;
      clearTimeout(timer);
      clearInterval(clock);
      unheal();
      unwatch();
    },
  };
}
