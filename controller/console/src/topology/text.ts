// Text in a box of a given width. Pure but for measurer(), which asks a canvas how wide the page's own font runs.

export type Measure = (text: string) => number;

// Lines of at most `width`, broken between words, within a word where one alone is wider; the last of `most` lines ends with an
// ellipsis when there is more.
export function wrap(text: string, width: number, most: number, measure: Measure): string[] {
  const lines: string[] = [];
  let line = '';
  const pieces = text
    .split(/\s+/)
    .filter(Boolean)
    .flatMap((word) => split(word, width, measure));
  for (let i = 0; i < pieces.length; i++) {
    const { text: piece, glued } = pieces[i]!;
    const longer = line === '' ? piece : glued ? line + piece : `${line} ${piece}`;
    if (line === '' || measure(longer) <= width) {
      line = longer;
      continue;
    }
    if (lines.length + 1 === most) return [...lines, shorten(`${line}…`, width, measure)];
    lines.push(line);
    line = piece;
  }
  return line === '' ? lines : [...lines, line];
}

// A word in pieces that fit; a piece that goes on from the one before is glued to it.
function split(word: string, width: number, measure: Measure): { text: string; glued: boolean }[] {
  const pieces: { text: string; glued: boolean }[] = [];
  let rest = [...word];
  while (rest.length > 1 && measure(rest.join('')) > width) {
    let low = 1,
      high = rest.length - 1;
    while (low < high) {
      const half = Math.ceil((low + high) / 2);
      if (measure(rest.slice(0, half).join('')) <= width) low = half;
      else high = half - 1;
    }
    pieces.push({ text: rest.slice(0, low).join(''), glued: pieces.length > 0 });
    rest = rest.slice(low);
  }
  pieces.push({ text: rest.join(''), glued: pieces.length > 0 });
  return pieces;
}

// One line that fits, with an ellipsis where it had to be cut.
export function shorten(text: string, width: number, measure: Measure): string {
  if (measure(text) <= width) return text;
  const letters = [...text.replace(/…$/, '')];
  let low = 0,
    high = letters.length;
  while (low < high) {
    const half = Math.ceil((low + high) / 2);
    if (measure(`${letters.slice(0, half).join('').trimEnd()}…`) <= width) low = half;
    else high = half - 1;
  }
  return `${letters.slice(0, low).join('').trimEnd()}…`;
}

const measurers = new Map<string, Measure>();

// `font` as the canvas takes it: "13px sans-serif". A width that was measured once is kept.
export function measurer(font: string): Measure {
  let found = measurers.get(font);
  if (found) return found;
  const context = document.createElement('canvas').getContext('2d');
  const known = new Map<string, number>();
  found = (text) => {
    let width = known.get(text);
    if (width !== undefined) return width;
    if (context) context.font = font;
    width = context ? context.measureText(text).width : text.length * 8;
    if (known.size > 5000) known.clear();
    known.set(text, width);
    return width;
  };
  measurers.set(font, found);
  return found;
}
