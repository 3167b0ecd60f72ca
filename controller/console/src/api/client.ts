// The controller's methods, by the Connect protocol on the page's own origin. One transport for the whole page; what a call
// carries to say who calls (a bearer token where `countersign console` serves the page, a cookie where the controller does) is
// added here and nowhere else.
import type { DescService } from '@bufbuild/protobuf';
import { type Client, Code, ConnectError, createClient, type Interceptor, type Transport } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-web';
import { signal } from '@preact/signals';

// The token of `countersign console`; empty where a cookie says who calls.
export const bearer = signal('');

// Told when a call is answered with UNAUTHENTICATED: session.ts decides what it means.
let onStranger: (error: ConnectError) => void = () => {};
export function whenStranger(told: (error: ConnectError) => void): void {
  onStranger = told;
}
// For a stream, whose refusal comes later than its head.
export const tellStranger = (error: ConnectError): void => onStranger(error);

export const isStranger = (error: unknown): error is ConnectError =>
  error instanceof ConnectError && error.code === Code.Unauthenticated;

const identify: Interceptor = (next) => async (request) => {
  if (bearer.value) request.header.set('authorization', `Bearer ${bearer.value}`);
  try {
    return await next(request);
  } catch (error) {
    if (isStranger(error)) onStranger(error);
    throw error;
  }
};

// Long enough for a push to thousands of devices, and an end to waiting for somebody who went away without a word.
const TIMEOUT_MS = 60_000;

let transport = createConnectTransport({ baseUrl: '/', useBinaryFormat: true, interceptors: [identify], defaultTimeoutMs: TIMEOUT_MS });

// For tests, which have no page. With the interceptor that says who calls.
export function useTransport(make: (interceptors: Interceptor[]) => Transport): void {
  transport = make([identify]);
  clients.clear();
}

// client(PushService).decide({…}): made once for each service.
const clients = new Map<DescService, unknown>();
export function client<T extends DescService>(service: T): Client<T> {
  let made = clients.get(service) as Client<T> | undefined;
  if (!made) clients.set(service, made = createClient(service, transport));
  return made;
}
