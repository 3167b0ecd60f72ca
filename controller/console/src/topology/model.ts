// What the picture shows: rows and their groups as nodes that layout.ts places. Pure; text heights come from measure functions.
import type { Request, RequestHistory, TopologyRow } from '../gen/countersign/v1/operator_pb';
import { count, orderNumber } from '../words';
import { fold, type Group, type Item, rowKey } from './fold';
import { INDENT, type Node } from './layout';
import { decisionsOn, type Topology } from './load';
import { detailText, hasOrder, orderText, progressOf, stateText, syncText } from './standing';
import { type Measure, wrap } from './text';

export interface ConnectorFace {
  kind: 'row';
  key: string;
  row: TopologyRow;
  request: Request | undefined;
  state: string;
  detail: string[];
  sync: string[];
  order: string[];
  // The whole of what may have been cut.
  whole: { detail: string; sync: string; order: string };
  progress: { done: number; of: number } | undefined;
  devices: string[];
  under: string | undefined;
}

export interface GroupFace {
  kind: 'group';
  key: string;
  group: Group;
  open: boolean;
  devices: string[];
  // Of requests that its members belong to: those whose open stage the members stand at.
  requests: Request[];
}

export interface MoreFace {
  kind: 'more';
  key: string;
  group: Group;
  left: number;
  devices: string[];
  under: string;
}

export type Face = ConnectorFace | GroupFace | MoreFace;

export interface DeviceFace {
  key: string;
  name: string;
  connected: boolean;
  text: string;
}

// Devices of a folded group, told by their number.
export interface CrowdFace {
  key: string;
  devices: number;
  connected: number;
}

export interface Faces {
  connectors: Face[];
  devices: DeviceFace[];
  crowds: CrowdFace[];
}

export interface Fonts {
  unit: number;
  small: Measure;
  mono: Measure;
}

export const CERTIFICATE = 'certificate';
const deviceKey = (name: string) => `device ${name}`;
const crowdKey = (group: Group) => `crowd ${group.key}`;
const groupNode = (group: Group) => `group ${group.key}`;

// What a box has besides its text, and its lines, in pixels of a reader whose text has 16. topology.css has the same.
const INSET = { left: 17, right: 13, y: 11 };
const LINE = { name: 22, state: 20, text: 17, foot: 28 };
const HEIGHT = { certificate: 104, group: 66, more: 44, device: 64, crowd: 64 };

// Text is measured once for each row, width and size: opening a group leaves the others as they are.
const faced = new WeakMap<TopologyRow, { by: string; history: RequestHistory | undefined; face: ConnectorFace }>();

function connectorFace(
  topology: Topology,
  row: TopologyRow,
  under: string | undefined,
  inner: number,
  fonts: Fonts,
  nowS: number,
  when: (seconds: number) => string,
): ConnectorFace {
  const number = row.order?.requestNumber ?? 0n,
    request = topology.requests.get(number),
    history = topology.histories.get(number);
  const whole = {
    detail: detailText(row, nowS, when),
    sync: syncText(row, when),
    order: orderText(row, decisionsOn(topology, row.order)),
  };
  const by = `${inner} ${fonts.unit} ${under} ${whole.detail}`,
    known = faced.get(row);
  if (known?.by === by && known.history === history && known.face.request === request) return known.face;
  const face: ConnectorFace = {
    kind: 'row',
    key: rowKey(row),
    row,
    request,
    under,
    state: stateText(row),
    whole,
    progress: progressOf(row, request),
    detail: wrap(whole.detail, inner, 3, fonts.small),
    sync: wrap(whole.sync, inner, 2, fonts.small),
    // Room for the button that stands beside it.
    order: wrap(whole.order, inner - 96 * fonts.unit, 2, fonts.mono),
    devices: [deviceKey(row.deviceName)],
  };
  faced.set(row, { by, history, face });
  return face;
}

export function facesOf(
  topology: Topology,
  rows: TopologyRow[],
  open: ReadonlyMap<string, number>,
  width: number,
  fonts: Fonts,
  nowS: number,
  when: (seconds: number) => string,
): Faces {
  const inner = width - (INSET.left + INSET.right) * fonts.unit;
  const faceOf = (item: Item): Face => {
    if (item.kind === 'group') return groupFace(topology, item.group, item.open);
    if (item.kind === 'more')
      return {
        kind: 'more',
        key: `more ${item.group.key}`,
        group: item.group,
        left: item.left,
        devices: [],
        under: groupNode(item.group),
      };
    return connectorFace(
      topology,
      item.row,
      item.under && groupNode(item.under),
      inner - (item.under ? INDENT * fonts.unit : 0),
      fonts,
      nowS,
      when,
    );
  };
  const connectors = fold(rows, open).map(faceOf),
    devices = new Map<string, DeviceFace>(),
    crowds: CrowdFace[] = [];
  for (const face of connectors)
    if (face.kind === 'row') devices.set(face.devices[0]!, deviceFace(face.row, when));
    else if (face.kind === 'group' && !face.open) crowds.push(crowdFace(face.group));
  return { connectors, devices: [...devices.values()], crowds };
}

function groupFace(topology: Topology, group: Group, open: boolean): GroupFace {
  const numbers = new Set(group.rows.filter(hasOrder).map((row) => row.order.requestNumber));
  const state = group.rows[0]!.order?.state;
  const requests = [...numbers].flatMap((number) => topology.requests.get(number) ?? []).filter((request) => request.state === state);
  return { kind: 'group', key: groupNode(group), group, open, devices: open ? [] : [crowdKey(group)], requests };
}

function deviceFace(row: TopologyRow, when: (seconds: number) => string): DeviceFace {
  const lastSeenS = Number(row.lastSeenS);
  return {
    key: deviceKey(row.deviceName),
    name: row.deviceName,
    connected: row.connected,
    text: row.connected ? 'connected' : lastSeenS ? `offline since ${when(lastSeenS)}` : 'never connected',
  };
}

function crowdFace(group: Group): CrowdFace {
  const connected = new Map(group.rows.map((row) => [row.deviceName, row.connected]));
  return { key: crowdKey(group), devices: connected.size, connected: [...connected.values()].filter(Boolean).length };
}

function heightOf(face: Face, unit: number): number {
  if (face.kind === 'group') return HEIGHT.group * unit;
  if (face.kind === 'more') return HEIGHT.more * unit;
  const text = LINE.text * (face.detail.length + Math.max(1, face.sync.length));
  const foot = Math.max(LINE.foot, LINE.text * face.order.length + 4);
  return Math.round((2 * INSET.y + LINE.name + LINE.state + text + foot) * unit);
}

const underOf = (face: Face) => (face.kind !== 'group' && face.under !== undefined ? { under: face.under } : undefined);

export function nodesOf(faces: Faces, unit: number): Node[] {
  return [
    {
      key: CERTIFICATE,
      column: 0,
      height: HEIGHT.certificate * unit,
      links: faces.connectors.filter((face) => !underOf(face)).map((face) => face.key),
    },
    ...faces.connectors.map((face): Node => ({
      key: face.key,
      column: 1,
      height: heightOf(face, unit),
      links: face.devices,
      ...underOf(face),
    })),
    ...faces.devices.map((face): Node => ({ key: face.key, column: 2, height: HEIGHT.device * unit, links: [] })),
    ...faces.crowds.map((face): Node => ({ key: face.key, column: 2, height: HEIGHT.crowd * unit, links: [] })),
  ];
}

// "120 app connectors, WO-3 to WO-122"
export function groupText(group: Group): string {
  const numbers = group.rows
    .filter(hasOrder)
    .map((row) => row.order.number)
    .sort((a, b) => (a < b ? -1 : 1));
  const connectors = count(group.rows.length, 'app connector');
  return numbers.length ? `${connectors}, ${orderNumber(numbers[0]!)} to ${orderNumber(numbers.at(-1)!)}` : connectors;
}
