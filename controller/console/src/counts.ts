// What there is, in numbers, for the overview: never by reading everything. Each number comes from at most one page of an index, and
// says so when there is more than the page held.
import { client } from './api/client';
import { type Certificate, CertificateService, CertificateSort, type Colour, ControllerService, type GetStatusResponse, OrderState, PushService } from './gen/countersign/v1/operator_pb';
import { allColours, allStates } from './words';

export interface Count { count: number; more: boolean }   // more: at least so many
export interface Counts {
  status: GetStatusResponse;
  colours: Map<Colour, Count>;
  orders: Map<OrderState, Count>;
  days: number[];              // [n]: how many expire n days from now, from DAYS_OVER days on none
  daysKnown: number;           // the first of them that is counted incompletely; DAYS: none is
}

export const DAYS = 120;
const EXPIRING_PAGES = 6;      // the soonest so many hundreds
export const DAY_S = 86_400;

// When all but one are counted to the end, so is that one.
function fillIn(counts: Map<Colour, Count>, total: number): void {
  const open = [...counts].filter(([, { more }]) => more);
  if (open.length !== 1) return;
  const others = [...counts.values()].reduce((sum, { count, more }) => sum + (more ? 0 : count), 0);
  if (total - others >= open[0]![1].count) counts.set(open[0]![0], { count: total - others, more: false });
}

async function readExpiring(now_s: number, stop: AbortSignal): Promise<{ days: number[]; daysKnown: number }> {
  const days = Array.from({ length: DAYS }, () => 0);
  let pageToken = new Uint8Array(), last: Certificate | undefined, more = true;
  for (let page = 0; page < EXPIRING_PAGES && more; page++) {
    const reply = await client(CertificateService).listCertificates({ limit: 100, expiresFromS: BigInt(now_s), expiresBeforeS: BigInt(now_s + DAYS * DAY_S),
      sort: CertificateSort.NOT_AFTER, pageToken }, { signal: stop });
    for (const certificate of reply.certificates) {
      const day = Math.floor((Number(certificate.notAfterS) - now_s) / DAY_S);
      if (day >= 0 && day < DAYS) days[day]!++;
      last = certificate;
    }
    ({ more } = reply);
    pageToken = reply.nextPageToken as Uint8Array<ArrayBuffer>;
  }
  return { days, daysKnown: more && last ? Math.floor((Number(last.notAfterS) - now_s) / DAY_S) : DAYS };
}

export async function readCounts(stop: AbortSignal): Promise<Counts> {
  const options = { signal: stop };
  const status = await client(ControllerService).getStatus({}, options);
  const colours = new Map<Colour, Count>(), orders = new Map<OrderState, Count>();
  const [expiring] = await Promise.all([
    readExpiring(Number(status.timeS), stop),
    ...allColours.map(async (colour) => {
      const { certificates, more } = await client(CertificateService).listCertificates({ colours: [colour], limit: 100 }, options);
      colours.set(colour, { count: certificates.length, more });
    }),
    ...allStates.map(async (state) => {
      const { orders: found, more } = await client(PushService).listOrders({ state, limit: 50 }, options);
      orders.set(state, { count: found.length, more });
    }),
  ]);
  fillIn(colours, status.certificates);
  return { status, colours, orders, ...expiring };
}
