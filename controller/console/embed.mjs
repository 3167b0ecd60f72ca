// embed.mjs DIST OUT - compresses every file of DIST into OUT, and prints a line for each: path, content type, compressed size,
// whether its name has its content's hash, the digest of the compressed bytes, and the name in OUT. The same files give the same
// bytes: gzip's header has neither a time nor a name.
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';

const types = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml', '.png': 'image/png', '.ico': 'image/x-icon', '.woff2': 'font/woff2',
  '.json': 'application/json', '.txt': 'text/plain; charset=utf-8',
};

const [dist, out] = process.argv.slice(2);
const files = fs.readdirSync(dist, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  .map((entry) => path.relative(dist, path.join(entry.parentPath ?? entry.path, entry.name))).sort();
if (!files.includes('index.html')) throw new Error(`${dist} has no index.html`);
fs.rmSync(out, { recursive: true, force: true });
fs.mkdirSync(out, { recursive: true });
let number = 0;
for (const file of files) {
  const type = types[path.extname(file)];
  if (!type) throw new Error(`${file}: which content type is that? See embed.mjs`);
  if (!/^[A-Za-z0-9._/-]+$/.test(file)) throw new Error(`${file} is no name for a page`);
  const gzip = zlib.gzipSync(fs.readFileSync(path.join(dist, file)), { level: 9, memLevel: 9 });
  const name = `${++number}.gz`;
  fs.writeFileSync(path.join(out, name), gzip);
  const digest = crypto.createHash('sha256').update(gzip).digest('hex');
  console.log([`/${file}`, type, gzip.length, file.startsWith('assets/'), digest, name].join('\t'));
}
