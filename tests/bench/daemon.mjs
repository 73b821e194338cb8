// A promotiond of a given build with a configuration of its own in a temporary directory; for the benchmarks.
import { spawn } from 'node:child_process';
import { mkdtempSync, mkdirSync, writeFileSync, rmSync, readFileSync } from 'node:fs';
import { createServer, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

// As the configuration comes: log level and all. So the ports are chosen here rather than read from the log.
async function freePorts(count) {
  const servers = await Promise.all([...Array(count)].map(() => new Promise((resolve, reject) => {
    const server = createServer().once('error', reject).listen(0, '127.0.0.1', () => resolve(server));
  })));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

const isReady = (health) => new Promise((resolve) => {
  get(`http://${health}/readyz`, { agent: false }, (answer) => answer.resume().on('end', () => resolve(answer.statusCode === 200))).on('error', () => resolve(false));
});

export class Daemon {
  // files: path below the directory -> content. extra: more configuration as YAML text. platform: the value of that key.
  // level: of the log. logged: called with each line of it.
  constructor(build, files, extra = '', { platform = '{local: {pipelines: ./pipelines, secrets: ./secrets}}', level = 'warn', logged } = {}) {
    this.build = build;
    this.directory = mkdtempSync(join(tmpdir(), 'promotiond-bench-'));
    for (const folder of ['pipelines', 'secrets', 'state']) mkdirSync(join(this.directory, folder), { mode: 0o700 });
    for (const [name, text] of Object.entries(files)) {
      const path = join(this.directory, name);
      mkdirSync(join(path, '..'), { recursive: true, mode: 0o700 });
      writeFileSync(path, text, { mode: 0o600 });
    }
    this.extra_ = extra;
    this.platform_ = platform;
    this.level_ = level;
    this.logged_ = logged;
  }

  configure_(listen, health) {
    writeFileSync(join(this.directory, 'promotiond.yaml'), `
server: {listen: ${listen}, health: ${health}, rateLimit: {requests: 0}}
platform: ${this.platform_}
journal: {path: ./state/journal.db}
strategies: {directory: ${join(this.build, 'strategies')}}
log: {level: ${this.level_}}
${this.extra_}`);
  }

  // Resolves with {listen, health, readyMs}: the addresses, and how long after exec /readyz said yes.
  async start() {
    const [listen, health] = (await freePorts(2)).map((port) => `127.0.0.1:${port}`);
    this.configure_(listen, health);
    const began = process.hrtime.bigint();
    this.process = spawn(join(this.build, 'bin', 'promotiond'), ['--config', join(this.directory, 'promotiond.yaml')], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.log = '';
    this.process.stderr.on('data', (chunk) => {
      if (this.log.length < 1 << 20) this.log += chunk;
    });
    if (this.logged_) createInterface({ input: this.process.stderr }).on('line', this.logged_);
    this.ended_ = new Promise((resolve) => this.process.on('exit', resolve));
    while (!(await isReady(health))) {
      if (this.process.exitCode !== null) throw new Error(`promotiond ended with ${this.process.exitCode}:\n${this.log}`);
      await pause(2);
    }
    return { listen, health, readyMs: Number(process.hrtime.bigint() - began) / 1e6 };
  }

  // Kilobytes, e.g. of VmRSS or VmHWM.
  memory(field) {
    const status = readFileSync(`/proc/${this.process.pid}/status`, 'utf8');
    return Number(status.match(new RegExp(`^${field}:\\s+(\\d+)`, 'm'))[1]);
  }

  // Clock ticks (1/100 s) of user and system time so far.
  ticks() {
    const fields = readFileSync(`/proc/${this.process.pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return Number(fields[11]) + Number(fields[12]);
  }

  async stop() {
    this.process.kill('SIGTERM');
    const code = await this.ended_;
    rmSync(this.directory, { recursive: true, force: true });
    return code;
  }
}

export function pipeline(namespace, name, promotion) {
  return `apiVersion: pipelines.weave.works/v1alpha1
kind: Pipeline
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  appRef: {apiVersion: helm.toolkit.fluxcd.io/v2, kind: HelmRelease, name: podinfo}
  promotion: ${promotion}
  environments:
    - {name: dev, targets: [{namespace: podinfo}]}
    - {name: prod, targets: [{namespace: podinfo}]}
`;
}
