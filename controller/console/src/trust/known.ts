// When each device was admitted, as far as this browser has seen it. A device that is stolen is admitted anew, with other keys;
// whoever takes the controller over could hand out the old admission, which an admin did sign, and be sent keys that the stolen
// device opens. Who has seen the newer one refuses that. What was verified is not verified again while the page lives.
import type { GetDeviceResponse } from '../gen/countersign/v1/operator_pb';
import { hex, sha256 } from './bytes';
import { type Device, openDevice } from './device';
import { shelf } from './keep';
import type { Policy } from './policy';
import { Refusal } from './refusal';

const nameOf = (policy: Policy): string => `admitted ${hex(policy.body.deploymentId)}`;

let admitted: { of: string; since: Map<string, bigint> } | undefined;
const verified = new Map<string, { digest: string; device: Device }>();

async function load(policy: Policy): Promise<Map<string, bigint>> {
  const of = nameOf(policy);
  if (admitted?.of !== of) admitted = { of, since: await shelf.get<Map<string, bigint>>(of).catch(() => undefined) ?? new Map() };
  return admitted.since;
}

async function digestOf(policy: Policy, reply: GetDeviceResponse): Promise<string> {
  const parts = await Promise.all([reply.admission, ...reply.renewals].map((wire) => sha256(wire)));
  return hex(await sha256(policy.digest, ...parts));
}

// The controller gave an older admission than one that was seen here.
export class OlderAdmission extends Refusal {}

// openDevice(), and that the admission is not older than what was seen here.
export async function openKnownDevice(policy: Policy, reply: GetDeviceResponse, name: string): Promise<Device> {
  const since = await load(policy);
  const digest = await digestOf(policy, reply);
  const before = verified.get(name);
  const device = before?.digest === digest ? before.device : await openDevice(policy, reply, name);
  const seen = since.get(name) ?? 0n, at = device.admission.admittedAtS;
  if (at < seen)
    throw new OlderAdmission(`the controller gave an admission of device ${name} from ${new Date(Number(at) * 1000).toISOString()}, but this ` +
      `browser has seen one from ${new Date(Number(seen) * 1000).toISOString()}: do not trust this controller before you know why`);
  verified.set(name, { digest, device });
  if (at > seen) {
    since.set(name, at);
    keepSoon(policy, since);
  }
  return device;
}

// An admission that was signed here is seen.
export async function noteAdmitted(policy: Policy, name: string, atS: bigint): Promise<void> {
  const since = await load(policy);
  if (atS <= (since.get(name) ?? 0n)) return;
  since.set(name, atS);
  keepSoon(policy, since);
}

// Once for the many devices of a push. The page works without; it only remembers less.
let keeping = false;
function keepSoon(policy: Policy, since: Map<string, bigint>): void {
  if (keeping) return;
  keeping = true;
  setTimeout(() => {
    keeping = false;
    shelf.put(nameOf(policy), since).catch(() => {});
  }, 200);
}

export function forgetKnown(): void {
  admitted = undefined;
  verified.clear();
}
