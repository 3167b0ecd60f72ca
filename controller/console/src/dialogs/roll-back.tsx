// Roll back: the certificate that was at an app connector before comes back. Where the device itself has said that it still has it
// as a generation of its own, nothing but the decision travels; else it is an ordinary push of the earlier certificate.
import { useEffect, useState } from 'preact/hooks';
import { client } from '../api/client';
import { sentence } from '../api/fault';
import { preparePush, type PushWish } from '../flow/push';
import { wishToRollBack } from '../flow/rollback';
import { CertificateService, type TopologyRow } from '../gen/countersign/v1/operator_pb';
import { Action } from '../gen/countersign/v1/statement_pb';
import { rowKey } from '../topology/fold';
import { capital } from '../topology/standing';
import { Refusal } from '../trust/refusal';
import { Busy } from '../ui/busy';
import { Select } from '../ui/field';
import { Notice } from '../ui/notice';
import { Comment, commentTrouble } from './comment';
import { RequestDone } from './done';
import type { TopologyDialogProps } from './push';
import { SignDialog } from './sign';
import { readTerms, TermsFields, termsTrouble, usualTerms } from './terms';

type Way = Omit<PushWish, 'comment'>;

async function find({ deviceName, connector }: TopologyRow): Promise<{ way: Way; name: string }> {
  const way = await wishToRollBack(deviceName, connector);
  const { certificate } = await client(CertificateService).getCertificate({ id: way.certificateId });
  return { way, name: certificate?.commonName ?? '' };
}

const asSentence = (text: string) => `${capital(text)}${/[.)]$/.test(text) ? '' : '.'}`;

export function RollBackDialog({ topology, only, onClose, onDone }: TopologyDialogProps & { only?: TopologyRow | undefined }) {
  const rows = only ? [only] : topology.rows.filter((row) => row.pushed);
  const [key, setKey] = useState(rows[0] ? rowKey(rows[0]) : '');
  const [found, setFound] = useState<{ key: string; way?: Way; name?: string; trouble?: string } | undefined>(undefined);
  const [how, setHow] = useState<'back' | 'push'>('back');
  const [comment, setComment] = useState('');
  const [terms, setTerms] = useState(usualTerms);
  const row = rows.find((one) => rowKey(one) === key);
  const way = found?.key === key ? found.way : undefined,
    trouble = found?.key === key ? found.trouble : undefined;

  useEffect(() => {
    let current = true;
    if (row)
      find(row).then(
        (one) => {
          if (current) setFound({ key, ...one });
        },
        (error: unknown) => {
          if (current) setFound({ key, trouble: sentence(error) });
        },
      );
    return () => {
      current = false;
    };
  }, [key]);

  const missing = () =>
    trouble ?? (!way ? 'Wait until it is known what was there before.' : commentTrouble(comment, true) || termsTrouble(terms));
  const prepare = async () => {
    if (!way) throw new Refusal('it is not known what was there before');
    const { certificateId, targets, because } = way;
    const wish: Way = how === 'back' ? way : { certificateId, targets, action: Action.INSTALL, ...(because && { because }) };
    return preparePush({ ...wish, comment, ...readTerms(terms)! });
  };
  return (
    <SignDialog
      title="Roll back"
      yes="OK"
      missing={missing}
      prepare={prepare}
      onClose={onClose}
      onDone={onDone}
      done={({ number }) => <RequestDone number={number} title="The roll back was requested" />}
    >
      {rows.length > 1 ? (
        <Select
          label="Where"
          value={key}
          onChange={setKey}
          options={rows.map((one) => [rowKey(one), `${one.connector} on ${one.deviceName}`] as const)}
        />
      ) : (
        row && (
          <p>
            At <strong>{row.connector}</strong> on <strong>{row.deviceName}</strong>.
          </p>
        )
      )}
      {trouble ? (
        <Notice kind="warn">{trouble}</Notice>
      ) : !way ? (
        <Busy lines={2} label="Looking for what was there before" />
      ) : (
        <>
          <p>
            <strong>{found?.name}</strong> comes back. {asSentence(way.because ?? '')}
          </p>
          {way.action === Action.ROLL_BACK && (
            <Select
              label="How"
              value={how}
              onChange={setHow}
              options={[
                ['back', `The device goes back to its own generation ${way.targetGeneration}; no key travels`],
                ['push', 'An ordinary push of the earlier certificate'],
              ]}
            />
          )}
        </>
      )}
      {way && <Comment value={comment} onInput={setComment} required hint="The people who decide read them." />}
      {way && <TermsFields value={terms} onChange={setTerms} />}
    </SignDialog>
  );
}
