// Times in the reader's zone, with UTC in the title. What the page calls now moves on by itself, once a minute.
import { signal } from '@preact/signals';

export const now_s = signal(Math.floor(Date.now() / 1000));
setInterval(() => { now_s.value = Math.floor(Date.now() / 1000); }, 30_000);

// "Europe/Berlin"
export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone ?? 'UTC';

const pad = (value: number) => String(value).padStart(2, '0');
export function dateText(time_s: number | bigint): string {
  const at = new Date(Number(time_s) * 1000);
  return `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
}
export function timeText(time_s: number | bigint, seconds = false): string {
  const at = new Date(Number(time_s) * 1000);
  return `${dateText(time_s)} ${pad(at.getHours())}:${pad(at.getMinutes())}${seconds ? `:${pad(at.getSeconds())}` : ''}`;
}
export function utcText(time_s: number | bigint): string {
  return new Date(Number(time_s) * 1000).toISOString().replace('T', ' ').replace(/\.\d+Z$/, ' UTC');
}

// "in 3 days", "2 minutes ago": the largest unit that has passed.
export function relative(time_s: number | bigint, from_s = Math.max(now_s.value, Math.floor(Date.now() / 1000))): string {
  const distance = Number(time_s) - from_s, size = Math.abs(distance);
  const [unit, length] = ([['year', 2 * 31_557_600, 31_557_600], ['day', 86_400, 86_400], ['hour', 3600, 3600], ['minute', 60, 60]] as const)
    .find(([, least]) => size >= least) ?? ['second', 0, 0];
  if (unit === 'second') return distance > 0 ? 'in a moment' : 'just now';
  const many = Math.trunc(size / length);
  const text = `${many} ${unit}${many === 1 ? '' : 's'}`;
  return distance > 0 ? `in ${text}` : `${text} ago`;
}

type Form = 'date' | 'time' | 'seconds' | 'relative';

// 0 is no time at all.
export function Time({ s, form = 'time', none = '–' }: { s: number | bigint; form?: Form; none?: string }) {
  if (!Number(s)) return <span class="dim">{none}</span>;
  const text = form === 'date' ? dateText(s) : form === 'relative' ? relative(s) : timeText(s, form === 'seconds');
  return <time class="nowrap" dateTime={new Date(Number(s) * 1000).toISOString()} title={form === 'relative' ? `${timeText(s, true)} (${utcText(s)})` : utcText(s)}>{text}</time>;
}

// "(311 days)", "(expired 3 days ago)"
export function daysLeft(until_s: number | bigint): string {
  const left = Number(until_s) - now_s.value;
  if (left < 0) return `expired ${relative(until_s)}`;
  const days = Math.floor(left / 86_400);
  return days === 1 ? '1 day' : days > 1 ? `${days} days` : relative(until_s).replace('in ', '');
}
