// What waits for the reader: open requests at a stage whose role the reader has, that the reader has not decided and did not ask
// for. Which those are the controller tells; whether a decision counts is verified when it is made.
import { client } from '../api/client';
import type { Me } from '../api/session';
import { waitsFor } from '../dialogs/waiting';
import { PushService, type Request } from '../gen/countersign/v1/operator_pb';
import { decodeDecision } from '../trust/statements';
import { peek } from '../trust/envelope';
import type { TrustPolicy } from '../gen/countersign/v1/statement_pb';

// So many open requests are looked through; whoever has more waiting has enough to do.
const LOOKED_MOST = 500, AT_ONCE = 6;

export interface Waiting {
  requests: Request[];
  more: boolean;        // there are open requests that were not looked at
}

async function deciders(number: bigint): Promise<string[]> {
  const { decisions } = await client(PushService).getRequest({ number });
  return decisions.map(({ envelope }) => decodeDecision(peek(envelope, 'decision')).decider);
}

export async function readInbox(me: Me, policy: TrustPolicy | undefined): Promise<Waiting> {
  const candidates: Request[] = [];
  let beforeNumber = 0n, looked = 0, more = true;
  while (more && looked < LOOKED_MOST) {
    const page = await client(PushService).listRequests({ beforeNumber, openOnly: true });
    candidates.push(...page.requests.filter((request) => waitsFor(me, policy, request, [])));
    looked += page.requests.length;
    more = page.more && page.requests.length > 0;
    beforeNumber = page.requests.at(-1)?.number ?? 0n;
  }
  // Only where somebody has decided, the reader may have.
  const kept: boolean[] = [], todo = candidates.map((request, i) => ({ request, i }));
  const each = async () => {
    for (let next = todo.shift(); next; next = todo.shift()) {
      const { request, i } = next;
      kept[i] = (request.stage <= 1 && request.decided === 0) || !(await deciders(request.number)).includes(me.operator);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, each));
  return { requests: candidates.filter((_, i) => kept[i]), more };
}
