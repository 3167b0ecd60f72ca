// What waits for the reader.
import { useState } from 'preact/hooks';
import { me } from '../api/session';
import { DecideDialog } from '../dialogs/decide';
import { verbOf } from '../dialogs/waiting';
import type { Request } from '../gen/countersign/v1/operator_pb';
import { Verdict } from '../gen/countersign/v1/statement_pb';
import { Busy } from '../ui/busy';
import { Button } from '../ui/button';
import { Empty } from '../ui/empty';
import { type Column, Table } from '../ui/table';
import { Time } from '../ui/time';
import { waiting } from '../waiting';
import { count, requestNumber } from '../words';
import { openRow, requestColumns } from './requests';

export default function InboxPage() {
  const [deciding, setDeciding] = useState<{ request: Request; verdict: Verdict } | undefined>(undefined);
  const who = me.value,
    rows = waiting.value;
  const columns: Column<Request>[] = [
    ...requestColumns.filter(({ key }) => key !== 'state' && key !== 'progress' && key !== 'requested'),
    { key: 'comment', title: 'Comments', cell: (row) => row.comment || null },
    { key: 'until', title: 'Decide by', kind: 'nowrap', cell: (row) => <Time s={row.decideByS} form="relative" /> },
    {
      key: 'decide',
      title: 'Your decision',
      kind: 'nowrap',
      cell: (row) => (
        <span class="bar">
          <Button
            kind="primary"
            small
            label={`${verbOf(row.stageName)} ${requestNumber(row.number)}`}
            onClick={() => setDeciding({ request: row, verdict: Verdict.ACCEPT })}
          >
            {verbOf(row.stageName)}
          </Button>
          <Button
            small
            label={`Reject ${requestNumber(row.number)}`}
            onClick={() => setDeciding({ request: row, verdict: Verdict.REJECT })}
          >
            Reject
          </Button>
        </span>
      ),
    },
  ];
  return (
    <>
      <div class="head">
        <h1 tabIndex={-1}>Inbox</h1>
        {rows && rows.length > 0 && (
          <span class="dim" role="status">
            {count(rows.length, 'request')} {rows.length === 1 ? 'waits' : 'wait'} for you
          </span>
        )}
      </div>
      <div class="card flush">
        {!rows ? (
          <Busy lines={5} label="Looking for what waits for you" />
        ) : rows.length === 0 ? (
          <Empty title="Nothing waits for you" action={<Button href="/requests">All requests</Button>}>
            Requests come here while they are at a stage that you may decide.{' '}
            {who && !who.operator && 'You are nobody in particular here: sign in as an operator.'}
          </Empty>
        ) : (
          <Table
            caption="Requests that wait for you"
            columns={columns}
            rows={[...rows]}
            rowKey={(row) => String(row.number)}
            onOpen={openRow}
          />
        )}
      </div>
      {deciding && <DecideDialog {...deciding} onClose={() => setDeciding(undefined)} onDone={() => {}} />}
    </>
  );
}
