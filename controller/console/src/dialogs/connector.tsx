// One app connector of the certificate, with all that is known of it and all that can be done about it.
import { Fragment } from 'preact';
import { useState } from 'preact/hooks';
import { client } from '../api/client';
import { sentence } from '../api/fault';
import { hasRole, mayRequest } from '../api/session';
import { CertificateService, OrderState, type TopologyRow } from '../gen/countersign/v1/operator_pb';
import { Mode, Role, Verdict } from '../gen/countersign/v1/statement_pb';
import { href } from '../router';
import { decisionsOn } from '../topology/load';
import { hasOrder, stateText, syncText } from '../topology/standing';
import { Button } from '../ui/button';
import { Chip } from '../ui/chip';
import { Dialog } from '../ui/dialog';
import { Notice } from '../ui/notice';
import { StateWord } from '../ui/state-word';
import { Time, timeText } from '../ui/time';
import { actionWord, orderNumber, requestNumber, stateEnded } from '../words';
import type { TopologyDialogProps } from './push';

export interface ConnectorDialogProps extends TopologyDialogProps {
  row: TopologyRow;
  verb: string | undefined; // the decision that waits for the reader
  onDecide: () => void;
  onReject: () => void;
  onCancel: () => void;
  onPush: () => void;
  onRemove: () => void;
  onRollBack: () => void;
}

export function ConnectorDialog({
  topology,
  row,
  verb,
  onDecide,
  onReject,
  onCancel,
  onPush,
  onRemove,
  onRollBack,
  onClose,
  onDone,
}: ConnectorDialogProps) {
  const [trouble, setTrouble] = useState('');
  const [busy, setBusy] = useState(false);
  const order = hasOrder(row) ? row.order : undefined,
    history = order && topology.histories.get(order.requestNumber);
  const requester = mayRequest(),
    changer = hasRole(Role.REQUESTER) || hasRole(Role.ADMIN);
  const detach = async () => {
    setBusy(true);
    try {
      await client(CertificateService).detach({
        certificateId: topology.certificate.id,
        deviceName: row.deviceName,
        connector: row.connector,
      });
      onDone();
      onClose();
    } catch (error) {
      setTrouble(sentence(error));
      setBusy(false);
    }
  };
  return (
    <Dialog
      title={`${row.connector} on ${row.deviceName}`}
      onClose={onClose}
      wide
      foot={
        <>
          {changer && (
            <span class="start">
              <Button
                kind="quiet"
                busy={busy}
                onClick={() => {
                  void detach();
                }}
              >
                Detach from the certificate
              </Button>
            </span>
          )}
          {changer && order && !stateEnded(order.state) && <Button onClick={onCancel}>Cancel…</Button>}
          {requester && row.pushed && <Button onClick={onRemove}>Remove…</Button>}
          {requester && row.pushed && <Button onClick={onRollBack}>Roll back…</Button>}
          {requester && (
            <Button kind={verb ? 'plain' : 'primary'} onClick={onPush}>
              Push to Device
            </Button>
          )}
          {verb && <Button onClick={onReject}>Reject…</Button>}
          {verb && (
            <Button kind="primary" onClick={onDecide}>
              {verb}
            </Button>
          )}
        </>
      }
    >
      {trouble && <Notice kind="bad">{trouble}</Notice>}
      <dl class="facts">
        <dt>Certificate here</dt>
        <dd>
          <Chip colour={row.colour} />
        </dd>
        <dt>Application</dt>
        <dd>{row.application || 'not stated by the device'}</dd>
        <dt>Device</dt>
        <dd>
          <a href={href(['devices', row.deviceName])}>{row.deviceName}</a>,{' '}
          {row.connected ? (
            'connected'
          ) : row.lastSeenS ? (
            <>
              offline since <Time s={row.lastSeenS} />
            </>
          ) : (
            'never connected'
          )}
        </dd>
        <dt>On the device</dt>
        <dd>{syncText(row, (s) => timeText(s))}</dd>
        <dt>State</dt>
        <dd>
          <StateWord state={order?.state ?? OrderState.UNSPECIFIED} text={stateText(row)} />
        </dd>
        {order && (
          <>
            <dt>Work order</dt>
            <dd>
              <code>{orderNumber(order.number)}</code> of{' '}
              <a href={href(['requests', order.requestNumber])}>{requestNumber(order.requestNumber)}</a>: {actionWord(order.action)},
              generation {String(order.generation)}
            </dd>
            {order.reason && (
              <>
                <dt>Reason</dt>
                <dd>{order.reason}</dd>
              </>
            )}
            <dt>Changed</dt>
            <dd>
              <Time s={order.updatedAtS} />
            </dd>
            {order.notBeforeS > 0n && (
              <>
                <dt>Not before</dt>
                <dd>
                  <Time s={order.notBeforeS} />
                  {order.expiresAtS > 0n && (
                    <>
                      , until <Time s={order.expiresAtS} />
                    </>
                  )}
                </dd>
              </>
            )}
            <dt>Attempts</dt>
            <dd>
              {order.attempts} of {order.maxAttempts}
              {order.retryAtS > 0n && !stateEnded(order.state) && (
                <>
                  , the next at <Time s={order.retryAtS} />
                </>
              )}
            </dd>
          </>
        )}
        {history && (
          <>
            <dt>Requested</dt>
            <dd>
              {history.requester}, <Time s={history.requestedAtS} />
              {history.comment && <>: “{history.comment}”</>}
            </dd>
            {decisionsOn(topology, order).map((one, i) => (
              <Fragment key={i}>
                <dt>{one.stage}</dt>
                <dd>
                  {one.decider} {one.verdict === Verdict.REJECT ? 'rejected' : 'accepted'}, <Time s={one.decidedAtS} />
                  {one.verdict !== Verdict.REJECT &&
                    (one.mode === Mode.SCHEDULED ? (
                      <>
                        ; Manual Implementation off, not before <Time s={one.notBeforeS} />
                      </>
                    ) : (
                      '; Manual Implementation on'
                    ))}
                </dd>
              </Fragment>
            ))}
          </>
        )}
      </dl>
    </Dialog>
  );
}
