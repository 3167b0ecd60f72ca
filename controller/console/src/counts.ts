// What there is, in numbers, for the overview: counted by the controller in the background, so that nobody reads everything for it.
import { client } from './api/client';
import { type Colour, ControllerService, type GetStatusResponse, type OrderState } from './gen/countersign/v1/operator_pb';

export interface Counted {
  at_s: number;
  colours: Map<Colour, number>;
  orders: Map<OrderState, number>;
  days: number[];              // [n]: how many expire on the n-th day from then
  attached: number;
}

export interface Counts {
  status: GetStatusResponse;
  counted: Counted | undefined;  // undefined: the first count of a controller that has just started is under way
}

export const DAYS = 120;
export const DAY_S = 86_400;
const AGAIN_MS = 1000;

export async function readCounts(stop: AbortSignal, partial: (counts: Counts) => void): Promise<Counts> {
  const options = { signal: stop };
  for (;;) {
    const [status, summary] = await Promise.all([client(ControllerService).getStatus({}, options), client(ControllerService).getSummary({}, options)]);
    if (summary.countedAtS)
      return {
        status,
        counted: {
          at_s: Number(summary.countedAtS), attached: summary.attached, days: Array.from({ length: DAYS }, (_, day) => summary.expiring[day] ?? 0),
          colours: new Map(summary.colours.map(({ colour, certificates }) => [colour, certificates])),
          orders: new Map(summary.orders.map(({ state, orders }) => [state, orders])),
        },
      };
    partial({ status, counted: undefined });
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    stop.throwIfAborted();
  }
}
