// The boxes of the picture: certificate, app connectors, their groups, devices. HTML, so that text, links and buttons are the
// browser's own; the picture (picture.tsx) places them over the edges, the list (list.tsx) puts them one beneath the other.
import type { ComponentChildren } from 'preact';
import type { Certificate } from '../gen/countersign/v1/operator_pb';
import { href } from '../router';
import { Button } from '../ui/button';
import { Chip } from '../ui/chip';
import { StateWord } from '../ui/state-word';
import { dateText } from '../ui/time';
import { colourMeaning, colourWord, count, keyKind, requestNumber } from '../words';
import type { Topology } from './load';
import type { ConnectorFace, CrowdFace, DeviceFace, Face, Faces, GroupFace, MoreFace } from './model';
import { CERTIFICATE, groupText } from './model';
import { lineMeaning, lineOf } from './standing';
import { still } from './still';

// What a box does. The same functions as long as the picture is there.
export interface Hands {
  onOpen: (key: string) => void;
  onDecide: (request: bigint, order?: bigint) => void;
}

// What is drawn, as columns or as a list.
export interface Drawn extends Hands {
  topology: Topology;
  faces: Faces;
  verbOf: (face: ConnectorFace) => string | undefined;
  verbsOf: (face: GroupFace) => string;
}

// `here`: it is the one box of the picture that takes Tab; the arrow keys go on from it. In the list every box takes Tab.
interface CardProps<Face> {
  face: Face;
  hands: Hands;
  here: boolean;
  flow?: boolean; // in the list: text wraps by itself, and the device is named
}

const tab = (here: boolean) => (here ? 0 : -1);

// The name of the box with this key, which opens it.
function Name({
  of,
  hands,
  here,
  children,
  ...said
}: {
  of: string;
  hands: Hands;
  here: boolean;
  children: ComponentChildren;
  title?: string;
  'aria-label'?: string;
  'aria-expanded'?: boolean;
}) {
  return (
    <button type="button" class="node-name" data-node={of} tabIndex={tab(here)} onClick={() => hands.onOpen(of)} {...said}>
      {children}
    </button>
  );
}

export const CertificateCard = still(({ certificate, hands, here }: { certificate: Certificate; hands: Hands; here: boolean }) => {
  return (
    <div class={`node node-certificate c-${colourWord(certificate.colour)}`}>
      <div class="node-head">
        <Name of={CERTIFICATE} hands={hands} here={here} title={certificate.commonName}>
          {certificate.commonName}
        </Name>
      </div>
      <p class="node-state">
        <Chip colour={certificate.colour} short />
      </p>
      <p class="node-text">valid until {dateText(certificate.notAfterS)}</p>
      <p class="node-text">
        <span title={`serial ${certificate.serial}`}>
          {keyKind(certificate)}, serial <code>{certificate.serial}</code>
        </span>
      </p>
    </div>
  );
});

// "step 2 of 4"; the words of the state stand beside it.
function Meter({ progress }: { progress: { done: number; of: number } }) {
  return (
    <span
      class="meter"
      role="img"
      aria-label={`step ${progress.done + 1} of ${progress.of}`}
      title={`step ${progress.done + 1} of ${progress.of}`}
    >
      {Array.from({ length: progress.of }, (_, i) => (
        <i key={i} class={i < progress.done ? 'done' : i === progress.done ? 'now' : ''} />
      ))}
    </span>
  );
}

// As one text, so that a group of which nothing changed is given nothing new.
export const writeVerbs = (requests: { number: bigint; verb: string }[]) =>
  requests.map(({ number, verb }) => `${number} ${verb}`).join('\n');
function readVerbs(verbs: string): { number: bigint; text: string }[] {
  return verbs
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const number = BigInt(line.slice(0, line.indexOf(' ')));
      return { number, text: `${line.slice(line.indexOf(' ') + 1)} ${requestNumber(number)}` };
    });
}

const Lines = ({ lines, whole, look, flow }: { lines: string[]; whole: string; look: string; flow: boolean | undefined }) =>
  flow
    ? whole !== '' && <p class={look}>{whole}</p>
    : lines.length > 0 && (
        <p class={look} title={whole}>
          {lines.join('\n')}
        </p>
      );

// `verb`: the decision that waits for the reader.
const ConnectorCard = still(({ face, hands, here, flow, verb }: CardProps<ConnectorFace> & { verb: string | undefined }) => {
  const { row } = face,
    name = `${row.connector} on ${row.deviceName}`;
  return (
    <div class={`node node-connector c-${colourWord(row.colour)}`} data-line={lineOf(row)}>
      <div class="node-head">
        <Name of={face.key} hands={hands} here={here} aria-label={name} title={name}>
          {row.connector}
        </Name>
        <span class="node-side" title={row.application || 'not stated by the device'}>
          {row.application || 'not stated by the device'}
        </span>
        <Chip colour={row.colour} short />
      </div>
      {flow && (
        <p class="node-text">
          on <a href={href(['devices', row.deviceName])}>{row.deviceName}</a>, {row.connected ? 'connected' : 'offline'}
        </p>
      )}
      <p class="node-state" title={face.state}>
        <StateWord state={row.order?.state ?? 0} text={face.state} />
        {face.progress && <Meter progress={face.progress} />}
      </p>
      <Lines lines={face.detail} whole={face.whole.detail} look="node-text node-detail" flow={flow} />
      <Lines lines={face.sync} whole={face.whole.sync} look="node-text" flow={flow} />
      <div class="node-foot">
        <Lines lines={face.order} whole={face.whole.order} look="node-order" flow={flow} />
        {verb && (
          <Button
            kind="primary"
            small
            label={`${verb} ${name}`}
            onClick={() => hands.onDecide(row.order!.requestNumber, row.order!.number)}
          >
            {verb}
          </Button>
        )}
      </div>
      <span class="hidden">{lineMeaning[lineOf(row)]}</span>
    </div>
  );
});

// `verbs`: of the requests that wait for the reader, by number, as "Approve REQ-3".
const GroupCard = still(({ face, hands, here, verbs }: CardProps<GroupFace> & { verbs: string }) => {
  const first = face.group.rows[0]!;
  return (
    <div class={`node node-group c-${colourWord(first.colour)}`}>
      <div class="node-head">
        <Name of={face.key} hands={hands} here={here} aria-expanded={face.open}>
          {count(face.group.rows.length, 'app connector')}
        </Name>
        <span class="node-side" />
        <Chip colour={first.colour} short />
      </div>
      <div class="node-foot">
        <span class="node-state">
          <StateWord state={first.order?.state ?? 0} text={face.group.text} />
        </span>
        <span class="node-actions">
          {readVerbs(verbs).map(({ number, text }) => (
            <Button key={text} kind="primary" small onClick={() => hands.onDecide(number)}>
              {text}
            </Button>
          ))}
        </span>
      </div>
      <span class="hidden">
        {groupText(face.group)}: {colourMeaning(first.colour)}
      </span>
    </div>
  );
});

const MoreCard = still(({ face, hands, here }: CardProps<MoreFace>) => {
  return (
    <div class="node node-more">
      <Name of={face.key} hands={hands} here={here}>
        Show more ({face.left.toLocaleString()} left)
      </Name>
    </div>
  );
});

// A box of the middle column, whichever it is.
export function FaceCard({ face, verbOf, verbsOf, ...rest }: CardProps<Face> & Pick<Drawn, 'verbOf' | 'verbsOf'>) {
  if (face.kind === 'row') return <ConnectorCard face={face} verb={verbOf(face)} {...rest} />;
  if (face.kind === 'group') return <GroupCard face={face} verbs={verbsOf(face)} {...rest} />;
  return <MoreCard face={face} {...rest} />;
}

export const DeviceCard = still(({ face, here }: Omit<CardProps<DeviceFace>, 'hands'>) => {
  return (
    <div class="node node-device">
      <div class="node-head">
        <a class="node-name" href={href(['devices', face.name])} data-node={face.key} tabIndex={tab(here)} title={face.name}>
          {face.name}
        </a>
      </div>
      <p class="node-text" title={face.text}>
        <span class={`state s-${face.connected ? 'done' : 'plain'}`}>{face.text}</span>
      </p>
    </div>
  );
});

export const CrowdCard = still(({ face, hands, here }: CardProps<CrowdFace>) => {
  return (
    <div class="node node-device node-crowd">
      <div class="node-head">
        <Name of={face.key} hands={hands} here={here}>
          {count(face.devices, 'device')}
        </Name>
      </div>
      <p class="node-text">
        {face.connected.toLocaleString()} connected, {(face.devices - face.connected).toLocaleString()} offline
      </p>
    </div>
  );
});
