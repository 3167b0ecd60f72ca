import fs from 'node:fs';

import { hidePidFile, matrix } from '../driver.mjs';
import { served } from '../watch.mjs';

matrix({
  preset: 'lighttpd',
  program: '/usr/sbin/lighttpd',
  skip: () => fs.existsSync('/usr/lib/lighttpd/mod_openssl.so') ? undefined : 'its mod_openssl is not here',
  files: ['chain', 'key'],
  prepare: (w) => w.write('lighttpd.conf', `
server.modules = ("mod_openssl")
server.document-root = "${w.path('run')}"
server.pid-file = "${w.pidFile}"
${w.others ? 'server.username = "www-data"\nserver.groupname = "www-data"' : ''}
server.bind = "127.0.0.1"
server.port = ${w.port}
ssl.engine = "enable"
ssl.pemfile = "${w.chain}"
ssl.privkey = "${w.key}"
ssl.openssl.ssl-conf-cmd = ("CipherString" => "DEFAULT@SECLEVEL=3")
`),
  command: (w) => ['/usr/sbin/lighttpd', '-D', '-f', w.path('lighttpd.conf')],
  look: (w) => served(w.port),
  overrides: (w) => ({
    certificate: w.chain, key: w.key, group: w.group('www-data'), run_as: w.user('www-data'), probe: `127.0.0.1:${w.port}`,
    validate: `/usr/sbin/lighttpd -tt -f ${w.path('lighttpd.conf')}`,
    reload: `signal USR1 ${w.pidFile} lighttpd`,
  }),
  lose: hidePidFile,
  breaks: { file: 'lighttpd.conf', text: 'nonsense\n' },
  // It is content with it, and nobody can shake hands.
  strict: { away_ms: 15_000 },
});
