// Cancel: not signed. It reaches what was not handed over to a device yet; of the rest the device reports how it ended.
import { useEffect, useState } from 'preact/hooks';
import { sentence } from '../api/fault';
import { cancelRequest, type Reach, reachOfCancel } from '../flow/cancel';
import type { Request } from '../gen/countersign/v1/operator_pb';
import { Select } from '../ui/field';
import { Busy } from '../ui/busy';
import { Notice } from '../ui/notice';
import { count, requestNumber } from '../words';
import { Comment, commentTrouble } from './comment';
import { DoDialog } from './do';

export function CancelDialog({
  request,
  order,
  onClose,
  onDone,
}: {
  request: Request;
  order?: bigint;
  onClose: () => void;
  onDone: () => void;
}) {
  const [reached, setReached] = useState<Reach | undefined>(undefined);
  const [trouble, setTrouble] = useState('');
  const [comment, setComment] = useState('');
  const [reach, setReach] = useState<'all' | 'one'>(order === undefined ? 'all' : 'one');
  const orders = reach === 'one' && order !== undefined ? [order] : [];
  useEffect(() => {
    let current = true;
    setReached(undefined);
    reachOfCancel(request.number, orders).then(
      (now) => {
        if (current) setReached(now);
      },
      (error: unknown) => {
        if (current) setTrouble(sentence(error));
      },
    );
    return () => {
      current = false;
    };
  }, [request.number, reach]);
  const nothing = reached && reached.cancelled + reached.handedOver === 0;
  const missing = () => commentTrouble(comment) || (nothing ? 'Every work order has ended: there is nothing to cancel.' : '');
  const act = () => cancelRequest(request.number, comment, orders);
  return (
    <DoDialog
      title={`Cancel ${requestNumber(request.number)}`}
      yes="Cancel the push"
      danger
      missing={missing}
      act={act}
      onDone={onDone}
      onClose={onClose}
      done={(result) => (
        <Notice kind={result.cancelled > 0 ? 'good' : 'warn'} title={`${count(result.cancelled, 'work order')} cancelled`}>
          {result.handedOver > 0
            ? `${count(result.handedOver, 'work order')} had been handed over already: the devices report how they end.`
            : 'None had been handed over to a device.'}
        </Notice>
      )}
    >
      <p>
        A cancel is not signed: it stops what the controller has not handed over yet, and a controller that has been taken over could
        ignore it. Whoever has to be sure rejects.
      </p>
      {order !== undefined && request.orderCount > 1 && (
        <Select
          label="Which work orders"
          value={reach}
          onChange={setReach}
          options={[
            ['all', `Every open one of ${requestNumber(request.number)}`],
            ['one', `Only WO-${order}`],
          ]}
        />
      )}
      {trouble ? (
        <Notice kind="warn">{trouble}</Notice>
      ) : !reached ? (
        <Busy lines={1} label="Counting the work orders" />
      ) : (
        <p>
          It reaches <strong>{count(reached.cancelled, 'work order')}</strong> that {reached.cancelled === 1 ? 'is' : 'are'} still here
          {reached.handedOver > 0
            ? `; ${count(reached.handedOver, 'work order')} had been handed over already, and will only be asked to stop`
            : ''}
          .
        </p>
      )}
      <Comment value={comment} onInput={setComment} />
    </DoDialog>
  );
}
