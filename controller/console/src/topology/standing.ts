// What is said of one app connector of a certificate: its order's state, whether the device has the certificate, who decided, and
// how its edge is drawn. Pure; the same words as `countersign topology` prints.
import {
  Colour,
  type DecisionSummary,
  type Order,
  OrderState,
  type Request,
  SyncState,
  type TopologyRow,
} from '../gen/countersign/v1/operator_pb';
import { Action, Verdict } from '../gen/countersign/v1/statement_pb';
import { actionWord, orderState, syncWord } from '../words';

// How an edge and a box are drawn, so that colour is never alone: in place, on its way, waiting for people, not as it should be,
// and nothing there yet.
export type Line = 'sound' | 'moving' | 'waiting' | 'wrong' | 'idle';

export const lineMeaning: Record<Line, string> = {
  sound: 'installed',
  moving: 'being pushed',
  waiting: 'waiting for people or its time',
  wrong: 'not as it should be',
  idle: 'not installed',
};

export const hasOrder = (row: TopologyRow): row is TopologyRow & { order: Order } => (row.order?.number ?? 0n) !== 0n;

const isRemoved = (row: TopologyRow) =>
  row.sync === SyncState.MISSING && row.order?.action === Action.REMOVE && row.order.state === OrderState.COMPLETED;

export function lineOf(row: TopologyRow): Line {
  const state = hasOrder(row) ? row.order.state : OrderState.UNSPECIFIED;
  switch (state) {
    case OrderState.PUSH_IN_PROGRESS:
      return 'moving';
    case OrderState.PUSH_APPROVAL_PENDING:
    case OrderState.PUSH_REVIEW_IN_PROGRESS:
    case OrderState.PUSH_SCHEDULED:
      return 'waiting';
    case OrderState.FAILED:
      return 'wrong';
  }
  if (row.colour === Colour.PURPLE || row.colour === Colour.GRAY) return 'wrong';
  if (row.sync === SyncState.IN_SYNC || row.lastSync === SyncState.IN_SYNC) return 'sound';
  return row.pushed ? 'wrong' : 'idle';
}

// "Push-Review In Progress 1/2", with what it is where it is no installation.
export function stateText(row: TopologyRow): string {
  if (!hasOrder(row)) return 'Not pushed yet';
  const order = row.order,
    text = orderState(order);
  return order.action === Action.INSTALL ? text : `${capital(actionWord(order.action))}: ${text}`;
}

export const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

// What else is to be known of the order's way: why it failed, what it waits for. `when` writes a time as the reader has it.
export function detailText(row: TopologyRow, nowS: number, when: (seconds: number) => string): string {
  if (!hasOrder(row)) return '';
  const order = row.order,
    said: string[] = [];
  // That it was installed, the state says.
  if (order.reason && order.state !== OrderState.COMPLETED) said.push(order.reason);
  if (order.state === OrderState.PUSH_SCHEDULED) {
    const retry = Number(order.retryAtS),
      start = Number(order.notBeforeS);
    if (retry > nowS) said.push(`attempt ${order.attempts + 1} of ${order.maxAttempts} at ${when(retry)}`);
    else if (start > nowS) said.push(`not before ${when(start)}`);
    else if (!row.connected) said.push('waiting for the device');
  }
  return said.join('; ');
}

// "in sync", "out of sync: …", "unknown: offline since …; was in sync then".
export function syncText(row: TopologyRow, when: (seconds: number) => string): string {
  if (isRemoved(row)) return 'nothing is installed: it was removed, as people decided';
  const remark = row.remark ? `: ${row.remark}` : '';
  // No push has left anything there, so that nothing is there is as it should be.
  if (row.sync === SyncState.MISSING && !row.pushed && !row.remark) return 'nothing is installed';
  if (row.sync !== SyncState.UNKNOWN) return syncWord(row.sync) + remark;
  const lastSeen = Number(row.lastSeenS);
  if (lastSeen === 0) return 'unknown: the device was never heard';
  const why = row.connected ? 'the device does not state this app connector any more' : `offline since ${when(lastSeen)}`;
  const then = row.lastSync !== SyncState.UNSPECIFIED ? `; was ${syncWord(row.lastSync)} then` : '';
  return `unknown: ${why}${then}${remark}`;
}

function decisionText(decision: DecisionSummary): string {
  if (decision.verdict === Verdict.REJECT) return `rejected ${decision.decider}`;
  if (decision.stage === 'approve') return `approved ${decision.decider}`;
  if (decision.stage === 'implement') return `implemented ${decision.decider}`;
  return `${decision.stage} ${decision.decider}`;
}

// "WO-12 · approved bob · implemented carol"
export function orderText(row: TopologyRow, decisions: DecisionSummary[]): string {
  if (!hasOrder(row)) return '';
  return [`WO-${row.order.number}`, ...decisions.map(decisionText)].join(' · ');
}

// How far an order is: `done` of `of` steps, which are the stages, the start, and the device's word. `stages` is of the default
// policy where the request is not at hand.
export function progressOf(
  row: TopologyRow,
  request?: Pick<Request, 'stage' | 'stages' | 'state'>,
): { done: number; of: number } | undefined {
  if (!hasOrder(row)) return undefined;
  const stages = request?.stages ?? 2,
    of = stages + 2;
  switch (row.order.state) {
    case OrderState.PUSH_APPROVAL_PENDING:
      return { done: 0, of };
    case OrderState.PUSH_REVIEW_IN_PROGRESS:
      return { done: request && request.state === row.order.state && request.stage > 0 ? request.stage - 1 : 1, of };
    case OrderState.PUSH_SCHEDULED:
      return { done: stages, of };
    case OrderState.PUSH_IN_PROGRESS:
      return { done: stages + 1, of };
    default:
      return undefined;
  }
}
