// In the place of what is being read, and about as high, so that nothing jumps when it comes.
export function Busy({ lines = 6, label = 'Loading' }: { lines?: number; label?: string }) {
  return <div class="busy" role="status"><span class="hidden">{label}…</span>{Array.from({ length: lines }, (_, at) => <i key={at} aria-hidden="true" />)}</div>;
}
