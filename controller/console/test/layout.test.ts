import { describe, expect, it } from 'vitest';
import { columnsOf, layout, type Node, settle, THREE_COLUMNS } from '../src/topology/layout';
import { shorten, wrap } from '../src/topology/text';
import { walk } from '../src/topology/walk';

// A small generator of its own, so that a failure can be repeated from the seed in its name.
function random(seed: number) {
  let state = seed >>> 0;
  return (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function someNodes(seed: number): Node[] {
  const roll = random(seed),
    connectors = 1 + roll(40),
    devices = 1 + roll(connectors);
  const middle: Node[] = Array.from({ length: connectors }, (_, i) => ({
    key: `c${i}`,
    column: 1,
    height: 40 + roll(120),
    links: [`d${roll(devices)}`],
  }));
  const linked = new Set(middle.flatMap((node) => node.links));
  return [
    { key: 'certificate', column: 0, height: 60 + roll(60), links: middle.map((node) => node.key) },
    ...middle,
    ...Array.from({ length: devices }, (_, i): Node => ({ key: `d${i}`, column: 2, height: 50 + roll(40), links: [] })).filter((node) =>
      linked.has(node.key),
    ),
  ];
}

// Two devices, of which one has two connectors.
const SMALL: Node[] = [
  { key: 'x', column: 0, height: 80, links: ['a', 'b', 'c'] },
  { key: 'a', column: 1, height: 80, links: ['one'] },
  { key: 'b', column: 1, height: 80, links: ['two'] },
  { key: 'c', column: 1, height: 80, links: ['two'] },
  { key: 'one', column: 2, height: 60, links: [] },
  { key: 'two', column: 2, height: 60, links: [] },
];

describe('layout', () => {
  it.each(Array.from({ length: 200 }, (_, seed) => seed))('lets no two boxes overlap and none leave the picture, seed %i', (seed) => {
    const width = THREE_COLUMNS + random(seed + 1000)(900),
      nodes = someNodes(seed),
      picture = layout(nodes, width);
    const boxes = [...picture.boxes.values()];
    expect(boxes).toHaveLength(nodes.length);
    for (const box of boxes) {
      expect(box.x).toBeGreaterThanOrEqual(0);
      expect(box.y).toBeGreaterThanOrEqual(0);
      expect(box.x + box.width).toBeLessThanOrEqual(picture.width + 0.001);
      expect(box.y + box.height).toBeLessThanOrEqual(picture.height);
      for (const other of boxes)
        if (other !== box)
          expect(
            box.x + box.width <= other.x ||
              other.x + other.width <= box.x ||
              box.y + box.height <= other.y ||
              other.y + other.height <= box.y,
            `${box.key} and ${other.key}`,
          ).toBe(true);
    }
    expect(picture.edges).toHaveLength(nodes.reduce((sum, node) => sum + node.links.length, 0));
  });

  it('fills the width that it is given, and never less than three columns need', () => {
    expect(layout(someNodes(1), 1100).width).toBe(1100);
    expect(layout(someNodes(1), 100).width).toBe(THREE_COLUMNS);
    expect(columnsOf(2400)[0]!.width).toBe(268);
    for (let width = THREE_COLUMNS; width < 2000; width += 7) {
      const [, middle, last] = columnsOf(width);
      expect(last!.x + last!.width).toBe(width);
      expect(middle!.width).toBeGreaterThanOrEqual(300);
    }
  });

  it("grows with the reader's text", () => {
    expect(layout(someNodes(1), 100, 1.5).width).toBe(THREE_COLUMNS * 1.5);
  });

  it('puts a device beside its only connector', () => {
    const picture = layout(SMALL, 1100);
    expect(picture.boxes.get('one')!.y).toBe(10);
    expect(picture.boxes.get('two')!.y).toBe(148);
    expect(picture.boxes.get('x')!.y).toBe(92);
  });

  it('orders devices so that edges do not cross', () => {
    const picture = layout(
      [
        { key: 'a', column: 1, height: 80, links: ['late'] },
        { key: 'b', column: 1, height: 80, links: ['early'] },
        { key: 'early', column: 2, height: 60, links: [] },
        { key: 'late', column: 2, height: 60, links: [] },
      ],
      1100,
    );
    expect(picture.boxes.get('late')!.y).toBeLessThan(picture.boxes.get('early')!.y);
  });

  it('keeps the certificate in sight beside a column that is far taller than a screen', () => {
    const nodes: Node[] = Array.from({ length: 60 }, (_, i) => ({ key: `c${i}`, column: 1, height: 90, links: [] }));
    expect(layout([{ key: 'x', column: 0, height: 80, links: [] }, ...nodes], 1100).boxes.get('x')!.y).toBe(0);
  });
});

describe('settle', () => {
  it('leaves alone what does not touch', () => {
    expect(settle([10, 10], [20, 60], 5)).toEqual([15, 55]);
  });
  it('shares the displacement of what would overlap', () => {
    expect(settle([10, 10], [50, 50], 4)).toEqual([38, 52]);
  });
  it('begins at the top at the earliest', () => {
    expect(settle([40], [0], 4)).toEqual([0]);
  });
});

describe('walk', () => {
  const picture = layout(SMALL, 1100);
  it.each([
    ['x', 'ArrowRight', 'b'],
    ['b', 'ArrowLeft', 'x'],
    ['b', 'ArrowDown', 'c'],
    ['c', 'ArrowDown', 'c'],
    ['a', 'ArrowRight', 'one'],
    ['two', 'ArrowRight', 'two'],
    ['two', 'ArrowUp', 'one'],
    ['c', 'Home', 'a'],
    ['a', 'End', 'c'],
    ['gone', 'Home', 'gone'],
  ] as const)('from %s by %s to %s', (from, step, to) => {
    expect(walk(picture, from, step)).toBe(to);
  });
});

describe('text', () => {
  const measure = (text: string) => [...text].length;
  it('breaks between words', () => {
    expect(wrap('the probe still saw the old one', 12, 9, measure)).toEqual(['the probe', 'still saw', 'the old one']);
  });
  it('breaks a word that is wider than the box', () => {
    expect(wrap('abcdefghij', 4, 9, measure)).toEqual(['abcd', 'efgh', 'ij']);
  });
  it('ends the last line that there is room for with an ellipsis', () => {
    expect(wrap('one two three four', 9, 1, measure)).toEqual(['one two…']);
    expect(wrap('one two three four', 7, 1, measure)).toEqual(['one tw…']);
  });
  it('never gives a line that is too wide', () => {
    const roll = random(7);
    for (let i = 0; i < 300; i++) {
      const text = Array.from({ length: roll(20) }, () => 'x'.repeat(1 + roll(14))).join(' '),
        width = 3 + roll(20);
      for (const line of wrap(text, width, 1 + roll(4), measure)) expect(measure(line)).toBeLessThanOrEqual(width);
    }
  });
  it('shortens', () => {
    expect(shorten('metering-gw', 11, measure)).toBe('metering-gw');
    expect(shorten('metering-gw', 6, measure)).toBe('meter…');
  });
});
