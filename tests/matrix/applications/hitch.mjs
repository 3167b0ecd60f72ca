import { hidePidFile, matrix } from '../driver.mjs';
import { served } from '../watch.mjs';

matrix({
  preset: 'hitch',
  program: '/usr/sbin/hitch',
  files: ['bundle'],
  prepare: (w) => w.write('hitch.conf', `
frontend = "[127.0.0.1]:${w.port}"
backend = "[127.0.0.1]:9"
pem-file = "${w.bundle}"
ciphers = "DEFAULT@SECLEVEL=3"
workers = 1
${w.root ? 'user = "_hitch"\ngroup = "_hitch"' : ''}
`),
  command: (w) => ['/usr/sbin/hitch', `--pidfile=${w.pidFile}`, `--config=${w.path('hitch.conf')}`],
  look: (w) => served(w.port),
  overrides: (w) => ({
    bundle: w.bundle, probe: `127.0.0.1:${w.port}`,
    validate: `/usr/sbin/hitch --test --config=${w.path('hitch.conf')}`,
    reload: `signal HUP ${w.pidFile} hitch`,
  }),
  lose: hidePidFile,
  breaks: { file: 'hitch.conf', text: 'nonsense\n' },
  strict: {},
});
