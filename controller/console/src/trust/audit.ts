// The audit's hash chain and its signed ends (shared/trust/audit.h, controller/cli/checkpoint.h): whether the records that the
// controller gives follow from each other, and whether they hold what this browser has seen signed before.
import { create } from '@bufbuild/protobuf';
import { type AuditRecord, AuditRecordSchema } from '../gen/countersign/v1/operator_pb';
import type { AuditCheckpoint } from '../gen/countersign/v1/statement_pb';
import { base64, type Bytes, equal, fromBase64, hex, sha256, utf8 } from './bytes';
import { peek, verify } from './envelope';
import type { Policy } from './policy';
import { Refusal } from './refusal';
import { decodeCheckpoint, encode } from './statements';

const LABEL = utf8('countersign/v1/audit-record');

// A place in the chain: behind the record with this revision, whose hash this is.
export interface End { revision: bigint; hash: Uint8Array }

export const BEGINNING: End = { revision: 0n, hash: new Uint8Array(32) };

export function recordHash(before: Uint8Array, record: AuditRecord): Promise<Bytes> {
  return sha256(LABEL, before, encode(AuditRecordSchema, create(AuditRecordSchema, { ...record, hash: new Uint8Array() })));
}

// Each record has the revision behind the one before it, and a hash that covers it. Gives the place behind the last.
export async function followChain(from: End, records: readonly AuditRecord[]): Promise<End> {
  let end = from;
  for (const record of records) {
    if (record.revision !== end.revision + 1n) throw new Refusal(`record ${record.revision} stands where record ${end.revision + 1n} belongs`);
    if (!equal(await recordHash(end.hash, record), record.hash)) throw new Refusal(`record ${record.revision} does not follow from the one before it`);
    end = record;
  }
  return { revision: end.revision, hash: end.hash };
}

export interface Checkpoint { statement: AuditCheckpoint; envelope: Uint8Array }

// Signed by a message key of the policy, and of this deployment.
export async function openCheckpoint(envelope: Uint8Array, { body }: Policy): Promise<Checkpoint> {
  const { payload } = await verify(envelope, 'audit-checkpoint', body.messageKeys);
  const statement = decodeCheckpoint(payload);
  if (!equal(statement.deploymentId, body.deploymentId)) throw new Refusal('the audit checkpoint is of another deployment');
  return { statement, envelope };
}

// What the newer of two checkpoints says against the older one, which was had before the newer was asked for; '' is nothing.
export function contradiction(older: AuditCheckpoint, newer: AuditCheckpoint): string {
  if (newer.revision < older.revision)
    return `the audit ends at revision ${newer.revision} now, and ended at revision ${older.revision} before: it was rolled back`;
  if (newer.revision === older.revision && !equal(newer.hash, older.hash))
    return `revision ${newer.revision} has another hash now than the one that was signed before: it was altered`;
  return '';
}

// Records whose chain was followed from `before`.
export interface Run { before: End; records: readonly AuditRecord[] }

// Whether what was signed stands in the run: 'outside' says nothing about it. The place before the run is part of it, because the
// first record's hash covers it.
export function stands(signed: AuditCheckpoint, { before, records }: Run): 'yes' | 'outside' {
  const place = signed.revision === before.revision ? before : records[Number(signed.revision - before.revision) - 1];
  if (signed.revision < before.revision || !place) return 'outside';
  if (place.revision !== signed.revision || !equal(place.hash, signed.hash))
    throw new Refusal(`record ${signed.revision} has another hash than the one that was signed`);
  return 'yes';
}

// ---- what this browser keeps: the newest of a deployment

const nameOf = (deploymentId: Uint8Array) => `checkpoint ${hex(deploymentId)}`;

// Kept ones were verified when they came; the policy that they were signed under may be gone by now.
export function keptCheckpoint(deploymentId: Uint8Array): Checkpoint | undefined {
  try {
    const kept = JSON.parse(localStorage.getItem(nameOf(deploymentId)) ?? 'null') as { envelope: string } | null;
    const envelope = kept ? fromBase64(kept.envelope) : undefined;
    return envelope && { envelope, statement: decodeCheckpoint(peek(envelope, 'audit-checkpoint')) };
  } catch { // none is here, or none can be
    return undefined;
  }
}

export function keepCheckpoint({ statement, envelope }: Checkpoint): boolean {
  try {
    localStorage.setItem(nameOf(statement.deploymentId), JSON.stringify({ envelope: base64(envelope) }));
    return true;
  } catch {
    return false;
  }
}
