// Revoke: black at once, everywhere, and it cannot be taken back. So the common name is typed.
import { useState } from 'preact/hooks';
import { client } from '../api/client';
import { CertificateService, RevocationReason } from '../gen/countersign/v1/operator_pb';
import { Select, TextField } from '../ui/field';
import { Notice } from '../ui/notice';
import { allReasons, count, reasonWord } from '../words';
import { Comment, commentTrouble } from './comment';
import { DoDialog } from './do';
import type { TopologyDialogProps } from './push';

// A hold would mean that it can be lifted.
const reasons = allReasons.filter((reason) => reason !== RevocationReason.CERTIFICATE_HOLD);

export function RevokeDialog({ topology, onClose, onDone }: TopologyDialogProps) {
  const { certificate } = topology;
  const [reason, setReason] = useState('');
  const [comment, setComment] = useState('');
  const [name, setName] = useState('');
  const missing = () =>
    (reason ? '' : 'Choose the reason.') ||
    commentTrouble(comment) ||
    (name.trim() === certificate.commonName ? '' : `Type the common name as it stands there: ${certificate.commonName}`);
  const act = () => client(CertificateService).revokeCertificate({ certificateId: certificate.id, reason: Number(reason), comment });
  return (
    <DoDialog title="Revoke the certificate" yes="Revoke" danger missing={missing} act={act} onDone={onDone} onClose={onClose}>
      <Notice kind="warn" title="This cannot be taken back">
        <b>{certificate.commonName}</b> becomes black at once, here and at {count(topology.rows.length, 'app connector')}. Nothing is
        removed from devices by it: push its successor, or remove it. Pushes of it that are under way are stopped before they reach
        their devices.
      </Notice>
      <Select
        label="Reason"
        value={reason}
        onChange={setReason}
        options={[['', 'Choose the reason'], ...reasons.map((one) => [String(one), reasonWord(one)] as const)]}
      />
      <Comment value={comment} onInput={setComment} />
      <TextField
        label={`Type the common name, ${certificate.commonName}, to confirm`}
        value={name}
        onInput={setName}
        spellcheck={false}
      />
    </DoDialog>
  );
}
