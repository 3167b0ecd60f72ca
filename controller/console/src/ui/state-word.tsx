// States of orders, requests and devices: a word, and a dot that says how it stands.
import type { OrderState } from '../gen/countersign/v1/operator_pb';
import { stateTint, stateWord, type Tint } from '../words';

export function Word({ tint, children }: { tint: Tint; children: string }) {
  return <span class={`state s-${tint}`}>{children}</span>;
}

// `text`: the controller's own words for the state, with its progress.
export function StateWord({ state, text }: { state: OrderState; text?: string }) {
  return <Word tint={stateTint(state)}>{text || stateWord(state)}</Word>;
}
