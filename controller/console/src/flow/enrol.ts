// A new device: the token with which it enrols, made here (controller/cli/enrol.c, token.c). Its binding half, which the controller
// never sees, is kept in this tab until the device is admitted: it tells then that the keys are those of the token's holder.
import { create } from '@bufbuild/protobuf';
import { client } from '../api/client';
import { refreshPolicy } from '../api/session';
import { type EnrolmentToken, EnrolmentTokenSchema } from '../gen/countersign/v1/agent_pb';
import { DeviceService, type GetEnrolmentResponse } from '../gen/countersign/v1/operator_pb';
import { base64url, concat, equal, fromBase64, hmacSha256, random, sha256, utf8 } from '../trust/bytes';
import { rootsDigest } from '../trust/policy';
import { Refusal } from '../trust/refusal';
import { decodeStrict, encode, ID_BYTES, isName, isSpki } from '../trust/statements';
import { nowS } from './sign';

const PREFIX = 'cst1.';
const LIFE_S = 3600n;
const HALF_BYTES = 16;

export interface MadeToken {
  deviceName: string;
  token: string;         // a secret: whoever has it may enrol in the device's name
  expiresAtS: number;
}

// The tab's own memory: a reload keeps it, another tab or a closed one does not.
const kept = new Map<string, string>();
const nameOf = (deviceName: string): string => `countersign.token.${deviceName}`;

function keepToken(deviceName: string, token: string): void {
  kept.set(deviceName, token);
  try { sessionStorage.setItem(nameOf(deviceName), token); } catch { /* lasts as long as the page */ }
}

export function dropToken(deviceName: string): void {
  kept.delete(deviceName);
  try { sessionStorage.removeItem(nameOf(deviceName)); } catch { /* was not there */ }
}

// undefined: none was made in this tab.
export function keptToken(deviceName: string): EnrolmentToken | undefined {
  let text = kept.get(deviceName);
  try { text ??= sessionStorage.getItem(nameOf(deviceName)) ?? undefined; } catch { /* there is none */ }
  return text === undefined ? undefined : parseToken(text);
}

export const writeToken = (token: EnrolmentToken): string => PREFIX + base64url(encode(EnrolmentTokenSchema, token));

export function parseToken(text: string): EnrolmentToken {
  const cut = new Refusal('the enrolment token is cut or mistyped: copy it whole');
  const bytes = text.trim().startsWith(PREFIX) ? fromBase64(text.trim().slice(PREFIX.length)) : undefined;
  if (!bytes) throw cut;
  const token = decodeStrict(EnrolmentTokenSchema, bytes, 'the enrolment token');
  if (token.deploymentId.length !== ID_BYTES || token.authentication.length !== HALF_BYTES || token.binding.length !== HALF_BYTES ||
    token.rootsDigest.length !== 32 || !token.policyVersion || token.expiresAtS <= 0n || token.agentCa.length === 0 || !isName(token.deviceName)) throw cut;
  return token;
}

// The device's pin is in it: the roots of the policy that was verified here, and its version as the least.
export async function makeToken(deviceName: string): Promise<MadeToken> {
  if (!isName(deviceName)) throw new Refusal("the device's name has 1 to 63 of a-z A-Z 0-9 . _ - and begins with a letter or digit");
  const { body } = await refreshPolicy();
  const agentCa = body.agentCas[0];
  if (!agentCa) throw new Refusal('the trust policy names no CA for devices: none can enrol');
  const token = create(EnrolmentTokenSchema, { deploymentId: body.deploymentId, deviceName, authentication: random(HALF_BYTES),
    binding: random(HALF_BYTES), rootsDigest: await rootsDigest(body.roots!), policyVersion: body.version, expiresAtS: nowS() + LIFE_S, agentCa });
  const text = writeToken(token);
  keepToken(deviceName, text);
  await client(DeviceService).createToken({ deviceName, authenticationDigest: await sha256(token.authentication), expiresAtS: token.expiresAtS });
  return { deviceName, token: text, expiresAtS: Number(token.expiresAtS) };
}

// The token's binding half made the MAC over exactly these keys: they are the device's that holds the token. Without fixed sizes the
// parts of the MAC's input could be cut elsewhere.
export async function checkEnrolment(token: EnrolmentToken, enrolment: GetEnrolmentResponse): Promise<void> {
  const { deviceId, identitySpki, kemSpki, bindingMac } = enrolment;
  if (deviceId.length !== ID_BYTES || !isSpki(identitySpki) || !isSpki(kemSpki))
    throw new Refusal(`the enrolment of device ${token.deviceName} has a malformed id or key`);
  const name = utf8(token.deviceName);
  const mac = await hmacSha256(token.binding, concat(utf8('countersign/v1/enrol'), token.deploymentId, Uint8Array.of(name.length), name,
    deviceId, identitySpki, kemSpki));
  if (!equal(mac, bindingMac))
    throw new Refusal(`the keys enrolled for ${token.deviceName} were not made by the holder of the token: do not admit it, find out who used the token`);
}
