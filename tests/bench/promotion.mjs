// One promotion in a large monorepo, from the event's POST to the open pull request, beside git's own ways to the same branch
// from the same server, taken in turns; then many Pipelines of that repository at once.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ask, eventHeaders, helmReleaseEvent } from '../e2e/daemon.mjs';
import { Daemon, pipeline } from './daemon.mjs';
import { monorepo, pathOf } from './monorepo.mjs';
import { Git, kRepository, kToken, median, ms, say, startForge, timed } from './repository.mjs';

const kKey = 'bench-hmac-key';
const kAtOnce = 57;
const kVersion = '9.0.0';

// Resolves when the daemon says that the pull request is open.
async function promote(address, name) {
  const body = helmReleaseEvent({ name: 'podinfo', namespace: 'podinfo', revision: kVersion });
  const answer = await ask(address, 'POST', `/promotion/bench/${name}/dev?wait=60s`, { body, headers: eventHeaders(body, kKey) });
  if (answer.status !== 201) throw new Error(`${name}: ${answer.status} ${answer.text}`);
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

async function measure(forge, git, address, rounds) {
  const times = { whole: [], shallow: [], push: [], ours: [] };
  git.clone('ready');
  await promote(address, 'p0');  // the mirror is warm from here on
  for (let round = 1; round <= rounds; round++) {
    times.ours.push(await timed(() => promote(address, `p${round}`)));
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
