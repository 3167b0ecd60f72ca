// What waits for the reader: open requests at a stage that the reader may decide, did not ask for, and has not decided. By the
// controller's word and the newest policy: enough for a number in the menu and for a list. Whoever opens one verifies it.
import { fromBinary } from '@bufbuild/protobuf';
import { effect, signal } from '@preact/signals';
import { client } from './api/client';
import { watch } from './api/live';
import { me, phase } from './api/session';
import { isOpen } from './dialogs/waiting';
import { ObjectKind } from './gen/countersign/v1/watch_pb';
import { PushService, type Request } from './gen/countersign/v1/operator_pb';
import { DecisionSchema, EnvelopeSchema, type TrustPolicy } from './gen/countersign/v1/statement_pb';
import { isNamed, policy } from './trust/policy';

export const waiting = signal<readonly Request[] | undefined>(undefined);

// More than these are a list to be worked off in any case.
const PAGES = 4;

// Which rule a request comes under is each device's to say; here any that has such a stage will do.
function mayDecide(request: Request, body: TrustPolicy): boolean {
  const who = me.value;
  if (!who?.operator) return false;
  return body.rules.some((rule) => {
    const stage = rule.stages[request.stage - 1];
    return stage?.name === request.stageName && rule.stages.length === request.stages && who.roles.includes(stage.role) &&
      isNamed(body, stage, who.operator) && (rule.requesterMayDecide || request.requester !== who.operator);
  });
}

// Whether the reader has decided it, by number of decisions: a request is asked for again only when it has more of them.
const decided = new Map<string, boolean>();
async function hasDecided(request: Request): Promise<boolean> {
  const key = `${request.number} ${request.stage} ${request.decided} ${me.value?.operator}`;
  let known = decided.get(key);
  if (known === undefined) {
    const { decisions } = await client(PushService).getRequest({ number: request.number });
    known = decisions.some(({ envelope }) =>
      fromBinary(DecisionSchema, fromBinary(EnvelopeSchema, envelope).payload).decider === me.value?.operator);
    decided.set(key, known);
  }
  return known;
}

async function look(): Promise<void> {
  const body = policy.value?.body;
  if (!body) return;
  const found: Request[] = [];
  let beforeNumber = 0n;
  for (let page = 0; page < PAGES; page++) {
    const { requests, more } = await client(PushService).listRequests({ openOnly: true, beforeNumber });
    for (const request of requests)
      if (isOpen(request.state) && mayDecide(request, body) && !await hasDecided(request)) found.push(request);
    beforeNumber = requests.at(-1)?.number ?? 0n;
    if (!more || !beforeNumber) break;
  }
  waiting.value = found;
}

// One look at a time; what changes meanwhile makes one more.
let looking = false, again = false;
async function refresh(): Promise<void> {
  if (looking) {
    again = true;
    return;
  }
  looking = true;
  do {
    again = false;
    try {
      await look();
    } catch { /* the number stays as it was; the connection's own banner says why */ }
  } while (again);
  looking = false;
}

// Once, when the page starts.
export function startWaiting(): void {
  let end: (() => void) | undefined;
  effect(() => {
    const ready = phase.value === 'ready' && Boolean(policy.value) && Boolean(me.value?.operator);
    if (ready && !end) {
      end = watch({ kinds: [ObjectKind.REQUEST, ObjectKind.POLICY] }, () => { void refresh(); });
      void refresh();
    } else if (!ready && end) {
      end();
      end = undefined;
      waiting.value = undefined;
    }
  });
}
