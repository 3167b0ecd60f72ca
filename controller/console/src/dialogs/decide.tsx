// Approve, implement, whatever a stage is called; and reject. Each asks for the mode, Manual Implementation on or off, and for
// comments; a reject has no mode.
import { useEffect, useState } from 'preact/hooks';
import { client } from '../api/client';
import { watch } from '../api/live';
import { me } from '../api/session';
import { fetchOrders } from '../flow/cancel';
import { prepareDecision } from '../flow/decide';
import { PushService, type Request } from '../gen/countersign/v1/operator_pb';
import { Mode, Verdict } from '../gen/countersign/v1/statement_pb';
import { ObjectKind } from '../gen/countersign/v1/watch_pb';
import { href } from '../router';
import { peek } from '../trust/envelope';
import { policy } from '../trust/policy';
import { Refusal } from '../trust/refusal';
import { decodeDecision } from '../trust/statements';
import { Select, TextField, Toggle } from '../ui/field';
import { Notice } from '../ui/notice';
import { StateWord } from '../ui/state-word';
import { now_s, timeText, utcText, zone } from '../ui/time';
import { actionWord, count, requestNumber } from '../words';
import { Comment, commentTrouble } from './comment';
import { fieldText, readLocal } from './local-time';
import { SignDialog } from './sign';
import { isOpen, verbOf, waitsFor } from './waiting';

export interface DecideProps {
  request: Request;
  order?: bigint; // the work order from which it was opened: the decision may be for it alone
  stageName?: string; // where that order stands apart from the request's others: its stage; the decision is for it alone
  verdict?: Verdict;
  onClose: () => void;
  onDone: () => void;
}

// What a decision is about: the request as it stood when the dialog was opened.
interface Seen {
  request: Request;
  decisions: number;
  deciders: string[]; // on all of its orders
  rest: bigint[] | undefined; // once decisions covered some orders only: those at the open stage, which are all that can be decided together
}

async function look(number: bigint): Promise<Seen> {
  const reply = await client(PushService).getRequest({ number });
  if (!reply.request) throw new Refusal(`the controller does not know ${requestNumber(number)}`);
  const decisions = reply.decisions.map(({ envelope }) => decodeDecision(peek(envelope, 'decision')));
  const { request } = reply,
    isPartly = decisions.some(({ orders }) => orders.length > 0);
  const rest = isPartly
    ? (await fetchOrders(number)).filter(({ state }) => state === request.state).map((order) => order.number)
    : undefined;
  return {
    request,
    rest,
    decisions: decisions.length,
    deciders: decisions.filter(({ orders }) => orders.length === 0).map(({ decider }) => decider),
  };
}

// What the controller calls the open stage is the least advanced orders'.
const same = (a: Seen, b: Seen) =>
  a.decisions === b.decisions && a.request.stage === b.request.stage && a.request.state === b.request.state;

function howItStands({ request }: Seen): string {
  return isOpen(request.state)
    ? `it is now at the stage "${request.stageName}", with ${request.decided} of ${request.required}`
    : 'nothing is to be decided any more';
}

export function DecideDialog({ request: opened, order, stageName, verdict = Verdict.ACCEPT, onClose, onDone }: DecideProps) {
  const accepts = verdict === Verdict.ACCEPT,
    number = opened.number;
  const [seen, setSeen] = useState<Seen | undefined>(undefined);
  const [first, setFirst] = useState<Promise<Seen> | undefined>(undefined);
  const [changed, setChanged] = useState('');
  const [manual, setManual] = useState(true);
  const [at, setAt] = useState(() => fieldText(Math.ceil((Date.now() / 1000 + 3600) / 900) * 900));
  const [later, setLater] = useState<'first' | 'second' | ''>('');
  const [comment, setComment] = useState('');
  const [reach, setReach] = useState<'all' | 'one'>(stageName === undefined ? 'all' : 'one');
  const request = seen?.request ?? opened;

  useEffect(() => {
    const promise = look(number);
    setFirst(promise);
    promise.then(setSeen, () => {});
  }, [number]);
  useEffect(() => {
    if (!seen) return undefined;
    return watch({ requestNumber: number }, (changes) => {
      if (!changes.some((change) => change.kind === ObjectKind.REQUEST)) return;
      look(number).then(
        (now) => setChanged(same(now, seen) ? '' : `${requestNumber(number)} has changed while this is open: ${howItStands(now)}.`),
        () => {},
      );
    });
  }, [number, seen]);

  const waits =
    !seen ||
    !me.value ||
    waitsFor(me.value, policy.value?.body, { ...seen.request, ...(stageName !== undefined && { stageName }) }, seen.deciders);
  const closed = waits || !seen ? '' : `Nothing of ${requestNumber(number)} waits for your decision any more: ${howItStands(seen)}.`;
  const together = seen?.rest?.length ?? request.orderCount;
  const verb = !waits ? 'Decide' : accepts ? verbOf(stageName ?? request.stageName) : 'Reject';
  const time = readLocal(at);
  const notBefore = time.kind === 'one' ? time.s : time.kind === 'twice' && later ? time[later] : undefined;
  const prepare = async () => {
    const before = seen ?? (await (first ?? look(number)));
    const orders = reach === 'one' && order !== undefined ? [order] : before.rest;
    return prepareDecision({
      number,
      verdict,
      comment,
      mode: accepts ? (manual ? Mode.MANUAL : Mode.SCHEDULED) : Mode.UNSPECIFIED,
      ...(accepts && !manual && notBefore !== undefined && { notBeforeS: notBefore }),
      ...(orders && { orders }),
      seen: {
        decisions: before.decisions,
        ...(reach === 'all' && before.request.stage > 0 && { stage: before.request.stage }),
        stageName: stageName ?? before.request.stageName,
      },
    });
  };
  const missing = () => {
    if (accepts && !manual && time.kind === 'none')
      return 'Give a date and a time before which the push must not start, or switch Manual Implementation on.';
    if (accepts && !manual && notBefore === undefined) return 'That local time cannot be taken as it is: see beneath the field.';
    return commentTrouble(comment);
  };

  return (
    <SignDialog
      title={`${verb} ${requestNumber(number)}`}
      yes="Yes"
      danger={!accepts}
      missing={missing}
      prepare={prepare}
      onDone={onDone}
      onClose={onClose}
      changed={changed}
      closed={closed}
      onLookAgain={async () => {
        setSeen(await look(number));
        setChanged('');
      }}
      done={(result) => (
        <Notice kind="good" title={accepts ? 'Your decision was taken' : 'The request was rejected'}>
          <a href={href(['requests', number])}>{requestNumber(number)}</a> is now at: <StateWord state={result.state} />
        </Notice>
      )}
    >
      {changed && <Notice kind="warn">{changed}</Notice>}
      <p>
        {request.requester} asks to{' '}
        <strong>
          {actionWord(request.action)} {request.certificateName}
        </strong>{' '}
        at {count(request.orderCount, 'app connector')}
        {seen?.rest && `, of which ${together.toLocaleString()} ${together === 1 ? 'is' : 'are'} at this stage`}
        {request.comment && <>: “{request.comment}”</>}
      </p>
      {accepts && (
        <div class="field">
          <Toggle label="Manual Implementation" on={manual} onChange={setManual} />
          <span class="hint">
            {manual
              ? 'On: no time of its own; the last decision starts the push at once.'
              : 'Off: the push does not start before the date and time below, whatever other stages say.'}
          </span>
        </div>
      )}
      {accepts && !manual && (
        <>
          <TextField
            label={`Not before, in your time zone (${zone})`}
            type="datetime-local"
            value={at}
            onInput={(value) => {
              setAt(value);
              setLater('');
            }}
            required
            error={
              time.kind === 'skipped'
                ? `There is no such time in ${zone} on that day: clocks go forward over it. Take ${timeText(time.before)} or ${timeText(time.after)}, or another time.`
                : undefined
            }
            hint={
              notBefore !== undefined
                ? `${utcText(notBefore)}${notBefore < now_s.value ? ': this is past, so it delays nothing' : ''}`
                : undefined
            }
          />
          {time.kind === 'twice' && (
            <Select
              label="Clocks go back that day, and this time is there twice"
              value={later}
              onChange={setLater}
              options={[
                ['', 'Choose which'],
                ['first', `The first: ${utcText(time.first)}`],
                ['second', `The second: ${utcText(time.second)}`],
              ]}
            />
          )}
        </>
      )}
      {order !== undefined && stageName !== undefined && (
        <p>For WO-{String(order)} alone, which stands at another stage than the others.</p>
      )}
      {order !== undefined && stageName === undefined && together > 1 && (
        <Select
          label="For which work orders"
          value={reach}
          onChange={setReach}
          options={[
            ['all', `All ${together.toLocaleString()} of ${requestNumber(number)}${seen?.rest ? ' at this stage' : ''}`],
            ['one', `Only WO-${order}`],
          ]}
        />
      )}
      <Comment value={comment} onInput={setComment} />
    </SignDialog>
  );
}
