// SIGTERM wherever a promotion may be, and a storm of SIGHUP: the daemon ends in order and in time, what was accepted goes on
// after the next start, and reloading costs nothing that stays.
import assert from 'node:assert/strict';
import {readFile, readdir, writeFile} from 'node:fs/promises';
import {test} from 'node:test';
import {helmReleaseEvent, idOf, until} from './daemon.mjs';
import {World, byPullRequest, byWebhook, kSecrets, pipeline} from './world.mjs';

const kGraceMs = 500;
const kAtOnce = 2;

async function inWorld(work) {
  const world = await World.make({config: {promotions: {shutdownGrace: `${kGraceMs}ms`}}});
  try {
    await world.daemon.writePipeline('podinfo', pipeline(byPullRequest(world.forge)));
    await world.start();
    await work(world);
  } finally {
    await world.end();
  }
}

// stop() gives it less time than a call that the forge holds has.
async function endsInOrder(world, graceMs = kGraceMs) {
  assert.deepEqual(await world.daemon.stop(), {code: 0, signal: null});
  assert.match(world.daemon.run_, new RegExp(`PROMO-0007[^\\n]*grace_ms=${graceMs}\\D`));
  assert.match(world.daemon.run_, /PROMO-0009/);
}

async function goesOn(world, id) {
  await world.forge.do('clear-faults');
  await world.start();
  const {location} = await world.daemon.inPhase(id, 'Pending');
  assert.deepEqual((await world.pulls()).map((pull) => pull.html_url), [location]);
  await world.invariants();
}

const create = {method: 'POST', path: '/pulls$'};
const push = {method: 'POST', path: 'git-receive-pack$'};
// Where the promotion is when SIGTERM comes: the forge holds the call until the daemon has ended.
const kMoments = {
  'before the fetch': {kind: 'hold', match: {path: 'git-upload-pack'}},
  'during the fetch': {kind: 'stall', match: {method: 'POST', path: 'git-upload-pack$'}},
  'before the list of pull requests': {kind: 'hold', match: {method: 'GET', path: '/pulls\\?'}},
  'before the push': {kind: 'hold', match: {path: 'service=git-receive-pack'}},
  'during the push, before it is done': {kind: 'hold', match: push},
  'during the push, after it was done': {kind: 'hold-answer', match: push},
  'before the pull request is created': {kind: 'hold', match: create},
  'after the pull request was created': {kind: 'hold-answer', match: create},
};

test('signals: SIGTERM in every phase ends in order, and the promotion goes on after the next start', {concurrency: kAtOnce}, async (context) => {
  const cases = Object.entries(kMoments).map(([name, rule]) => context.test(name, () => inWorld(async (world) => {
    await world.forge.do('fault', rule);
    const id = await world.deliver('1.0.1');
    await until('the call', async () => (await world.forge.see('faults')).length === 0);
    await endsInOrder(world);
    await goesOn(world, id);
  })));
  cases.push(context.test('just accepted', () => inWorld(async (world) => {
    const id = await world.deliver('1.0.1');
    await endsInOrder(world);
    await goesOn(world, id);
  })));
  cases.push(context.test('queued behind a retry', () => inWorld(async (world) => {
    await world.forge.do('fault', {kind: 'status', status: 503, headers: {'retry-after': '1'}, body: {message: 'later'}, match: create, times: -1});
    const id = await world.deliver('1.0.1');
    await world.daemon.inPhase(id, 'Queued');
    await endsInOrder(world);
    await goesOn(world, id);
  })));
  cases.push(context.test('pending', () => inWorld(async (world) => {
    const id = await world.deliver('1.0.1');
    await world.daemon.inPhase(id, 'Pending');
    await endsInOrder(world);
    await goesOn(world, id);
  })));
  cases.push(context.test('pending, while it is looked at; merged meanwhile', () => inWorld(async (world) => {
    const id = await world.deliver('1.0.1');
    await world.daemon.inPhase(id, 'Pending');
    await world.forge.do('fault', {kind: 'hold', match: {method: 'GET', path: '/pulls/1$'}});
    await until('the look', async () => await world.forge.see('held') === 1);
    await endsInOrder(world);
    await world.forge.do('clear-faults');
    await world.forge.do('merge', {repository: 'acme/fleet', number: 1});
    await world.start();
    await world.daemon.inPhase(id, 'Succeeded');
    await world.invariants();
  })));
  cases.push(context.test('while events come in', () => inWorld(async (world) => {
    const body = (n) => helmReleaseEvent({revision: `1.0.${n}`});
    const send = async (n) => {
      const answer = await world.daemon.sendEvent('flux-system/podinfo', 'dev', body(n), {key: kSecrets.events}).catch(() => null);
      if (answer?.status === 202) world.accepted.set(idOf(answer), {revision: `1.0.${n}`});
      return answer?.status ?? 'cut';
    };
    const sent = Array.from({length: 40}, (_, n) => send(n + 1));
    await Promise.race(sent);
    await endsInOrder(world);
    for (const status of await Promise.all(sent)) assert.ok([202, 503, 'cut'].includes(status), `answered ${status}`);
    assert.ok(world.accepted.size > 0);
    await world.start();
    await until('all have ended or are pending', async () => (await world.daemon.promotions()).every(({phase}) => ['Pending', 'Superseded'].includes(phase)));
    await world.invariants();
  })));
  await Promise.all(cases);
});

// A second SIGTERM, or SIGINT, must not make things worse.
test('signals: several SIGTERM and SIGINT are one', () => inWorld(async (world) => {
  await world.forge.do('fault', {kind: 'hold', match: push});
  const id = await world.deliver('1.0.1');
  await until('the push is under way', async () => await world.forge.see('held') === 1);
  for (const name of ['SIGTERM', 'SIGINT', 'SIGTERM']) process.kill(world.daemon.pid, name);
  await endsInOrder(world);
  await goesOn(world, id);
}));

const lines = (world, id) => world.daemon.logs.split(id).length - 1;
const openFiles = async (pid) => (await readdir(`/proc/${pid}/fd`)).length;
// Without those that come when there is more to do at a time than ever before, of which there are a few at most.
const threads = async (pid) => {
  const names = (await readdir(`/proc/${pid}/task`)).map((thread) => readFile(`/proc/${pid}/task/${thread}/comm`, 'utf8').catch(() => ''));
  return (await Promise.all(names)).filter((name) => !/^(strategy|resolver|http-guard|)$/.test(name.trim())).length;
};
// What it allocated; of its code more and more is read from the disk as it is needed.
const allocatedKiB = async (pid) => Number(/RssAnon:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))[1]);
const sanitized = async (pid) => /lib[atu]b?san/.test(await readFile(`/proc/${pid}/maps`, 'utf8'));

// The signals come in handfuls, so that they are many reloads and not one.
async function storm(world, signals, id) {
  for (let sent = 0; sent < signals; sent += 10) {
    const before = lines(world, id);
    for (let i = 0; i < 10; ++i) process.kill(world.daemon.pid, 'SIGHUP');
    await until('a reload', () => lines(world, id) > before);
  }
}

test('signals: a thousand SIGHUP under way lose nothing and leave no file, thread or memory behind', () => inWorld(async (world) => {
  const {pid} = world.daemon;
  await world.daemon.inPhase(await world.deliver('1.0.1'), 'Pending');
  await storm(world, 200, 'PROMO-0010');  // what is allocated once is allocated now
  const settled = await until('at rest', async () => {
    const [files, tasks] = [await openFiles(pid), await threads(pid)];
    return {files, tasks, memory: await allocatedKiB(pid)};
  });
  const next = world.deliver('1.0.2');
  await storm(world, 1000, 'PROMO-0010');
  await world.daemon.inPhase(await next, 'Pending');
  assert.ok(lines(world, 'PROMO-0010') >= 100, 'they were many reloads');
  await until('files as before', async () => await openFiles(pid) <= settled.files);
  await until('threads as before', async () => await threads(pid) <= settled.tasks);
  const grown = await allocatedKiB(pid) - settled.memory;
  if (!await sanitized(pid)) assert.ok(grown < 2048, `grown by ${grown} KiB`);
  assert.equal((await world.pulls()).length, 1);
  await world.invariants();
}));

test('signals: a configuration that cannot be read changes nothing, and says where it is wrong', () => inWorld(async (world) => {
  const good = await readFile(world.daemon.file, 'utf8');
  await writeFile(world.daemon.file, good.replace('server:', 'sevrer:'));
  await storm(world, 100, 'PROMO-0011');
  assert.match(world.daemon.logs, /PROMO-0011[^\n]*promotiond\.yaml:1:1: unknown key/);
  assert.equal(lines(world, 'PROMO-0010'), 0);
  await world.daemon.inPhase(await world.deliver('1.0.1'), 'Pending');
  await writeFile(world.daemon.file, good);
  await storm(world, 10, 'PROMO-0010');
  await world.daemon.inPhase(await world.deliver('1.0.2'), 'Pending');
  await world.invariants();
}));

test('signals: SIGTERM while a webhook is called sends the same delivery again', async () => {
  const world = await World.make({config: {promotions: {shutdownGrace: '0ms'}}});
  try {
    await world.daemon.writePipeline('podinfo', pipeline(byWebhook(world.receiver)));
    await world.start();
    world.receiver.answers.push({hang: true});
    const id = await world.deliver('1.0.1');
    await until('the call', () => world.receiver.deliveries.length === 1);
    await endsInOrder(world, 0);
    await world.start();
    await world.daemon.inPhase(id, 'Succeeded');
    const [first, second, ...more] = world.receiver.deliveries;
    assert.deepEqual(more, []);
    assert.equal(second.text, first.text);
    assert.deepEqual([first.genuine, second.genuine], [true, true]);
    await world.invariants();
  } finally {
    await world.end();
  }
});
