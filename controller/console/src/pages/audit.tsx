// Who did what: the newest records first, searched as far as they are loaded, and checked here: each record's hash covers the one
// before it, and the controller signs for the end. What it signed before is kept in this browser, and held against what it says now.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { signal } from '@preact/signals';
import { watch } from '../api/live';
import { audit, busy, check, compareAll, compared, readNewer, readOlder, trouble } from '../audit';
import type { AuditRecord } from '../gen/countersign/v1/operator_pb';
import { go, href, route } from '../router';
import { base64, hex } from '../trust/bytes';
import { shown as harmless } from '../trust/text';
import { Button } from '../ui/button';
import { Busy } from '../ui/busy';
import { Copy } from '../ui/bytes';
import { Empty } from '../ui/empty';
import { Search } from '../ui/field';
import { Notice } from '../ui/notice';
import { type Column, Table } from '../ui/table';
import { Time } from '../ui/time';
import { TryAgain } from '../ui/try-again';
import { useTyped } from '../ui/typed';
import { count } from '../words';

function Subject({ text }: { text: string }) {
  const request = /^REQ-(\d+)$/.exec(text)?.[1], device = /^device ([A-Za-z0-9][A-Za-z0-9._-]*)$/.exec(text)?.[1];
  if (request) return <a class="mono" href={href(['requests', request])}>{text}</a>;
  if (device) return <>device <a href={href(['devices', device])}>{device}</a></>;
  return <>{text}</>;
}

const columns: readonly Column<AuditRecord>[] = [
  { key: 'revision', title: 'Revision', kind: 'number', cell: (row) => <span title={`hash ${hex(row.hash)}`}>{row.revision.toString()}</span> },
  { key: 'time', title: 'Time', kind: 'nowrap', cell: (row) => <Time s={row.timeS} form="seconds" /> },
  { key: 'actor', title: 'Who', kind: 'nowrap', cell: (row) => <span class="main">{harmless(row.actor)}</span> },
  { key: 'command', title: 'Did', kind: 'nowrap', cell: (row) => harmless(row.command) },
  { key: 'subject', title: 'To what', kind: 'wrap', cell: (row) => row.subject ? <Subject text={harmless(row.subject)} /> : null },
  { key: 'detail', title: 'Detail', kind: 'wrap', cell: (row) => harmless(row.detail) || null },
  { key: 'peer', title: 'From', low: true, cell: (row) => row.peer ? <span class="dim">{harmless(row.peer)}</span> : null },
];

function textOf(row: AuditRecord): string {
  return `${row.revision} ${row.command} ${row.actor} ${row.subject} ${row.detail} ${row.peer}`.toLowerCase();
}

const SHOWN_FIRST = 200;
const shown = signal(SHOWN_FIRST);

function Verified() {
  const now = check.value, records = audit.value?.records ?? [];
  const first = records[0]?.revision, last = records.at(-1)?.revision;
  if (now.kind === 'none') return trouble.value ? null : <Notice title="Checking the audit…">Each record against the one before it, and their end against the controller's signature.</Notice>;
  if (first === undefined) return null;
  const range = first === last ? `Record ${first}` : `Records ${first} to ${last}`;
  if (now.kind === 'broken')
    return (
      <Notice kind="bad" title={now.why} action={now.kept && now.checkpoint && (
        <Copy text={`${base64(now.kept.envelope)}\n${base64(now.checkpoint.envelope)}\n`} label="Copy both signed checkpoints">Copy both signed checkpoints</Copy>)}>
        Stop using this controller, and find out who had access to it. What was signed before stays kept in this browser, as evidence. People's decisions are
        safe from it: devices check the signatures themselves.
      </Notice>
    );
  if (now.kind === 'unsigned') return <Notice kind="warn" title={`${range} follow from each other; nothing signed says where they end`}>{now.why}</Notice>;
  const { statement } = now.checkpoint, kept = now.kept?.statement;
  if (now.kind === 'apart')
    return (
      <Notice kind="warn" title="The newest records hold; they were not compared with what this browser saw before" action={
        <Button busy={busy.value === 'compare'} onClick={() => { void compareAll(); }}>
          {busy.value === 'compare' && compared.value !== undefined ? `${compared.value.toLocaleString()} of ${now.between.toLocaleString()}…` : `Compare ${now.between.toLocaleString()} records`}</Button>}>
        {range} follow from each other, and the controller signed for revision {statement.revision.toString()}. It signed for revision {now.kept.statement.revision.toString()} <Time s={now.kept.statement.madeAtS} form="relative" />:
        whether that is still in it takes every record between.
      </Notice>
    );
  return (
    <Notice kind="good" title="The audit holds, checked in this browser">
      {`${range} follow${first === last ? 's' : ''} from each other. `}The controller signed for revision {statement.revision.toString()} <Time s={statement.madeAtS} form="relative" />
      {kept ? <>, and what it signed for <Time s={kept.madeAtS} form="relative" /> (revision {kept.revision.toString()}) is still in it</> : ', the first that this browser keeps'}.
      {!now.stored && ' This browser keeps nothing, so nothing can be compared next time.'}
    </Notice>
  );
}

export default function AuditPage() {
  const search = route.value.query.get('search') ?? '';
  const [text, setText] = useTyped(search, (typed) => go(href(['audit'], { search: typed }), true));
  const [asked, setAsked] = useState(false);
  useEffect(() => {
    void readNewer().then(() => setAsked(true));
    // Presence and pushes are records, too; many come at once.
    let timer: ReturnType<typeof setTimeout> | undefined;
    const end = watch({}, () => {
      timer ??= setTimeout(() => {
        timer = undefined;
        void readNewer();
      }, 1000);
    });
    return () => {
      end();
      clearTimeout(timer);
      shown.value = SHOWN_FIRST;
    };
  }, []);
  const records = audit.value?.records;
  const found = useMemo(() => {
    const words = search.toLowerCase().split(/\s+/).filter(Boolean);
    const all = [...(records ?? [])].reverse();
    return words.length ? all.filter((row) => { const line = textOf(row); return words.every((word) => line.includes(word)); }) : all;
  }, [records, search]);
  const first = records?.[0]?.revision ?? 1n;
  const older = <Button small busy={busy.value === 'older'} onClick={() => { void readOlder(); }}>Load older records</Button>;
  return (
    <>
      <h1 tabIndex={-1}>Audit</h1>
      <Verified />
      {trouble.value && check.value.kind !== 'broken' && <TryAgain title="The audit could not be read" onAgain={readNewer}>{trouble.value}</TryAgain>}
      <Search label="Search in what is loaded" value={text} onInput={setText} />
      {records && found.length > 0 && (
        <div class="card flush">
          <Table caption="Audit records, newest first" columns={columns} rows={found.slice(0, shown.value)} rowKey={(row) => String(row.revision)} />
          <div class="pager">
            <span class="text" role="status">{search ? `${found.length.toLocaleString()} of ${count(records.length, 'loaded record')}` : `${count(records.length, 'record')} loaded`}{first > 1n && `, ${(first - 1n).toLocaleString()} older`}</span>
            {found.length > shown.value && <Button small onClick={() => { shown.value += SHOWN_FIRST; }}>Show {Math.min(SHOWN_FIRST, found.length - shown.value)} more</Button>}
            {first > 1n && older}
          </div>
        </div>
      )}
      {records && found.length === 0 && (
        <div class="card"><Empty title="No loaded record is like that" action={<>{first > 1n && older}<Button small onClick={() => go('/audit', true)}>Show all</Button></>}>
          {first > 1n ? `Records ${first} and later were searched; older ones have to be loaded first.` : 'All records were searched.'}</Empty></div>
      )}
      {!records && !trouble.value && !asked && <div class="card flush"><Busy lines={12} label="Reading the audit" /></div>}
    </>
  );
}
