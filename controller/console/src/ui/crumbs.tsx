// Where the reader is: Visibility › Client › All › the certificate. The last one is what the tab is called, unless `title` is.
import { useEffect } from 'preact/hooks';

export function Crumbs({ items, title = items.at(-1)?.[0] }: { items: readonly (readonly [text: string, href?: string])[]; title?: string | undefined }) {
  useEffect(() => {
    if (title) document.title = `${title} · Countersign`;
  }, [title]);
  return (
    <nav class="crumbs" aria-label="Breadcrumb">
      <ol>{items.map(([text, to], at) => <li key={at} aria-current={at === items.length - 1 ? 'page' : undefined}>{to ? <a href={to}>{text}</a> : text}</li>)}</ol>
    </nav>
  );
}
