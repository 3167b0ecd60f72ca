import fs from 'node:fs';

import { matrix } from '../driver.mjs';
import { served } from '../watch.mjs';

matrix({
  preset: 'haproxy',
  program: '/usr/sbin/haproxy',
  files: ['bundle'],
  prepare: (w) => w.write('haproxy.cfg', `
global
  stats socket ${w.path('run/admin.sock')} mode 600 level admin
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend web
  bind 127.0.0.1:${w.port} ssl crt ${w.bundle} ciphers DEFAULT@SECLEVEL=3
  http-request return status 200
`),
  command: (w) => ['/usr/sbin/haproxy', '-W', '-f', w.path('haproxy.cfg')],
  look: (w) => served(w.port),
  overrides: (w) => ({
    bundle: w.bundle, probe: `127.0.0.1:${w.port}`,
    validate: `/usr/sbin/haproxy -c -q -f ${w.path('haproxy.cfg')}`,
    reload: `haproxy ${w.path('run/admin.sock')}`,
  }),
  lose: (w) => {
    const socket = w.path('run/admin.sock');
    fs.renameSync(socket, `${socket}.away`);
    return () => fs.renameSync(`${socket}.away`, socket);
  },
  breaks: { file: 'haproxy.cfg', text: 'nonsense\n' },
  // It is content with it, and nobody can shake hands.
  strict: { away_ms: 15_000 },
});
