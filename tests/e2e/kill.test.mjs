// kill -9 at every step: before and after each call that reaches the forge, and at each write of the journal. The list of
// steps is not written here: it is what one undisturbed promotion does.
import assert from 'node:assert/strict';
import {readFile} from 'node:fs/promises';
import path from 'node:path';
import {before, test} from 'node:test';
import {helmReleaseEvent, idOf, until} from './daemon.mjs';
import {World, byPullRequest, kSecrets, pipeline} from './world.mjs';

const kJournalCalls = 'fdatasync,fsync,pwrite64';
// Every write of the journal with PROMOTIOND_E2E_DEEP=1, else some of them.
const kDeep = process.env.PROMOTIOND_E2E_DEEP === '1';
const kSome = 8;

async function makeWorld() {
  const world = await World.make();
  await world.daemon.writePipeline('podinfo', pipeline(byPullRequest(world.forge)));
  return world;
}

async function inWorld(work) {
  const world = await makeWorld();
  try {
    await work(world);
  } finally {
    await world.end();
  }
}

// What Flux does: send it again until somebody says 2xx.
async function deliverAgain(world, revision) {
  const body = helmReleaseEvent({revision});
  return until('the event is accepted', async () => {
    const answer = await world.daemon.sendEvent('flux-system/podinfo', 'dev', body, {key: kSecrets.events});
    const id = answer.status === 202 ? idOf(answer) : undefined;
    if (id) world.accepted.set(id, {revision});
    return id;
  });
}

async function oneOfEverything(world) {
  assert.equal((await world.pulls()).length, 1, 'one pull request');
  await world.invariants();
}

let steps;
before(async () => {
  await inWorld(async (world) => {
    await world.start();
    await world.daemon.inPhase(await world.deliver('1.0.1'), 'Pending');
    const requests = await world.forge.see('requests');
    const until_ = requests.findIndex((entry) => entry.method === 'POST' && /\/pulls$/.test(entry.path));
    steps = requests.slice(0, until_ + 1).map(({method, path: target}) => ({method, target}));
  });
});

test('kill: before and after every call to the forge, nothing is lost or done twice', async (context) => {
  assert.ok(steps.length >= 4, `fetch, push, list and create, but saw ${JSON.stringify(steps)}`);
  for (const [index, {method, target}] of steps.entries()) {
    for (const kind of ['hold', 'hold-answer']) {
      await context.test(`${kind === 'hold' ? 'before' : 'after'} call ${index + 1}: ${method} ${target}`, () => inWorld(async (world) => {
        await world.start();
        await world.forge.do('fault', {kind, match: {}, skip: index});
        const id = await world.deliver('1.0.1');
        await until('the call', async () => await world.forge.see('held') === 1);
        await world.daemon.kill();
        await world.forge.do('clear-faults');
        await world.start();
        await world.daemon.inPhase(id, 'Pending');
        await oneOfEverything(world);
      }));
    }
  }
});

// How many of these calls one promotion makes, on the thread that makes the most of them: strace counts by thread.
async function journalCalls() {
  let most = 0;
  await inWorld(async (world) => {
    const trace = path.join(world.directory, 'trace');
    await world.start({wrap: ['strace', '-f', '-qq', '-o', trace, '-e', `trace=${kJournalCalls}`]});
    await world.daemon.inPhase(await world.deliver('1.0.1'), 'Pending');
    await world.daemon.stop();
    const byThread = new Map();
    for (const line of (await readFile(trace, 'utf8')).split('\n')) {
      if (!/^\d+ +(fdatasync|fsync|pwrite64)\(/.test(line)) continue;
      const thread = line.split(' ')[0];
      byThread.set(thread, (byThread.get(thread) ?? 0) + 1);
    }
    most = Math.max(0, ...byThread.values());
  });
  return most;
}

test('kill: at the writes of the journal, what was accepted is there and goes on', async (context) => {
  const calls = await journalCalls();
  assert.ok(calls > 0, 'the journal writes');
  const stride = kDeep ? 1 : Math.max(1, Math.floor(calls / kSome));
  for (let n = 1; n <= calls; n += stride) {
    await context.test(`at write ${n} of ${calls}`, () => inWorld(async (world) => {
      const wrap = ['strace', '-f', '-qq', '-o', '/dev/null', '-e', `trace=${kJournalCalls}`, '-e', `inject=${kJournalCalls}:signal=KILL:when=${n}`];
      await world.start({wrap}).then(() => deliverOrDie(world)).catch(() => {});  // it may die while it starts
      await Promise.race([world.daemon.exit, until('pending', async () => (await world.pulls()).length === 1, 20_000).catch(() => {})]);
      await world.daemon.kill();
      await world.start();
      const id = await deliverAgain(world, '1.0.1');
      await world.daemon.inPhase(id, 'Pending');
      await oneOfEverything(world);
    }));
  }
});

async function deliverOrDie(world) {
  await Promise.race([world.deliver('1.0.1'), world.daemon.exit]);
}

// Failpoints that the daemon offers in builds for tests, by name; none are needed for the two tests above.
const kFailpoints = (process.env.PROMOTIOND_FAILPOINTS ?? '').split(',').filter(Boolean);
for (const name of kFailpoints) {
  test(`kill: at failpoint ${name}, nothing is lost or done twice`, () => inWorld(async (world) => {
    await world.start({environment: {PROMOTIOND_FAILPOINT: `${name}:kill`}});
    await deliverOrDie(world).catch(() => {});
    assert.deepEqual(await world.daemon.exit, {code: null, signal: 'SIGKILL'});
    await world.start();
    await world.daemon.inPhase(await deliverAgain(world, '1.0.1'), 'Pending');
    await oneOfEverything(world);
  }));
}

