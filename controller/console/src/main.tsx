import { render } from 'preact';
import { client } from './api/client';
import { ControllerService } from './gen/countersign/v1/operator_pb';
import { signal } from '@preact/signals';
const version = signal('');
void client(ControllerService).getStatus({}).then((reply) => { version.value = reply.version; });
render(<p>{version}</p>, document.getElementById('app')!);
