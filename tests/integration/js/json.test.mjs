// Our JSON against @bufbuild/protobuf, which we did not write: every message of the wire, both ways, and the ways to write a value.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { create, equals, fromBinary, fromJson, ScalarType, toBinary, toJson } from '@bufbuild/protobuf';
import { bin, run } from './harness.mjs';
import { random } from './operator.mjs';
import { bounds, messageOf, messages, registry } from './schema.mjs';

const ROUNDS = process.env.CS_LONG ? 200 : 20;
const hex = (bytes) => bytes.length ? Buffer.from(bytes).toString('hex') : '-';

// One process for all of them: lines of [direction, message, bytes or text]; gives the results as buffers, or the refusal.
async function probe(lines) {
  const input = lines.map(([direction, name, data]) => `${direction} ${name} ${hex(Buffer.from(data))}\n`).join('');
  const { status, stdout, stderr } = await run(path.join(bin, 'json_probe'), [], { input });
  assert.equal(status, 0, stderr);
  const results = stdout.trimEnd().split('\n');
  assert.equal(results.length, lines.length);
  return results.map((line) => line.startsWith('refused') ? line : line === '-' ? Buffer.alloc(0) : Buffer.from(line, 'hex'));
}

const texts = ['a', 'Z', '0', '"', '\\', '/', '\n', '\u0001', '\u007f', 'ä', '€', '🔑', '\u2028', '<', ' '];
function textOf(dice, most) {
  let text = '';
  for (let size = sizeOf(dice, most); ;) {
    const more = text + dice.pick(texts);
    if (Buffer.byteLength(more) > size) return text;
    text = more;
  }
}
const sizeOf = (dice, most) => dice.chance(1 / 16) ? most : dice.below(Math.min(most, 40) + 1);
const wide = (dice) => dice.bytes(8).readBigUInt64BE() >> BigInt(dice.below(64));

function scalarOf(dice, scalar, most) {
  switch (scalar) {
    case ScalarType.STRING: return textOf(dice, most - 1);
    case ScalarType.BYTES: return dice.bytes(sizeOf(dice, most));
    case ScalarType.BOOL: return dice.chance(1 / 2);
    case ScalarType.UINT32: return Number(wide(dice) & 0xffffffffn);
    case ScalarType.INT32: return Number(BigInt.asIntN(32, wide(dice)));
    case ScalarType.UINT64: return dice.chance(1 / 8) ? 2n ** 64n - 1n : wide(dice);
    case ScalarType.INT64: return dice.chance(1 / 8) ? -(2n ** 63n) : BigInt.asIntN(64, wide(dice));
  }
  throw new Error(`a kind that this test does not make yet: ${ScalarType[scalar]}`);
}

function valueOf(dice, field, bound) {
  if (field.enum) return dice.chance(1 / 8) ? 1000 + dice.below(1000) : dice.pick(field.enum.values).number;
  if (field.message) return messageFrom(dice, field.message);
  return scalarOf(dice, field.scalar, bound.max_size);
}

function messageFrom(dice, desc) {
  const message = create(desc);
  for (const field of desc.fields) {
    const bound = bounds.get(`${desc.typeName}.${field.name}`) ?? {};
    if (dice.chance(1 / 4) || (field.oneof && dice.chance(1 / 2))) continue;
    if (field.fieldKind === 'list') {
      const count = dice.chance(1 / 16) ? bound.max_count : dice.below(Math.min(bound.max_count, 3) + 1);
      message[field.localName] = Array.from({ length: count }, () => valueOf(dice, field, bound));
    } else if (field.oneof) {
      message[field.oneof.localName] = { case: field.localName, value: valueOf(dice, field, bound) };
    } else {
      message[field.localName] = valueOf(dice, field, bound);
    }
  }
  return message;
}

test('every message of the wire becomes the same JSON, and the same bytes again', async () => {
  const dice = random(7);
  const cases = messages.flatMap((desc) => Array.from({ length: ROUNDS }, () => ({ desc, message: messageFrom(dice, desc) })));
  assert.ok(messages.length > 80);
  for (const each of cases) {
    each.bytes = Buffer.from(toBinary(each.desc, each.message));
    each.json = toJson(each.desc, each.message, { registry });
    each.full = toJson(each.desc, each.message, { registry, alwaysEmitImplicit: true });
    each.text = JSON.stringify(each.json, null, dice.chance(1 / 2) ? 2 : 0);
    each.named = JSON.stringify(toJson(each.desc, each.message, { registry, useProtoFieldName: true, enumAsInteger: true }));
  }
  const results = await probe(cases.flatMap(({ desc, bytes, text, named }) => [['to_json', desc.typeName, bytes],
    ['to_json_with_defaults', desc.typeName, bytes], ['to_proto', desc.typeName, text], ['to_proto', desc.typeName, named]]));
  for (const [at, { desc, message, bytes, json, full }] of cases.entries()) {
    const [written, withDefaults, read, readNamed] = results.slice(4 * at, 4 * at + 4);
    const what = `${desc.typeName}, case ${at}`;
    assert.ok(Buffer.isBuffer(written), `${what}: ${written}`);
    assert.deepEqual(JSON.parse(written), json, what);
    assert.deepEqual(JSON.parse(withDefaults), full, what);
    assert.deepEqual(read, bytes, what);
    assert.deepEqual(readNamed, bytes, what);
    // And what we wrote is what they read.
    assert.ok(equals(desc, fromJson(desc, JSON.parse(written), { registry }), message), what);
    assert.ok(equals(desc, fromBinary(desc, read), message), what);
  }
});

// Where both have an opinion it is the same; [message, text, ours alone where we are stricter].
const forms = [
  ['ListOrdersRequest', '{"beforeNumber":"12","limit":3}'], ['ListOrdersRequest', '{"before_number":12,"limit":"3"}'],
  ['ListOrdersRequest', '{"limit":1e2}'], ['ListOrdersRequest', '{"limit":1.0}'], ['ListOrdersRequest', '{"limit":0.5}'],
  ['ListOrdersRequest', '{"limit":-1}'], ['ListOrdersRequest', '{"limit":4294967296}'], ['ListOrdersRequest', '{"limit":null}'],
  ['ListOrdersRequest', '{"limit":true}'], ['ListOrdersRequest', '{"limit":""}'], ['ListOrdersRequest', '{"limit":"x"}'],
  ['ListOrdersRequest', '{"beforeNumber":"18446744073709551615"}'], ['ListOrdersRequest', '{"beforeNumber":"18446744073709551616"}'],
  ['ListOrdersRequest', '{"beforeNumber":"-1"}'], ['ListOrdersRequest', '{"beforeNumber":[]}'], ['ListOrdersRequest', '[]'],
  ['ListOrdersRequest', 'null'], ['ListOrdersRequest', '{"deviceName":7}'], ['ListOrdersRequest', '{"deviceName":"a"} x'],
  ['ListOrdersRequest', '{"nothing":1}'], ['PreparePushRequest', '{"action":"ACTION_INSTALL"}'], ['PreparePushRequest', '{"action":1}'],
  ['PreparePushRequest', '{"action":99}'], ['PreparePushRequest', '{"action":"INSTALL"}'], ['PreparePushRequest', '{"targets":[{}]}'],
  ['PreparePushRequest', '{"targets":[null]}'], ['PreparePushRequest', '{"targets":{}}'], ['PreparePushRequest', '{"targets":null}'],
  ['GetCertificateRequest', '{"id":"+/8="}'], ['GetCertificateRequest', '{"id":"-_8="}'], ['GetCertificateRequest', '{"id":"-_8"}'],
  ['GetCertificateRequest', '{"id":"*"}'], ['GetCertificateRequest', '{"id":[1]}'], ['AgentMessage', '{"hello":{}}'],
  ['AgentMessage', '{"hello":{},"policyAsk":{}}'], ['AgentMessage', '{"policyAsk":{}}'],
  ['ListDevicesRequest', '{"limit":1,"limit":2}', 'limit: given twice'], ['GetDeviceRequest', '{"name":"a\\u0000b"}', 'name: the text has'],
  ['GetDeviceRequest', JSON.stringify({ name: 'x'.repeat(64) }), 'name: 64 bytes; at most 63 are allowed'],
  ['GetCertificateRequest', JSON.stringify({ id: 'AAAA'.repeat(11) }), 'id: 33 bytes; at most 32 are allowed'],
];

test('a value may be written in every form that the mapping has, and in no other', async () => {
  const results = await probe(forms.map(([name, text]) => ['to_proto_strict', `countersign.v1.${name}`, text]));
  for (const [at, [name, text, refusal]] of forms.entries()) {
    let theirs = 'refused';
    try {
      theirs = Buffer.from(toBinary(messageOf(name), fromJson(messageOf(name), JSON.parse(text), { registry })));
    } catch { /* as it stands */ }
    if (refusal) assert.ok(results[at].startsWith(`refused: ${refusal}`), `${text}: ${results[at]}`);
    else if (theirs === 'refused') assert.match(String(results[at]), /^refused: /, text);
    else assert.deepEqual(results[at], theirs, `${text}: ${results[at]}`);
  }
});
