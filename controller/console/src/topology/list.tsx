// The topology where there is no room for three columns: the certificate, then each app connector with its device.
import { CertificateCard, ConnectorCard, GroupCard, type Hands, MoreCard } from './card';
import type { Topology } from './load';
import type { ConnectorFace, Faces, GroupFace } from './model';

export function TopologyList({
  topology,
  faces,
  onOpen,
  onDecide,
  verbOf,
  verbsOf,
}: {
  topology: Topology;
  faces: Faces;
  onOpen: (key: string) => void;
  onDecide: (request: bigint, order?: bigint) => void;
  verbOf: (face: ConnectorFace) => string | undefined;
  verbsOf: (face: GroupFace) => string;
}) {
  const hands: Hands = { onOpen, onDecide };
  return (
    <div class="topology-list">
      <section aria-label="Certificate">
        <h2 class="label">Certificate</h2>
        <CertificateCard certificate={topology.certificate} hands={hands} here />
      </section>
      <section aria-label="App connectors">
        <h2 class="label">App connectors and their devices</h2>
        <ul>
          {faces.connectors.map((face) => (
            <li key={face.key}>
              {face.kind === 'row' ? (
                <ConnectorCard face={face} hands={hands} here verb={verbOf(face)} flow />
              ) : face.kind === 'group' ? (
                <GroupCard face={face} hands={hands} here verbs={verbsOf(face)} flow />
              ) : (
                <MoreCard face={face} hands={hands} here flow />
              )}
            </li>
          ))}
        </ul>
      </section>
    </div>
  );
}
