import { render } from 'preact';
import { begin } from './api/session';
import { App } from './app';
import { drawHarmless } from './ui/harmless';
import { startRouter } from './router';
import { startWaiting } from './waiting';

drawHarmless();
startRouter();
startWaiting();
void begin();
render(<App />, document.getElementById('app')!);
