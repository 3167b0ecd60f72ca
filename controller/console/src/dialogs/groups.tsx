// The groups that a device is in, all at once: a group is there as long as somebody is in it.
import { useState } from 'preact/hooks';
import { client } from '../api/client';
import { DeviceService } from '../gen/countersign/v1/operator_pb';
import { isName } from '../trust/statements';
import { TextField } from '../ui/field';
import { DoDialog } from './do';

const MOST = 8;

export function GroupsDialog({ name, groups, onClose, onDone }: { name: string; groups: readonly string[]; onClose: () => void; onDone: () => void }) {
  const [text, setText] = useState(groups.join(' '));
  const wanted = [...new Set(text.split(/[\s,]+/).filter(Boolean))];
  const wrong = wanted.find((one) => !isName(one));
  const missing = () => (wrong ? `“${wrong}” is no name of a group: letters, digits and . _ - are.` : wanted.length > MOST ? `A device is in at most ${MOST} groups.` : '');
  return (
    <DoDialog title={`Groups of ${name}`} yes="Save" onClose={onClose} onDone={onDone} missing={missing}
      act={() => client(DeviceService).setDeviceGroups({ deviceName: name, groups: wanted })}>
      <TextField label="Groups" value={text} onInput={setText} spellcheck={false} hint="With spaces between them. A push can go to all devices of a group." />
    </DoDialog>
  );
}
