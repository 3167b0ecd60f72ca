// The topology where there is no room for three columns: the certificate, then each app connector with its device.
import { CertificateCard, type Drawn, FaceCard, type Hands } from './card';

export function TopologyList({ topology, faces, onOpen, onDecide, verbOf, verbsOf }: Drawn) {
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
              <FaceCard face={face} hands={hands} here verbOf={verbOf} verbsOf={verbsOf} flow />
            </li>
          ))}
        </ul>
      </section>
    </div>
  );
}
