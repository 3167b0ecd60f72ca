// Where the reader is: Visibility › Client › All › the certificate.
export function Crumbs({ items }: { items: readonly (readonly [text: string, href?: string])[] }) {
  return (
    <nav class="crumbs" aria-label="Breadcrumb">
      <ol>{items.map(([text, to], at) => <li key={at} aria-current={at === items.length - 1 ? 'page' : undefined}>{to ? <a href={to}>{text}</a> : text}</li>)}</ol>
    </nav>
  );
}
