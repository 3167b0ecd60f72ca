// Who is at this page, and how far it is with finding that out. Two ways lead to "ready": `countersign console` serves the page to
// its own operator, who has a link; or the controller serves it to a browser that has a key of its own.
//
//   starting ─▶ ready ─▶ ended ─▶ (begin() or signIn() again)
//        ├────▶ pairing ─▶ sign-in ─▶ ready
//        └────▶ failed
import { Code, ConnectError } from '@connectrpc/connect';
import { effect, signal } from '@preact/signals';
import { ControllerService } from '../gen/countersign/v1/operator_pb';
import { SessionService } from '../gen/countersign/v1/session_pb';
import { SignerService } from '../gen/countersign/v1/signer_pb';
import { type KeyKind, Role, TrustPolicySchema } from '../gen/countersign/v1/statement_pb';
import { ObjectKind } from '../gen/countersign/v1/watch_pb';
import { equal, fromBase64 } from '../trust/bytes';
import { peek } from '../trust/envelope';
import { openFirst, openNext, operatorOf, policy, type Policy } from '../trust/policy';
import { Refusal } from '../trust/refusal';
import { decodeStrict, isSpki } from '../trust/statements';
import { bearer, client, isStranger, whenStranger } from './client';
import { isAway, sentence } from './fault';
import { followPolicy, type Identity, identity, loadIdentity, mayHaveCookie, noteCookie, openSession, type PairingLink, readPairingLink } from './identity';
import { startFrom, stopWatching, watch } from './live';

export interface Me {
  operator: string;
  roles: Role[];
  groups: string[];
  servedBy: 'console' | 'countersignd';
  controller: string;
  version: string;
}

export type Phase = 'starting' | 'pairing' | 'sign-in' | 'ready' | 'ended' | 'failed';

export const phase = signal<Phase>('starting');
export const me = signal<Me | undefined>(undefined);
export const trouble = signal(''); // a sentence: what happened and what to do

// With what is signed here; undefined: this page only looks.
export const signer = signal<{ operator: string; spki: Uint8Array; kind: KeyKind } | undefined>(undefined);
export const servedBy = signal<'console' | 'countersignd' | undefined>(undefined);
// Of the link that was followed, until the browser is paired.
export const pairingLink = signal<PairingLink | undefined>(undefined);

const TOKEN = 'countersign.token', SIGNED_OUT = 'countersign.signed-out';
const WANTS_LINK = 'This page opens with the link that `countersign console` prints. Press Enter in the terminal where it runs for a new ' +
  'link, or start it: countersign console';
const HAS_NO_KEY = 'This browser has no key yet. Ask an admin to run `countersign operator pair YOUR-NAME`, and open the link that it ' +
  'prints in this browser.';

// What a browser without storage does not remember, it is asked for again.
const remember = (name: string, value: string): void => { try { sessionStorage.setItem(name, value); } catch { /* lasts as long as the page */ } };
const recall = (name: string): string => { try { return sessionStorage.getItem(name) ?? ''; } catch { return ''; } };
const forget = (name: string): void => { try { sessionStorage.removeItem(name); } catch { /* was not there */ } };

function settle(next: Phase, why = ''): void {
  trouble.value = why;
  phase.value = next;
}

// Secrets do not stay in the address, where history and screen show them.
function takeHash(): string {
  const { hash, pathname, search } = location;
  if (hash) history.replaceState(history.state, '', pathname + search);
  return hash;
}

async function askServedBy(): Promise<'console' | 'countersignd'> {
  const answer = await fetch('/served-by', { cache: 'no-store' });
  const text = (await answer.text()).trim();
  if (answer.ok && (text === 'console' || text === 'countersignd')) return text;
  throw new Refusal('whatever serves this page is not Countersign: check the address');
}

whenStranger(() => {
  if (phase.value !== 'ready') return;
  end(servedBy.value === 'console'
    ? 'The program that served this page does not know it any more: it was ended or started anew. Press Enter in the terminal where ' +
      '`countersign console` runs, and open the new link.'
    : 'Your session has ended, because it was not used for a while, or somebody ended it. Nothing was lost that was sent. Sign in again.');
});

function end(why: string): void {
  stopWatching();
  bearer.value = '';
  forget(TOKEN);
  noteCookie(false);
  settle('ended', why);
}

// ---- the trust policy

async function consolePolicy(wire: Uint8Array, current: Policy | undefined): Promise<Policy> {
  if (current && equal(current.wire, wire)) return current;
  if (!current) {
    // The process on this machine has verified it from the operator's own pin; which deployment it is, it says.
    return openFirst(wire, decodeStrict(TrustPolicySchema, peek(wire, 'trust-policy'), 'the trust policy').deploymentId);
  }
  const next = await openFirst(wire, current.body.deploymentId);
  if (next.body.version < current.body.version)
    throw new Refusal(`the trust policy is version ${next.body.version}, and this page has seen version ${current.body.version}`);
  return next.body.version === current.body.version + 1 ? openNext(wire, current) : next;
}

// The newest trust policy, and with what is signed under it. Asked for before everything that is signed.
export async function refreshPolicy(): Promise<Policy> {
  if (servedBy.value === 'console') {
    const reply = await client(SignerService).getSigner({});
    if (reply.policy.length === 0) throw new Refusal('there is no trust policy yet: the owner of the root keys makes it with `countersign trust init`');
    policy.value = await consolePolicy(reply.policy, policy.value);
    signer.value = isSpki(reply.spki) ? { operator: reply.operator, spki: reply.spki, kind: reply.keyKind } : undefined;
    return policy.value;
  }
  const who = identity.value;
  if (!who) throw new Refusal('this browser has no key: pair it first');
  policy.value = await followPolicy(who, policy.value);
  const key = operatorOf(policy.value.body, who.operator)?.keys.find(({ spki }) => equal(spki, who.spki));
  signer.value = key ? { operator: who.operator, spki: who.spki, kind: key.kind } : undefined;
  return policy.value;
}

// ---- coming in

// The cookie is of a session of somebody else than the one whose key this browser has.
class OthersSession extends Refusal {
  constructor() { super('the session in this browser is somebody else\'s: sign in again'); }
}

async function enter(by: 'console' | 'countersignd', controller: string, own?: string): Promise<void> {
  const [status, who] = await Promise.all([client(ControllerService).getStatus({}), client(SessionService).whoAmI({})]);
  if (own !== undefined && who.operator !== own) throw new OthersSession();
  await refreshPolicy();
  startFrom(status.revision);
  me.value = { operator: who.operator, roles: who.roles, groups: who.groups, servedBy: by, controller, version: status.version };
  settle('ready');
}

async function beginConsole(): Promise<void> {
  const link = /^#link=([A-Za-z0-9_-]+)$/.exec(takeHash());
  const secret = link ? fromBase64(link[1]!) : undefined;
  if (secret) {
    const { token } = await client(SignerService).openLink({ secret });
    bearer.value = token;
    remember(TOKEN, token);
  } else {
    bearer.value = recall(TOKEN);
  }
  if (!bearer.value) return settle('sign-in', WANTS_LINK);
  const reply = await client(SignerService).getSigner({});
  return enter('console', reply.controller);
}

async function beginBrowser(): Promise<void> {
  const hash = location.pathname === '/pair' ? takeHash() : '';
  if (hash) {
    pairingLink.value = readPairingLink(hash);
    return settle('pairing', pairingLink.value ? '' : 'The pairing link is cut or mistyped: copy it whole.');
  }
  const who = await loadIdentity();
  if (!who) return settle('sign-in', HAS_NO_KEY);
  if (recall(SIGNED_OUT)) return settle('sign-in');
  try {
    if (mayHaveCookie()) return await enter('countersignd', location.host, who.operator);
  } catch (error) {
    if (error instanceof OthersSession) await client(SessionService).closeSession({});
    else if (!isStranger(error)) throw error;
    noteCookie(false);
  }
  return signInAs(who);
}

async function signInAs(who: Identity): Promise<void> {
  forget(SIGNED_OUT);
  try {
    await openSession(who);
  } catch (error) {
    if (!(error instanceof ConnectError) || (error.code !== Code.Unauthenticated && error.code !== Code.PermissionDenied)) throw error;
    throw new Refusal(`the controller does not take the key of this browser for ${who.operator}. Either the trust policy does not have the key yet: ` +
      `then the admin who made the link has something left to do. Or it has it no more (the controller says: ${error.rawMessage})`);
  }
  noteCookie(true);
  await enter('countersignd', location.host, who.operator);
}

// A link or token that is not taken, or a browser's key: there is something to do at the door. Anything else stops the page.
const isAtTheDoor = (error: unknown): boolean => servedBy.value === 'countersignd' ? !isAway(error)
  : error instanceof ConnectError && [Code.Unauthenticated, Code.PermissionDenied, Code.FailedPrecondition, Code.InvalidArgument].includes(error.code);

async function attempt(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (phase.value === 'ready') return;
    bearer.value = '';
    const door = servedBy.value !== undefined && isAtTheDoor(error);
    if (door) forget(TOKEN);
    settle(door ? 'sign-in' : 'failed', sentence(error));
  }
}

let begun: Promise<void> | undefined;

// Once when the page is loaded, and again by whoever wants to come back.
export function begin(): Promise<void> {
  begun ??= attempt(async () => {
    settle('starting');
    servedBy.value = await askServedBy();
    await (servedBy.value === 'console' ? beginConsole() : beginBrowser());
  }).finally(() => { begun = undefined; });
  return begun;
}

// With the key of this browser, because a person asked for it.
export async function signIn(): Promise<void> {
  const who = await loadIdentity();
  await attempt(async () => {
    if (!who) return settle('sign-in', HAS_NO_KEY);
    return signInAs(who);
  });
}

export async function signOut(): Promise<void> {
  if (servedBy.value === 'console') {
    const headers = { authorization: `Bearer ${bearer.value}` };
    end('This tab has forgotten its link. Press Enter in the terminal where `countersign console` runs for a new one.');
    await client(SignerService).closeLink({}, { headers }).catch(() => {}); // ends with the program at the latest
    return;
  }
  remember(SIGNED_OUT, 'yes');
  noteCookie(false);
  stopWatching();
  const told = await client(SessionService).closeSession({}).then(() => true, () => false);
  settle('sign-in', told ? 'You have signed out.'
    : 'You have signed out here, but the controller could not be told: the session ends by itself when it is idle, or by `countersign session end`.');
}

// ---- what one may

const mayAs = (role: Role): boolean => !!me.value?.roles.includes(role) && !!signer.value;

export const mayRequest = (): boolean => mayAs(Role.REQUESTER);
export const mayAdmit = (): boolean => mayAs(Role.ADMIN);
// For what is not signed: roles alone.
export const hasRole = (role: Role): boolean => !!me.value?.roles.includes(role);

// A new policy may have changed what one may, and with what is signed.
effect(() => {
  if (phase.value !== 'ready') return undefined;
  return watch({ kinds: [ObjectKind.POLICY] }, () => {
    void refreshPolicy().then(() => client(SessionService).whoAmI({})).then((who) => {
      if (me.value) me.value = { ...me.value, roles: who.roles, groups: who.groups };
    }).catch((error: unknown) => { if (error instanceof Refusal) end(sentence(error)); });
  });
});
