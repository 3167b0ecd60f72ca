// The topology where there is no room for three columns: the certificate, then each app connector with its device.
import type { ComponentChildren } from 'preact';
import { CertificateCard, ConnectorCard, GroupCard, type Hands, MoreCard } from './card';
import type { Topology } from './load';
import type { ConnectorFace, Faces, GroupFace } from './model';

export function TopologyList({ topology, faces, onOpen, actionOf, actionsOf }: {
  topology: Topology;
  faces: Faces;
  onOpen: (key: string) => void;
  actionOf: (face: ConnectorFace) => ComponentChildren;
  actionsOf: (face: GroupFace) => ComponentChildren;
}) {
  const hands: Hands = { here: () => true, onFocus: () => {}, onOpen };
  return (
    <div class="topology-list">
      <section aria-label="Certificate">
        <h2 class="label">Certificate</h2>
        <CertificateCard certificate={topology.certificate} hands={hands} />
      </section>
      <section aria-label="App connectors">
        <h2 class="label">App connectors and their devices</h2>
        <ul>
          {faces.connectors.map((face) => (
            <li key={face.key}>
              {face.kind === 'row' ? <ConnectorCard face={face} hands={hands} action={actionOf(face)} flow />
                : face.kind === 'group' ? <GroupCard face={face} hands={hands} actions={actionsOf(face)} flow />
                  : <MoreCard face={face} hands={hands} flow />}
            </li>
          ))}
        </ul>
      </section>
    </div>
  );
}
