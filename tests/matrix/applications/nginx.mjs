import { hidePidFile, matrix } from '../driver.mjs';
import { served } from '../watch.mjs';

matrix({
  preset: 'nginx',
  program: '/usr/sbin/nginx',
  files: ['chain', 'key'],
  prepare: (w) => w.write('nginx.conf', `
    daemon off; pid ${w.pidFile}; error_log stderr; events {}
    http {
      access_log off;
      client_body_temp_path ${w.path('run/body')}; proxy_temp_path ${w.path('run/proxy')}; fastcgi_temp_path ${w.path('run/fastcgi')};
      uwsgi_temp_path ${w.path('run/uwsgi')}; scgi_temp_path ${w.path('run/scgi')};
      server { listen 127.0.0.1:${w.port} ssl; ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers DEFAULT@SECLEVEL=3; ssl_certificate ${w.chain}; ssl_certificate_key ${w.key}; }
    }\n`),
  command: (w) => ['/usr/sbin/nginx', '-c', w.path('nginx.conf')],
  look: (w) => served(w.port),
  overrides: (w) => ({
    certificate: w.chain, key: w.key, probe: `127.0.0.1:${w.port}`,
    validate: `/usr/sbin/nginx -t -q -c ${w.path('nginx.conf')}`,
    reload: `/usr/sbin/nginx -s reload -c ${w.path('nginx.conf')}`,
  }),
  lose: hidePidFile,
  breaks: { file: 'nginx.conf', text: 'nonsense;\n' },
  strict: {},
});
