// Things that several flows ask of the controller, checked before they are used: what it hands over is material, and only the
// policy, people's and devices' signatures, and digests count.
import { client } from '../api/client';
import { type Certificate, CertificateService, DeviceService, type GetDeviceResponse, PushService, type TopologyRow } from '../gen/countersign/v1/operator_pb';
import type { AdvertisedConnector, OrderCore, PushRequest } from '../gen/countersign/v1/statement_pb';
import { equal } from '../trust/bytes';
import { checkCore } from '../trust/check';
import { type Device, openAdvertisement, saidOf } from '../trust/device';
import { openKnownDevice } from '../trust/known';
import { merkleRoot } from '../trust/merkle';
import type { Policy } from '../trust/policy';
import { Refusal } from '../trust/refusal';
import { decodeCore, ORDERS_MOST } from '../trust/statements';
import { type Chain, readChainOf } from '../trust/x509';

const AT_ONCE = 8; // devices that are asked for beside each other

// The work orders of a request: exact bytes, and what they say.
export interface Cores {
  bytes: Uint8Array[];
  cores: OrderCore[];
}

export async function fetchCertificate(id: Uint8Array): Promise<{ certificate: Certificate; chain: Chain }> {
  const { certificate, chain } = await client(CertificateService).getCertificate({ id });
  if (!certificate) throw new Refusal('the controller does not have this certificate');
  return { certificate, chain: await readChainOf(id, chain) };
}

export async function fetchCores(number: bigint, expected: number): Promise<Cores> {
  const found: Cores = { bytes: [], cores: [] };
  if (expected < 1 || expected > ORDERS_MOST) throw new Refusal(`a request has 1 to ${ORDERS_MOST} work orders, not ${expected}`);
  while (found.bytes.length < expected) {
    const { cores } = await client(PushService).getOrderCores({ number, fromIndex: found.bytes.length });
    if (cores.length === 0 || cores.length > expected - found.bytes.length)
      throw new Refusal(`the controller gave another number of work orders than it said (${expected})`);
    for (const bytes of cores) {
      found.cores.push(decodeCore(bytes));
      found.bytes.push(bytes);
    }
  }
  return found;
}

// Root and count of the request are those of these cores.
export async function checkRoot(request: PushRequest, { bytes }: Cores): Promise<void> {
  if (bytes.length === 0 || bytes.length !== request.orderCount)
    throw new Refusal(`REQ-${request.number} was signed for ${request.orderCount} work orders, but the controller gave ${bytes.length}: nothing was signed`);
  if (!equal(await merkleRoot(bytes), request.orderRoot))
    throw new Refusal(`the work orders that the controller gave for REQ-${request.number} are not those that ${request.requester} signed: nothing was signed`);
}

export const fetchDevice = (name: string): Promise<GetDeviceResponse> => client(DeviceService).getDevice({ name });

export interface CheckedDevices {
  devices: Map<string, Device>;
  said: (AdvertisedConnector | undefined)[]; // by core; only of a fresh request
}

// Each core against its device as it is admitted, and the certificate that is meant; `fresh`: for a request to be signed now the
// generations must be the next that the devices take. Each device is asked for once.
export async function checkCores(policy: Policy, { cores }: Cores, chain: Chain, fresh: boolean): Promise<CheckedDevices> {
  const names = [...new Set(cores.map((core) => core.deviceName))];
  const devices = new Map<string, Device>();
  const said = new Map<string, Awaited<ReturnType<typeof openAdvertisement>>>();
  const each = async () => {
    for (let name = names.shift(); name !== undefined; name = names.shift()) {
      const reply = await fetchDevice(name);
      const device = await openKnownDevice(policy, reply, name);
      devices.set(name, device);
      if (fresh) said.set(name, await openAdvertisement(device, reply.advertisement));
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, names.length) }, each));
  for (const core of cores) checkCore(core, chain, devices.get(core.deviceName)!, said.get(core.deviceName));
  return { devices, said: cores.map((core) => { const of = said.get(core.deviceName); return of && saidOf(of, core.connector); }) };
}

// Every app connector that the certificate is attached to.
export async function fetchAttachments(certificateId: Uint8Array): Promise<TopologyRow[]> {
  const all: TopologyRow[] = [];
  for (let afterDevice = '', afterConnector = '';;) {
    const { rows, more } = await client(CertificateService).getTopology({ certificateId, afterDevice, afterConnector });
    all.push(...rows);
    const last = rows.at(-1);
    if (!more || !last) return all;
    [afterDevice, afterConnector] = [last.deviceName, last.connector];
  }
}
