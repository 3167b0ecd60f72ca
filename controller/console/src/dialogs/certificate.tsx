// Everything about the certificate that has no place in the topology's head.
import { href } from '../router';
import { hex } from '../trust/bytes';
import { Bytes } from '../ui/bytes';
import { Chip } from '../ui/chip';
import { Dialog } from '../ui/dialog';
import { Time } from '../ui/time';
import { count, keyKind, keyModeWord, reasonWord } from '../words';
import type { TopologyDialogProps } from './push';

const other = (id: Uint8Array) => <a href={href(['certificates', hex(id)])}>{hex(id).slice(0, 16)}…</a>;

export function CertificateDialog({ topology: { certificate }, onClose }: TopologyDialogProps) {
  return (
    <Dialog title={certificate.commonName} onClose={onClose} wide>
      <dl class="facts">
        <dt>State</dt>
        <dd>
          <Chip colour={certificate.colour} />
        </dd>
        <dt>Issuer</dt>
        <dd>{certificate.issuer}</dd>
        <dt>Names</dt>
        <dd>{certificate.names.join(', ') || '–'}</dd>
        <dt>Valid</dt>
        <dd>
          <Time s={certificate.notBeforeS} /> to <Time s={certificate.notAfterS} />
        </dd>
        <dt>Key</dt>
        <dd>
          {keyKind(certificate)}, {keyModeWord(certificate.keyMode)}
          {certificate.deviceName && `: ${certificate.deviceName}, ${certificate.connector}`}
        </dd>
        <dt>Serial</dt>
        <dd>
          <code>{certificate.serial}</code>
        </dd>
        <dt>Fingerprint (SHA-256)</dt>
        <dd>
          <Bytes value={certificate.id} what="the fingerprint" whole />
        </dd>
        <dt>Chain</dt>
        <dd>
          {count(certificate.chainCount, 'certificate')}
        </dd>
        <dt>Imported</dt>
        <dd>
          <Time s={certificate.importedAtS} />
        </dd>
        {certificate.groups.length > 0 && (
          <>
            <dt>Groups</dt>
            <dd>{certificate.groups.join(', ')}</dd>
          </>
        )}
        {certificate.replaces.length > 0 && (
          <>
            <dt>Renews</dt>
            <dd>{other(certificate.replaces)}</dd>
          </>
        )}
        {certificate.replacedBy.length > 0 && (
          <>
            <dt>Renewed by</dt>
            <dd>{other(certificate.replacedBy)}</dd>
          </>
        )}
        {certificate.revokedAtS > 0n && (
          <>
            <dt>Revoked</dt>
            <dd>
              <Time s={certificate.revokedAtS} />, {reasonWord(certificate.revocationReason)}
            </dd>
          </>
        )}
      </dl>
    </Dialog>
  );
}
