// What a client checks of work orders before it signs (controller/cli/check.c, places.c): each against the device as it is admitted
// and the certificate that is meant, and all of them against what the person asked for. Pure.
import { Action, type DeviceAdvertisement, KeyMode, type OrderCore } from '../gen/countersign/v1/statement_pb';
import { equal } from './bytes';
import { type Device, saidOf } from './device';
import { Refusal } from './refusal';
import { GENERATION_JUMP_MOST } from './statements';
import type { Chain } from './x509';
import { actionWord } from '../words';

// What is wrong with its certificate and key.
function wrongContent(core: OrderCore, chain: Chain): string | undefined {
  const hasKey = core.keyMode !== KeyMode.NONE;
  if (core.action === Action.REMOVE) {
    if (core.chainDigest.length || core.leafSpkiDigest.length || hasKey) return 'names a chain or key, though nothing is to be installed';
    return equal(core.expects, chain.digest) ? undefined : 'removes another certificate than the one that is meant';
  }
  if (!equal(core.chainDigest, chain.digest)) return "names another chain than the certificate's";
  if (!equal(core.leafSpkiDigest, chain.leaf.spkiDigest)) return "names another key than the certificate's";
  if (core.action !== Action.ROLL_BACK) return hasKey ? undefined : 'brings no private key';
  if (hasKey) return 'brings a private key, though the device has it';
  return core.expects.length ? undefined : 'rolls back whatever is there';
}

function checkGeneration(core: OrderCore, said: DeviceAdvertisement): void {
  const connector = saidOf(said, core.connector);
  if (!connector) throw new Refusal(`device ${core.deviceName} does not say that it has an app connector ${core.connector}: nothing was signed`);
  if (core.generation > connector.generation && core.generation - connector.generation <= GENERATION_JUMP_MOST) return;
  throw new Refusal(`WO-${core.number} has generation ${core.generation}, but ${core.deviceName}/${core.connector} is at ${connector.generation} ` +
    `and takes at most ${GENERATION_JUMP_MOST} more: nothing was signed`);
}

// The order is about this certificate: what it installs, brings back or removes.
export function checkContent(core: OrderCore, chain: Chain): void {
  const wrong = wrongContent(core, chain);
  if (wrong) throw new Refusal(`WO-${core.number} for ${core.deviceName}/${core.connector} ${wrong}: nothing was signed`);
}

// `said`: what the device advertises, for a request that is made now; a decider judges later, when the device may have moved on.
export function checkCore(core: OrderCore, chain: Chain, { admission }: Device, said: DeviceAdvertisement | undefined): void {
  if (admission.deviceName !== core.deviceName || !equal(admission.deviceId, core.deviceId))
    throw new Refusal(`WO-${core.number} names another device-id than the one that was admitted as ${core.deviceName}: nothing was signed`);
  checkContent(core, chain);
  if (said) checkGeneration(core, said);
}

// What a person asked for.
export interface Asked {
  places: { deviceName: string; connector: string }[];
  action: Action;
  keyMode: KeyMode;            // NONE but for an install
  targetGeneration: bigint;    // of a roll back; else 0
  expects: Uint8Array;         // of a roll back: what the device reported to be left there last
}

// A removal's expectation is a matter of its certificate: checkCore().
function wrongPlace(asked: Asked, core: OrderCore): string | undefined {
  if (core.keyMode !== asked.keyMode) return 'brings its private key in another way than was asked for';
  if (core.action === Action.INSTALL && core.expects.length) return 'replaces only one certain certificate, which was not asked for';
  if (core.action === Action.ROLL_BACK && !equal(core.expects, asked.expects))
    return 'replaces another certificate than the one that the device reported to be left there last';
  if (core.targetGeneration !== asked.targetGeneration) return 'goes back to another generation than the one that the device reported';
  return undefined;
}

// Each place once, nothing else, and each order does what was asked for.
export function checkPlaces(asked: Asked, cores: readonly OrderCore[]): void {
  const nameOf = (device: string, connector: string) => `${device}/${connector}`;
  const wanted = new Set(asked.places.map(({ deviceName, connector }) => nameOf(deviceName, connector)));
  const taken = new Set<string>();
  if (cores.length !== wanted.size)
    throw new Refusal(`${wanted.size} app connectors were asked for, the controller made ${cores.length} work orders: nothing was signed`);
  for (const core of cores) {
    const place = nameOf(core.deviceName, core.connector);
    if (core.action !== asked.action || !wanted.has(place))
      throw new Refusal(`the controller made a work order that was not asked for (${actionWord(core.action)} ${place}): nothing was signed`);
    if (taken.has(place)) throw new Refusal(`the controller made two work orders for ${place}: nothing was signed`);
    taken.add(place);
    const wrong = wrongPlace(asked, core);
    if (wrong) throw new Refusal(`WO-${core.number} ${wrong}: nothing was signed`);
  }
}
