// A deployment in memory: a root, people, devices and certificates with real keys, and a controller that answers the page's calls
// from them. A test alters what it answers, to see what the page says to it.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { create, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf';
import { Code, ConnectError, createRouterTransport } from '@connectrpc/connect';
import { vi } from 'vitest';
import { bearer, useTransport } from '../src/api/client';
import * as session from '../src/api/session';
import {
  CertificateSchema, CertificateService, ControllerService, DeviceSchema, DeviceService, type GetDeviceResponse, GetDeviceResponseSchema, GetEnrolmentResponseSchema, OrderState,
  PushService, RequestSchema, TopologyRowSchema, TrustService, type PreparePushRequest,
} from '../src/gen/countersign/v1/operator_pb';
import { SessionService } from '../src/gen/countersign/v1/session_pb';
import { SignerService } from '../src/gen/countersign/v1/signer_pb';
import {
  Action, AdmissionSchema, type Decision, DecisionSchema, DeviceAdvertisementSchema, type DeviceReport, DeviceReportSchema, EnvelopeSchema, KeyKind, KeyMode,
  Mode, type OrderCore, OrderCoreSchema, Outcome, type PushRequest, PushRequestSchema, Role, type SealedKey, type TrustPolicy, TrustPolicySchema, Verdict,
} from '../src/gen/countersign/v1/statement_pb';
import { type Bytes, equal, random, sha256, utf8 } from '../src/trust/bytes';
import { parseEnvelope, sign } from '../src/trust/envelope';
import { forgetKnown } from '../src/trust/known';
import { merkleRoot } from '../src/trust/merkle';
import { openFirst, policy, type Policy } from '../src/trust/policy';
import { decodePushRequest, encode, type Kind } from '../src/trust/statements';
import { type Chain, readChain } from '../src/trust/x509';

export interface Key { key: CryptoKey; spki: Bytes }

export async function makeKey(): Promise<Key> {
  const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']);
  return { key: pair.privateKey, spki: new Uint8Array(await crypto.subtle.exportKey('spki', pair.publicKey)) };
}

// Signed by each of the keys, in their order.
export async function envelope<D extends DescMessage>(kind: Kind, schema: D, init: MessageInitShape<D>, ...keys: Key[]): Promise<Bytes> {
  const payload = encode(schema, create(schema, init));
  const signed = await Promise.all(keys.map(({ key, spki }) => sign(kind, payload, key, spki)));
  const [first] = signed;
  const { payloadType } = parseEnvelope(first!);
  return encode(EnvelopeSchema, create(EnvelopeSchema, { payloadType, payload, signatures: signed.flatMap((wire) => parseEnvelope(wire).signatures)
    .map(({ keyId, signature }) => ({ keyId, signature })) }));
}

export const nowS = (): bigint => BigInt(Math.floor(Date.now() / 1000));

// ---- certificates by openssl

export interface MadeCertificate { pem: string; keyPem: string; chain: Chain; pkcs8: Bytes; sec1: Bytes }

export function pemToDer(pem: string): Bytes {
  return Uint8Array.from(Buffer.from(pem.replace(/-----[^-]+-----|\s+/g, ''), 'base64'));
}

export function makeCertificates(...names: { name: string; key?: string[]; days?: number; dns?: string[] }[]): Promise<MadeCertificate[]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'console-'));
  const file = (name: string) => path.join(folder, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const EC = ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out'];
  try {
    openssl(...EC, file('ca.key'));
    openssl('req', '-x509', '-new', '-key', file('ca.key'), '-subj', '/C=DE/O=Test, Inc/CN=Test ca', '-days', '3650', '-out', file('ca.crt'));
    const ca = readFileSync(file('ca.crt'), 'utf8');
    return Promise.all(names.map(async ({ name, key = EC, days = 60, dns = [] }) => {
      openssl(...key, file('leaf.key'));
      openssl('req', '-new', '-key', file('leaf.key'), '-subj', `/CN=${name}`, '-out', file('leaf.csr'));
      writeFileSync(file('ext'), dns.length ? `subjectAltName=${dns.map((one) => `DNS:${one}`).join(',')}\n` : 'keyUsage=digitalSignature\n');
      openssl('x509', '-req', '-in', file('leaf.csr'), '-CA', file('ca.crt'), '-CAkey', file('ca.key'), '-CAcreateserial', '-days', String(days),
        '-extfile', file('ext'), '-out', file('leaf.crt'));
      openssl('pkcs8', '-topk8', '-nocrypt', '-in', file('leaf.key'), '-out', file('leaf.p8'));
      const leaf = readFileSync(file('leaf.crt'), 'utf8'), keyPem = readFileSync(file('leaf.key'), 'utf8');
      const bytes = Buffer.concat([pemToDer(leaf), pemToDer(ca)]);
      const made = { pem: leaf + ca, keyPem, sec1: pemToDer(keyPem), pkcs8: pemToDer(readFileSync(file('leaf.p8'), 'utf8')) };
      return { ...made, chain: await readChain(Uint8Array.from(bytes)) };
    }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

// ---- the deployment

export interface MadeDevice { name: string; deviceId: Bytes; identity: Key; kem: CryptoKeyPair; kemSpki: Bytes; reply: GetDeviceResponse; generations: Record<string, bigint> }

let usual: Promise<MadeCertificate[]> | undefined; // made once, because openssl takes its time

export class World {
  deploymentId = random(16);
  root!: Key;
  people: Record<string, Key> = {};
  policyWire!: Bytes;
  policy!: Policy;
  devices = new Map<string, MadeDevice>();
  certificates: MadeCertificate[] = [];
  keyMode = KeyMode.HELD;
  self = 'ada';              // whose page it is

  // What the controller has.
  reserved = new Map<bigint, { cores: Bytes[]; requestId: Bytes; certificate: MadeCertificate }>();
  submitted = new Map<bigint, { envelope: Uint8Array; comment: string; decisions: { envelope: Uint8Array; comment: string }[] }>();
  sealed: { number: bigint; fromIndex: number; keys: SealedKey[] }[] = [];
  signed: { payloadType: string; payload: Uint8Array }[] = [];
  orders: { number: bigint; device: string; connector: string; certificate: MadeCertificate; action: Action; core: Bytes; report: Bytes }[] = [];
  next = 1n;
  calls: string[] = [];
  enrolments: Record<string, MessageInitShape<typeof GetEnrolmentResponseSchema>> = {};
  admitted: Uint8Array[] = [];

  // What it does to what it gives.
  tamperCores: (cores: OrderCore[]) => OrderCore[] = (cores) => cores;
  tamperDevice: (reply: GetDeviceResponse) => GetDeviceResponse = (reply) => reply;
  tamperSignature: (wire: Uint8Array) => Uint8Array = (wire) => wire;
  tamperSigned: (payload: Uint8Array) => Uint8Array = (payload) => payload;
  fail: Record<string, ConnectError> = {};

  static async make(): Promise<World> {
    const world = new World();
    world.root = await makeKey();
    for (const name of ['ada', 'bob', 'carol', 'dan']) world.people[name] = await makeKey();
    await world.publish({});
    world.certificates = await (usual ??= makeCertificates({ name: 'client.example', dns: ['client.example', 'www.client.example'] }, { name: 'older.example' }));
    await world.addDevice('gw-1', 'nginx', 'app');
    await world.addDevice('gw-2', 'nginx');
    return world;
  }

  body(more: MessageInitShape<typeof TrustPolicySchema>): MessageInitShape<typeof TrustPolicySchema> {
    const person = (name: string, roles: Role[], kind = KeyKind.FILE) => ({ name, roles, keys: [{ spki: this.people[name]!.spki, kind }] });
    return { deploymentId: this.deploymentId, version: 1, issuedAtS: nowS() - 100n, expiresAtS: nowS() + 9_000_000n,
      roots: { threshold: 1, keys: [this.root.spki] },
      operators: [person('ada', [Role.REQUESTER, Role.ADMIN]), person('bob', [Role.APPROVER]), person('carol', [Role.IMPLEMENTER]),
        person('dan', [Role.APPROVER, Role.IMPLEMENTER], KeyKind.BROWSER)],
      rules: [{ name: 'default', stages: [{ name: 'approve', role: Role.APPROVER, required: 1 }, { name: 'implement', role: Role.IMPLEMENTER, required: 1 }] }],
      agentCas: [random(100)], ...more } as MessageInitShape<typeof TrustPolicySchema>;
  }

  async publish(more: MessageInitShape<typeof TrustPolicySchema>, ...keys: Key[]): Promise<TrustPolicy> {
    this.policyWire = await envelope('trust-policy', TrustPolicySchema, this.body(more), ...(keys.length ? keys : [this.root]));
    this.policy = await openFirst(this.policyWire, this.deploymentId);
    return this.policy.body;
  }

  async addDevice(name: string, ...connectors: string[]): Promise<MadeDevice> {
    const identity = await makeKey();
    const kem = await crypto.subtle.generateKey({ name: 'ECDH', namedCurve: 'P-256' }, true, ['deriveBits']);
    const kemSpki = new Uint8Array(await crypto.subtle.exportKey('spki', kem.publicKey));
    const device: MadeDevice = { name, deviceId: random(16), identity, kem, kemSpki, generations: {},
      reply: create(GetDeviceResponseSchema, { device: create(DeviceSchema, { name, admitted: true, connected: true }) }) };
    for (const connector of connectors) device.generations[connector] = 3n;
    this.devices.set(name, device);
    await this.admit(name);
    await this.advertise(name);
    return device;
  }

  async admit(name: string, more: MessageInitShape<typeof AdmissionSchema> = {}, admin = 'ada'): Promise<Bytes> {
    const device = this.devices.get(name)!;
    return device.reply.admission = await envelope('admission', AdmissionSchema, { deploymentId: this.deploymentId, policyVersion: 1, admin, deviceName: name,
      deviceId: device.deviceId, identitySpki: device.identity.spki, kemSpki: device.kemSpki, admittedAtS: nowS(), ...more }, this.people[admin]!);
  }

  async advertise(name: string, more: MessageInitShape<typeof DeviceAdvertisementSchema> = {}): Promise<void> {
    const device = this.devices.get(name)!;
    device.reply.advertisement = await envelope('device-advertisement', DeviceAdvertisementSchema, { deploymentId: this.deploymentId, deviceId: device.deviceId,
      sequence: 5n, madeAtS: nowS(), agentVersion: '0.1', platform: 'linux/x86_64',
      connectors: Object.entries(device.generations).map(([connector, generation]) => ({ name: connector, application: 'nginx', generation })), ...more }, device.identity);
  }

  report(device: string, core: OrderCore, more: MessageInitShape<typeof DeviceReportSchema> = {}): Promise<Bytes> {
    const made = this.devices.get(device)!;
    const said: Partial<DeviceReport> = { deploymentId: this.deploymentId, deviceId: made.deviceId, sequence: 9n, madeAtS: nowS(), orderId: core.orderId, connector: core.connector,
      generation: core.generation, attempt: 1, outcome: Outcome.COMPLETED, verdict: 'ok', installedDigest: core.chainDigest };
    return envelope('device-report', DeviceReportSchema, { ...said as MessageInitShape<typeof DeviceReportSchema>, ...more }, made.identity);
  }

  certificateOf(id: Uint8Array): MadeCertificate {
    return this.certificates.find(({ chain }) => equal(chain.leaf.digest, id))!;
  }

  makeCores(wish: Pick<PreparePushRequest, 'action' | 'keyMode' | 'targets'>, certificate: MadeCertificate): OrderCore[] {
    const targets = wish.targets.length ? wish.targets : [...this.devices.values()].flatMap((device) =>
      Object.keys(device.generations).map((connector) => ({ deviceName: device.name, connector })));
    return targets.map(({ deviceName, connector }) => {
      const device = this.devices.get(deviceName)!, removes = wish.action === Action.REMOVE, rolls = wish.action === Action.ROLL_BACK;
      return create(OrderCoreSchema, { orderId: random(16), number: this.next++, deviceName, deviceId: device.deviceId, connector, action: wish.action || Action.INSTALL,
        generation: device.generations[connector]! + 1n, ...(removes ? { expects: certificate.chain.digest } : rolls ? { expects: this.certificates[0]!.chain.digest } : {}),
        ...(removes ? {} : { chainDigest: certificate.chain.digest, leafSpkiDigest: certificate.chain.leaf.spkiDigest }),
        keyMode: removes || rolls ? KeyMode.NONE : wish.keyMode || this.keyMode, targetGeneration: rolls ? 2n : 0n });
    });
  }

  // A request that is there already, signed by its requester.
  async request(more: Partial<PushRequest> = {}, targets = [{ deviceName: 'gw-1', connector: 'nginx' }], requester = 'ada'): Promise<bigint> {
    const certificate = this.certificates[0]!, comment = 'renewal';
    const cores = this.makeCores({ action: Action.INSTALL, keyMode: KeyMode.UNSPECIFIED, targets: targets as PreparePushRequest['targets'] }, certificate)
      .map((core) => encode(OrderCoreSchema, core));
    const number = this.next++;
    this.reserved.set(number, { cores, requestId: random(16), certificate });
    const request = await envelope('push-request', PushRequestSchema, { deploymentId: this.deploymentId, policyVersion: 1, requester, requestId: random(16), number,
      requestedAtS: nowS() - 10n, decideByS: nowS() + 3600n, windowS: 3600n, maxAttempts: 3, orderRoot: await merkleRoot(cores), orderCount: cores.length,
      commentDigest: await sha256(utf8(comment)), ...more as MessageInitShape<typeof PushRequestSchema> }, this.people[requester]!);
    this.submitted.set(number, { envelope: request, comment, decisions: [] });
    return number;
  }

  async decision(number: bigint, decider: string, stage: number, more: Partial<Decision> = {}): Promise<Bytes> {
    const { envelope: request, decisions } = this.submitted.get(number)!;
    return envelope('decision', DecisionSchema, { deploymentId: this.deploymentId, policyVersion: 1, decider, requestDigest: await sha256(parseEnvelope(request).payload), stage,
      verdict: Verdict.ACCEPT, mode: Mode.MANUAL, decidedAtS: nowS(), earlier: await Promise.all(decisions.map((one) => sha256(parseEnvelope(one.envelope).payload))),
      commentDigest: await sha256(utf8('')), ...more as MessageInitShape<typeof DecisionSchema> }, this.people[decider]!);
  }

  async decide(number: bigint, decider: string, stage: number, more: Partial<Decision> = {}): Promise<void> {
    const made = await this.decision(number, decider, stage, more);
    this.submitted.get(number)!.decisions.push({ envelope: made, comment: '' });
  }

  // Serves the page, which is signed in by a link as `self`.
  async open(self = this.self): Promise<void> {
    this.self = self;
    forgetKnown();
    policy.value = undefined;
    bearer.value = '';
    this.serve();
    vi.stubGlobal('sessionStorage', memory());
    vi.stubGlobal('location', { pathname: '/', search: '', hash: '#link=' + Buffer.from(random(32)).toString('base64url'), host: '127.0.0.1:8000' });
    vi.stubGlobal('history', { state: null, replaceState: vi.fn() });
    vi.stubGlobal('fetch', async () => new Response('console'));
    await session.begin();
    if (session.phase.value !== 'ready') throw new Error(session.trouble.value);
  }

  serve(): void {
    const world = this;
    const called = (name: string) => {
      world.calls.push(name);
      if (world.fail[name]) throw world.fail[name];
    };
    useTransport((interceptors) => createRouterTransport((router) => {
      router.service(SignerService, {
        openLink: () => { called('OpenLink'); return { token: 'token' }; },
        closeLink: (_, context) => { called(`CloseLink ${context.requestHeader.get('authorization')}`); return {}; },
        getSigner: (_, context) => {
          called('GetSigner');
          if (context.requestHeader.get('authorization') !== 'Bearer token') throw new ConnectError('no token', Code.Unauthenticated);
          return { operator: world.self, spki: world.people[world.self]?.spki ?? new Uint8Array(), keyKind: KeyKind.FILE, policy: world.policyWire, controller: 'admin socket', version: '0.1' };
        },
        sign: async ({ payloadType, payload }) => {
          called('Sign');
          world.signed.push({ payloadType, payload });
          const kind = /vnd\.countersign\.(.*)\.v1$/.exec(payloadType)![1] as Kind, { key, spki } = world.people[world.self]!;
          return { envelope: world.tamperSignature(await sign(kind, world.tamperSigned(payload), key, spki)) };
        },
      });
      router.service(ControllerService, { getStatus: () => { called('GetStatus'); return { version: '0.2', revision: 7n, deploymentId: world.deploymentId }; } });
      router.service(SessionService, { whoAmI: () => { called('WhoAmI'); return { operator: world.self, roles: world.policy.body.operators.find(({ name }) => name === world.self)?.roles ?? [] }; } });
      router.service(TrustService, { getPolicy: () => { called('GetPolicy'); return { envelope: world.policyWire, newestVersion: world.policy.body.version }; } });
      router.service(DeviceService, {
        getDevice: ({ name }) => {
          called('GetDevice');
          const device = world.devices.get(name);
          if (!device) throw new ConnectError(`there is no device ${name}`, Code.NotFound);
          return world.tamperDevice(create(GetDeviceResponseSchema, { ...device.reply }));
        },
        getEnrolment: ({ deviceName }) => create(GetEnrolmentResponseSchema, world.enrolments[deviceName] ?? {}),
        admitDevice: ({ envelope: wire }) => { called('AdmitDevice'); world.admitted.push(wire); return {}; },
      });
      router.service(CertificateService, {
        getCertificate: ({ id }) => {
          called('GetCertificate');
          const { chain } = world.certificateOf(id);
          return { certificate: create(CertificateSchema, { id, commonName: chain.leaf.commonName, keyMode: world.keyMode }), chain: chain.bytes };
        },
        getTopology: () => ({ rows: [...world.devices.values()].flatMap((device) => Object.keys(device.generations).map((connector) =>
          create(TopologyRowSchema, { deviceName: device.name, connector, pushed: true }))) }),
      });
      router.service(PushService, {
        preparePush: (wish) => {
          called('PreparePush');
          const certificate = world.certificateOf(wish.certificateId);
          const cores = world.tamperCores(world.makeCores(wish, certificate)).map((core) => encode(OrderCoreSchema, core));
          const number = world.next++, requestId = random(16);
          world.reserved.set(number, { cores, requestId, certificate });
          return { number, requestId, orderCount: cores.length };
        },
        getOrderCores: ({ number, fromIndex }) => {
          const { cores } = world.reserved.get(number)!;
          return { cores: cores.slice(fromIndex, fromIndex + 2), more: cores.length > fromIndex + 2 };
        },
        putSealedKeys: ({ number, fromIndex, keys }) => { called('PutSealedKeys'); world.sealed.push({ number, fromIndex, keys }); return {}; },
        submitPush: ({ envelope: wire, comment }) => {
          called('SubmitPush');
          const { number } = decodePushRequest(parseEnvelope(wire).payload);
          world.submitted.set(number, { envelope: wire, comment, decisions: [] });
          return { number };
        },
        getRequest: ({ number }) => {
          const { envelope: wire, comment, decisions } = world.submitted.get(number)!;
          return { request: create(RequestSchema, { number, comment, certificateId: world.reserved.get(number)!.certificate.chain.leaf.digest }), envelope: wire, decisions };
        },
        decide: ({ number, envelope: wire, comment }) => {
          called('Decide');
          world.submitted.get(number)!.decisions.push({ envelope: wire, comment });
          return { state: OrderState.PUSH_REVIEW_IN_PROGRESS };
        },
        listOrders: ({ deviceName }) => ({ orders: world.orders.filter(({ device }) => device === deviceName).map((order) => ({ number: order.number, deviceName: order.device,
          connector: order.connector, certificateId: order.certificate.chain.leaf.digest, action: order.action, state: OrderState.COMPLETED })).reverse() }),
        getOrder: ({ number }) => { const order = world.orders.find((one) => one.number === number)!; return { core: order.core, report: order.report }; },
      });
    }, { transport: { interceptors } }));
  }
}

export function memory(): Storage {
  const kept = new Map<string, string>();
  return { getItem: (name) => kept.get(name) ?? null, setItem: (name, value) => { kept.set(name, value); }, removeItem: (name) => { kept.delete(name); },
    clear: () => kept.clear(), key: () => null, get length() { return kept.size; } };
}
