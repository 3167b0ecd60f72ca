// The audit's chain, and what this browser says of a controller that tells it another history.
import { create, fromBinary } from '@bufbuild/protobuf';
import { createRouterTransport } from '@connectrpc/connect';
import { beforeEach, describe, expect, it } from 'vitest';
import vectors from '../../../tests/vectors/audit-chain.txt?raw';
import { useTransport } from '../src/api/client';
import { audit, check, compareAll, forgetAudit, readNewer, readOlder, trouble } from '../src/audit';
import { type AuditRecord, AuditRecordSchema, ControllerService } from '../src/gen/countersign/v1/operator_pb';
import { AuditCheckpointSchema } from '../src/gen/countersign/v1/statement_pb';
import { BEGINNING, contradiction, followChain, keptCheckpoint, recordHash, stands } from '../src/trust/audit';
import { hex, random, unhex } from '../src/trust/bytes';
import { policy, type Policy } from '../src/trust/policy';
import { envelope, type Key, makeKey, memory, nowS } from './world';

const lines = vectors.split('\n').filter((line) => line && !line.startsWith('#'));
const chain = lines.flatMap((line, at) => line.startsWith('record ')
  ? [{ ...fromBinary(AuditRecordSchema, unhex(line.slice(7))!), hash: unhex(lines[at + 1]!.slice(5))! }] : []);

describe('the audit', () => {
  it('has the hashes of the shared vectors', async () => {
    expect(chain.length).toBeGreaterThan(3);
    let before = BEGINNING.hash;
    for (const record of chain) {
      expect(hex(await recordHash(before, record))).toBe(hex(record.hash));
      before = record.hash;
    }
    expect((await followChain(BEGINNING, chain)).hash).toEqual(chain.at(-1)!.hash);
    expect(await followChain(chain[0]!, chain.slice(1))).toEqual({ revision: chain.at(-1)!.revision, hash: chain.at(-1)!.hash });
  });

  it('sees a record that was changed, left out, or put elsewhere', async () => {
    const changed = chain.map((record, at) => (at === 1 ? { ...record, actor: 'mallory' } : record));
    await expect(followChain(BEGINNING, changed)).rejects.toThrow(/record 2 does not follow/);
    await expect(followChain(BEGINNING, chain.filter((_, at) => at !== 1))).rejects.toThrow(/record 3 stands where record 2 belongs/);
    await expect(followChain(BEGINNING, chain.slice(1))).rejects.toThrow(/record 2 stands where record 1 belongs/);
    await expect(followChain({ revision: 1n, hash: BEGINNING.hash }, chain.slice(1))).rejects.toThrow(/record 2 does not follow/);
  });

  it('is contradicted by a lower revision, and by another hash', () => {
    const at = (revision: bigint, byte: number) => create(AuditCheckpointSchema, { revision, hash: new Uint8Array(32).fill(byte) });
    expect(contradiction(at(7n, 1), at(7n, 1))).toBe('');
    expect(contradiction(at(7n, 1), at(9n, 2))).toBe('');
    expect(contradiction(at(7n, 1), at(6n, 1))).toMatch(/rolled back/);
    expect(contradiction(at(7n, 1), at(7n, 2))).toMatch(/altered/);
  });

  it('holds what was signed inside of the run, and says nothing of what is outside', () => {
    const run = { before: chain[0]!, records: chain.slice(1) };
    const signed = (revision: bigint, hash: Uint8Array) => create(AuditCheckpointSchema, { revision, hash });
    for (const record of chain) expect(stands(signed(record.revision, record.hash), run)).toBe('yes');
    for (const record of chain) expect(() => stands(signed(record.revision, BEGINNING.hash), run)).toThrow(/another hash/);
    expect(stands(signed(0n, BEGINNING.hash), run)).toBe('outside');
    expect(stands(signed(5n, BEGINNING.hash), run)).toBe('outside');
  });
});

async function grow(from: readonly AuditRecord[], many: number, actor: string): Promise<AuditRecord[]> {
  const all = [...from];
  for (let at = 0; at < many; at++) {
    const before = all.at(-1) ?? BEGINNING;
    const record = create(AuditRecordSchema, { revision: before.revision + 1n, timeS: 1_790_000_000n, command: 'ImportCertificate', actor });
    record.hash = await recordHash(before.hash, record);
    all.push(record);
  }
  return all;
}

describe('in this browser', () => {
  const deploymentId = random(16);
  let key: Key, records: AuditRecord[];
  // What the controller answers with: its own history, unless a test says otherwise.
  let serve: (after: bigint) => AuditRecord[];
  let sign: () => Promise<Uint8Array>;
  const checkpointAt = (record: { revision: bigint; hash: Uint8Array }, by = key) =>
    envelope('audit-checkpoint', AuditCheckpointSchema, { deploymentId, revision: record.revision, hash: record.hash, madeAtS: nowS() }, by);
  const kept = () => keptCheckpoint(deploymentId)?.statement.revision;

  beforeEach(async () => {
    Object.assign(globalThis, { localStorage: memory() });
    key = await makeKey();
    policy.value = { body: { deploymentId, messageKeys: [key.spki] } } as unknown as Policy;
    records = await grow([], 300, 'ada');
    serve = (after) => records.filter(({ revision }) => revision > after);
    sign = () => checkpointAt(records.at(-1)!);
    forgetAudit();
    useTransport((interceptors) => createRouterTransport((router) => {
      router.service(ControllerService, {
        getStatus: () => ({ revision: records.at(-1)!.revision }),
        listAudit: ({ afterRevision }) => { const found = serve(afterRevision); return { records: found.slice(0, 64), more: found.length > 64 }; },
        getCheckpoint: async () => ({ envelope: await sign() }),
      });
    }, { transport: { interceptors } }));
  });
  const broken = (why: RegExp) => {
    expect(trouble.value).toBe('');
    expect(check.value).toMatchObject({ kind: 'broken', why: expect.stringMatching(why) });
  };

  it('holds, grows, and is compared with what was kept', async () => {
    await readNewer();
    expect(check.value).toMatchObject({ kind: 'good', kept: undefined, stored: true });
    expect(audit.value!.before.revision).toBe(44n);
    expect(kept()).toBe(300n);
    records = await grow(records, 10, 'bob');
    await readNewer();
    expect(check.value).toMatchObject({ kind: 'good', kept: { statement: { revision: 300n } } });
    expect(audit.value!.records).toHaveLength(266);
    await readOlder();
    expect(check.value.kind).toBe('good');
    expect(audit.value!.records).toHaveLength(310);
    expect(audit.value!.before).toEqual(BEGINNING);
  });

  it('compares with what was kept below what is loaded, over every record between', async () => {
    records = await grow([], 20, 'ada');
    await readNewer();
    forgetAudit();
    records = await grow(records, 400, 'bob');
    await readNewer();
    expect(check.value).toMatchObject({ kind: 'good', kept: { statement: { revision: 20n } } });
    expect(kept()).toBe(420n);
  });

  it('does not take a fork, though the record that was signed is shown beside it', async () => {
    const mine = await grow([], 20, 'ada');
    records = mine;
    await readNewer();
    forgetAudit();
    records = await grow(mine.slice(0, 5), 400, 'mallory');
    serve = (after) => (after === 19n ? [mine[19]!] : records.filter(({ revision }) => revision > after));
    await readNewer();
    broken(/record 21 does not follow/);
    expect(kept()).toBe(20n);
    // It stays said, whatever the controller shows next.
    records = await grow(mine, 400, 'ada');
    serve = (after) => records.filter(({ revision }) => revision > after);
    await readNewer();
    expect(check.value.kind).toBe('broken');
    expect(kept()).toBe(20n);
  });

  it('does not take a fork that is joined below what is loaded', async () => {
    const mine = await grow([], 20, 'ada');
    records = mine;
    await readNewer();
    forgetAudit();
    const whole = await grow(mine, 400, 'ada'), fork = await grow(mine.slice(0, 5), 415, 'mallory');
    records = fork;
    let asked = 0;
    // The window is of the fork; the way to it is of the honest history.
    serve = (after) => (asked++ < 5 ? fork : whole).filter(({ revision }) => revision > after);
    await readNewer();
    broken(/another one than the one that follows from what was signed before/);
    expect(kept()).toBe(20n);
  });

  it('does not take a signed end that is not in it, beyond it, or by another key', async () => {
    sign = () => checkpointAt({ revision: 300n, hash: random(32) });
    await readNewer();
    broken(/record 300 has another hash than the one that was signed/);
    forgetAudit();
    sign = () => checkpointAt({ revision: 301n, hash: random(32) });
    await readNewer();
    broken(/record 301 is not there/);
    forgetAudit();
    const stranger = await makeKey();
    sign = () => checkpointAt(records.at(-1)!, stranger);
    await readNewer();
    broken(/no key that may sign it/);
    expect(kept()).toBeUndefined();
  });

  it('does not take a record that was altered or left out, loaded now or older', async () => {
    const altered = (at: bigint) => (after: bigint) => records.filter(({ revision }) => revision > after)
      .map((record) => (record.revision === at ? { ...record, actor: 'mallory' } : record));
    serve = altered(200n);
    await readNewer();
    broken(/record 200 does not follow/);
    forgetAudit();
    serve = (after) => records.filter(({ revision }) => revision > after && revision !== 250n);
    await readNewer();
    broken(/record 251 stands where record 250 belongs/);
    forgetAudit();
    serve = altered(20n);
    await readNewer();
    expect(check.value.kind).toBe('good');
    await readOlder();
    broken(/record 20 does not follow/);
  });

  it('does not take an older part of another history', async () => {
    await readNewer();
    const other = await grow([], 44, 'mallory');
    serve = (after) => (after < 44n ? other : records).filter(({ revision }) => revision > after);
    await readOlder();
    broken(/record 44 is another one than before/);
  });

  it('says so when what was kept is too far back, keeps it, and compares when it is asked to', async () => {
    records = await grow([], 3, 'ada');
    await readNewer();
    forgetAudit();
    const honest = await grow(records, 2400, 'bob');
    records = honest;
    await readNewer();
    expect(check.value).toMatchObject({ kind: 'apart', between: 2144n });
    expect(kept()).toBe(3n);
    serve = (after) => records.filter(({ revision }) => revision > after).map((record) => (record.revision === 1000n ? { ...record, actor: 'mallory' } : record));
    await compareAll();
    broken(/record 1000 does not follow/);
    expect(kept()).toBe(3n);
    forgetAudit();
    serve = (after) => records.filter(({ revision }) => revision > after);
    await readNewer();
    await compareAll();
    expect(check.value.kind).toBe('good');
    expect(kept()).toBe(2403n);
  });

  it('sees that it was rolled back', async () => {
    await readNewer();
    records = records.slice(0, 290);
    await readNewer();
    broken(/rolled back/);
    expect(kept()).toBe(300n);
  });

  it('compares with what this page saw where the browser keeps nothing', async () => {
    Object.assign(globalThis, { localStorage: undefined });
    await readNewer();
    expect(check.value).toMatchObject({ kind: 'good', stored: false });
    records = records.slice(0, 290);
    await readNewer();
    broken(/rolled back/);
  });
});
