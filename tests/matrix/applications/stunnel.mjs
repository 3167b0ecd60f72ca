import { hidePidFile, matrix } from '../driver.mjs';
import { served } from '../watch.mjs';

matrix({
  preset: 'stunnel',
  program: '/usr/bin/stunnel4',
  files: ['chain', 'key'],
  prepare: (w) => w.write('stunnel.conf', `
foreground = yes
pid = ${w.pidFile}
${w.others ? 'setuid = stunnel4\nsetgid = stunnel4' : ''}
[web]
accept = 127.0.0.1:${w.port}
connect = 127.0.0.1:9
ciphers = DEFAULT@SECLEVEL=3
cert = ${w.chain}
key = ${w.key}
`),
  command: (w) => ['/usr/bin/stunnel4', w.path('stunnel.conf')],
  look: (w) => served(w.port),
  overrides: (w) => ({
    certificate: w.chain, key: w.key, group: w.group('stunnel4'), key_mode: '0640', probe: `127.0.0.1:${w.port}`,
    reload: `signal HUP ${w.pidFile} stunnel4`,
  }),
  lose: hidePidFile,
  breaks: { file: 'stunnel.conf', text: 'nonsense = true\n' },
  strict: {},
});
