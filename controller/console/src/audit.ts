// The audit as far as it has been read: an unbroken run of records, longer at either end as it is asked for, and what came of
// checking it. Nothing is good that is not chained: the signed end to the run, and what was signed before to the signed end, over
// every record between. Until that is done what this browser keeps is not replaced.
import { signal } from '@preact/signals';
import { client } from './api/client';
import { sentence } from './api/fault';
import { type AuditRecord, ControllerService } from './gen/countersign/v1/operator_pb';
import { BEGINNING, type Checkpoint, contradiction, type End, followChain, keepCheckpoint, keptCheckpoint, openCheckpoint, type Run, stands } from './trust/audit';
import { equal } from './trust/bytes';
import { policy } from './trust/policy';
import { Refusal } from './trust/refusal';

const WINDOW = 256n;
// So many records between what was kept and the run are followed by themselves; more when a person asks for it.
const FOLLOWED = 2_000n;

export type Check =
  | { kind: 'none' }                 // nothing was checked yet
  | { kind: 'good'; checkpoint: Checkpoint; kept: Checkpoint | undefined; stored: boolean }
  | { kind: 'apart'; checkpoint: Checkpoint; kept: Checkpoint; between: bigint }   // not compared with what was kept: too far back
  | { kind: 'unsigned'; why: string }
  | { kind: 'broken'; why: string; checkpoint?: Checkpoint | undefined; kept?: Checkpoint | undefined };

export const audit = signal<Run | undefined>(undefined);
export const check = signal<Check>({ kind: 'none' });
export const trouble = signal('');
export const busy = signal<'' | 'newer' | 'older' | 'compare'>('');
export const compared = signal<bigint | undefined>(undefined);   // so many records, while it is under way

const BROKEN = 'The controller\'s audit was altered or rolled back';

// Behind `after`, up to `until`, a page at a time; each goes on where the one before ended.
async function* pages(after: bigint, until: bigint): AsyncGenerator<AuditRecord[]> {
  for (let at = after; at < until;) {
    const reply = await client(ControllerService).listAudit({ afterRevision: at });
    const records = reply.records.filter(({ revision }) => revision <= until);
    for (const { revision } of records)
      if (revision !== ++at) throw new Refusal(`record ${revision} stands where record ${at} belongs`);
    if (!records.length) throw new Refusal(`record ${at + 1n} is not there, though the audit ends at revision ${until}`);
    yield records;
  }
}

async function read(after: bigint, until: bigint): Promise<AuditRecord[]> {
  const found: AuditRecord[] = [];
  for await (const records of pages(after, until)) found.push(...records);
  return found;
}

// The records that end with `until`, and the place before them: of the record in front, which is read along.
async function readRun(until: bigint): Promise<Run> {
  const first = until > WINDOW ? until - WINDOW + 1n : 1n;
  const records = await read(first > 1n ? first - 2n : 0n, until);
  const before: End = first > 1n ? records.shift()! : BEGINNING;
  const run = { before: { revision: before.revision, hash: before.hash }, records };
  await followChain(run.before, records);
  return run;
}

interface Signed { until: bigint; fresh?: Checkpoint; kept: Checkpoint | undefined; why?: string }

// What was kept in this page, for a browser that keeps nothing.
let seen: Checkpoint | undefined;

// How far the audit goes now. The signed end is asked for after what was kept has been read.
async function askEnd(): Promise<Signed> {
  const pinned = policy.value;
  const kept = (pinned && keptCheckpoint(pinned.body.deploymentId)) ?? seen;
  let why = 'There is no trust policy yet, so nothing says which key signs the audit.';
  if (pinned) {
    let envelope: Uint8Array | undefined;
    try {
      ({ envelope } = await client(ControllerService).getCheckpoint({}));
    } catch (error) {
      why = sentence(error);
    }
    if (envelope) {
      const fresh = await openCheckpoint(envelope, pinned);
      return { until: fresh.statement.revision, fresh, kept };
    }
  }
  return { until: (await client(ControllerService).getStatus({})).revision, kept, why };
}

// Every record between what was kept and the run, without keeping them.
async function bridge(kept: Checkpoint, { before }: Run): Promise<void> {
  let end: End = { revision: kept.statement.revision, hash: kept.statement.hash };
  try {
    for await (const records of pages(end.revision, before.revision)) {
      end = await followChain(end, records);
      compared.value = end.revision - kept.statement.revision;
    }
  } finally {
    compared.value = undefined;
  }
  if (!equal(end.hash, before.hash)) throw new Refusal(`record ${before.revision} is another one than the one that follows from what was signed before`);
}

// The run has been followed. `whole`: whatever it takes.
async function examine(run: Run, { fresh, kept, why }: Signed, whole = false): Promise<Check> {
  if (fresh && kept) {
    const against = contradiction(kept.statement, fresh.statement);
    if (against) throw new Refusal(against);
  }
  if (fresh && stands(fresh.statement, run) === 'outside') throw new Refusal(`record ${fresh.statement.revision}, which was signed for, is not there`);
  if (kept && stands(kept.statement, run) === 'outside') {
    const between = run.before.revision - kept.statement.revision;
    if (between < 0n) throw new Refusal(`record ${kept.statement.revision}, which was signed for before, is not there any more`);
    if (between > FOLLOWED && !whole) return fresh ? { kind: 'apart', checkpoint: fresh, kept, between } : { kind: 'unsigned', why: why ?? '' };
    await bridge(kept, run);
  }
  if (!fresh) return { kind: 'unsigned', why: why ?? '' };
  seen = fresh;
  return { kind: 'good', checkpoint: fresh, kept, stored: keepCheckpoint(fresh) };
}

// One at a time, whatever asks. What was found broken stays so as long as the page is there.
let line: Promise<void> = Promise.resolve();
function inLine(what: 'newer' | 'older' | 'compare', work: (signed: Signed, put: (run: Run) => void) => Promise<Check>): Promise<void> {
  line = line.then(async () => {
    let signed: Signed | undefined;
    busy.value = what;
    try {
      signed = await askEnd();
      const verdict = await work(signed, (run) => { audit.value = run; });
      if (check.value.kind !== 'broken') check.value = verdict;
      trouble.value = '';
    } catch (error) {
      trouble.value = error instanceof Refusal ? '' : sentence(error);
      if (error instanceof Refusal && check.value.kind !== 'broken')
        check.value = { kind: 'broken', why: `${BROKEN}: ${error.message}`, checkpoint: signed?.fresh, kept: signed?.kept };
    }
    busy.value = '';
  });
  return line;
}

const lastOf = ({ before, records }: Run): End => records.at(-1) ?? before;

// The run that is here, as far as the audit goes now.
async function extend(known: Run, until: bigint): Promise<Run> {
  const last = lastOf(known), fresh = await read(last.revision, until);
  await followChain(last, fresh);
  return { before: known.before, records: [...known.records, ...fresh] };
}

export function readNewer(): Promise<void> {
  return inLine('newer', async (signed, put) => {
    const known = audit.value;
    const run = known && signed.until - lastOf(known).revision <= FOLLOWED ? await extend(known, signed.until) : await readRun(signed.until);
    put(run);
    return examine(run, signed);
  });
}

export function readOlder(): Promise<void> {
  return inLine('older', async (signed, put) => {
    const known = audit.value;
    if (!known || known.before.revision === 0n) return check.value;
    const newer = await extend(known, signed.until), older = await readRun(known.before.revision);
    if (!equal(lastOf(older).hash, known.before.hash)) throw new Refusal(`record ${known.before.revision} is another one than before`);
    const run = { before: older.before, records: [...older.records, ...newer.records] };
    put(run);
    return examine(run, signed);
  });
}

// Every record since the one that was kept, because a person asked for it.
export function compareAll(): Promise<void> {
  return inLine('compare', async (signed, put) => {
    const run = audit.value ? await extend(audit.value, signed.until) : await readRun(signed.until);
    put(run);
    return examine(run, signed, true);
  });
}

// For tests, and when somebody else signs in.
export function forgetAudit(): void {
  audit.value = undefined;
  check.value = { kind: 'none' };
  trouble.value = '';
  seen = undefined;
}
