// A list of certificates as the address has it, and its pages. The controller gives each page a token for the next one; they are
// kept for as long as the list is the same, so that Back and Previous need not begin anew.
import { Code, ConnectError } from '@connectrpc/connect';
import { client } from './api/client';
import { CertificateService, CertificateSort, type Certificate, type Colour } from './gen/countersign/v1/operator_pb';
import { KeyMode } from './gen/countersign/v1/statement_pb';
import { href } from './router';
import { base64, equal } from './trust/bytes';
import { colourOf, colourWord } from './words';

export const PAGE = 50;
// An address with a page far behind, and no tokens for the way there, is walked to: so far.
const LONGEST_WALK = 40;

export const SORTS = [['name', 'Common name'], ['issuer', 'Issuer'], ['from', 'Valid from'], ['expires', 'Valid until'], ['colour', 'State, worst first'],
  ['attachments', 'Attachments'], ['imported', 'Imported']] as const;
export type SortWord = (typeof SORTS)[number][0];
const sorts: Record<SortWord, CertificateSort> = { name: CertificateSort.COMMON_NAME, issuer: CertificateSort.ISSUER, from: CertificateSort.NOT_BEFORE,
  expires: CertificateSort.NOT_AFTER, colour: CertificateSort.COLOUR, attachments: CertificateSort.ATTACHMENTS, imported: CertificateSort.IMPORTED };
const keyModes = { '': KeyMode.UNSPECIFIED, 'on-device': KeyMode.ON_DEVICE, sealed: KeyMode.SEALED, held: KeyMode.HELD, none: KeyMode.NONE } as const;
type KeyWord = keyof typeof keyModes;

export interface Wish {
  search: string; colours: Colour[]; group: string; key: KeyWord; attached: '' | 'yes' | 'no'; from: string; until: string;   // from, until: days of UTC
  sort: SortWord; descending: boolean; page: number;
  text: string;          // all of it but the page
  narrowed: boolean;     // by anything
}

function oneOf<T extends string>(value: string | null, values: readonly T[], otherwise: T): T {
  return values.find((one) => one === value) ?? otherwise;
}
const day = (value: string | null) => (value && /^\d{4}-\d\d-\d\d$/.test(value) && Number.isFinite(Date.parse(value)) ? value : '');

function queryOf(wish: Omit<Wish, 'text' | 'narrowed'>): Record<string, string> {
  return { search: wish.search, colour: wish.colours.map(colourWord).join(','), group: wish.group, key: wish.key, attached: wish.attached,
    from: wish.from, until: wish.until, sort: (wish.descending ? '-' : '') + (wish.sort === 'name' && !wish.descending ? '' : wish.sort) };
}

// Whatever the address says that makes no sense is passed over.
export function readWish(query: URLSearchParams): Wish {
  const sort = query.get('sort') ?? '';
  const wish = {
    search: query.get('search') ?? '', group: query.get('group') ?? '',
    colours: [...new Set((query.get('colour') ?? '').split(',').map(colourOf))].filter((colour) => colour !== undefined),
    key: oneOf(query.get('key'), Object.keys(keyModes) as KeyWord[], ''), attached: oneOf(query.get('attached'), ['yes', 'no'] as const, '' as never) as Wish['attached'],
    from: day(query.get('from')), until: day(query.get('until')),
    sort: oneOf(sort.replace('-', ''), SORTS.map(([word]) => word), 'name'), descending: sort.startsWith('-'),
    page: Math.max(1, Math.min(1e6, Math.floor(Number(query.get('page'))) || 1)),
  };
  const words = queryOf(wish);
  const { sort: _, ...filters } = words;
  return { ...wish, text: new URLSearchParams(words).toString().replace(/\w+=(&|$)/g, ''), narrowed: Object.values(filters).some(Boolean) };
}

export function wishHref(wish: Wish, change: Partial<Wish> = {}): string {
  const next = { ...wish, ...change };
  return href(['certificates'], { ...queryOf(next), page: next.page > 1 ? next.page : undefined });
}

export interface List { rows: Certificate[]; more: boolean; searching?: boolean }

// tokens[n]: where page n + 1 begins. Of the newest list only, and over a reload.
let chain: { text: string; tokens: Uint8Array[] } = { text: '', tokens: [] };
const STORED = 'certificates';
const toBytes = (text: string) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

function tokensOf(text: string): Uint8Array[] {
  if (chain.text === text && chain.tokens.length) return chain.tokens;
  chain = { text, tokens: [new Uint8Array()] };
  try {
    const stored = JSON.parse(sessionStorage.getItem(STORED) ?? '{}') as { text?: string; tokens?: string[] };
    if (stored.text === text && stored.tokens?.length) chain.tokens = stored.tokens.map(toBytes);
  } catch { /* begin anew */ }
  return chain.tokens;
}

function putToken(tokens: Uint8Array[], page: number, token: Uint8Array): void {
  if (chain.tokens !== tokens) return;
  const known = tokens[page];
  if (known && equal(known, token)) return;
  tokens.length = Math.min(tokens.length, page); // what is behind a place that moved is found anew
  tokens.push(token);
  try {
    sessionStorage.setItem(STORED, JSON.stringify({ text: chain.text, tokens: tokens.map(base64) }));
  } catch { /* then not over a reload */ }
}

const seconds = (text: string, days = 0) => (text ? BigInt(Date.parse(text) / 1000 + days * 86_400) : 0n);

// One page, in as many calls as it takes: one may hold few or none, and say that there are more.
async function read(wish: Wish, pageToken: Uint8Array, stop: AbortSignal, partial?: (value: List) => void): Promise<List & { next: Uint8Array }> {
  const rows: Certificate[] = [];
  let token = pageToken;
  for (;;) {
    const reply = await client(CertificateService).listCertificates({
      limit: PAGE - rows.length, search: wish.search, colours: wish.colours, group: wish.group, keyMode: keyModes[wish.key],
      attached: wish.attached === 'yes', unattached: wish.attached === 'no', expiresFromS: seconds(wish.from), expiresBeforeS: seconds(wish.until, 1),
      sort: sorts[wish.sort], descending: wish.descending, pageToken: token,
    }, { signal: stop });
    rows.push(...reply.certificates);
    token = reply.nextPageToken;
    if (!reply.more || rows.length >= PAGE) return { rows, more: reply.more, next: token };
    partial?.({ rows: [...rows], more: true, searching: true });
  }
}

export async function loadPage(wish: Wish, stop: AbortSignal, partial: (value: List) => void): Promise<List> {
  const tokens = tokensOf(wish.text);
  try {
    if (tokens.length < wish.page && wish.page - tokens.length > LONGEST_WALK) return { rows: [], more: false };
    while (tokens.length < wish.page) {
      const passed = await read(wish, tokens.at(-1)!, stop);
      if (!passed.more) return { rows: [], more: false };
      putToken(tokens, tokens.length, passed.next);
      if (chain.tokens !== tokens) throw new DOMException('another list', 'AbortError');
    }
    const list = await read(wish, tokens[wish.page - 1]!, stop, partial);
    if (list.more) putToken(tokens, wish.page, list.next);
    return list;
  } catch (error) {
    // A token holds for a day.
    if (!(error instanceof ConnectError) || error.code !== Code.InvalidArgument || wish.page === 1 || !tokens.length) throw error;
    chain = { text: '', tokens: [] };
    try {
      sessionStorage.removeItem(STORED);
    } catch { /* there is none */ }
    throw new Error('The place of this page in the list is not known any more: begin at its first page');
  }
}
