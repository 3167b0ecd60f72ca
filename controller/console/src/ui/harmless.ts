// Whatever is drawn, by whatever part of the pages, is drawn harmless: certificates' names, comments and devices' sentences are
// strangers' text. What a person types stays as it is.
import { options, type VNode } from 'preact';
import { harmless } from '../trust/text';

const ATTRIBUTES = ['title', 'aria-label', 'placeholder', 'data-label'];

function clean(children: unknown): unknown {
  return typeof children === 'string' ? harmless(children) : Array.isArray(children) ? children.map(clean) : children;
}

export function drawHarmless(): void {
  const before = options.vnode;
  options.vnode = (vnode: VNode) => {
    if (typeof vnode.type === 'string') {
      const props = vnode.props as Record<string, unknown>;
      if (props.children !== undefined) props.children = clean(props.children);
      for (const name of ATTRIBUTES) if (typeof props[name] === 'string') props[name] = harmless(props[name]);
    }
    before?.(vnode);
  };
}
