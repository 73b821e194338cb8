// promotionctl new in a checkout of a large repository, beside a clone, an edit and a push by git from the same server, in turns.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { monorepo, pathOf } from './monorepo.mjs';
import { Git, kRepository, kToken, median, ms, say, startForge, timed } from './repository.mjs';

// One of the ten clusters of the large repository is the first environment: a tenth of the files.
const kRules = 'environments:\n- name: c0\n- name: c1\n';
const kManifest = 'image: ghcr.io/acme/web:v0 # {"$imagepolicy": "clusters:web"}\n';

// Its peak of resident memory, in kilobytes, by looks while it runs. Rejects if it fails.
async function promotionctl(build, forge, directory, tag) {
  const child = spawn(join(build, 'bin/promotionctl'), ['new', '--provider', 'github', '--token', kToken, '--sourcedir', directory, '--group', 'clusters', '--app', 'web', '--tag', tag],
    { env: { PATH: process.env.PATH, HOME: directory, GIT_SSL_CAINFO: forge.caFile }, stdio: ['ignore', 'pipe', 'pipe'] });
  let told = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => { told += chunk; });
  const ended = new Promise((resolve) => child.on('close', resolve));
  let peak = 0;
  let code;
  ended.then((value) => { code = value; });
  while (code === undefined) {
    const line = /^VmHWM:\s+(\d+)/m.exec(readStatus(child.pid));
    if (line) peak = Number(line[1]);
    await Promise.race([ended, pause(5)]);
  }
  if (code !== 0 || !/^created branch /m.test(told)) throw new Error(`promotionctl new ended with ${code}:\n${told}`);
  return peak;
}

function readStatus(pid) {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return '';
  }
}

export async function gitops(build, { rounds = 5, files = 5000, commits = 3000 } = {}) {
  const source = await monorepo({ files, commits, marked: 63 });
  const directory = mkdtempSync(join(tmpdir(), 'promotiond-bench-'));
  let forge;
  try {
    forge = await startForge(directory, source);
    await forge.do('commit', { repository: kRepository, files: { 'gitops-promotion.yaml': kRules, 'clusters/c0/web.yaml': kManifest } });
    const git = new Git(forge, directory);
    git.clone('checkout');
    git.clone('shallow-checkout', '--depth', '1');
    const times = { git: [], ours: [], shallow: [] };
    let peak = 0;
    for (let round = 1; round <= rounds; round++) {
      times.git.push(await timed(() => {
        git.clone('clone');
        git.commit('clone', pathOf(round), `1.1.${round}`);
        git.push('clone', `clone-${round}`);
      }));
      git.remove('clone');
      for (const [kind, name] of [['ours', 'checkout'], ['shallow', 'shallow-checkout']]) {
        times[kind].push(await timed(async () => {
          peak = Math.max(peak, await promotionctl(build, forge, join(directory, name), `v${round}-${kind}`));
        }));
      }
      console.log(`  round ${round}: ` + Object.entries(times).map(([name, values]) => `${name} ${ms(values.at(-1))}`).join(', '));
    }
    const open = (await forge.see('pulls', { repository: kRepository })).filter((pull) => pull.state === 'open');
    if (open.length !== 1) throw new Error(`${open.length} pull requests are open, expected 1`);
    const one = Object.fromEntries(Object.entries(times).map(([name, values]) => [name, median(values)]));
    const met = [
      say(`promotionctl new beside clone, edit and push (${files} files, ${commits} commits)`, ms(one.git), ms(one.ours), (one.ours / one.git).toFixed(3),
        'at most 0.1', one.ours <= one.git / 10),
      say('promotionctl new, peak memory', 'none', `${(peak / 1024).toFixed(1)} MiB`, 'none', 'under 64 MiB', peak < 64 * 1024),
    ];
    console.log(`for comparison, without an aim: in a checkout of depth 1 it took ${ms(one.shallow)}, ${(one.shallow / one.git).toFixed(2)} of the clone, edit and push`);
    return met.every(Boolean);
  } finally {
    await forge?.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}
