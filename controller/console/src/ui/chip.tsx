// A certificate's colour: never without words.
import type { Colour } from '../gen/countersign/v1/operator_pb';
import { allColours, colourMeaning, colourShort, colourWord } from '../words';

export function Chip({ colour, short }: { colour: Colour; short?: boolean }) {
  const word = colourWord(colour);
  return (
    <span class={`chip c-${word}`} data-colour={word} title={`${word}: ${colourMeaning(colour)}`}>
      <span><span class="hidden">{word}, </span>{short ? colourShort(colour) : colourMeaning(colour)}</span>
    </span>
  );
}

// What the colours mean, beside whatever is drawn in them.
export function Legend() {
  return (
    <ul class="legend" aria-label="Colours">
      {allColours.map((colour) => <li key={colour}><Chip colour={colour} short /></li>)}
    </ul>
  );
}
