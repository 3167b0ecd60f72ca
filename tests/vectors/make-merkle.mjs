// Writes merkle-64.txt: Merkle trees of every size up to 64, straight from the definitions of RFC 9162 sections 2.1.1
// (MTH, the root) and 2.1.3.1 (PATH, the proof of a leaf). Shares nothing with the C code that it checks.
//
//   node tests/vectors/make-merkle.mjs >tests/vectors/merkle-64.txt
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';

const sha256 = (...parts) => createHash('sha256').update(Buffer.concat(parts)).digest();
const leafHash = (leaf) => sha256(Buffer.from([0]), leaf);
const nodeHash = (left, right) => sha256(Buffer.from([1]), left, right);

// The largest power of two that is smaller than n.
const split = (n) => 2 ** Math.floor(Math.log2(n - 1));

export function root(leaves) {
  if (leaves.length === 1) return leafHash(leaves[0]);
  const k = split(leaves.length);
  return nodeHash(root(leaves.slice(0, k)), root(leaves.slice(k)));
}

export function path(index, leaves) {
  if (leaves.length === 1) return [];
  const k = split(leaves.length);
  return index < k
    ? [...path(index, leaves.slice(0, k)), root(leaves.slice(k))]
    : [...path(index - k, leaves.slice(k)), root(leaves.slice(0, k))];
}

// Leaf i is i bytes of value i, so that the first is empty.
const leaves = Array.from({ length: 64 }, (_, i) => Buffer.alloc(i, i));

export function text() {
  let out = `# Merkle trees of RFC 9162 sections 2.1.1 and 2.1.3.1, of 1 to 64 leaves; made by make-merkle.mjs.
# Leaf i is i bytes of value i. A line: how many leaves, the root, and the SHA-256 over the proofs of all leaves in
# their order, each with its number of siblings (one byte) before the siblings from the leaf upwards.
`;
  for (let count = 1; count <= leaves.length; count++) {
    const tree = leaves.slice(0, count);
    const proofs = tree.flatMap((_, index) => {
      const siblings = path(index, tree);
      return [Buffer.from([siblings.length]), ...siblings];
    });
    out += `tree ${count} ${root(tree).toString('hex')} ${sha256(...proofs).toString('hex')}\n`;
  }
  return out;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.stdout.write(text());
