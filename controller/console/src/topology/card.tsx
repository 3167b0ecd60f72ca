// The boxes of the picture: certificate, app connectors, their groups, devices. HTML, so that text, links and buttons are the
// browser's own; the picture (picture.tsx) places them over the edges, the list (list.tsx) puts them one beneath the other.
import type { ComponentChildren } from 'preact';
import type { Certificate } from '../gen/countersign/v1/operator_pb';
import { href } from '../router';
import { Button } from '../ui/button';
import { Chip } from '../ui/chip';
import { StateWord } from '../ui/state-word';
import { dateText, daysLeft } from '../ui/time';
import { colourMeaning, colourWord, count, keyKind, requestNumber } from '../words';
import type { ConnectorFace, CrowdFace, DeviceFace, GroupFace, MoreFace } from './model';
import { CERTIFICATE, groupText } from './model';
import { lineMeaning, lineOf } from './standing';

// What a box does when it is opened, and whether the keyboard is at it: one box of the picture takes Tab, the arrows go on from it.
export interface Hands {
  here: (key: string) => boolean;
  onFocus: (key: string) => void;
  onOpen: (key: string) => void;
}

// In the picture `tabIndex` roves; in the list everything takes Tab.
const tab = (hands: Hands, key: string) => (hands.here(key) ? 0 : -1);

export function CertificateCard({ certificate, hands }: { certificate: Certificate; hands: Hands }) {
  return (
    <div class={`node node-certificate c-${colourWord(certificate.colour)}`}>
      <div class="node-head">
        <button type="button" class="node-name" data-node={CERTIFICATE} tabIndex={tab(hands, CERTIFICATE)} title={certificate.commonName}
          onFocus={() => hands.onFocus(CERTIFICATE)} onClick={() => hands.onOpen(CERTIFICATE)}>{certificate.commonName}</button>
      </div>
      <p class="node-state"><Chip colour={certificate.colour} /></p>
      <p class="node-text">until {dateText(certificate.notAfterS)} ({daysLeft(certificate.notAfterS)})</p>
      <p class="node-text"><span title={`serial ${certificate.serial}`}>{keyKind(certificate)}, serial <code>{certificate.serial}</code></span></p>
    </div>
  );
}

// "step 2 of 4"; the words of the state stand beside it.
function Meter({ progress }: { progress: { done: number; of: number } }) {
  return (
    <span class="meter" role="img" aria-label={`step ${progress.done + 1} of ${progress.of}`} title={`step ${progress.done + 1} of ${progress.of}`}>
      {Array.from({ length: progress.of }, (_, i) => <i key={i} class={i < progress.done ? 'done' : i === progress.done ? 'now' : ''} />)}
    </span>
  );
}

const Lines = ({ lines, whole, look, flow }: { lines: string[]; whole: string; look: string; flow: boolean | undefined }) =>
  (flow ? whole !== '' && <p class={look}>{whole}</p> : lines.length > 0 && <p class={look} title={whole}>{lines.join('\n')}</p>);

export interface ConnectorProps {
  face: ConnectorFace;
  hands: Hands;
  action: ComponentChildren;   // the decision that waits for the reader, as a button
  flow?: boolean;              // text wraps by itself, and the device is named
}

export function ConnectorCard({ face, hands, action, flow }: ConnectorProps) {
  const { row } = face, name = `${row.connector} on ${row.deviceName}`;
  return (
    <div class={`node node-connector c-${colourWord(row.colour)}`} data-line={lineOf(row)}>
      <div class="node-head">
        <button type="button" class="node-name" data-node={face.key} tabIndex={flow ? 0 : tab(hands, face.key)} aria-label={name} title={name}
          onFocus={() => hands.onFocus(face.key)} onClick={() => hands.onOpen(face.key)}>{row.connector}</button>
        <span class="node-side" title={row.application || 'not stated by the device'}>{row.application || 'not stated by the device'}</span>
        <Chip colour={row.colour} short />
      </div>
      {flow && <p class="node-text">on <a href={href(['devices', row.deviceName])}>{row.deviceName}</a>, {row.connected ? 'connected' : 'offline'}</p>}
      <p class="node-state" title={face.state}>
        <StateWord state={row.order?.state ?? 0} text={face.state} />
        {face.progress && <Meter progress={face.progress} />}
      </p>
      <Lines lines={face.detail} whole={face.whole.detail} look="node-text node-detail" flow={flow} />
      <Lines lines={face.sync} whole={face.whole.sync} look="node-text" flow={flow} />
      <div class="node-foot">
        <Lines lines={face.order} whole={face.whole.order} look="node-order" flow={flow} />
        {action}
      </div>
      <span class="hidden">{lineMeaning[lineOf(row)]}</span>
    </div>
  );
}

export function GroupCard({ face, hands, actions, flow }: { face: GroupFace; hands: Hands; actions: ComponentChildren; flow?: boolean }) {
  const first = face.group.rows[0]!;
  return (
    <div class={`node node-group c-${colourWord(first.colour)}`}>
      <div class="node-head">
        <button type="button" class="node-name" data-node={face.key} tabIndex={flow ? 0 : tab(hands, face.key)} aria-expanded={face.open}
          onFocus={() => hands.onFocus(face.key)} onClick={() => hands.onOpen(face.key)}>
          {count(face.group.rows.length, 'app connector')}
        </button>
        <span class="node-side" />
        <Chip colour={first.colour} short />
      </div>
      <div class="node-foot">
        <span class="node-state"><StateWord state={first.order?.state ?? 0} text={face.group.text} /></span>
        {actions}
      </div>
      <span class="hidden">{groupText(face.group)}: {colourMeaning(first.colour)}</span>
    </div>
  );
}

export function MoreCard({ face, hands, flow }: { face: MoreFace; hands: Hands; flow?: boolean }) {
  return (
    <div class="node node-more">
      <button type="button" class="node-name" data-node={face.key} tabIndex={flow ? 0 : tab(hands, face.key)}
        onFocus={() => hands.onFocus(face.key)} onClick={() => hands.onOpen(face.key)}>Show more ({face.left.toLocaleString()} left)</button>
    </div>
  );
}

export function DeviceCard({ face, hands }: { face: DeviceFace; hands: Hands }) {
  return (
    <div class="node node-device">
      <div class="node-head">
        <a class="node-name" href={href(['devices', face.name])} data-node={face.key} tabIndex={tab(hands, face.key)} title={face.name}
          onFocus={() => hands.onFocus(face.key)}>{face.name}</a>
      </div>
      <p class="node-text" title={face.text}><span class={`state s-${face.connected ? 'done' : 'plain'}`}>{face.text}</span></p>
    </div>
  );
}

export function CrowdCard({ face, hands }: { face: CrowdFace; hands: Hands }) {
  return (
    <div class="node node-device node-crowd">
      <div class="node-head">
        <button type="button" class="node-name" data-node={face.key} tabIndex={tab(hands, face.key)}
          onFocus={() => hands.onFocus(face.key)} onClick={() => hands.onOpen(face.key)}>{count(face.devices, 'device')}</button>
      </div>
      <p class="node-text">{face.connected.toLocaleString()} connected, {(face.devices - face.connected).toLocaleString()} offline</p>
    </div>
  );
}

export function RequestButtons({ requests, onDecide }:
  { requests: { number: bigint; verb: string }[]; onDecide: (number: bigint) => void }) {
  return <>{requests.map(({ number, verb }) =>
    <Button key={String(number)} kind="primary" small onClick={() => onDecide(number)}>{`${verb} ${requestNumber(number)}`}</Button>)}</>;
}
