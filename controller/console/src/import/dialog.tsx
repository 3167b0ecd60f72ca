// What is in the files, then where private keys among them go, then the import. A key that is to be sealed leaves this page only as
// a ciphertext for the devices that are chosen; it is forgotten when the dialog closes.
import { useEffect, useRef, useState } from 'preact/hooks';
import { sentence } from '../api/fault';
import { mayRequest } from '../api/session';
import { FILE_BYTES_MOST, type Found, type FoundCertificate, importCertificate, readCertificates } from '../flow/import';
import type { Certificate } from '../gen/countersign/v1/operator_pb';
import { href } from '../router';
import { hex } from '../trust/bytes';
import { shown } from '../trust/text';
import { Button } from '../ui/button';
import { Busy } from '../ui/busy';
import { Dialog } from '../ui/dialog';
import { Notice } from '../ui/notice';
import { dateText } from '../ui/time';
import { count, issuerName } from '../words';
import { SealDialog } from './seal';

// One byte more than is taken: enough to see that it is too large.
const READ_MOST = FILE_BYTES_MOST + 1;
type Keys = 'hold' | 'seal' | 'none';

interface Outcome { found: FoundCertificate; certificate?: Certificate; existed?: boolean; trouble?: string; request?: bigint }

async function read(files: readonly File[]): Promise<Found> {
  return readCertificates(await Promise.all(files.map(async (file) => ({ name: file.name, bytes: new Uint8Array(await file.slice(0, READ_MOST).arrayBuffer()) }))));
}

function Choice({ value, chosen, onChoose, disabled, title, children }:
  { value: Keys; chosen: Keys; onChoose: (value: Keys) => void; disabled?: boolean; title: string; children: string }) {
  return (
    <label class="check option">
      <input type="radio" name="keys" checked={chosen === value} disabled={disabled} onChange={() => onChoose(value)} />
      <span><strong>{title}</strong><br /><span class="dim">{children}</span></span>
    </label>
  );
}

function Problems({ found }: { found: Found }) {
  if (!found.problems.length) return null;
  return (
    <Notice kind="warn" title={found.certificates.length ? 'Not everything can be taken' : 'There is nothing to import here'}>
      <ul class="lines">{found.problems.map(({ file, sentence: why }, at) => <li key={at}><strong>{shown(file)}</strong>: {why}</li>)}</ul>
    </Notice>
  );
}

function Items({ outcomes, seal }: { outcomes: readonly Outcome[]; seal?: ((outcome: Outcome) => void) | undefined }) {
  return (
    <ul class="items">
      {outcomes.map((outcome, at) => {
        const { leaf } = outcome.found.chain;
        return (
          <li key={at}>
            <div>
              {outcome.certificate ? <a class="main" href={href(['certificates', hex(outcome.certificate.id)])}>{shown(leaf.commonName)}</a> : <strong>{shown(leaf.commonName)}</strong>}
              <div class="dim">{issuerName(leaf.issuer)} · until {dateText(leaf.notAfterS)}{outcome.found.pkcs8 && ' · with its private key'}</div>
              {outcome.trouble && <div class="bad">{outcome.trouble}</div>}
            </div>
            {outcome.request !== undefined ? <span class="nowrap">requested: <a class="mono" href={href(['requests', outcome.request])}>REQ-{outcome.request.toString()}</a></span>
              : outcome.certificate && (
                <span class="bar"><span class="good nowrap">{outcome.existed ? 'was there already' : 'imported'}</span>
                  {seal && outcome.found.pkcs8 && <Button small kind="primary" onClick={() => seal(outcome)}>Seal to devices…</Button>}</span>
              )}
          </li>
        );
      })}
    </ul>
  );
}

export default function ImportDialog({ files, onClose }: { files: File[]; onClose: () => void }) {
  const [found, setFound] = useState<Found | undefined>(undefined);
  const [trouble, setTrouble] = useState('');
  const [keys, setKeys] = useState<Keys>('hold');
  const [done, setDone] = useState<number | undefined>(undefined);   // so many so far
  const [outcomes, setOutcomes] = useState<Outcome[] | undefined>(undefined);
  const [sealing, setSealing] = useState<Outcome | undefined>(undefined);
  const open = useRef(true);
  useEffect(() => {
    read(files).then((what) => { if (open.current) setFound(what); }, (error: unknown) => { if (open.current) setTrouble(sentence(error)); });
    return () => { open.current = false; };
  }, []);

  const act = async () => {
    const all: Outcome[] = [];
    for (const one of found!.certificates) {
      setDone(all.length);
      try {
        const { certificate, existed } = await importCertificate(one, { holdKey: keys === 'hold' && Boolean(one.pkcs8) });
        all.push({ found: one, certificate, existed });
      } catch (error) {
        all.push({ found: one, trouble: sentence(error) });
      }
      if (!open.current) return;
    }
    setDone(undefined);
    setOutcomes(all);
  };

  if (sealing?.certificate && sealing.found.pkcs8)
    return <SealDialog certificate={sealing.certificate} pkcs8={sealing.found.pkcs8} onClose={() => setSealing(undefined)}
      onDone={(request) => setOutcomes(outcomes!.map((one) => (one === sealing ? { ...one, request } : one)))} />;
  if (outcomes) {
    const failed = outcomes.filter((one) => one.trouble).length;
    return (
      <Dialog key="done" title={failed === outcomes.length ? 'Nothing was imported' : 'Imported'} wide onClose={onClose} foot={<Button kind="primary" onClick={onClose}>Close</Button>}>
        {failed > 0 && <Notice kind="bad" title={`${count(failed, 'certificate')} could not be imported`} />}
        {keys === 'seal' && <p>The certificates are in the inventory. Their keys are still in this page only: seal each to the devices that are to have it, before this is closed.</p>}
        <Items outcomes={outcomes} seal={keys === 'seal' ? setSealing : undefined} />
      </Dialog>
    );
  }
  const withKeys = found?.certificates.filter((one) => one.pkcs8).length ?? 0;
  const many = found?.certificates.length ?? 0;
  const busy = done !== undefined;
  return (
    <Dialog key="ask" title="Import" wide onClose={onClose} busy={busy} onSubmit={() => { if (many) void act(); }} foot={<>
      <Button onClick={onClose} disabled={busy}>Cancel</Button>
      <Button kind="primary" type="submit" busy={busy} disabled={!many}>{busy ? `${done} of ${many}…` : many ? `Import ${count(many, 'certificate')}` : 'Import'}</Button></>}>
      {trouble && <Notice kind="bad" title="The files could not be read">{trouble}</Notice>}
      {!found && !trouble && <Busy lines={4} label="Reading the files" />}
      {found && <Problems found={found} />}
      {found && many > 0 && <Items outcomes={found.certificates.map((one) => ({ found: one }))} />}
      {withKeys > 0 && (
        <fieldset class="options">
          <legend>{withKeys === 1 ? 'A private key is among them. Where does it go?' : `${withKeys} private keys are among them. Where do they go?`}</legend>
          <Choice value="hold" chosen={keys} onChoose={setKeys} title="Into the controller's vault">Encrypted there, and sealed to a device when a push is delivered. Whoever takes the controller over has it.</Choice>
          <Choice value="seal" chosen={keys} onChoose={setKeys} disabled={!mayRequest()} title="Sealed here, to devices that I choose">
            {mayRequest() ? 'The controller never sees it. It asks for a push to them in the same go, which you sign.' : 'It takes a push request, and you have not the role of a requester, or no key here.'}</Choice>
          <Choice value="none" chosen={keys} onChoose={setKeys} title="Nowhere">Only the certificates are imported.</Choice>
        </fieldset>
      )}
    </Dialog>
  );
}
