// Ban: not signed, at once. What it does is said before.
import { useState } from 'preact/hooks';
import { client } from '../api/client';
import { DeviceService } from '../gen/countersign/v1/operator_pb';
import { TextField } from '../ui/field';
import { Comment } from './comment';
import { DoDialog } from './do';

export function BanDialog({ name, onClose, onDone }: { name: string; onClose: () => void; onDone: () => void }) {
  const [comment, setComment] = useState(''), [typed, setTyped] = useState('');
  return (
    <DoDialog title={`Ban ${name}?`} yes="Ban it" danger onClose={onClose} onDone={onDone} act={() => client(DeviceService).banDevice({ name, comment: comment.trim() })}
      missing={() => (typed !== name ? `Type the name of the device, ${name}, to confirm.` : '')}>
      <p>Its session ends at once and it gets no other. Work orders that were not handed over to it are cancelled; what is installed there stays. A new admission by an admin lifts the ban.</p>
      <TextField label={`Type ${name} to confirm`} value={typed} onInput={setTyped} maxLength={63} spellcheck={false} mono />
      <Comment value={comment} onInput={setComment} hint="For the audit." />
    </DoDialog>
  );
}
