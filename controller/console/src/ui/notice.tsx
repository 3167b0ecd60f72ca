import type { ComponentChildren } from 'preact';

// What happened and what to do. One that is bad is said at once by a screen reader.
export function Notice({ kind = 'info', title, children, action }:
  { kind?: 'info' | 'good' | 'warn' | 'bad'; title?: string; children?: ComponentChildren; action?: ComponentChildren }) {
  return (
    <div class={`notice is-${kind}`} role={kind === 'bad' ? 'alert' : kind === 'info' ? undefined : 'status'}>
      <div>{title && <strong>{title}</strong>}{children && <div>{children}</div>}{action && <div class="bar">{action}</div>}</div>
    </div>
  );
}
