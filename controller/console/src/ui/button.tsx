import type { ComponentChildren } from 'preact';
import { Icon, type IconName } from './icon';

interface Props {
  children?: ComponentChildren;
  kind?: 'plain' | 'primary' | 'danger' | 'quiet';
  small?: boolean;
  icon?: IconName;
  label?: string;       // the name of a button that shows an icon only
  title?: string;
  type?: 'button' | 'submit';
  busy?: boolean;       // what it started is under way
  disabled?: boolean;
  href?: string;        // a link that looks like a button
  class?: string;
  onClick?: (event: MouseEvent) => void;
  [attribute: `aria-${string}` | `data-${string}`]: string | boolean | undefined;
}

// One that is busy or disabled keeps the focus, so that the keyboard does not lose its place; it does nothing.
export function Button({ children, kind = 'plain', small, icon, label, type = 'button', busy, disabled, href, onClick, ...rest }: Props) {
  const name = label ?? (rest['aria-label'] as string | undefined);
  const look = ['button', kind, small && 'small', children === undefined && 'icon', rest.class].filter(Boolean).join(' ');
  const inside = <>{busy ? <span class="spin" aria-hidden="true" /> : icon && <Icon name={icon} />}{children}</>;
  if (href !== undefined) return <a {...rest} class={look} href={href} aria-label={name}>{inside}</a>;
  const still = Boolean(busy || disabled);
  const press = (event: MouseEvent) => {
    if (still) event.preventDefault();
    else onClick?.(event);
  };
  return (
    <button {...rest} class={look} type={type} onClick={press} aria-label={name} title={rest.title ?? label}
      aria-disabled={still || undefined} aria-busy={busy || undefined}>{inside}</button>
  );
}
