import { hidePidFile, matrix } from '../driver.mjs';
import { served } from '../watch.mjs';

// RadSec: RADIUS over TLS, which can be looked at as any server.
matrix({
  preset: 'freeradius',
  program: '/usr/sbin/freeradius',
  word: 'serves it, after a restart',
  files: ['chain', 'key'],
  prepare: (w) => {
    w.write('radiusd.conf', `
prefix = /usr
localstatedir = ${w.folder}
libdir = /usr/lib/freeradius
raddbdir = ${w.folder}
run_dir = ${w.path('run')}
pidfile = ${w.pidFile}
log {
  destination = stdout
}
security {
  user = ${w.user('freerad')}
  group = ${w.group('freerad')}
}
thread pool {
  start_servers = 1
  max_servers = 4
  min_spare_servers = 1
  max_spare_servers = 2
}
modules {
  always reject {
    rcode = reject
  }
}
clients radsec {
  client local {
    ipaddr = 127.0.0.1
    proto = tls
    secret = radsec
    limit {
      max_connections = 0
    }
  }
}
server radsec {
  listen {
    type = auth
    proto = tcp
    ipaddr = 127.0.0.1
    port = ${w.port}
    virtual_server = radsec
    clients = radsec
    limit {
      max_connections = 0
    }
    tls {
      certificate_file = ${w.chain}
      private_key_file = ${w.key}
      ca_file = ${w.authority.root}
      cipher_list = "DEFAULT@SECLEVEL=3"
      require_client_cert = no
      tls_min_version = "1.2"
      tls_max_version = "1.3"
    }
  }
  authorize {
    reject
  }
}
`);
    // What `service freeradius restart` does: it checks, ends the one that runs, and starts another.
    w.write('restart', `#!/bin/sh
/usr/sbin/freeradius -C -d ${w.folder} -n radiusd >/dev/null || exit 1
pid=$(cat ${w.pidFile}) || exit 1
kill "$pid"
while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
exec /usr/sbin/freeradius -d ${w.folder} -n radiusd
`, 0o755);
  },
  command: (w) => ['/usr/sbin/freeradius', '-d', w.folder, '-n', 'radiusd'],
  look: (w) => served(w.port),
  overrides: (w) => ({
    certificate: w.chain, key: w.key, group: w.group('freerad'), probe: `127.0.0.1:${w.port}`,
    validate: `/usr/sbin/freeradius -C -d ${w.folder} -n radiusd -l stdout`,
    reload: w.path('restart'),
  }),
  lose: hidePidFile,
  breaks: { file: 'radiusd.conf', text: '}\n' },
  strict: { away_ms: 15_000, may: { completed: /./ } },
  away_ms: 5000,
});
