// The wire as @bufbuild/protobuf sees it: descriptors that protoc makes of proto/ when a test runs, so that nothing generated is kept.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';

export const protoFolder = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../../proto');

// Everything that a program may be sent; the controller's own records never are.
const files = fs.readdirSync(protoFolder, { recursive: true }).filter((file) => file.endsWith('.proto') && !file.startsWith('countersign/store/'));

function descriptors() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'countersign-schema-'));
  try {
    const out = path.join(folder, 'wire.pb');
    execFileSync('protoc', ['-I', protoFolder, '--include_imports', `--descriptor_set_out=${out}`, ...files], { stdio: 'inherit' });
    return fs.readFileSync(out);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

export const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptors()));
const all = [...registry];
export const messages = all.filter((type) => type.kind === 'message');
export const services = all.filter((type) => type.kind === 'service');
// messageOf("GetStatusRequest"), serviceOf("PushService").
export const messageOf = (name) => registry.getMessage(`countersign.v1.${name}`);
export const serviceOf = (name) => registry.getService(`countersign.v1.${name}`);
// enumOf("OrderState").ORDER_STATE_COMPLETED, with the names as they stand in proto/.
export const enumOf = (name) => Object.fromEntries(registry.getEnum(`countersign.v1.${name}`).values.map((value) => [value.name, value.number]));

// The bounds of .options: { max_size, max_count } by the field's full name.
export const bounds = new Map();
for (const file of fs.readdirSync(protoFolder, { recursive: true }).filter((each) => each.endsWith('.options')))
  for (const line of fs.readFileSync(path.join(protoFolder, file), 'utf8').split('\n')) {
    const [field, ...words] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (field) bounds.set(field, Object.fromEntries(words.map((word) => word.split(':')).map(([key, value]) => [key, Number(value)])));
  }
