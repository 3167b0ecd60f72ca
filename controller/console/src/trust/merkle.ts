// Merkle trees of RFC 9162, section 2.1. Leaves are exact bytes.
import { type Bytes, concat, sha256 } from './bytes';

const LEAF = Uint8Array.of(0), NODE = Uint8Array.of(1);

// Of 1 to any number of leaves. A level at a time: a last one without a sibling goes up as it is, which gives the same tree as
// the RFC's split at the largest power of two.
export async function merkleRoot(leaves: readonly Uint8Array[]): Promise<Bytes> {
  if (leaves.length === 0) throw new Error('a tree has at least one leaf');
  let level = await Promise.all(leaves.map((leaf) => sha256(concat(LEAF, leaf))));
  while (level.length > 1) {
    const above: Promise<Bytes>[] = [];
    for (let i = 0; i < level.length; i += 2) {
      const left = level[i]!, right = level[i + 1];
      above.push(right ? sha256(concat(NODE, left, right)) : Promise.resolve(left));
    }
    level = await Promise.all(above);
  }
  return level[0]!;
}
