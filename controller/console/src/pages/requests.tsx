// Push requests, newest first.
import { client } from '../api/client';
import { useData, useWatch } from '../data';
import { PushService, type Request } from '../gen/countersign/v1/operator_pb';
import { ObjectKind } from '../gen/countersign/v1/watch_pb';
import { progressText } from '../requests/progress';
import { go, href, route } from '../router';
import { hex } from '../trust/bytes';
import { Busy } from '../ui/busy';
import { Button } from '../ui/button';
import { Empty } from '../ui/empty';
import { Checkbox } from '../ui/field';
import { Pager } from '../ui/pager';
import { StateWord } from '../ui/state-word';
import { type Column, Table } from '../ui/table';
import { Time } from '../ui/time';
import { TryAgain } from '../ui/try-again';
import { actionWord, count, requestNumber } from '../words';

const PAGE = 25;

export const requestColumns: Column<Request>[] = [
  {
    key: 'number',
    title: 'Request',
    kind: 'nowrap',
    cell: (row) => (
      <a class="main" href={href(['requests', row.number])}>
        {requestNumber(row.number)}
      </a>
    ),
  },
  {
    key: 'certificate',
    title: 'Certificate',
    kind: 'grow',
    cell: (row) => (
      <span>
        {actionWord(row.action)} <a href={href(['certificates', hex(row.certificateId)])}>{row.certificateName}</a>{' '}
        <span class="dim">at {count(row.orderCount, 'app connector')}</span>
      </span>
    ),
  },
  { key: 'state', title: 'State', kind: 'nowrap', cell: (row) => <StateWord state={row.state} /> },
  { key: 'progress', title: 'Progress', cell: (row) => progressText(row) || null },
  { key: 'requester', title: 'Requester', cell: (row) => row.requester },
  { key: 'requested', title: 'Requested', kind: 'nowrap', cell: (row) => <Time s={row.requestedAtS} /> },
];

export const openRow = (row: Request) => go(href(['requests', row.number]));

function beforeOf(text: string | null): bigint {
  return text && /^\d{1,18}$/.test(text) ? BigInt(text) : 0n;
}

export default function RequestsPage() {
  const { query } = route.value,
    before = beforeOf(query.get('before')),
    openOnly = query.get('open') === 'yes';
  const key = `requests ${before} ${openOnly}`;
  const list = useData(key, (signal) => client(PushService).listRequests({ beforeNumber: before, limit: PAGE, openOnly }, { signal }));
  useWatch([ObjectKind.REQUEST, ObjectKind.ORDER], list.soon);
  const rows = list.data?.requests ?? [],
    stale = list.busy && list.of !== key;
  const to = (next: { before?: bigint; open?: boolean }) =>
    href(['requests'], { before: next.before ? String(next.before) : undefined, open: (next.open ?? openOnly) ? 'yes' : undefined });
  return (
    <>
      <div class="head">
        <h1 tabIndex={-1}>Requests</h1>
        <Checkbox checked={openOnly} onChange={(open) => go(to({ open }))}>
          only those that people still decide
        </Checkbox>
      </div>
      {list.error && (
        <TryAgain small onAgain={list.reload}>
          {list.error}
        </TryAgain>
      )}
      <div class="card flush">
        {!list.data ? (
          !list.error && <Busy lines={8} label="Reading the requests" />
        ) : rows.length === 0 ? (
          <Empty
            title={openOnly ? 'Nothing is to be decided' : before ? 'There are no older requests' : 'No push was requested yet'}
            action={
              <Button href={before || openOnly ? href(['requests']) : href(['certificates'])}>
                {before || openOnly ? 'All requests' : 'Certificates'}
              </Button>
            }
          >
            {!openOnly && !before && 'Open a certificate, add an app connector, and press Push to Device.'}
          </Empty>
        ) : (
          <>
            <Table
              caption="Push requests, newest first"
              columns={requestColumns}
              rows={rows}
              rowKey={(row) => String(row.number)}
              onOpen={openRow}
              stale={stale}
            />
            {(before > 0n || list.data.more) && (
              <Pager
                text={
                  rows.length === 1
                    ? requestNumber(rows[0]!.number)
                    : `${requestNumber(rows[0]!.number)} to ${requestNumber(rows.at(-1)!.number)}`
                }
                busy={stale}
                hasPrevious={before > 0n}
                hasNext={list.data.more}
                onPrevious={() => history.back()}
                onNext={() => go(to({ before: rows.at(-1)!.number }))}
              />
            )}
          </>
        )}
      </div>
    </>
  );
}
