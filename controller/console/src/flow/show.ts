// Statements in words that people read, the same as the command line's (controller/cli/show.c). Everything here takes decoded
// statements: callers encode, decode those very bytes again, and show that.
import {
  Action, type Admission, type Decision, KeyMode, Mode, type OrderCore, Override, type PushRequest, type TrustPolicy, Verdict,
} from '../gen/countersign/v1/statement_pb';
import { equal, hex, sha256, utf8 } from '../trust/bytes';
import { NOTHING } from '../trust/device';
import type { Push } from '../trust/push';
import { words } from '../trust/spoken';
import { shown } from '../trust/text';
import type { Chain } from '../trust/x509';
import { actionWord, duration, keyModeWord, orderNumber, requestNumber } from '../words';
import type { Field, OrderLine } from './draft';

const pad = (value: number): string => String(value).padStart(2, '0');

// In UTC, which is what other people see, and where the reader's clock shows something else, in the reader's zone before it.
export function timeText(seconds: bigint | number): string {
  const at = new Date(Number(seconds) * 1000);
  const utc = at.toISOString().replace('.000Z', 'Z');
  if (at.getTimezoneOffset() === 0) return utc;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone ?? 'local time';
  return `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())} ${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())} ` +
    `${zone} (${utc})`;
}

const field = (label: string, value: string | number | bigint, tone?: Field['tone']): Field => ({ label, value: shown(String(value)), ...(tone ? { tone } : {}) });
const mono = (label: string, bytes: Uint8Array): Field => field(label, hex(bytes), 'mono');

// The comment that came beside a statement, or a sentence that says that it is not the one that was signed.
export async function signedComment(comment: string, digest: Uint8Array): Promise<{ text: string; holds: boolean }> {
  return equal(await sha256(utf8(comment)), digest) ? { text: shown(comment), holds: true }
    : { text: '(the controller gave another comment than the signed one)', holds: false };
}

async function commentField(label: string, comment: string, digest: Uint8Array): Promise<Field> {
  const { text, holds } = await signedComment(comment, digest);
  return field(label, text, holds ? undefined : 'bad');
}

// "remove client.example from gw-1/nginx". A request of another client may have mixed actions, and whoever decides sees that.
export function taskFields(cores: readonly OrderCore[], certificateName: string): Field[] {
  return [Action.INSTALL, Action.REMOVE, Action.ROLL_BACK].flatMap((action) => {
    const those = cores.filter((core) => core.action === action);
    const first = those[0];
    if (!first) return [];
    const places = those.length === 1 ? `${first.deviceName}/${first.connector}` : `${those.length} app connectors`;
    const generation = those.length === 1 ? `, generation ${first.targetGeneration}` : '';
    return [field('To be done', action === Action.REMOVE ? `remove ${certificateName} from ${places}`
      : action === Action.ROLL_BACK ? `roll ${places} back to ${certificateName}${generation}` : `install ${certificateName} at ${places}`)];
  });
}

export function certificateFields({ leaf }: Chain): Field[] {
  return [field('Certificate', leaf.commonName), mono('Fingerprint (SHA-256)', leaf.digest), field('Issuer', leaf.issuer),
    field('Valid from', timeText(leaf.notBeforeS)), field('Valid until', timeText(leaf.notAfterS))];
}

// What whoever decides takes over: until when, how long, how often, and what is overridden.
function termFields(request: PushRequest): Field[] {
  return [field('Decide by', timeText(request.decideByS)), field('Window from start', duration(request.windowS)),
    field('Attempts', request.maxAttempts), ...request.overrides.map((override) => field('Override', override === Override.EXPIRED
      ? 'push although the certificate has expired' : 'push although the certificate is revoked', 'bad'))];
}

export async function pushRequestFields(request: PushRequest, comment: string): Promise<Field[]> {
  return [field('Statement', 'push request'), field('Request', requestNumber(request.number)), mono('Request id', request.requestId),
    field('Requester', request.requester), field('Requested at', timeText(request.requestedAtS)), ...termFields(request),
    await commentField('Comment', comment, request.commentDigest), field('Work orders', request.orderCount),
    mono('Root over them', request.orderRoot), field('Policy version', request.policyVersion), mono('Deployment', request.deploymentId)];
}

export async function decisionFields(decision: Decision, stageName: string, comment: string): Promise<Field[]> {
  const accepts = decision.verdict === Verdict.ACCEPT;
  const mode = !accepts ? [] : [decision.mode === Mode.SCHEDULED
    ? field('Manual Implementation off: not before', timeText(decision.notBeforeS)) : field('Manual Implementation', 'on: no time of its own')];
  return [field('Statement', 'decision on a push request'), field('Verdict', accepts ? 'ACCEPT' : 'REJECT', accepts ? undefined : 'bad'),
    field('Stage', `${decision.stage}, ${stageName}`), field('Decider', decision.decider), ...mode,
    field('Decided at', timeText(decision.decidedAtS)), await commentField('Comment', comment, decision.commentDigest),
    field('Earlier decisions', decision.earlier.length),
    field('Covers', decision.orders.length ? 'the work orders below' : 'every work order of the request'),
    mono('Request (SHA-256)', decision.requestDigest), field('Policy version', decision.policyVersion), mono('Deployment', decision.deploymentId)];
}

// The request that a decision is on, and what was said to it before.
export async function onRequestFields(push: Push, comment: string): Promise<Field[]> {
  const { request } = push;
  return [field('On request', requestNumber(request.number)), field('Request in words', words(push.digest)), field('Requested by', request.requester),
    await commentField("Request's comment", comment, request.commentDigest), ...termFields(request),
    ...push.decisions.map(({ body }) => field('Said before',
      `${body.decider} ${body.verdict === Verdict.ACCEPT ? 'accepted' : 'rejected'} stage ${body.stage}`))];
}

export async function admissionFields(admission: Admission): Promise<Field[]> {
  return [field('Statement', 'admission of a device'), field('Device', admission.deviceName), mono('Device-id', admission.deviceId),
    mono('Identity key (SHA-256)', await sha256(admission.identitySpki)), mono('KEM key (SHA-256)', await sha256(admission.kemSpki)),
    field('Admin', admission.admin), field('Admitted at', timeText(admission.admittedAtS)), field('Policy version', admission.policyVersion),
    mono('Deployment', admission.deploymentId)];
}

// A push under a policy that has expired can be signed, and every device refuses it.
export const expiryFields = ({ expiresAtS, version }: TrustPolicy, nowS: bigint): Field[] => nowS <= expiresAtS ? [] :
  [field('Trust policy', `version ${version} has expired: devices refuse pushes until the owners of the root keys publish the next one`, 'bad')];

function expectsText({ expects }: OrderCore): string {
  return expects.length === 0 ? 'anything' : equal(expects, NOTHING) ? 'nothing' : hex(expects.subarray(0, 8));
}

export function orderLine(core: OrderCore): OrderLine {
  return { number: orderNumber(core.number), device: core.deviceName, connector: core.connector, action: actionWord(core.action),
    generation: String(core.generation), backTo: core.targetGeneration ? String(core.targetGeneration) : '', replaces: expectsText(core),
    key: core.keyMode === KeyMode.NONE ? 'none travels' : keyModeWord(core.keyMode), deviceId: hex(core.deviceId) };
}

export const note = field;
