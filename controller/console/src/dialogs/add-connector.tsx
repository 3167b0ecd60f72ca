// Add app connector: a device, and one of the connectors that its agent advertises. No path and no command comes from here: what a
// connector is stands on the device.
import { useEffect, useRef, useState } from 'preact/hooks';
import { client } from '../api/client';
import { sentence } from '../api/fault';
import { CertificateService, type Device, DeviceService } from '../gen/countersign/v1/operator_pb';
import { KeyMode } from '../gen/countersign/v1/statement_pb';
import { rowKey } from '../topology/fold';
import { equal } from '../trust/bytes';
import { Busy } from '../ui/busy';
import { Search } from '../ui/field';
import { Notice } from '../ui/notice';
import { Word } from '../ui/state-word';
import { count, presence, presenceTint } from '../words';
import { DoDialog } from './do';
import type { TopologyDialogProps } from './push';

const PAGE = 12,
  PAUSE_MS = 200;

interface Page {
  search: string;
  devices: Device[];
  more: boolean;
}

export function AddConnectorDialog({ topology, onClose, onDone }: TopologyDialogProps) {
  const { certificate } = topology;
  const bound = certificate.keyMode === KeyMode.ON_DEVICE;
  const [search, setSearch] = useState(bound ? certificate.deviceName : '');
  const [page, setPage] = useState<Page | undefined>(undefined);
  const [trouble, setTrouble] = useState('');
  const [device, setDevice] = useState<Device | undefined>(undefined);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const asked = useRef(0);

  const read = async (text: string, before?: Page) => {
    const turn = ++asked.current;
    try {
      const reply = await client(DeviceService).listDevices({
        search: text,
        limit: PAGE,
        afterName: before?.devices.at(-1)?.name ?? '',
      });
      if (turn !== asked.current) return;
      setPage({ search: text, devices: [...(before?.devices ?? []), ...reply.devices], more: reply.more });
      setTrouble('');
    } catch (error) {
      if (turn === asked.current) setTrouble(sentence(error));
    }
  };
  useEffect(() => {
    const timer = setTimeout(
      () => {
        void read(search.trim());
      },
      page ? PAUSE_MS : 0,
    );
    return () => clearTimeout(timer);
  }, [search]);

  // The list's entry may be a little old: it is read again when it is chosen.
  const choose = async (one: Device) => {
    setChosen(new Set());
    setDevice(one);
    try {
      const now = (await client(DeviceService).getDevice({ name: one.name })).device;
      setDevice((current) => (current?.name === one.name ? now : current));
      setTrouble('');
    } catch (error) {
      setTrouble(sentence(error));
    }
  };

  const attached = new Set(topology.rows.map(rowKey));
  const free = device?.connectors.filter((one) => !attached.has(`${device.name}/${one.name}`)) ?? [];
  const missing = () =>
    !device
      ? 'Choose a device.'
      : free.length === 0
        ? `Nothing is left to add on ${device.name}: choose another device.`
        : chosen.size === 0
          ? 'Choose an app connector.'
          : '';
  const act = async () => {
    for (const connector of chosen)
      await client(CertificateService).attach({ certificateId: certificate.id, deviceName: device!.name, connector });
  };
  return (
    <DoDialog title="Add app connector" yes="Add" missing={missing} act={act} onDone={onDone} onClose={onClose} wide>
      <p>
        Where on which device <strong>{certificate.commonName}</strong> belongs. Nothing is pushed by it yet.
      </p>
      {bound && (
        <Notice kind="info">
          Its key was made on {certificate.deviceName}, for {certificate.connector}, and is nowhere else: it can be added there only.
        </Notice>
      )}
      {trouble && <Notice kind="bad">{trouble}</Notice>}
      <div class="pick">
        <fieldset class="pick-devices">
          <legend>Device</legend>
          <Search
            label="Find a device by the beginning of its name"
            placeholder="Name begins with…"
            value={search}
            onInput={setSearch}
          />
          {!page ? (
            <Busy lines={4} label="Reading the devices" />
          ) : page.devices.length === 0 ? (
            <p class="dim">
              {page.search
                ? `No device's name begins with “${page.search}”.`
                : 'No device is enrolled yet. Devices › Enrol a device makes a token.'}
            </p>
          ) : (
            <ul>
              {page.devices.map((one) => (
                <li key={one.name}>
                  <label class="check">
                    <input
                      type="radio"
                      name="device"
                      checked={device?.name === one.name}
                      onChange={() => {
                        void choose(one);
                      }}
                    />
                    <span>
                      {one.name} <span class="dim">· {count(one.connectors.length, 'connector')} · </span>
                      <Word tint={presenceTint(one)}>{presence(one)}</Word>
                    </span>
                  </label>
                </li>
              ))}
              {page.more && (
                <li>
                  <button
                    type="button"
                    class="button small"
                    onClick={() => {
                      void read(page.search, page);
                    }}
                  >
                    More devices
                  </button>
                </li>
              )}
            </ul>
          )}
        </fieldset>
        <fieldset class="pick-connectors" aria-live="polite">
          <legend>App connectors{device ? ` of ${device.name}` : ''}</legend>
          {!device ? (
            <p class="dim">Choose a device first.</p>
          ) : device.connectors.length === 0 ? (
            <p class="dim">{device.name} advertises none: declare one in the agent's configuration there.</p>
          ) : (
            <ul>
              {device.connectors.map((one) => {
                const there = attached.has(`${device.name}/${one.name}`);
                return (
                  <li key={one.name}>
                    <label class="check">
                      <input
                        type="checkbox"
                        checked={there || chosen.has(one.name)}
                        disabled={there}
                        onChange={(event) => {
                          const next = new Set(chosen);
                          if (event.currentTarget.checked) next.add(one.name);
                          else next.delete(one.name);
                          setChosen(next);
                        }}
                      />
                      <span>
                        {one.name}{' '}
                        <span class="dim">
                          · {one.application}
                          {there
                            ? ' · added already'
                            : one.certificateId.length > 0 && !equal(one.certificateId, certificate.id)
                              ? ' · has another certificate'
                              : ''}
                        </span>
                      </span>
                    </label>
                  </li>
                );
              })}
            </ul>
          )}
        </fieldset>
      </div>
    </DoDialog>
  );
}
