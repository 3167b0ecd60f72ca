// What a person says to a push request at the stage that is open (controller/cli/decide.c). Judged as device and controller will
// judge it, before the person is asked to sign, and again before it is sent.
import { create } from '@bufbuild/protobuf';
import { client } from '../api/client';
import { type OrderState, PushService } from '../gen/countersign/v1/operator_pb';
import { type Decision, DecisionSchema, Mode, Verdict } from '../gen/countersign/v1/statement_pb';
import { sha256, utf8 } from '../trust/bytes';
import type { Progress } from '../trust/push';
import { Refusal } from '../trust/refusal';
import { decodeDecision, encode, readComment } from '../trust/statements';
import { orderNumber, requestNumber } from '../words';
import { type Draft, draft } from './draft';
import { type OpenReview, openReview } from './request';
import { certificateFields, decisionFields, expiryFields, onRequestFields, orderLine, taskFields } from './show';
import { nowS, openSigner, signStatement } from './sign';

export interface DecideWish {
  number: bigint;
  verdict: Verdict;
  mode: Mode;              // of an accept
  notBeforeS?: number;     // with MODE_SCHEDULED
  comment: string;
  orders?: bigint[];       // numbers of WO-n; none: all
  // What the dialog was opened on: how many decisions there were, and the stage, by the controller's word. Where that has changed the
  // wish is stale; a name that is not the trust policy's is refused.
  seen?: { decisions: number; stage?: number; stageName?: string };
}

function readMode(wish: DecideWish): { mode: Mode; notBeforeS: bigint } {
  if (wish.verdict !== Verdict.ACCEPT) return { mode: Mode.UNSPECIFIED, notBeforeS: 0n };
  if (wish.mode === Mode.MANUAL) return { mode: Mode.MANUAL, notBeforeS: 0n };
  const at = wish.notBeforeS ?? NaN;
  if (!Number.isSafeInteger(at) || at <= 0) throw new Refusal('with Manual Implementation off say the date and time before which the push must not start');
  return { mode: Mode.SCHEDULED, notBeforeS: BigInt(at) };
}

// By the signatures there is nothing to decide about this order any more.
function refuseClosed(order: string, { state }: Progress): Refusal {
  return new Refusal(state === 'rejected' ? `${order} was rejected already: look again` : `${order} is fully decided already: look again`, true);
}

// All orders that are covered must be open at one stage. Gives its number and name, and the indexes of the orders.
function findStage(review: OpenReview, wish: DecideWish): { stage: number; name: string; covered: number[] } {
  const wanted = wish.orders?.length ? new Set(wish.orders) : undefined;
  const covered = review.cores.flatMap((core, i) => !wanted || wanted.has(core.number) ? [i] : []);
  if (wanted && covered.length !== wanted.size) throw new Refusal(`not every work order that was chosen is one of ${requestNumber(wish.number)}`);
  let stage = 0, name = '';
  for (const i of covered) {
    const progress = review.progress[i]!, number = orderNumber(review.cores[i]!.number);
    if (progress.state !== 'open') throw refuseClosed(number, progress);
    if (stage && progress.stage !== stage) throw new Refusal('the work orders are at different stages: choose those of one');
    [stage, name] = [progress.stage, progress.stageName];
  }
  return { stage, name, covered };
}

// Bit i is byte i/8, value 1 << i%8; absent when all are covered.
function bitmapOf(covered: readonly number[], count: number): Uint8Array {
  if (covered.length === count) return new Uint8Array();
  const bitmap = new Uint8Array((covered.at(-1)! >> 3) + 1);
  for (const i of covered) bitmap[i >> 3]! |= 1 << (i & 7);
  return bitmap;
}

function checkSeen(review: OpenReview, { seen, number }: DecideWish, stage: number, name: string): void {
  if (!seen) return;
  if (seen.decisions !== review.decisions.length || (seen.stage !== undefined && seen.stage !== stage)) {
    const last = review.decisions.at(-1)?.decision;
    throw new Refusal(`${requestNumber(number)} has changed since you looked${last
      ? `: ${last.decider} ${last.verdict === Verdict.ACCEPT ? 'accepted' : 'rejected'} stage ${last.stage}` : ''}. Look again`, true);
  }
  if (seen.stageName !== undefined && seen.stageName !== name)
    throw new Refusal(`by the trust policy the open stage of ${requestNumber(number)} is "${name}", and the controller calls it "${seen.stageName}": nothing was signed`);
}

function compose(review: OpenReview, wish: DecideWish, decider: string, stage: number, covered: number[], commentDigest: Uint8Array): Decision {
  const now = nowS(), { requestedAtS } = review.push;
  return create(DecisionSchema, { deploymentId: review.policy.body.deploymentId, policyVersion: review.policy.body.version, decider,
    requestDigest: review.digest, stage, orders: bitmapOf(covered, review.cores.length), verdict: wish.verdict, ...readMode(wish),
    decidedAtS: now > requestedAtS ? now : requestedAtS, earlier: review.decisions.map(({ digest }) => digest), commentDigest });
}

export async function prepareDecision(wish: DecideWish): Promise<Draft<{ state: OrderState }>> {
  const comment = readComment(wish.comment.trim());
  if (wish.verdict !== Verdict.ACCEPT && wish.verdict !== Verdict.REJECT) throw new Refusal('a decision accepts or rejects');
  readMode(wish);
  const signer = await openSigner();
  const review = await openReview(wish.number);
  const { stage, name, covered } = findStage(review, wish);
  checkSeen(review, wish, stage, name);
  const payload = encode(DecisionSchema, compose(review, wish, signer.who.name, stage, covered, await sha256(utf8(comment))));

  // From here on only what the bytes say.
  const decision = decodeDecision(payload);
  review.opened.judge({ body: decision, keyKind: signer.kind, decider: signer.who }, review.orders);
  const cores = review.cores.filter((_, i) => review.opened.covers(decision, i));
  const fields = [...await decisionFields(decision, name, comment), ...taskFields(cores, review.chain.leaf.commonName),
    ...await onRequestFields(review.opened, review.request.comment), ...certificateFields(review.chain)];

  let judged = false;
  return draft({
    kind: 'decision', title: `${decision.verdict === Verdict.ACCEPT ? 'Accept' : 'Reject'} ${requestNumber(wish.number)}, stage ${name}`, payload,
    notes: expiryFields(review.policy.body, nowS()), fields, orders: cores.map(orderLine),
    sign: (bytes) => signStatement('decision', bytes, signer),
    send: async (envelope) => {
      if (!judged) await review.opened.add(envelope, review.orders);
      judged = true;
      return { state: (await client(PushService).decide({ number: wish.number, envelope, comment })).state };
    },
  });
}
