// A cancel is not signed: it can only take away (controller/cli/decide.c). What it reaches is told before.
import { client } from '../api/client';
import { type Order, OrderState, PushService } from '../gen/countersign/v1/operator_pb';
import { readComment } from '../trust/statements';
import { stateEnded } from '../words';

const AT_ONCE = 64; // that a call takes

// Every work order of a request, oldest first.
export async function fetchOrders(requestNumber: bigint): Promise<Order[]> {
  const all: Order[] = [];
  for (let beforeNumber = 0n;;) {
    const { orders, more, nextBeforeNumber } = await client(PushService).listOrders({ requestNumber, beforeNumber });
    all.push(...orders);
    const next = nextBeforeNumber || orders.at(-1)?.number || 0n;
    if (!more || !next || next === beforeNumber) return all.reverse();
    beforeNumber = next;
  }
}

export interface Reach { cancelled: number; handedOver: number } // too late for these: the device reports their outcome

export async function reachOfCancel(number: bigint, orders: readonly bigint[] = []): Promise<Reach> {
  const reached = (await fetchOrders(number)).filter((order) => !stateEnded(order.state) && (orders.length === 0 || orders.includes(order.number)));
  const handedOver = reached.filter(({ state }) => state === OrderState.PUSH_IN_PROGRESS).length;
  return { cancelled: reached.length - handedOver, handedOver };
}

export async function cancelRequest(number: bigint, comment: string, orders: readonly bigint[] = []): Promise<Reach> {
  const total: Reach = { cancelled: 0, handedOver: 0 };
  const text = readComment(comment.trim());
  for (let done = 0; done === 0 || done < orders.length; done += AT_ONCE) {
    const reply = await client(PushService).cancelRequest({ number, comment: text, orders: orders.slice(done, done + AT_ONCE) });
    total.cancelled += reply.cancelled;
    total.handedOver += reply.handedOver;
  }
  return total;
}
