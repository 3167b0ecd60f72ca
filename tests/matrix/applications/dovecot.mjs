import { execFileSync } from 'node:child_process';

import { matrix } from '../driver.mjs';
import { served } from '../watch.mjs';

// 2.4 has other names for nearly everything.
const isNew = () => !execFileSync('/usr/sbin/dovecot', ['--version'], { encoding: 'utf8' }).startsWith('2.3');

matrix({
  preset: 'dovecot',
  program: '/usr/sbin/dovecot',
  skip: (w) => w.others ? undefined : 'it needs root, and users of its own who can come to its folder',
  files: ['chain', 'key'],
  prepare: (w) => w.write('dovecot.conf', `${isNew() ? 'dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n' : ''}
base_dir = ${w.path('run/base')}
state_dir = ${w.path('run/state')}
log_path = /dev/stderr
protocols = imap
ssl = required
${isNew() ? `ssl_server_cert_file = ${w.chain}\nssl_server_key_file = ${w.key}` : `ssl_cert = <${w.chain}\nssl_key = <${w.key}`}
ssl_cipher_list = DEFAULT@SECLEVEL=3
service imap-login {
  inet_listener imap {
    port = 0
  }
  inet_listener imaps {
    ${isNew() ? 'listen' : 'address'} = 127.0.0.1
    port = ${w.port}
    ssl = yes
  }
}
`),
  command: (w) => ['/usr/sbin/dovecot', '-F', '-c', w.path('dovecot.conf')],
  look: (w) => served(w.port),
  overrides: (w) => ({
    certificate: w.chain, key: w.key, probe: `127.0.0.1:${w.port}`,
    validate: `/usr/bin/doveconf -n -c ${w.path('dovecot.conf')}`,
    reload: `/usr/bin/doveadm -c ${w.path('dovecot.conf')} reload`,
  }),
  breaks: { file: 'dovecot.conf', text: 'nonsense = true\n' },
  // Nothing but the reload itself can find out, and then it has no TLS: until it is put back.
  strict: { away_ms: 15_000 },
});
