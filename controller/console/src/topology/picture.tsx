// The topology as three columns: the edges and what hangs on them are SVG, the boxes over it HTML (card.tsx). It scrolls by the
// browser's own means; zooming scales the whole. One box takes Tab, the arrow keys go from box to box, Enter opens.
import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Button } from '../ui/button';
import { colourWord, type ColourWord } from '../words';
import { CertificateCard, CrowdCard, DeviceCard, type Drawn, FaceCard, type Hands } from './card';
import { type Box, layout, type Picture as Placed } from './layout';
import { CERTIFICATE, type Face, nodesOf } from './model';
import { type Line, lineOf } from './standing';
import { isStep, walk } from './walk';

export interface PictureProps extends Drawn {
  width: number;
  unit: number;
  sought: string; // what is searched for: another search begins at the top
  legend: ComponentChildren;
}

// A picture that is not taller than this stands in the page as it is; a taller one scrolls in a frame of its own.
const TALL = 1100;
const ZOOM = { least: 0.4, most: 2, step: 1.25 };
const zoomed = (zoom: number) => Math.min(ZOOM.most, Math.max(ZOOM.least, zoom));

const colourOf = (face: Face): ColourWord => colourWord(face.kind === 'row' ? face.row.colour : face.group.rows[0]!.colour);
const lineFor = (face: Face): Line => lineOf(face.kind === 'row' ? face.row : face.group.rows[0]!);

function Edges({ placed, faces, lit }: { placed: Placed; faces: Map<string, Face>; lit: string }) {
  return (
    <svg
      class="topology-edges"
      width={placed.width}
      height={placed.height}
      viewBox={`0 0 ${placed.width} ${placed.height}`}
      aria-hidden="true"
      focusable="false"
    >
      {placed.edges.map((edge) => {
        const face = faces.get(edge.to),
          look = face ? `edge c-${colourOf(face)}` : 'edge';
        return (
          <path
            key={`${edge.from}>${edge.to}`}
            class={edge.from === lit || edge.to === lit ? `${look} lit` : look}
            data-line={face ? lineFor(face) : 'tie'}
            d={edge.path}
          />
        );
      })}
    </svg>
  );
}

const place = (box: Box) => ({ left: `${box.x}px`, top: `${box.y}px`, width: `${box.width}px`, height: `${box.height}px` });

export function Picture({ topology, faces, width, unit, sought, onOpen, onDecide, verbOf, verbsOf, legend }: PictureProps) {
  const placed = useMemo(() => layout(nodesOf(faces, unit), width, unit), [faces, width, unit]);
  const byKey = useMemo(() => new Map(faces.connectors.map((face) => [face.key, face])), [faces]);
  const [here, setHere] = useState(CERTIFICATE);
  const [focused, setFocused] = useState(false);
  const [zoom, setZoom] = useState(1);
  const scroller = useRef<HTMLDivElement>(null);
  const aim = useRef<{ zoom: number; x: number; y: number } | undefined>(undefined);
  const tabbed = placed.boxes.has(here) ? here : CERTIFICATE;

  const latest = useRef({ onOpen, onDecide });
  latest.current = { onOpen, onDecide };
  const [hands] = useState<Hands>(() => ({
    onOpen: (key) => latest.current.onOpen(key),
    onDecide: (request, order) => latest.current.onDecide(request, order),
  }));

  // The point under the pointer, or the middle of what is seen, stays where it is.
  const zoomTo = (next: number, at?: { x: number; y: number }) => {
    const element = scroller.current!,
      target = zoomed(next),
      point = at ?? { x: element.clientWidth / 2, y: element.clientHeight / 2 };
    aim.current = { zoom: target / zoom, ...point };
    setZoom(target);
  };
  useLayoutEffect(() => {
    const element = scroller.current!,
      wish = aim.current;
    aim.current = undefined;
    if (!wish) return;
    element.scrollLeft = (element.scrollLeft + wish.x) * wish.zoom - wish.x;
    element.scrollTop = (element.scrollTop + wish.y) * wish.zoom - wish.y;
  }, [zoom]);

  useLayoutEffect(() => {
    scroller.current!.scrollTop = 0;
  }, [sought]);

  const fit = () => {
    const element = scroller.current!;
    zoomTo(Math.min(1, element.clientWidth / (placed.width + 2), (element.clientHeight || innerHeight) / (placed.height + 2)));
    element.scrollTo(0, 0);
  };

  const onWheel = useRef((_: WheelEvent) => {});
  onWheel.current = (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const frame = scroller.current!.getBoundingClientRect();
    zoomTo(zoom * Math.exp(-event.deltaY / 300), { x: event.clientX - frame.left, y: event.clientY - frame.top });
  };
  useEffect(() => {
    // Not passive: the browser's own zoom would follow otherwise.
    const listener = (event: WheelEvent) => onWheel.current(event),
      element = scroller.current!;
    element.addEventListener('wheel', listener, { passive: false });
    return () => element.removeEventListener('wheel', listener);
  }, []);

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === '+' || event.key === '=') zoomTo(zoom * ZOOM.step);
    else if (event.key === '-') zoomTo(zoom / ZOOM.step);
    else if (event.key === '0') zoomTo(1);
    else if (isStep(event.key)) {
      const next = walk(placed, tabbed, event.key);
      setHere(next);
      const element = scroller.current!.querySelector<HTMLElement>(`[data-node="${CSS.escape(next)}"]`);
      element?.focus({ preventScroll: true });
      element?.closest('.node')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    } else return;
    event.preventDefault();
  };

  // A box, or a button in it, has the focus: the arrows go on from there.
  const onFocus = (event: FocusEvent) => {
    const key = (event.target as Element).closest('.placed')?.querySelector<HTMLElement>('[data-node]')?.dataset.node;
    if (key === undefined) return;
    setHere(key);
    setFocused(true);
  };

  // The surface is taken hold of and moved.
  const drag = useRef<{ x: number; y: number; left: number; top: number } | undefined>(undefined);
  const onPointerDown = (event: PointerEvent) => {
    if (event.button !== 0 || event.pointerType !== 'mouse' || (event.target as Element).closest('.node')) return;
    const element = scroller.current!;
    drag.current = { x: event.clientX, y: event.clientY, left: element.scrollLeft, top: element.scrollTop };
    element.setPointerCapture(event.pointerId);
  };
  const onPointerMove = (event: PointerEvent) => {
    const from = drag.current;
    if (!from) return;
    scroller.current!.scrollTo(from.left - (event.clientX - from.x), from.top - (event.clientY - from.y));
  };
  const onPointerEnd = () => {
    drag.current = undefined;
  };

  const [certificates, connectors, devices] = placed.columns as [
    { x: number; width: number },
    { x: number; width: number },
    { x: number; width: number },
  ];
  const head = (column: { x: number; width: number }) => ({ left: `${column.x * zoom}px`, width: `${column.width * zoom}px` });
  const at = (key: string) => place(placed.boxes.get(key)!);
  return (
    <div class="topology-frame">
      <div
        class={placed.height * zoom > TALL * unit ? 'topology-scroll tall' : 'topology-scroll'}
        ref={scroller}
        onKeyDown={onKeyDown}
        onPointerDown={onPointerDown}
        onPointerMove={onPointerMove}
        onPointerUp={onPointerEnd}
        onPointerCancel={onPointerEnd}
        onBlurCapture={() => setFocused(false)}
        onFocusCapture={onFocus}
      >
        <div class="topology-heads" aria-hidden="true" style={{ width: `${placed.width * zoom}px` }}>
          <span class="label" style={head(certificates)}>
            Certificate
          </span>
          <span class="label" style={head(connectors)}>
            App connectors
          </span>
          <span class="label" style={head(devices)}>
            Devices
          </span>
        </div>
        <div class="topology-size" style={{ width: `${placed.width * zoom}px`, height: `${placed.height * zoom}px` }}>
          <div class="topology-layer" style={{ width: `${placed.width}px`, height: `${placed.height}px`, transform: `scale(${zoom})` }}>
            <Edges placed={placed} faces={byKey} lit={focused ? tabbed : ''} />
            <section aria-label="Certificate">
              <div class="placed" style={at(CERTIFICATE)}>
                <CertificateCard certificate={topology.certificate} hands={hands} here={tabbed === CERTIFICATE} />
              </div>
            </section>
            <section aria-label="App connectors">
              <ul>
                {faces.connectors.map((face) => (
                  <li key={face.key} class="placed" style={at(face.key)}>
                    <FaceCard face={face} hands={hands} here={tabbed === face.key} verbOf={verbOf} verbsOf={verbsOf} />
                  </li>
                ))}
              </ul>
            </section>
            <section aria-label="Devices">
              <ul>
                {faces.devices.map((face) => (
                  <li key={face.key} class="placed" style={at(face.key)}>
                    <DeviceCard face={face} here={tabbed === face.key} />
                  </li>
                ))}
                {faces.crowds.map((face) => (
                  <li key={face.key} class="placed" style={at(face.key)}>
                    <CrowdCard face={face} hands={hands} here={tabbed === face.key} />
                  </li>
                ))}
              </ul>
            </section>
          </div>
        </div>
      </div>
      <div class="topology-foot">
        {legend}
        <div class="topology-zoom" role="group" aria-label="Zoom">
          <Button small icon="minus" label="Zoom out" disabled={zoom <= ZOOM.least} onClick={() => zoomTo(zoom / ZOOM.step)} />
          <Button
            small
            label="Zoom to 100 %"
            class="topology-percent"
            onClick={() => zoomTo(1)}
          >{`${Math.round(zoom * 100)} %`}</Button>
          <Button small icon="plus" label="Zoom in" disabled={zoom >= ZOOM.most} onClick={() => zoomTo(zoom * ZOOM.step)} />
          <Button small onClick={fit}>
            Fit
          </Button>
        </div>
      </div>
    </div>
  );
}
