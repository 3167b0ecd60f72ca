// Clients that we did not write call every method that operators have: Connect and gRPC, JSON and protobuf, HTTP/1.1 and HTTP/2.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { clients } from './clients.mjs';
import { Deployment } from './harness.mjs';
import { cases } from './methods.mjs';
import { registry, services } from './schema.mjs';

// Those that devices call, on other listeners.
const ofDevices = ['AgentService', 'EnrolmentService'];
const methodOf = (name) => {
  const [service, method] = name.split('/');
  return registry.getService(`countersign.v1.${service}`).methods.find((one) => one.name === method);
};

test('every unary method of an operator service has a case', () => {
  const all = services.filter((service) => !ofDevices.includes(service.name)).flatMap((service) => service.methods)
    .filter((method) => method.methodKind === 'unary').map((method) => `${method.parent.name}/${method.name}`);
  const has = Object.keys(cases);
  assert.deepEqual(all.filter((name) => !has.includes(name)), [], 'methods without a case in methods.mjs');
  assert.deepEqual(has.filter((name) => !all.includes(name)), [], 'cases without a method in proto/');
});

// One client's story from the first case to the last, each as a test of its own.
async function tell(t, deployment, client, n) {
  const key = (name) => crypto.createPrivateKey(fs.readFileSync(path.join(deployment.home, 'operators', `${name}.key`)));
  const call = (name, init, headers) => client.call(methodOf(name), init, { headers });
  const s = { deployment, key, call };
  for (const [name, run] of Object.entries(cases)) {
    const ok = (init, headers) => call(name, init, headers);
    const refused = (code, init, pattern) => assert.rejects(call(name, init), (error) => {
      assert.match(error.code ?? String(error), code instanceof RegExp ? code : new RegExp(`^${code}$`), error.message);
      assert.match(error.message, pattern ?? /./);
      return true;
    });
    await t.test(`${client.name}: ${name}`, () => run({ ok, refused, s, c: { ...client, n } }));
  }
  s.session?.close();
}

test('every client calls every method on the admin socket', async (t) => {
  const deployment = await Deployment.create(t);
  for (const [n, client] of clients({ socket: deployment.socket }).entries()) if (!process.env.ONLY || client.name.match(process.env.ONLY)) await tell(t, deployment, client, n);
});
