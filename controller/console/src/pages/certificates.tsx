// Visibility › Client › All: the inventory. Everything that narrows or orders it stands in the address, so that a link says it all.
import { signal } from '@preact/signals';
import { client } from '../api/client';
import { useData, useWatch } from '../data';
import { type Certificate, type Colour, ControllerService } from '../gen/countersign/v1/operator_pb';
import { ObjectKind } from '../gen/countersign/v1/watch_pb';
import { Drop, ImportButton } from '../import/drop';
import { loadPage, type List, PAGE, readWish, SORTS, type Wish, wishHref } from '../inventory';
import { go, href, route } from '../router';
import { hex } from '../trust/bytes';
import { shown } from '../trust/text';
import { Button } from '../ui/button';
import { Busy } from '../ui/busy';
import { Chip } from '../ui/chip';
import { Crumbs } from '../ui/crumbs';
import { Empty } from '../ui/empty';
import { Search, Select, TextField } from '../ui/field';
import { Pager } from '../ui/pager';
import { type Column, Table } from '../ui/table';
import { relative, Time } from '../ui/time';
import { TryAgain } from '../ui/try-again';
import { useTyped } from '../ui/typed';
import { allColours, colourMeaning, colourShort, colourWord, issuerName, keyKind, keyModeShort, keyModeWord } from '../words';

const topology = (certificate: Certificate) => href(['certificates', hex(certificate.id)]);

const columns: readonly Column<Certificate>[] = [
  { key: 'name', title: 'Common name', sort: 'name', kind: 'grow',
    cell: (row) => <a class="main" href={topology(row)}>{shown(row.commonName) || <span class="dim">(none)</span>}</a> },
  { key: 'issuer', title: 'Issuer', sort: 'issuer', cell: (row) => <span class="short" title={shown(row.issuer)}>{issuerName(row.issuer)}</span> },
  { key: 'from', title: 'Valid from', sort: 'from', kind: 'nowrap', low: true, cell: (row) => <Time s={row.notBeforeS} form="date" /> },
  { key: 'until', title: 'Valid until', sort: 'expires', kind: 'nowrap',
    cell: (row) => <span><Time s={row.notAfterS} form="date" /> <span class="dim">{relative(row.notAfterS)}</span></span> },
  { key: 'state', title: 'State', sort: 'colour', kind: 'nowrap', cell: (row) => <Chip colour={row.colour} short /> },
  { key: 'attachments', title: 'Attachments', sort: 'attachments', kind: 'number', cell: (row) => row.attachments || <span class="dim">none</span> },
  { key: 'groups', title: 'Groups', low: true, cell: (row) => row.groups.length
    ? <span class="tags">{row.groups.map((group) => <span key={group} class="tag">{shown(group)}</span>)}</span> : null },
  { key: 'key', title: 'Key', low: true, cell: (row) => <span class="nowrap" title={keyModeWord(row.keyMode)}>{keyKind(row)}, <span class="dim">{keyModeShort(row.keyMode)}</span></span> },
];

const sortChoices = SORTS.flatMap(([by, word]) => [[by, word], [`-${by}`, `${word}, reversed`]] as const);

function Colours({ wish, change }: { wish: Wish; change: (part: Partial<Wish>) => void }) {
  const press = (colour: Colour) => change({ colours: wish.colours.includes(colour) ? wish.colours.filter((one) => one !== colour) : [...wish.colours, colour] });
  return (
    <div class="choices" role="group" aria-label="Only these states">
      {allColours.map((colour) => (
        <button key={colour} type="button" class={`choice c-${colourWord(colour)}`} aria-pressed={wish.colours.includes(colour)}
          title={`${colourWord(colour)}: ${colourMeaning(colour)}`} onClick={() => press(colour)}>
          <span class="swatch" />{colourShort(colour)}
        </button>
      ))}
    </div>
  );
}

function Filters({ wish, change }: { wish: Wish; change: (part: Partial<Wish>, replace?: boolean) => void }) {
  const [search, setSearch] = useTyped(wish.search, (text) => change({ search: text }, true));
  const [group, setGroup] = useTyped(wish.group, (text) => change({ group: text.trim() }, true));
  const more = Boolean(wish.group || wish.key || wish.attached);
  return (
    <div class="filters">
      <Search label="Search by name, issuer, serial or id" value={search} onInput={setSearch} />
      <Colours wish={wish} change={change} />
      <details class="more" open={more}>
        <summary>More filters</summary>
        <div class="more-fields">
          <TextField label="Group" value={group} onInput={setGroup} maxLength={63} spellcheck={false} />
          <Select label="Key" value={wish.key} onChange={(key) => change({ key })} options={[['', 'any'], ['on-device', 'made on the device'],
            ['sealed', 'sealed by the requester'], ['held', 'held by the controller'], ['none', 'none in the controller']]} />
          <Select label="App connectors" value={wish.attached} onChange={(attached) => change({ attached })}
            options={[['', 'any number'], ['yes', 'at least one'], ['no', 'none']]} />
          <Select label="Order" value={(wish.descending ? '-' : '') + wish.sort} options={sortChoices}
            onChange={(by) => change({ sort: by.replace('-', '') as Wish['sort'], descending: by.startsWith('-') })} />
        </div>
      </details>
      {(wish.from || wish.until) && (
        <p class="bar">
          <span>Expires {wish.from && `from ${wish.from} `}{wish.until && `until ${wish.until} `}<span class="dim">(UTC)</span></span>
          <Button small kind="quiet" icon="close" onClick={() => change({ from: '', until: '' })}>Any date</Button>
        </p>
      )}
    </div>
  );
}

const total = signal<number | undefined>(undefined);

function Found({ list, wish, stale }: { list: List; wish: Wish; stale: boolean }) {
  const first = (wish.page - 1) * PAGE + 1;
  const last = first + list.rows.length - 1;
  const whole = !wish.narrowed && total.value !== undefined ? ` of ${total.value.toLocaleString()}` : '';
  const onSort = (by: string) => {
    const same = wish.sort === by;
    go(wishHref(wish, { sort: by as Wish['sort'], descending: same && !wish.descending, page: 1 }));
  };
  return (
    <div class="card flush">
      <Table caption="Client certificates" columns={columns} rows={list.rows} rowKey={(row) => hex(row.id)} stale={stale}
        onOpen={(row) => go(topology(row))} sort={{ by: wish.sort, descending: wish.descending }} onSort={onSort} />
      <Pager hasPrevious={wish.page > 1} hasNext={list.more} busy={stale}
        text={<>{list.rows.length ? `${first.toLocaleString()}–${last.toLocaleString()}${whole}` : 'none on this page'}{list.searching && ', searching on…'}</>}
        onPrevious={() => go(wishHref(wish, { page: wish.page - 1 }))} onNext={() => go(wishHref(wish, { page: wish.page + 1 }))} />
    </div>
  );
}

export default function Certificates() {
  const wish = readWish(route.value.query);
  const change = (part: Partial<Wish>, replace = false) => go(wishHref(wish, { page: 1, ...part }), replace);
  const list = useData<List>(`certificates ${wish.text} ${wish.page}`, (stop, partial) => loadPage(wish, stop, partial));
  const status = useData('status', (signal) => client(ControllerService).getStatus({}, { signal }));
  total.value = status.data?.certificates ?? total.value;
  useWatch([ObjectKind.CERTIFICATE, ObjectKind.ATTACHMENT], () => {
    list.soon();
    status.soon();
  });
  const stale = list.of !== `certificates ${wish.text} ${wish.page}`;
  const nothing = list.data && !list.data.rows.length && !list.data.searching && !stale;
  return (
    <Drop>
      <Crumbs items={[['Visibility', '/certificates'], ['Client', '/certificates'], ['All']]} title="Client certificates" />
      <div class="head">
        <h1 tabIndex={-1}>Client certificates</h1>
        <ImportButton />
      </div>
      <Filters wish={wish} change={change} />
      {list.error && <TryAgain title="The list could not be read" onAgain={list.reload}
        more={wish.text && <Button onClick={() => go('/certificates')}>Without filters</Button>}>{list.error}</TryAgain>}
      {list.data && !nothing && <Found list={list.data} wish={wish} stale={stale} />}
      {nothing && (wish.page > 1
        ? <div class="card"><Empty title="The list ends before this page" action={<Button onClick={() => go(wishHref(wish, { page: 1 }))}>To its first page</Button>} /></div>
        : wish.narrowed
          ? <div class="card"><Empty title="No certificate is like that" action={<Button onClick={() => go('/certificates')}>Show all</Button>}>
            {wish.search ? 'Each word of a search must begin a word of the name, of a DNS name or of the issuer, or be four digits or more of the serial or the id.'
              : 'Take a filter away to see more.'}</Empty></div>
          : <div class="card"><Empty title="There are no certificates yet" action={<ImportButton />}>
            Drop PEM or DER files anywhere on this page. A private key among them can be kept by the controller, or sealed here to the devices that are to have it.</Empty></div>)}
      {!list.data && !list.error && <div class="card flush" aria-busy="true"><Busy lines={12} label="Reading certificates" /></div>}
    </Drop>
  );
}
