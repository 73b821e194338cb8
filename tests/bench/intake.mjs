// Durable intake of signed events: rate of the daemon beside the rate of bare SQLite group commit, alternating in one run.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Daemon, pipeline } from './daemon.mjs';

const kKey = 'bench-hmac-key';
const rate = (line) => Number(line.match(/= (\d+)\/s/)[1]);
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

export async function intake(build, { rounds = 3, seconds = 4 } = {}) {
  const load = join(build, 'bin', 'bench_intake');
  const files = { 'secrets/bench/hooks/hmac-key': kKey };
  for (let i = 0; i < 64; i++) {
    files[`pipelines/p${i}.yaml`] = pipeline('bench', `p${i}`,
      '{manual: true, webhook: {url: "http://127.0.0.1:9/"}, secretRef: hooks}');
  }
  const bare = [];
  const ours = [];
  for (let round = 0; round < rounds; round++) {
    const directory = mkdtempSync(join(tmpdir(), 'promotiond-bench-'));
    const baseline = execFileSync(load, ['sqlite', directory, String(seconds)], { encoding: 'utf8' });
    rmSync(directory, { recursive: true });
    const daemon = new Daemon(build, files);
    const { listen } = await daemon.start();
    const events = execFileSync(load, ['events', listen, kKey, String(seconds)], { encoding: 'utf8' });
    const peak = daemon.memory('VmHWM');
    await daemon.stop();
    console.log(`  bare SQLite: ${baseline.trim()}\n  events:      ${events.trim()}; peak ${(peak / 1024).toFixed(1)} MiB`);
    bare.push(rate(baseline));
    ours.push(rate(events));
  }
  const ratio = median(ours) / median(bare);
  console.log(`intake: ${ratio.toFixed(2)} of bare SQLite group commit (aim: at least 0.6)`);
  return ratio;
}
