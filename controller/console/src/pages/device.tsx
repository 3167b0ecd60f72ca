// One device: is it there, what does it have where, and what an admin can do about it.
import { useState } from 'preact/hooks';
import { client } from '../api/client';
import { hasRole, mayAdmit } from '../api/session';
import { useData, useWatch } from '../data';
import { AdmitDialog } from '../dialogs/admit';
import { BanDialog } from '../dialogs/ban';
import { EnrolDialog } from '../dialogs/enrol';
import { GroupsDialog } from '../dialogs/groups';
import { type Device, type DeviceConnector, DeviceService, OrderState, type TopologyRow } from '../gen/countersign/v1/operator_pb';
import { Role } from '../gen/countersign/v1/statement_pb';
import { ObjectKind } from '../gen/countersign/v1/watch_pb';
import { href, route } from '../router';
import { hex } from '../trust/bytes';
import { shown } from '../trust/text';
import { Button } from '../ui/button';
import { Busy } from '../ui/busy';
import { Bytes } from '../ui/bytes';
import { Chip } from '../ui/chip';
import { Crumbs } from '../ui/crumbs';
import { Empty } from '../ui/empty';
import { Notice } from '../ui/notice';
import { StateWord, Word } from '../ui/state-word';
import { type Column, Table } from '../ui/table';
import { Time } from '../ui/time';
import { TryAgain } from '../ui/try-again';
import { orderNumber, orderState, presence, presenceTint, requestNumber, syncTint, syncWord } from '../words';

interface Whole { device: Device; rows: TopologyRow[] }

async function load(name: string, stop: AbortSignal): Promise<Whole> {
  const rows: TopologyRow[] = [];
  for (let afterConnector = '', afterCertificateId: Uint8Array = new Uint8Array();;) {
    const page = await client(DeviceService).getDeviceTopology({ deviceName: name, afterConnector, afterCertificateId }, { signal: stop });
    rows.push(...page.rows);
    const last = page.rows.at(-1);
    if (!page.more || !last) {
      if (!page.device) throw new Error(`The controller gave no device ${name}`);
      return { device: page.device, rows };
    }
    afterConnector = last.connector;
    afterCertificateId = last.certificateId;
  }
}

const columns: readonly Column<TopologyRow>[] = [
  { key: 'certificate', title: 'Certificate', kind: 'grow', cell: (row) => <a class="main" href={href(['certificates', hex(row.certificateId)])}>{shown(row.certificateName)}</a> },
  { key: 'state', title: 'State', kind: 'nowrap', cell: (row) => <Chip colour={row.colour} short /> },
  { key: 'sync', title: 'On the device', kind: 'nowrap', cell: (row) => <Word tint={syncTint(row.sync)}>{syncWord(row.sync)}</Word> },
  { key: 'order', title: 'Newest work order', cell: (row) => (row.order && row.order.number
    ? <span class="order"><StateWord state={row.order.state} text={orderState(row.order)} /> <span class="dim nowrap"><span class="mono">{orderNumber(row.order.number)}</span> of <a class="mono" href={href(['requests', row.order.requestNumber])}>{requestNumber(row.order.requestNumber)}</a></span>
      {row.order.reason && row.order.state !== OrderState.COMPLETED && <span class="dim reason">{shown(row.order.reason)}</span>}</span>
    : <span class="dim">not pushed yet</span>) },
];

function Connector({ connector, rows }: { connector: DeviceConnector; rows: TopologyRow[] }) {
  return (
    <section class="card flush connector" aria-label={`App connector ${connector.name}`}>
      <div class="connector-head">
        <h3>{shown(connector.name)}</h3>
        <span class="dim">{shown(connector.application)}{connector.generation > 0n && ` · generation ${connector.generation}`}</span>
      </div>
      {connector.remark && <p class="connector-remark">{shown(connector.remark)}</p>}
      {rows.length
        ? <Table caption={`Certificates at ${connector.name}`} columns={columns} rows={rows} rowKey={(row) => hex(row.certificateId)} />
        : <p class="connector-none dim">{connector.installedDigest.length ? 'Something is installed here that no certificate of the inventory is tied to.' : 'No certificate is tied to it, and nothing is installed.'}</p>}
    </section>
  );
}

function Warnings({ device, admit }: { device: Device; admit: () => void }) {
  const action = mayAdmit() ? <Button kind="primary" onClick={admit}>Admit…</Button> : undefined;
  const who = action ? '' : ' An admin has to do it.';
  if (device.banned)
    return <Notice kind="bad" title="This device is banned" action={action}>It gets no session, and nothing is sent to it. A new admission lifts the ban.{who}</Notice>;
  if (device.quarantined)
    return (
      <Notice kind="bad" title="This device is in quarantine" action={action}>
        Two processes spoke for it at once, each with its keys: its state folder is probably on two machines, by a copied disk or a restored backup.
        Find the second one and stop it. Then a new admission ends the quarantine; better still, enrol the device anew, so that the copy's keys are worth nothing. Work orders wait meanwhile.{who}
      </Notice>
    );
  if (device.waitsForAdmission)
    return (
      <Notice kind="warn" title={device.admitted ? 'It waits for a new admission' : 'It waits for its admission'} action={action}>
        {device.admitted ? 'Its identity certificate ran out while it was away, and it has a fresh key: an admin says by a signature that it is the same device.'
          : 'It has enrolled. An admin says by a signature that these are its keys; until then it gets nothing.'}{who}
      </Notice>
    );
  return null;
}

const SOON_S = 14 * 86_400;

function Facts({ device, now }: { device: Device; now: number }) {
  const until = Number(device.identityUntilS);
  return (
    <dl class="facts">
      <dt>Last seen</dt><dd>{device.connected ? 'now' : <Time s={device.lastSeenS} form="relative" none="never" />}{device.address && <span class="dim"> from {shown(device.address)}</span>}</dd>
      <dt>Agent</dt><dd>{shown(device.agentVersion) || <span class="dim">–</span>}{device.platform && <span class="dim"> on {shown(device.platform)}</span>}</dd>
      <dt>Trust policy there</dt><dd>{device.policyVersion ? `version ${device.policyVersion}` : <span class="dim">none yet</span>}</dd>
      <dt>Identity certificate</dt><dd>{until ? <>until <Time s={until} form="date" /> <span class={until - now < SOON_S ? 'warn' : 'dim'}><Time s={until} form="relative" /></span></> : <span class="dim">–</span>}</dd>
      <dt>Groups</dt><dd>{device.groups.length ? <span class="tags">{device.groups.map((group) => <a key={group} class="tag" href={href(['devices'], { group })}>{shown(group)}</a>)}</span> : <span class="dim">none</span>}</dd>
      <dt>Device-id</dt><dd><Bytes value={device.deviceId} what="the device-id" whole /></dd>
    </dl>
  );
}

export default function DevicePage() {
  const name = route.value.path[1] ?? '';
  const whole = useData<Whole>(`device ${name}`, (stop) => load(name, stop));
  useWatch([ObjectKind.DEVICE, ObjectKind.ORDER, ObjectKind.ATTACHMENT], whole.soon, { deviceName: name });
  const [open, setOpen] = useState<'' | 'admit' | 'ban' | 'enrol' | 'groups'>('');
  const close = () => setOpen('');
  const { data } = whole, device = data?.device;
  const admin = hasRole(Role.ADMIN);
  const away = new Set(device?.connectors.map((one) => one.name));
  const gone = [...new Set(data?.rows.map((row) => row.connector).filter((one) => !away.has(one)))];
  return (
    <>
      <Crumbs items={[['Devices', '/devices'], [shown(name)]]} />
      <div class="head">
        <div>
          <h1 tabIndex={-1}>{shown(name)}</h1>
          <p class="meta">{device ? <Word tint={presenceTint(device)}>{presence(device)}</Word> : <span>{whole.error ? 'not known' : 'reading…'}</span>}</p>
        </div>
        {admin && device && (
          <div class="bar">
            <Button onClick={() => setOpen('groups')}>Groups…</Button>
            <Button onClick={() => setOpen('enrol')}>New token…</Button>
            {!device.banned && <Button kind="danger" onClick={() => setOpen('ban')}>Ban…</Button>}
          </div>
        )}
      </div>
      {whole.error && (
        <TryAgain title={device ? 'It could not be read anew' : 'It could not be read'} onAgain={whole.reload} more={<>
          {admin && !device && <Button onClick={() => setOpen('enrol')}>Make a token for {name}…</Button>}{mayAdmit() && !device && <Button onClick={() => setOpen('admit')}>Admit…</Button>}</>}>
          {whole.error}
        </TryAgain>
      )}
      {device && data && (
        <>
          <Warnings device={device} admit={() => setOpen('admit')} />
          <section class="card" aria-label="The device"><Facts device={device} now={Math.floor(Date.now() / 1000)} /></section>
          <h2>App connectors</h2>
          {device.connectors.map((connector) => <Connector key={connector.name} connector={connector} rows={data.rows.filter((row) => row.connector === connector.name)} />)}
          {gone.map((one) => (
            <section key={one} class="card flush connector" aria-label={`App connector ${one}`}>
              <div class="connector-head"><h3>{shown(one)}</h3><span class="warn">the device states it no more</span></div>
              <Table caption={`Certificates at ${one}`} columns={columns} rows={data.rows.filter((row) => row.connector === one)} rowKey={(row) => hex(row.certificateId)} />
            </section>
          ))}
          {device.connectors.length + gone.length === 0 && (
            <div class="card"><Empty title="It states no app connector">App connectors are declared in the agent's configuration on the device, each as a section with its application and its paths. It says so by itself when it is connected.</Empty></div>
          )}
        </>
      )}
      {!data && !whole.error && <div class="card flush"><Busy lines={6} label="Reading the device" /></div>}
      {open === 'admit' && <AdmitDialog name={name} onClose={close} onDone={whole.reload} />}
      {open === 'ban' && <BanDialog name={name} onClose={close} onDone={whole.reload} />}
      {open === 'enrol' && <EnrolDialog name={name} onClose={close} />}
      {open === 'groups' && <GroupsDialog name={name} groups={device?.groups ?? []} onClose={close} onDone={whole.reload} />}
    </>
  );
}
