// What there is and what comes up: each number leads to the list behind it.
import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { type Counted, type Counts, DAY_S, DAYS, readCounts } from '../counts';
import { useData, useWatch } from '../data';
import { Colour, type GetStatusResponse } from '../gen/countersign/v1/operator_pb';
import { ObjectKind } from '../gen/countersign/v1/watch_pb';
import { go, href } from '../router';
import { Button } from '../ui/button';
import { Busy } from '../ui/busy';
import { Chip } from '../ui/chip';
import { Empty } from '../ui/empty';
import { Word } from '../ui/state-word';
import { dateText } from '../ui/time';
import { TryAgain } from '../ui/try-again';
import { waiting } from '../waiting';
import { allColours, allStates, colourWord, count, stateEnded, stateTint, stateWord } from '../words';

// The worst first: that is what a person comes for.
const tiles = [...allColours].reverse();

function ColourTiles({ status, counts }: { status: GetStatusResponse; counts: Counted }) {
  const total = Math.max(1, status.certificates);
  return (
    <section class="card" aria-labelledby="by-state">
      <div class="head"><h2 id="by-state">Certificates by state</h2><a class="nowrap" href="/certificates">{count(status.certificates, 'certificate')}</a></div>
      <div class="share" aria-hidden="true">
        {tiles.map((colour) => {
          const many = counts.colours.get(colour) ?? 0;
          return many > 0 && <span key={colour} class={`c-${colourWord(colour)}`} style={{ flexGrow: many / total, flexBasis: '4px' }} />;
        })}
      </div>
      <ul class="tiles">
        {tiles.map((colour) => {
          const many = counts.colours.get(colour) ?? 0;
          return (
            <li key={colour}>
              <a class={many ? 'tile' : 'tile is-none'} href={href(['certificates'], { colour: colourWord(colour) })}>
                <span class="tile-number">{many.toLocaleString()}</span>
                <Chip colour={colour} short />
              </a>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

const BIN = 5, BINS = DAYS / BIN;
const HEIGHT = 150, LEFT = 34, TOP = 10, BASE = HEIGHT - 24;

function colourAfter(days: number): Colour {
  return days < 10 ? Colour.ORANGE : days < 30 ? Colour.YELLOW : days < 90 ? Colour.BLUE : Colour.GREEN;
}

// How wide the chart may be: its text keeps its size.
function useWidth(): [RefObject<HTMLDivElement | null>, number] {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const measure = () => setWidth(Math.floor(box.current!.clientWidth));
    const observer = new ResizeObserver(measure);
    measure();
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, []);
  return [box, width];
}

// A scale that ends at 1, 2 or 5 times a power of ten.
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, value)));
  return [1, 2, 5, 10].map((step) => step * power).find((end) => end >= value) ?? value;
}

function Expiry({ counts }: { counts: Counted }) {
  const now = counts.at_s;
  const bins = useMemo(() => Array.from({ length: BINS }, (_, at) => {
    const from = now + at * BIN * DAY_S, until = from + BIN * DAY_S;
    const utcDay = (time_s: number) => new Date(time_s * 1000).toISOString().slice(0, 10);
    return { at, from, until, many: counts.days.slice(at * BIN, (at + 1) * BIN).reduce((sum, one) => sum + one, 0),
      link: href(['certificates'], { sort: 'expires', from: utcDay(from), until: utcDay(until - 1) }) };
  }), [counts]);
  const total = bins.reduce((sum, { many }) => sum + many, 0);
  const top = roundUp(Math.max(...bins.map(({ many }) => many)));
  const [box, width] = useWidth();
  const WIDTH = Math.max(width, 240);
  const slot = (WIDTH - LEFT) / BINS;
  const y = (many: number) => BASE - (many / top) * (BASE - TOP);
  return (
    <section class="card" aria-labelledby="expiry">
      <div class="head"><h2 id="expiry">Expiring in the next {DAYS} days</h2><span class="dim">{count(total, 'certificate')}</span></div>
      <div class="chart-box" ref={box}>{width > 0 && <svg class="chart" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true" focusable="false">
        {(top > 1 ? [0, top / 2, top] : [0, top]).map((many) => (
          <g key={many}>
            <line class={many ? 'chart-line' : 'chart-base'} x1={LEFT} x2={WIDTH} y1={y(many)} y2={y(many)} />
            {Number.isInteger(many) && <text class="chart-text" x={LEFT - 6} y={y(many) + 4} text-anchor="end">{many >= 10_000 ? `${many / 1000}k` : many}</text>}
          </g>
        ))}
        {bins.map(({ at, from, until, many, link }) => (
          <g key={at} class="chart-days" onClick={() => go(link)}>
            <title>{`${dateText(from)} to ${dateText(until - DAY_S)}: ${count(many, 'certificate')}`}</title>
            <rect class="chart-slot" x={LEFT + at * slot} y={TOP} width={slot} height={BASE - TOP} />
            {many > 0 && <rect class={`chart-bar c-${colourWord(colourAfter(at * BIN))}`} x={LEFT + at * slot + slot * 0.1} width={slot * 0.8} y={Math.min(y(many), BASE - 2)} height={Math.max(2, BASE - y(many))} rx={Math.min(2, slot / 6)} />}
          </g>
        ))}
        {(WIDTH < 420 ? [0, 60] : [0, 30, 60, 90]).map((days) => (
          <text key={days} class="chart-text" x={LEFT + (days / BIN) * slot + 3} y={HEIGHT - 7}>{days ? `${days} days` : 'today'}</text>
        ))}
        <text class="chart-text" x={WIDTH} y={HEIGHT - 7} text-anchor="end">{DAYS} days</text>
      </svg>}</div>
      <details class="more">
        <summary>As a table</summary>
        <table class="small-table">
          <caption class="hidden">Certificates that expire, by {BIN} days</caption>
          <thead><tr><th scope="col">From</th><th scope="col">To</th><th scope="col" class="number">Certificates</th></tr></thead>
          <tbody>
            {bins.filter(({ many }) => many > 0).map(({ at, from, until, many, link }) => (
              <tr key={at}><td>{dateText(from)}</td><td>{dateText(until - DAY_S)}</td><td class="number"><a href={link}>{many.toLocaleString()}</a></td></tr>
            ))}
          </tbody>
        </table>
        {total === 0 && <p class="dim">None expires.</p>}
      </details>
    </section>
  );
}

function Orders({ status, counts }: { status: GetStatusResponse; counts: Counted }) {
  const most = Math.max(1, ...counts.orders.values());
  const any = [...counts.orders.values()].some((many) => many > 0);
  return (
    <section class="card" aria-labelledby="orders">
      <div class="head"><h2 id="orders">Work orders by state</h2><a class="nowrap" href="/requests">{count(status.requestsOpen, 'open request')}</a></div>
      {any
        ? (
          <dl class="bars">
            {allStates.filter((state) => !stateEnded(state) || (counts.orders.get(state) ?? 0) > 0).map((state) => {
              const many = counts.orders.get(state) ?? 0;
              return (
                <div key={state}>
                  <dt><Word tint={stateTint(state)}>{stateWord(state)}</Word></dt>
                  <dd><span class="bar-line" aria-hidden="true"><span style={{ width: `${(many / most) * 100}%` }} /></span><span class="number">{many.toLocaleString()}</span></dd>
                </div>
              );
            })}
          </dl>
        )
        : <Empty title="No work order yet">Open a certificate, add an app connector, and push it to its device.</Empty>}
    </section>
  );
}

function Fleet({ status, counts }: { status: GetStatusResponse; counts: Counted | undefined }) {
  const away = status.devices - status.devicesConnected;
  const mine = waiting.value?.length;
  return (
    <section class="card" aria-labelledby="now">
      <h2 id="now">Now</h2>
      <dl class="facts">
        <dt>Devices</dt>
        <dd><a href="/devices">{`${status.devicesConnected.toLocaleString()} of ${status.devices.toLocaleString()} connected`}</a>{away > 0 && <span class="dim">, {away.toLocaleString()} offline</span>}</dd>
        <dt>Waiting for you</dt>
        <dd>{mine === undefined ? <span class="dim">–</span> : mine ? <a href="/inbox">{count(mine, 'request')}</a> : 'nothing'}</dd>
        <dt>Open requests</dt>
        <dd>{`${status.requestsOpen.toLocaleString()}, with ${count(status.ordersOpen, 'open work order')}`}</dd>
        <dt>Attached</dt>
        <dd>{`${counts?.attached.toLocaleString() ?? '…'} of ${count(status.certificates, 'certificate')}`}</dd>
        <dt>Trust policy</dt>
        <dd>{status.policyVersion ? `version ${status.policyVersion}` : 'none yet: countersign trust init'}</dd>
        <dt>Revision</dt>
        <dd><a href="/audit">{status.revision.toLocaleString()}</a></dd>
      </dl>
    </section>
  );
}

const Counting = ({ lines }: { lines: number }) => <div class="card flush"><Busy lines={lines} label="Counting" /></div>;

const COUNTED_EVERY_MS = 6000;

export default function Overview() {
  const counts = useData<Counts>('counts', readCounts);
  const again = useRef<ReturnType<typeof setTimeout> | 0>(0);
  useEffect(() => () => { if (again.current) clearTimeout(again.current); }, []);
  // What was counted is some seconds old; after a change it is asked for again when the next count may be there.
  useWatch([ObjectKind.CERTIFICATE, ObjectKind.ATTACHMENT, ObjectKind.DEVICE, ObjectKind.ORDER, ObjectKind.REQUEST, ObjectKind.POLICY], () => {
    counts.soon();
    again.current ||= setTimeout(() => {
      again.current = 0;
      counts.soon();
    }, COUNTED_EVERY_MS);
  });
  const { status, counted } = counts.data ?? {};
  return (
    <>
      <h1 tabIndex={-1}>Overview</h1>
      {counts.error && <TryAgain title="The numbers could not be read" onAgain={counts.reload}>{counts.error}</TryAgain>}
      {counts.data && counts.data.status.certificates === 0 && (
        <div class="card"><Empty title="Nothing is here yet" action={<><Button kind="primary" href="/certificates">Import certificates</Button><Button href="/devices">Add a device</Button></>}>
          A certificate and a device with an app connector are what a first push takes.</Empty></div>
      )}
      {counts.data && !counts.data.counted && (
        <p class="dim">The controller has just started and counts what there is: with a million certificates that takes a minute.</p>
      )}
      {(counts.data || !counts.error) && (
        <div class="overview" aria-busy={!counts.data || undefined}>
          {counted ? <ColourTiles status={status!} counts={counted} /> : <Counting lines={9} />}
          {status ? <Fleet status={status} counts={counted} /> : <Counting lines={7} />}
          {counted ? <Expiry counts={counted} /> : <Counting lines={8} />}
          {counted ? <Orders status={status!} counts={counted} /> : <Counting lines={8} />}
        </div>
      )}
    </>
  );
}
