// What came of a request: its number and its work orders', which come by themselves.
import { useEffect, useState } from 'preact/hooks';
import { client } from '../api/client';
import { sentence } from '../api/fault';
import { type Order, PushService } from '../gen/countersign/v1/operator_pb';
import { href } from '../router';
import { Notice } from '../ui/notice';
import { StateWord } from '../ui/state-word';
import { orderNumber, orderState, requestNumber } from '../words';

const SHOWN_MOST = 12;

export function RequestDone({ number, title }: { number: bigint; title: string }) {
  const [orders, setOrders] = useState<{ list: Order[]; more: boolean } | undefined>(undefined);
  const [trouble, setTrouble] = useState('');
  useEffect(() => {
    client(PushService)
      .listOrders({ requestNumber: number, limit: SHOWN_MOST })
      .then(
        ({ orders: list, more }) => setOrders({ list: list.reverse(), more }),
        (error: unknown) => setTrouble(sentence(error)),
      );
  }, [number]);
  return (
    <>
      <Notice kind="good" title={title}>
        <a href={href(['requests', number])}>{requestNumber(number)}</a> waits for the people who decide. Its work orders stand beside
        their app connectors.
      </Notice>
      {trouble && <Notice kind="warn">{trouble}</Notice>}
      <ul class="done-orders" aria-label="Work orders" aria-busy={!orders || undefined}>
        {(orders?.list ?? []).map((order) => (
          <li key={String(order.number)}>
            <code>{orderNumber(order.number)}</code> {order.connector} on {order.deviceName}{' '}
            <StateWord state={order.state} text={orderState(order)} />
          </li>
        ))}
        {orders?.more && (
          <li class="dim">
            and more: <a href={href(['requests', number])}>the whole request</a>
          </li>
        )}
      </ul>
    </>
  );
}
