// Every unary method that operators' clients may call, as one client's story: each case calls its method with a meaningful success, and
// with what must be refused. The order is the story's; a method of proto/ without a case fails the test that walks them.
//
// A case gets { ok, refused, s, c }: `ok(init)` gives the reply; `refused(code, init, pattern)` wants this refusal; `s` is what the story
// knows so far; `c` is the client: where it calls, and the number that makes its names its own.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { bundle, makeCertificate, makeCrl } from './certificates.mjs';
import { makeDevice } from './device.mjs';
import { until } from './harness.mjs';
import { sealKey } from './hpke.mjs';
import { enumOf } from './schema.mjs';
import { decode, encode, sha256, signEnvelope } from './wire.mjs';

const nowS = () => Math.floor(Date.now() / 1000);
const buffer = (bytes) => Buffer.from(bytes);
const words = { state: enumOf('OrderState'), mode: enumOf('KeyMode'), colour: enumOf('Colour'), keyRequest: enumOf('KeyRequestState') };
const SERVING = 1; // of grpc.health.v1
const unknownId = Buffer.alloc(32, 7);
const noComment = sha256(Buffer.alloc(0));

function signed(s, kind, name, body, by) {
  const payload = encode(name, { deployment_id: s.deploymentId, policy_version: s.policyVersion, ...body });
  return { envelope: signEnvelope(kind, payload, s.key(by)), digest: sha256(payload) };
}

const signRequest = (s, prepared, cores) => signed(s, 'push-request', 'PushRequest', { requester: 'ada', request_id: buffer(prepared.requestId),
  number: prepared.number, requested_at_s: nowS(), decide_by_s: nowS() + 3600, window_s: 3600, max_attempts: 3,
  order_root: sha256(Buffer.of(0), cores[0]), order_count: 1, comment_digest: sha256('renewal') }, 'ada');
const signDecision = (s, request, stage, decider, earlier) => signed(s, 'decision', 'Decision', { decider, request_digest: request.digest, stage,
  verdict: 1, mode: 1, decided_at_s: nowS(), earlier, comment_digest: noComment }, decider);

// What opens a session for `name`, signed by somebody.
async function opening(s, name, by = name) {
  const { challenge, deploymentId, policyVersion } = await s.call('SessionService/GetChallenge', {});
  return signed({ ...s, deploymentId: buffer(deploymentId), policyVersion }, 'session-opening', 'SessionOpening',
    { operator: name, challenge: buffer(challenge), made_at_s: nowS(), server_spki_digest: s.serverSpkiDigest }, by).envelope;
}

// The headers that say that `name` calls; `s` is a story that has a key and a call.
export async function signIn(s, name) {
  const { token } = await s.call('SessionService/OpenSession', { envelope: await opening(s, name) });
  return { authorization: `Bearer ${token}` };
}

export const cases = {
  async 'ControllerService/GetStatus'({ ok, s }) {
    const status = await ok({});
    assert.match(status.version, /^\d+\.\d+/);
    assert.equal(status.deploymentId.length, 16);
    Object.assign(s, { deploymentId: buffer(status.deploymentId), policyVersion: status.policyVersion, agentCa: buffer(status.agentCa) });
  },

  async 'Health/Check'({ ok, refused }) {
    assert.equal((await ok({})).status, SERVING);
    assert.equal((await ok({ service: 'countersign.v1.PushService' })).status, SERVING);
    await refused('not_found', { service: 'nothing' }, /no service nothing/);
  },

  // ---- sessions: whoever has an operator's key

  async 'SessionService/GetChallenge'({ ok, s }) {
    const { challenge, deploymentId, policyVersion } = await ok({});
    assert.equal(challenge.length, 32);
    assert.deepEqual([buffer(deploymentId), policyVersion], [s.deploymentId, s.policyVersion]);
  },
  async 'SessionService/OpenSession'({ ok, refused, s }) {
    await refused(/unauthenticated|permission_denied/, { envelope: await opening(s, 'ada', 'bob') });
    const envelope = await opening(s, 'ada');
    const { token, expiresAtS } = await ok({ envelope });
    assert.ok(token.length >= 22);
    assert.ok(expiresAtS > nowS());
    await refused(/unauthenticated|permission_denied|failed_precondition|not_found/, { envelope });
    s.bearer = { authorization: `Bearer ${token}` };
  },
  async 'SessionService/WhoAmI'({ ok, s, c }) {
    const who = await ok({}, s.bearer);
    // On the socket its peer says who calls.
    assert.equal(who.operator, c.place.socket ? '' : 'ada');
    assert.ok(who.operators.includes('ada'));
  },
  async 'SessionService/ListSessions'({ ok, s, c }) {
    const { sessions, more } = await ok({}, s.bearer);
    assert.equal(more, false);
    const id = sha256(Buffer.from(s.bearer.authorization.slice('Bearer '.length), 'base64'));
    const own = sessions.find((one) => buffer(one.id).equals(id));
    assert.deepEqual([own.operator, own.keyKind, own.own], ['ada', 1, !c.place.socket]);
    assert.ok(own.expiresAtS > own.seenAtS && own.seenAtS >= own.openedAtS);
  },
  async 'SessionService/EndSession'({ ok, refused, s, c }) {
    const other = await signIn(s, 'bob'), id = sha256(Buffer.from(other.authorization.slice('Bearer '.length), 'base64'));
    await ok({ id });
    await refused('not_found', { id }, /no session with this id/);
    if (c.place.url) await assert.rejects(s.call('SessionService/WhoAmI', {}, other), { code: 'unauthenticated' });
  },
  async 'SessionService/CreatePairing'({ ok, refused, s }) {
    s.link = { authentication: crypto.randomBytes(32), binding: crypto.randomBytes(32) };
    const request = { operator: 'bob', authenticationDigest: sha256(s.link.authentication), expiresAtS: BigInt(nowS() + 600) };
    await ok(request);
    await refused('already_exists', request, /exists already/);
    await refused('not_found', { ...request, operator: 'nobody' }, /nobody is no operator/);
    await refused('invalid_argument', { ...request, expiresAtS: BigInt(nowS() + 3600) }, /within ten minutes/);
  },
  async 'SessionService/Pair'({ ok, refused, s }) {
    s.browser = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'der', type: 'spki' });
    const mac = crypto.createHmac('sha256', s.link.binding).update('countersign/v1/pair').update(s.deploymentId).update(s.browser).digest();
    const request = { authentication: s.link.authentication, spki: s.browser, bindingMac: mac };
    await refused('permission_denied', { ...request, authentication: crypto.randomBytes(32) }, /this link is not good/);
    for (let times = 0; times < 2; times++) assert.equal((await ok(request)).operator, 'bob');
  },
  async 'SessionService/GetPairing'({ ok, refused, s }) {
    const { operator, spki, bindingMac } = await ok({ authenticationDigest: sha256(s.link.authentication) });
    assert.deepEqual([operator, buffer(spki)], ['bob', s.browser]);
    assert.equal(bindingMac.length, 32);
    await refused('not_found', { authenticationDigest: unknownId }, /no such pairing/);
  },
  async 'SessionService/CloseSession'({ ok, s, c }) {
    await ok({}, s.bearer);
    if (c.place.url) await assert.rejects(s.call('SessionService/WhoAmI', {}, s.bearer), { code: 'unauthenticated' });
  },

  // ---- trust

  async 'TrustService/GetPolicy'({ ok, refused, s }) {
    const { envelope, newestVersion } = await ok({});
    assert.equal(newestVersion, s.policyVersion);
    assert.deepEqual(decode('TrustPolicy', decode('Envelope', buffer(envelope)).payload).deployment_id, s.deploymentId);
    s.policy = buffer(envelope);
    await refused('not_found', { version: 4000 }, /there is no trust policy of version 4000/);
  },
  async 'TrustService/PublishPolicy'({ refused, s }) {
    await refused(/invalid_argument|failed_precondition|aborted|already_exists/, { envelope: s.policy });
    await refused('invalid_argument', { envelope: Buffer.from('no envelope') });
  },

  // ---- a device from its token to its first words

  async 'DeviceService/CreateToken'({ ok, refused, s, c }) {
    s.token = { deployment_id: s.deploymentId, device_name: `gw-${c.n}`, authentication: crypto.randomBytes(16), binding: crypto.randomBytes(16),
      agent_ca: s.agentCa };
    const request = { deviceName: s.token.device_name, authenticationDigest: sha256(s.token.authentication), expiresAtS: BigInt(nowS() + 600) };
    await ok(request);
    await refused('invalid_argument', { ...request, deviceName: '../etc' }, /not allowed/);
  },
  async 'DeviceService/GetEnrolment'({ ok, refused, s }) {
    const deviceName = s.token.device_name;
    assert.equal((await ok({ deviceName })).enrolled, false);
    s.device = makeDevice(s.deployment, s.token);
    await s.device.enrol();
    s.enrolment = await ok({ deviceName });
    assert.ok(s.enrolment.enrolled && !s.enrolment.admitted);
    assert.deepEqual(buffer(s.enrolment.deviceId), s.device.device_id);
    await refused('not_found', { deviceName: 'nobody' });
  },
  async 'DeviceService/AdmitDevice'({ ok, refused, s }) {
    const body = { device_name: s.token.device_name, device_id: s.device.device_id, identity_spki: buffer(s.enrolment.identitySpki),
      kem_spki: buffer(s.enrolment.kemSpki), admitted_at_s: nowS() };
    await refused(/permission_denied|unauthenticated/, { envelope: signed(s, 'admission', 'Admission', { ...body, admin: 'bob' }, 'bob').envelope });
    await ok({ envelope: signed(s, 'admission', 'Admission', { ...body, admin: 'ada' }, 'ada').envelope });
  },
  async 'DeviceService/GetDevice'({ ok, refused, s }) {
    s.session = s.device.connect();
    await until('welcome', () => s.session.messages.some((message) => message.body === 'welcome'));
    s.session.send({ statement: s.device.advertisement() });
    const known = await until('the device advertises', async () => {
      const reply = await ok({ name: s.token.device_name });
      return reply.device.connectors.length > 0 && reply;
    });
    assert.ok(known.device.admitted && known.device.connected && known.admission.length > 0);
    assert.equal(known.device.connectors[0].name, 'app');
    await refused('not_found', { name: 'nobody' }, /nobody/);
  },
  async 'DeviceService/ListDevices'({ ok, s }) {
    const { devices } = await ok({ search: s.token.device_name });
    assert.deepEqual(devices.map(({ name, connected }) => [name, connected]), [[s.token.device_name, true]]);
  },
  async 'DeviceService/SetDeviceGroups'({ ok, refused, s, c }) {
    await ok({ deviceName: s.token.device_name, groups: [`edge-${c.n}`] });
    const { devices } = await s.call('DeviceService/ListDevices', { group: `edge-${c.n}` });
    assert.deepEqual(devices.map((one) => one.groups), [[`edge-${c.n}`]]);
    await refused('not_found', { deviceName: 'nobody', groups: ['edge'] });
  },

  // ---- certificates and where they belong

  async 'CertificateService/ImportCertificate'({ ok, refused, s, c }) {
    s.ca = makeCertificate(`Test CA ${c.n}`, { ca: true });
    s.leaf = makeCertificate(`client-${c.n}.example`, { issuer: s.ca });
    const pem = Buffer.from(bundle(s.leaf, s.ca));
    const { certificate, existed } = await ok({ certificates: pem });
    assert.equal(existed, false);
    assert.equal(certificate.commonName, s.leaf.commonName);
    assert.equal(certificate.keyMode, words.mode.KEY_MODE_HELD);
    assert.deepEqual(buffer(certificate.id), s.leaf.id);
    assert.equal((await ok({ certificates: pem })).existed, true);
    await refused('invalid_argument', { certificates: Buffer.from('no certificate') });
    s.renewed = makeCertificate(s.leaf.commonName, { issuer: s.ca, days: 80 });
    await ok({ certificates: Buffer.from(s.renewed.pem + s.ca.pem), privateKey: Buffer.from(s.renewed.keyPem) });
  },
  async 'CertificateService/ListCertificates'({ ok, s }) {
    const { certificates, more } = await ok({ name: s.leaf.commonName });
    assert.equal(more, false);
    assert.deepEqual(certificates.map((one) => buffer(one.id).toString('hex')).sort(), [s.leaf.id, s.renewed.id].map((id) => id.toString('hex')).sort());
  },
  async 'CertificateService/GetCertificate'({ ok, refused, s }) {
    const { certificate, chain } = await ok({ id: s.leaf.id });
    assert.equal(Number(certificate.notAfterS), Date.parse(new crypto.X509Certificate(s.leaf.der).validTo) / 1000);
    assert.deepEqual(buffer(chain), Buffer.concat([s.leaf.der, s.ca.der]));
    await refused('not_found', { id: unknownId });
    await refused('invalid_argument', { id: Buffer.alloc(3) });
  },
  async 'CertificateService/SetCertificateGroups'({ ok, refused, s, c }) {
    await ok({ certificateId: s.leaf.id, groups: [`shop-${c.n}`] });
    const { certificates } = await s.call('CertificateService/ListCertificates', { group: `shop-${c.n}` });
    assert.deepEqual(certificates.map((one) => one.groups), [[`shop-${c.n}`]]);
    await refused('not_found', { certificateId: unknownId, groups: ['shop'] });
  },
  async 'CertificateService/Attach'({ ok, refused, s }) {
    await ok({ certificateId: s.leaf.id, deviceName: s.token.device_name, connector: 'app' });
    await refused('not_found', { certificateId: s.leaf.id, deviceName: s.token.device_name, connector: 'mail' }, /mail/);
  },
  async 'CertificateService/AttachLike'({ ok, refused, s }) {
    const { attached, attachments } = await ok({ certificateId: s.renewed.id, likeCertificateId: s.leaf.id });
    assert.deepEqual([attached, attachments], [1, 1]);
    await refused('not_found', { certificateId: s.renewed.id, likeCertificateId: unknownId });
  },
  async 'CertificateService/GetTopology'({ ok, refused, s }) {
    const { certificate, rows } = await ok({ certificateId: s.leaf.id });
    assert.equal(certificate.attachments, 1);
    assert.deepEqual(rows.map((row) => [row.deviceName, row.connector, row.connected]), [[s.token.device_name, 'app', true]]);
    await refused('not_found', { certificateId: unknownId });
  },
  async 'DeviceService/GetDeviceTopology'({ ok, refused, s }) {
    const { device, rows } = await ok({ deviceName: s.token.device_name });
    assert.equal(device.name, s.token.device_name);
    assert.equal(rows.length, 2);
    await refused('not_found', { deviceName: 'nobody' });
  },

  // ---- a push: prepared, signed, decided, done

  async 'PushService/ExplainPush'({ ok, refused, s }) {
    const { needs } = await ok({ certificateId: s.leaf.id, targets: [{ deviceName: s.token.device_name, connector: 'app' }], requester: 'ada' });
    assert.deepEqual(needs.map((need) => [need.orders, need.stages.map((stage) => [stage.name, stage.people])]),
      [[1, [['approve', ['bob']], ['implement', ['carol']]]]]);
    await refused('not_found', { certificateId: unknownId });
  },
  async 'PushService/PreparePush'({ ok, refused, s }) {
    const targets = [{ deviceName: s.token.device_name, connector: 'app' }];
    s.sealing = await ok({ certificateId: s.leaf.id, targets, keyMode: words.mode.KEY_MODE_SEALED });
    s.cancelled = await ok({ certificateId: s.leaf.id, targets });
    s.prepared = await ok({ certificateId: s.leaf.id, targets });
    assert.equal(s.prepared.orderCount, 1);
    await refused('not_found', { certificateId: unknownId, targets });
  },
  async 'PushService/GetOrderCores'({ ok, refused, s }) {
    const { cores, more } = await ok({ number: s.prepared.number });
    assert.equal(more, false);
    assert.equal(decode('OrderCore', buffer(cores[0])).device_name, s.token.device_name);
    s.cores = cores.map(buffer);
    s.cancelledCores = (await ok({ number: s.cancelled.number })).cores.map(buffer);
    s.sealingCores = (await ok({ number: s.sealing.number })).cores.map(buffer);
    await refused('not_found', { number: 2n ** 60n });
  },
  async 'PushService/PutSealedKeys'({ ok, refused, s }) {
    const { order_id } = decode('OrderCore', s.sealingCores[0]);
    const key = await sealKey(buffer(s.enrolment.kemSpki), { deployment_id: s.deploymentId, device_id: s.device.device_id, order_id, core: s.sealingCores[0] },
      s.leaf.key.privateKey.export({ format: 'der', type: 'pkcs8' }));
    await ok({ number: s.sealing.number, keys: [key] });
    await refused(/invalid_argument|failed_precondition/, { number: s.prepared.number, keys: [key] });
  },
  async 'PushService/SubmitPush'({ ok, refused, s }) {
    s.request = signRequest(s, s.prepared, s.cores);
    await refused('invalid_argument', { envelope: s.request.envelope, comment: 'another comment' }, /not the one that was signed/);
    assert.equal((await ok({ envelope: s.request.envelope, comment: 'renewal' })).number, s.prepared.number);
    await ok({ envelope: signRequest(s, s.cancelled, s.cancelledCores).envelope, comment: 'renewal' });
  },
  async 'PushService/CancelRequest'({ ok, refused, s }) {
    assert.equal((await ok({ number: s.cancelled.number, comment: 'a mistake' })).cancelled, 1);
    await refused('not_found', { number: 2n ** 60n });
  },
  async 'PushService/Decide'({ ok, refused, s }) {
    const [bob, carol] = [await s.as('bob'), await s.as('carol')];
    const number = s.prepared.number, first = signDecision(s, s.request, 1, 'bob', []);
    const decision = (stage, decider, earlier) => ({ number, envelope: signDecision(s, s.request, stage, decider, earlier).envelope });
    await refused(/permission_denied|unauthenticated/, decision(1, 'carol', []), /./, carol);
    assert.equal((await ok({ number, envelope: first.envelope }, bob)).state, words.state.ORDER_STATE_PUSH_REVIEW_IN_PROGRESS);
    await refused(/aborted|failed_precondition/, decision(2, 'carol', []), /./, carol);
    const last = decision(2, 'carol', [first.digest]);
    const { state } = await ok(last, carol);
    assert.ok(state >= words.state.ORDER_STATE_PUSH_SCHEDULED);
    // Sent again after a lost answer, the same bytes are told how things stand; the same words in another envelope come too late.
    assert.ok((await ok({ number, envelope: first.envelope }, bob)).state >= words.state.ORDER_STATE_PUSH_SCHEDULED);
    assert.ok((await ok(last, carol)).state >= words.state.ORDER_STATE_PUSH_SCHEDULED);
    await refused(/aborted|failed_precondition/, decision(2, 'carol', [first.digest]), /./, carol);
  },
  async 'PushService/ListRequests'({ ok, s }) {
    const { requests } = await ok({ limit: 50 });
    const one = requests.find(({ number }) => number === s.prepared.number);
    assert.deepEqual([one.requester, one.comment, one.orderCount, one.certificateName], ['ada', 'renewal', 1, s.leaf.commonName]);
  },
  async 'PushService/GetRequest'({ ok, refused, s }) {
    const { envelope, decisions } = await ok({ number: s.prepared.number });
    assert.deepEqual(buffer(envelope), s.request.envelope);
    assert.equal(decisions.length, 2);
    await refused('not_found', { number: 2n ** 60n });
  },
  async 'PushService/ListOrders'({ ok, s }) {
    const { orders } = await ok({ requestNumber: s.prepared.number });
    assert.deepEqual(orders.map((order) => [order.deviceName, order.connector]), [[s.token.device_name, 'app']]);
    s.order = orders[0].number;
  },
  async 'PushService/GetOrder'({ ok, refused, s }) {
    // The delivery comes on the device's stream; what it answers is what the operator sees.
    const { push } = await until('the delivery', () => s.session.messages.find((message) => message.body === 'push'));
    const core = decode('OrderCore', decode('PushMessage', push.message).order_core);
    s.session.send({ statement: s.device.state('device-report', 'DeviceReport', { order_id: core.order_id, connector: 'app', generation: core.generation,
      attempt: 1, outcome: 4, verdict: 'no-space', detail: 'nothing was touched', policy_version: s.policyVersion }) });
    const done = await until('the report', async () => {
      const reply = await ok({ number: s.order });
      return reply.order.state === words.state.ORDER_STATE_FAILED && reply;
    });
    assert.match(done.order.reason, /no-space/);
    assert.deepEqual(buffer(done.core), s.cores[0]);
    assert.ok(done.report.length > 0);
    await refused('not_found', { number: 2n ** 60n });
  },
  async 'CertificateService/Detach'({ ok, refused, s }) {
    await ok({ certificateId: s.renewed.id, deviceName: s.token.device_name, connector: 'app' });
    await refused('not_found', { certificateId: s.renewed.id, deviceName: s.token.device_name, connector: 'app' });
  },

  // ---- a key that is made on the device

  async 'CertificateService/RequestKey'({ ok, refused, s }) {
    s.keyRequestId = crypto.randomBytes(16);
    const body = { requester: 'ada', key_request_id: s.keyRequestId, device_id: s.device.device_id, connector: 'app', common_name: s.leaf.commonName,
      requested_at_s: nowS(), expires_at_s: nowS() + 3600 };
    await refused(/permission_denied|unauthenticated/, { envelope: signed(s, 'key-request', 'KeyRequest', { ...body, requester: 'bob' }, 'bob').envelope });
    await ok({ envelope: signed(s, 'key-request', 'KeyRequest', body, 'ada').envelope });
  },
  async 'CertificateService/GetKeyRequest'({ ok, refused, s }) {
    const { info } = await ok({ keyRequestId: s.keyRequestId });
    assert.equal(info.state, words.keyRequest.KEY_REQUEST_STATE_WAITING);
    assert.equal(info.requester, 'ada');
    await refused('not_found', { keyRequestId: Buffer.alloc(16, 9) });
  },
  async 'CertificateService/ListKeyRequests'({ ok, s }) {
    const { requests } = await ok({});
    assert.ok(requests.some((one) => buffer(one.keyRequestId).equals(s.keyRequestId)));
  },

  // ---- revocation, a ban, and what is on record of it all

  async 'CertificateService/RevokeCertificate'({ ok, refused, s }) {
    await ok({ certificateId: s.renewed.id, reason: enumOf('RevocationReason').REVOCATION_REASON_KEY_COMPROMISE, comment: 'lost' });
    const { certificate } = await s.call('CertificateService/GetCertificate', { id: s.renewed.id });
    assert.equal(certificate.colour, words.colour.COLOUR_BLACK);
    await refused('not_found', { certificateId: unknownId, reason: 1 });
  },
  async 'CertificateService/ImportCrl'({ ok, refused, s }) {
    const crl = { crl: Buffer.from(makeCrl(s.ca, { entries: [{ serial: s.leaf.serial, reason: 1 }] }).pem), issuer: Buffer.from(s.ca.pem) };
    const { issuer, entries, revoked } = await ok(crl);
    assert.deepEqual([issuer, entries, revoked], [`CN=${s.ca.commonName}`, 1, 1]);
    assert.equal((await ok(crl)).existed, true);
    s.crlIssuer = issuer;
    await refused('invalid_argument', { crl: Buffer.from('no CRL') });
  },
  async 'CertificateService/ListCrls'({ ok, s }) {
    const { crls, more } = await ok({});
    assert.equal(more, false);
    assert.ok(crls.some((crl) => crl.issuer === s.crlIssuer && crl.number === '01' && crl.entries === 1), JSON.stringify(crls.map((crl) => crl.number)));
  },
  async 'DeviceService/BanDevice'({ ok, refused, s }) {
    await ok({ name: s.token.device_name, comment: 'stolen' });
    assert.ok(await Promise.race([s.session.ended, sleep(10_000, 'late', { ref: false })]) !== 'late', 'the session ends');
    await refused('not_found', { name: 'nobody', comment: 'x' });
  },
  async 'ControllerService/ListAudit'({ ok, s }) {
    const commands = [];
    for (let afterRevision = 0n, more = true; more;) {
      const page = await ok({ afterRevision });
      commands.push(...page.records.filter((one) => one.subject.includes(s.token.device_name)).map((one) => one.command));
      afterRevision = page.records.at(-1)?.revision;
      more = page.more;
    }
    for (const command of ['CreateToken', 'AdmitDevice', 'BanDevice']) assert.ok(commands.includes(command), `${command} is on record: ${commands}`);
  },
  // Small as it is, the store is counted at once; again at the earliest 5 seconds later.
  async 'ControllerService/GetSummary'({ ok, s }) {
    const { countedAtS, colours, expiring } = await ok({});
    assert.ok(countedAtS > 0n);
    assert.ok(colours.some((one) => one.certificates > 0), JSON.stringify(colours));
    assert.equal(expiring.length, 120);
    assert.equal((await s.call('ControllerService/GetSummary', {})).countedAtS, countedAtS);
  },
  async 'ControllerService/GetCheckpoint'({ ok, s }) {
    const { envelope } = await ok({});
    assert.deepEqual(decode('AuditCheckpoint', decode('Envelope', buffer(envelope)).payload).deployment_id, s.deploymentId);
  },
};
