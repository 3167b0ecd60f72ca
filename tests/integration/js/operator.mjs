// An operator's client on the admin socket: any method by its name, and a whole push signed with the people's key files.
//
//   const operator = await Operator.open(t, deployment);
//   const { requests } = await operator.call('PushService', 'ListRequests', {});
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import grpc from '@grpc/grpc-js';
import { decode, encode, enumOf, sha256, signEnvelope } from './wire.mjs';

const same = (bytes) => bytes;
const nowS = () => Math.floor(Date.now() / 1000);

// The connection went away under the call: whether the command was done is not known.
export function isLost(error) {
  return error.code === grpc.status.UNAVAILABLE || error.code === grpc.status.DEADLINE_EXCEEDED ||
    (error.code === grpc.status.INTERNAL && /RST_STREAM|Stream/.test(error.details ?? ''));
}

export const orderState = enumOf('OrderState');
export const hasEnded = (state) => state >= orderState.ORDER_STATE_COMPLETED;

export class Operator {
  static async open(t, deployment) {
    const operator = new Operator(deployment);
    t.after(() => operator.close());
    operator.status = await operator.call('ControllerService', 'GetStatus', {});
    return operator;
  }

  constructor(deployment) {
    this.home = deployment.home;
    this.client = new grpc.Client(`unix:${deployment.socket}`, grpc.credentials.createInsecure(),
      { 'grpc.initial_reconnect_backoff_ms': 20, 'grpc.max_reconnect_backoff_ms': 50 });
  }

  close() { this.client.close(); }

  key(name) {
    return crypto.createPrivateKey(fs.readFileSync(path.join(this.home, 'operators', `${name}.key`)));
  }

  raw(where, bytes, { timeout_ms = 10_000 } = {}) {
    return new Promise((resolve, reject) => this.client.makeUnaryRequest(where, same, same, bytes, new grpc.Metadata(),
      { deadline: Date.now() + timeout_ms }, (error, reply) => error ? reject(error) : resolve(reply)));
  }

  async call(service, method, body, options) {
    try {
      const reply = await this.raw(`/countersign.v1.${service}/${method}`, encode(`${method}Request`, body), options);
      return decode(`${method}Response`, reply);
    } catch (error) {
      error.message = `${method}: ${error.message}`;
      throw error;
    }
  }

  // Again and again while the controller is away. Only for what may be asked twice.
  async ask(service, method, body) {
    for (const end = Date.now() + 30_000; ;) {
      try {
        return await this.call(service, method, body);
      } catch (error) {
        if (!isLost(error) || Date.now() > end) throw error;
        await sleep(10);
      }
    }
  }

  // ---- a push: each step is a command of its own, so that a caller can repeat the one that was lost

  async prepare(certificate_id, device_name, connector) {
    return this.call('PushService', 'PreparePush', { certificate_id, targets: [{ device_name, connector }] });
  }

  // The signed request for one prepared order.
  async signRequest(prepared, { requester = 'ada', window_s = 3600, max_attempts = 3, ...more } = {}) {
    const { cores } = await this.ask('PushService', 'GetOrderCores', { number: prepared.number });
    const body = { deployment_id: this.status.deployment_id, policy_version: this.status.policy_version, requester,
      request_id: prepared.request_id, number: prepared.number, requested_at_s: nowS(), decide_by_s: nowS() + 3600, window_s,
      max_attempts, order_root: sha256(Buffer.of(0), cores[0]), order_count: 1, comment_digest: sha256(Buffer.alloc(0)), ...more };
    const payload = encode('PushRequest', body);
    return { envelope: signEnvelope('push-request', payload, this.key(requester)), digest: sha256(payload),
      number: prepared.number, core: decode('OrderCore', cores[0]) };
  }

  async submit(request) {
    return this.call('PushService', 'SubmitPush', { envelope: request.envelope });
  }

  signDecision(request, stage, decider, earlier, more = {}) {
    const body = { deployment_id: this.status.deployment_id, policy_version: this.status.policy_version, decider,
      request_digest: request.digest, stage, verdict: enumOf('Verdict').VERDICT_ACCEPT, mode: enumOf('Mode').MODE_MANUAL,
      decided_at_s: nowS(), earlier, comment_digest: sha256(Buffer.alloc(0)), ...more };
    const payload = encode('Decision', body);
    return { envelope: signEnvelope('decision', payload, this.key(decider)), digest: sha256(payload) };
  }

  async decide(request, decision) {
    return this.call('PushService', 'Decide', { number: request.number, envelope: decision.envelope });
  }

  // All of it, where nothing interrupts; gives the request with its order core.
  async push(certificate_id, device_name, connector, terms = {}) {
    const request = await this.signRequest(await this.prepare(certificate_id, device_name, connector), terms);
    await this.submit(request);
    const approved = this.signDecision(request, 1, 'bob', []);
    await this.decide(request, approved);
    await this.decide(request, this.signDecision(request, 2, 'carol', [approved.digest]));
    return request;
  }

  async order(number) {
    return (await this.ask('PushService', 'GetOrder', { number })).order;
  }

  async orders() {
    const all = [];
    for (let before_number = 0; ;) {
      const { orders, more } = await this.ask('PushService', 'ListOrders', { before_number });
      all.push(...orders);
      if (!more) return all;
      before_number = all.at(-1).number;
    }
  }

  async audit(after_revision = 0) {
    const all = [];
    for (;;) {
      const { records, more } = await this.ask('ControllerService', 'ListAudit', { after_revision: all.at(-1)?.revision ?? after_revision });
      all.push(...records);
      if (!more) return all;
    }
  }
}

// Numbers that a seed repeats (mulberry32).
export function random(seed) {
  const next = () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return {
    below: (most) => Math.floor(next() * most),
    bytes: (length) => Buffer.from(Array.from({ length }, () => Math.floor(next() * 256))),
    pick: (list) => list[Math.floor(next() * list.length)],
    chance: (share) => next() < share,
  };
}
