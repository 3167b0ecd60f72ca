import { hidePidFile, matrix } from '../driver.mjs';
import { served } from '../watch.mjs';

matrix({
  preset: 'mosquitto',
  program: '/usr/sbin/mosquitto',
  files: ['chain', 'key'],
  prepare: (w) => w.write('mosquitto.conf', `
pid_file ${w.pidFile}
user ${w.user('mosquitto')}
listener ${w.port} 127.0.0.1
allow_anonymous true
ciphers DEFAULT@SECLEVEL=3
certfile ${w.chain}
keyfile ${w.key}
`),
  command: (w) => ['/usr/sbin/mosquitto', '-c', w.path('mosquitto.conf')],
  look: (w) => served(w.port),
  overrides: (w) => ({
    certificate: w.chain, key: w.key, group: w.group('mosquitto'), probe: `127.0.0.1:${w.port}`,
    reload: `signal HUP ${w.pidFile} mosquitto`,
  }),
  lose: hidePidFile,
  // It takes the certificate, and passes over what else it reads.
  breaks: { file: 'mosquitto.conf', text: 'nonsense true\n', may: { completed: /./ } },
  strict: {},
});
