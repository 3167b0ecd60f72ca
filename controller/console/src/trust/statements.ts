// The payloads of signed statements between bytes and messages. Decoding is strict (proto/README.md, invariant 3): what does not
// come back byte for byte is refused; and complete (invariant 11). Pure.
import { type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf';
import {
  Action, type Admission, AdmissionSchema, type AuditCheckpoint, AuditCheckpointSchema, type Decision, DecisionSchema,
  type DeviceAdvertisement, DeviceAdvertisementSchema, type DeviceRenewal, DeviceRenewalSchema,
  type DeviceReport, DeviceReportSchema, KeyMode, Mode, type OrderCore, OrderCoreSchema,
  Outcome, Override, type PushRequest, PushRequestSchema, Verdict,
} from '../gen/countersign/v1/statement_pb';
import { type Bytes, equal, utf8 } from './bytes';
import { Refusal } from './refusal';
import { deceives } from './text';

export type Kind = 'trust-policy' | 'admission' | 'push-request' | 'decision' | 'key-request' | 'device-advertisement' |
  'device-csr' | 'device-report' | 'device-renewal' | 'push-batch' | 'audit-checkpoint' | 'session-opening';

export const payloadType = (kind: Kind): string => `application/vnd.countersign.${kind}.v1`;

export const ID_BYTES = 16;
export const DIGEST_BYTES = 32;
const SPKI_BYTES = 91;
export const ORDERS_MOST = 16384;
export const DECISIONS_MOST = 16;
export const COMMENT_BYTES_MOST = 1024;
export const GENERATION_JUMP_MOST = 1024n;
const LATEST_S = 253402300799n;
const PERIOD_LONGEST_S = 3650n * 86400n;

// The canonical form is what protobuf encoders write: fields rising, defaults left out, scalars packed.
export const encode = <D extends DescMessage>(schema: D, message: MessageShape<D>): Bytes =>
  toBinary(schema, message, { writeUnknownFields: false }) as Bytes;

export function decodeStrict<D extends DescMessage>(schema: D, bytes: Uint8Array, what: string): MessageShape<D> {
  let message: MessageShape<D>;
  try {
    message = fromBinary(schema, bytes);
  } catch {
    throw new Refusal(`${what} does not parse`);
  }
  if (!equal(encode(schema, message), bytes))
    throw new Refusal(`${what} is not in canonical form: a field is unknown, repeated, out of order or padded`);
  return message;
}

// ---- completeness

const P256_SPKI_HEAD = Uint8Array.of(0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
  0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04);

// The 91-byte form and no other; whether the point is on the curve WebCrypto tells when the key is used.
export const isSpki = (bytes: Uint8Array): boolean =>
  bytes.length === SPKI_BYTES && equal(bytes.subarray(0, P256_SPKI_HEAD.length), P256_SPKI_HEAD);

export const isName = (text: string): boolean => /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(text);

// Without control characters but newline and tab, and UTF-8 all through.
export const isText = (text: string): boolean => !/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/.test(text) && !/\p{Cs}/u.test(text);

// A comment as people type it into a page, as it is signed: newlines of one kind.
export function readComment(text: string): string {
  const comment = text.replace(/\r\n?/g, '\n');
  if (!isText(comment)) throw new Refusal('the comment has a control character: write it without');
  if (deceives(comment)) throw new Refusal('the comment has a character that nobody sees or that turns text around: write it without');
  if (utf8(comment).length > COMMENT_BYTES_MOST)
    throw new Refusal(`the comment has ${utf8(comment).length} bytes, and may have ${COMMENT_BYTES_MOST}: shorten it`);
  return comment;
}

export class Check {
  constructor(private readonly what: string) {}

  that(holds: boolean, requirement: string): void {
    if (!holds) throw new Refusal(`${this.what}: ${requirement}`);
  }

  size(field: string, bytes: Uint8Array, size: number): void {
    this.that(bytes.length === size, `${field} has ${bytes.length} bytes and must have ${size}`);
  }

  sizeOrEmpty(field: string, bytes: Uint8Array, size: number): void {
    if (bytes.length) this.size(field, bytes, size);
  }

  positive(field: string, number: number | bigint): void {
    this.that(number > 0, `${field} must be at least 1`);
  }

  name(field: string, text: string): void {
    this.that(isName(text), `${field} is not a name: 1 to 63 of a-z A-Z 0-9 . _ - beginning with a letter or digit`);
  }

  text(field: string, text: string): void {
    this.that(isText(text), `${field} has a control character, or is not UTF-8`);
  }

  filled(field: string, text: string): void {
    this.that(text.length > 0, `${field} is missing`);
    this.text(field, text);
  }

  time(field: string, time: bigint): void {
    this.that(time > 0n && time <= LATEST_S, `${field} is not a time after 1970 and before the year 10000`);
  }

  oneOf(field: string, value: number, last: number): void {
    this.that(value >= 1 && value <= last, `${field} is ${value}, which is not known: 1 to ${last} are`);
  }

  spki(field: string, bytes: Uint8Array): void {
    this.that(isSpki(bytes), `${field} is not the SubjectPublicKeyInfo of a P-256 key`);
  }
}

// A strict decoder of one kind of statement, whose completeness `look` checks.
function decoder<D extends DescMessage>(schema: D, what: string, look: (check: Check, message: MessageShape<D>) => void) {
  return (bytes: Uint8Array): MessageShape<D> => {
    const message = decodeStrict(schema, bytes, what);
    look(new Check(what), message);
    return message;
  };
}

export const decodeAdmission = decoder(AdmissionSchema, 'the admission', (check, m: Admission) => {
  check.size('deployment_id', m.deploymentId, ID_BYTES);
  check.positive('policy_version', m.policyVersion);
  check.name('admin', m.admin);
  check.name('device_name', m.deviceName);
  check.size('device_id', m.deviceId, ID_BYTES);
  check.spki('identity_spki', m.identitySpki);
  check.spki('kem_spki', m.kemSpki);
  check.time('admitted_at_s', m.admittedAtS);
});

export const decodePushRequest = decoder(PushRequestSchema, 'the push request', (check, m: PushRequest) => {
  check.size('deployment_id', m.deploymentId, ID_BYTES);
  check.positive('policy_version', m.policyVersion);
  check.name('requester', m.requester);
  check.size('request_id', m.requestId, ID_BYTES);
  check.positive('number', m.number);
  check.time('requested_at_s', m.requestedAtS);
  check.time('decide_by_s', m.decideByS);
  check.that(m.decideByS >= m.requestedAtS, 'decide_by_s is before requested_at_s');
  check.that(m.windowS > 0n && m.windowS <= PERIOD_LONGEST_S, 'window_s must be more than 0 and at most 3650 days');
  check.positive('max_attempts', m.maxAttempts);
  m.overrides.forEach((override, i) => {
    check.oneOf('overrides', override, Override.REVOKED);
    check.that(i === 0 || m.overrides[i - 1]! < override, 'overrides must be distinct and in rising order');
  });
  check.size('order_root', m.orderRoot, DIGEST_BYTES);
  check.that(m.orderCount >= 1 && m.orderCount <= ORDERS_MOST, 'order_count must be 1 to 16384');
  check.size('comment_digest', m.commentDigest, DIGEST_BYTES);
});

export const decodeDecision = decoder(DecisionSchema, 'the decision', (check, m: Decision) => {
  check.size('deployment_id', m.deploymentId, ID_BYTES);
  check.positive('policy_version', m.policyVersion);
  check.name('decider', m.decider);
  check.size('request_digest', m.requestDigest, DIGEST_BYTES);
  check.positive('stage', m.stage);
  check.that(m.orders.length === 0 || m.orders.some((byte) => byte !== 0), 'orders names no order: leave it out to cover all');
  check.oneOf('verdict', m.verdict, Verdict.REJECT);
  if (m.verdict === Verdict.ACCEPT || m.mode !== Mode.UNSPECIFIED) check.oneOf('mode', m.mode, Mode.SCHEDULED);
  if (m.mode === Mode.SCHEDULED) check.time('not_before_s', m.notBeforeS);
  else check.that(m.notBeforeS === 0n, 'not_before_s is only for MODE_SCHEDULED');
  check.time('decided_at_s', m.decidedAtS);
  check.that(m.earlier.length < DECISIONS_MOST, 'earlier has more than 15 digests');
  for (const digest of m.earlier) check.size('earlier', digest, DIGEST_BYTES);
  check.size('comment_digest', m.commentDigest, DIGEST_BYTES);
});

export const decodeCore = decoder(OrderCoreSchema, 'the order core', (check, m: OrderCore) => {
  const installs = m.action === Action.INSTALL, rollsBack = m.action === Action.ROLL_BACK;
  // A roll back carries no chain, but people sign which one comes back.
  const digestBytes = installs || rollsBack ? DIGEST_BYTES : 0;
  check.size('order_id', m.orderId, ID_BYTES);
  check.positive('number', m.number);
  check.name('device_name', m.deviceName);
  check.size('device_id', m.deviceId, ID_BYTES);
  check.name('connector', m.connector);
  check.oneOf('action', m.action, Action.ROLL_BACK);
  check.positive('generation', m.generation);
  check.sizeOrEmpty('expects', m.expects, DIGEST_BYTES);
  check.that(installs || m.expects.length > 0, 'expects may be left out for an install only');
  check.size('chain_digest', m.chainDigest, digestBytes);
  check.size('leaf_spki_digest', m.leafSpkiDigest, digestBytes);
  check.oneOf('key_mode', m.keyMode, KeyMode.NONE);
  check.that(installs === (m.keyMode !== KeyMode.NONE), 'key_mode must be KEY_MODE_NONE for remove and roll back, and for them only');
  if (rollsBack) check.that(m.targetGeneration > 0n && m.targetGeneration < m.generation, 'target_generation must be an earlier generation');
  else check.that(m.targetGeneration === 0n, 'target_generation is only for a roll back');
});

interface DeviceStatement { deploymentId: Uint8Array; deviceId: Uint8Array; sequence: bigint; madeAtS: bigint }

// What every statement of a device begins with. It may not know the time yet.
function checkDevice(check: Check, m: DeviceStatement): void {
  check.size('deployment_id', m.deploymentId, ID_BYTES);
  check.size('device_id', m.deviceId, ID_BYTES);
  check.positive('sequence', m.sequence);
  check.that(m.madeAtS >= 0n && m.madeAtS <= LATEST_S, 'made_at_s is not a time');
}

export const decodeAdvertisement = decoder(DeviceAdvertisementSchema, 'the device advertisement', (check, m: DeviceAdvertisement) => {
  checkDevice(check, m);
  check.filled('agent_version', m.agentVersion);
  check.filled('platform', m.platform);
  for (const connector of m.connectors) {
    check.name('connectors.name', connector.name);
    check.name('connectors.application', connector.application);
    check.sizeOrEmpty('connectors.installed_digest', connector.installedDigest, DIGEST_BYTES);
    check.text('connectors.remark', connector.remark);
  }
  check.that(new Set(m.connectors.map((connector) => connector.name)).size === m.connectors.length, 'two connectors have one name');
  for (const type of m.payloadTypes) check.filled('payload_types', type);
});

export const decodeRenewal = decoder(DeviceRenewalSchema, 'the device renewal', (check, m: DeviceRenewal) => {
  checkDevice(check, m);
  check.spki('identity_spki', m.identitySpki);
});

export const decodeReport = decoder(DeviceReportSchema, 'the device report', (check, m: DeviceReport) => {
  const nameOrEmpty = (field: string, text: string) => { if (text) check.name(field, text); };
  checkDevice(check, m);
  check.oneOf('outcome', m.outcome, Outcome.NOT_YET);
  // What a device refuses may be so malformed that it cannot tell the order.
  if (m.outcome === Outcome.REFUSED) {
    check.sizeOrEmpty('order_id', m.orderId, ID_BYTES);
    nameOrEmpty('connector', m.connector);
  } else {
    check.size('order_id', m.orderId, ID_BYTES);
    check.name('connector', m.connector);
    check.positive('generation', m.generation);
  }
  check.name('verdict', m.verdict);
  check.text('detail', m.detail);
  check.sizeOrEmpty('installed_digest', m.installedDigest, DIGEST_BYTES);
  check.sizeOrEmpty('served_digest', m.servedDigest, DIGEST_BYTES);
  nameOrEmpty('rule', m.rule);
  check.sizeOrEmpty('request_digest', m.requestDigest, DIGEST_BYTES);
  nameOrEmpty('requester', m.requester);
  for (const decider of m.deciders) check.filled('deciders', decider);
  for (const digest of m.decisionDigests) check.size('decision_digests', digest, DIGEST_BYTES);
});

export const decodeCheckpoint = decoder(AuditCheckpointSchema, 'the audit checkpoint', (check, m: AuditCheckpoint) => {
  check.size('deployment_id', m.deploymentId, ID_BYTES);
  check.positive('revision', m.revision);
  check.size('hash', m.hash, DIGEST_BYTES);
  check.time('made_at_s', m.madeAtS);
});
