// A digest as eight words that two people compare (proto/README.md, "A digest in words"). The list is the programs' own.
import list from '../../../../shared/trust/spoken_words.inc?raw';

const WORDS = 8;
const spoken = list.match(/[a-z]+/g) ?? [];

export function words(digest: Uint8Array): string {
  return Array.from(digest.subarray(0, WORDS), (byte) => spoken[byte]).join(' ');
}
