// What a request signs besides its orders: until when people may decide, how long the push stays valid, how often it is tried.
import { useState } from 'preact/hooks';
import { ATTEMPTS_MOST } from '../flow/push';
import { TextField } from '../ui/field';

export interface Terms {
  decideByS: number;
  windowS: number;
  maxAttempts: number;
}

// As text, while it is being typed.
export interface TermsText {
  decideByDays: string;
  windowHours: string;
  attempts: string;
}

export const usualTerms: TermsText = { decideByDays: '7', windowHours: '24', attempts: '3' };
const WINDOW_HOURS_MOST = 3650 * 24,
  DECIDE_DAYS_MOST = 3650;

const whole = (text: string, most: number) => (/^[1-9]\d{0,5}$/.test(text.trim()) && Number(text) <= most ? Number(text) : undefined);

export function readTerms(text: TermsText): Terms | undefined {
  const days = whole(text.decideByDays, DECIDE_DAYS_MOST),
    hours = whole(text.windowHours, WINDOW_HOURS_MOST),
    attempts = whole(text.attempts, ATTEMPTS_MOST);
  return days && hours && attempts ? { decideByS: days * 86_400, windowS: hours * 3600, maxAttempts: attempts } : undefined;
}

export const termsTrouble = (text: TermsText) =>
  readTerms(text) ? '' : `Days to decide, hours to push and attempts are whole numbers from 1; attempts at most ${ATTEMPTS_MOST}.`;

export function TermsFields({ value, onChange }: { value: TermsText; onChange: (value: TermsText) => void }) {
  const [open, setOpen] = useState(false);
  return (
    <details class="terms" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        Decided within {value.decideByDays} days, pushed within {value.windowHours} hours, {value.attempts} attempts
      </summary>
      <div class="terms-fields">
        <TextField label="Days to decide" value={value.decideByDays} onInput={(decideByDays) => onChange({ ...value, decideByDays })} />
        <TextField
          label="Hours to push, from its start"
          value={value.windowHours}
          onInput={(windowHours) => onChange({ ...value, windowHours })}
        />
        <TextField label="Attempts" value={value.attempts} onInput={(attempts) => onChange({ ...value, attempts })} />
      </div>
    </details>
  );
}
