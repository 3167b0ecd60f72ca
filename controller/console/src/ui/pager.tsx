import type { ComponentChildren } from 'preact';
import { Button } from './button';

// Where a list is too long for one page. `text` says which part this is.
export function Pager({ text, onPrevious, onNext, busy, hasPrevious, hasNext }:
  { text: ComponentChildren; hasPrevious: boolean; hasNext: boolean; onPrevious: () => void; onNext: () => void; busy?: boolean }) {
  return (
    <nav class="pager" aria-label="Pages">
      <span class="text" role="status">{text}</span>
      <Button small icon="previous" disabled={!hasPrevious} onClick={onPrevious}>Previous</Button>
      <Button small icon="next" disabled={!hasNext} busy={busy ?? false} onClick={onNext}>Next</Button>
    </nav>
  );
}
