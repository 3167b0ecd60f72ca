// A browser becomes somebody's: it makes a key, tells the controller the public half, and shows the words that the admin compares.
import { useEffect, useState } from 'preact/hooks';
import { pairingLink, signIn, trouble } from '../api/session';
import { sentence } from '../api/fault';
import { type Identity, identity, keyWords, loadIdentity, pair } from '../api/identity';
import { Button } from '../ui/button';
import { Notice } from '../ui/notice';
import { Words } from '../ui/statement';

function Paired({ who }: { who: Identity }) {
  const [words, setWords] = useState(''), [busy, setBusy] = useState(false);
  useEffect(() => { void keyWords(who.spki).then(setWords); }, [who]);
  const enter = async () => {
    setBusy(true);
    await signIn();
    setBusy(false);
  };
  return (
    <>
      <h1 tabIndex={-1}>Paired as {who.operator}</h1>
      <section class="card">
        <Words words={words} what="The key in words" />
        <p>Read these words to the admin who gave you the link: the same words stand in the admin's terminal. If they differ, somebody is between you.</p>
        <p>Then the admin puts the key into the trust policy, and the holders of the root keys sign it. From then on you can sign in.</p>
        <div class="bar"><Button kind="primary" busy={busy} onClick={() => { void enter(); }}>Sign in as {who.operator}</Button></div>
      </section>
    </>
  );
}

export default function Pair() {
  const link = pairingLink.value;
  const [made, setMade] = useState<Identity>(), [busy, setBusy] = useState(false), [failure, setFailure] = useState('');
  useEffect(() => { void loadIdentity(); }, []);
  if (made) return <Paired who={made} />;
  if (!link)
    return (
      <>
        <h1 tabIndex={-1}>Pair this browser</h1>
        <Notice kind="bad">{trouble.value || 'The pairing link is cut or mistyped: copy it whole.'}</Notice>
      </>
    );
  const before = identity.value;
  const start = async () => {
    setBusy(true);
    setFailure('');
    try {
      setMade(await pair(link));
    } catch (error) {
      setFailure(sentence(error));
    }
    setBusy(false);
  };
  return (
    <>
      <h1 tabIndex={-1}>Pair this browser</h1>
      {failure && <Notice kind="bad" title="Not paired">{failure} A link is good for ten minutes and one browser: where it does not work, ask for a new one.</Notice>}
      {before && <Notice kind="warn">This browser has a key of {before.operator} already. Pairing replaces it, and it cannot be brought back.</Notice>}
      <section class="card">
        <p>This browser will make a key of its own for signing. The private half stays in it: no page and no program can read it, and clearing the
          browser's data for this site destroys it.</p>
        <p>By default such a key may ask for pushes and approve them, but not complete the last stage.</p>
        <div class="bar"><Button kind="primary" busy={busy} onClick={() => { void start(); }}>Pair this browser</Button></div>
      </section>
    </>
  );
}
