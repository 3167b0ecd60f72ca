// Fields with their labels, hints and errors tied to them.
import { type ComponentChildren, createElement } from 'preact';
import { useId } from 'preact/hooks';
import { Button } from './button';
import { Icon } from './icon';

interface TextProps {
  label: string;
  value: string;
  onInput: (value: string) => void;
  hint?: ComponentChildren;
  error?: string | undefined;
  multiline?: boolean;
  type?: string;
  placeholder?: string;
  required?: boolean;
  maxLength?: number;
  spellcheck?: boolean;
  mono?: boolean;
  disabled?: boolean;
}

export function TextField({ label, value, onInput, hint, error, multiline, mono, required, ...rest }: TextProps) {
  const id = useId();
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(' ') || undefined;
  const common: Record<string, unknown> = {
    ...rest, id, value, required, class: mono ? 'input mono' : 'input', 'aria-invalid': error ? true : undefined, 'aria-describedby': described,
    onInput: (event: Event) => onInput((event.currentTarget as HTMLInputElement).value),
  };
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {multiline ? <textarea {...common} rows={3} /> : createElement('input', { autoComplete: 'off', ...common })}
      {hint && <span class="hint" id={`${id}-hint`}>{hint}</span>}
      {error && <span class="error" id={`${id}-error`} role="alert">{error}</span>}
    </div>
  );
}

export function Select<T extends string>({ label, value, options, onChange }:
  { label: string; value: T; options: readonly (readonly [T, string])[]; onChange: (value: T) => void }) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} class="input" value={value}
        onChange={(event) => onChange(event.currentTarget.value as T)}>
        {options.map(([one, word]) => <option key={one} value={one} selected={one === value}>{word}</option>)}
      </select>
    </div>
  );
}

export function Checkbox({ checked, onChange, children }:
  { checked: boolean; onChange: (checked: boolean) => void; children: ComponentChildren }) {
  return (
    <label class="check">
      <input type="checkbox" checked={checked} onChange={(event) => onChange(event.currentTarget.checked)} />
      <span>{children}</span>
    </label>
  );
}

// "Manual Implementation: on". Its state is a word, too.
export function Toggle({ label, on, onChange }: { label: string; on: boolean; onChange: (on: boolean) => void }) {
  return (
    <button type="button" class="switch" role="switch" aria-checked={on} aria-label={label} onClick={() => onChange(!on)}>
      <span class="switch-track" aria-hidden="true" />
      <span>{label} <span class="switch-word">{on ? 'on' : 'off'}</span></span>
    </button>
  );
}

export function Search({ label, value, onInput, placeholder }:
  { label: string; value: string; onInput: (value: string) => void; placeholder?: string }) {
  return (
    <div class="search" role="search">
      <Icon name="search" />
      <input class="input" type="search" aria-label={label} value={value} placeholder={placeholder ?? label} autoComplete="off"
        spellcheck={false} maxLength={120} onInput={(event) => onInput(event.currentTarget.value)} />
      {value && <Button kind="quiet" small icon="close" label="Clear the search" onClick={(event) => {
        onInput('');
        ((event.currentTarget as HTMLElement).parentElement!.querySelector('input'))?.focus();
      }} />}
    </div>
  );
}
