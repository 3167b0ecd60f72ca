// Who vouches for a device's keys, before an admin signs for them (controller/cli/admit.c):
//
//   a new enrolment      the binding half of the token that was made in this tab, or a person who compares fingerprints
//   a late renewal       the key that was admitted before, which signed for the fresh one
//   banned, quarantined  the admission that there is: the same keys, admitted anew
import { create } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { client } from '../api/client';
import { refreshPolicy } from '../api/session';
import { DeviceService, type GetDeviceResponse, type GetEnrolmentResponse } from '../gen/countersign/v1/operator_pb';
import { AdmissionSchema, Role } from '../gen/countersign/v1/statement_pb';
import { equal, hex, sha256 } from '../trust/bytes';
import { checkRenewal, type Device, identityOf } from '../trust/device';
import { noteAdmitted, OlderAdmission, openKnownDevice } from '../trust/known';
import type { Policy } from '../trust/policy';
import { Refusal } from '../trust/refusal';
import { words } from '../trust/spoken';
import { decodeAdmission, encode, ID_BYTES, isSpki } from '../trust/statements';
import { type Draft, draft } from './draft';
import { checkEnrolment, dropToken, keptToken } from './enrol';
import { fetchDevice } from './fetch';
import { admissionFields, note, timeText } from './show';
import { nowS, openSigner, signStatement } from './sign';

export type Voucher = 'token' | 'renewal' | 'admission' | 'nobody';

// The keys that wait for an admission, and why they are the device's.
export interface Candidate {
  deviceName: string;
  deviceId: Uint8Array;
  identitySpki: Uint8Array;
  kemSpki: Uint8Array;
  identityDigest: string;  // hex, as `countersign-agent status` shows it on the device
  kemDigest: string;
  identityWords: string;
  kemWords: string;
  vouched: Voucher;        // 'nobody': a person has to compare
  because: string;
}

interface Keys { deviceId: Uint8Array; identitySpki: Uint8Array; kemSpki: Uint8Array }

async function candidate(deviceName: string, { deviceId, identitySpki, kemSpki }: Keys, vouched: Voucher, because: string): Promise<Candidate> {
  if (deviceId.length !== ID_BYTES || !isSpki(identitySpki) || !isSpki(kemSpki))
    throw new Refusal(`the enrolment of device ${deviceName} has a malformed id or key`);
  const [identity, kem] = await Promise.all([sha256(identitySpki), sha256(kemSpki)]);
  return { deviceName, deviceId, identitySpki, kemSpki, identityDigest: hex(identity), kemDigest: hex(kem), identityWords: words(identity),
    kemWords: words(kem), vouched, because };
}

const NOBODY = 'NOBODY SAYS SO: compare both fingerprints with `countersign-agent status` on the device';

async function ofEnrolment(name: string, enrolment: GetEnrolmentResponse): Promise<Candidate> {
  const token = keptToken(name);
  if (!token) return candidate(name, enrolment, 'nobody', NOBODY);
  await checkEnrolment(token, enrolment);
  return candidate(name, enrolment, 'token', 'made by the holder of the token from this tab');
}

// Device-id and KEM key stay: they come from the admission, not from what the controller says.
async function ofRenewal(policy: Policy, reply: GetDeviceResponse, enrolment: GetEnrolmentResponse, name: string): Promise<Candidate> {
  let device: Device;
  try {
    device = await openKnownDevice(policy, reply, name);
    const renewal = await checkRenewal(device, enrolment.renewal);
    if (!equal(renewal.identitySpki, enrolment.identitySpki)) throw new Refusal('the controller gave another key than the one that the renewal names');
  } catch (error) {
    // Nobody vouches for the key, but an admission that was replaced is not to be brought back by comparing its keys either.
    if (!(error instanceof Refusal) || error instanceof OlderAdmission) throw error;
    return candidate(name, enrolment, 'nobody', `${NOBODY} (${error.message})`);
  }
  const { admission, keys } = device;
  return candidate(name, { ...admission, identitySpki: enrolment.identitySpki }, 'renewal',
    `signed for by the key that ${admission.admin} admitted at ${timeText(admission.admittedAtS)}, renewed ${keys.length - 1} times since`);
}

async function again(policy: Policy, reply: GetDeviceResponse, name: string): Promise<Candidate> {
  const device = await openKnownDevice(policy, reply, name);
  const { admission, keys } = device;
  const lifts = reply.device?.banned ? '; this lifts the BAN' : reply.device?.quarantined ? '; this lifts the QUARANTINE' : '';
  return candidate(name, { ...admission, identitySpki: identityOf(device) }, 'admission',
    `${admission.admin} admitted them at ${timeText(admission.admittedAtS)}, renewed ${keys.length - 1} times since${lifts}`);
}

async function find(policy: Policy, name: string): Promise<Candidate> {
  const enrolment = await client(DeviceService).getEnrolment({ deviceName: name });
  if (enrolment.enrolled && !enrolment.admitted && enrolment.renewal.length === 0) return ofEnrolment(name, enrolment);
  const unused = new Refusal(`device ${name} has not used its token yet: run \`countersign-agent enrol\` there`);
  let reply: GetDeviceResponse;
  try {
    reply = await fetchDevice(name);
  } catch (error) {
    if (error instanceof ConnectError && error.code === Code.NotFound && !enrolment.enrolled) throw unused;
    throw error;
  }
  if (reply.device?.name !== name) throw new Refusal(`the controller gave another device than ${name}`);
  if (enrolment.renewal.length) return ofRenewal(policy, reply, enrolment, name);
  // A token that waits for its use comes before an admission that there is, unless that is to be lifted.
  if (!enrolment.enrolled && !reply.device.banned && !reply.device.quarantined) throw unused;
  return again(policy, reply, name);
}

export const admissionCandidate = async (deviceName: string): Promise<Candidate> => find(await refreshPolicy(), deviceName);

export interface AdmissionWish {
  deviceName: string;
  // A person has compared both fingerprints of the candidate with those on the device: for one whom nobody vouches for.
  compared?: Candidate;
}

export async function prepareAdmission({ deviceName, compared }: AdmissionWish): Promise<Draft<void>> {
  const signer = await openSigner(Role.ADMIN);
  const found = await find(signer.policy, deviceName);
  if (found.vouched === 'nobody' && !compared)
    throw new Refusal(`the token of ${deviceName} was not made in this tab: compare the fingerprints with those on the device instead`);
  if (compared && (compared.identityDigest !== found.identityDigest || compared.kemDigest !== found.kemDigest))
    throw new Refusal(`the keys of device ${deviceName} are others now than those that were compared: do not admit it, find out why`, true);
  const payload = encode(AdmissionSchema, create(AdmissionSchema, { deploymentId: signer.policy.body.deploymentId,
    policyVersion: signer.policy.body.version, admin: signer.who.name, deviceName, deviceId: found.deviceId, identitySpki: found.identitySpki,
    kemSpki: found.kemSpki, admittedAtS: nowS() }));
  const admission = decodeAdmission(payload);
  const because = found.vouched === 'nobody' ? 'A person says so, who compared both fingerprints with those on the device' : found.because;
  return draft<void>({
    kind: 'admission', title: `Admit ${deviceName}`, payload,
    fields: await admissionFields(admission),
    notes: [note('These are its keys', because, found.vouched === 'nobody' ? 'warn' : undefined)],
    sign: (bytes) => signStatement('admission', bytes, signer),
    send: async (envelope) => {
      await client(DeviceService).admitDevice({ envelope });
      await noteAdmitted(signer.policy, deviceName, admission.admittedAtS);
      dropToken(deviceName);
    },
  });
}
