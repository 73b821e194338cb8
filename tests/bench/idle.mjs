// An idle daemon with 1,000 Pipelines: resident memory, processor time, and how long from exec to ready.
import { Daemon, pipeline } from './daemon.mjs';

export async function idle(build, { pipelines = 1000, seconds = 10 } = {}) {
  const files = {};
  for (let i = 0; i < pipelines; i++) {
    files[`pipelines/p${i}.yaml`] = pipeline('bench', `p${i}`,
      `{pullRequest: {url: "https://github.com/example/repository-${i}.git", branch: main, secretRef: forge}, secretRef: forge}`);
  }
  const daemon = new Daemon(build, files);
  const { readyMs } = await daemon.start();
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const before = daemon.ticks();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const busy = daemon.ticks() - before;
  const resident = daemon.memory('VmRSS') / 1024;
  await daemon.stop();
  console.log(`idle with ${pipelines} pipelines: ready after ${readyMs.toFixed(0)} ms (aim: 1000), resident ${resident.toFixed(1)} MiB ` +
    `(aim: under 24), ${(busy * 10).toFixed(0)} ms of processor in ${seconds} s (aim: none to measure)`);
  return { readyMs, resident, busy };
}
