// The page's flows against the real programs: what the C programs signed verifies here, and what is signed here they accept. Runs
// where they are built: COUNTERSIGN_BIN=…/build/dev/bin.
import { execFileSync } from 'node:child_process';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { create } from '@bufbuild/protobuf';
import { createRouterTransport, type Transport } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-web';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { client, useTransport, bearer } from '../src/api/client';
import * as session from '../src/api/session';
import { startFrom, stopWatching, watch } from '../src/api/live';
import { admissionCandidate, prepareAdmission } from '../src/flow/admit';
import { cancelRequest, reachOfCancel } from '../src/flow/cancel';
import { prepareDecision } from '../src/flow/decide';
import { dropToken, makeToken } from '../src/flow/enrol';
import { importCertificate, readCertificates } from '../src/flow/import';
import { preparePush } from '../src/flow/push';
import { openRequest } from '../src/flow/request';
import { wishToRollBack } from '../src/flow/rollback';
import { CertificateService, OrderState, PushService, TrustService } from '../src/gen/countersign/v1/operator_pb';
import { SessionService } from '../src/gen/countersign/v1/session_pb';
import { SignerService } from '../src/gen/countersign/v1/signer_pb';
import { Action, KeyKind, Mode, SessionOpeningSchema, Verdict } from '../src/gen/countersign/v1/statement_pb';
import { concat, hex } from '../src/trust/bytes';
import { sign } from '../src/trust/envelope';
import { openFirst, openNext, policy } from '../src/trust/policy';
import { encode, type Kind } from '../src/trust/statements';
import { memory, nowS } from './world';

const bin = process.env.COUNTERSIGN_BIN;
const said = (draft: { fields: { label: string; value: string }[] }, label: string) => draft.fields.find((field) => field.label === label)?.value;

describe.skipIf(!bin)('with the real programs', () => {
  let deployment: any;
  let url: string;
  const after: (() => unknown)[] = [];
  const tokens = new Map<string, string>();

  async function keyOf(name: string): Promise<{ key: CryptoKey; spki: Uint8Array }> {
    const secret = createPrivateKey(readFileSync(path.join(deployment.home, 'operators', `${name}.key`)));
    return { key: await crypto.subtle.importKey('pkcs8', secret.export({ format: 'der', type: 'pkcs8' }), { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']),
      spki: Uint8Array.from(createPublicKey(secret).export({ format: 'der', type: 'spki' })) };
  }

  // What `countersign console` does: it signs with the operator's key, and forwards everything else as that operator.
  async function serve(name: string): Promise<void> {
    const { key, spki } = await keyOf(name);
    const direct = createConnectTransport({ baseUrl: url, useBinaryFormat: true, interceptors: [(next) => (request) => {
      request.header.delete('authorization');
      const token = tokens.get(name);
      if (token) request.header.set('authorization', `Bearer ${token}`);
      return next(request);
    }] });
    useTransport((interceptors) => {
      const signer = createRouterTransport((router) => router.service(SignerService, {
        openLink: () => ({ token: 'token' }),
        getSigner: async () => ({ operator: name, spki, keyKind: KeyKind.FILE, controller: url, version: '0',
          policy: (await direct.unary(TrustService.method.getPolicy, undefined, undefined, undefined, {})).message.envelope }),
        sign: async ({ payloadType, payload }) => ({ envelope: await sign(/countersign\.(.*)\.v1/.exec(payloadType)![1] as Kind, payload, key, spki) }),
      }), { transport: { interceptors } });
      const at = (method: { parent: { typeName: string } }) => method.parent.typeName === SignerService.typeName ? signer : direct;
      return { unary: (method, ...rest) => at(method).unary(method, ...rest), stream: (method, ...rest) => at(method).stream(method, ...rest) } as Transport;
    });
    if (!tokens.has(name)) {
      const challenge = await client(SessionService).getChallenge({});
      const payload = encode(SessionOpeningSchema, create(SessionOpeningSchema, { deploymentId: challenge.deploymentId, policyVersion: challenge.policyVersion, operator: name,
        challenge: challenge.challenge, madeAtS: nowS() }));
      tokens.set(name, (await client(SessionService).openSession({ envelope: await sign('session-opening', payload, key, spki) })).token);
    }
    bearer.value = '';
    location.hash = '#link=' + 'A'.repeat(43);
    await session.begin();
    expect([session.phase.value, session.trouble.value]).toEqual(['ready', '']);
  }

  beforeAll(async () => {
    const { Deployment } = await import('../../../tests/integration/js/harness.mjs');
    deployment = await Deployment.create({ after: (work: () => unknown) => after.push(work) }, { controller: { operators: '127.0.0.1:0' } });
    const [, port] = await deployment.controller.line(/READY.*\boperators=\S*?:(\d+)/);
    url = `http://127.0.0.1:${port}`;
    const real = fetch;
    vi.stubGlobal('sessionStorage', memory());
    vi.stubGlobal('history', { state: null, replaceState: () => {} });
    vi.stubGlobal('location', { pathname: '/', search: '', hash: '', host: 'x' });
    vi.stubGlobal('fetch', (where: string, init: RequestInit) => where === '/served-by' ? Promise.resolve(new Response('console')) : real(where, init));
  }, 60_000);
  afterAll(async () => {
    stopWatching();
    for (const work of after) await work();
    vi.unstubAllGlobals();
  });

  let certificateId: Uint8Array;

  it('a device enrols by a token that was made in the page, and is admitted with it', async () => {
    await serve('ada');
    const agent = await deployment.agent('gw-1');
    const { token } = await makeToken('gw-1');
    await expect(admissionCandidate('gw-1')).rejects.toThrow(/has not used its token yet/);
    const enrolled = await agent.run('enrol', '--token', token);
    expect([enrolled.status, enrolled.stderr]).toEqual([0, expect.any(String)]);
    expect(await admissionCandidate('gw-1')).toMatchObject({ vouched: 'token' });
    const draft = await prepareAdmission({ deviceName: 'gw-1' });
    expect(draft.notes.find((field) => field.label === 'These are its keys')?.value).toBe('made by the holder of the token from this tab');
    await draft.sign();
    agent.start();
    await deployment.advertised('gw-1');
  }, 60_000);

  it('a device whose token is elsewhere is admitted by who compares', async () => {
    const agent = await deployment.agent('gw-2');
    const { token } = await makeToken('gw-2');
    dropToken('gw-2');
    expect((await agent.run('enrol', '--token', token)).status).toBe(0);
    const candidate = await admissionCandidate('gw-2');
    expect(candidate.vouched).toBe('nobody');
    const status = (await agent.run('status')).stdout as string;
    expect(status.replace(/[^0-9a-f]/g, '')).toContain(candidate.identityDigest);
    await expect(prepareAdmission({ deviceName: 'gw-2' })).rejects.toThrow(/compare the fingerprints/);
    await (await prepareAdmission({ deviceName: 'gw-2', compared: candidate })).sign();
    agent.start();
    await deployment.advertised('gw-2');
  }, 60_000);

  it('a certificate is imported from a file, its key held', async () => {
    const files = await deployment.certificate('client.example');
    const found = await readCertificates([{ name: 'client.pem', bytes: readFileSync(files.pem) }]);
    expect(found.problems).toEqual([]);
    const { certificate } = await importCertificate(found.certificates[0]!, { holdKey: true });
    certificateId = certificate.id;
    expect(hex(certificateId)).toBe(hex(found.certificates[0]!.chain.leaf.digest));
    for (const deviceName of ['gw-1', 'gw-2']) await client(CertificateService).attach({ certificateId, deviceName, connector: 'app' });
  });

  let number: bigint;

  it('a push is requested, and its words are those of the command line', async () => {
    const changes: unknown[] = [];
    const end = watch({ certificateId }, (told) => changes.push(...told));
    startFrom(1n);
    const draft = await preparePush({ certificateId, targets: [{ deviceName: 'gw-1', connector: 'app' }, { deviceName: 'gw-2', connector: 'app' }], comment: 'renewal' });
    ({ number } = await draft.sign());
    expect(draft.orders.map(({ device }) => device).sort()).toEqual(['gw-1', 'gw-2']);
    const shown = await deployment.cli('approve', `REQ-${number}`, '--manual', '--as', 'bob', '--dry-run');
    expect(shown.replace(/\s+/g, ' ')).toContain(draft.words);
    await vi.waitFor(() => expect(changes.length).toBeGreaterThan(0), { timeout: 5000 });
    end();
  }, 30_000);

  it('is approved by the command line, which the page verifies, and implemented in the page', async () => {
    await deployment.cli('approve', `REQ-${number}`, '--manual', '--comment', 'fine', '--as', 'bob', '--yes');
    const review = await openRequest(number);
    expect(review).toMatchObject({ verified: true, commentHolds: true });
    expect(review.decisions).toMatchObject([{ verified: true, trouble: '', comment: 'fine', keyKind: KeyKind.FILE }]);
    await serve('carol');
    const draft = await prepareDecision({ number, verdict: Verdict.ACCEPT, mode: Mode.MANUAL, comment: 'go', seen: { decisions: 1, stage: 2 } });
    expect(said(draft, 'Stage')).toBe('2, implement');
    await draft.sign();
    await vi.waitFor(async () => {
      const { orders } = await client(PushService).listOrders({ requestNumber: number });
      expect(orders.map(({ state }) => state)).toEqual([OrderState.COMPLETED, OrderState.COMPLETED]);
    }, { timeout: 20_000, interval: 100 });
  }, 40_000);

  it('a decision on a stale view is refused', async () => {
    await serve('ada');
    const draft = await preparePush({ certificateId, targets: [{ deviceName: 'gw-1', connector: 'app' }], comment: 'again' });
    const { number: other } = await draft.sign();
    await serve('bob');
    const late = await prepareDecision({ number: other, verdict: Verdict.ACCEPT, mode: Mode.SCHEDULED, notBeforeS: 4000000000, comment: '' });
    await deployment.cli('reject', `REQ-${other}`, '--comment', 'no', '--as', 'bob', '--yes');
    const { isStale } = await import('../src/api/fault');
    const error = await late.sign().catch((thrown: unknown) => thrown);
    expect(isStale(error)).toBe(true);
    await expect(prepareDecision({ number: other, verdict: Verdict.ACCEPT, mode: Mode.MANUAL, comment: '' })).rejects.toThrow(/was rejected already/);
  }, 30_000);

  it('a key that the controller never has is sealed in the page, and the device opens it', async () => {
    await serve('ada');
    const files = await deployment.certificate('sealed.example', { key: 'rsa2048' });
    const found = await readCertificates([{ name: 'leaf.crt', bytes: readFileSync(files.leaf) }, { name: 'leaf.key', bytes: readFileSync(files.key) }]);
    const one = found.certificates[0]!;
    const { certificate } = await importCertificate(one);
    await client(CertificateService).attach({ certificateId: certificate.id, deviceName: 'gw-1', connector: 'app' });
    const draft = await preparePush({ certificateId: certificate.id, targets: [], comment: 'sealed', pkcs8: one.pkcs8! });
    expect(draft.orders[0]!.key).toBe('sealed by the requester');
    const { number: sealed } = await draft.sign();
    await deployment.cli('approve', `REQ-${sealed}`, '--manual', '--as', 'bob', '--yes');
    await deployment.cli('implement', `REQ-${sealed}`, '--manual', '--as', 'carol', '--yes', '--wait');
    const installed = execFileSync('openssl', ['pkey', '-in', path.join(deployment.path('gw-1'), 'key.pem'), '-pubout']).toString();
    expect(installed).toBe(execFileSync('openssl', ['pkey', '-in', files.key, '-pubout']).toString());
  }, 60_000);

  it('a roll back goes to the generation that the device reported', async () => {
    const wish = await wishToRollBack('gw-1', 'app');
    expect(wish).toMatchObject({ action: Action.ROLL_BACK, targetGeneration: 1n });
    const draft = await preparePush({ ...wish, comment: 'back' });
    expect(said(draft, 'To be done')).toBe('roll gw-1/app back to client.example, generation 1');
    const { number: back } = await draft.sign();
    await deployment.cli('approve', `REQ-${back}`, '--manual', '--as', 'bob', '--yes');
    await deployment.cli('implement', `REQ-${back}`, '--manual', '--as', 'carol', '--yes', '--wait');
    expect(readFileSync(path.join(deployment.path('gw-1'), 'chain.pem'), 'utf8')).toContain('BEGIN CERTIFICATE');
  }, 60_000);

  it('a removal takes away what was pushed, and a cancel says what it reaches', async () => {
    const draft = await preparePush({ certificateId, targets: [{ deviceName: 'gw-2', connector: 'app' }], action: Action.REMOVE, comment: 'gone' });
    const { number: removal } = await draft.sign();
    expect(await reachOfCancel(removal)).toEqual({ cancelled: 1, handedOver: 0 });
    expect(await cancelRequest(removal, 'changed our mind')).toEqual({ cancelled: 1, handedOver: 0 });
    expect((await openRequest(removal)).verified).toBe(true);
  }, 30_000);

  it('the policies that the roots signed open from version to version', async () => {
    const before = policy.value!;
    await deployment.publish();
    const { envelope } = await client(TrustService).getPolicy({});
    expect((await openNext(envelope, before)).body.version).toBe(before.body.version + 1);
    await vi.waitFor(() => expect(policy.value!.body.version).toBe(before.body.version + 1), { timeout: 5000 }); // the page was told
    const forged = concat(envelope.subarray(0, -1), Uint8Array.of(envelope.at(-1)! ^ 1));
    await expect(openFirst(forged, before.body.deploymentId)).rejects.toThrow(/does not hold/);
  }, 30_000);
});
