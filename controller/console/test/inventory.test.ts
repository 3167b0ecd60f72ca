import { beforeAll, describe, expect, it } from 'vitest';
import { Colour } from '../src/gen/countersign/v1/operator_pb';

// The router reads the address when it is loaded.
let inventory: typeof import('../src/inventory');
beforeAll(async () => {
  Object.assign(globalThis, { location: { pathname: '/', search: '' } });
  inventory = await import('../src/inventory');
});
const read = (query: string) => inventory.readWish(new URLSearchParams(query));

describe('a list in the address', () => {
  it('comes back as it was', () => {
    const address = '/certificates?search=shop+example&colour=red%2Cblack&group=edge&key=held&attached=yes&from=2026-12-01&until=2027-01-02&sort=-expires&page=3';
    const wish = read(address.split('?')[1]!);
    expect(wish).toMatchObject({ search: 'shop example', colours: [Colour.RED, Colour.BLACK], group: 'edge', key: 'held', attached: 'yes', from: '2026-12-01',
      until: '2027-01-02', sort: 'expires', descending: true, page: 3, narrowed: true });
    expect(inventory.wishHref(wish)).toBe(address);
    expect(inventory.wishHref(wish, { page: 1, search: '', colours: [] })).toBe('/certificates?group=edge&key=held&attached=yes&from=2026-12-01&until=2027-01-02&sort=-expires');
  });
  it('is all of them, by name, when it says nothing', () => {
    expect(read('')).toMatchObject({ narrowed: false, sort: 'name', descending: false, page: 1, text: '' });
    expect(inventory.wishHref(read(''))).toBe('/certificates');
    expect(read('sort=-name')).toMatchObject({ sort: 'name', descending: true, narrowed: false });
  });
  it('passes over what makes no sense', () => {
    expect(read('colour=pink,red,red&key=lost&attached=perhaps&from=tomorrow&until=2026-99-99&sort=-luck&page=-7')).toMatchObject(
      { colours: [Colour.RED], key: '', attached: '', from: '', until: '', sort: 'name', page: 1 });
    expect(read('page=1e99').page).toBeLessThanOrEqual(1e6);
  });
  it('has one text for one list, whatever its page', () => {
    expect(read('search=a&page=4').text).toBe(read('search=a').text);
    expect(read('search=a').text).not.toBe(read('search=b').text);
  });
});
