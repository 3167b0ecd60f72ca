// One certificate: what it is, where it is attached, how each push stands, and what the reader may do about it.
import { useComputed, useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { client } from '../api/client';
import { hasRole, mayRequest, me, signer } from '../api/session';
import { AddConnectorDialog } from '../dialogs/add-connector';
import { CancelDialog } from '../dialogs/cancel';
import { CertificateDialog } from '../dialogs/certificate';
import { ConnectorDialog } from '../dialogs/connector';
import { DecideDialog } from '../dialogs/decide';
import { PushDialog } from '../dialogs/push';
import { RemoveDialog } from '../dialogs/remove';
import { RevokeDialog } from '../dialogs/revoke';
import { RollBackDialog } from '../dialogs/roll-back';
import { stageOf, verbOf, waitsFor } from '../dialogs/waiting';
import { Colour, type Order, PushService, type Request, type TopologyRow } from '../gen/countersign/v1/operator_pb';
import { Role, Verdict } from '../gen/countersign/v1/statement_pb';
import { route } from '../router';
import { writeVerbs } from '../topology/card';
import { FOLD_ABOVE, PAGE, rowKey, search } from '../topology/fold';
import { columnsOf, THREE_COLUMNS } from '../topology/layout';
import { TopologyList } from '../topology/list';
import { decisionsOn, loadTopology, type Topology } from '../topology/load';
import { CERTIFICATE, type ConnectorFace, facesOf, type Fonts, type GroupFace } from '../topology/model';
import { Picture } from '../topology/picture';
import { type Line, lineMeaning } from '../topology/standing';
import { measurer } from '../topology/text';
import '../topology/topology.css';
import { unhex } from '../trust/bytes';
import { policy } from '../trust/policy';
import { DIGEST_BYTES } from '../trust/statements';
import { Busy } from '../ui/busy';
import { Button } from '../ui/button';
import { Bytes } from '../ui/bytes';
import { Chip, Legend } from '../ui/chip';
import { Crumbs } from '../ui/crumbs';
import { Empty } from '../ui/empty';
import { Search } from '../ui/field';
import { daysLeft, now_s, Time, timeText } from '../ui/time';
import { TryAgain } from '../ui/try-again';
import { count, issuerName, keyKind, keyModeWord } from '../words';

// What stands open over the page.
type Open =
  | { what: 'push' | 'add' | 'remove' | 'roll-back' | 'revoke' | 'certificate' }
  | { what: 'push-one' | 'remove-one' | 'roll-back-one' | 'connector'; key: string }
  | { what: 'decide'; request: Request; order?: bigint; verdict?: Verdict; stageName?: string }
  | { what: 'cancel'; request: Request; order: bigint };

export default function TopologyPage() {
  const text = route.value.path[1] ?? '',
    id = unhex(text);
  return (
    <>
      {id?.length === DIGEST_BYTES ? (
        <Loaded key={text} id={id} />
      ) : (
        <Empty title="No such certificate" action={<Button href="/certificates">All certificates</Button>}>
          The address has no certificate's id, which is 64 hexadecimal digits.
        </Empty>
      )}
    </>
  );
}

function Loaded({ id }: { id: Uint8Array }) {
  const [loading] = useState(() => loadTopology(id));
  useEffect(() => loading.stop, [loading]);
  const topology = loading.topology.value,
    trouble = loading.trouble.value;
  if (topology) return <Page topology={topology} trouble={trouble} again={loading.again} />;
  return (
    <>
      <Crumbs items={[['Visibility'], ['Client'], ['All', '/certificates'], ['Certificate']]} />
      {trouble ? (
        <TryAgain title="The certificate cannot be shown" small onAgain={loading.again}>
          {trouble}
        </TryAgain>
      ) : (
        <div class="card">
          <Busy lines={9} label="Loading the topology" />
        </div>
      )}
    </>
  );
}

// Whether the reader may decide the request at this stage.
function waiting(topology: Topology, request: Request | undefined, stageName = request?.stageName ?? '', order?: Order): boolean {
  const who = me.value;
  if (!who || !request || !signer.value) return false;
  const decisions = order
    ? decisionsOn(topology, order)
    : (topology.histories.get(request.number)?.decisions ?? []).filter((one) => one.orders >= request.orderCount);
  return waitsFor(
    who,
    policy.value?.body,
    { ...request, stageName },
    decisions.map((one) => one.decider),
  );
}

// The verb of the decision on one order that waits for the reader; undefined: none does.
function verbAt(topology: Topology, { order }: TopologyRow): string | undefined {
  const request = order && topology.requests.get(order.requestNumber);
  const name = request ? stageOf(order.state, request, policy.value?.body).name : '';
  return name && waiting(topology, request, name, order) ? verbOf(name) : undefined;
}

function Page({ topology, trouble, again }: { topology: Topology; trouble: string; again: () => Promise<void> }) {
  const [open, setOpen] = useState<Open | undefined>(undefined);
  const { certificate, rows } = topology;
  // What opened the dialog may be gone, as a decision is once it is made: the keyboard goes on from its box.
  const close = () => {
    setOpen(undefined);
    setTimeout(() => {
      if (document.activeElement === document.body || document.activeElement === null)
        document.querySelector<HTMLElement>('.topology [data-node][tabindex="0"]')?.focus({ preventScroll: true });
    });
  };
  const decide = (number: bigint, order?: bigint, verdict?: Verdict) => {
    const request = topology.requests.get(number);
    const row = order === undefined ? undefined : rows.find((one) => one.order?.number === order);
    const stage = request && row?.order ? stageOf(row.order.state, request, policy.value?.body) : undefined;
    if (request)
      setOpen({
        what: 'decide',
        request,
        ...(order !== undefined && { order }),
        ...(verdict !== undefined && { verdict }),
        ...(stage?.apart && { stageName: stage.name }),
      });
  };
  const pushed = rows.some((row) => row.pushed),
    requester = mayRequest(),
    changer = hasRole(Role.REQUESTER) || hasRole(Role.ADMIN);
  useEffect(() => {
    document.title = `${certificate.commonName} · Countersign`;
  }, [certificate.commonName]);
  return (
    <>
      <Crumbs items={[['Visibility'], ['Client'], ['All', '/certificates'], [certificate.commonName]]} />
      <div class="head">
        <div>
          <h1 tabIndex={-1}>{certificate.commonName}</h1>
          <div class="meta">
            <Chip colour={certificate.colour} />
            <span>{issuerName(certificate.issuer)}</span>
            <span>
              {keyKind(certificate)}, key {keyModeWord(certificate.keyMode)}
            </span>
            <span>
              valid until <Time s={certificate.notAfterS} form="date" /> ({daysLeft(certificate.notAfterS)})
            </span>
            <Bytes value={certificate.id} what="the certificate's id" />
          </div>
        </div>
      </div>
      {(requester || changer) && (
        <div class="bar" role="group" aria-label="Actions">
          {requester && rows.length > 0 && (
            <Button kind="primary" onClick={() => setOpen({ what: 'push' })}>
              Push to Device
            </Button>
          )}
          {changer && <Button onClick={() => setOpen({ what: 'add' })}>Add app connector</Button>}
          {requester && pushed && <Button onClick={() => setOpen({ what: 'roll-back' })}>Roll back…</Button>}
          {requester && pushed && <Button onClick={() => setOpen({ what: 'remove' })}>Remove…</Button>}
          {hasRole(Role.ADMIN) && certificate.colour !== Colour.BLACK && (
            <Button kind="danger" onClick={() => setOpen({ what: 'revoke' })}>
              Revoke…
            </Button>
          )}
        </div>
      )}
      {trouble && (
        <TryAgain kind="warn" small onAgain={again}>
          {trouble}
        </TryAgain>
      )}
      <Canvas
        topology={topology}
        open={(key, what) => setOpen(key === CERTIFICATE ? { what: 'certificate' } : { what, key })}
        decide={decide}
        add={changer ? () => setOpen({ what: 'add' }) : undefined}
      />
      {open && <Dialogs open={open} topology={topology} close={close} again={again} setOpen={setOpen} decide={decide} />}
    </>
  );
}

function Dialogs({
  open,
  topology,
  close,
  again,
  setOpen,
  decide,
}: {
  open: Open;
  topology: Topology;
  close: () => void;
  again: () => Promise<void>;
  setOpen: (open: Open) => void;
  decide: (number: bigint, order?: bigint, verdict?: Verdict) => void;
}) {
  const common = { topology, onClose: close, onDone: again };
  const row: TopologyRow | undefined = 'key' in open ? topology.rows.find((one) => rowKey(one) === open.key) : undefined;
  // One that nobody decides any more is not among the topology's requests.
  const cancel = async (order: Order) => {
    const request =
      topology.requests.get(order.requestNumber) ?? (await client(PushService).getRequest({ number: order.requestNumber })).request;
    if (request) setOpen({ what: 'cancel', request, order: order.number });
  };
  switch (open.what) {
    case 'push':
      return <PushDialog {...common} />;
    case 'push-one':
      return <PushDialog {...common} only={row} />;
    case 'add':
      return <AddConnectorDialog {...common} />;
    case 'remove':
      return <RemoveDialog {...common} />;
    case 'remove-one':
      return <RemoveDialog {...common} only={row} />;
    case 'roll-back':
      return <RollBackDialog {...common} />;
    case 'roll-back-one':
      return <RollBackDialog {...common} only={row} />;
    case 'revoke':
      return <RevokeDialog {...common} />;
    case 'certificate':
      return <CertificateDialog {...common} />;
    case 'decide':
      return (
        <DecideDialog
          request={open.request}
          onClose={close}
          onDone={again}
          {...(open.order !== undefined && { order: open.order })}
          {...(open.verdict !== undefined && { verdict: open.verdict })}
          {...(open.stageName !== undefined && { stageName: open.stageName })}
        />
      );
    case 'cancel':
      return <CancelDialog request={open.request} order={open.order} onClose={close} onDone={again} />;
    case 'connector':
      return row ? (
        <ConnectorDialog
          {...common}
          row={row}
          verb={verbAt(topology, row)}
          onDecide={() => decide(row.order!.requestNumber, row.order!.number)}
          onReject={() => decide(row.order!.requestNumber, row.order!.number, Verdict.REJECT)}
          onCancel={() => {
            void cancel(row.order!);
          }}
          onPush={() => setOpen({ what: 'push-one', key: open.key })}
          onRemove={() => setOpen({ what: 'remove-one', key: open.key })}
          onRollBack={() => setOpen({ what: 'roll-back-one', key: open.key })}
        />
      ) : null;
  }
}

// The width that there is, and how large the reader's text is.
function useRoom() {
  const frame = useRef<HTMLDivElement>(null);
  const [room, setRoom] = useState<{ width: number; unit: number; family: string } | undefined>(undefined);
  useLayoutEffect(() => {
    const element = frame.current!;
    const look = () => {
      const root = getComputedStyle(document.documentElement),
        width = Math.floor(element.clientWidth);
      const next = { width, unit: parseFloat(root.fontSize) / 16, family: getComputedStyle(document.body).fontFamily };
      setRoom((before) => (before && before.width === next.width && before.unit === next.unit ? before : next));
    };
    look();
    const observer = new ResizeObserver(look);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return { frame, room };
}

// What the frame takes at the sides, and the scroll bar that a picture of more than a few app connectors may have.
const SIDES = 2 * 16,
  SCROLL_BAR = 16,
  FEW = 5;

function Canvas({
  topology,
  open,
  decide,
  add,
}: {
  topology: Topology;
  open: (key: string, what: 'connector') => void;
  decide: (number: bigint, order?: bigint) => void;
  add: (() => void) | undefined;
}) {
  const { frame, room } = useRoom();
  const words = useSignal(''),
    shown = useSignal<ReadonlyMap<string, number>>(new Map());
  const rows = useMemo(() => search(topology.rows, words.value), [topology, words.value]);
  const minute = useComputed(() => Math.floor(now_s.value / 30)).value;
  const width = room ? room.width - SIDES - (topology.rows.length > FEW ? SCROLL_BAR : 0) : 0,
    unit = room?.unit ?? 1,
    inColumns = width >= THREE_COLUMNS * unit;
  const faces = useMemo(() => {
    if (!room) return undefined;
    const fonts: Fonts = {
      unit,
      small: measurer(`${12 * unit}px ${room.family}`),
      mono: measurer(`${11.5 * unit}px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace`),
    };
    return facesOf(topology, rows, shown.value, columnsOf(width, unit)[1]!.width, fonts, minute * 30, (seconds) => timeText(seconds));
  }, [topology, rows, shown.value, room, minute]);

  const onOpen = (key: string) => {
    const face = faces?.connectors.find((one) => one.key === key || (one.kind === 'group' && one.devices.includes(key)));
    if (face?.kind === 'group') {
      const next = new Map(shown.value);
      if (next.has(face.group.key)) next.delete(face.group.key);
      else next.set(face.group.key, PAGE);
      shown.value = next;
    } else if (face?.kind === 'more') {
      shown.value = new Map(shown.value).set(face.group.key, (shown.value.get(face.group.key) ?? 0) + PAGE);
    } else open(key, 'connector');
  };
  const verbsFor = (face: GroupFace) =>
    writeVerbs(
      face.requests.flatMap((request) =>
        waiting(topology, request) ? [{ number: request.number, verb: verbOf(request.stageName) }] : [],
      ),
    );

  const legend = (
    <div class="topology-words">
      <Legend />
      <Lines />
    </div>
  );
  const parts = faces && {
    topology,
    faces,
    onOpen,
    onDecide: decide,
    verbOf: (face: ConnectorFace) => verbAt(topology, face.row),
    verbsOf: verbsFor,
  };
  return (
    <div class="card topology" ref={frame}>
      {topology.rows.length > FOLD_ABOVE && (
        <div class="topology-tools">
          <Search
            label="Find app connectors, devices, work orders"
            value={words.value}
            onInput={(value) => {
              words.value = value;
            }}
          />
          <span class="dim" role="status">
            {rows.length === topology.rows.length
              ? count(rows.length, 'app connector')
              : `${rows.length.toLocaleString()} of ${count(topology.rows.length, 'app connector')}`}
          </span>
        </div>
      )}
      {topology.rows.length === 0 ? (
        <Empty
          title="Not attached to any app connector"
          action={
            add && (
              <Button kind="primary" onClick={add}>
                Add app connector
              </Button>
            )
          }
        >
          An app connector is a place on a device where an application reads its certificate. Add one, then push the certificate to it.
        </Empty>
      ) : (
        parts &&
        (inColumns ? (
          <Picture {...parts} width={width} unit={unit} sought={words.value} legend={legend} />
        ) : (
          <TopologyList {...parts} />
        ))
      )}
      {!(parts && inColumns && topology.rows.length > 0) && <div class="topology-foot">{legend}</div>}
    </div>
  );
}

function Lines() {
  return (
    <ul class="line-kinds" aria-label="Lines">
      {(Object.keys(lineMeaning) as Line[]).map((line) => (
        <li key={line}>
          <svg viewBox="0 0 30 8" aria-hidden="true">
            <path class="edge" data-line={line} d="M1 4H29" />
          </svg>
          {lineMeaning[line]}
        </li>
      ))}
    </ul>
  );
}
