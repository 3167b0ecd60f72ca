// The audit as far as it has been read: an unbroken run of records up to the newest, longer at either end as it is asked for, and
// what came of checking it.
import { signal } from '@preact/signals';
import { client } from './api/client';
import { sentence } from './api/fault';
import { type AuditRecord, ControllerService } from './gen/countersign/v1/operator_pb';
import { BEGINNING, type Checkpoint, contradiction, followChain, keepCheckpoint, keptCheckpoint, openCheckpoint } from './trust/audit';
import { equal } from './trust/bytes';
import { policy } from './trust/policy';
import { Refusal } from './trust/refusal';

const WINDOW = 256n;

export interface Audit {
  records: AuditRecord[];            // rising, without a gap
  before: Uint8Array | undefined;    // the hash before the first
}

export type Check =
  | { kind: 'none' }                 // nothing was checked yet
  | { kind: 'good'; checkpoint: Checkpoint; kept: Checkpoint | undefined; stored: boolean }
  | { kind: 'unsigned'; why: string }
  | { kind: 'broken'; why: string; checkpoint?: Checkpoint; kept?: Checkpoint | undefined };

export const audit = signal<Audit | undefined>(undefined);
export const check = signal<Check>({ kind: 'none' });
export const trouble = signal('');
export const busy = signal<'' | 'newer' | 'older'>('');

// Behind this revision, up to that one or to the end.
async function readFrom(after: bigint, until?: bigint): Promise<AuditRecord[]> {
  const found: AuditRecord[] = [];
  for (let afterRevision = after;;) {
    const { records, more } = await client(ControllerService).listAudit({ afterRevision });
    for (const record of records) if (until === undefined || record.revision <= until) found.push(record);
    const last = records.at(-1)?.revision;
    if (!more || last === undefined || (until !== undefined && last >= until)) return found;
    afterRevision = last;
  }
}

// A window that ends with `until`, and the hash before it: of the record in front, which is read along.
async function readWindow(until: bigint, open: boolean): Promise<Audit> {
  const first = until > WINDOW ? until - WINDOW + 1n : 1n;
  const records = await readFrom(first > 1n ? first - 2n : 0n, open ? undefined : until);
  if (first === 1n) return { records, before: BEGINNING };
  return { records: records.slice(1), before: records[0]?.hash };
}

const BROKEN = 'The controller\'s audit was altered or rolled back';

// The signed end is asked for after what was kept has been read, and before the records, which therefore reach at least as far.
async function takeCheckpoint(): Promise<{ fresh?: Checkpoint; kept?: Checkpoint | undefined; why?: string }> {
  const pinned = policy.value;
  if (!pinned) return { why: 'There is no trust policy yet, so nothing says which key signs the audit.' };
  const kept = keptCheckpoint(pinned.body.deploymentId);
  try {
    const { envelope } = await client(ControllerService).getCheckpoint({});
    return { fresh: await openCheckpoint(envelope, pinned), kept };
  } catch (error) {
    if (error instanceof Refusal) throw error;
    return { kept, why: sentence(error) };
  }
}

async function hold(against: Checkpoint, { records, before }: Audit): Promise<void> {
  const { revision, hash } = against.statement;
  const first = records[0]?.revision;
  let found = records.find((record) => record.revision === revision)?.hash;
  if (!found && first !== undefined && revision === first - 1n) found = before;
  found ??= (await readFrom(revision - 1n, revision))[0]?.hash;
  if (!found) throw new Refusal(`record ${revision}, which was signed for, is not there any more`);
  if (!equal(found, hash)) throw new Refusal(`record ${revision} has another hash than the one that was signed`);
}

async function examine(now: Audit, { fresh, kept, why }: Awaited<ReturnType<typeof takeCheckpoint>>): Promise<Check> {
  try {
    if (!now.before) throw new Refusal('the record before the first of these is not there');
    await followChain(now.before, now.records);
    if (kept && fresh) {
      const against = contradiction(kept.statement, fresh.statement);
      if (against) throw new Refusal(against);
    }
    if (fresh) await hold(fresh, now);
    if (kept) await hold(kept, now);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { kind: 'broken', why: `${BROKEN}: ${error.message}`, ...(fresh ? { checkpoint: fresh } : {}), kept };
  }
  if (!fresh) return { kind: 'unsigned', why: why ?? '' };
  return { kind: 'good', checkpoint: fresh, kept, stored: keepCheckpoint(fresh) };
}

// One at a time, whatever asks.
let line: Promise<void> = Promise.resolve();
function inLine(what: 'newer' | 'older', work: () => Promise<void>): Promise<void> {
  line = line.then(async () => {
    busy.value = what;
    try {
      await work();
      trouble.value = '';
    } catch (error) {
      trouble.value = error instanceof Refusal ? `${BROKEN}: ${error.message}.` : sentence(error);
      if (error instanceof Refusal) check.value = { kind: 'broken', why: `${BROKEN}: ${error.message}` };
    }
    busy.value = '';
  });
  return line;
}

export function readNewer(): Promise<void> {
  return inLine('newer', async () => {
    const signed = await takeCheckpoint();
    const known = audit.value, last = known?.records.at(-1)?.revision;
    let now: Audit;
    if (known && last !== undefined) {
      now = { records: [...known.records, ...await readFrom(last)], before: known.before };
    } else {
      const { revision } = await client(ControllerService).getStatus({});
      now = await readWindow(revision, true);
    }
    check.value = await examine(now, signed);
    audit.value = now;
  });
}

export function readOlder(): Promise<void> {
  return inLine('older', async () => {
    const known = audit.value, first = known?.records[0]?.revision;
    if (!known || first === undefined || first <= 1n) return;
    const older = await readWindow(first - 1n, false);
    const now = { records: [...older.records, ...known.records], before: older.before };
    check.value = await examine(now, await takeCheckpoint());
    audit.value = now;
  });
}
