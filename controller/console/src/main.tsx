import { render } from 'preact';
import { begin } from './api/session';
import { App } from './app';
import { startRouter } from './router';
import { startWaiting } from './waiting';

startRouter();
startWaiting();
void begin();
render(<App />, document.getElementById('app')!);
