// What people read for the states, the same as the command line's: controller/cli/words.c. The controller may be newer than this
// page is; what it does not know has a word, too.
import {
  type Certificate, CertificateKey, Colour, type Device, type Order, OrderState, RevocationReason, SyncState,
} from './gen/countersign/v1/operator_pb';
import { shown } from './trust/text';
import type { Action, KeyKind, KeyMode, Role } from './gen/countersign/v1/statement_pb';

export type ColourWord = 'none' | 'green' | 'blue' | 'yellow' | 'orange' | 'purple' | 'gray' | 'red' | 'black';

const colours: Record<number, [ColourWord, string, string]> = {
  [Colour.GREEN]: ['green', 'available and valid', 'valid'],
  [Colour.BLUE]: ['blue', 'expires within 90 days', '≤ 90 days'],
  [Colour.YELLOW]: ['yellow', 'expires within 30 days', '≤ 30 days'],
  [Colour.ORANGE]: ['orange', 'expires within 10 days', '≤ 10 days'],
  [Colour.PURPLE]: ['purple', 'removed or changed on the device by hand', 'removed by hand'],
  [Colour.GRAY]: ['gray', 'the push failed', 'push failed'],
  [Colour.RED]: ['red', 'expired', 'expired'],
  [Colour.BLACK]: ['black', 'revoked', 'revoked'],
};

// From fine to worst, as a legend lists them.
export const allColours = [Colour.GREEN, Colour.BLUE, Colour.YELLOW, Colour.ORANGE, Colour.PURPLE, Colour.GRAY, Colour.RED, Colour.BLACK];

// "green"
export function colourWord(colour: Colour): ColourWord { return colours[colour]?.[0] ?? 'none'; }
// "available and valid"
export function colourMeaning(colour: Colour): string { return colours[colour]?.[1] ?? 'state unknown'; }
// "valid": where there is little room
export function colourShort(colour: Colour): string { return colours[colour]?.[2] ?? 'unknown'; }
export function colourOf(word: string): Colour | undefined { return allColours.find((colour) => colourWord(colour) === word); }

export type Tint = 'waiting' | 'going' | 'done' | 'failed' | 'ended' | 'plain';

const states: Record<number, [string, Tint]> = {
  [OrderState.PUSH_APPROVAL_PENDING]: ['Push-Approval Pending', 'waiting'],
  [OrderState.PUSH_REVIEW_IN_PROGRESS]: ['Push-Review In Progress', 'waiting'],
  [OrderState.PUSH_SCHEDULED]: ['Push-Scheduled', 'going'],
  [OrderState.PUSH_IN_PROGRESS]: ['Push-In Progress', 'going'],
  [OrderState.COMPLETED]: ['Completed', 'done'],
  [OrderState.FAILED]: ['Failed', 'failed'],
  [OrderState.REJECTED]: ['Rejected', 'ended'],
  [OrderState.CANCELLED]: ['Cancelled', 'ended'],
  [OrderState.EXPIRED]: ['Expired', 'ended'],
  [OrderState.SUPERSEDED]: ['Superseded', 'ended'],
};

export const allStates = Object.keys(states).map(Number) as OrderState[];
export function stateWord(state: OrderState): string { return states[state]?.[0] ?? '-'; }
export function stateTint(state: OrderState): Tint { return states[state]?.[1] ?? 'plain'; }
export function stateEnded(state: OrderState): boolean { return ['done', 'failed', 'ended'].includes(stateTint(state)); }
// The controller's own words ("Push-Review In Progress 1/2") where it has them.
export function orderState(order: Pick<Order, 'state' | 'stateText'>): string { return order.stateText || stateWord(order.state); }

function of(words: string[], value: number): string { return words[value] ?? 'unknown'; }

export function actionWord(action: Action): string { return of(['-', 'install', 'remove', 'roll back'], action); }
export function keyModeWord(mode: KeyMode): string {
  return of(['-', 'made on the device', 'sealed by the requester', 'held by the controller', 'none in the controller'], mode);
}
export function keyModeShort(mode: KeyMode): string { return of(['-', 'on device', 'sealed', 'held', 'none'], mode); }
export function roleWord(role: Role): string { return of(['-', 'requester', 'approver', 'implementer', 'admin', 'auditor'], role); }
export function keyKindWord(kind: KeyKind): string { return of(['-', 'file', 'browser', 'passkey', 'pkcs11'], kind); }

// "P-256", "RSA 2048"
export function keyKind(certificate: Pick<Certificate, 'key' | 'keyBits'>): string {
  return certificate.key === CertificateKey.RSA ? `RSA ${certificate.keyBits}` : of(['-', 'RSA', 'P-256', 'P-384'], certificate.key);
}

export function syncWord(sync: SyncState): string { return of(['-', 'in sync', 'out of sync', 'missing', 'unknown'], sync); }
export function syncTint(sync: SyncState): Tint {
  return sync === SyncState.IN_SYNC ? 'done' : sync === SyncState.OUT_OF_SYNC || sync === SyncState.MISSING ? 'waiting' : 'plain';
}

// "connected", "offline", "banned", …
export function presence(device: Device): string {
  if (device.banned) return 'banned';
  if (device.quarantined) return 'quarantined';
  if (device.waitsForAdmission) return device.admitted ? 'waits for a new admission' : 'waits for admission';
  return !device.admitted ? 'not admitted' : device.connected ? 'connected' : 'offline';
}
export function presenceTint(device: Device): Tint {
  if (device.banned || device.quarantined) return 'failed';
  if (!device.admitted || device.waitsForAdmission) return 'waiting';
  return device.connected ? 'done' : 'plain';
}

const reasons: Record<number, string> = {
  [RevocationReason.UNSPECIFIED]: 'unspecified', [RevocationReason.KEY_COMPROMISE]: 'key compromise',
  [RevocationReason.CA_COMPROMISE]: 'CA compromise', [RevocationReason.AFFILIATION_CHANGED]: 'affiliation changed',
  [RevocationReason.SUPERSEDED]: 'superseded', [RevocationReason.CESSATION_OF_OPERATION]: 'cessation of operation',
  [RevocationReason.CERTIFICATE_HOLD]: 'certificate hold', [RevocationReason.PRIVILEGE_WITHDRAWN]: 'privilege withdrawn',
  [RevocationReason.AA_COMPROMISE]: 'AA compromise',
};
export const allReasons = Object.keys(reasons).map(Number) as RevocationReason[];
export function reasonWord(reason: RevocationReason): string { return reasons[reason] ?? '-'; }

export function requestNumber(number: bigint): string { return `REQ-${number}`; }
export function orderNumber(number: bigint): string { return `WO-${number}`; }

// "24h", "7d", "90s": the largest unit that divides it.
export function duration(seconds: number | bigint): string {
  const value = Number(seconds);
  for (const [unit, letter] of [[86400, 'd'], [3600, 'h'], [60, 'm']] as const)
    if (value && value % unit === 0) return `${value / unit}${letter}`;
  return `${value}s`;
}

export function count(number: number | bigint, one: string, many = `${one}s`): string {
  return `${number.toLocaleString()} ${Number(number) === 1 ? one : many}`;
}

// "Example CA" of "CN=Example CA, O=Example": what tells issuers apart in a list.
export function issuerName(issuer: string): string { return shown(/(?:^|,\s*)CN=((?:\\.|[^,\\])+)/.exec(issuer)?.[1] ?? issuer); }
