import type { ComponentChildren } from 'preact';

// Nothing is here: why, and what to do next.
export function Empty({ title, children, action }: { title: string; children?: ComponentChildren; action?: ComponentChildren }) {
  return <div class="empty"><h2>{title}</h2>{children && <p>{children}</p>}{action && <div class="bar">{action}</div>}</div>;
}
