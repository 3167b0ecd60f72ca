// Who is signed in at the controller: one's own sessions, an admin's everybody's. Any of them can be ended.
import { useEffect, useState } from 'preact/hooks';
import { client } from '../api/client';
import { sentence } from '../api/fault';
import { hasRole, me, signOut } from '../api/session';
import { type SessionInfo, SessionService } from '../gen/countersign/v1/session_pb';
import { Role } from '../gen/countersign/v1/statement_pb';
import { hex } from '../trust/bytes';
import { words } from '../trust/spoken';
import { Busy } from '../ui/busy';
import { Button } from '../ui/button';
import { Dialog } from '../ui/dialog';
import { Empty } from '../ui/empty';
import { Notice } from '../ui/notice';
import { type Column, Table } from '../ui/table';
import { Time } from '../ui/time';
import { TryAgain } from '../ui/try-again';
import { keyKindWord } from '../words';

const REFRESH_MS = 20_000; // sessions are in the controller's memory: no change of theirs is told

function Ending({ session, onClose, onEnded }: { session: SessionInfo; onClose: () => void; onEnded: () => void }) {
  const [busy, setBusy] = useState(false), [failure, setFailure] = useState('');
  const end = async () => {
    setBusy(true);
    try {
      if (session.own) await signOut();
      else await client(SessionService).endSession({ id: session.id });
      onEnded();
    } catch (error) {
      setFailure(sentence(error));
      setBusy(false);
    }
  };
  return (
    <Dialog title={session.own ? 'End this session?' : `End a session of ${session.operator}?`} busy={busy} onClose={onClose} foot={<>
      <Button onClick={onClose} disabled={busy}>Keep it</Button>
      <Button kind="danger" busy={busy} onClick={() => { void end(); }}>End it</Button></>}>
      {failure && <Notice kind="bad">{failure}</Notice>}
      <p>It was opened from {session.peer}, with a {keyKindWord(session.keyKind)} key. What was sent in it stays as it is; the next call in it is refused.</p>
      {!session.own && <p>Whoever has the key can sign in again: where a key is lost, take it out of the trust policy.</p>}
    </Dialog>
  );
}

export default function Sessions() {
  const [sessions, setSessions] = useState<SessionInfo[]>(), [more, setMore] = useState(false);
  const [failure, setFailure] = useState(''), [ending, setEnding] = useState<SessionInfo>();
  const load = async () => {
    try {
      const reply = await client(SessionService).listSessions({});
      setSessions(reply.sessions);
      setMore(reply.more);
      setFailure('');
    } catch (error) {
      setFailure(sentence(error));
    }
  };
  useEffect(() => {
    void load();
    const timer = setInterval(() => { if (!document.hidden) void load(); }, REFRESH_MS);
    return () => clearInterval(timer);
  }, []);
  const columns: Column<SessionInfo>[] = [
    { key: 'operator', title: 'Operator', cell: (session) => <><strong>{session.operator}</strong>{session.own && <span class="dim"> (this page)</span>}</> },
    { key: 'peer', title: 'From', cell: (session) => session.peer, kind: 'grow' },
    { key: 'key', title: 'Key', cell: (session) => <span title={words(session.keyId)}>{keyKindWord(session.keyKind)} <code>{hex(session.keyId).slice(0, 8)}</code></span>, kind: 'nowrap' },
    { key: 'opened', title: 'Opened', cell: (session) => <Time s={session.openedAtS} />, kind: 'nowrap' },
    { key: 'seen', title: 'Last call', cell: (session) => <Time s={session.seenAtS} form="relative" />, kind: 'nowrap' },
    { key: 'until', title: 'Ends at the latest', cell: (session) => <Time s={session.expiresAtS} />, kind: 'nowrap' },
    { key: 'end', title: 'End', cell: (session) => <Button small onClick={() => setEnding(session)}>{session.own ? 'Sign out' : 'End'}</Button> },
  ];
  return (
    <>
      <h1 tabIndex={-1}>Sessions</h1>
      <p class="meta">{hasRole(Role.ADMIN) ? 'Everybody who is signed in at the controller.' : `Where ${me.value?.operator ?? 'you'} is signed in at the controller.`} A
        session ends by itself when it is not used.</p>
      {failure && <TryAgain onAgain={load}>{failure}</TryAgain>}
      {(sessions || !failure) && <section class="card flush">
        {!sessions ? <Busy lines={4} label="Loading the sessions" />
          : sessions.length === 0 ? <Empty title="Nobody is signed in">Sessions are for those who come over the network; on the controller's own machine the socket says who calls.</Empty>
            : <Table caption="Sessions" columns={columns} rows={sessions} rowKey={(session) => hex(session.id)} />}
      </section>}
      {more && <p class="hint">There are more sessions than are shown: those used last come first.</p>}
      {ending && <Ending session={ending} onClose={() => setEnding(undefined)} onEnded={() => { setEnding(undefined); void load(); }} />}
    </>
  );
}
