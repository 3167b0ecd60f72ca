import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

// WCAG 2.2: relative luminance, and the contrast of two colours.
function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const part = parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}
function contrast(a: string, b: string): number {
  const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light! + 0.05) / (dark! + 0.05);
}

const css: string = readFileSync(new URL('../src/style.css', import.meta.url), 'utf8');
const tokens = [...css.matchAll(/--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);/g)];
const themes = { light: new Map(tokens.map(([, name, light]) => [name!, light!])), dark: new Map(tokens.map(([, name, , dark]) => [name!, dark!])) };

const surfaces = ['bg', 'card', 'sunk', 'hover'];
const texts: [string, string[]][] = [['ink', [...surfaces, 'accent-soft', 'good-soft', 'warn-soft', 'bad-soft']], ['dim', surfaces], ['accent', surfaces], ['accent-hover', surfaces],
  ['bad', [...surfaces, 'bad-soft']], ['warn', [...surfaces, 'warn-soft']], ['good', [...surfaces, 'good-soft']], ['accent-ink', ['accent', 'accent-hover']]];
// Black itself is seen by its ring; as a line it has another colour.
const drawn = ['green', 'blue', 'yellow', 'orange', 'purple', 'gray', 'red', 'black-line', 'black-ring', 'edge', 'accent'];

describe.each(['light', 'dark'] as const)('the %s theme', (name) => {
  const theme = themes[name];
  it.each(texts.flatMap(([text, behind]) => behind.map((surface) => [text, surface] as const)))('can be read: %s on %s', (text, surface) => {
    expect(contrast(theme.get(text)!, theme.get(surface)!)).toBeGreaterThanOrEqual(4.5);
  });
  it.each(drawn.flatMap((one) => surfaces.map((surface) => [one, surface] as const)))('can be seen: %s on %s', (one, surface) => {
    expect(contrast(theme.get(one)!, theme.get(surface)!)).toBeGreaterThanOrEqual(3);
  });
});
