// The controller's methods, by the Connect protocol on the page's own origin. One transport for the whole page; what a call
// carries to say who calls (a bearer token where `countersign console` serves the page, a cookie where the controller does) is
// added here and nowhere else.
import type { DescService } from '@bufbuild/protobuf';
import { type Client, createClient, type Interceptor } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-web';
import { signal } from '@preact/signals';

// The token of `countersign console`; empty where a cookie says who calls.
export const bearer = signal('');

const identify: Interceptor = (next) => (request) => {
  if (bearer.value) request.header.set('authorization', `Bearer ${bearer.value}`);
  return next(request);
};

const transport = createConnectTransport({ baseUrl: '/', useBinaryFormat: true, interceptors: [identify] });

// client(PushService).decide({…}): made once for each service.
const clients = new Map<DescService, unknown>();
export function client<T extends DescService>(service: T): Client<T> {
  let made = clients.get(service) as Client<T> | undefined;
  if (!made) clients.set(service, made = createClient(service, transport));
  return made;
}
