// The certificate that was at an app connector before (controller/cli/roll_back.c). Where the device itself has said, in a report
// that is verified here, which of its generations that is, it is asked to go back to that one: nothing but the decision travels.
// Otherwise it is an ordinary push of the earlier certificate.
import { client } from '../api/client';
import { type Order, OrderState, PushService } from '../gen/countersign/v1/operator_pb';
import { Action, type OrderCore } from '../gen/countersign/v1/statement_pb';
import { equal } from '../trust/bytes';
import { type Device, openLeft } from '../trust/device';
import { openKnownDevice } from '../trust/known';
import type { Policy } from '../trust/policy';
import { Refusal } from '../trust/refusal';
import { decodeCore } from '../trust/statements';
import { refreshPolicy } from '../api/session';
import { orderNumber } from '../words';
import { fetchCertificate, fetchDevice } from './fetch';
import type { PushWish } from './push';

export interface WayBack {
  certificateId: Uint8Array;   // that comes back
  generation: bigint;          // of the device's own; 0: there is none that holds, and an ordinary push is left
  expects: Uint8Array;         // what the last completed order left there
  because: string;             // a sentence: what is there, what comes back, and how
}

interface Before { current: Order; earlier: Order }

// What completed orders left there: the newest, and the newest before it that left another certificate. Numbers tell which is
// newer, also where the device was enrolled anew and its generations began again.
async function findBefore(deviceName: string, connector: string): Promise<Before> {
  let current: Order | undefined, last: bigint | undefined;
  for (let beforeNumber = 0n;;) {
    const reply = await client(PushService).listOrders({ deviceName, state: OrderState.COMPLETED, beforeNumber });
    for (const order of reply.orders) {
      if (last !== undefined && order.number >= last) throw new Refusal("the controller's list of work orders has no end");
      last = order.number;
      if (order.state !== OrderState.COMPLETED || order.deviceName !== deviceName || order.connector !== connector) continue;
      if (!current) current = order;
      else if (order.action !== Action.REMOVE && (current.action === Action.REMOVE || !equal(order.certificateId, current.certificateId)))
        return { current, earlier: order };
    }
    const goesOn = reply.more && reply.nextBeforeNumber && (!beforeNumber || reply.nextBeforeNumber < beforeNumber);
    if (!goesOn) break;
    beforeNumber = reply.nextBeforeNumber;
  }
  throw new Refusal(current ? `${orderNumber(current.number)} is the only certificate that was pushed to ${deviceName}/${connector}: there is none before it`
    : `no push to ${deviceName}/${connector} has completed: there is nothing to roll back`);
}

async function openOrder(order: Order): Promise<{ core: OrderCore; report: Uint8Array }> {
  const reply = await client(PushService).getOrder({ number: order.number });
  const core = decodeCore(reply.core);
  if (core.connector !== order.connector) throw new Refusal('the controller gave the work order of another app connector');
  return { core, report: reply.report };
}

// The device reported that the earlier order left its certificate: that generation can come back.
async function generationOf(device: Device, earlier: Order): Promise<bigint> {
  const { core, report } = await openOrder(earlier);
  const { chain } = await fetchCertificate(earlier.certificateId);
  if (!equal(await openLeft(device, core, report), chain.digest))
    throw new Refusal(`the report of device ${device.admission.deviceName} on ${orderNumber(core.number)} names another certificate`);
  return core.generation;
}

export async function findWayBack(policy: Policy, deviceName: string, connector: string): Promise<WayBack> {
  const { current, earlier } = await findBefore(deviceName, connector);
  let generation = 0n, expects: Uint8Array = new Uint8Array(), how: string;
  try {
    const device = await openKnownDevice(policy, await fetchDevice(deviceName), deviceName);
    generation = await generationOf(device, earlier);
    const { core, report } = await openOrder(current);
    expects = await openLeft(device, core, report);
    how = `the device goes back to its own generation ${generation}`;
  } catch (error) {
    // What the controller says in a refusal of its own has no place beside a statement.
    generation = 0n;
    how = `an ordinary push of it (${error instanceof Refusal ? error.message : 'what the device reported of these work orders could not be had'})`;
  }
  const is = current.action === Action.REMOVE ? 'removed what was there, and nothing is' : 'brought';
  return { certificateId: earlier.certificateId, generation, expects,
    because: `${orderNumber(current.number)} ${is} what is there now; ${orderNumber(earlier.number)} before it brought this certificate; ${how}` };
}

// What preparePush() takes for it; the comment and terms are added by the person.
export async function wishToRollBack(deviceName: string, connector: string): Promise<Omit<PushWish, 'comment'>> {
  const way = await findWayBack(await refreshPolicy(), deviceName, connector);
  const targets = [{ deviceName, connector }];
  return way.generation
    ? { certificateId: way.certificateId, targets, action: Action.ROLL_BACK, targetGeneration: way.generation, expects: way.expects, because: way.because }
    : { certificateId: way.certificateId, targets, action: Action.INSTALL, because: way.because };
}
