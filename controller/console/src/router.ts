// Where the page is: real paths, so that a link can be sent and Back works. `route` follows the address; every same-origin link in
// the page is followed without loading anew, whoever drew it (an <a> in HTML or in SVG).
import { signal } from '@preact/signals';

export interface Route { path: string[]; query: URLSearchParams }

function read(): Route {
  let path: string[];
  try {
    path = location.pathname.split('/').filter(Boolean).map(decodeURIComponent);
  } catch { // half a percent sign
    path = ['?'];
  }
  return { path, query: new URLSearchParams(location.search) };
}

export const route = signal<Route>(read());

// href(['devices', name], { tab: 'x' }): what is empty is left out of the query.
export function href(path: readonly (string | number | bigint)[], query: Record<string, string | number | undefined> = {}): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value !== undefined && value !== '') search.set(key, String(value));
  const text = search.toString();
  return '/' + path.map((part) => encodeURIComponent(String(part))).join('/') + (text && `?${text}`);
}

export function go(url: string, replace = false): void {
  const before = location.pathname;
  if (url === location.pathname + location.search) return;
  history[replace ? 'replaceState' : 'pushState'](null, '', url);
  route.value = read();
  if (!replace && location.pathname !== before) scrollTo(0, 0);
}

function follow(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = (event.target as Element | null)?.closest?.('a[href]');
  const address = link?.getAttribute('href');
  if (!link || !address?.startsWith('/') || address.startsWith('//') || link.hasAttribute('target') || link.hasAttribute('download')) return;
  event.preventDefault();
  go(address);
}

// Once, when the page starts.
export function startRouter(): void {
  addEventListener('popstate', () => { route.value = read(); });
  document.addEventListener('click', follow);
}
