// A component that is drawn again only when something that it is given is another one: hundreds of boxes stand still while one changes.
import { Component, type ComponentType, createElement } from 'preact';

export function still<Props extends object>(Drawn: ComponentType<Props>): ComponentType<Props> {
  return class Still extends Component<Props> {
    override shouldComponentUpdate(next: Readonly<Props>): boolean {
      const now = this.props as Record<string, unknown>,
        then = next as Record<string, unknown>;
      return Object.keys({ ...now, ...then }).some((key) => now[key] !== then[key]);
    }

    override render() {
      return createElement(Drawn, this.props as Props);
    }
  };
}
