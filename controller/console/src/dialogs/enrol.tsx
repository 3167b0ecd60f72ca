// A device's enrolment token: made in this page, shown once, used on the device within the hour. While the dialog is open it looks
// whether the device has come.
import { useEffect, useState } from 'preact/hooks';
import { client } from '../api/client';
import { sentence } from '../api/fault';
import { watch } from '../api/live';
import { makeToken, type MadeToken } from '../flow/enrol';
import { DeviceService } from '../gen/countersign/v1/operator_pb';
import { ObjectKind } from '../gen/countersign/v1/watch_pb';
import { go, href } from '../router';
import { isName } from '../trust/statements';
import { Button } from '../ui/button';
import { Copy } from '../ui/bytes';
import { Dialog } from '../ui/dialog';
import { TextField } from '../ui/field';
import { Notice } from '../ui/notice';
import { Time } from '../ui/time';

const LOOK_EVERY_MS = 5000;
const commandFor = (token: string) => `countersign-agent enrol --token ${token}`;

function Shown({ made, onClose }: { made: MadeToken; onClose: () => void }) {
  const [enrolled, setEnrolled] = useState(false);
  useEffect(() => {
    let open = true;
    const look = () => {
      client(DeviceService).getEnrolment({ deviceName: made.deviceName }).then((reply) => { if (open && reply.enrolled) setEnrolled(true); }, () => {});
    };
    const timer = setInterval(look, LOOK_EVERY_MS);
    const end = watch({ kinds: [ObjectKind.DEVICE] }, look);
    return () => {
      open = false;
      clearInterval(timer);
      end();
    };
  }, [made]);
  const command = commandFor(made.token);
  const admit = () => {
    onClose();
    go(href(['devices', made.deviceName]));
  };
  return (
    <Dialog title={`Enrol ${made.deviceName}`} wide onClose={onClose} foot={<>
      <Button onClick={onClose}>{enrolled ? 'Later' : 'Close'}</Button>
      <Button kind="primary" disabled={!enrolled} onClick={admit}>Look at its keys and admit it</Button></>}>
      <p>Run this on the device, once its agent has a configuration:</p>
      <div class="command"><code tabIndex={0} role="group" aria-label="The command">{command}</code><Copy text={command} label="Copy the command">Copy</Copy></div>
      <p class="dim">The token is a secret, and good for one device until <Time s={made.expiresAtS} />. Keep this tab open until the device is admitted:
        the tab alone knows the half of the token that proves whose keys they are.</p>
      {enrolled ? <Notice kind="good" title={`${made.deviceName} has enrolled`}>Its keys wait for an admission, signed by an admin.</Notice>
        : <p class="bar" role="status"><span class="spin" aria-hidden="true" /> <span>Waiting for {made.deviceName}…</span></p>}
    </Dialog>
  );
}

export function EnrolDialog({ name: given = '', onClose }: { name?: string; onClose: () => void }) {
  const [name, setName] = useState(given);
  const [trouble, setTrouble] = useState('');
  const [busy, setBusy] = useState(false);
  const [made, setMade] = useState<MadeToken | undefined>(undefined);
  if (made) return <Shown made={made} onClose={onClose} />;
  const make = async () => {
    if (!isName(name)) return setTrouble('A name has 1 to 63 letters, digits and . _ - and begins with a letter or a digit.');
    setBusy(true);
    setTrouble('');
    try {
      setMade(await makeToken(name));
    } catch (error) {
      setTrouble(sentence(error));
    }
    setBusy(false);
  };
  return (
    <Dialog title={given ? `New token for ${given}` : 'Add a device'} onClose={onClose} busy={busy} onSubmit={() => { void make(); }} foot={<>
      <Button onClick={onClose} disabled={busy}>Cancel</Button><Button kind="primary" type="submit" busy={busy}>Make a token</Button></>}>
      {given && <Notice kind="warn">With it the device enrols anew: it gets another device-id and other keys, and what was requested for it so far ends there.</Notice>}
      <TextField label="Name of the device" value={name} onInput={setName} error={trouble || undefined} maxLength={63} spellcheck={false} mono
        disabled={Boolean(given)} hint="As people will read it everywhere: gw-hamburg-04" />
    </Dialog>
  );
}
