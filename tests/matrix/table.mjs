// table.mjs [--update]: makes the table of the rows that the applications' tests have written, as matrix.md beside them, and
// compares each with the one that README.md has between its marks. --update puts them there.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { COLUMNS } from './columns.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const folder = process.env.COUNTERSIGN_MATRIX ?? path.resolve(here, '../../build/dev/matrix');
const readme = path.resolve(here, '../../README.md');
const BEGIN = '<!-- written by tests/matrix/run table.mjs --update -->\n';
const END = '<!-- end of what is written -->\n';

const files = fs.existsSync(folder) ? fs.readdirSync(folder).filter((file) => file.endsWith('.json')).sort() : [];
if (files.length === 0) {
  console.log('skipped: no application has written its row');
  process.exit(77);
}
const rows = new Map(files.map((file) => {
  const { preset, cells } = JSON.parse(fs.readFileSync(path.join(folder, file), 'utf8'));
  return [preset, `| ${[`\`${preset}\``, ...Object.keys(COLUMNS).map((column) => cells[column] ?? '–')].join(' | ')} |`];
}));
const head = `| preset | ${Object.values(COLUMNS).join(' | ')} |\n| --- |${' --- |'.repeat(Object.keys(COLUMNS).length)}\n`;
const table = (lines) => `${head}${[...lines].sort().map((line) => `${line}\n`).join('')}`;
fs.writeFileSync(path.join(folder, 'matrix.md'), table(rows.values()));

const text = fs.readFileSync(readme, 'utf8');
const from = text.indexOf(BEGIN) + BEGIN.length;
const to = text.indexOf(END);
if (!text.includes(BEGIN) || to < from) throw new Error('README.md has no marks for the table');
const written = text.slice(from, to);
const presetOf = (line) => line.match(/^\| `([^`]+)` \|/)?.[1];
const old = new Map(written.split('\n').filter(presetOf).map((line) => [presetOf(line), line]));

if (process.argv.includes('--update')) {
  // What was not measured here stays as it was.
  fs.writeFileSync(readme, text.slice(0, from) + table(new Map([...old, ...rows]).values()) + text.slice(to));
  process.exit(0);
}
let differ = written.startsWith(head) ? 0 : 1;
if (differ) console.log('the head of the table is another');
for (const [preset, row] of rows) {
  if (old.get(preset) === row) continue;
  differ++;
  console.log(`measured:  ${row}\nREADME.md: ${old.get(preset) ?? 'nothing'}`);
}
for (const preset of old.keys()) if (!rows.has(preset)) console.log(`not measured here: ${preset}`);
console.log(differ ? 'README.md says otherwise: tests/matrix/run table.mjs --update' : `${rows.size} rows are as README.md has them`);
process.exit(differ ? 1 : 0);
