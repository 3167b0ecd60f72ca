import fs from 'node:fs';

import { matrix } from '../driver.mjs';
import { served } from '../watch.mjs';

const MODULES = '/usr/lib/apache2/modules';
// Its threads end by it, and load it when the first does: as www-data, who cannot come to it in a folder that is root's alone.
const THREAD_ENDS = fs.readdirSync('/usr/lib').map((folder) => `/usr/lib/${folder}/libgcc_s.so.1`).find(fs.existsSync);

matrix({
  preset: 'apache',
  program: '/usr/sbin/apache2',
  files: ['chain', 'key'],
  prepare: (w) => w.write('apache.conf', `
ServerRoot ${w.folder}
ServerName localhost
${THREAD_ENDS ? `LoadFile ${THREAD_ENDS}` : ''}
${['mpm_event', 'authz_core', 'ssl'].map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so\n`).join('')}
PidFile ${w.pidFile}
DefaultRuntimeDir ${w.path('run')}
Mutex pthread default
ErrorLog ${w.path('run', 'error.log')}
${w.root ? 'User www-data\nGroup www-data' : ''}
Listen 127.0.0.1:${w.port}
<VirtualHost *:${w.port}>
  SSLEngine on
  SSLCipherSuite DEFAULT@SECLEVEL=3
  SSLCertificateFile ${w.chain}
  SSLCertificateKeyFile ${w.key}
</VirtualHost>
`),
  command: (w) => ['/usr/sbin/apache2', '-f', w.path('apache.conf'), '-D', 'FOREGROUND'],
  look: (w) => served(w.port),
  // What apache2ctl does, with a configuration that is not at Debian's place.
  overrides: (w) => ({
    certificate: w.chain, key: w.key, probe: `127.0.0.1:${w.port}`,
    validate: `/usr/sbin/apache2 -f ${w.path('apache.conf')} -t`,
    reload: `/usr/sbin/apache2 -f ${w.path('apache.conf')} -k graceful`,
  }),
  breaks: { file: 'apache.conf', text: 'Nonsense on\n' },
  // Nothing but the graceful reload itself can find out, and that ends it: until it is put back and started.
  strict: { away_ms: 15_000 },
});
