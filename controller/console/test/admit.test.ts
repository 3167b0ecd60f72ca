// Who vouches for a device's keys before an admin signs for them, and admissions that were replaced, which nobody brings back.
import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as wire from '../../../tests/integration/js/wire.mjs';
import { admissionCandidate, prepareAdmission } from '../src/flow/admit';
import { checkEnrolment, parseToken, writeToken } from '../src/flow/enrol';
import { EnrolmentTokenSchema } from '../src/gen/countersign/v1/agent_pb';
import { DeviceSchema, GetDeviceResponseSchema, GetEnrolmentResponseSchema } from '../src/gen/countersign/v1/operator_pb';
import { DeviceRenewalSchema } from '../src/gen/countersign/v1/statement_pb';
import { concat, hex, hmacSha256, random, utf8 } from '../src/trust/bytes';
import { parseEnvelope } from '../src/trust/envelope';
import { openKnownDevice } from '../src/trust/known';
import { envelope, makeKey, nowS, World } from './world';

let world: World;
beforeEach(async () => {
  world = await World.make();
  await world.open('ada');
});
afterEach(() => vi.unstubAllGlobals());

const banned = (name: string) => {
  world.tamperDevice = (reply) => create(GetDeviceResponseSchema, { ...reply, device: create(DeviceSchema, { name, banned: true, admitted: true }) });
};

describe('a device that is banned', () => {
  it('is admitted anew with the keys of the admission that there is', async () => {
    banned('gw-1');
    const draft = await prepareAdmission({ deviceName: 'gw-1' });
    expect(draft.notes[0]!.value).toMatch(/this lifts the BAN/);
    await draft.sign();
    const admission = wire.decodeStrict('Admission', Buffer.from(draft.payload));
    expect(hex(admission.kem_spki)).toBe(hex(world.devices.get('gw-1')!.kemSpki));
    expect(hex(parseEnvelope(world.admitted[0]!).payload)).toBe(hex(draft.payload));
  });

  it('is not brought back by an admission that was replaced', async () => {
    const stolen = world.devices.get('gw-1')!, old = { ...stolen.reply };
    const fresh = await world.addDevice('gw-1', 'nginx');
    await world.admit('gw-1', { admittedAtS: nowS() + 60n });
    await openKnownDevice(world.policy, fresh.reply, 'gw-1'); // seen here
    world.tamperDevice = () => create(GetDeviceResponseSchema, { ...old, device: create(DeviceSchema, { name: 'gw-1', banned: true, admitted: true }) });
    await expect(prepareAdmission({ deviceName: 'gw-1' })).rejects.toThrow(/do not trust this controller/);
    const renewing = await makeKey();
    const renewal = await envelope('device-renewal', DeviceRenewalSchema, { deploymentId: world.deploymentId, deviceId: stolen.deviceId, sequence: 50n, identitySpki: renewing.spki },
      stolen.identity, renewing);
    world.enrolments['gw-1'] = { enrolled: true, deviceId: stolen.deviceId, identitySpki: renewing.spki, kemSpki: stolen.kemSpki, renewal };
    await expect(admissionCandidate('gw-1')).rejects.toThrow(/do not trust this controller/);
    expect(world.signed).toEqual([]);
  });

  it('once admitted here is not taken with the admission before', async () => {
    banned('gw-1');
    await world.admit('gw-1', { admittedAtS: nowS() - 100n });
    const older = { ...world.devices.get('gw-1')!.reply };
    world.tamperDevice = () => create(GetDeviceResponseSchema, { ...older, device: create(DeviceSchema, { name: 'gw-1', banned: true, admitted: true }) });
    await (await prepareAdmission({ deviceName: 'gw-1' })).sign();
    await expect(prepareAdmission({ deviceName: 'gw-1' })).rejects.toThrow(/do not trust this controller/);
  });
});

describe('a late renewal', () => {
  it('is vouched for by the key that was admitted, and only by it', async () => {
    const made = world.devices.get('gw-1')!, fresh = await makeKey(), stranger = await makeKey();
    const by = (...keys: Awaited<ReturnType<typeof makeKey>>[]) => envelope('device-renewal', DeviceRenewalSchema,
      { deploymentId: world.deploymentId, deviceId: made.deviceId, sequence: 50n, identitySpki: fresh.spki }, ...keys);
    const enrolment = { enrolled: true, deviceId: random(16), identitySpki: fresh.spki, kemSpki: stranger.spki };
    world.enrolments['gw-1'] = { ...enrolment, renewal: await by(made.identity, fresh) };
    const found = await admissionCandidate('gw-1');
    expect(found).toMatchObject({ vouched: 'renewal', deviceId: made.deviceId, kemSpki: made.kemSpki, identitySpki: fresh.spki }); // not what the controller says
    world.enrolments['gw-1'] = { ...enrolment, renewal: await by(stranger, fresh) };
    expect(await admissionCandidate('gw-1')).toMatchObject({ vouched: 'nobody' });
    await expect(prepareAdmission({ deviceName: 'gw-1' })).rejects.toThrow(/compare the fingerprints/);
  });
});

describe('an enrolment token', () => {
  const token = create(EnrolmentTokenSchema, { deploymentId: random(16), deviceName: 'gw-9', authentication: random(16), binding: random(16), rootsDigest: random(32),
    policyVersion: 3, expiresAtS: 1800000000n, agentCa: random(300) });

  it('is the text that the other reader reads', () => {
    const text = writeToken(token);
    expect(wire.decodeStrict('EnrolmentToken', Buffer.from(text.slice(5), 'base64url'))).toMatchObject({ device_name: 'gw-9', policy_version: 3 });
    expect(parseToken(`${text}\n`).binding).toEqual(token.binding);
    expect(() => parseToken(text.slice(0, -3))).toThrow();
    expect(() => parseToken('cst2.abc')).toThrow(/cut or mistyped/);
  });

  it('tells whether its holder made the keys', async () => {
    const keys = { deviceId: random(16), identitySpki: (await makeKey()).spki, kemSpki: (await makeKey()).spki };
    const bindingMac = await hmacSha256(token.binding, concat(utf8('countersign/v1/enrol'), token.deploymentId, Uint8Array.of(4), utf8('gw-9'), keys.deviceId, keys.identitySpki, keys.kemSpki));
    const enrolment = (more: object) => create(GetEnrolmentResponseSchema, { ...keys, bindingMac, ...more });
    await expect(checkEnrolment(token, enrolment({}))).resolves.toBeUndefined();
    await expect(checkEnrolment(token, enrolment({ kemSpki: (await makeKey()).spki }))).rejects.toThrow(/not made by the holder/);
    await expect(checkEnrolment(token, enrolment({ deviceId: random(15) }))).rejects.toThrow(/malformed id or key/);
  });
});
