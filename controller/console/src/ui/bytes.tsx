// Ids and fingerprints: shortened, whole in the title, and whole when copied.
import { useEffect, useState } from 'preact/hooks';
import { hex } from '../trust/bytes';
import { Button } from './button';

export function Copy({ text, label, children }: { text: string; label: string; children?: string }) {
  const [done, setDone] = useState('');
  useEffect(() => {
    if (!done) return undefined;
    const timer = setTimeout(() => setDone(''), 2500);
    return () => clearTimeout(timer);
  }, [done]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setDone('Copied');
    } catch {
      setDone('Not copied: the browser does not allow it here');
    }
  };
  return (
    <>
      <Button kind={children ? 'plain' : 'quiet'} small icon={done === 'Copied' ? 'check' : 'copy'} label={label} title={done || label}
        onClick={() => { void copy(); }}>{children && (done || children)}</Button>
      <span class="hidden" role="status">{done}</span>
    </>
  );
}

// `what` names it for the copy button: "the certificate's id".
export function Bytes({ value, what, whole }: { value: Uint8Array; what: string; whole?: boolean }) {
  const text = hex(value);
  if (!text) return <span class="dim">–</span>;
  return (
    <span class="bytes">
      <code title={text}>{whole || text.length <= 20 ? text : `${text.slice(0, 8)}…${text.slice(-8)}`}</code>
      <Copy text={text} label={`Copy ${what}`} />
    </span>
  );
}
