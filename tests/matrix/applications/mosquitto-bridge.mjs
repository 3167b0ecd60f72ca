import fs from 'node:fs';

import { matrix } from '../driver.mjs';
import { upstream } from '../watch.mjs';

matrix({
  preset: 'mosquitto-bridge',
  program: '/usr/sbin/mosquitto',
  word: 'shows it when it connects',
  files: ['chain', 'key'],
  // The other broker takes each connection, remembers what it was shown, and ends it after a while, as networks do.
  prepare: async (w) => {
    w.upstream = await upstream(w.authority.pair('upstream'), fs, (socket, fingerprint) => socket.once('data', () => {
      w.shown = fingerprint;
      socket.write(Buffer.from([0x20, 2, 0, 0]));
      setTimeout(() => socket.destroy(), 300);
    }));
    w.write('mosquitto.conf', `
pid_file ${w.pidFile}
user ${w.user('mosquitto')}
listener ${w.port} 127.0.0.1
allow_anonymous true
connection upstream
address 127.0.0.1:${w.upstream.address().port}
topic # out
restart_timeout 1
bridge_cafile ${w.authority.root}
bridge_certfile ${w.chain}
bridge_keyfile ${w.key}
`);
  },
  command: (w) => ['/usr/sbin/mosquitto', '-c', w.path('mosquitto.conf')],
  look: (w) => async () => {
    if (!w.shown) throw new Error('no bridge yet');
    return w.shown;
  },
  overrides: (w) => ({ certificate: w.chain, key: w.key, group: w.group('mosquitto') }),
});
