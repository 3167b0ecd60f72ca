// Arrow keys between the boxes of the picture. Pure. Up and down go through a column, left and right along an edge (to the nearest
// of several), Home and End to the column's ends.
import type { Box, Picture } from './layout';

export type Step = 'ArrowUp' | 'ArrowDown' | 'ArrowLeft' | 'ArrowRight' | 'Home' | 'End';

export const isStep = (key: string): key is Step => ['ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight', 'Home', 'End'].includes(key);

const middle = (box: Box) => box.y + box.height / 2;

// Where the step leads; the same key where there is nothing in that direction.
export function walk(picture: Picture, key: string, step: Step): string {
  const here = picture.boxes.get(key);
  if (!here) return key;
  const column = [...picture.boxes.values()].filter((box) => box.column === here.column).sort((a, b) => a.y - b.y);
  const at = column.indexOf(here);
  switch (step) {
    case 'ArrowUp':
      return column[Math.max(0, at - 1)]!.key;
    case 'ArrowDown':
      return column[Math.min(column.length - 1, at + 1)]!.key;
    case 'Home':
      return column[0]!.key;
    case 'End':
      return column.at(-1)!.key;
  }
  const ends = picture.edges.flatMap((edge) =>
    step === 'ArrowRight' && edge.from === key ? [edge.to] : step === 'ArrowLeft' && edge.to === key ? [edge.from] : [],
  );
  const nearest = ends
    .map((end) => picture.boxes.get(end)!)
    .sort((a, b) => Math.abs(middle(a) - middle(here)) - Math.abs(middle(b) - middle(here)));
  return nearest[0]?.key ?? key;
}
