// How one gets in, or back in: what happened, and what to do.
import { useEffect, useState } from 'preact/hooks';
import { begin, phase, servedBy, signIn, trouble } from '../api/session';
import { forgetIdentity, identity, keyWords } from '../api/identity';
import { Button } from '../ui/button';
import { Dialog } from '../ui/dialog';
import { Notice } from '../ui/notice';
import { Words } from '../ui/statement';

function ByLink() {
  const ended = phase.value === 'ended';
  return (
    <>
      <h1 tabIndex={-1}>{ended ? 'This page is closed' : 'Open this page by its link'}</h1>
      <Notice kind={ended ? 'warn' : 'info'}>{trouble.value}</Notice>
      <section class="card">
        <h2>Where the link comes from</h2>
        <p>These pages come from <code>countersign console</code> on your own machine, which signs with your key. It lets in whoever has its link, once.</p>
        <ol class="steps">
          <li>Go to the terminal where it runs, and press Enter: it prints a new link. Where it does not run any more, start it: <code>countersign console</code></li>
          <li>Open the link in this browser.</li>
        </ol>
      </section>
    </>
  );
}

function Forget({ onClose }: { onClose: () => void }) {
  const [busy, setBusy] = useState(false);
  const forget = async () => {
    setBusy(true);
    await forgetIdentity();
    onClose();
    await begin();
  };
  return (
    <Dialog title="Forget this browser's key?" busy={busy} onClose={onClose} foot={<>
      <Button onClick={onClose} disabled={busy}>Keep it</Button>
      <Button kind="danger" busy={busy} onClick={() => { void forget(); }}>Forget it</Button></>}>
      <p>The key cannot be brought back: to sign in again this browser has to be paired anew, and its new key put into the trust policy.
        Ask an admin to take the old one out of the policy, too.</p>
    </Dialog>
  );
}

function ByKey() {
  const who = identity.value;
  const [busy, setBusy] = useState(false), [forgetting, setForgetting] = useState(false), [words, setWords] = useState('');
  useEffect(() => {
    if (who) void keyWords(who.spki).then(setWords);
  }, [who]);
  const enter = async () => {
    setBusy(true);
    await signIn();
    setBusy(false);
  };
  if (!who)
    return (
      <>
        <h1 tabIndex={-1}>This browser is not paired</h1>
        <p>It has no key to sign in and to sign with.</p>
        <section class="card">
          <h2>How to pair it</h2>
          <ol class="steps">
            <li>An admin runs <code>countersign operator pair YOUR-NAME</code> and gives you the link that it prints. It is good for ten minutes and one browser.</li>
            <li>Open the link in this browser: it makes a key, which stays here, and shows eight words.</li>
            <li>The admin compares the words and puts the key into the trust policy, which the holders of the root keys sign.</li>
          </ol>
        </section>
      </>
    );
  return (
    <>
      <h1 tabIndex={-1}>Sign in</h1>
      {trouble.value && <Notice kind={phase.value === 'ended' ? 'warn' : 'info'}>{trouble.value}</Notice>}
      <section class="card">
        <p>This browser has a key of <strong>{who.operator}</strong>.</p>
        {words && <Words words={words} what="The key in words" />}
        <div class="bar">
          <Button kind="primary" busy={busy} onClick={() => { void enter(); }}>Sign in as {who.operator}</Button>
          <Button kind="quiet" disabled={busy} onClick={() => setForgetting(true)}>Forget this key</Button>
        </div>
      </section>
      {forgetting && <Forget onClose={() => setForgetting(false)} />}
    </>
  );
}

export default function SignIn() {
  return servedBy.value === 'console' ? <ByLink /> : <ByKey />;
}
