// The synthetic monorepo of the promotion benchmark: a bare repository with `files` YAML files and `commits` commits, made once
// by git fast-import and kept outside of the tree.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';

const kLayout = 2;  // part of the cache's name: a change of what is made here makes a new one

export const pathOf = (i) => `clusters/c${i % 10}/team${Math.floor(i / 10) % 25}/app${i}.yaml`;

// About 1 KiB. The first `marked` files are marked for Pipeline bench/p<i>, environment prod.
function manifest(i, version, marked) {
  const mark = i < marked ? ` # {"$promotion": "bench:p${i}:prod"}` : '';
  const values = [...Array(20).keys()].map((n) => `    setting${n}: "${(i * 7919 + n * 104729).toString(36)}"`);
  return `apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: app${i}
  namespace: team${Math.floor(i / 10) % 25}
spec:
  interval: 10m
  chart:
    spec:
      chart: podinfo
      version: "${version}"${mark}
      sourceRef:
        kind: HelmRepository
        name: podinfo
  values:
${values.join('\n')}
`;
}

async function importInto(directory, { files, commits, marked }) {
  const child = spawn('git', ['-C', directory, 'fast-import', '--quiet'], { stdio: ['pipe', 'inherit', 'inherit'] });
  const write = async (text) => {
    if (!child.stdin.write(text)) await once(child.stdin, 'drain');
  };
  const data = (text) => `data ${Buffer.byteLength(text)}\n${text}\n`;
  for (let commit = 0; commit < commits; commit++) {
    await write(`commit refs/heads/main\ncommitter Bench <bench@example.com> ${1700000000 + commit * 60} +0000\n${data(`Change ${commit}\n`)}`);
    const first = commit === 0 ? 0 : (commit * 389) % files;
    for (let i = first; i < (commit === 0 ? files : first + 1); i++) {
      await write(`M 100644 inline ${pathOf(i)}\n${data(manifest(i, `1.${commit}.0`, marked))}`);
    }
  }
  child.stdin.end();
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`git fast-import ended with ${code}`);
  execFileSync('git', ['-C', directory, 'repack', '-adq']);
}

// The directory of the bare repository, branch main.
export async function monorepo(size) {
  const cache = join(process.env.PROMOTIOND_CACHE || join(homedir(), '.cache', 'promotiond'), 'bench');
  const ready = join(cache, `monorepo-${kLayout}-${size.files}-${size.commits}-${size.marked}.git`);
  if (existsSync(ready)) return ready;
  mkdirSync(cache, { recursive: true });
  const making = mkdtempSync(join(cache, 'making-'));
  try {
    execFileSync('git', ['init', '-q', '--bare', '-b', 'main', making]);
    await importInto(making, size);
    renameSync(making, ready);
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
  return ready;
}
