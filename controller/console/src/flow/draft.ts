// A statement that is ready to be signed, as a person sees it before.
import { Refusal } from '../trust/refusal';
import { equal, hex, sha256 } from '../trust/bytes';
import { words } from '../trust/spoken';

export interface Field {
  label: string;
  value: string;
  tone?: 'warn' | 'bad' | 'mono';
}

// One work order of a push, as its core says it.
export interface OrderLine {
  number: string;      // "WO-7"
  device: string;
  connector: string;
  action: string;
  generation: string;
  backTo: string;      // the generation of a roll back; empty: none
  replaces: string;
  key: string;
  deviceId: string;
}

// `fields` and `orders` are decoded from `payload`, the very bytes that sign() signs, and from bytes that these commit to. `notes`
// are said beside it and are not in it.
export interface Draft<Result> {
  kind: string;        // "push request"
  title: string;
  payload: Uint8Array;
  notes: Field[];
  fields: Field[];
  orders: OrderLine[];
  words: string;       // of SHA-256(payload)
  // Signs and sends. After an answer that was lost it may be called again: the same bytes are sent again.
  sign(): Promise<Result>;
}

export interface Statement<Result> {
  kind: string;
  title: string;
  payload: Uint8Array;
  notes?: Field[];
  fields: Field[];
  orders?: OrderLine[];
  sign: (payload: Uint8Array) => Promise<Uint8Array>;      // gives the envelope
  send: (envelope: Uint8Array) => Promise<Result>;
}

export async function draft<Result>(statement: Statement<Result>): Promise<Draft<Result>> {
  const { kind, title, payload, notes = [], fields, orders = [], sign, send } = statement;
  const digest = await sha256(payload);
  const kept = Uint8Array.from(payload);
  let envelope: Uint8Array | undefined;

  return {
    kind, title, payload, notes, orders,
    fields: [...fields, { label: 'Digest (SHA-256)', value: hex(digest), tone: 'mono' }],
    words: words(digest),
    async sign() {
      if (!equal(kept, payload)) throw new Refusal('the statement has changed since it was shown: nothing was signed');
      envelope ??= await sign(kept);
      return send(envelope);
    },
  };
}
