// The large repository of the benchmarks on a forge of their own, and git as a person or a script would use it.
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ForgeClient } from '../simulators/forge/client.mjs';

export const kToken = 'ghp_benchBenchBenchBenchBenchBenchBench0';
export const kRepository = 'acme/fleet';

export const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
export const ms = (value) => `${value.toFixed(0)} ms`;

export async function timed(work) {
  const began = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - began) / 1e6;
}

export function say(what, baseline, ours, ratio, aim, good) {
  console.log(`${what}: baseline ${baseline}, ours ${ours}, ratio ${ratio} (aim: ${aim}): ${good ? 'met' : 'MISSED'}`);
  return good;
}

// `source`: a bare repository, whose main becomes that of kRepository.
export async function startForge(directory, source) {
  const forge = await ForgeClient.start({ root: join(directory, 'forge'), tlsDirectory: join(directory, 'tls') });
  await forge.do('tokens', { token: kToken, login: 'promotiond-bot' });
  const [owner, name] = kRepository.split('/');
  const made = await forge.do('repositories', { owner, name, files: { 'README.md': '# Fleet\n' } });
  execFileSync('git', ['-C', made.directory, 'fetch', '-q', source, '+refs/heads/main:refs/heads/main'], { stdio: 'ignore' });
  await forge.see('branches', { repository: kRepository });
  return forge;
}

// Trusts the forge's certificate and nobody's configuration.
export class Git {
  constructor(forge, directory) {
    this.directory_ = directory;
    this.url_ = `https://x-access-token:${kToken}@localhost:${forge.port}/${kRepository}.git`;
    this.environment_ = {
      PATH: process.env.PATH, HOME: directory, GIT_CONFIG_NOSYSTEM: '1', GIT_SSL_CAINFO: forge.caFile, GIT_TERMINAL_PROMPT: '0',
      GIT_AUTHOR_NAME: 'b', GIT_AUTHOR_EMAIL: 'b@example.com', GIT_COMMITTER_NAME: 'b', GIT_COMMITTER_EMAIL: 'b@example.com',
    };
  }

  run(...args) {
    return execFileSync('git', args, { cwd: this.directory_, env: this.environment_, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });
  }

  clone(name, ...options) {
    this.run('clone', '-q', ...options, this.url_, name);
  }

  commit(name, file, text) {
    const path = join(this.directory_, name, file);
    writeFileSync(path, readFileSync(path, 'utf8').replace(/version: "[^"]*"/, `version: "${text}"`));
    this.run('-C', name, 'commit', '-qam', `Promote ${text}`);
  }

  push(name, branch) {
    this.run('-C', name, 'push', '-q', 'origin', `HEAD:refs/heads/${branch}`);
  }

  remove(name) {
    rmSync(join(this.directory_, name), { recursive: true, force: true });
  }
}
