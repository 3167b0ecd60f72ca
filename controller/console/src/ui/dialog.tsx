// The browser's own modal dialog: it keeps the focus, gives it back, and closes by Escape, unless something is under way in it.
import type { ComponentChildren } from 'preact';
import { useId, useLayoutEffect, useRef } from 'preact/hooks';
import { Button } from './button';

interface Props {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
  foot?: ComponentChildren;   // buttons, the most likely one last
  wide?: boolean;
  busy?: boolean;             // cannot be closed now
  onSubmit?: () => void;      // Enter in a field, and buttons of the type submit
  closing?: boolean;          // nothing is left but to close it: by the one button in the foot, and by Enter
}

export function Dialog({ title, onClose, children, foot, wide, busy, onSubmit, closing }: Props) {
  const act = closing ? onClose : onSubmit;
  const buttons = closing ? <Button kind="primary" type="submit">Close</Button> : foot;
  const element = useRef<HTMLDialogElement>(null);
  const body = useRef<HTMLDivElement>(null);
  const id = useId();
  useLayoutEffect(() => {
    const dialog = element.current!;
    dialog.showModal();
    // The first field, or the dialog itself, rather than the button that closes it.
    const first = body.current?.querySelector<HTMLElement>('[autofocus], input:not([type=hidden]), textarea, select, [role=switch]');
    (first ?? dialog).focus({ preventScroll: true });
    return () => dialog.close();
  }, []);
  const cancel = (event: Event) => {
    event.preventDefault();
    if (!busy) onClose();
  };
  const inside = (
    <>
      <div class="dialog-head"><h2 id={id}>{title}</h2><Button kind="quiet" icon="close" label="Close" disabled={busy ?? false} onClick={onClose} /></div>
      <div class="dialog-body" ref={body}>{children}</div>
      {buttons && <div class="dialog-foot">{buttons}</div>}
    </>
  );
  const submit = (event: Event) => {
    event.preventDefault();
    if (!busy) act?.();
  };
  return (
    <dialog class={wide ? 'dialog wide' : 'dialog'} ref={element} aria-labelledby={id} tabIndex={-1} onCancel={cancel}>
      {act ? <form class="dialog-form" noValidate onSubmit={submit}>{inside}</form> : inside}
    </dialog>
  );
}
