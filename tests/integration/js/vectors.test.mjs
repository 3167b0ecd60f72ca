// The committed Merkle vectors are what their maker makes, and the maker agrees with the published ones.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { path, root, text } from '../../vectors/make-merkle.mjs';

const file = (name) => fs.readFileSync(new URL(`../../vectors/${name}`, import.meta.url), 'utf8');

test('merkle-64.txt is what make-merkle.mjs writes', () => {
  assert.equal(file('merkle-64.txt'), text());
});

test('make-merkle.mjs has the roots and proofs of Certificate Transparency', () => {
  const leaves = [];
  let seen = 0;
  for (const line of file('merkle-rfc9162.txt').split('\n')) {
    const [word, ...fields] = line.split(' ');
    if (word === 'leaf') leaves[Number(fields[0])] = Buffer.from(fields[1] === '-' ? '' : fields[1], 'hex');
    const tree = leaves.slice(0, Number(fields[0]));
    if (word === 'root') assert.equal(root(tree).toString('hex'), fields[1]);
    if (word === 'proof') {
      assert.deepEqual(path(Number(fields[1]), tree).map((hash) => hash.toString('hex')), fields.slice(2).filter(Boolean));
      seen++;
    }
  }
  assert.equal(seen, 36);
});
