// How a page comes in: by a link of `countersign console`, or with a browser's own key; and how it ends.
import { createRouterTransport, Code, ConnectError } from '@connectrpc/connect';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as wire from '../../../tests/integration/js/wire.mjs';
import { bearer, client, useTransport } from '../src/api/client';
import { forgetIdentity, identity, keyWords, pair } from '../src/api/identity';
import { begin, mayRequest, me, pairingLink, phase, refreshPolicy, servedBy, signer, signIn, signOut, trouble } from '../src/api/session';
import { ControllerService, TrustService } from '../src/gen/countersign/v1/operator_pb';
import { SessionService } from '../src/gen/countersign/v1/session_pb';
import { KeyKind, Role } from '../src/gen/countersign/v1/statement_pb';
import { base64url, hex, hmacSha256, random, sha256, utf8 } from '../src/trust/bytes';
import { policy } from '../src/trust/policy';
import { words } from '../src/trust/spoken';
import { memory, World } from './world';

let world: World;
beforeEach(async () => {
  world = await World.make();
  policy.value = undefined;
});
afterEach(() => vi.unstubAllGlobals());

describe('a page of countersign console', () => {
  it('comes in by its link, once, and keeps the token for its tab', async () => {
    await world.open('ada');
    expect(me.value).toMatchObject({ operator: 'ada', servedBy: 'console', controller: 'admin socket', version: '0.2', roles: [Role.REQUESTER, Role.ADMIN] });
    expect(history.replaceState).toHaveBeenCalledWith(null, '', '/');
    expect(mayRequest()).toBe(true);
    expect(policy.value?.body.version).toBe(1);

    location.hash = '';
    await begin();
    expect(phase.value).toBe('ready');
    expect(world.calls.filter((call) => call === 'OpenLink').length).toBe(1);
  });

  it('that signs out ends its token where it came from, and has it no more', async () => {
    await world.open('ada');
    await signOut();
    expect(phase.value).toBe('ended');
    expect(world.calls.at(-1)).toBe('CloseLink Bearer token');
    expect(bearer.value).toBe('');
    location.hash = '';
    await begin();
    expect(phase.value).toBe('sign-in');
  });

  it('without a link says where it comes from', async () => {
    await world.open('ada');
    sessionStorage.clear();
    location.hash = '';
    await begin();
    expect(phase.value).toBe('sign-in');
    expect(trouble.value).toMatch(/countersign console/);
  });

  it('with a link that was used says so', async () => {
    await world.open('ada');
    sessionStorage.clear();
    world.fail.OpenLink = new ConnectError('this link was used before', Code.PermissionDenied);
    location.hash = '#link=' + base64url(random(32));
    await begin();
    expect([phase.value, trouble.value]).toEqual(['sign-in', 'This link was used before.']);
  });

  it('ends when nobody knows its token any more, and says how to come back', async () => {
    await world.open('ada');
    world.fail.GetDevice = new ConnectError('who?', Code.Unauthenticated);
    const { DeviceService } = await import('../src/gen/countersign/v1/operator_pb');
    await expect(client(DeviceService).getDevice({ name: 'gw-1' })).rejects.toThrow();
    expect(phase.value).toBe('ended');
    expect(trouble.value).toMatch(/Press Enter/);
    expect(bearer.value).toBe('');
  });

  it('without a key can only look', async () => {
    delete world.people.ada;
    await expect(world.open('ada')).resolves.toBeUndefined();
    expect(signer.value).toBeUndefined();
    expect(mayRequest()).toBe(false);
  });

  it('whose controller is away says so and can try again', async () => {
    await world.open('ada');
    world.fail.GetStatus = new ConnectError('the controller is away', Code.Unavailable);
    await begin();
    expect([phase.value, trouble.value]).toEqual(['failed', 'The controller is away.']);
    delete world.fail.GetStatus;
    await begin();
    expect(phase.value).toBe('ready');
  });

  it('whose policy does not hold stops, and keeps its link', async () => {
    await world.open('ada');
    location.hash = '';
    policy.value = undefined;
    world.policyWire[world.policyWire.length - 1]! ^= 1;
    await begin();
    expect(phase.value).toBe('failed');
    expect(trouble.value).toMatch(/by its own roots: a signature of the envelope does not hold/);
    world.policyWire[world.policyWire.length - 1]! ^= 1;
    await begin();
    expect(phase.value).toBe('ready');
  });

  it('served by something else refuses', async () => {
    await world.open('ada');
    vi.stubGlobal('fetch', async () => new Response('<html>'));
    await begin();
    expect(phase.value).not.toBe('ready');
    expect(trouble.value).toMatch(/not Countersign/);
  });
});

// A controller that browsers sign in at: it keeps who paired, and a cookie.
class Controller {
  paired: { spki: Uint8Array; mac: Uint8Array } | undefined;
  opened: Buffer[] = [];
  cookie = false;
  closed = 0;
  holder = 'dan';          // whose session the cookie is of
  newest = 1;
  policies = new Map<number, Uint8Array>();
  deploymentId = world.deploymentId;
  challenge = random(32);

  serve(): void {
    const known = () => { if (!this.cookie) throw new ConnectError('no session', Code.Unauthenticated); };
    useTransport((interceptors) => createRouterTransport((router) => {
      router.service(SessionService, {
        pair: ({ spki, bindingMac }) => { this.paired = { spki, mac: bindingMac }; return { operator: 'dan' }; },
        getChallenge: () => ({ challenge: this.challenge, deploymentId: this.deploymentId, policyVersion: this.newest }),
        openSession: ({ envelope, cookie }) => {
          const opened = wire.openEnvelope(Buffer.from(envelope), 'session-opening', [Buffer.from(this.paired!.spki)]);
          if (!cookie) throw new ConnectError('a cookie was due', Code.InvalidArgument);
          if (!world.policy.body.operators.some((who) => who.keys.some(({ spki }) => hex(spki) === hex(this.paired!.spki))))
            throw new ConnectError('the session is not opened by a key of dan', Code.PermissionDenied);
          this.opened.push(opened.payload);
          this.cookie = true;
          this.holder = 'dan';
          return { expiresAtS: 9n, idleS: 600 };
        },
        closeSession: () => { known(); this.cookie = false; this.closed++; return {}; },
        whoAmI: () => { known(); return { operator: this.holder, roles: [Role.APPROVER] }; },
      });
      router.service(ControllerService, { getStatus: () => { known(); return { version: '0.2', revision: 3n }; } });
      router.service(TrustService, { getPolicy: ({ version }) => { known(); return { envelope: this.policies.get(version || this.newest)!, newestVersion: this.newest }; } });
    }, { transport: { interceptors } }));
  }
}

describe('a browser with its own key', () => {
  let controller: Controller, link: { authentication: Uint8Array; binding: Uint8Array };
  const withKey = (spki: Uint8Array) => ({ operators: [...world.body({}).operators!.slice(0, 3), { name: 'dan', roles: [Role.APPROVER], keys: [{ spki, kind: KeyKind.BROWSER }] }] });

  beforeEach(async () => {
    await forgetIdentity();
    controller = new Controller();
    controller.policies.set(1, world.policyWire);
    controller.serve();
    link = { authentication: random(32), binding: random(32) };
    bearer.value = '';
    vi.stubGlobal('sessionStorage', memory());
    vi.stubGlobal('localStorage', memory());
    vi.stubGlobal('history', { state: null, replaceState: vi.fn() });
    vi.stubGlobal('fetch', async () => new Response('countersignd\n'));
    vi.stubGlobal('location', { pathname: '/pair', search: '', host: 'controller:8443', hash: `#${[link.authentication, link.binding, world.deploymentId].map(base64url).join('.')}` });
  });

  const pairUp = async (): Promise<void> => {
    await begin();
    expect(phase.value).toBe('pairing');
    await pair(pairingLink.value!);
    await world.publish(withKey(controller.paired!.spki));
    controller.policies.set(1, world.policyWire);
    location.pathname = '/';
    location.hash = '';
  };

  it('is paired by a link that leaves the address at once', async () => {
    await pairUp();
    expect(history.replaceState).toHaveBeenCalledWith(null, '', '/pair');
    const { spki, mac } = controller.paired!;
    expect(hex(mac)).toBe(hex(await hmacSha256(link.binding, utf8('countersign/v1/pair'), world.deploymentId, spki)));
    expect(await keyWords(spki)).toBe(words(await sha256(spki)));
    expect(identity.value).toMatchObject({ operator: 'dan', deploymentId: world.deploymentId });
    expect(identity.value!.key.extractable).toBe(false);
    await expect(crypto.subtle.exportKey('pkcs8', identity.value!.key)).rejects.toThrow();
  });

  it('brings the same key when the link is followed again after a lost answer', async () => {
    await begin();
    const service = { ...controller };
    useTransport((interceptors) => createRouterTransport((router) => router.service(SessionService, {
      pair: ({ spki }) => { service.paired = { spki, mac: spki }; throw new ConnectError('away', Code.Unavailable); } }), { transport: { interceptors } }));
    await expect(pair(pairingLink.value!)).rejects.toThrow(/away/);
    controller.serve();
    await pair(pairingLink.value!);
    expect(hex(controller.paired!.spki)).toBe(hex(service.paired!.spki));
  });

  it('says when the link is cut', async () => {
    location.hash = '#abc.def';
    await begin();
    expect([phase.value, pairingLink.value]).toEqual(['pairing', undefined]);
    expect(trouble.value).toMatch(/cut or mistyped/);
  });

  it('signs in by a challenge, with a cookie and without the server\'s key', async () => {
    await pairUp();
    await begin();
    expect([phase.value, trouble.value]).toEqual(['ready', '']);
    const opening = wire.decodeStrict('SessionOpening', controller.opened[0]!);
    expect(opening).toMatchObject({ operator: 'dan', policy_version: 1 });
    expect(hex(opening.challenge)).toBe(hex(controller.challenge));
    expect(opening.server_spki_digest.length).toBe(0);
    expect(me.value).toMatchObject({ operator: 'dan', servedBy: 'countersignd', controller: 'controller:8443' });
    expect(signer.value).toMatchObject({ kind: KeyKind.BROWSER });
    await begin();
    expect(controller.opened.length).toBe(1);
  });

  it('without a key says how to get one', async () => {
    location.pathname = '/';
    location.hash = '';
    await begin();
    expect([phase.value, servedBy.value]).toEqual(['sign-in', 'countersignd']);
    expect(trouble.value).toMatch(/countersign operator pair/);
  });

  it('whose key is not in the policy yet says so', async () => {
    await begin();
    await pair(pairingLink.value!);
    location.pathname = '/';
    location.hash = '';
    await begin();
    expect(phase.value).toBe('sign-in');
    expect(trouble.value).toMatch(/does not take the key of this browser for dan.*not opened by a key of dan/);
  });

  it('signs out, stays so over a reload, and signs in when asked', async () => {
    await pairUp();
    await begin();
    await signOut();
    expect([phase.value, controller.cookie]).toEqual(['sign-in', false]);
    await begin();
    expect(phase.value).toBe('sign-in');
    await signIn();
    expect(phase.value).toBe('ready');
  });

  it('whose session ended can sign in again', async () => {
    await pairUp();
    await begin();
    controller.cookie = false;
    await expect(client(ControllerService).getStatus({})).rejects.toThrow();
    expect(phase.value).toBe('ended');
    expect(trouble.value).toMatch(/Sign in again/);
    await begin();
    expect(phase.value).toBe('ready');
  });

  it('does not go on in a session of somebody else', async () => {
    await pairUp();
    await begin();
    controller.holder = 'mallory';
    await begin();
    expect([phase.value, me.value?.operator, controller.closed, controller.opened.length]).toEqual(['ready', 'dan', 1, 2]);
  });

  it('ends the session that was there when it is paired anew', async () => {
    controller.cookie = true;
    controller.holder = 'mallory';
    localStorage.setItem('countersign.cookie', 'yes');
    await begin();
    await pair(pairingLink.value!);
    expect(controller.cookie).toBe(false);
  });

  it('asks for no session anew while it has one', async () => {
    await pairUp();
    for (let i = 0; i < 4; i++) await begin();
    expect([phase.value, controller.opened.length]).toEqual(['ready', 1]);
  });

  it('does not sign a challenge of another deployment', async () => {
    await pairUp();
    controller.deploymentId = random(16);
    await begin();
    expect(phase.value).toBe('sign-in');
    expect(trouble.value).toMatch(/another deployment/);
    expect(controller.opened).toEqual([]);
  });

  describe('holds each policy against what it saw:', () => {
    beforeEach(async () => {
      await pairUp();
      await begin();
    });

    it('the next ones follow, over a reload, too', async () => {
      for (let version = 2; version <= 3; version++) {
        await world.publish({ ...withKey(controller.paired!.spki), version, previousDigest: world.policy.digest });
        controller.policies.set(version, world.policyWire);
        controller.newest = version;
      }
      policy.value = undefined;
      expect((await refreshPolicy()).body.version).toBe(3);
    });

    it('an older one is refused', async () => {
      await world.publish({ ...withKey(controller.paired!.spki), version: 2, previousDigest: world.policy.digest });
      controller.policies.set(2, world.policyWire);
      controller.newest = 2;
      await refreshPolicy();
      controller.newest = 1;
      policy.value = undefined;
      controller.policies.set(2, controller.policies.get(1)!);
      await expect(refreshPolicy()).rejects.toThrow(/version 1, but this browser has seen version 2/);
    });

    it('another one of the same version is refused', async () => {
      await world.publish({ ...withKey(controller.paired!.spki), expiresAtS: 99999999999n });
      controller.policies.set(1, world.policyWire);
      policy.value = undefined;
      await expect(refreshPolicy()).rejects.toThrow(/another trust policy version 1/);
    });

    it('one that other roots signed is refused', async () => {
      const own = world.root;
      const digest = world.policy.digest;
      const { makeKey } = await import('./world');
      world.root = await makeKey();
      await world.publish({ ...withKey(controller.paired!.spki), version: 2, previousDigest: digest });
      world.root = own;
      controller.policies.set(2, world.policyWire);
      controller.newest = 2;
      await expect(refreshPolicy()).rejects.toThrow(/current roots/);
    });
  });
});
