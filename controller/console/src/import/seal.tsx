// A key that was dropped here goes to the devices that are chosen, sealed to each: the certificate is attached to their app
// connectors, and a push is asked for and signed.
import { Code, ConnectError } from '@connectrpc/connect';
import { useEffect, useRef, useState } from 'preact/hooks';
import { client } from '../api/client';
import { sentence } from '../api/fault';
import { Comment, commentTrouble } from '../dialogs/comment';
import { RequestDone } from '../dialogs/done';
import { SignDialog } from '../dialogs/sign';
import { preparePush, TARGETS_MOST } from '../flow/push';
import { type Certificate, CertificateService, type Device, DeviceService } from '../gen/countersign/v1/operator_pb';
import { shown } from '../trust/text';
import { Busy } from '../ui/busy';
import { Button } from '../ui/button';
import { Checkbox, Search } from '../ui/field';
import { Notice } from '../ui/notice';
import { Word } from '../ui/state-word';
import { count, presence, presenceTint } from '../words';

const PAGE = 12, PAUSE_MS = 200;

interface Target { deviceName: string; connector: string }
const nameOf = ({ deviceName, connector }: Target) => `${deviceName}/${connector}`;

function Targets({ chosen, onChange }: { chosen: readonly Target[]; onChange: (chosen: Target[]) => void }) {
  const [search, setSearch] = useState('');
  const [page, setPage] = useState<{ devices: Device[]; more: boolean } | undefined>(undefined);
  const [trouble, setTrouble] = useState('');
  const turn = useRef(0);
  const read = async (before?: Device[]) => {
    const own = ++turn.current;
    try {
      const reply = await client(DeviceService).listDevices({ search: search.trim(), limit: PAGE, afterName: before?.at(-1)?.name ?? '' });
      if (own !== turn.current) return;
      setPage({ devices: [...(before ?? []), ...reply.devices], more: reply.more });
      setTrouble('');
    } catch (error) {
      if (own === turn.current) setTrouble(sentence(error));
    }
  };
  useEffect(() => {
    const timer = setTimeout(() => { void read(); }, page ? PAUSE_MS : 0);
    return () => clearTimeout(timer);
  }, [search]);
  const names = new Set(chosen.map(nameOf));
  const put = (target: Target, on: boolean) => onChange(on ? [...chosen, target] : chosen.filter((one) => nameOf(one) !== nameOf(target)));
  return (
    <fieldset class="places">
      <legend>To which app connectors</legend>
      <Search label="Find a device by the beginning of its name" placeholder="Name begins with…" value={search} onInput={setSearch} />
      {trouble && <Notice kind="bad">{trouble}</Notice>}
      {!page ? <Busy lines={4} label="Reading the devices" /> : page.devices.length === 0 ? <p class="dim">{search ? `No device's name begins with “${search}”.` : 'There are no devices yet.'}</p> : (
        <ul class="places-list">
          {page.devices.map((device) => (
            <li key={device.name}>
              <div><strong>{shown(device.name)}</strong> <span class="dim"><Word tint={presenceTint(device)}>{presence(device)}</Word></span></div>
              {!device.admitted ? <p class="dim">Nothing can be sealed to it before it is admitted.</p> : device.connectors.length === 0 ? <p class="dim">It states no app connector.</p>
                : device.connectors.map(({ name, application }) => {
                  const target = { deviceName: device.name, connector: name };
                  return <Checkbox key={name} checked={names.has(nameOf(target))} onChange={(on) => put(target, on)}><span class="hidden">{device.name}, </span>{shown(name)} <span class="dim">· {shown(application)}</span></Checkbox>;
                })}
            </li>
          ))}
          {page.more && <li><Button small onClick={() => { void read(page.devices); }}>More devices</Button></li>}
        </ul>
      )}
      <p role="status" class="dim">{chosen.length ? `${count(chosen.length, 'app connector')} chosen: ${shown(chosen.map(nameOf).join(', '))}` : 'None is chosen yet.'}</p>
    </fieldset>
  );
}

export function SealDialog({ certificate, pkcs8, onClose, onDone }: { certificate: Certificate; pkcs8: Uint8Array; onClose: () => void; onDone: (request: bigint) => void }) {
  const [targets, setTargets] = useState<Target[]>([]);
  const [comment, setComment] = useState('');
  const sent = useRef<bigint | undefined>(undefined);
  const missing = () => (!targets.length ? 'Choose at least one app connector.' : targets.length > TARGETS_MOST ? `At most ${TARGETS_MOST} app connectors can be chosen at once.` : commentTrouble(comment, true));
  const prepare = async () => {
    for (const target of targets)
      await client(CertificateService).attach({ certificateId: certificate.id, ...target }).catch((error: unknown) => {
        if (!(error instanceof ConnectError) || error.code !== Code.AlreadyExists) throw error;
      });
    return preparePush({ certificateId: certificate.id, targets, comment, pkcs8 });
  };
  const close = () => {
    if (sent.current !== undefined) onDone(sent.current);
    onClose();
  };
  return (
    <SignDialog<{ number: bigint }> title={`Seal the key of ${shown(certificate.commonName)}`} yes="Seal" missing={missing} prepare={prepare} onClose={close} onDone={() => {}}
      done={({ number }) => {
        sent.current = number;
        return <RequestDone number={number} title="The key is sealed, and the push requested" />;
      }}>
      <p>The key is sealed in this page to each device that is chosen. The certificate is attached to the app connectors, and a push to them waits for the people who decide.</p>
      <Targets chosen={targets} onChange={setTargets} />
      <Comment value={comment} onInput={setComment} required />
    </SignDialog>
  );
}
