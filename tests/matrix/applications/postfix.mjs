import fs from 'node:fs';

import { matrix } from '../driver.mjs';
import { servedBySmtp } from '../watch.mjs';

matrix({
  preset: 'postfix',
  program: '/usr/sbin/postfix',
  skip: (w) => w.others ? undefined : 'it needs root, and users of its own who can come to its folder',
  files: ['bundle'],
  prepare: (w) => {
    fs.mkdirSync(w.path('conf'));
    for (const folder of ['queue', 'data']) fs.mkdirSync(w.path(folder));
    fs.chownSync(w.path('data'), fs.statSync('/var/lib/postfix').uid, 0);
    w.write('conf/main.cf', `
compatibility_level = 3.6
queue_directory = ${w.path('queue')}
data_directory = ${w.path('data')}
meta_directory = /etc/postfix
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = localhost
mydestination = localhost
alias_maps =
alias_database =
notify_classes =
maillog_file = ${w.path('run/log')}
maillog_file_prefixes = ${w.path('run')}
smtpd_tls_chain_files = ${w.bundle}
smtpd_tls_security_level = may
tls_high_cipherlist = DEFAULT@SECLEVEL=3
tls_medium_cipherlist = DEFAULT@SECLEVEL=3
`);
    w.write('conf/master.cf', `
127.0.0.1:${w.port} inet n - n - - smtpd
postlog unix-dgram n - n - 1 postlogd
tlsmgr unix - - n 1000? 1 tlsmgr
anvil unix - - n - 1 anvil
rewrite unix - - n - - trivial-rewrite
cleanup unix n - n - 0 cleanup
pickup unix n - n 60 1 pickup
qmgr unix n - n 300 1 qmgr
proxymap unix - - n - - proxymap
`);
  },
  command: (w) => ['/usr/sbin/postfix', '-c', w.path('conf'), 'start-fg'],
  daemon: (w) => ({ file: w.path('queue/pid/master.pid'), program: '/usr/lib/postfix/sbin/master' }),
  look: (w) => servedBySmtp(w.port),
  overrides: (w) => ({
    bundle: w.bundle, probe: `127.0.0.1:${w.port}`,
    validate: `/usr/sbin/postfix -c ${w.path('conf')} check`,
    reload: `/usr/sbin/postfix -c ${w.path('conf')} reload`,
  }),
  breaks: { file: 'conf/main.cf', text: '}nonsense\n' },
  // Nothing but the reload itself can find out, and then it has no TLS: until it is put back.
  strict: { away_ms: 15_000, may: { completed: /./ } },
});
