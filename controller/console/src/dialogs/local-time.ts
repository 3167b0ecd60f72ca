// A date and time as the browser's own field gives it ("2026-12-24T02:00"), in the reader's zone. A local time that the zone skips
// or has twice is never guessed. Pure but for the zone, which is the browser's.

export type LocalTime =
  | { kind: 'none' } // not complete, or no time
  | { kind: 'one'; s: number }
  | { kind: 'skipped'; before: number; after: number } // clocks go forward over it: the last moment before, the first after
  | { kind: 'twice'; first: number; second: number }; // clocks go back over it

const pad = (value: number) => String(value).padStart(2, '0');

// As the field writes it.
export function fieldText(s: number): string {
  const at = new Date(s * 1000);
  return `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}T${pad(at.getHours())}:${pad(at.getMinutes())}`;
}

const offsetS = (s: number) => new Date(s * 1000).getTimezoneOffset() * 60;
const DAY_S = 86_400;

export function readLocal(text: string): LocalTime {
  const match = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)/.exec(text);
  if (!match) return { kind: 'none' };
  const [year, month, day, hour, minute] = match.slice(1).map(Number) as [number, number, number, number, number];
  const asUtc = Date.UTC(year, month - 1, day, hour, minute) / 1000;
  if (!Number.isFinite(asUtc) || new Date(asUtc * 1000).getUTCDate() !== day) return { kind: 'none' };
  // What the zone's offsets around that day make of it; those hold that read back as what was typed.
  const offsets = [...new Set([offsetS(asUtc - DAY_S), offsetS(asUtc + DAY_S)])];
  const fits = offsets
    .map((offset) => asUtc + offset)
    .filter((s) => fieldText(s) === text.slice(0, 16))
    .sort((a, b) => a - b);
  if (fits.length === 1) return { kind: 'one', s: fits[0]! };
  if (fits.length > 1) return { kind: 'twice', first: fits[0]!, second: fits[1]! };
  const sides = offsets.map((offset) => asUtc + offset).sort((a, b) => a - b);
  return { kind: 'skipped', before: sides[0]!, after: sides.at(-1)! };
}
