// A dialog for what is not signed: questions, one button that does it, and what came of it.
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { sentence } from '../api/fault';
import { Button } from '../ui/button';
import { Dialog } from '../ui/dialog';
import { Notice } from '../ui/notice';
import './dialogs.css';

export interface DoDialogProps<Result> {
  title: string;
  yes: string;
  danger?: boolean;
  wide?: boolean;
  missing: () => string;
  act: () => Promise<Result>;
  done?: (result: Result) => ComponentChildren; // none: the dialog closes
  onDone: () => void;
  onClose: () => void;
  children: ComponentChildren;
}

export function DoDialog<Result>({ title, yes, danger, wide, missing, act, done, onDone, onClose, children }: DoDialogProps<Result>) {
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState('');
  const [result, setResult] = useState<{ value: Result } | undefined>(undefined);
  const go = async () => {
    if (busy) return;
    const lacks = missing();
    setTrouble(lacks);
    if (lacks) return;
    setBusy(true);
    try {
      const value = await act();
      onDone();
      if (done) setResult({ value });
      else onClose();
    } catch (error) {
      setTrouble(sentence(error));
    }
    setBusy(false);
  };
  if (result && done)
    return (
      <Dialog title={title} onClose={onClose} closing>
        {done(result.value)}
      </Dialog>
    );
  return (
    <Dialog
      title={title}
      onClose={onClose}
      busy={busy}
      wide={wide ?? false}
      onSubmit={() => {
        void go();
      }}
      foot={
        <>
          <Button onClick={onClose} disabled={busy}>
            Cancel
          </Button>
          <Button kind={danger ? 'danger' : 'primary'} type="submit" busy={busy}>
            {yes}
          </Button>
        </>
      }
    >
      {trouble && <Notice kind="bad">{trouble}</Notice>}
      {children}
    </Dialog>
  );
}
