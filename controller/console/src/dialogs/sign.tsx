// A dialog that ends in a signature: questions, then the statement as its bytes say it, then what came of it. What a person reads
// before "Sign and send" is decoded from the bytes that are signed (flow/draft.ts). When what was looked at has changed meanwhile,
// nothing is sent, and the dialog offers to look again.
import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { isStale, sentence } from '../api/fault';
import type { Draft } from '../flow/draft';
import { Button } from '../ui/button';
import { Dialog } from '../ui/dialog';
import { Notice } from '../ui/notice';
import { LINES_FIRST, Statement } from '../ui/statement';
import './dialogs.css';

export interface SignDialogProps<Result> {
  title: string;                                // of the questions; the statement has its own, which its bytes say
  children: ComponentChildren; // the questions
  yes: string; // what answers them: "OK", "Yes"
  danger?: boolean;
  // What is still missing, as a sentence; empty: nothing. Told when the person has pressed the button.
  missing: () => string;
  prepare: () => Promise<Draft<Result>>;
  done: (result: Result) => ComponentChildren;
  onDone: () => void; // it was sent
  onClose: () => void;
  // Looks again at what the questions are about, after it has changed.
  onLookAgain?: () => Promise<void>;
  changed?: string; // a sentence: it has changed while the dialog is open
  closed?: string; // a sentence: nothing is to be signed (any more)
}

const inView = (element: HTMLElement | null) => element?.scrollIntoView({ block: 'nearest' });

type Stage<Result> =
  | { at: 'ask'; trouble: string }
  | { at: 'preparing' }
  | { at: 'show' | 'signing'; draft: Draft<Result>; trouble: string; seenAll?: boolean }
  | { at: 'stale'; trouble: string }
  | { at: 'done'; result: Result };

export function SignDialog<Result>(props: SignDialogProps<Result>) {
  const { title, children, yes, missing, prepare, done, onDone, onClose, onLookAgain, changed, closed } = props;
  const [stage, setStage] = useState<Stage<Result>>({ at: 'ask', trouble: '' });
  const open = useRef(true);
  useEffect(
    () => () => {
      open.current = false;
    },
    [],
  );
  // What comes next is read from its beginning; the button under the finger is another one now, and must not take a second press.
  const start = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    start.current?.focus({ preventScroll: true });
  }, [stage.at === 'signing' ? 'show' : stage.at]);
  const move = (next: Stage<Result>) => {
    if (open.current) setStage(next);
  };
  const fail = (error: unknown, otherwise: (trouble: string) => Stage<Result>) => {
    const trouble = sentence(error);
    move(onLookAgain && isStale(error) ? { at: 'stale', trouble } : otherwise(trouble));
  };

  const ask = async () => {
    const lacks = missing();
    if (lacks) return setStage({ at: 'ask', trouble: lacks });
    setStage({ at: 'preparing' });
    try {
      const draft = await prepare();
      move({ at: 'show', draft, trouble: '', seenAll: draft.orders.length <= LINES_FIRST });
    } catch (error) {
      fail(error, (trouble) => ({ at: 'ask', trouble }));
    }
  };
  const sign = async (draft: Draft<Result>, seenAll: boolean) => {
    // Nobody signs for work orders that were not on the screen.
    if (!seenAll)
      return setStage({ at: 'show', draft, trouble: `Press “Show all ${draft.orders.length} work orders” beneath the first, and look at them.` });
    setStage({ at: 'signing', draft, trouble: '', seenAll });
    try {
      const result = await draft.sign();
      onDone();
      move({ at: 'done', result });
    } catch (error) {
      fail(error, (trouble) => ({ at: 'show', draft, trouble, seenAll }));
    }
  };
  const lookAgain = async () => {
    setStage({ at: 'preparing' });
    try {
      await onLookAgain!();
      move({ at: 'ask', trouble: '' });
    } catch (error) {
      move({ at: 'stale', trouble: sentence(error) });
    }
  };

  const cancel = <Button onClick={onClose}>Cancel</Button>;
  if (stage.at === 'done')
    return (
      <Dialog title={title} onClose={onClose} closing>
        <div ref={start} tabIndex={-1}>
          {done(stage.result)}
        </div>
      </Dialog>
    );
  if (stage.at === 'stale')
    return (
      <Dialog
        title={title}
        onClose={onClose}
        onSubmit={() => {
          void lookAgain();
        }}
        foot={
          <>
            <Button onClick={onClose}>Close</Button>
            <Button kind="primary" type="submit">
              Look again
            </Button>
          </>
        }
      >
        <div ref={start} tabIndex={-1}>
          <Notice kind="bad" title="It has changed meanwhile: nothing was sent">
            {changed && <p>{changed}</p>}
            <p>{stage.trouble}</p>
          </Notice>
        </div>
        <p>Look at how it stands now, then decide again.</p>
      </Dialog>
    );
  if (stage.at === 'show' || stage.at === 'signing') {
    const busy = stage.at === 'signing',
      { draft, seenAll = false } = stage;
    return (
      <Dialog
        title={draft.title}
        onClose={onClose}
        wide
        busy={busy}
        onSubmit={() => {
          void sign(draft, seenAll);
        }}
        foot={
          <>
            <span class="start">
              <Button kind="quiet" icon="previous" disabled={busy} onClick={() => setStage({ at: 'ask', trouble: '' })}>
                Back
              </Button>
            </span>
            {busy ? null : cancel}
            <Button kind={props.danger ? 'danger' : 'primary'} type="submit" busy={busy}>
              Sign and send
            </Button>
          </>
        }
      >
        {changed && <Notice kind="warn">{changed}</Notice>}
        {stage.trouble && (
          <div ref={inView}>
            <Notice kind="bad" title="It was not sent">
              {stage.trouble}
            </Notice>
          </div>
        )}
        <div ref={start} class="statement-frame" tabIndex={0} role="group" aria-label="What is signed">
          <Statement draft={draft} onAll={() => setStage({ at: 'show', draft, trouble: '', seenAll: true })} />
        </div>
      </Dialog>
    );
  }
  const busy = stage.at === 'preparing';
  if (closed)
    return (
      <Dialog title={title} onClose={onClose} closing>
        <div ref={start} tabIndex={-1}>
          <Notice kind="info">{closed}</Notice>
        </div>
      </Dialog>
    );
  return (
    <Dialog
      title={title}
      onClose={onClose}
      onSubmit={() => {
        if (!busy) void ask();
      }}
      foot={
        <>
          {cancel}
          <Button kind="primary" type="submit" busy={busy}>
            {yes}
          </Button>
        </>
      }
    >
      {stage.at === 'ask' && stage.trouble && <Notice kind="bad">{stage.trouble}</Notice>}
      {children}
    </Dialog>
  );
}
