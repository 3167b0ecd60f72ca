// The devices: who is there, with what. Pages go by name; where this one begins stands in the address.
import { useState } from 'preact/hooks';
import { client } from '../api/client';
import { hasRole } from '../api/session';
import { useData, useWatch } from '../data';
import { EnrolDialog } from '../dialogs/enrol';
import { type Device, DeviceService } from '../gen/countersign/v1/operator_pb';
import { Role } from '../gen/countersign/v1/statement_pb';
import { ObjectKind } from '../gen/countersign/v1/watch_pb';
import { go, href, route } from '../router';
import { shown } from '../trust/text';
import { Button } from '../ui/button';
import { Busy } from '../ui/busy';
import { Empty } from '../ui/empty';
import { Search, TextField } from '../ui/field';
import { Pager } from '../ui/pager';
import { Word } from '../ui/state-word';
import { type Column, Table } from '../ui/table';
import { Time } from '../ui/time';
import { TryAgain } from '../ui/try-again';
import { useTyped } from '../ui/typed';
import { presence, presenceTint } from '../words';

const PAGE = 48;
const own = (device: Device) => href(['devices', device.name]);

const columns: readonly Column<Device>[] = [
  { key: 'name', title: 'Device', kind: 'grow', cell: (row) => <a class="main" href={own(row)}>{shown(row.name)}</a> },
  { key: 'presence', title: 'Presence', kind: 'nowrap', cell: (row) => (
    <span><Word tint={presenceTint(row)}>{presence(row)}</Word>{!row.connected && row.lastSeenS > 0n && <span class="dim"> <Time s={row.lastSeenS} form="relative" /></span>}</span>) },
  { key: 'connectors', title: 'App connectors', kind: 'wrap', cell: (row) => row.connectors.length
    ? <span class="tags">{row.connectors.slice(0, 4).map((one) => <span key={one.name} class="tag" title={shown(one.application)}>{shown(one.name)}</span>)}
      {row.connectors.length > 4 && <span class="dim nowrap">{row.connectors.length - 4} more</span>}</span>
    : <span class="dim">none</span> },
  { key: 'groups', title: 'Groups', low: true, cell: (row) => row.groups.length ? <span class="tags">{row.groups.map((group) => <span key={group} class="tag">{shown(group)}</span>)}</span> : null },
  { key: 'agent', title: 'Agent', kind: 'nowrap', cell: (row) => shown(row.agentVersion) || null },
  { key: 'platform', title: 'Platform', kind: 'nowrap', low: true, cell: (row) => shown(row.platform) || null },
];

interface List { rows: Device[]; more: boolean }

// A call gives a few; a page is several.
async function load(search: string, group: string, after: string, stop: AbortSignal): Promise<List> {
  const rows: Device[] = [];
  for (let afterName = after;;) {
    const reply = await client(DeviceService).listDevices({ afterName, search, group, limit: PAGE - rows.length }, { signal: stop });
    rows.push(...reply.devices);
    afterName = rows.at(-1)?.name ?? '';
    if (!reply.more || rows.length >= PAGE || !reply.devices.length) return { rows, more: reply.more && reply.devices.length > 0 };
  }
}

// Which page came before the one that begins after this name, as far as one has come by it.
const before = new Map<string, string>();

export default function Devices() {
  const { query } = route.value;
  const search = query.get('search') ?? '', group = query.get('group') ?? '', after = query.get('after') ?? '';
  const key = `devices ${search}\n${group}\n${after}`;
  const to = (change: Record<string, string>) => href(['devices'], { search, group, ...change });
  const list = useData<List>(key, (stop) => load(search, group, after, stop));
  useWatch([ObjectKind.DEVICE], list.soon);
  const [text, setText] = useTyped(search, (typed) => go(to({ search: typed.trim() }), true));
  const [groupText, setGroupText] = useTyped(group, (typed) => go(to({ group: typed.trim() }), true));
  const [adding, setAdding] = useState(false);
  const add = hasRole(Role.ADMIN) ? <Button kind="primary" icon="plus" onClick={() => setAdding(true)}>Add a device…</Button> : undefined;
  const { data } = list, stale = list.of !== key;
  const next = () => {
    const last = data!.rows.at(-1)!.name;
    before.set(`${search}\n${group}\n${last}`, after);
    go(to({ after: last }));
  };
  return (
    <>
      <div class="head"><h1 tabIndex={-1}>Devices</h1>{add}</div>
      <div class="filters two">
        <Search label="Find a device by the beginning of its name" placeholder="Name begins with…" value={text} onInput={setText} />
        <TextField label="Group" value={groupText} onInput={setGroupText} maxLength={63} spellcheck={false} placeholder="any" />
      </div>
      {list.error && <TryAgain title="The list could not be read" onAgain={list.reload}>{list.error}</TryAgain>}
      {data && (data.rows.length > 0 || after) && (
        <div class="card flush">
          <Table caption="Devices" columns={columns} rows={data.rows} rowKey={(row) => row.name} onOpen={(row) => go(own(row))} stale={stale} />
          {(after || data.more) && <Pager text={data.rows.length ? `${data.rows[0]!.name} to ${data.rows.at(-1)!.name}` : 'none on this page'} busy={stale}
            hasPrevious={Boolean(after)} hasNext={data.more} onNext={next}
            onPrevious={() => go(to({ after: before.get(`${search}\n${group}\n${after}`) ?? '' }))} />}
        </div>
      )}
      {data && !data.rows.length && !after && !stale && (
        <div class="card">
          {search || group
            ? <Empty title="No device is like that" action={<Button onClick={() => go('/devices')}>Show all</Button>}>
              {search ? `No device's name begins with “${search}”${group ? ` in the group “${group}”` : ''}: capitals count.` : `Nobody is in the group “${group}”.`}</Empty>
            : <Empty title="There are no devices yet" action={add}>
              A device is a machine that runs countersign-agent. It enrols with a token that an admin makes for it here, and is admitted by the admin's signature.</Empty>}
        </div>
      )}
      {!data && !list.error && <div class="card flush"><Busy lines={8} label="Reading devices" /></div>}
      {adding && <EnrolDialog onClose={() => setAdding(false)} />}
    </>
  );
}
