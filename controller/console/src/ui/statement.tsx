// A statement as it will be signed: what its bytes say, and the eight words that two people read to each other to know that they
// look at the same bytes. The command line shows the same words for them.
import { useState } from 'preact/hooks';
import type { Draft, Field, OrderLine } from '../flow/draft';
import { Button } from './button';
import { Copy } from './bytes';
import { type Column, Table } from './table';

// More work orders than this are shown when they are asked for, and signed only then.
export const LINES_FIRST = 60;

export function Words({ words, what = 'In words' }: { words: string; what?: string }) {
  return (
    <p class="spoken">
      <span class="label">{what}</span>
      <strong>{words}</strong>
    </p>
  );
}

function Value({ field: { label, value, tone } }: { field: Field }) {
  if (value === '') return <span class="dim">–</span>;
  if (tone === 'mono') return <span class="bytes"><code>{value}</code><Copy text={value} label={`Copy ${label}`} /></span>;
  return <span class={tone && `said-${tone}`}>{tone === 'bad' ? <strong>{value}</strong> : value}</span>;
}

function Fields({ fields }: { fields: readonly Field[] }) {
  return (
    <dl class="facts statement-facts">
      {fields.map((field, i) => [<dt key={`t${i}`}>{field.label}</dt>, <dd key={`d${i}`}><Value field={field} /></dd>])}
    </dl>
  );
}

function Lines({ orders, onAll }: { orders: readonly OrderLine[]; onAll: (() => void) | undefined }) {
  const [all, setAll] = useState(false);
  const showAll = () => {
    setAll(true);
    onAll?.();
  };
  const columns: Column<OrderLine>[] = [
    { key: 'number', title: 'Work order', cell: (order) => <strong>{order.number}</strong>, kind: 'nowrap' },
    { key: 'place', title: 'App connector', cell: (order) => `${order.device}/${order.connector}`, kind: 'grow' },
    { key: 'action', title: 'Action', cell: (order) => order.action },
    { key: 'generation', title: 'Generation', cell: (order) => order.generation, kind: 'number' },
    ...orders.some(({ backTo }) => backTo) ? [{ key: 'back', title: 'Back to', cell: (order: OrderLine) => order.backTo || null, kind: 'number' as const }] : [],
    { key: 'replaces', title: 'Replaces', cell: (order) => /^[0-9a-f]{16}$/.test(order.replaces) ? <code>{order.replaces}…</code> : order.replaces },
    { key: 'key', title: 'Key', cell: (order) => order.key },
    { key: 'id', title: 'Device-id', cell: (order) => <code title={order.deviceId}>{order.deviceId.slice(0, 8)}…</code> },
  ];
  const rows = all ? orders : orders.slice(0, LINES_FIRST);
  return (
    <>
      <Table caption="Work orders" columns={columns} rows={rows} rowKey={(order) => order.number} />
      {rows.length < orders.length && <Button small onClick={showAll}>Show all {orders.length} work orders</Button>}
    </>
  );
}

// What is said beside a statement and is not in it.
function Notes({ notes }: { notes: readonly Field[] }) {
  if (notes.length === 0) return null;
  return <section class="statement-notes" aria-label="Beside the statement"><Fields fields={notes} /></section>;
}

// `onAll`: told when every work order is shown, which more than LINES_FIRST are not at first.
export function Statement<Result>({ draft, onAll }: { draft: Draft<Result>; onAll?: () => void }) {
  return (
    <>
      <Notes notes={draft.notes} />
      <section class="statement" aria-label="The statement, as it will be signed">
        <Words words={draft.words} />
        <Fields fields={draft.fields} />
        {draft.orders.length > 0 && <Lines orders={draft.orders} onAll={onAll} />}
        <p class="hint">Read from the very bytes that are signed. Whoever compares the statement by voice reads the words.</p>
      </section>
    </>
  );
}
