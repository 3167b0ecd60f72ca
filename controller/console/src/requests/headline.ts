// What a request is about, as its signatures and the bytes that they cover say it. Where it does not verify, and only there, by the
// controller's word: a notice stands beside it. Pure.
import type { Review } from '../flow/request';
import { actionWord } from '../words';

export interface Headline {
  task: string; // "install gw.example"
  requester: string;
  requestedAtS: bigint;
  orders: number;
}

export function headlineOf({ request, push, cores, certificateName, verified }: Review): Headline {
  if (!verified)
    return {
      task: `${actionWord(request.action)} ${request.certificateName}`,
      requester: request.requester,
      requestedAtS: request.requestedAtS,
      orders: request.orderCount,
    };
  // A request of another client may have mixed actions.
  const actions = [...new Set(cores.map((core) => actionWord(core.action)))].join(' and ');
  return { task: `${actions} ${certificateName}`, requester: push.requester, requestedAtS: push.requestedAtS, orders: push.orderCount };
}
