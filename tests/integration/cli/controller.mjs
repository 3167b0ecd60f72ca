// A controller in JavaScript for the command line to talk to: as small as the main job allows, it believes everything it
// is told, and it lies where a test wants it to. `lies` has a function for each thing that it can bend on the way out.
import crypto from 'node:crypto';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import grpc from '@grpc/grpc-js';
import { decode, encode, enumOf, payloadType, sha256, signEnvelope } from '../js/wire.mjs';

const colour = enumOf('Colour'), state = enumOf('OrderState'), mode = enumOf('KeyMode'), action = enumOf('Action');
const nowS = () => Math.floor(Date.now() / 1000);
const newKey = () => crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
const spkiOf = (pair) => pair.publicKey.export({ format: 'der', type: 'spki' });
const payloadOf = (envelope) => decode('Envelope', envelope).payload;

export class Refusal extends Error {
  constructor(code, message) { super(message); this.code = code; }
}

// openssl makes what a person's CA would: folder/name.pem and name.key, self-signed.
export function makeCertificate(folder, name, days = 365) {
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', `${days}`,
    '-subj', `/CN=${name}`, '-keyout', path.join(folder, `${name}.key`), '-out', path.join(folder, `${name}.pem`)], { stdio: 'ignore' });
}

export class Device {
  constructor(name) {
    this.name = name;
    this.id = crypto.randomBytes(16);
    this.identity = newKey();
    this.kem = newKey();
    this.generation = 0;
  }

  enrol(tokenText) {
    const token = decode('EnrolmentToken', Buffer.from(tokenText.trim().replace(/^cst1\./, ''), 'base64url'));
    const name = Buffer.from(this.name);
    this.deploymentId = token.deployment_id;
    this.mac = crypto.createHmac('sha256', token.binding).update('countersign/v1/enrol').update(token.deployment_id)
      .update(Buffer.of(name.length)).update(name).update(this.id).update(spkiOf(this.identity)).update(spkiOf(this.kem)).digest();
  }

  enrolment() {
    return { enrolled: true, device_id: this.id, identity_spki: spkiOf(this.identity), kem_spki: spkiOf(this.kem),
      binding_mac: this.mac };
  }

  advertisement() {
    return signEnvelope('device-advertisement', encode('DeviceAdvertisement', { deployment_id: this.deploymentId,
      device_id: this.id, sequence: 1, made_at_s: nowS(), agent_version: '0', platform: 'linux/test',
      connectors: [{ name: 'app', application: 'file', generation: this.generation }],
      payload_types: [payloadType('trust-policy')] }), this.identity.privateKey);
  }

  report(core, request, deciders) {
    return signEnvelope('device-report', encode('DeviceReport', { deployment_id: this.deploymentId, device_id: this.id,
      sequence: 2, made_at_s: nowS(), order_id: core.order_id, connector: core.connector, generation: core.generation,
      attempt: 1, outcome: enumOf('Outcome').OUTCOME_COMPLETED, verdict: 'ok', detail: 'installed',
      installed_digest: core.chain_digest, policy_version: 1, rule: 'default', request_digest: sha256(request),
      requester: decode('PushRequest', request).requester, deciders, decision_digests: [] }), this.identity.privateKey);
  }
}

export class Controller {
  constructor(folder) {
    this.socket = path.join(folder, 's');
    this.messageKey = newKey();
    makeCertificate(folder, 'agent-ca');
    this.agentCa = execFileSync('openssl', ['x509', '-in', path.join(folder, 'agent-ca.pem'), '-outform', 'DER']);
    this.policies = [];
    this.devices = new Map(); // name → { device, admission }
    this.certificates = new Map(); // id in hex → { chain, x509, hasKey, targets }
    this.requests = [];
    this.orders = [];
    this.revision = 1; // rises with every call that is no Get… and no List…
    this.lies = {};
  }

  // What goes out, bent when a test wants so.
  bend(what, value) { return this.lies[what] ? this.lies[what](value) : value; }

  async start() {
    const methods = { ControllerService: ['GetStatus', 'ListAudit', 'GetCheckpoint'], TrustService: ['GetPolicy', 'PublishPolicy'],
      DeviceService: ['CreateToken', 'GetEnrolment', 'AdmitDevice', 'ListDevices', 'GetDevice'],
      CertificateService: ['ImportCertificate', 'ListCertificates', 'GetCertificate', 'Attach', 'Detach', 'GetTopology'],
      PushService: ['PreparePush', 'GetOrderCores', 'SubmitPush', 'Decide', 'CancelRequest', 'ListRequests', 'GetRequest',
        'ListOrders', 'GetOrder'] };
    this.server = new grpc.Server();
    for (const [service, names] of Object.entries(methods)) {
      const definition = {}, handlers = {};
      for (const name of names) {
        definition[name] = { path: `/countersign.v1.${service}/${name}`, requestStream: false, responseStream: false,
          requestSerialize: (m) => encode(`${name}Request`, m), requestDeserialize: (b) => decode(`${name}Request`, b),
          responseSerialize: (m) => encode(`${name}Response`, m), responseDeserialize: (b) => decode(`${name}Response`, b) };
        handlers[name] = (call, reply) => {
          try {
            if (!this[name]) throw new Refusal(grpc.status.UNIMPLEMENTED, `${name} is not here`);
            if (!/^(Get|List)/.test(name)) this.revision++;
            reply(null, this[name](call.request));
          } catch (error) {
            reply({ code: error.code ?? grpc.status.INTERNAL, details: error.message });
          }
        };
      }
      this.server.addService(definition, handlers);
    }
    await new Promise((resolve, reject) => this.server.bindAsync(`unix:${this.socket}`,
      grpc.ServerCredentials.createInsecure(), (error) => error ? reject(error) : resolve()));
  }

  stop() { this.server.forceShutdown(); }

  GetStatus() {
    return { version: 'fake', schema: 1, revision: 1, time_s: nowS(), policy_version: this.policies.length,
      message_key: spkiOf(this.messageKey), agent_ca: this.agentCa, devices: this.devices.size };
  }

  GetCheckpoint() {
    if (!this.policies.length) throw new Refusal(grpc.status.FAILED_PRECONDITION, 'there is no trust policy yet');
    const { deployment_id } = decode('TrustPolicy', payloadOf(this.policies[0]));
    const { key, ...body } = this.bend('checkpoint', { key: this.messageKey.privateKey, deployment_id, revision: this.revision,
      hash: sha256(Buffer.from(`record ${this.revision}`)), made_at_s: nowS() });
    return { envelope: signEnvelope('audit-checkpoint', encode('AuditCheckpoint', body), key) };
  }

  GetPolicy({ version }) {
    const newest = this.policies.length;
    return this.bend('policy', { envelope: this.policies[(version || newest) - 1] ?? Buffer.alloc(0), newest_version: newest });
  }

  PublishPolicy({ envelope }) {
    this.policies.push(envelope);
    return { version: this.policies.length };
  }

  CreateToken() { return {}; }

  GetEnrolment({ device_name }) {
    const entry = this.devices.get(device_name);
    return this.bend('enrolment', entry ? entry.device.enrolment() : { enrolled: false });
  }

  AdmitDevice({ envelope }) {
    this.devices.get(decode('Admission', payloadOf(envelope)).device_name).admission = envelope;
    return {};
  }

  GetDevice({ name }) {
    const entry = this.devices.get(name);
    if (!entry) throw new Refusal(grpc.status.NOT_FOUND, `there is no device ${name}`);
    const { device, admission } = entry;
    return this.bend('device', { device: { name, device_id: device.id, admitted: !!admission, connected: true,
      connectors: [{ name: 'app', application: 'file' }] },
      admission: admission ?? Buffer.alloc(0), advertisement: device.advertisement() });
  }

  ListDevices({ after_name, search }) {
    const names = [...this.devices.keys()].sort().filter((name) => name > after_name && name.startsWith(search ?? ''));
    return { devices: names.map((name) => ({ name, device_id: this.devices.get(name).device.id, connected: true,
      admitted: !!this.devices.get(name).admission, groups: this.devices.get(name).groups ?? [], connectors: [{ name: 'app', application: 'file' }] })) };
  }

  describe(id) {
    const { x509, hasKey, targets } = this.certificates.get(id);
    return { id: Buffer.from(id, 'hex'), common_name: x509.subject.replace(/^CN=/, ''), issuer: x509.issuer,
      not_after_s: Date.parse(x509.validTo) / 1000, not_before_s: Date.parse(x509.validFrom) / 1000,
      key: enumOf('CertificateKey').CERTIFICATE_KEY_P256, key_bits: 256,
      key_mode: hasKey ? mode.KEY_MODE_HELD : mode.KEY_MODE_NONE, attachments: targets.length,
      colour: colour.COLOUR_GREEN, chain_count: 1 };
  }

  ImportCertificate({ certificates, private_key }) {
    const x509 = new crypto.X509Certificate(certificates);
    const id = sha256(x509.raw).toString('hex');
    const existed = this.certificates.has(id);
    this.certificates.set(id, { chain: x509.raw, x509, hasKey: private_key.length > 0, targets: [] });
    return { certificate: this.describe(id), existed };
  }

  ListCertificates({ name }) {
    return this.bend('list', { certificates: [...this.certificates.keys()].map((id) => this.describe(id))
      .filter((c) => !name || c.common_name === name) });
  }

  GetCertificate({ id }) {
    return this.bend('certificate', { certificate: this.describe(id.toString('hex')),
      chain: this.certificates.get(id.toString('hex')).chain });
  }

  Attach({ certificate_id, device_name, connector }) {
    this.certificates.get(certificate_id.toString('hex')).targets.push({ device_name, connector });
    return {};
  }

  GetTopology({ certificate_id }) {
    const id = certificate_id.toString('hex');
    return { certificate: this.describe(id), rows: this.certificates.get(id).targets.map((target) => {
      const order = this.orders.findLast((o) => o.certificate_id.toString('hex') === id && o.device_name === target.device_name);
      return { ...target, application: 'file', connected: true, colour: colour.COLOUR_GREEN, order,
        in_sync: order?.state === state.ORDER_STATE_COMPLETED, pushed: order?.state === state.ORDER_STATE_COMPLETED };
    }) };
  }

  PreparePush({ certificate_id, targets, action: asked }) {
    const { chain, x509, targets: attached } = this.certificates.get(certificate_id.toString('hex'));
    const number = this.requests.length + 1;
    const request = { number, certificate_id, request_id: crypto.randomBytes(16), decisions: [] };
    request.cores = (targets.length ? targets : attached).map(({ device_name, connector }, i) => ({
      order_id: crypto.randomBytes(16), number: this.orders.length + 1 + i, device_name,
      device_id: this.devices.get(device_name).device.id, connector, action: action.ACTION_INSTALL,
      generation: this.devices.get(device_name).device.generation + 1, chain_digest: sha256(chain),
      leaf_spki_digest: sha256(x509.publicKey.export({ format: 'der', type: 'spki' })), key_mode: mode.KEY_MODE_HELD }));
    const none = { key_mode: mode.KEY_MODE_NONE };
    for (const core of request.cores) {
      if (asked === action.ACTION_REMOVE)
        Object.assign(core, none, { action: asked, expects: core.chain_digest, chain_digest: Buffer.alloc(0), leaf_spki_digest: Buffer.alloc(0) });
      if (asked === action.ACTION_ROLL_BACK)
        Object.assign(core, none, { action: asked, expects: sha256(Buffer.from('what is there')), target_generation: 1 });
    }
    this.requests.push(request);
    return { number, request_id: request.request_id, order_count: request.cores.length };
  }

  GetOrderCores({ number, from_index }) {
    const cores = this.bend('cores', structuredClone(this.requests[number - 1].cores));
    return { cores: cores.slice(from_index).map((core) => encode('OrderCore', { ...core,
      order_id: Buffer.from(core.order_id), device_id: Buffer.from(core.device_id), expects: Buffer.from(core.expects ?? []),
      chain_digest: Buffer.from(core.chain_digest), leaf_spki_digest: Buffer.from(core.leaf_spki_digest) })) };
  }

  SubmitPush({ envelope, comment }) {
    const body = decode('PushRequest', payloadOf(envelope));
    const request = this.requests[body.number - 1];
    Object.assign(request, { envelope, comment });
    for (const core of request.cores)
      this.orders.push({ number: core.number, request_number: body.number, device_name: core.device_name,
        connector: core.connector, certificate_id: request.certificate_id, action: core.action,
        generation: core.generation, state: state.ORDER_STATE_PUSH_APPROVAL_PENDING });
    return { number: body.number };
  }

  GetRequest({ number }) {
    const { certificate_id, request_id, envelope, comment, decisions } = this.requests[number - 1];
    const orders = this.orders.filter((o) => o.request_number === number);
    const open = orders.find((o) => o.state < state.ORDER_STATE_COMPLETED);
    return this.bend('request', { request: { number, certificate_id, request_id, comment, order_count: orders.length,
      completed: orders.filter((o) => o.state === state.ORDER_STATE_COMPLETED).length,
      failed: orders.filter((o) => o.state === state.ORDER_STATE_FAILED).length,
      state: (open ?? orders[0])?.state ?? state.ORDER_STATE_PUSH_APPROVAL_PENDING }, envelope, decisions });
  }

  ListRequests() {
    return { requests: this.requests.filter((r) => r.envelope).map((r) => ({ number: r.number, requester: 'bob',
      certificate_name: this.describe(r.certificate_id.toString('hex')).common_name,
      state: state.ORDER_STATE_PUSH_APPROVAL_PENDING, comment: r.comment, order_count: r.cores.length })).reverse() };
  }

  Decide({ number, envelope, comment }) {
    const request = this.requests[number - 1];
    const decision = decode('Decision', payloadOf(envelope));
    request.decisions.push({ envelope, comment });
    const rejected = decision.verdict === enumOf('Verdict').VERDICT_REJECT;
    for (const order of this.orders.filter((o) => o.request_number === number)) {
      order.state = rejected ? state.ORDER_STATE_REJECTED
        : decision.stage === 2 ? state.ORDER_STATE_COMPLETED : state.ORDER_STATE_PUSH_REVIEW_IN_PROGRESS;
    }
    return { state: this.orders.at(-1).state };
  }

  ListOrders({ request_number }) {
    return this.bend('orders', { orders: this.orders.filter((o) => !request_number || o.request_number === request_number).reverse() });
  }

  GetOrder({ number }) {
    if (number === this.later?.order.number) {
      const { order, core } = this.later;
      return this.bend('later', { order, core: encode('OrderCore', core),
        report: this.devices.get(core.device_name).device.report(core, payloadOf(this.requests[0].envelope), []) });
    }
    const order = this.orders[number - 1];
    const request = this.requests[order.request_number - 1];
    const core = request.cores.find((c) => c.number === number);
    const deciders = request.decisions.map((d) => decode('Decision', payloadOf(d.envelope)))
      .map((d) => `${d.stage === 1 ? 'approve' : 'implement'}: ${d.decider}`);
    return this.bend('order', { order, core: encode('OrderCore', core),
      report: this.devices.get(core.device_name).device.report(core, payloadOf(request.envelope), deciders) });
  }
}
