// A complete agent in JavaScript over @grpc/grpc-js: enrols with a token, connects by mutual TLS, checks the controller's and the people's
// signatures by its own code, "installs" into a folder and reports. Written from proto/README.md alone.
//
//   node agent.mjs --controller 127.0.0.1:P --enrolment 127.0.0.1:P --name NAME --token cst1.… --state DIR [--pushes N]
//
// Ends with status 0 after N final reports (default 1) were acknowledged; prints one JSON line an event.
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import grpc from '@grpc/grpc-js';
import { decode, decodeStrict, encode, enumOf, hpkeOpen, makeCsr, merkleHolds, openEnvelope, sha256, signEnvelope,
  splitChain } from './wire.mjs';

const { values: options } = parseArgs({ options: {
  controller: { type: 'string' }, enrolment: { type: 'string' }, token: { type: 'string' }, state: { type: 'string' },
  connector: { type: 'string', default: 'app' }, pushes: { type: 'string', default: '1' } } });

const say = (event, more = {}) => console.log(JSON.stringify({ event, ...more }));
const nowS = () => Math.floor(Date.now() / 1000);
const pem = (label, bytes) => `-----BEGIN ${label}-----\n${bytes.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END ${label}-----\n`;
const raw = { requestSerialize: (b) => b, requestDeserialize: (b) => b, responseSerialize: (b) => b, responseDeserialize: (b) => b };
const service = (name, methods) => grpc.makeGenericClientConstructor(Object.fromEntries(
  Object.entries(methods).map(([method, stream]) => [method, { path: `/countersign.v1.${name}/${method}`, requestStream: stream,
    responseStream: stream, ...raw }])), name);

// ---- enrolment

const token = decode('EnrolmentToken', Buffer.from(options.token.replace(/^cst1\./, ''), 'base64url'));
const channelOptions = { 'grpc.ssl_target_name_override': 'countersignd', 'grpc.default_authority': 'countersignd' };

const identity = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
const identitySpki = identity.publicKey.export({ format: 'der', type: 'spki' });
const kem = crypto.createECDH('prime256v1');
kem.generateKeys();
const kemSpki = Buffer.concat([identitySpki.subarray(0, 26), kem.getPublicKey()]);
const deviceId = crypto.randomBytes(16);

async function enrol() {
  const Enrolment = service('EnrolmentService', { Enrol: false });
  const client = new Enrolment(options.enrolment, grpc.credentials.createSsl(Buffer.from(pem('CERTIFICATE', token.agent_ca))),
    channelOptions);
  const name = Buffer.from(token.device_name);
  const binding_mac = crypto.createHmac('sha256', token.binding).update('countersign/v1/enrol').update(token.deployment_id)
    .update(Buffer.of(name.length)).update(name).update(deviceId).update(identitySpki).update(kemSpki).digest();
  const request = encode('EnrolRequest', { authentication: token.authentication, device_name: token.device_name,
    device_id: deviceId, csr: makeCsr(identity.privateKey, token.device_name), kem_spki: kemSpki, binding_mac });
  const reply = await new Promise((resolve, reject) => client.Enrol(request, (error, bytes) => error ? reject(error) : resolve(bytes)));
  client.close();
  return decode('EnrolResponse', reply).certificate;
}

// ---- trust

let policy = null; // { body, digest }
const operatorKeys = () => policy.body.operators.flatMap((operator) => operator.keys.map((key) => key.spki));

function takePolicy(wire) {
  // Its own roots must be pinned or follow; the signature is checked with the roots that the pin or the policy before names.
  const claimed = decodeStrict('TrustPolicy', decodeStrict('Envelope', wire).payload);
  const enough = (roots) => {
    const { signers } = openEnvelope(wire, 'trust-policy', roots.keys);
    if (signers.length < roots.threshold) throw new Error('too few roots signed the policy');
  };
  if (!policy) {
    if (!sha256(encode('RootSet', claimed.roots)).equals(token.roots_digest)) throw new Error('the roots are not the pinned ones');
    if (claimed.version < token.policy_version) throw new Error('the policy is older than the pin allows');
  } else {
    if (claimed.version <= policy.body.version) return;
    if (claimed.version !== policy.body.version + 1 || !claimed.previous_digest.equals(policy.digest))
      throw new Error('the policy does not follow the one before');
    enough(policy.body.roots);
  }
  enough(claimed.roots);
  if (!claimed.deployment_id.equals(token.deployment_id)) throw new Error('the policy is of another deployment');
  policy = { body: claimed, digest: sha256(decodeStrict('Envelope', wire).payload) };
  say('policy', { version: claimed.version });
}

function signerIs(signers, name, role) {
  const operator = policy.body.operators.find((one) => one.name === name);
  if (!operator) throw new Error(`${name} is not an operator`);
  if (!operator.keys.some((key) => signers.some((signer) => signer.equals(key.spki)))) throw new Error(`not signed by ${name}`);
  if (role && !operator.roles.includes(role)) throw new Error(`${name} has not the role`);
}

const commonName = (text) => (text.match(/^CN=(.*)$/m) ?? [])[1] ?? '';

function pickRule(core, leaf) {
  const named = (pattern, name) => pattern.startsWith('*.') ? name.split('.').slice(1).join('.') === pattern.slice(2) : pattern === name;
  const names = leaf ? [commonName(leaf.subject), ...(leaf.subjectAltName ?? '').split(', ')
    .filter((entry) => entry.startsWith('DNS:')).map((entry) => entry.slice(4))] : [];
  const matches = (rule) => (!rule.devices.length || rule.devices.includes(core.device_name)) &&
    (!rule.connectors.length || rule.connectors.includes(core.connector)) &&
    (!rule.issuers.length || (leaf && rule.issuers.includes(commonName(leaf.issuer)))) &&
    (!rule.names.length || names.some((name) => rule.names.some((pattern) => named(pattern, name))));
  const people = (rule) => rule.stages.reduce((sum, stage) => sum + stage.required, 0);
  return policy.body.rules.find(matches) ??
    [...policy.body.rules].sort((a, b) => people(b) - people(a) || b.stages.length - a.stages.length)[0];
}

// Throws what the device would refuse; returns who decided and the window.
function evaluate(request, decisionWires, rule, orderIndex) {
  const Role = enumOf('Role'), Mode = enumOf('Mode'), Verdict = enumOf('Verdict');
  signerIs(request.signers, request.body.requester, Role.ROLE_REQUESTER);
  const counted = rule.stages.map(() => new Set());
  const everyone = new Set();
  const earlier = [];
  const deciders = [];
  let start = request.body.requested_at_s;
  for (const wire of decisionWires) {
    const { payload, digest, signers } = openEnvelope(wire, 'decision', operatorKeys());
    const decision = decodeStrict('Decision', payload);
    const stage = rule.stages[decision.stage - 1];
    if (!decision.deployment_id.equals(policy.body.deployment_id)) throw new Error('decision of another deployment');
    if (!decision.request_digest.equals(request.digest)) throw new Error('decision on another request');
    if (decision.earlier.length !== earlier.length || !decision.earlier.every((one, i) => one.equals(earlier[i])))
      throw new Error('decision made on a stale list');
    if (decision.decided_at_s > request.body.decide_by_s) throw new Error('decided too late');
    if (decision.policy_version > policy.body.version) throw new Error('the policy here is too old');
    if (!stage) throw new Error('no such stage');
    signerIs(signers, decision.decider, stage.role);
    if (stage.operators.length && !stage.operators.includes(decision.decider)) throw new Error('not named in the stage');
    if (decision.decider === request.body.requester && !rule.requester_may_decide) throw new Error('the requester decided');
    earlier.push(digest);
    const covers = decision.orders.length === 0 || (decision.orders[orderIndex >> 3] >> (orderIndex & 7)) & 1;
    if (!covers) continue;
    if (everyone.has(decision.decider)) throw new Error('the same person twice');
    everyone.add(decision.decider);
    if (decision.verdict !== Verdict.VERDICT_ACCEPT) throw new Error('rejected');
    const open = counted.findIndex((people, i) => people.size < rule.stages[i].required);
    if (open !== decision.stage - 1) throw new Error('the stage is not open');
    counted[open].add(decision.decider);
    deciders.push(`${stage.name}: ${decision.decider}`);
    start = Math.max(start, decision.decided_at_s, decision.mode === Mode.MODE_SCHEDULED ? decision.not_before_s : 0);
  }
  if (counted.some((people, i) => people.size < rule.stages[i].required)) throw new Error('not every stage is satisfied');
  return { deciders, digests: earlier, start, end: start + request.body.window_s };
}

const generations = new Map();
const kept = new Map(); // generation: what was installed with it

// The chain that the order leaves: the message's, the kept one that comes back, or none.
function chainOf(core, message) {
  const Action = enumOf('Action');
  if (core.action !== Action.ACTION_INSTALL && (message.chain.length || message.sealed_key)) throw new Error('a chain or key came along');
  if (core.action === Action.ACTION_REMOVE) return {};
  if (core.action === Action.ACTION_ROLL_BACK && !kept.has(core.target_generation)) throw new Error('the generation is gone');
  const bytes = core.action === Action.ACTION_ROLL_BACK ? kept.get(core.target_generation).bytes : message.chain;
  if (!sha256(bytes).equals(core.chain_digest)) throw new Error('another chain than decided');
  const chain = splitChain(bytes);
  const leafSpki = chain[0].publicKey.export({ format: 'der', type: 'spki' });
  if (!sha256(leafSpki).equals(core.leaf_spki_digest)) throw new Error('another key than decided');
  for (let i = 0; i + 1 < chain.length; i++)
    if (!chain[i].verify(chain[i + 1].publicKey)) throw new Error('the chain does not chain');
  return { chain, leafSpki };
}

function decide(delivery) {
  const batch = openEnvelope(delivery.batch, 'push-batch', policy.body.message_keys);
  const batchBody = decodeStrict('PushBatch', batch.payload);
  if (!batchBody.deployment_id.equals(policy.body.deployment_id)) throw new Error('batch of another deployment');
  if (!merkleHolds(batchBody.root, batchBody.count, delivery.index, delivery.message, delivery.proof))
    throw new Error('the message is not in the batch');
  const message = decodeStrict('PushMessage', delivery.message);
  const requestEnvelope = openEnvelope(message.request, 'push-request', operatorKeys());
  const request = { ...requestEnvelope, body: decodeStrict('PushRequest', requestEnvelope.payload) };
  if (!request.body.deployment_id.equals(policy.body.deployment_id)) throw new Error('request of another deployment');
  if (request.body.policy_version > policy.body.version) throw new Error('the policy here is too old');
  if (!merkleHolds(request.body.order_root, request.body.order_count, message.order_index, message.order_core, message.order_proof))
    throw new Error('the order is not in the request');
  const core = decodeStrict('OrderCore', message.order_core);
  if (!core.device_id.equals(deviceId) || core.device_name !== token.device_name) throw new Error('the order is for another device');
  if (core.connector !== options.connector) throw new Error('no such connector');
  if (core.generation <= (generations.get(core.connector) ?? 0)) throw new Error('generation seen before');
  const { chain, leafSpki } = chainOf(core, message);
  const rule = pickRule(core, chain?.[0]);
  const decided = evaluate(request, message.decisions, rule, message.order_index);
  if (nowS() < decided.start || nowS() >= decided.end) throw new Error('outside the window');
  const expected = core.expects.equals(Buffer.alloc(32)) ? Buffer.alloc(0) : core.expects;
  if (core.expects.length && !expected.equals(installedDigest)) throw new Error('something else is installed');
  if (core.action === enumOf('Action').ACTION_REMOVE) return { core, request, rule, decided };
  if (core.action === enumOf('Action').ACTION_ROLL_BACK)
    return { core, request, rule, decided, chain, key: kept.get(core.target_generation).key };
  const info = Buffer.concat([Buffer.from('countersign/v1/sealed-key'), policy.body.deployment_id, deviceId, core.order_id]);
  const plain = hpkeOpen(kem, kem.getPublicKey(), message.sealed_key.enc, info, message.order_core, message.sealed_key.ciphertext);
  const pkcs8 = decode('SealedKeyPlain', plain).pkcs8;
  const key = crypto.createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  if (!crypto.createPublicKey(key).export({ format: 'der', type: 'spki' }).equals(leafSpki)) throw new Error('the key does not fit');
  return { core, request, rule, decided, chain, key };
}

// ---- the session

const certificate = await enrol();
say('enrolled', { device: token.device_name, device_id: deviceId.toString('hex') });

const Agent = service('AgentService', { Connect: true });
const agent = new Agent(options.controller, grpc.credentials.createSsl(Buffer.from(pem('CERTIFICATE', token.agent_ca)),
  Buffer.from(identity.privateKey.export({ format: 'pem', type: 'pkcs8' })),
  Buffer.from(pem('CERTIFICATE', certificate))), channelOptions);
const stream = agent.Connect();
const send = (body) => stream.write(encode('AgentMessage', body));

let sequence = 0;
let installedDigest = Buffer.alloc(0);
const finals = new Set(); // sequences of final reports that wait for their acknowledgement
let left = Number(options.pushes);

const statement = (kind, name, fields) => {
  sequence += 1;
  send({ statement: signEnvelope(kind, encode(name, { deployment_id: token.deployment_id, device_id: deviceId, sequence,
    made_at_s: nowS(), ...fields }), identity.privateKey) });
  return sequence;
};

const advertise = () => statement('device-advertisement', 'DeviceAdvertisement', { agent_version: 'js-0', platform: 'node/js',
  connectors: [{ name: options.connector, application: 'file', generation: generations.get(options.connector) ?? 0,
    installed_digest: installedDigest }],
  payload_types: ['push-request', 'decision', 'push-batch'].map((kind) => `application/vnd.countersign.${kind}.v1`) });

function takePush(delivery) {
  const Outcome = enumOf('Outcome');
  let accepted;
  try {
    accepted = decide(delivery);
  } catch (error) {
    say('refused', { reason: error.message });
    const core = decode('OrderCore', decode('PushMessage', delivery.message).order_core);
    finals.add(statement('device-report', 'DeviceReport', { order_id: core.order_id, connector: core.connector,
      generation: core.generation, attempt: 1, outcome: Outcome.OUTCOME_REFUSED, verdict: 'refused', detail: error.message,
      policy_version: policy?.body.version ?? 0 }));
    return;
  }
  const { core, request, rule, decided, chain, key } = accepted;
  generations.set(core.connector, core.generation);
  const file = (name) => path.join(options.state, name);
  if (chain) {
    fs.writeFileSync(file('chain.pem'), chain.map((one) => one.toString()).join(''));
    fs.writeFileSync(file('key.pem'), key.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 });
    kept.set(core.generation, { bytes: Buffer.concat(chain.map((one) => one.raw)), key });
  } else {
    fs.rmSync(file('chain.pem'));
    fs.rmSync(file('key.pem'));
  }
  installedDigest = core.chain_digest; // of a removal: empty
  const common = { order_id: core.order_id, connector: core.connector, generation: core.generation, attempt: 1,
    policy_version: policy.body.version, rule: rule.name, request_digest: request.digest, requester: request.body.requester,
    deciders: decided.deciders, decision_digests: decided.digests, installed_digest: installedDigest, verdict: 'ok' };
  statement('device-report', 'DeviceReport', { ...common, outcome: Outcome.OUTCOME_ACCEPTED, detail: 'decided' });
  finals.add(statement('device-report', 'DeviceReport', { ...common, outcome: Outcome.OUTCOME_COMPLETED, detail: 'installed' }));
  say(chain ? 'installed' : 'removed', { order: Number(core.number), connector: core.connector, generation: core.generation, deciders: decided.deciders });
}

stream.on('data', (bytes) => {
  const message = decode('ControllerMessage', bytes);
  if (message.body === 'welcome') {
    say('welcome', { admitted: message.welcome.admitted, policy_version: message.welcome.policy_version });
    advertise();
  } else if (message.body === 'policy') {
    takePolicy(message.policy);
  } else if (message.body === 'push') {
    takePush(message.push);
  } else if (message.body === 'ack') {
    say('acknowledged', { sequence: message.ack.sequence });
    for (const final of finals) if (final <= message.ack.sequence) { finals.delete(final); left -= 1; }
    if (left <= 0) stream.end();
  } else if (message.body === 'challenge') {
    send({ challenge_answer: { challenge: message.challenge.challenge, process_nonce: nonce } });
  }
});
const nonce = crypto.randomBytes(16);
stream.on('error', (error) => { say('error', { code: error.code, message: error.details }); process.exit(left <= 0 ? 0 : 1); });
stream.on('end', () => process.exit(left <= 0 ? 0 : 1));
send({ hello: { agent_version: 'js-0', process_nonce: nonce, policy_version: 0, sequence: 0 } });
