// Is this push decided? The answer that device and controller give, too (proto/README.md, "Counting decisions"): the verified
// request and its verified decisions in the order in which they were made; each order is judged under its own rule. What may not
// stand is refused with the reason's sentence, and leaves the evaluation as it was. Start at openPush().
import { type Decision, KeyKind, type Operator, type PushRequest, Role, type Rule, Verdict } from '../gen/countersign/v1/statement_pb';
import { equal } from './bytes';
import { checkSigner, operatorOf, type Policy, stageAdmits, verifyByPolicy } from './policy';
import { Refusal, within } from './refusal';
import { decodeDecision, decodePushRequest, DECISIONS_MOST } from './statements';

const REASONS = {
  'request-signature': 'the push request is not signed by a key of the requester',
  'requester-role': 'the requester may not request pushes',
  'wrong-deployment': 'the statement belongs to another deployment',
  'policy-too-old': 'the signer saw a newer trust policy than is known here',
  'policy-expired': 'the trust policy has expired',
  'decision-malformed': 'a decision does not parse',
  'decision-signature': 'a decision is not signed by a key of its decider',
  'decider-role': 'the decider may not decide this stage',
  'decider-is-requester': 'the requester may not decide on the own request',
  'decider-twice': 'the same person has decided on this request before',
  'decision-other-request': 'the decision is for another request',
  'decision-stale': 'the decision was made without seeing all earlier ones',
  'decision-late': 'the decision was made after decide_by',
  'decision-early': 'the decision was made before the request',
  'stage-closed': 'the stage has its number of people already',
  'stage-not-open': 'an earlier stage is not satisfied yet',
  'stage-unknown': 'the policy has no such stage',
  rejected: 'a decider rejected this order',
  'browser-key': 'a browser key may not complete the last stage',
  'too-many-decisions': 'the request has more decisions than are allowed',
} as const;
export type Reason = keyof typeof REASONS;

const STALE: readonly Reason[] = ['decision-stale', 'stage-closed', 'stage-not-open', 'rejected', 'decider-twice'];

class PushRefusal extends Refusal {
  constructor(readonly reason: Reason, about = '') {
    super(about ? `${about}: ${REASONS[reason]}` : REASONS[reason], STALE.includes(reason));
  }
}

export interface Decided {
  body: Decision;
  digest: Uint8Array;
  keyKind: KeyKind;
  decider: Operator;
}

export interface PushOrder {
  index: number;     // of the leaf
  rule: Rule;
}

export interface Progress {
  state: 'open' | 'decided' | 'rejected';
  stage: number;     // the open one, from 1; 0: none
  stageName: string;
  decided: number;   // people in the open stage
  required: number;
  startS: bigint;    // of a decided one: the latest of all not-befores and times of decisions
  endS: bigint;
}

interface Tally {
  stage: number;     // from 0
  decided: number;
  rejected: boolean;
  people: string[];
  notBeforeS: bigint;
  decidedAtS: bigint;
}

const bit = (bitmap: Uint8Array, index: number): boolean => ((bitmap[index >> 3] ?? 0) >> (index & 7) & 1) === 1;

export class Push {
  readonly decisions: Decided[] = [];

  // Only openPush() makes one.
  constructor(readonly policy: Policy, readonly request: PushRequest, readonly digest: Uint8Array, readonly wire: Uint8Array) {}

  covers(decision: Decision, index: number): boolean {
    return index < this.request.orderCount && (decision.orders.length === 0 || bit(decision.orders, index));
  }

  // Verified and judged, before it counts. `orders`: all that one knows.
  async add(wire: Uint8Array, orders: readonly PushOrder[]): Promise<Decided> {
    if (this.decisions.length === DECISIONS_MOST) throw new PushRefusal('too-many-decisions');
    const decided = await this.#open(wire);
    this.judge(decided, orders);
    this.decisions.push(decided);
    return decided;
  }

  // What device and controller would say to it; throws what they would refuse it for.
  judge(decided: Omit<Decided, 'digest'>, orders: readonly PushOrder[]): void {
    const about = `the decision of ${decided.body.decider} on stage ${decided.body.stage}`;
    const reason = this.#judgeStatement(decided.body) ?? this.#judgeForOrders(decided, orders);
    if (reason) throw new PushRefusal(reason, about);
  }

  progress({ index, rule }: PushOrder): Progress {
    const tally = this.#tally({ index, rule });
    const stage = rule.stages[tally.stage];
    const startS = tally.notBeforeS > tally.decidedAtS ? tally.notBeforeS : tally.decidedAtS;
    if (tally.rejected) return { state: 'rejected', stage: 0, stageName: '', decided: 0, required: 0, startS: 0n, endS: 0n };
    if (!stage) return { state: 'decided', stage: 0, stageName: '', decided: 0, required: 0, startS, endS: startS + this.request.windowS };
    return { state: 'open', stage: tally.stage + 1, stageName: stage.name, decided: tally.decided, required: stage.required, startS: 0n, endS: 0n };
  }

  // The open stage of the order waits for this person, who may decide it and has not spoken yet.
  waitsFor(order: PushOrder, who: Operator): boolean {
    const { stage } = this.progress(order);
    const open = order.rule.stages[stage - 1];
    return !!open && (order.rule.requesterMayDecide || this.request.requester !== who.name) &&
      !this.decisions.some(({ body }) => body.decider === who.name) && stageAdmits(this.policy.body, open, who);
  }

  async #open(wire: Uint8Array): Promise<Decided> {
    const verified = await within(REASONS['decision-signature'], () => verifyByPolicy(this.policy, wire, 'decision'));
    const body = decodeDecision(verified.payload);
    if (!equal(body.deploymentId, this.policy.body.deploymentId)) throw new PushRefusal('wrong-deployment');
    if (body.policyVersion > this.policy.body.version) throw new PushRefusal('policy-too-old');
    const keyKind = await within(REASONS['decision-signature'], () => checkSigner(this.policy, verified, body.decider));
    return { body, digest: verified.digest, keyKind, decider: operatorOf(this.policy.body, body.decider)! };
  }

  // All that can be said of a decision without a rule. Serial: whoever decides has seen every decision before.
  #judgeStatement(decision: Decision): Reason | undefined {
    const { request } = this;
    if (!equal(decision.requestDigest, this.digest)) return 'decision-other-request';
    for (let i = request.orderCount; i < decision.orders.length * 8; i++) if (bit(decision.orders, i)) return 'decision-malformed';
    if (decision.earlier.length !== this.decisions.length ||
      !decision.earlier.every((digest, i) => equal(digest, this.decisions[i]!.digest))) return 'decision-stale';
    if (decision.decidedAtS < request.requestedAtS) return 'decision-early';
    if (decision.decidedAtS > request.decideByS) return 'decision-late';
    return undefined;
  }

  #judgeForOrders(decided: Omit<Decided, 'digest'>, orders: readonly PushOrder[]): Reason | undefined {
    for (const order of orders) {
      const reason = this.covers(decided.body, order.index) ? this.#judgeTally(this.#tally(order), order.rule, decided) : undefined;
      if (reason) return reason;
    }
    return undefined;
  }

  #judgeTally(tally: Tally, rule: Rule, { body, keyKind, decider }: Omit<Decided, 'digest'>): Reason | undefined {
    const stage = body.stage - 1, open = rule.stages[stage];
    if (!open) return 'stage-unknown';
    if (tally.rejected) return 'rejected';
    if (stage < tally.stage) return 'stage-closed';
    if (stage > tally.stage) return 'stage-not-open';
    if (!rule.requesterMayDecide && decider.name === this.request.requester) return 'decider-is-requester';
    if (!stageAdmits(this.policy.body, open, decider)) return 'decider-role';
    if (tally.people.includes(decider.name)) return 'decider-twice';
    if (body.verdict === Verdict.ACCEPT && keyKind === KeyKind.BROWSER && !rule.browserMayFinish &&
      tally.stage + 1 === rule.stages.length && tally.decided + 1 >= open.required) return 'browser-key';
    return undefined;
  }

  // Counts from the beginning, and judges every decision again.
  #tally({ index, rule }: PushOrder): Tally {
    const tally: Tally = { stage: 0, decided: 0, rejected: false, people: [], notBeforeS: 0n, decidedAtS: this.request.requestedAtS };
    for (const decided of this.decisions) {
      const { body, decider } = decided;
      if (!this.covers(body, index) || this.#judgeTally(tally, rule, decided)) continue;
      tally.people.push(decider.name);
      if (body.decidedAtS > tally.decidedAtS) tally.decidedAtS = body.decidedAtS;
      if (body.verdict !== Verdict.ACCEPT) {
        tally.rejected = true;
        continue;
      }
      if (body.notBeforeS > tally.notBeforeS) tally.notBeforeS = body.notBeforeS;
      if (++tally.decided >= rule.stages[tally.stage]!.required) {
        tally.stage++;
        tally.decided = 0;
      }
    }
    return tally;
  }
}

// The request, verified under the policy. Whether the policy has expired is not looked at: a reader may look at old requests.
export async function openPush(policy: Policy, wire: Uint8Array): Promise<Push> {
  const verified = await within(REASONS['request-signature'], () => verifyByPolicy(policy, wire, 'push-request'));
  const request = decodePushRequest(verified.payload);
  if (!equal(request.deploymentId, policy.body.deploymentId)) throw new PushRefusal('wrong-deployment');
  if (request.policyVersion > policy.body.version) throw new PushRefusal('policy-too-old');
  checkSigner(policy, verified, request.requester, Role.REQUESTER);
  return new Push(policy, request, verified.digest, wire);
}

