// Cancel: not signed. It reaches what was not handed over to a device yet; of the rest the device reports how it ended.
import { useEffect, useState } from 'preact/hooks';
import { client } from '../api/client';
import { sentence } from '../api/fault';
import { type Order, OrderState, PushService, type Request } from '../gen/countersign/v1/operator_pb';
import { Select } from '../ui/field';
import { Busy } from '../ui/busy';
import { Notice } from '../ui/notice';
import { count, requestNumber, stateEnded } from '../words';
import { Comment, commentTrouble } from './comment';
import { DoDialog } from './do';

export async function ordersOf(requestNumber_: bigint): Promise<Order[]> {
  const orders: Order[] = [];
  let beforeNumber = 0n;
  for (;;) {
    const page = await client(PushService).listOrders({ requestNumber: requestNumber_, beforeNumber });
    orders.push(...page.orders);
    if (!page.more || page.nextBeforeNumber === 0n) return orders;
    beforeNumber = page.nextBeforeNumber;
  }
}

export function CancelDialog({ request, order, onClose, onDone }: { request: Request; order?: bigint; onClose: () => void; onDone: () => void }) {
  const [orders, setOrders] = useState<Order[] | undefined>(undefined);
  const [trouble, setTrouble] = useState('');
  const [comment, setComment] = useState('');
  const [reach, setReach] = useState<'all' | 'one'>(order === undefined ? 'all' : 'one');
  useEffect(() => {
    ordersOf(request.number).then(setOrders, (error: unknown) => setTrouble(sentence(error)));
  }, [request.number]);
  const meant = orders?.filter((one) => (reach === 'all' || one.number === order) && !stateEnded(one.state)) ?? [];
  const handedOver = meant.filter((one) => one.state === OrderState.PUSH_IN_PROGRESS).length, open = meant.length - handedOver;
  const missing = () => commentTrouble(comment) || (orders && meant.length === 0 ? 'Every work order has ended: there is nothing to cancel.' : '');
  const act = () => client(PushService).cancelRequest({ number: request.number, orders: reach === 'one' && order !== undefined ? [order] : [], comment });
  return (
    <DoDialog title={`Cancel ${requestNumber(request.number)}`} yes="Cancel the push" danger missing={missing} act={act} onDone={onDone} onClose={onClose}
      done={(result) => (
        <Notice kind={result.cancelled > 0 ? 'good' : 'warn'} title={`${count(result.cancelled, 'work order')} cancelled`}>
          {result.handedOver > 0 ? `${count(result.handedOver, 'work order')} had been handed over already: the devices report how they end.` : 'None had been handed over to a device.'}
        </Notice>
      )}>
      <p>A cancel is not signed: it stops what the controller has not handed over yet, and a controller that has been taken over could ignore it. Whoever has to be sure rejects.</p>
      {order !== undefined && request.orderCount > 1 && (
        <Select label="Which work orders" value={reach} onChange={setReach}
          options={[['all', `Every open one of ${requestNumber(request.number)}`], ['one', `Only WO-${order}`]]} />
      )}
      {trouble ? <Notice kind="warn">{trouble}</Notice> : !orders ? <Busy lines={1} label="Counting the work orders" /> : (
        <p>It reaches <strong>{count(open, 'work order')}</strong> that {open === 1 ? 'is' : 'are'} still here{handedOver > 0 ? `; ${count(handedOver, 'work order')} had been handed over already, and will only be asked to stop` : ''}.</p>
      )}
      <Comment value={comment} onInput={setComment} />
    </DoDialog>
  );
}
