// The journal's disk fails under the running daemon: no event is ever accepted that is not durable, and when the disk is well
// again so is the daemon, without a person.
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {afterEach, beforeEach, test} from 'node:test';
import {Daemon, ask, helmReleaseEvent, idOf, until} from './daemon.mjs';
import {World, byWebhook, kSecrets, pipeline} from './world.mjs';

let world;
beforeEach(async () => {
  world = await World.make();
  await world.daemon.writePipeline('podinfo', pipeline(byWebhook(world.receiver)));
  await world.start();
});
afterEach(() => world?.end());

const send = (revision) => world.daemon.sendEvent('flux-system/podinfo', 'dev', helmReleaseEvent({revision}), {key: kSecrets.events});

// Lets system calls of the running daemon fail until the returned function is called.
async function failing(inject) {
  const calls = inject.split(':')[0];
  const tracer = spawn('strace', ['-f', '-p', String(world.daemon.pid), '-o', '/dev/null', '-e', `trace=${calls}`, '-e', `inject=${inject}`], {stdio: ['ignore', 'ignore', 'pipe']});
  let said = '';
  tracer.stderr.on('data', (chunk) => { said += chunk; });
  await until('strace attached', () => {
    if (tracer.exitCode !== null) throw new Error(said);
    return /attached/.test(said);
  });
  return () => new Promise((resolve) => {
    tracer.once('exit', resolve);
    tracer.kill('SIGINT');
  });
}

for (const [name, inject] of [['sync fails', 'fdatasync,fsync:error=EIO'], ['is full', 'pwrite64,pwritev:error=ENOSPC']]) {
  test(`disk: while the journal's disk ${name} events get 503, and afterwards 202`, async () => {
    await world.daemon.inPhase(await world.deliver('1.0.1'), 'Succeeded');
    const heal = await failing(inject);
    try {
      const refused = await send('1.0.2');
      assert.equal(refused.status, 503, refused.text);
    } finally {
      await heal();
    }
    const id = await until('accepted again', async () => {
      const answer = await send('1.0.2');
      return answer.status === 202 ? idOf(answer) : undefined;
    });
    world.accepted.set(id, {revision: '1.0.2'});
    await world.daemon.inPhase(id, 'Succeeded');
    await until('ready again', async () => (await ask(world.daemon.health, 'GET', '/readyz')).status === 200);
    assert.equal(world.receiver.deliveries.filter((delivery) => /1\.0\.2/.test(delivery.text)).length, 1, 'nothing was done for the refused event');
    await world.invariants();
  });
}

test('disk: a second daemon on the same journal refuses to start and says why', async () => {
  const second = new Daemon({directory: world.directory, build: world.daemon.build});
  await assert.rejects(second.start(), /journal|lock|in use|another/i);
  await world.daemon.inPhase(await world.deliver('1.0.1'), 'Succeeded');
  await world.invariants();
});
