// A promotiond of a given build with a configuration of its own in a temporary directory; for the benchmarks.
import { spawn } from 'node:child_process';
import { mkdtempSync, mkdirSync, writeFileSync, rmSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export class Daemon {
  // files: path below the directory -> content. extra: more configuration as YAML text.
  constructor(build, files, extra = '') {
    this.build = build;
    this.directory = mkdtempSync(join(tmpdir(), 'promotiond-bench-'));
    for (const folder of ['pipelines', 'secrets', 'state']) mkdirSync(join(this.directory, folder), { mode: 0o700 });
    for (const [name, text] of Object.entries(files)) {
      const path = join(this.directory, name);
      mkdirSync(join(path, '..'), { recursive: true, mode: 0o700 });
      writeFileSync(path, text, { mode: 0o600 });
    }
    writeFileSync(join(this.directory, 'promotiond.yaml'), `
server: {listen: 127.0.0.1:0, health: 127.0.0.1:0, rateLimit: {requests: 0}}
platform: {local: {pipelines: ./pipelines, secrets: ./secrets}}
journal: {path: ./state/journal.db}
strategies: {directory: ${join(build, 'strategies')}}
log: {level: warn}
${extra}`);
  }

  // Resolves with {listen, health, readyMs}; the log goes to <directory>/log.
  async start() {
    const began = process.hrtime.bigint();
    this.process = spawn(join(this.build, 'bin', 'promotiond'), ['--config', join(this.directory, 'promotiond.yaml')], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, PROMOTIOND_LOG_LEVEL: 'info', PROMOTIOND_LOG_FORMAT: 'json' },
    });
    this.lines = [];
    const ready = await new Promise((resolve, reject) => {
      createInterface({ input: this.process.stderr }).on('line', (line) => {
        if (this.lines.length < 1000) this.lines.push(line);
        if (line.includes('"PROMO-0002"')) resolve(JSON.parse(line));
      });
      this.process.on('exit', (code) => reject(new Error(`promotiond ended with ${code}:\n${this.lines.join('\n')}`)));
    });
    this.process.removeAllListeners('exit');
    return { listen: ready.listen, health: ready.health, readyMs: Number(process.hrtime.bigint() - began) / 1e6 };
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
    const ended = new Promise((resolve) => this.process.on('exit', resolve));
    this.process.kill('SIGTERM');
    const code = await ended;
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
