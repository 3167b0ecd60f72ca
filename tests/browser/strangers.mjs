// What a page of somebody else can try from the same browser, and what a program can try that is no browser.
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { root } from '../integration/js/wire.mjs';

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
  const { hostname, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    const request = http.request({ hostname, port, path, method, headers, agent: false, timeout: 10_000 }, (reply) => {
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

// What a page may send to another origin without asking it first, and what it must ask for; the answers as the page sees them.
export const sendFromPage = (page, url, credentials = 'include') => page.evaluate(async ([target, with_]) => {
  const tries = {
    simple: { method: 'POST', mode: 'no-cors', credentials: with_, headers: { 'content-type': 'text/plain' }, body: 'x' },
    proto: { method: 'POST', mode: 'cors', credentials: with_, headers: { 'content-type': 'application/proto' }, body: new Uint8Array(0) },
    json: { method: 'POST', mode: 'cors', credentials: with_, headers: { 'content-type': 'application/json' }, body: '{}' },
    blob: { method: 'POST', mode: 'no-cors', credentials: with_, body: new Blob(['{}']) },
    read: { method: 'GET', mode: 'cors', credentials: with_ },
  };
  const seen = {};
  for (const [name, options] of Object.entries(tries)) {
    try {
      const reply = await fetch(target, options);
      seen[name] = reply.type === 'opaque' ? 'opaque' : `${reply.status} ${(await reply.text()).slice(0, 80)}`;
    } catch (error) {
      seen[name] = `refused: ${error.message}`;
    }
  }
  return seen;
}, [url, credentials]);

// A form, as the oldest of these tricks has it; the status that the browser got. The page is of no use afterwards.
export async function submitForm(page, url, enctype) {
  const answered = page.waitForResponse((reply) => reply.url() === url, { timeout: 10_000 });
  // Nobody waits for this: its answer goes away with the page.
  page.evaluate(([action, type]) => {
    const form = document.createElement('form');
    Object.assign(form, { method: 'POST', action, enctype: type });
    const field = document.createElement('input');
    Object.assign(field, { name: '{"number":"1"', value: '"}' });
    form.append(field);
    document.body.append(form);
    form.submit();
  }, [url, enctype]).catch(() => {});
  return (await answered).status();
}

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
