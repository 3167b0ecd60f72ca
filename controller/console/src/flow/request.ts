// A push request as its signatures make it: the request, its work orders and the decisions so far (controller/cli/review.c). What a
// page shows to look at may fail to verify (a signer who has left, a policy that has gone on): it is shown with the sentence that says
// so. Whoever decides takes nothing that has one: requireVerified().
import { client } from '../api/client';
import { sentence } from '../api/fault';
import { refreshPolicy } from '../api/session';
import { PushService, type Request } from '../gen/countersign/v1/operator_pb';
import { Action, type Decision, KeyKind, type OrderCore, type PushRequest } from '../gen/countersign/v1/statement_pb';
import { sha256 } from '../trust/bytes';
import { checkContent } from '../trust/check';
import { peek } from '../trust/envelope';
import { type Policy, ruleFor } from '../trust/policy';
import { openPush, type Progress, type Push, type PushOrder } from '../trust/push';
import { Refusal } from '../trust/refusal';
import { words } from '../trust/spoken';
import { decodeDecision, decodePushRequest } from '../trust/statements';
import type { Chain } from '../trust/x509';
import { checkCores, checkRoot, type Cores, fetchCertificate, fetchCores } from './fetch';
import { signedComment } from './show';

export interface ReviewedDecision {
  decision: Decision;
  digest: Uint8Array;
  words: string;
  keyKind: KeyKind;        // UNSPECIFIED: not verified
  comment: string;
  commentHolds: boolean;   // it is the one that was signed
  verified: boolean;       // the signature was verified here, and the decision counts
  trouble: string;         // else: a sentence
}

export interface Review {
  request: Request;        // as the controller tells it
  push: PushRequest;       // as the requester signed it
  digest: Uint8Array;
  words: string;
  comment: string;
  commentHolds: boolean;
  verified: boolean;       // request, work orders and certificate
  trouble: string;         // else: a sentence
  decisions: ReviewedDecision[];
  certificateName: string; // of the certificate that the work orders name; empty where it is not verified
  cores: OrderCore[];
  progress: Progress[];    // by core, as the signatures make it; empty where it is not verified
}

// With what a decision is made.
export interface OpenReview extends Review {
  policy: Policy;
  opened: Push;
  orders: PushOrder[];
  chain: Chain;
}

interface Given { request: Request; envelope: Uint8Array; decisions: { envelope: Uint8Array; comment: string }[] }

async function fetchRequest(number: bigint): Promise<Given> {
  const { request, envelope, decisions } = await client(PushService).getRequest({ number });
  if (!request) throw new Refusal(`the controller has no REQ-${number}`);
  return { request, envelope, decisions };
}

async function openOrders(policy: Policy, opened: Push, cores: Cores, certificateId: Uint8Array, devices: boolean): Promise<{ chain: Chain; orders: PushOrder[] }> {
  await checkRoot(opened.request, cores);
  const { chain } = await fetchCertificate(certificateId);
  for (const core of cores.cores) checkContent(core, chain);
  if (devices) await checkCores(policy, cores, chain, false);
  return { chain, orders: cores.cores.map((core, index) => ({ index,
    rule: ruleFor(policy.body, core.deviceName, core.connector, core.action === Action.REMOVE ? undefined : chain.leaf) })) };
}

async function reviewDecision(opened: Push | undefined, orders: PushOrder[], envelope: Uint8Array, comment: string): Promise<ReviewedDecision> {
  const payload = peek(envelope, 'decision');
  const decision = decodeDecision(payload);
  const digest = await sha256(payload);
  const { text, holds } = await signedComment(comment, decision.commentDigest);
  let keyKind = KeyKind.UNSPECIFIED, trouble = opened ? '' : 'What it decides on could not be verified.';
  try {
    if (opened) ({ keyKind } = await opened.add(envelope, orders));
  } catch (error) {
    trouble = sentence(error);
  }
  return { decision, digest, words: words(digest), keyKind, comment: text, commentHolds: holds, verified: !trouble, trouble };
}

async function review(number: bigint, devices: boolean): Promise<Review & Partial<OpenReview>> {
  const [policy, given] = await Promise.all([refreshPolicy(), fetchRequest(number)]);
  const payload = peek(given.envelope, 'push-request');
  const push = decodePushRequest(payload), digest = await sha256(payload);
  if (push.number !== number) throw new Refusal(`for REQ-${number} the controller gave what was signed as REQ-${push.number}`);
  const cores = await fetchCores(number, push.orderCount);
  let opened: Push | undefined, chain: Chain | undefined, orders: PushOrder[] = [], trouble = '';
  try {
    opened = await openPush(policy, given.envelope);
    ({ chain, orders } = await openOrders(policy, opened, cores, given.request.certificateId, devices));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    opened = undefined;
    trouble = sentence(error);
  }
  const decisions: ReviewedDecision[] = [];
  for (const { envelope, comment } of given.decisions) decisions.push(await reviewDecision(opened, orders, envelope, comment));
  const { text, holds } = await signedComment(given.request.comment, push.commentDigest);
  return { request: given.request, push, digest, words: words(digest), comment: text, commentHolds: holds, verified: !trouble, trouble, decisions,
    certificateName: chain && opened ? chain.leaf.commonName : '', cores: cores.cores, progress: opened ? orders.map((order) => opened.progress(order)) : [], policy, orders,
    ...(opened ? { opened } : {}), ...(chain ? { chain } : {}) };
}

// To look at.
export const openRequest = (number: bigint): Promise<Review> => review(number, false);

// To decide on: everything verified, the devices, too.
export async function openReview(number: bigint): Promise<OpenReview> {
  const found = await review(number, true);
  const wrong = found.trouble || found.decisions.find(({ trouble }) => trouble)?.trouble;
  if (wrong) throw new Refusal(`REQ-${number} does not hold together here, so that nothing was signed: ${wrong}`);
  return found as OpenReview;
}
