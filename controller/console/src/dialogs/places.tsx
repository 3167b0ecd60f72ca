// Which of a certificate's app connectors are meant: all, or some of them.
import { useState } from 'preact/hooks';
import { TARGETS_MOST } from '../flow/push';
import type { TopologyRow } from '../gen/countersign/v1/operator_pb';
import { rowKey, search } from '../topology/fold';
import { stateText } from '../topology/standing';
import { Checkbox, Search } from '../ui/field';
import { Chip } from '../ui/chip';
import { count } from '../words';

const SHOWN_MOST = 100;

export interface Choice {
  all: boolean;
  keys: ReadonlySet<string>;
}

export const everything: Choice = { all: true, keys: new Set() };

export const chosenRows = (rows: TopologyRow[], choice: Choice) =>
  choice.all ? rows : rows.filter((row) => choice.keys.has(rowKey(row)));

// Every place is named, also where all are meant: what the person saw is what the work orders are held against.
export const targetsOf = (rows: TopologyRow[]) => rows.map(({ deviceName, connector }) => ({ deviceName, connector }));

export function choiceTrouble(rows: TopologyRow[], choice: Choice): string {
  if (choice.all) return '';
  const chosen = chosenRows(rows, choice).length;
  if (chosen === 0) return 'Choose at least one app connector.';
  return chosen > TARGETS_MOST
    ? `${chosen} app connectors are chosen, and at most ${TARGETS_MOST} can be: choose all, or do it in parts.`
    : '';
}

export function Places({ rows, choice, onChange }: { rows: TopologyRow[]; choice: Choice; onChange: (choice: Choice) => void }) {
  const [words, setWords] = useState('');
  if (rows.length === 1)
    return (
      <p>
        At <strong>{rows[0]!.connector}</strong> on <strong>{rows[0]!.deviceName}</strong>.
      </p>
    );
  const found = search(rows, words),
    shown = found.slice(0, SHOWN_MOST);
  const toggle = (key: string, on: boolean) => {
    const keys = new Set(choice.keys);
    if (on) keys.add(key);
    else keys.delete(key);
    onChange({ all: false, keys });
  };
  return (
    <fieldset class="places">
      <legend>Where</legend>
      <Checkbox checked={choice.all} onChange={(all) => onChange({ all, keys: choice.keys })}>
        all {count(rows.length, 'app connector')}
      </Checkbox>
      {!choice.all && rows.length > 12 && <Search label="Find app connectors and devices" value={words} onInput={setWords} />}
      {!choice.all && (
        <ul class="places-list">
          {shown.map((row) => {
            const key = rowKey(row);
            return (
              <li key={key}>
                <Checkbox checked={choice.keys.has(key)} onChange={(on) => toggle(key, on)}>
                  {row.connector} on {row.deviceName}{' '}
                  <span class="dim">
                    · {stateText(row)} · <Chip colour={row.colour} short />
                  </span>
                </Checkbox>
              </li>
            );
          })}
          {found.length > shown.length && <li class="dim">{(found.length - shown.length).toLocaleString()} more: type to find them</li>}
        </ul>
      )}
    </fieldset>
  );
}
