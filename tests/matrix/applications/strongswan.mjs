import { execFile, execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

import { freePort, matrix } from '../driver.mjs';

const hideSocket = (w) => {
  fs.rmSync(w.path('run/told'));
  return () => fs.symlinkSync('vici', w.path('run/told'));
};
const PLUGINS = '/usr/lib/ipsec/plugins';
// The agent's way to it can be lost without that of who watches.
const uri = (w, name = 'vici') => `unix://${w.path('run', name)}`;
const environment = (w) => ({ STRONGSWAN_CONF: w.path('strongswan.conf'), SWANCTL_DIR: w.path('swanctl') });

// What charon says it has with its private key: the certificate that it would show.
const held = (w) => async () => {
  const { stdout } = await promisify(execFile)('/usr/sbin/swanctl', ['--list-certs', '--type', 'x509', '--pem', '--uri', uri(w)],
    { env: { ...process.env, ...environment(w) }, timeout: 1500 });
  const pems = stdout.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  const own = pems.map((pem) => new crypto.X509Certificate(pem)).filter((one) => !one.ca);
  if (own.length !== 1) throw new Error(`${own.length} certificates`);
  return own[0].fingerprint256;
};

matrix({
  preset: 'strongswan',
  program: '/usr/lib/ipsec/charon',
  skip: (w) => {
    if (!w.root) return 'charon needs root';
    if (!fs.existsSync(`${PLUGINS}/libstrongswan-openssl.so`)) return 'its plugin openssl is not here';
    const capabilities = BigInt(`0x${fs.readFileSync('/proc/self/status', 'utf8').match(/CapEff:\s*(\w+)/)[1]}`);
    return capabilities & (1n << 12n) ? undefined : 'charon needs the right to change the network (CAP_NET_ADMIN)';
  },
  every_ms: 100,
  word: 'has it',
  files: ['chain', 'key'],
  prepare: async (w) => {
    w.write('strongswan.conf', `
charon {
  load_modular = no
  load = random nonce openssl pem x509 pkcs1 pkcs8 revocation constraints pubkey sha1 sha2 hmac kdf kernel-netlink socket-default vici
  port = ${await freePort()}
  port_nat_t = ${await freePort()}
  install_routes = no
  plugins {
    vici {
      socket = ${uri(w)}
    }
  }
}
swanctl {
  load = random openssl pem x509 pkcs1 pkcs8 pubkey sha1
}
`);
    for (const [folder, file] of [['x509', w.chain], ['x509ca', w.intermediates], ['private', w.key]]) {
      fs.mkdirSync(w.path('swanctl', folder), { recursive: true });
      fs.symlinkSync(file, w.path('swanctl', folder, 'web.pem'));
    }
    w.write('swanctl/swanctl.conf', 'connections {\n  web {\n    local {\n      auth = pubkey\n      certs = web.pem\n    }\n    remote {\n      auth = pubkey\n    }\n  }\n}\n');
    // The preset's command, for this charon and these folders.
    w.write('reload', `#!/bin/sh\n${Object.entries(environment(w)).map(([name, value]) => `export ${name}=${value}\n`).join('')}` +
      `exec /usr/sbin/swanctl --load-all --clear --noprompt --uri ${uri(w, 'told')}\n`, 0o755);
    fs.symlinkSync('vici', w.path('run/told'));
    w.afterStart = async () => {
      for (let i = 0; i < 100 && !fs.existsSync(w.path('run/vici')); i++) await sleep(50);
      execFileSync(w.path('reload'), { stdio: 'ignore' });
    };
  },
  // Everything that a machine's own swanctl has is in folders of this one, which have links to what the agent places.
  command: (w) => ['/usr/bin/env', `STRONGSWAN_CONF=${w.path('strongswan.conf')}`, '/usr/lib/ipsec/charon'],
  look: (w) => held(w),
  overrides: (w) => ({ certificate: w.chain, intermediates: w.intermediates, key: w.key, reload: w.path('reload') }),
  lose: hideSocket,
  breaks: { file: 'swanctl/swanctl.conf', edit: (text) => text.replace('certs = web.pem', 'certs = nowhere.pem') },
});
