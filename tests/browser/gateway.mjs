// What the pages are about: a controller with its people, and a device "gw-1" whose nginx serves a certificate that expires in
// five days. A new one for it is in the inventory, attached to nothing yet.
//
//   const gateway = await Gateway.create(t, { way: ByConsole });
//   gateway.deployment; gateway.leaf; await gateway.web.serves();
import fs from 'node:fs';
import { bundle, makeCertificate } from '../integration/js/certificates.mjs';
import { Deployment } from '../integration/js/harness.mjs';
import { nginx, webServer } from '../integration/js/web_server.mjs';

export const commonName = 'gateway.example';
export const issuer = makeCertificate('Fleet CA', { ca: true, days: 3650 });

export class Gateway {
  // Without `web` the device has files and no application. `agent`: what its connector declares besides, or a function of the deployment.
  static async create(t, { controller, clock = true, days = 120, web = true, agent, ...options } = {}) {
    const deployment = await Deployment.create(t, { clock, policyLife: '3650d', controller: { identity_lifetime: '3650d', ...controller }, ...options });
    const gateway = new Gateway(deployment);
    await gateway.#device(web, typeof agent === 'function' ? agent(deployment) : agent);
    gateway.leaf = await gateway.certificate(commonName, { days });
    return gateway;
  }

  constructor(deployment) {
    this.deployment = deployment;
  }

  async #device(web, options) {
    if (web) this.web = await webServer(this.deployment, this.deployment.path('gw-1'), makeCertificate(commonName, { issuer, days: 5 }));
    this.agent = await this.deployment.agent('gw-1', { connector: 'web', ...(web && { application: nginx ? 'nginx' : 'file', reload: this.web.reload, adopt: true }),
      ...options });
    await this.agent.enrol();
    this.agent.running = this.agent.start();
    await this.deployment.advertised('gw-1', 'web');
  }

  // One more device with files and no application.
  async device(name) {
    const agent = await this.deployment.agent(name, { connector: 'web' });
    await agent.enrol();
    agent.running = agent.start();
    await this.deployment.advertised(name, 'web');
    return agent;
  }

  // Made and imported.
  async certificate(name, { days = 120 } = {}) {
    const leaf = makeCertificate(name, { issuer, days });
    const file = this.deployment.path(`${name}.imported.pem`);
    fs.writeFileSync(file, bundle(leaf, issuer));
    await this.deployment.cli('cert', 'import', file);
    return leaf;
  }

  // By the CLI, for what a test is not about. Gives "REQ-n".
  async pushed(name = commonName, device = 'gw-1') {
    await this.deployment.cli('cert', 'attach', name, device, 'web');
    return this.deployment.pushAttached(name);
  }

  // The people go home, and nothing crashed or leaked.
  async end() {
    for (const program of [...this.deployment.programs].reverse())
      if (['countersignd', 'agent gw-1'].includes(program.name) && program.status === undefined && await program.stop() !== 0)
        throw new Error(`${program.name} ended with ${program.status}:\n${program.output}`);
  }
}
