// Files that are dropped anywhere on the page, or chosen by the button: the dialog that imports them is loaded when it is wanted.
import type { ComponentChildren, ComponentType } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { signal } from '@preact/signals';
import { hasRole, me } from '../api/session';
import { Role } from '../gen/countersign/v1/statement_pb';
import { Button } from '../ui/button';
import { Icon } from '../ui/icon';

const chosen = signal<File[] | undefined>(undefined);

const mayImport = () => hasRole(Role.REQUESTER) || hasRole(Role.ADMIN) || me.value?.operator === '';

export function ImportButton() {
  const input = useRef<HTMLInputElement>(null);
  const take = () => {
    const files = [...(input.current!.files ?? [])];
    input.current!.value = '';
    if (files.length) chosen.value = files;
  };
  if (!mayImport()) return null;
  return (
    <>
      <Button icon="add" onClick={() => input.current!.click()}>Import…</Button>
      <input ref={input} type="file" multiple hidden aria-label="Files to import" accept=".pem,.crt,.cer,.der,.key,.p8" onChange={take} />
    </>
  );
}

export function Drop({ children }: { children: ComponentChildren }) {
  const [over, setOver] = useState(false);
  const [Dialog, setDialog] = useState<{ of: ComponentType<{ files: File[]; onClose: () => void }> } | undefined>(undefined);
  const files = chosen.value;
  useEffect(() => {
    const holdsFiles = (event: DragEvent) => mayImport() && (event.dataTransfer?.types.includes('Files') ?? false);
    // Leaving for a child is no leaving: what counts is the last one entered.
    let last: EventTarget | null = null;
    const enter = (event: DragEvent) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      last = event.target;
      setOver(true);
    };
    const leave = (event: DragEvent) => {
      if (event.target === last) setOver(false);
    };
    const allow = (event: DragEvent) => {
      if (holdsFiles(event)) event.preventDefault();
    };
    const drop = (event: DragEvent) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      setOver(false);
      const dropped = [...event.dataTransfer!.files];
      if (dropped.length) chosen.value = dropped;
    };
    const all = [['dragenter', enter], ['dragleave', leave], ['dragover', allow], ['drop', drop]] as const;
    for (const [name, what] of all) addEventListener(name, what);
    return () => {
      for (const [name, what] of all) removeEventListener(name, what);
      chosen.value = undefined;
    };
  }, []);
  useEffect(() => {
    if (files && !Dialog) void import('./dialog').then((module) => setDialog({ of: module.default }));
  }, [files]);
  return (
    <>
      {children}
      {over && <div class="drop-here" aria-hidden="true"><Icon name="add" /><span>Drop certificates and keys to import them</span></div>}
      {files && Dialog && <Dialog.of files={files} onClose={() => { chosen.value = undefined; }} />}
    </>
  );
}
