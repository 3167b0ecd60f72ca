import fs from 'node:fs';

import { hidePidFile, matrix } from '../driver.mjs';
import { said, upstream } from '../watch.mjs';

matrix({
  preset: 'stunnel-client',
  program: '/usr/bin/stunnel4',
  word: 'shows it',
  files: ['chain', 'key'],
  // What it connects to answers with the certificate that it was shown.
  prepare: async (w) => {
    w.upstream = await upstream(w.authority.pair('upstream'), fs, (socket, fingerprint) => socket.end(fingerprint));
    w.write('stunnel.conf', `
foreground = yes
pid = ${w.pidFile}
[web]
client = yes
accept = 127.0.0.1:${w.port}
connect = 127.0.0.1:${w.upstream.address().port}
ciphers = DEFAULT@SECLEVEL=3
cert = ${w.chain}
key = ${w.key}
`);
  },
  command: (w) => ['/usr/bin/stunnel4', w.path('stunnel.conf')],
  look: (w) => said(w.port),
  overrides: (w) => ({ certificate: w.chain, key: w.key, reload: `signal HUP ${w.pidFile} stunnel4` }),
  lose: hidePidFile,
  // Nobody can see that it did not take the files: it shows the ones before until a reload succeeds.
  unnoticed: true,
  breaks: { file: 'stunnel.conf', text: 'nonsense = true\n' },
  strict: {},
});
