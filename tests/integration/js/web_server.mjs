// A web server on a device, serving what lies in the device's folder, and the reload command that its app connector declares.
//
//   const web = await webServer(deployment, deployment.path('gw-1'), makeCertificate('gateway.example', { issuer, days: 5 }));
//   web.reload; await web.serves();                  // the leaf's DER that a client gets
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';
import { X509Certificate } from 'node:crypto';
import { until } from './harness.mjs';

export const nginx = ['/usr/sbin/nginx', '/usr/bin/nginx'].find((file) => fs.existsSync(file));

export const freePort = () => new Promise((resolve) => {
  const server = net.createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

// `old`: what it serves before the first push. Without nginx on this machine, what lies in the folder stands for what is served.
export async function webServer(deployment, folder, old) {
  fs.mkdirSync(path.join(folder, 'temp'), { recursive: true });
  fs.writeFileSync(path.join(folder, 'chain.pem'), old.pem);
  fs.writeFileSync(path.join(folder, 'key.pem'), old.keyPem, { mode: 0o600 });
  if (!nginx) return { serves: () => new X509Certificate(fs.readFileSync(path.join(folder, 'chain.pem'))).raw, reload: '/bin/true' };
  const port = await freePort();
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${folder}/temp;`).join(' ');
  fs.writeFileSync(path.join(folder, 'nginx.conf'), `daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/error.log; events {}
    http { access_log off; ${temp} server { listen 127.0.0.1:${port} ssl; ssl_certificate ${folder}/chain.pem; ssl_certificate_key ${folder}/key.pem;
    location / { return 200 "gateway\\n"; } } }`);
  const args = ['-p', folder, '-e', `${folder}/error.log`, '-c', `${folder}/nginx.conf`];
  deployment.program(nginx, args, { name: 'nginx' });
  const serves = () => new Promise((resolve) => {
    const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().raw);
      socket.destroy();
    });
    socket.on('error', () => resolve(undefined));
  });
  await until('nginx serves', serves);
  return { serves, reload: [nginx, ...args, '-s', 'reload'].join(' ') };
}
