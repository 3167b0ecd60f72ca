// Where each box of the topology stands and how the edges run: three columns, certificate, app connectors, devices. Pure: widths
// and heights come in, positions go out, nothing is measured here. Start at layout().

export type Column = 0 | 1 | 2;

// `links` names the nodes of the next column that it is tied to. Nodes of a column come in the order in which they shall stand;
// the last column is ordered here, so that edges cross as little as they can.
export interface Node {
  key: string;
  column: Column;
  height: number;
  links: string[];
  under?: string; // the open group that it is a member of, in the same column and before it
}

export interface Box {
  key: string;
  column: Column;
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Edge {
  from: string;
  to: string;
  path: string;
}

export interface Picture {
  boxes: Map<string, Box>;
  edges: Edge[];
  columns: { x: number; width: number }[];
  width: number;
  height: number;
}

// In pixels of a reader whose text has 16; `unit` scales them with the text.
const GAP_Y = 12;
// How far members stand to the right of their group, and where the rail runs that leads to them.
export const INDENT = 26;
const RAIL = 12;
const GAP_X = { least: 56, most: 136 };
const OUTER = { least: 196, most: 268 };
const MIDDLE_LEAST = 300;
// A certificate beside a taller column than this stands at its top: in the middle nobody would see it.
const TALL = 1400;

// The least width in which three columns can be read; below it they are stacked, in the page's own flow.
export const THREE_COLUMNS = 2 * OUTER.least + MIDDLE_LEAST + 2 * GAP_X.least;

export function columnsOf(width: number, unit = 1): { x: number; width: number }[] {
  const between = (least: number, most: number, wish: number) => Math.floor(Math.min(most * unit, Math.max(least * unit, wish)));
  // Where it is narrow the connectors come first: the gaps give way, then the columns beside them.
  const outer = between(OUTER.least, OUTER.most, Math.min(width * 0.21, (width - (MIDDLE_LEAST + 2 * GAP_X.least) * unit) / 2));
  const gap = between(GAP_X.least, GAP_X.most, Math.min(width * 0.1, (width - MIDDLE_LEAST * unit) / 2 - outer));
  const middle = Math.max(MIDDLE_LEAST * unit, width - 2 * outer - 2 * gap);
  return [
    { x: 0, width: outer },
    { x: outer + gap, width: middle },
    { x: outer + middle + 2 * gap, width: outer },
  ];
}

const centre = (box: Box) => box.y + box.height / 2;

// Boxes in their order, each as near to where it would like to be as the others let it: neighbours that would overlap become one
// block, which stands at the mean of what its members wish (pool adjacent violators). Returns the tops.
export function settle(heights: number[], wishes: number[], gap: number): number[] {
  const blocks: { from: number; count: number; height: number; top: number; sum: number }[] = [];
  for (let i = 0; i < heights.length; i++) {
    const top = wishes[i]! - heights[i]! / 2;
    let block = { from: i, count: 1, height: heights[i]!, top, sum: top };
    for (;;) {
      const before = blocks.at(-1);
      if (!before || before.top + before.height + gap <= block.top) break;
      blocks.pop();
      // What the later block wishes, told as a wish for the place where the whole one begins.
      const sum = before.sum + block.sum - block.count * (before.height + gap);
      const count = before.count + block.count;
      block = { from: before.from, count, height: before.height + gap + block.height, top: sum / count, sum };
    }
    blocks.push(block);
  }
  const tops: number[] = [];
  let floor = 0;
  for (const block of blocks) {
    let y = Math.max(floor, block.top);
    for (let i = block.from; i < block.from + block.count; i++) {
      tops[i] = Math.round(2 * y) / 2;
      y += heights[i]! + gap;
    }
    floor = Math.ceil(y);
  }
  return tops;
}

// Left to right, level where it leaves and where it arrives.
function curve(from: Box, to: Box): string {
  const x1 = from.x + from.width,
    y1 = centre(from),
    x2 = to.x,
    y2 = centre(to),
    bend = (x2 - x1) / 2;
  return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}

function stack(nodes: Node[], column: { x: number; width: number }, gap: number, indent: number, boxes: Map<string, Box>): number {
  let y = 0;
  for (const node of nodes) {
    const inset = node.under === undefined ? 0 : indent;
    boxes.set(node.key, {
      key: node.key,
      column: node.column,
      x: column.x + inset,
      y,
      width: column.width - inset,
      height: node.height,
    });
    y += node.height + gap;
  }
  return Math.max(0, y - gap);
}

// From a group down to its members, each piece from where the one before turned off, so that every piece can have its own dashes.
function rails(nodes: Node[], boxes: Map<string, Box>, offset: number): Edge[] {
  const reached = new Map<string, number>(),
    edges: Edge[] = [];
  for (const { key, under } of nodes) {
    const group = under === undefined ? undefined : boxes.get(under);
    if (!group) continue;
    const box = boxes.get(key)!,
      x = group.x + offset,
      from = reached.get(under!) ?? group.y + group.height,
      y = centre(box);
    edges.push({ from: under!, to: key, path: `M${x} ${from}V${y}H${box.x}` });
    reached.set(under!, y);
  }
  return edges;
}

// The mean height of what leads to each; those that nothing leads to stand behind the others.
function wishesOf(nodes: Node[], sources: Node[], boxes: Map<string, Box>): Map<string, number> {
  const found = new Map<string, { sum: number; count: number }>();
  for (const source of sources)
    for (const link of source.links) {
      const entry = found.get(link) ?? { sum: 0, count: 0 };
      found.set(link, { sum: entry.sum + centre(boxes.get(source.key)!), count: entry.count + 1 });
    }
  return new Map(
    nodes.map((node) => {
      const entry = found.get(node.key);
      return [node.key, entry ? entry.sum / entry.count : Number.MAX_SAFE_INTEGER];
    }),
  );
}

export function layout(nodes: Node[], width: number, unit = 1): Picture {
  const columns = columnsOf(width, unit),
    gap = Math.round(GAP_Y * unit),
    boxes = new Map<string, Box>();
  const [first, middle, last] = ([0, 1, 2] as const).map((column) => nodes.filter((node) => node.column === column)) as [
    Node[],
    Node[],
    Node[],
  ];
  const middleHeight = stack(middle, columns[1]!, gap, INDENT * unit, boxes);

  const wishes = wishesOf(last, middle, boxes);
  const ordered = last
    .map((node, i) => ({ node, i, wish: Math.min(wishes.get(node.key)!, middleHeight) }))
    .sort((a, b) => wishes.get(a.node.key)! - wishes.get(b.node.key)! || a.i - b.i);
  const tops = settle(
    ordered.map(({ node }) => node.height),
    ordered.map(({ wish }) => wish),
    gap,
  );
  ordered.forEach(({ node }, i) =>
    boxes.set(node.key, { key: node.key, column: 2, x: columns[2]!.x, y: tops[i]!, width: columns[2]!.width, height: node.height }),
  );

  const firstHeight = stack(first, columns[0]!, gap, 0, boxes);
  const all = [...boxes.values()].reduce((most, box) => Math.max(most, box.y + box.height), 0);
  // The rooms beside a lower column are shared out above and below it, unless that would hide it far down.
  const lower = (height: number) => (all <= TALL * unit ? Math.floor(all - height) / 2 : 0);
  for (const node of first) boxes.get(node.key)!.y += lower(firstHeight);
  const shift = lower(middleHeight);
  if (shift > 0 && middleHeight < all) for (const node of middle) boxes.get(node.key)!.y += shift;

  const edges = nodes.flatMap((node) =>
    node.links
      .filter((link) => boxes.has(link))
      .map((link) => ({ from: node.key, to: link, path: curve(boxes.get(node.key)!, boxes.get(link)!) })),
  );
  edges.push(...rails(middle, boxes, RAIL * unit));
  return { boxes, edges, columns, width: columns[2]!.x + columns[2]!.width, height: all };
}
