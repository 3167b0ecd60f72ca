import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { fieldText, readLocal } from '../src/dialogs/local-time';

describe('a time as it is typed', () => {
  beforeAll(() => {
    vi.stubEnv('TZ', 'Europe/Berlin');
  });
  afterAll(() => {
    vi.unstubAllEnvs();
  });
  const s = (text: string) => Date.parse(text) / 1000;

  it.each([
    ['2026-12-24T02:00', { kind: 'one', s: s('2026-12-24T01:00:00Z') }],
    ['2026-07-01T02:00', { kind: 'one', s: s('2026-07-01T00:00:00Z') }],
    ['2026-03-29T01:59', { kind: 'one', s: s('2026-03-29T00:59:00Z') }],
    ['2026-03-29T03:00', { kind: 'one', s: s('2026-03-29T01:00:00Z') }],
    ['2026-10-25T02:30', { kind: 'twice', first: s('2026-10-25T00:30:00Z'), second: s('2026-10-25T01:30:00Z') }],
    ['2026-10-25T03:00', { kind: 'one', s: s('2026-10-25T02:00:00Z') }],
    ['2026-02-30T03:00', { kind: 'none' }],
    ['2026-02', { kind: 'none' }],
    ['', { kind: 'none' }],
  ])('%s', (text, expected) => {
    expect(readLocal(text)).toEqual(expected);
  });

  it('does not guess a time that is skipped', () => {
    expect(readLocal('2026-03-29T02:30').kind).toBe('skipped');
  });

  it('writes what it reads', () => {
    expect(fieldText(s('2026-12-24T01:00:00Z'))).toBe('2026-12-24T02:00');
  });
});
