// What did not work, and a button that tries it again. `more`: other ways on, beside that.
import type { ComponentChildren } from 'preact';
import { Button } from './button';
import { Notice } from './notice';

export function TryAgain({ kind = 'bad', title = '', onAgain, small = false, busy = false, more, children }:
  { kind?: 'warn' | 'bad'; title?: string; onAgain: () => void; small?: boolean; busy?: boolean; more?: ComponentChildren; children: ComponentChildren }) {
  return <Notice kind={kind} title={title} action={<><Button small={small} busy={busy} onClick={onAgain}>Try again</Button>{more}</>}>{children}</Notice>;
}
