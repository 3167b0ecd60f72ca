// Push to Device: a confirmation with comments, the statement, then the numbers of the request and its work orders.
import { useState } from 'preact/hooks';
import { readKey } from '../flow/import';
import { preparePush } from '../flow/push';
import { Colour, type TopologyRow } from '../gen/countersign/v1/operator_pb';
import { Action, KeyMode, Override } from '../gen/countersign/v1/statement_pb';
import type { Topology } from '../topology/load';
import { Checkbox } from '../ui/field';
import { Notice } from '../ui/notice';
import { dateText } from '../ui/time';
import { Comment, commentTrouble } from './comment';
import { RequestDone } from './done';
import { chosenRows, type Choice, choiceTrouble, everything, Places, targetsOf } from './places';
import { SignDialog } from './sign';
import { readTerms, TermsFields, termsTrouble, usualTerms } from './terms';

export interface TopologyDialogProps {
  topology: Topology;
  onClose: () => void;
  // It was sent, or has to be looked at again: the topology is read anew.
  onDone: () => Promise<void>;
}

export function PushDialog({ topology, only, onClose, onDone }: TopologyDialogProps & { only?: TopologyRow | undefined }) {
  const { certificate } = topology,
    rows = only ? [only] : topology.rows;
  const [choice, setChoice] = useState<Choice>(everything);
  const [comment, setComment] = useState('');
  const [terms, setTerms] = useState(usualTerms);
  const [evenSo, setEvenSo] = useState<ReadonlySet<Override>>(new Set());
  const [key, setKey] = useState<File | undefined>(undefined);
  const expired = Number(certificate.notAfterS) < Date.now() / 1000,
    revoked = certificate.colour === Colour.BLACK;
  const keyless = certificate.keyMode === KeyMode.NONE;

  // What the person has to say for it to be pushed all the same.
  const overrides = [
    { one: Override.EXPIRED, holds: expired, what: 'This certificate has expired', say: 'Push it although it has expired' },
    { one: Override.REVOKED, holds: revoked, what: 'This certificate is revoked', say: 'Push it although it is revoked' },
  ].filter(({ holds }) => holds);
  const missing = () =>
    choiceTrouble(rows, choice) ||
    commentTrouble(comment, true) ||
    termsTrouble(terms) ||
    (overrides.some(({ one }) => !evenSo.has(one)) ? 'Say that it is to be pushed all the same, or close this.' : '') ||
    (keyless && !key ? 'Choose the file with the private key: the controller has none for this certificate.' : '');
  const prepare = async () => {
    const chosen = chosenRows(rows, choice);
    return preparePush({
      certificateId: certificate.id,
      action: Action.INSTALL,
      comment,
      overrides: overrides.map(({ one }) => one),
      ...readTerms(terms)!,
      targets: targetsOf(chosen),
      ...(keyless && key && { pkcs8: readKey({ name: key.name, bytes: new Uint8Array(await key.arrayBuffer()) }) }),
    });
  };
  const tick = (one: Override, on: boolean) => {
    const next = new Set(evenSo);
    if (on) next.add(one);
    else next.delete(one);
    setEvenSo(next);
  };
  return (
    <SignDialog
      title="Push to Device"
      yes="OK"
      missing={missing}
      prepare={prepare}
      onClose={onClose}
      onDone={() => void onDone()}
      onLookAgain={onDone}
      done={({ number }) => <RequestDone number={number} title="The push was requested" />}
    >
      <p>
        Ask that <strong>{certificate.commonName}</strong>, valid until {dateText(certificate.notAfterS)}, be installed. People decide,
        then the devices check what they signed.
      </p>
      {overrides.map(({ one, what, say }) => (
        <Notice key={one} kind="warn" title={what}>
          <Checkbox checked={evenSo.has(one)} onChange={(on) => tick(one, on)}>
            {say}
          </Checkbox>
        </Notice>
      ))}
      <Places rows={rows} choice={choice} onChange={setChoice} />
      {keyless && (
        <div class="field">
          <label for="push-key">Private key, sealed here to each device before it is sent</label>
          <input
            id="push-key"
            class="input"
            type="file"
            accept=".pem,.key,.der,.p8"
            onChange={(event) => setKey(event.currentTarget.files?.[0])}
          />
          <span class="hint">PEM or DER, without a passphrase. It leaves this page only sealed.</span>
        </div>
      )}
      <Comment value={comment} onInput={setComment} required hint="The people who decide read them." />
      <TermsFields value={terms} onChange={setTerms} />
    </SignDialog>
  );
}
