// Admission: who vouches for the device's keys, then the statement, then the signature. Where nobody vouches, a person has to have
// compared both fingerprints with those on the device, and says so.
import { useEffect, useState } from 'preact/hooks';
import { sentence } from '../api/fault';
import { admissionCandidate, type Candidate, prepareAdmission } from '../flow/admit';
import { Busy } from '../ui/busy';
import { Checkbox } from '../ui/field';
import { Notice } from '../ui/notice';
import { SignDialog } from './sign';

export function AdmitDialog({ name, onClose, onDone }: { name: string; onClose: () => void; onDone: () => void }) {
  const [found, setFound] = useState<Candidate | undefined>(undefined);
  const [trouble, setTrouble] = useState('');
  const [compared, setCompared] = useState(false);
  const look = async () => {
    setCompared(false);
    setFound(await admissionCandidate(name));
    setTrouble('');
  };
  useEffect(() => { look().catch((error: unknown) => setTrouble(sentence(error))); }, []);
  const byPerson = found?.vouched === 'nobody';
  const missing = () => (!found ? trouble || 'The keys are still being read.' : byPerson && !compared ? 'Compare both fingerprints with those on the device first.' : '');
  return (
    <SignDialog<void> title={`Admit ${name}`} yes="Go on" missing={missing} onClose={onClose} onDone={onDone} onLookAgain={look}
      prepare={() => prepareAdmission({ deviceName: name, ...(byPerson ? { compared: found } : {}) })}
      done={() => <Notice kind="good" title={`${name} is admitted`}>It may have certificates now. Its agent says by itself which app connectors it has.</Notice>}>
      {!found && !trouble && <Busy lines={5} label="Reading the keys" />}
      {!found && trouble && <Notice kind="bad">{trouble}</Notice>}
      {found && (
        <>
          <p>{byPerson ? 'The token of this device was not made in this tab, so the page cannot tell whose keys these are.' : 'These keys wait for an admission.'}</p>
          <dl class="facts">
            <dt>Identity key</dt><dd><strong class="said-words">{found.identityWords}</strong><br /><code>{found.identityDigest}</code></dd>
            <dt>KEM key</dt><dd><strong class="said-words">{found.kemWords}</strong><br /><code>{found.kemDigest}</code></dd>
            {!byPerson && <><dt>These are its keys</dt><dd>{found.because}</dd></>}
          </dl>
          {byPerson && (
            <Notice kind="warn" title="Compare before you sign">
              <p>Run <code>countersign-agent status</code> on the device, or have it read to you. Both fingerprints must be the same.</p>
              <Checkbox checked={compared} onChange={setCompared}>I have compared both fingerprints with those on the device</Checkbox>
            </Notice>
          )}
        </>
      )}
    </SignDialog>
  );
}
