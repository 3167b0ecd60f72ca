// Who a device is, as its admission and its renewals make it, and what is therefore its word. The one place here for the rule
// which key speaks for a device when (proto/README.md, "Renewals"): statements with a higher sequence than a renewal's are the
// fresh key's, the renewal itself and those below are the old one's.
import type { GetDeviceResponse } from '../gen/countersign/v1/operator_pb';
import {
  type Admission, type AdvertisedConnector, type DeviceAdvertisement, type DeviceRenewal, type DeviceReport, type OrderCore, Outcome, Role,
} from '../gen/countersign/v1/statement_pb';
import { type Bytes, equal } from './bytes';
import { isSignedBy, type Verified, verify } from './envelope';
import { checkSigner, type Policy, verifyByPolicy } from './policy';
import { Refusal, within } from './refusal';
import { decodeAdmission, decodeAdvertisement, decodeRenewal, decodeReport, DIGEST_BYTES, type Kind } from './statements';

const RENEWALS_MOST = 64;

export interface Device {
  admission: Admission;
  keys: { above: bigint; spki: Uint8Array }[]; // each speaks for the sequences above
}

export const identityOf = (device: Device): Uint8Array => device.keys.at(-1)!.spki;

async function openAdmission(policy: Policy, wire: Uint8Array): Promise<Admission> {
  const verified = await verifyByPolicy(policy, wire, 'admission');
  const admission = decodeAdmission(verified.payload);
  checkSigner(policy, verified, admission.admin, Role.ADMIN);
  if (!equal(admission.deploymentId, policy.body.deploymentId)) throw new Refusal('the admission belongs to another deployment');
  if (admission.policyVersion > policy.body.version)
    throw new Refusal(`the admission was signed under policy version ${admission.policyVersion}, and only version ${policy.body.version} is known`);
  return admission;
}

// The next renewal: signed by the newest key and by the fresh one, for a key that the device has not had.
export async function checkRenewal(device: Device, wire: Uint8Array): Promise<DeviceRenewal> {
  const before = device.keys.at(-1)!;
  const renewal = decodeRenewal((await verify(wire, 'device-renewal', [before.spki])).payload);
  checkIds(device, renewal);
  if (renewal.sequence <= before.above)
    throw new Refusal(`the renewal has sequence ${renewal.sequence}, and the last one has ${before.above} already`);
  if (device.keys.some(({ spki }) => equal(spki, renewal.identitySpki))) throw new Refusal('the renewal names a key that the device had before');
  await within('the fresh key of the renewal', () => verify(wire, 'device-renewal', [renewal.identitySpki]));
  return renewal;
}

function checkIds({ admission }: Device, statement: { deploymentId: Uint8Array; deviceId: Uint8Array }): void {
  if (!equal(statement.deviceId, admission.deviceId)) throw new Refusal("the statement names another device-id than its signer's");
  if (!equal(statement.deploymentId, admission.deploymentId)) throw new Refusal('the statement belongs to another deployment');
}

// The admission is for this device, an admin of the policy signed it, and its renewals follow from it.
export async function openDevice(policy: Policy, reply: GetDeviceResponse, name: string): Promise<Device> {
  if (reply.admission.length === 0) throw new Refusal(`device ${name} is not admitted: an admin has to admit it first`);
  const admission = await within(`the admission of device ${name}`, () => openAdmission(policy, reply.admission));
  if (admission.deviceName !== name)
    throw new Refusal(`what the controller gave as admission of device ${name} is that of ${admission.deviceName}`);
  const device: Device = { admission, keys: [{ above: 0n, spki: admission.identitySpki }] };
  for (const [i, wire] of reply.renewals.entries()) {
    if (i === RENEWALS_MOST) throw new Refusal(`an admission vouches for ${RENEWALS_MOST} renewals: an admin has to admit device ${name} anew`);
    const renewal = await within(`renewal ${i + 1} of device ${name}`, () => checkRenewal(device, wire));
    device.keys.push({ above: renewal.sequence, spki: renewal.identitySpki });
  }
  return device;
}

type Statement = { deploymentId: Uint8Array; deviceId: Uint8Array; sequence: bigint };

// The statement is this device's, signed by the key that was in force for its sequence.
async function verifyStatement<T extends Statement>(device: Device, wire: Uint8Array, kind: Kind, decode: (payload: Bytes) => T): Promise<T> {
  const verified: Verified = await verify(wire, kind, device.keys.map(({ spki }) => spki));
  const statement = decode(verified.payload);
  checkIds(device, statement);
  const inForce = device.keys.findLast(({ above }) => statement.sequence > above)!;
  if (!isSignedBy(verified, inForce.spki))
    throw new Refusal(`the statement with sequence ${statement.sequence} is signed by a key that the device did not have then`);
  return statement;
}

// The device itself said which connectors it has.
export async function openAdvertisement(device: Device, wire: Uint8Array): Promise<DeviceAdvertisement> {
  const name = device.admission.deviceName;
  if (wire.length === 0) throw new Refusal(`device ${name} has not said yet which app connectors it has: is its agent running?`);
  return within(`the statement of device ${name} about its connectors`,
    () => verifyStatement(device, wire, 'device-advertisement', decodeAdvertisement));
}

export const saidOf = (said: DeviceAdvertisement, connector: string): AdvertisedConnector | undefined =>
  said.connectors.find(({ name }) => name === connector);

// The device itself reported on exactly this order.
async function openReport(device: Device, core: OrderCore, wire: Uint8Array): Promise<DeviceReport> {
  const report = await within(`the report of device ${device.admission.deviceName}`,
    () => verifyStatement(device, wire, 'device-report', decodeReport));
  if (!equal(report.deviceId, core.deviceId) || !equal(report.orderId, core.orderId))
    throw new Refusal(`the report that the controller gave for WO-${core.number} is not about it`);
  return report;
}

// What a device names where nothing is installed.
export const NOTHING = new Uint8Array(DIGEST_BYTES);

// The device that is admitted now said of this order that it was completed, and what it left there: the digest of a chain, or 32
// zero bytes. As long as no later order is completed its journal holds just that, whatever people did to the files since.
export async function openLeft(device: Device, core: OrderCore, wire: Uint8Array): Promise<Uint8Array> {
  const name = device.admission.deviceName;
  if (wire.length === 0) throw new Refusal(`there is no report of device ${name} on WO-${core.number}`);
  const report = await openReport(device, core, wire);
  const wrong = report.outcome !== Outcome.COMPLETED ? 'does not say that it was completed'
    : report.connector !== core.connector || report.generation !== core.generation ? 'is about another app connector or generation'
      : undefined;
  if (wrong) throw new Refusal(`the report of device ${name} on WO-${core.number} ${wrong}`);
  return report.installedDigest.length ? report.installedDigest : NOTHING;
}
