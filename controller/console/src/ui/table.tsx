// A table that is one to a screen reader and a list of cards where there is no room. Rows open by a double click, by the link in
// their first cell, and by Enter on it; the arrow keys go from row to row.
import type { ComponentChildren } from 'preact';
import { Icon } from './icon';

export interface Column<Row> {
  key: string;
  title: string;
  cell: (row: Row) => ComponentChildren;   // null: nothing to say; a card leaves it out
  kind?: 'number' | 'grow' | 'wrap' | 'nowrap';
  sort?: string;                           // the word for sorting by it
  low?: boolean;                           // left out where there is little room
}

interface Props<Row> {
  caption: string;                         // for screen readers
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string;
  onOpen?: (row: Row) => void;
  sort?: { by: string; descending: boolean };
  onSort?: (by: string) => void;
  stale?: boolean;                         // another page is on its way
}

const classOf = (column: Column<never>) => [column.kind, column.low && 'low'].filter(Boolean).join(' ') || undefined;

function walk(event: KeyboardEvent) {
  if ((event.key !== 'ArrowDown' && event.key !== 'ArrowUp') || event.altKey || event.ctrlKey || event.metaKey) return;
  const at = (event.target as Element).closest('tbody tr');
  const row = event.key === 'ArrowDown' ? at?.nextElementSibling : at?.previousElementSibling;
  const next = row?.querySelector<HTMLElement>('a, button');
  if (!next || (event.target as Element).matches('input, select, textarea')) return;
  event.preventDefault();
  next.focus();
}

export function Table<Row>({ caption, columns, rows, rowKey, onOpen, sort, onSort, stale }: Props<Row>) {
  const open = (event: MouseEvent, row: Row) => {
    if (!(event.target as Element).closest('a, button, input')) onOpen?.(row);
  };
  return (
    <div class="table-wrap">
      <table class={stale ? 'table cards stale' : 'table cards'} role="table" aria-busy={stale || undefined} onKeyDown={walk}>
        <caption class="hidden">{caption}</caption>
        <thead role="rowgroup">
          <tr role="row">
            {columns.map((column) => {
              const on = sort && column.sort === sort.by;
              return (
                <th key={column.key} role="columnheader" scope="col" class={classOf(column)}
                  aria-sort={on ? (sort.descending ? 'descending' : 'ascending') : undefined}>
                  {column.sort && onSort
                    ? <button type="button" class="sort" onClick={() => onSort(column.sort!)}>{column.title}<Icon name="up" /></button>
                    : column.title}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((row) => (
            <tr key={rowKey(row)} role="row" onDblClick={onOpen && ((event) => open(event, row))}>
              {columns.map((column, at) => {
                const inside = column.cell(row);
                const look = [classOf(column), at === 0 && 'first', inside === null && 'none'].filter(Boolean).join(' ');
                return <td key={column.key} role="cell" class={look || undefined} data-label={column.title}>{inside}</td>;
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
