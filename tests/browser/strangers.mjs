// What a page of somebody else can try from the same browser, and what a program can try that is no browser. What is tried would
// succeed from the right place: each test shows that, too.
import http from 'node:http';
import https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { encode, root } from '../integration/js/wire.mjs';

// Once, whoever else has loaded it before.
if (!root.get('countersign.v1.SignerService')) root.loadSync('countersign/v1/signer.proto', { keepCase: true });

// Another origin on this machine, with whatever page a test writes for it.
export async function otherSite(t, body = '') {
  const server = http.createServer((_request, reply) => {
    reply.setHeader('content-type', 'text/html; charset=utf-8');
    reply.end(`<!doctype html><html lang="en"><title>Somebody else</title><body>${body}</body></html>`);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

// One request as a program makes it, with any host and any other field: { status, headers, text, body }.
export function ask(origin, path, { method = 'GET', headers = {}, body } = {}) {
  const { protocol, hostname, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    const request = (protocol === 'https:' ? https : http).request({ hostname, port, path, method, headers, agent: false, timeout: 10_000,
      rejectUnauthorized: false }, (reply) => {
      const parts = [];
      reply.on('data', (part) => parts.push(part));
      reply.on('end', () => {
        const bytes = Buffer.concat(parts);
        resolve({ status: reply.statusCode, headers: reply.headers, body: bytes, text: bytes.toString('utf8') });
      });
    });
    request.on('timeout', () => request.destroy(new Error('no answer in 10 s')));
    request.on('error', reject);
    request.end(body);
  });
}

export const call = (origin, method, body = Buffer.alloc(0), headers = {}) =>
  ask(origin, `/countersign.v1.${method}`, { method: 'POST', body, headers: { 'content-type': 'application/proto', 'connect-protocol-version': '1', ...headers } });

// What cancels an open request, as protobuf, as JSON, and as a field of a form that makes JSON of itself.
export const cancelling = (number) => ({ method: 'PushService/CancelRequest', proto: encode('CancelRequestRequest', { number, comment: '=' }),
  json: `{"number":"${number}","comment":"="}`, field: [`{"number":"${number}","comment":"`, '"}'] });

// In every dress in which a page sends something to another origin; gives the statuses of what came there at all.
export async function sendFromPage(page, url, { proto, json }) {
  const statuses = [], note = (reply) => { if (reply.url() === url) statuses.push(reply.status()); };
  page.on('response', note);
  await page.evaluate(async ([target, bytes, text]) => {
    const send = (mode, type, body) => fetch(target, { method: 'POST', mode, credentials: 'include', headers: type ? { 'content-type': type } : {}, body }).catch(() => {});
    const proto = new Uint8Array(bytes);
    for (const mode of ['no-cors', 'cors'])
      for (const type of ['text/plain', 'application/json', 'application/proto']) {
        await send(mode, type, type === 'application/proto' ? proto : text);
        await send(mode, '', new Blob([type === 'application/proto' ? proto : text], { type }));
      }
    navigator.sendBeacon(target, new Blob([text], { type: 'text/plain' }));
    navigator.sendBeacon(target, new Blob([text], { type: 'application/json' }));
  }, [url, [...proto], json]);
  await sleep(300); // nobody hears of a beacon
  page.off('response', note);
  return statuses;
}

// A form, as the oldest of these tricks has it; the status that the browser got. The page is of no use afterwards.
export async function submitForm(page, url, enctype, [name, value]) {
  const answered = page.waitForResponse((reply) => reply.url() === url, { timeout: 10_000 });
  // Nobody waits for this: its answer goes away with the page.
  page.evaluate(([action, type, fieldName, fieldValue]) => {
    const form = document.createElement('form');
    Object.assign(form, { method: 'POST', action, enctype: type });
    const field = document.createElement('input');
    Object.assign(field, { name: fieldName, value: fieldValue });
    form.append(field);
    document.body.append(form);
    form.submit();
  }, [url, enctype, name, value]).catch(() => {});
  return (await answered).status();
}

// What a browser asks before it sends what a page may not send by itself.
export const preflight = (origin, method, from) => ask(origin, `/countersign.v1.${method}`, { method: 'OPTIONS',
  headers: { origin: from, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type', 'sec-fetch-mode': 'cors', 'sec-fetch-site': 'same-site' } });

// Goes to a page that frames `origin`: whether the browser shows what it got there. It says so on its console where it does not.
export async function isFramed(page, site, origin) {
  const said = [], note = (message) => said.push(message.text());
  page.on('console', note);
  const answered = page.waitForResponse((reply) => reply.url() === `${origin}/`, { timeout: 10_000 });
  await page.goto(site);
  const reply = await answered;
  await sleep(500); // what must not be shown cannot be waited for
  page.off('console', note);
  return reply.status() === 200 && !said.some((text) => /frame-ancestors 'none'/.test(text));
}
