// The shell: who is here, where one can go, whether what is shown is still live; and the page that the address names, loaded when it
// is first wanted. What goes wrong in a page stays in the page.
import { Component, type ComponentChildren, type ComponentType } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { effect, signal } from '@preact/signals';
import { connection } from './api/live';
import { begin, me, phase, signOut, trouble } from './api/session';
import { route } from './router';
import { Button } from './ui/button';
import { Busy } from './ui/busy';
import { switchTheme, theme } from './ui/theme';
import { TryAgain } from './ui/try-again';
import { waiting } from './waiting';
import { roleWord } from './words';

type Page = ComponentType;
interface Place { title: string; page: string; menu?: string; wide?: boolean }

// A file in pages/ is a page, and a part of the program that is loaded when it is first wanted.
const files = import.meta.glob<{ default: Page }>('./pages/*.tsx');
const missing: Place = { title: 'Nothing here', page: '' };
const overview: Place = { title: 'Overview', page: 'overview', menu: '/' };
const places: Partial<Record<string, Place>> = {
  certificates: { title: 'Certificates', page: 'certificates', menu: '/certificates', wide: true },
  requests: { title: 'Requests', page: 'requests', menu: '/requests' },
  inbox: { title: 'Inbox', page: 'inbox', menu: '/inbox' },
  devices: { title: 'Devices', page: 'devices', menu: '/devices' },
  audit: { title: 'Audit', page: 'audit', menu: '/audit', wide: true },
  sessions: { title: 'Sessions', page: 'sessions' },
};
const one: Partial<Record<string, (name: string) => Place>> = {
  certificates: () => ({ title: 'Topology', page: 'topology', menu: '/certificates', wide: true }),
  requests: (name) => ({ title: `REQ-${name}`, page: 'request', menu: '/requests' }),
  devices: (name) => ({ title: name, page: 'device', menu: '/devices' }),
};
// What stands before all else while nobody is signed in.
const entrances: Partial<Record<string, Place>> = {
  pairing: { title: 'Pair this browser', page: 'pair' },
  'sign-in': { title: 'Sign in', page: 'sign-in' },
  ended: { title: 'Signed out', page: 'sign-in' },
};

function placeOf(path: string[]): Place {
  const [first, second, third] = path;
  if (first === undefined || first === 'sign-in' || first === 'pair') return overview;
  return (third !== undefined ? undefined : second === undefined ? places[first] : one[first]?.(second)) ?? missing;
}

function Missing() {
  return (
    <>
      <h1 tabIndex={-1}>There is nothing at this address</h1>
      <p>The link may be mistyped, or from another version of these pages. <a href="/">Go to the overview</a>.</p>
    </>
  );
}

// Pages that have been loaded, and the one that is on its way.
const loaded = new Map<string, Page>();
const shown = signal<{ key: string; place: Place; page: Page } | undefined>(undefined);
const loading = signal(false);
const failure = signal('');
let wanted = '';

async function show(place: Place, key: string): Promise<void> {
  const load = files[`./pages/${place.page}.tsx`];
  let page = load ? loaded.get(place.page) : Missing;
  failure.value = '';
  if (load && !page) {
    loading.value = true;
    try {
      loaded.set(place.page, page = (await load()).default);
    } catch {
      if (wanted === key)
        failure.value = 'This part of the pages could not be loaded. What serves them may be away, or may have been updated meanwhile.';
    }
    if (wanted !== key) return;
    loading.value = false;
    if (!page) return;
  }
  shown.value = { key, place, page: page! };
}

const LoadAnew = () => <Button onClick={() => location.reload()}>Load anew</Button>;

// What breaks while it is drawn is said in its place; the menu goes on working, and another address begins anew.
class Boundary extends Component<{ children?: ComponentChildren }, { error?: unknown }> {
  override state: { error?: unknown } = {};
  static override getDerivedStateFromError(error: unknown) { return { error }; }
  override componentDidCatch(error: unknown) { console.error(error); }
  override render() {
    const { error } = this.state;
    if (error === undefined) return this.props.children;
    return (
      <TryAgain title="This page stopped working" onAgain={() => this.setState({ error: undefined })} more={<LoadAnew />}>
        A mistake in the page itself: {error instanceof Error ? error.message : String(error)}. What was signed and sent before is not touched by it.
      </TryAgain>
    );
  }
}

const menu = [['/', 'Overview'], ['/certificates', 'Visibility'], ['/requests', 'Requests'], ['/inbox', 'Inbox'], ['/devices', 'Devices'], ['/audit', 'Audit']] as const;

function Menu({ at }: { at: string | undefined }) {
  const count = waiting.value?.length ?? 0;
  return (
    <nav class="menu" aria-label="Main">
      <ul>
        {menu.map(([to, word]) => (
          <li key={to}>
            <a href={to} aria-current={to === at ? 'page' : undefined}>
              {word}{to === '/inbox' && count > 0 && <span class="count">{count}<span class="hidden"> waiting for you</span></span>}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function ThemeSwitch() {
  const dark = theme() === 'dark';
  return <Button kind="quiet" icon={dark ? 'sun' : 'moon'} label={dark ? 'Light theme' : 'Dark theme'} onClick={switchTheme} />;
}

function Who() {
  const who = me.value;
  return (
    <div class="me">
      {who && (
        <span class="who">
          {who.servedBy === 'countersignd' ? <a href="/sessions" title="Your sessions">{who.operator}</a> : who.operator || 'administrator'}
          {who.roles.length > 0 && <span class="roles"> ({who.roles.map(roleWord).join(', ')})</span>}
        </span>
      )}
      <ThemeSwitch />
      {who && <Button kind="quiet" icon="leave" label="Sign out" onClick={() => { void signOut(); }} />}
    </div>
  );
}

function Frame({ at, children }: { at: string | undefined; children: ComponentChildren }) {
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById('main')?.focus(); }}>Skip to the content</a>
      {loading.value && <div class="progress" role="status"><span class="hidden">Loading…</span></div>}
      <header class="top">
        <a class="brand" href="/"><Mark />Countersign</a>
        {phase.value === 'ready' && <Menu at={at} />}
        <Who />
      </header>
      {children}
      <div role="status">
        {phase.value === 'ready' && connection.value === 'lost' && (
          <div class="lost"><span>The connection to the controller is lost: what is shown may be old.</span> <span>It is tried again by itself.</span></div>
        )}
      </div>
    </>
  );
}

function Mark() {
  return (
    <svg viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <rect class="mark-ground" width="16" height="16" rx="3.5" /><path class="mark-check" d="M4 8.4 6.8 11 12 5.2" />
    </svg>
  );
}

// Tried again by itself; what is said stays there meanwhile.
const AGAIN_MS = 5000;
const hadFailed = signal(false);
effect(() => {
  if (phase.value === 'failed') hadFailed.value = true;
  else if (phase.value !== 'starting') hadFailed.value = false;
});

function NotConnected() {
  const starting = phase.value === 'starting', said = useRef('');
  said.current = trouble.value || said.current;
  useEffect(() => {
    const timer = setInterval(() => { if (phase.value === 'failed' && document.visibilityState === 'visible') void begin(); }, AGAIN_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <Frame at={undefined}>
      <main class="page" id="main" tabIndex={-1}>
        <h1>Not connected</h1>
        <TryAgain busy={starting} onAgain={begin}>{said.current}</TryAgain>
      </main>
    </Frame>
  );
}

export function App() {
  const { path } = route.value;
  const entrance = phase.value === 'ready' ? undefined : entrances[phase.value];
  const place = entrance ?? placeOf(path);
  const key = entrance ? phase.value : path.join('/');
  const ready = entrance !== undefined || phase.value === 'ready';
  useEffect(() => {
    wanted = key;
    if (ready) void show(place, key);
  }, [key, ready]);

  // A new page begins at its heading, for the keyboard and for screen readers; the first one does not take the focus.
  const at = shown.value?.key, first = useRef(true), main = useRef<HTMLElement>(null);
  useLayoutEffect(() => {
    if (at === undefined) return;
    document.title = shown.value!.place === overview ? 'Countersign' : `${shown.value!.place.title} · Countersign`;
    if (first.current) first.current = false;
    else if (document.activeElement === document.body || !main.current?.contains(document.activeElement))
      (main.current?.querySelector<HTMLElement>('h1[tabindex]') ?? main.current)?.focus({ preventScroll: true });
  }, [at]);

  if (phase.value === 'failed' || (phase.value === 'starting' && hadFailed.value)) return <NotConnected />;
  const current = ready ? shown.value : undefined;
  const Shown = current?.page;
  return (
    <Frame at={place.menu}>
      <main class={current?.place.wide ? 'page wide' : 'page'} id="main" tabIndex={-1} ref={main}>
        {failure.value
          ? <><h1>{place.title}</h1><TryAgain title="Not loaded" onAgain={() => { void show(place, key); }} more={<LoadAnew />}>{failure.value}</TryAgain></>
          : Shown && current ? <Boundary key={current.key}><Shown /></Boundary> : <Busy lines={5} label="Starting" />}
      </main>
      {me.value && phase.value === 'ready' && (
        <footer class="foot">
          <a href="/sessions">Sessions</a>
          <span>Countersign {me.value.version}</span>
          <span>{me.value.servedBy === 'console' ? `by countersign console${me.value.controller ? `, controller at ${me.value.controller}` : ''}` : 'by the controller'}</span>
        </footer>
      )}
    </Frame>
  );
}

