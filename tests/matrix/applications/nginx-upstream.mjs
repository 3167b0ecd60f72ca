import fs from 'node:fs';

import { hidePidFile, matrix } from '../driver.mjs';
import { said, upstream } from '../watch.mjs';

matrix({
  preset: 'nginx-upstream',
  program: '/usr/sbin/nginx',
  word: 'shows it',
  files: ['chain', 'key'],
  // What it forwards to answers with the certificate that it was shown.
  prepare: async (w) => {
    w.upstream = await upstream(w.authority.pair('upstream'), fs, (socket, fingerprint) => socket.once('data', () =>
      socket.end(`HTTP/1.0 200 OK\r\nContent-Length: ${fingerprint.length}\r\n\r\n${fingerprint}`)));
    w.write('nginx.conf', `
      daemon off; pid ${w.pidFile}; error_log stderr; events {}
      http {
        access_log off;
        client_body_temp_path ${w.path('run/body')}; proxy_temp_path ${w.path('run/proxy')}; fastcgi_temp_path ${w.path('run/fastcgi')};
        uwsgi_temp_path ${w.path('run/uwsgi')}; scgi_temp_path ${w.path('run/scgi')};
        server {
          listen 127.0.0.1:${w.port};
          location / {
            proxy_pass https://127.0.0.1:${w.upstream.address().port}; proxy_ssl_session_reuse off; proxy_ssl_ciphers DEFAULT@SECLEVEL=3;
            proxy_ssl_certificate ${w.chain}; proxy_ssl_certificate_key ${w.key};
          }
        }
      }\n`);
  },
  command: (w) => ['/usr/sbin/nginx', '-c', w.path('nginx.conf')],
  look: (w) => said(w.port, 'GET / HTTP/1.0\r\n\r\n'),
  overrides: (w) => ({
    certificate: w.chain, key: w.key,
    validate: `/usr/sbin/nginx -t -q -c ${w.path('nginx.conf')}`,
    reload: `/usr/sbin/nginx -s reload -c ${w.path('nginx.conf')}`,
  }),
  lose: hidePidFile,
  breaks: { file: 'nginx.conf', text: 'nonsense;\n' },
  strict: {},
});
