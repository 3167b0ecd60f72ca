// Who signs, and the signature itself: with this browser's own key, or by the process that serves the page, which holds the
// operator's. What comes back is held against the bytes that were shown before it is sent anywhere.
import { refreshPolicy, servedBy, signer } from '../api/session';
import { client } from '../api/client';
import { identity } from '../api/identity';
import { SignerService } from '../gen/countersign/v1/signer_pb';
import { KeyKind, type Operator, Role } from '../gen/countersign/v1/statement_pb';
import { equal } from '../trust/bytes';
import { sign, verify } from '../trust/envelope';
import { hasRole, operatorOf, type Policy } from '../trust/policy';
import { Refusal } from '../trust/refusal';
import { type Kind, payloadType } from '../trust/statements';
import { roleWord } from '../words';

export interface Signer {
  policy: Policy;
  who: Operator;
  spki: Uint8Array;
  kind: KeyKind;
}

// Whoever signs here, under the newest policy. With a role: that this takes it.
export async function openSigner(role?: Role): Promise<Signer> {
  const policy = await refreshPolicy();
  const key = signer.value;
  if (!key)
    throw new Refusal(servedBy.value === 'console'
      ? 'there is no key to sign with here: `countersign console` runs without one, so this page can only look'
      : 'the key of this browser is not in the trust policy: the owners of the root keys have to put it there first');
  const who = operatorOf(policy.body, key.operator);
  const listed = who?.keys.find(({ spki }) => equal(spki, key.spki));
  if (!who || !listed)
    throw new Refusal(`the key that signs here is not one of ${key.operator || 'anybody'} in trust policy version ${policy.body.version}`);
  if (role !== undefined && !hasRole(policy.body, who, role)) throw new Refusal(`${who.name} is no ${roleWord(role)}, and this takes one`);
  return { policy, who, spki: key.spki, kind: listed.kind };
}

async function signHere(kind: Kind, payload: Uint8Array, spki: Uint8Array): Promise<Uint8Array> {
  const own = identity.value;
  if (!own || !equal(own.spki, spki)) throw new Refusal('the key of this browser has changed since: load the page anew. Nothing was signed');
  return sign(kind, payload, own.key, spki);
}

async function signThere(kind: Kind, payload: Uint8Array): Promise<Uint8Array> {
  return (await client(SignerService).sign({ payloadType: payloadType(kind), payload })).envelope;
}

// The envelope of exactly this payload, signed by exactly this key.
export async function signStatement(kind: Kind, payload: Uint8Array, { spki }: Signer): Promise<Uint8Array> {
  const envelope = await (servedBy.value === 'console' ? signThere(kind, payload) : signHere(kind, payload, spki));
  const { payload: signed } = await verify(envelope, kind, [spki]);
  if (!equal(signed, payload)) throw new Refusal('something else was signed than what was shown: nothing was sent');
  return envelope;
}

export const nowS = (): bigint => BigInt(Math.floor(Date.now() / 1000));
