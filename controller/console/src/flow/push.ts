// A push, a removal or a roll back that a person asks for, from the wish to the signed request. Every work order that the
// controller makes of it is checked before anything is shown (controller/cli/push.c).
import { create } from '@bufbuild/protobuf';
import { client } from '../api/client';
import { type Certificate, PreparePushRequestSchema, PushService, type PreparePushResponse } from '../gen/countersign/v1/operator_pb';
import { Action, KeyMode, Override, PushRequestSchema, Role, type SealedKey } from '../gen/countersign/v1/statement_pb';
import { equal, sha256, utf8 } from '../trust/bytes';
import { type Asked, checkPlaces } from '../trust/check';
import { NOTHING } from '../trust/device';
import { merkleRoot } from '../trust/merkle';
import { Refusal } from '../trust/refusal';
import { sealKey } from '../trust/seal';
import { decodeCore, decodePushRequest, encode, readComment } from '../trust/statements';
import { type Chain, keyFits } from '../trust/x509';
import { type Draft, draft, type Field } from './draft';
import { type CheckedDevices, checkCores, checkRoot, type Cores, fetchAttachments, fetchCertificate, fetchCores } from './fetch';
import { findWayBack } from './rollback';
import { certificateFields, expiryFields, note, orderLine, pushRequestFields, taskFields } from './show';
import { nowS, openSigner, type Signer, signStatement } from './sign';

export interface PushWish {
  certificateId: Uint8Array;   // that is to be installed, to be removed, or to come back
  targets: { deviceName: string; connector: string }[]; // none: every attachment; of a removal every one where it is installed
  action?: Action;             // install
  comment: string;
  overrides?: Override[];
  windowS?: number;
  decideByS?: number;          // from now
  maxAttempts?: number;
  targetGeneration?: bigint;   // of a roll back
  expects?: Uint8Array;        // of a roll back: what the device reported to be left there last; looked up where it is not given
  pkcs8?: Uint8Array;          // to be sealed to the devices here
  because?: string;            // shown with the statement: why a roll back goes the way it does
}

const HOUR_S = 3600, DAY_S = 24 * HOUR_S;
const WINDOW_S = 24 * HOUR_S, DECIDE_BY_S = 7 * DAY_S, ATTEMPTS = 3;
export const ATTEMPTS_MOST = 100;
export const TARGETS_MOST = 64; // that a call takes; without any, every attachment is meant
const SEALED_AT_ONCE = 16;

function readTerms(wish: PushWish): { comment: string; windowS: number; decideByS: number; maxAttempts: number } {
  const { windowS = WINDOW_S, decideByS = DECIDE_BY_S, maxAttempts = ATTEMPTS } = wish;
  const comment = readComment(wish.comment.trim());
  if (!comment) throw new Refusal('say why in the comment: the people who decide read it');
  if (!Number.isSafeInteger(windowS) || windowS < 1 || windowS > 3650 * DAY_S) throw new Refusal('the window is from a second to 3650 days');
  if (!Number.isSafeInteger(decideByS) || decideByS < 1 || decideByS > 3650 * DAY_S) throw new Refusal('there has to be some time to decide');
  if (!Number.isInteger(maxAttempts) || maxAttempts < 1 || maxAttempts > ATTEMPTS_MOST)
    throw new Refusal(`attempts are a number from 1 to ${ATTEMPTS_MOST}`);
  return { comment, windowS, decideByS, maxAttempts };
}

async function checkKey(pkcs8: Uint8Array, certificate: Certificate, chain: Chain): Promise<void> {
  if (certificate.keyMode === KeyMode.ON_DEVICE)
    throw new Refusal(`the key of "${chain.leaf.commonName}" was made on ${certificate.deviceName} and is nowhere else: leave the key out`);
  if (!await keyFits(chain.leaf, pkcs8))
    throw new Refusal(`the private key does not belong to "${chain.leaf.commonName}": nothing was sealed`);
}

async function keyModeOf(wish: PushWish, action: Action, certificate: Certificate, chain: Chain): Promise<KeyMode> {
  if (action !== Action.INSTALL) return KeyMode.NONE;
  if (wish.pkcs8) {
    await checkKey(wish.pkcs8, certificate, chain);
    return KeyMode.SEALED;
  }
  if (certificate.keyMode === KeyMode.NONE)
    throw new Refusal(`the controller has no private key for "${chain.leaf.commonName}": give the key to seal it to the devices, or import the ` +
      'certificate again with its key');
  return certificate.keyMode;
}

// Where it goes: as the wish says, or wherever it is attached, as the controller lists it. What was named is held against the work
// orders also where it is too much for a call, which then means every attachment: one that came or went since is refused.
async function findPlaces(wish: PushWish, action: Action): Promise<{ places: Asked['places']; targets: PushWish['targets'] }> {
  if (wish.targets.length && wish.targets.length <= TARGETS_MOST) return { places: wish.targets, targets: wish.targets };
  const rows = (await fetchAttachments(wish.certificateId)).filter((row) => action !== Action.REMOVE || row.pushed);
  if (rows.length === 0)
    throw new Refusal(action === Action.REMOVE ? 'no completed work order left the certificate at any of its app connectors: there is nothing to remove'
      : 'the certificate is not attached to any app connector, so there is nowhere to push it: add an app connector first');
  if (wish.targets.length && wish.targets.length !== rows.length)
    throw new Refusal(`${wish.targets.length} app connectors were chosen, and at most ${TARGETS_MOST} can be at once unless it is all of them, which are ` +
      `${rows.length} now: look again`, true);
  return { places: wish.targets.length ? wish.targets : rows, targets: [] };
}

async function expectationOf(wish: PushWish, action: Action, signer: Signer): Promise<{ targetGeneration: bigint; expects: Uint8Array }> {
  const targetGeneration = wish.targetGeneration ?? 0n;
  if (action !== Action.ROLL_BACK) return { targetGeneration: 0n, expects: new Uint8Array() };
  const [only] = wish.targets;
  if (wish.targets.length !== 1 || !only || !targetGeneration) throw new Refusal('a roll back is for one app connector and one generation');
  if (wish.expects) return { targetGeneration, expects: wish.expects };
  const way = await findWayBack(signer.policy, only.deviceName, only.connector);
  if (way.generation !== targetGeneration) throw new Refusal(`${only.deviceName}/${only.connector} cannot go back to generation ${targetGeneration}: ${way.because}`);
  return { targetGeneration, expects: way.expects };
}

// Where the device itself says that something else is there than the order takes away: what somebody put there goes with it.
function changedByHand(cores: Cores, { said }: CheckedDevices): Field[] {
  return cores.cores.flatMap((core, i) => {
    const connector = said[i];
    if (core.action === Action.INSTALL || !connector) return [];
    const there = connector.installedDigest.length ? connector.installedDigest : NOTHING;
    if (!connector.remark && equal(there, core.expects)) return [];
    const how = connector.remark || (connector.installedDigest.length ? 'another certificate is there' : 'nothing is there');
    return [note('Changed by hand', `${core.deviceName}/${core.connector}: the device reports that it is not as it was pushed: ${how}`, 'bad')];
  });
}

interface Prepared {
  reserved: PreparePushResponse;
  cores: Cores;
  checked: CheckedDevices;
}

async function prepare(wish: PushWish, asked: Asked, targets: PushWish['targets'], overrides: Override[], chain: Chain, signer: Signer): Promise<Prepared> {
  const reserved = await client(PushService).preparePush(create(PreparePushRequestSchema, { certificateId: wish.certificateId, targets,
    action: asked.action, keyMode: wish.pkcs8 ? KeyMode.SEALED : KeyMode.UNSPECIFIED, overrides }));
  const cores = await fetchCores(reserved.number, reserved.orderCount);
  try {
    checkPlaces(asked, cores.cores);
  } catch (error) {
    // Every attachment was meant, and they are others by now than those that were asked for.
    throw error instanceof Refusal && targets.length === 0 ? new Refusal(`${error.message}. Look again`, true) : error;
  }
  return { reserved, cores, checked: await checkCores(signer.policy, cores, chain, true) };
}

async function putSealedKeys(number: bigint, { cores, checked }: Prepared, pkcs8: Uint8Array): Promise<void> {
  for (let fromIndex = 0; fromIndex < cores.cores.length; fromIndex += SEALED_AT_ONCE) {
    const keys: SealedKey[] = [];
    for (let i = fromIndex; i < Math.min(fromIndex + SEALED_AT_ONCE, cores.cores.length); i++) {
      const core = cores.cores[i]!;
      keys.push(await sealKey(checked.devices.get(core.deviceName)!, core, cores.bytes[i]!, pkcs8));
    }
    await client(PushService).putSealedKeys({ number, fromIndex, keys });
  }
}

const TITLES: Partial<Record<Action, string>> = { [Action.INSTALL]: 'Push to device', [Action.REMOVE]: 'Remove', [Action.ROLL_BACK]: 'Roll back' };

export async function preparePush(wish: PushWish): Promise<Draft<{ number: bigint }>> {
  const action = wish.action || Action.INSTALL;
  const { comment, windowS, decideByS, maxAttempts } = readTerms(wish);
  const signer = await openSigner(Role.REQUESTER);
  const { certificate, chain } = await fetchCertificate(wish.certificateId);
  // In the order of their numbers, as they are signed. A removal takes none.
  const overrides = action === Action.REMOVE ? [] : [...new Set(wish.overrides ?? [])].sort((a, b) => a - b);
  if (action !== Action.REMOVE && chain.leaf.notAfterS < Number(nowS()) && !overrides.includes(Override.EXPIRED))
    throw new Refusal(`"${chain.leaf.commonName}" has expired: say so with the override if it must go there all the same`);

  const keyMode = await keyModeOf(wish, action, certificate, chain);
  const { places, targets } = await findPlaces(wish, action);
  const asked: Asked = { places, action, keyMode, ...await expectationOf(wish, action, signer) };
  const prepared = await prepare(wish, asked, targets, overrides, chain, signer);
  const { reserved, cores } = prepared;
  const now = nowS();
  const payload = encode(PushRequestSchema, create(PushRequestSchema, {
    deploymentId: signer.policy.body.deploymentId, policyVersion: signer.policy.body.version, requester: signer.who.name,
    requestId: reserved.requestId, number: reserved.number, requestedAtS: now, decideByS: now + BigInt(decideByS), windowS: BigInt(windowS),
    maxAttempts, overrides, orderRoot: await merkleRoot(cores.bytes), orderCount: cores.bytes.length, commentDigest: await sha256(utf8(comment)) }));

  // From here on only what the bytes say: the request as it is decoded again, and the cores that its root commits to.
  const request = decodePushRequest(payload);
  await checkRoot(request, cores);
  const signed = cores.bytes.map(decodeCore);
  const notes = [...(wish.because ? [note('Roll back', wish.because)] : []), ...expiryFields(signer.policy.body, now), ...changedByHand(cores, prepared.checked)];
  const fields = [...taskFields(signed, chain.leaf.commonName), ...await pushRequestFields(request, comment), ...certificateFields(chain)];

  const pkcs8 = wish.pkcs8 && Uint8Array.from(wish.pkcs8);
  let sealed = false;
  return draft({
    kind: 'push request', title: TITLES[action] ?? 'Push', payload, notes, fields, orders: signed.map(orderLine),
    sign: (bytes) => signStatement('push-request', bytes, signer),
    send: async (envelope) => {
      if (pkcs8 && !sealed) await putSealedKeys(request.number, prepared, pkcs8);
      sealed = true;
      const { number } = await client(PushService).submitPush({ envelope, comment });
      pkcs8?.fill(0);
      return { number };
    },
  });
}
