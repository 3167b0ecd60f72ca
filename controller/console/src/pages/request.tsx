// One request with its whole history: what was asked, who signed what and when, each signature verified in this page, and how each
// work order stands by the device's own word.
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { client } from '../api/client';
import { useData, useWatch } from '../data';
import { hasRole, me, signer } from '../api/session';
import { CancelDialog } from '../dialogs/cancel';
import { DecideDialog } from '../dialogs/decide';
import { isOpen, verbOf, waitsFor } from '../dialogs/waiting';
import { openRequest, type Review, type ReviewedDecision } from '../flow/request';
import { type Order, OrderState, PushService } from '../gen/countersign/v1/operator_pb';
import { KeyKind, Mode, Override, Role, Verdict } from '../gen/countersign/v1/statement_pb';
import { ObjectKind } from '../gen/countersign/v1/watch_pb';
import { headlineOf } from '../requests/headline';
import { progressText } from '../requests/progress';
import { href, route } from '../router';
import { hex } from '../trust/bytes';
import { policy } from '../trust/policy';
import { Busy } from '../ui/busy';
import { Button } from '../ui/button';
import { Bytes } from '../ui/bytes';
import { Crumbs } from '../ui/crumbs';
import { Empty } from '../ui/empty';
import { Select } from '../ui/field';
import { Icon } from '../ui/icon';
import { Notice } from '../ui/notice';
import { StateWord } from '../ui/state-word';
import { Pager } from '../ui/pager';
import { type Column, Table } from '../ui/table';
import { now_s, Time } from '../ui/time';
import { TryAgain } from '../ui/try-again';
import {
  allStates,
  count,
  duration,
  keyKindWord,
  orderNumber,
  orderState,
  requestNumber,
  stateEnded,
  stateWord,
} from '../words';
import '../requests/request.css';

export default function RequestPage() {
  const text = route.value.path[1] ?? '',
    match = /^(?:REQ-)?([1-9]\d{0,17})$/i.exec(text);
  if (match) return <Loaded key={match[1]!} number={BigInt(match[1]!)} />;
  return (
    <Empty title="No such request" action={<Button href="/requests">All requests</Button>}>
      A request's number is a number from 1: REQ-12.
    </Empty>
  );
}

type Asked = 'decide' | 'reject' | 'cancel';

function Loaded({ number }: { number: bigint }) {
  const live = useData(`request ${number}`, () => openRequest(number));
  useWatch([ObjectKind.REQUEST, ObjectKind.ORDER], live.soon, { requestNumber: number });
  const [asked, setAsked] = useState<Asked | undefined>(undefined);
  const review = live.data,
    close = () => setAsked(undefined);
  return (
    <>
      <Crumbs items={[['Requests', '/requests'], [requestNumber(number)]]} />
      {live.error && (
        <TryAgain title={review ? '' : 'The request cannot be shown'} small onAgain={live.reload}>
          {live.error}
        </TryAgain>
      )}
      {!review ? (
        !live.error && (
          <div class="card">
            <Busy lines={9} label="Reading the request and verifying its signatures" />
          </div>
        )
      ) : (
        <>
          <Head review={review} onAsk={setAsked} />
          <History review={review} />
          <Orders number={number} />
          {asked && asked !== 'cancel' && (
            <DecideDialog
              request={review.request}
              verdict={asked === 'reject' ? Verdict.REJECT : Verdict.ACCEPT}
              onClose={close}
              onDone={live.reload}
            />
          )}
          {asked === 'cancel' && <CancelDialog request={review.request} onClose={close} onDone={live.reload} />}
        </>
      )}
    </>
  );
}

function Head({ review, onAsk }: { review: Review; onAsk: (what: Asked) => void }) {
  const { request } = review,
    headline = headlineOf(review),
    who = me.value;
  const waits =
    who &&
    signer.value &&
    waitsFor(
      who,
      policy.value?.body,
      request,
      review.decisions.map(({ decision }) => decision.decider),
    );
  const cancels = (hasRole(Role.REQUESTER) || hasRole(Role.ADMIN)) && !stateEnded(request.state);
  const progress = progressText(request);
  return (
    <>
      <div class="head">
        <div>
          <h1 tabIndex={-1}>
            {requestNumber(review.push.number)}: {headline.task}
          </h1>
          <div class="meta">
            <StateWord state={request.state} />
            {progress && <span>{progress}</span>}
            <span>{count(headline.orders, 'work order')}</span>
            <span>
              requested by {headline.requester}, <Time s={headline.requestedAtS} />
            </span>
            <a href={href(['certificates', hex(request.certificateId)])}>Topology</a>
          </div>
        </div>
      </div>
      {(waits || cancels) && (
        <div class="bar" role="group" aria-label="Actions">
          {waits && (
            <Button kind="primary" onClick={() => onAsk('decide')}>
              {verbOf(request.stageName)}
            </Button>
          )}
          {waits && <Button onClick={() => onAsk('reject')}>Reject…</Button>}
          {cancels && (
            <Button kind="danger" onClick={() => onAsk('cancel')}>
              Cancel…
            </Button>
          )}
        </div>
      )}
      {!review.verified && (
        <Notice kind="bad" title="This request does not verify here">
          {review.trouble} Nothing can be decided on it from here.
        </Notice>
      )}
    </>
  );
}

// Whether it holds, as a word with its sign.
function Verified({ holds, trouble, by }: { holds: boolean; trouble: string; by: string }) {
  return holds ? (
    <span class="verified good">
      <Icon name="check" />
      verified here, {by}
    </span>
  ) : (
    <span class="verified bad">
      <Icon name="close" />
      not verified: {trouble}
    </span>
  );
}

function Step({
  title,
  when,
  verified,
  children,
}: {
  title: ComponentChildren;
  when: bigint;
  verified: ComponentChildren;
  children: ComponentChildren;
}) {
  return (
    <li class="step">
      <div class="step-head">
        <h3>{title}</h3>
        <Time s={when} />
      </div>
      {verified}
      <dl class="facts">{children}</dl>
    </li>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

const Said = ({ comment, holds }: { comment: string; holds: boolean }) =>
  holds ? <>{comment || <span class="dim">none</span>}</> : <span class="bad">{comment}</span>;

function DecisionStep({ one, stage, orders }: { one: ReviewedDecision; stage: string; orders: string }) {
  const { decision } = one,
    rejects = decision.verdict === Verdict.REJECT;
  return (
    <Step
      title={
        <>
          {decision.decider} {rejects ? <span class="bad">rejected</span> : 'accepted'} at the stage “{stage}”
        </>
      }
      when={decision.decidedAtS}
      verified={
        <Verified
          holds={one.verified}
          trouble={one.trouble}
          by={one.keyKind === KeyKind.UNSPECIFIED ? '' : `a key of kind ${keyKindWord(one.keyKind)}`}
        />
      }
    >
      {!rejects && (
        <Fact name="Manual Implementation">
          {decision.mode === Mode.MANUAL ? (
            'on'
          ) : (
            <>
              off, not before <Time s={decision.notBeforeS} />
            </>
          )}
        </Fact>
      )}
      {orders && <Fact name="Covers">{orders}</Fact>}
      <Fact name="Comments">
        <Said comment={one.comment} holds={one.commentHolds} />
      </Fact>
      <Fact name="In words">
        <span class="spoken">{one.words}</span>
      </Fact>
      <Fact name="Digest">
        <Bytes value={one.digest} what="the decision's digest" />
      </Fact>
    </Step>
  );
}

function coveredText(bitmap: Uint8Array, total: number): string {
  if (bitmap.length === 0) return total > 1 ? `all ${total.toLocaleString()} work orders` : '';
  let covered = 0;
  for (const byte of bitmap) for (let bits = byte; bits; bits &= bits - 1) covered++;
  return `${covered.toLocaleString()} of ${total.toLocaleString()} work orders`;
}

function History({ review }: { review: Review }) {
  const { push, request } = review,
    stageOf = stageNames(review);
  return (
    <section class="card" aria-labelledby="history">
      <h2 id="history">Who signed what</h2>
      <ol class="steps">
        <Step
          title={<>{push.requester} requested it</>}
          when={push.requestedAtS}
          verified={<Verified holds={review.verified} trouble={review.trouble} by="with its work orders" />}
        >
          <Fact name="Comments">
            <Said comment={review.comment} holds={review.commentHolds} />
          </Fact>
          <Fact name="Decide by">
            <Time s={push.decideByS} />
          </Fact>
          <Fact name="Window from start">
            {duration(push.windowS)}, {count(push.maxAttempts, 'attempt')}
          </Fact>
          {push.overrides.length > 0 && (
            <Fact name="Overrides">
              <span class="bad">
                {push.overrides
                  .map((one) => (one === Override.EXPIRED ? 'although it has expired' : 'although it is revoked'))
                  .join(', ')}
              </span>
            </Fact>
          )}
          <Fact name="In words">
            <span class="spoken">{review.words}</span>
          </Fact>
          <Fact name="Digest">
            <Bytes value={review.digest} what="the request's digest" />
          </Fact>
        </Step>
        {review.decisions.map((one) => (
          <DecisionStep
            key={one.words}
            one={one}
            stage={stageOf(one.decision.stage)}
            orders={coveredText(one.decision.orders, push.orderCount)}
          />
        ))}
        {isOpen(request.state) && (
          <li class="step step-open">
            <div class="step-head">
              <h3>
                Waits for the stage “{request.stageName}”: {request.decided} of {request.required}
              </h3>
            </div>
          </li>
        )}
        {request.startS > 0n && <Start at={request.startS} state={request.state} />}
      </ol>
    </section>
  );
}

const hasStarted = (state: OrderState) =>
  state === OrderState.PUSH_IN_PROGRESS || state === OrderState.COMPLETED || state === OrderState.FAILED;

// When the push starts, by its decisions; nothing that was closed before it was handed over has started.
function Start({ at, state }: { at: bigint; state: OrderState }) {
  const started = hasStarted(state);
  return (
    <li class={started ? 'step' : 'step step-open'}>
      <div class="step-head">
        <h3>{started ? 'Started at' : Number(at) > now_s.value ? 'Starts at' : 'Was to start at'}</h3>
        <Time s={at} />
      </div>
    </li>
  );
}

// A stage has its name from the rule; the orders' rules may differ, then the number is all that can be said of each.
function stageNames(review: Review): (stage: number) => string {
  const open = review.request,
    known = new Map<number, string>();
  if (open.stage > 0 && open.stageName) known.set(open.stage, open.stageName);
  for (const { stage, stageName } of review.progress) if (stage > 0 && stageName) known.set(stage, stageName);
  for (const rule of policy.value?.body.rules ?? [])
    if (rule.stages.length === review.request.stages)
      rule.stages.forEach(({ name }, i) => {
        if (!known.has(i + 1)) known.set(i + 1, name);
      });
  return (stage) => known.get(stage) ?? String(stage);
}

// ---- work orders

const PAGE = 25;

const columns: Column<Order>[] = [
  { key: 'number', title: 'Work order', kind: 'nowrap', cell: (row) => <code>{orderNumber(row.number)}</code> },
  {
    key: 'where',
    title: 'App connector',
    cell: (row) => (
      <span>
        {row.connector} on <a href={href(['devices', row.deviceName])}>{row.deviceName}</a>
      </span>
    ),
  },
  { key: 'state', title: 'State', kind: 'nowrap', cell: (row) => <StateWord state={row.state} text={orderState(row)} /> },
  { key: 'reason', title: 'Reason', kind: 'grow', cell: (row) => row.reason || null },
  {
    key: 'attempts',
    title: 'Attempts',
    kind: 'nowrap',
    cell: (row) => (row.attempts ? `${row.attempts} of ${row.maxAttempts}` : null),
  },
  { key: 'changed', title: 'Changed', kind: 'nowrap', cell: (row) => <Time s={row.updatedAtS} /> },
];

function Orders({ number }: { number: bigint }) {
  const [state, setState] = useState('');
  const [befores, setBefores] = useState<bigint[]>([0n]);
  const before = befores.at(-1)!;
  const key = `orders of ${number} ${state} ${before}`;
  const list = useData(key, () => readOrders(number, Number(state) as OrderState, before));
  useWatch([ObjectKind.ORDER], list.soon, { requestNumber: number });
  const rows = list.data?.orders ?? [],
    stale = list.busy && list.of !== key;
  return (
    <section class="card flush" aria-labelledby="orders">
      <div class="orders-head">
        <h2 id="orders">Work orders</h2>
        <Select
          label="State"
          value={state}
          onChange={(next) => {
            setState(next);
            setBefores([0n]);
          }}
          options={[['', 'any'], ...allStates.map((one) => [String(one), stateWord(one)] as const)]}
        />
      </div>
      {list.error && (
        <TryAgain small onAgain={list.reload}>
          {list.error}
        </TryAgain>
      )}
      {!list.data ? (
        <Busy lines={4} label="Reading the work orders" />
      ) : rows.length === 0 ? (
        <Empty title={state ? 'No work order is in this state' : 'No work orders'} />
      ) : (
        <>
          <Table
            caption="Work orders of this request"
            columns={columns}
            rows={rows}
            rowKey={(row) => String(row.number)}
            stale={stale}
          />
          {(befores.length > 1 || list.data.next > 0n) && (
            <Pager
              text={`${orderNumber(rows[0]!.number)} to ${orderNumber(rows.at(-1)!.number)}`}
              busy={stale}
              hasPrevious={befores.length > 1}
              hasNext={list.data.next > 0n}
              onPrevious={() => setBefores(befores.slice(0, -1))}
              onNext={() => setBefores([...befores, list.data!.next])}
            />
          )}
        </>
      )}
    </section>
  );
}

// A page of the controller's may hold few and the search go on behind it.
async function readOrders(requestNumber_: bigint, state: OrderState, before: bigint): Promise<{ orders: Order[]; next: bigint }> {
  const orders: Order[] = [];
  let beforeNumber = before;
  for (;;) {
    const page = await client(PushService).listOrders({
      requestNumber: requestNumber_,
      state,
      beforeNumber,
      limit: PAGE - orders.length,
    });
    orders.push(...page.orders);
    if (!page.more || page.nextBeforeNumber === 0n) return { orders, next: 0n };
    if (orders.length >= PAGE) return { orders, next: page.nextBeforeNumber };
    beforeNumber = page.nextBeforeNumber;
  }
}
