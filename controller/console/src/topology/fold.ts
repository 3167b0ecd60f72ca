// Hundreds of app connectors as a picture that can be read: those that stand alike fold into groups, which open a page at a time.
// Pure. Start at fold().
import type { TopologyRow } from '../gen/countersign/v1/operator_pb';
import { stateText } from './standing';

// So many are shown one by one, whatever their state.
export const FOLD_ABOVE = 24;
// Fewer than this that stand alike are shown one by one among the groups, too.
const GROUP_LEAST = 4;
// How many an open group shows, and how many more at each request.
export const PAGE = 48;

export const rowKey = (row: TopologyRow) => `${row.deviceName}/${row.connector}`;

// Worst first, as the inventory sorts colours; within one, by the state's words.
function groupKey(row: TopologyRow): string {
  return `${row.colour}|${row.order?.state ?? 0}|${row.order?.action ?? 0}`;
}

export interface Group {
  key: string;
  rows: TopologyRow[];
  text: string;
}

export type Item =
  | { kind: 'row'; row: TopologyRow; under?: Group }
  | { kind: 'group'; group: Group; open: boolean }
  | { kind: 'more'; group: Group; left: number };

// `open` has how many are shown of each open group.
export function fold(rows: TopologyRow[], open: ReadonlyMap<string, number>): Item[] {
  if (rows.length <= FOLD_ABOVE) return rows.map((row) => ({ kind: 'row', row }));
  const groups = new Map<string, TopologyRow[]>();
  for (const row of rows) {
    const key = groupKey(row),
      there = groups.get(key);
    if (there) there.push(row);
    else groups.set(key, [row]);
  }
  return [...groups]
    .sort(([, a], [, b]) => b[0]!.colour - a[0]!.colour || stateOf(a) - stateOf(b))
    .flatMap(([key, members]) => itemsOf({ key, rows: members, text: stateText(members[0]!) }, open.get(key)));
}

const stateOf = (rows: TopologyRow[]) => rows[0]!.order?.state ?? 0;

function itemsOf(group: Group, shown: number | undefined): Item[] {
  if (group.rows.length < GROUP_LEAST) return group.rows.map((row) => ({ kind: 'row', row }));
  if (shown === undefined) return [{ kind: 'group', group, open: false }];
  const left = group.rows.length - shown;
  return [
    { kind: 'group', group, open: true },
    ...group.rows.slice(0, shown).map((row): Item => ({ kind: 'row', row, under: group })),
    ...(left > 0 ? [{ kind: 'more', group, left } as const] : []),
  ];
}

// Words: each begins a word of the device's, the connector's or the application's name, or of the order's number.
export function search(rows: TopologyRow[], text: string): TopologyRow[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return rows;
  return rows.filter((row) => {
    const names =
      `${row.deviceName} ${row.connector} ${row.application} ${row.order?.number ? `wo-${row.order.number}` : ''}`.toLowerCase();
    return words.every((word) => names.includes(word));
  });
}
