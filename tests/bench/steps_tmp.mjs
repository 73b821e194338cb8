// One promotion in a large monorepo, from the event's POST to the open pull request, beside git's own ways to the same branch
// from the same server, taken in turns; then many Pipelines of that repository at once.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ask, eventHeaders, helmReleaseEvent } from '../e2e/daemon.mjs';
import { ForgeClient } from '../simulators/forge/client.mjs';
import { Daemon, pipeline } from './daemon.mjs';
import { monorepo, pathOf } from './monorepo.mjs';

const kKey = 'bench-hmac-key';
const kToken = 'ghp_benchBenchBenchBenchBenchBenchBench0';
const kRepository = 'acme/fleet';
const kAtOnce = 57;
const kVersion = '9.0.0';

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const ms = (value) => `${value.toFixed(0)} ms`;

async function timed(work) {
  const began = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - began) / 1e6;
}

// git as a person or a script would use it, trusting the forge's certificate and nobody's configuration.
class Git {
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

// Resolves when the daemon says that the pull request is open.
async function promote(address, name) {
  const body = helmReleaseEvent({ name: 'podinfo', namespace: 'podinfo', revision: kVersion });
  const answer = await ask(address, 'POST', `/promotion/bench/${name}/dev?wait=60s`, { body, headers: eventHeaders(body, kKey) });
  if (answer.status !== 201) throw new Error(`${name}: ${answer.status} ${answer.text}`);
}

async function startForge(directory, source) {
  const forge = await ForgeClient.start({ root: join(directory, 'forge'), tlsDirectory: join(directory, 'tls') });
  await forge.do('tokens', { token: kToken, login: 'promotiond-bot' });
  const [owner, name] = kRepository.split('/');
  const made = await forge.do('repositories', { owner, name, files: { 'README.md': '# Fleet\n' } });
  execFileSync('git', ['-C', made.directory, 'fetch', '-q', source, '+refs/heads/main:refs/heads/main'], { stdio: 'ignore' });
  await forge.see('branches', { repository: kRepository });
  return forge;
}

async function isOpen(forge, count) {
  const open = (await forge.see('pulls', { repository: kRepository })).filter((pull) => pull.state === 'open');
  if (open.length !== count) throw new Error(`${open.length} pull requests are open, expected ${count}`);
  const { diff } = await forge.see('diff', { repository: kRepository, head: open.at(-1).head });
  if (diff.split('\n').filter((line) => /^\+(?!\+\+ )/.test(line)).length !== 1) throw new Error(`not one changed line:\n${diff}`);
}

// What the forge was asked since the log was cleared, by kind.
async function requestsOf(forge) {
  const kinds = { fetches: /^GET .*service=git-upload-pack/, downloads: /^POST .*git-upload-pack/, 'openings of a push': /^GET .*service=git-receive-pack/,
    pushes: /^POST .*git-receive-pack/, searches: /^GET .*\/pulls\?/, 'pull requests': /^POST .*\/pulls$/ };
  const lines = (await forge.see('requests')).filter((entry) => entry.kind !== undefined).map((entry) => `${entry.method} ${entry.path}`);
  const known = Object.entries(kinds).map(([name, pattern]) => `${lines.filter((line) => pattern.test(line)).length} ${name}`);
  const others = lines.filter((line) => !Object.values(kinds).some((pattern) => pattern.test(line))).length;
  return [...known, `${others} others`].join(', ');
}

function say(what, baseline, ours, ratio, aim, good) {
  console.log(`${what}: baseline ${baseline}, ours ${ours}, ratio ${ratio} (aim: ${aim}): ${good ? 'met' : 'MISSED'}`);
  return good;
}

async function measure(forge, git, address, rounds) {
  const times = { whole: [], shallow: [], push: [], ours: [] };
  git.clone('ready');
  await promote(address, 'p0');  // the mirror is warm from here on
  for (let round = 1; round <= rounds; round++) {
    await forge.do("clear-requests"); const t0 = Date.now(); times.ours.push(await timed(() => promote(address, `p${round}`))); console.log("   steps", (await forge.see("requests")).map((e) => `${new Date(e.at) - t0}:${e.method} ${e.path.slice(-40)}`).join(" | "), "end", Date.now() - t0);
    git.commit('ready', pathOf(round), `1.0.${round}`);
    times.push.push(await timed(() => git.push('ready', `ready-${round}`)));
    git.run('-C', 'ready', 'reset', '-q', '--hard', 'origin/main');
    for (const [kind, options] of [['whole', []], ['shallow', ['--depth', '1']]]) {
      times[kind].push(await timed(() => {
        git.clone(kind, ...options);
        git.commit(kind, pathOf(round), `1.1.${round}`);
        git.push(kind, `${kind}-${round}`);
      }));
      git.remove(kind);
    }
    console.log(`  round ${round}: ` + Object.entries(times).map(([name, values]) => `${name} ${ms(values.at(-1))}`).join(', '));
  }
  await isOpen(forge, rounds + 1);
  return Object.fromEntries(Object.entries(times).map(([name, values]) => [name, median(values)]));
}

export async function promotion(build, { rounds = 5, files = 5000, commits = 3000 } = {}) {
  const marked = rounds + 1 + kAtOnce;
  const source = await monorepo({ files, commits, marked });
  const directory = mkdtempSync(join(tmpdir(), 'promotiond-bench-'));
  let forge;
  let daemon;
  try {
    forge = await startForge(directory, source);
    const pipelines = Object.fromEntries([...Array(marked).keys()].map((i) => [`pipelines/p${i}.yaml`, pipeline('bench', `p${i}`,
      `{pullRequest: {type: github, url: "${forge.url}/${kRepository}.git", branch: main, secretRef: forge}, secretRef: hooks}`)]));
    daemon = new Daemon(build, {
      ...pipelines, 'secrets/bench/hooks/hmac-key': kKey, 'secrets/bench/forge/token': kToken, 'secrets/bench/forge/caFile': forge.ca,
    });
    const { listen } = await daemon.start();
    const one = await measure(forge, new Git(forge, directory), listen, rounds);
    const peakOfOne = daemon.memory('VmHWM') / 1024;
    const names = [...Array(kAtOnce).keys()].map((i) => `p${rounds + 1 + i}`);
    await forge.do('clear-requests');
    const all = await timed(() => Promise.all(names.map((name) => promote(listen, name))));
    { const log = await forge.see("requests"); const z = new Date(log[0].at); console.log(log.map((e) => `${new Date(e.at) - z} ${e.method} ${e.path.replace(/^.acme.fleet.git/, "").slice(-60)}`).join("\n")); }
    console.log(`  ${kAtOnce} at once: ${await requestsOf(forge)}`);
    await isOpen(forge, marked);
    const peakOfAll = daemon.memory('VmHWM') / 1024;
    const sizes = `${files} files, ${commits} commits`;
    const met = [
      say(`promotion beside clone, edit and push (${sizes})`, ms(one.whole), ms(one.ours), `${(one.whole / one.ours).toFixed(1)} times faster`,
        'at least 15', one.whole >= 15 * one.ours),
      say('promotion beside git push of a ready commit', ms(one.push), ms(one.ours), (one.ours / one.push).toFixed(2), 'at most 2', one.ours <= 2 * one.push),
      say('promotion, peak memory', 'none', `${peakOfOne.toFixed(1)} MiB`, 'none', 'under 64 MiB', peakOfOne < 64),
      say(`${kAtOnce} promotions at once beside one`, ms(one.ours), ms(all), (all / one.ours).toFixed(1), 'at most 20', all <= 20 * one.ours),
      say(`${kAtOnce} promotions at once, peak memory`, 'none', `${peakOfAll.toFixed(1)} MiB`, 'none', 'under 64 MiB', peakOfAll < 64),
    ];
    console.log(`for comparison, without an aim: a clone of depth 1, edit and push took ${ms(one.shallow)}, ${(one.shallow / one.ours).toFixed(1)} times ours`);
    return met.every(Boolean);
  } finally {
    await daemon?.stop();
    await forge?.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}
