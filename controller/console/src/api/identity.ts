// A browser's own key: made here, kept here, its private half readable by no script. How it comes to be known (pairing), how it
// signs in, and the trust policy as far as such a browser can hold it against what it saw before.
import { create } from '@bufbuild/protobuf';
import { signal } from '@preact/signals';
import { TrustService } from '../gen/countersign/v1/operator_pb';
import { SessionService } from '../gen/countersign/v1/session_pb';
import { SessionOpeningSchema } from '../gen/countersign/v1/statement_pb';
import { type Bytes, equal, fromBase64, hex, hmacSha256, sha256, utf8 } from '../trust/bytes';
import { sign } from '../trust/envelope';
import { shelf } from '../trust/keep';
import { openFirst, openNext, type Policy } from '../trust/policy';
import { Refusal } from '../trust/refusal';
import { words } from '../trust/spoken';
import { encode, ID_BYTES } from '../trust/statements';
import { client } from './client';

export interface Identity {
  operator: string;
  deploymentId: Uint8Array;
  key: CryptoKey;          // cannot be extracted
  spki: Uint8Array;
  pairedAtS: number;
}

// Whom this browser speaks for; undefined: it has no key.
export const identity = signal<Identity | undefined>(undefined);

const IDENTITY = 'identity', CANDIDATE = 'candidate', PINNED = 'policy';

// The key's fingerprint as people compare it with what the admin's terminal shows.
export const keyWords = async (spki: Uint8Array): Promise<string> => words(await sha256(spki));

export async function loadIdentity(): Promise<Identity | undefined> {
  identity.value = await shelf.get<Identity>(IDENTITY);
  return identity.value;
}

export async function forgetIdentity(): Promise<void> {
  await shelf.drop(IDENTITY);
  await shelf.drop(PINNED);
  identity.value = undefined;
}

// ---- pairing

export interface PairingLink {
  authentication: Bytes;
  binding: Bytes;
  deploymentId: Bytes;
}

// "#AUTH.BINDING.DEPLOYMENT" of a link; undefined: it is cut or mistyped.
export function readPairingLink(hash: string): PairingLink | undefined {
  const parts = hash.replace(/^#/, '').split('.').map(fromBase64);
  const [authentication, binding, deploymentId] = parts;
  if (parts.length !== 3 || authentication?.length !== 32 || binding?.length !== 32 || deploymentId?.length !== ID_BYTES) return undefined;
  return { authentication, binding, deploymentId };
}

interface Candidate { of: string; key: CryptoKey; spki: Uint8Array }

// The key for a link is kept before anything is said, so that a link that is followed again brings the same key.
async function candidateFor(link: PairingLink): Promise<Candidate> {
  const of = hex(await sha256(link.authentication));
  const before = await shelf.get<Candidate>(CANDIDATE);
  if (before?.of === of) return before;
  const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']);
  const spki = new Uint8Array(await crypto.subtle.exportKey('spki', pair.publicKey));
  const candidate = { of, key: pair.privateKey, spki };
  await shelf.put(CANDIDATE, candidate);
  return candidate;
}

export async function pair(link: PairingLink): Promise<Identity> {
  if (!globalThis.crypto?.subtle)
    throw new Refusal('this browser keeps keys only for pages that come over https, or from the machine itself: open the link that begins with https');
  const { key, spki } = await candidateFor(link);
  const bindingMac = await hmacSha256(link.binding, utf8('countersign/v1/pair'), link.deploymentId, spki);
  const { operator } = await client(SessionService).pair({ authentication: link.authentication, spki, bindingMac });
  // Whoever was signed in here before is so no more.
  if (mayHaveCookie()) await client(SessionService).closeSession({}).catch(() => {});
  noteCookie(false);
  const made: Identity = { operator, deploymentId: link.deploymentId, key, spki, pairedAtS: Math.floor(Date.now() / 1000) };
  await shelf.drop(PINNED);
  await shelf.put(IDENTITY, made);
  await shelf.drop(CANDIDATE);
  identity.value = made;
  return made;
}

// ---- signing in

const HAS_COOKIE = 'countersign.cookie';

// Whether a cookie may be there, which no script can see: another tab may have got it.
export const mayHaveCookie = (): boolean => { try { return !!localStorage.getItem(HAS_COOKIE); } catch { return true; } };
export function noteCookie(is: boolean): void {
  try {
    if (is) localStorage.setItem(HAS_COOKIE, 'yes');
    else localStorage.removeItem(HAS_COOKIE);
  } catch { /* then it is tried */ }
}

// A page cannot see the server's key, so that the opening does not name it.
export async function openSession(who: Identity): Promise<void> {
  const session = client(SessionService);
  const challenge = await session.getChallenge({});
  if (!equal(challenge.deploymentId, who.deploymentId))
    throw new Refusal('this controller belongs to another deployment than the one that this browser was paired with');
  const pinned = await shelf.get<Pinned>(PINNED);
  const payload = encode(SessionOpeningSchema, create(SessionOpeningSchema, { deploymentId: who.deploymentId,
    policyVersion: pinned?.version ?? challenge.policyVersion, operator: who.operator, challenge: challenge.challenge,
    madeAtS: BigInt(Math.floor(Date.now() / 1000)) }));
  await session.openSession({ envelope: await sign('session-opening', payload, who.key, who.spki), cookie: true });
}

// ---- the trust policy

interface Pinned { version: number; wire: Uint8Array }

// The newest policy. The first that a paired browser sees is signed by the roots that it names itself, and is of the deployment
// of the link; from then on versions never fall, and each next one follows from the one that was kept.
export async function followPolicy(who: Identity, current?: Policy): Promise<Policy> {
  const trust = client(TrustService);
  const pinned = await shelf.get<Pinned>(PINNED);
  let known = current ?? (pinned ? await openFirst(pinned.wire, who.deploymentId) : undefined);
  const newest = await trust.getPolicy({ version: known ? known.body.version : 0 });
  if (!known) known = await openFirst(newest.envelope, who.deploymentId);
  else if (newest.newestVersion < known.body.version)
    throw new Refusal(`the controller has trust policy version ${newest.newestVersion}, but this browser has seen version ` +
      `${known.body.version}: do not trust this controller before you know why`);
  else if (!equal((await openFirst(newest.envelope, who.deploymentId)).digest, known.digest))
    throw new Refusal(`the controller has another trust policy version ${known.body.version} than this browser has seen: ` +
      'do not trust this controller before you know why');
  while (known.body.version < newest.newestVersion)
    known = await openNext((await trust.getPolicy({ version: known.body.version + 1 })).envelope, known);
  if (pinned?.version !== known.body.version) await shelf.put(PINNED, { version: known.body.version, wire: known.wire } satisfies Pinned);
  return known;
}
