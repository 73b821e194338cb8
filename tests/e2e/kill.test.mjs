// kill -9 at every step: before and after each call that reaches the forge, and at each write of the journal. The list of
// steps is not written here: it is what one undisturbed promotion does.
import assert from 'node:assert/strict';
import {readFile} from 'node:fs/promises';
import path from 'node:path';
import {before, test} from 'node:test';
import {helmReleaseEvent, idOf, until} from './daemon.mjs';
import {World, byPullRequest, kSecrets, pipeline} from './world.mjs';

const kJournalCalls = 'fdatasync,fsync,pwrite64';
const kStrace = ['strace', '-f', '--seccomp-bpf', '-qq', '-e', `trace=${kJournalCalls}`];
// Every write of the journal with PROMOTIOND_E2E_DEEP=1, else some of them.
const kDeep = process.env.PROMOTIOND_E2E_DEEP === '1';
const kSome = 6;
const kAtOnce = 2;  // daemons killed at the same time, each in a world of its own

async function inWorld(work) {
  const world = await World.make();
  try {
    await world.daemon.writePipeline('podinfo', pipeline(byPullRequest(world.forge)));
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

// What one undisturbed promotion does: its requests up to the creation, and how many writes it makes on the thread that makes
// the most of them, since strace counts by thread.
let steps;
let writes;
before(() => inWorld(async (world) => {
  const trace = path.join(world.directory, 'trace');
  await world.start({wrap: [...kStrace, '-o', trace]});
  await world.daemon.inPhase(await world.deliver('1.0.1'), 'Pending');
  await world.daemon.stop();
  const requests = await world.forge.see('requests');
  const created = requests.findIndex((entry) => entry.method === 'POST' && /\/pulls$/.test(entry.path));
  steps = requests.slice(0, created + 1).map(({method, path: target}) => ({method, target}));
  const byThread = new Map();
  for (const line of (await readFile(trace, 'utf8')).split('\n')) {
    const [thread, call = ''] = line.split(/ +/);
    if (/^(fdatasync|fsync|pwrite64)\(/.test(call)) byThread.set(thread, (byThread.get(thread) ?? 0) + 1);
  }
  writes = Math.max(0, ...byThread.values());
}));

test('kill: before and after every call to the forge, nothing is lost or done twice', {concurrency: kAtOnce}, async (context) => {
  assert.ok(steps.length >= 4, `fetch, push, list and create, but saw ${JSON.stringify(steps)}`);
  const cases = steps.flatMap((step, index) => ['hold', 'hold-answer'].map((kind) => ({...step, index, kind})));
  await Promise.all(cases.map(({kind, index, method, target}) => context.test(`${kind === 'hold' ? 'before' : 'after'} call ${index + 1}: ${method} ${target}`, () => inWorld(async (world) => {
    await world.start();
    await world.forge.do('fault', {kind, match: {}, skip: index});
    const id = await world.deliver('1.0.1');
    await until('the call', async () => await world.forge.see('held') === 1);
    await world.daemon.kill();
    await world.forge.do('clear-faults');
    await world.start();
    await world.daemon.inPhase(id, 'Pending');
    await oneOfEverything(world);
  }))));
});

test('kill: at the writes of the journal, what was accepted is there and goes on', {concurrency: kAtOnce}, async (context) => {
  assert.ok(writes > kSome, `the journal writes, but was seen to ${writes} times`);
  const stride = kDeep ? 1 : (writes - 1) / (kSome - 1);  // the first and the last are among them
  const cases = Array.from({length: kDeep ? writes : kSome}, (_, index) => Math.round(1 + index * stride));
  await Promise.all(cases.map((n) => context.test(`at write ${n} of ${writes}`, () => inWorld(async (world) => {
    await world.start({wrap: [...kStrace, '-o', '/dev/null', '-e', `inject=${kJournalCalls}:signal=KILL:when=${n}`]})
      .then(() => Promise.race([world.deliver('1.0.1'), world.daemon.exit])).catch(() => {});  // it may die while it starts
    await Promise.race([world.daemon.exit, until('pending', async () => (await world.pulls()).length === 1, 20_000).catch(() => {})]);
    await world.daemon.kill();
    await world.start();
    const id = await deliverAgain(world, '1.0.1');
    await world.daemon.inPhase(id, 'Pending');
    await oneOfEverything(world);
  }))));
});
