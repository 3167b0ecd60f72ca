// Remove: a push like any other, that leaves nothing installed. It is for the places where the last completed order left this
// certificate.
import { useState } from 'preact/hooks';
import { preparePush } from '../flow/push';
import type { TopologyRow } from '../gen/countersign/v1/operator_pb';
import { Action } from '../gen/countersign/v1/statement_pb';
import { Comment, commentTrouble } from './comment';
import { RequestDone } from './done';
import { chosenRows, type Choice, choiceTrouble, everything, Places, targetsOf } from './places';
import type { TopologyDialogProps } from './push';
import { SignDialog } from './sign';
import { readTerms, TermsFields, termsTrouble, usualTerms } from './terms';

export function RemoveDialog({ topology, only, onClose, onDone }: TopologyDialogProps & { only?: TopologyRow | undefined }) {
  const { certificate } = topology,
    rows = (only ? [only] : topology.rows).filter((row) => row.pushed);
  const [choice, setChoice] = useState<Choice>(rows.length > 1 ? { all: false, keys: new Set() } : everything);
  const [comment, setComment] = useState('');
  const [terms, setTerms] = useState(usualTerms);
  const missing = () =>
    (rows.length === 0 ? 'It is installed nowhere any more: there is nothing to remove.' : '') ||
    choiceTrouble(rows, choice) ||
    commentTrouble(comment, true) ||
    termsTrouble(terms);
  const prepare = () =>
    preparePush({
      certificateId: certificate.id,
      action: Action.REMOVE,
      comment,
      ...readTerms(terms)!,
      targets: targetsOf(chosenRows(rows, choice)),
    });
  return (
    <SignDialog
      title="Remove from devices"
      yes="OK"
      danger
      missing={missing}
      prepare={prepare}
      onClose={onClose}
      onDone={() => void onDone()}
      onLookAgain={onDone}
      done={({ number }) => <RequestDone number={number} title="The removal was requested" />}
    >
      <p>
        Ask that <strong>{certificate.commonName}</strong> be taken away. An application that needs a certificate there may stop
        working.
      </p>
      <Places rows={rows} choice={choice} onChange={setChoice} />
      <Comment value={comment} onInput={setComment} required hint="The people who decide read them." />
      <TermsFields value={terms} onChange={setTerms} />
    </SignDialog>
  );
}
