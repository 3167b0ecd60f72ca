import { create, fromBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import vectors from '../../../tests/vectors/audit-chain.txt?raw';
import { AuditRecordSchema } from '../src/gen/countersign/v1/operator_pb';
import { AuditCheckpointSchema } from '../src/gen/countersign/v1/statement_pb';
import { BEGINNING, contradiction, followChain, recordHash } from '../src/trust/audit';
import { hex, unhex } from '../src/trust/bytes';

const lines = vectors.split('\n').filter((line) => line && !line.startsWith('#'));
const chain = lines.flatMap((line, at) => line.startsWith('record ')
  ? [{ ...fromBinary(AuditRecordSchema, unhex(line.slice(7))!), hash: unhex(lines[at + 1]!.slice(5))! }] : []);

describe('the audit', () => {
  it('has the hashes of the shared vectors', async () => {
    expect(chain.length).toBeGreaterThan(3);
    let before = BEGINNING;
    for (const record of chain) {
      expect(hex(await recordHash(before, record))).toBe(hex(record.hash));
      before = record.hash;
    }
    expect(await followChain(BEGINNING, chain)).toEqual(chain.at(-1)!.hash);
    expect(await followChain(chain[0]!.hash, chain.slice(1))).toEqual(chain.at(-1)!.hash);
  });

  it('sees a record that was changed, left out, or put elsewhere', async () => {
    const changed = chain.map((record, at) => (at === 1 ? { ...record, actor: 'mallory' } : record));
    await expect(followChain(BEGINNING, changed)).rejects.toThrow(/record 2 does not follow/);
    await expect(followChain(BEGINNING, chain.filter((_, at) => at !== 1))).rejects.toThrow(/record 3 stands where record 2 belongs/);
    await expect(followChain(BEGINNING, chain.slice(1))).rejects.toThrow(/does not follow/);
  });

  it('is contradicted by a lower revision, and by another hash', () => {
    const at = (revision: bigint, byte: number) => create(AuditCheckpointSchema, { revision, hash: new Uint8Array(32).fill(byte) });
    expect(contradiction(at(7n, 1), at(7n, 1))).toBe('');
    expect(contradiction(at(7n, 1), at(9n, 2))).toBe('');
    expect(contradiction(at(7n, 1), at(6n, 1))).toMatch(/rolled back/);
    expect(contradiction(at(7n, 1), at(7n, 2))).toMatch(/altered/);
  });
});
