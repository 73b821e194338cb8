// More of what goes wrong with promotions on Azure DevOps: other hosts, certificates, and hands of people on branches. As
// faults.test.mjs has it of GitHub.
import assert from 'node:assert/strict';
import {afterEach, beforeEach, test} from 'node:test';
import {until} from './daemon.mjs';
import {World, byAzure, kAzureRepository as kRepository, manifestOf, pipeline} from './world.mjs';

let world;
beforeEach(() => begin());
afterEach(() => world?.end());

const kBranch = 'promotion-flux-system-podinfo-qa';
const push = {path: 'git-receive-pack$', method: 'POST'};

async function begin(options) {
  world = await World.make({on: kRepository, ...options});
  await world.daemon.writePipeline('podinfo', pipeline(byAzure(world.forge)));
  await world.start();
}

const pulls = () => world.forge.see('pulls', {repository: kRepository});

// The reason says it, whether the promotion has failed for good or is tried again.
const reasonOf = (id, pattern) => until(`the reason ${pattern}`, async () => {
  const promotion = await world.daemon.promotion(id);
  return [promotion, ...promotion.history].some((each) => pattern.test(each.reason ?? '')) ? promotion : null;
});

for (const status of [301, 302, 307, 308]) {
  test(`azure: HTTP ${status} to another host is not followed there, and the reason says so`, async () => {
    await world.forge.do('fault', {kind: 'status', status, headers: {location: world.receiver.url}, match: {path: '/_apis/'}, times: -1});
    await reasonOf(await world.deliver('1.0.1'), new RegExp(`HTTP ${status}`));
    assert.deepEqual(world.receiver.deliveries, []);
    await world.forge.do('clear-faults');
  });
}

test('azure: a forge whose certificate is not trusted never sees the token', async () => {
  await world.end();
  await begin({trusted: false});
  await reasonOf(await world.deliver('1.0.1'), /certificate|TLS/i);
  assert.deepEqual(await world.forge.see('requests'), []);
});

// Azure keeps such a request active.
test('azure: the branch of an open pull request is deleted by hand: the next revision brings it back, and no second request', async () => {
  const older = await world.deliver('1.0.1');
  const {location} = await world.daemon.inPhase(older, 'Pending');
  await world.forge.do('delete-branch', {repository: kRepository, branch: kBranch});
  assert.equal((await world.daemon.inPhase(await world.deliver('1.0.2'), 'Pending')).location, location);
  await world.daemon.inPhase(older, 'Superseded');
  assert.match(await world.fileOn(kBranch, 'qa'), /"1\.0\.2"/);
  assert.equal((await pulls()).length, 1);
  await world.invariants();
});

test('azure: the base branch moves between fetch and push: the pull request merges all the same', async () => {
  await world.forge.do('fault', {kind: 'before', match: push, action: 'commit', with: {repository: kRepository, files: {'other.yaml': 'a: b\n'}}});
  const {location} = await world.daemon.inPhase(await world.deliver('1.0.1'), 'Pending');
  await world.forge.do('merge', {repository: kRepository, number: Number(location.split('/').at(-1))});
  assert.match(await world.fileOn('main', 'qa'), /"1\.0\.1"/);
  await world.invariants();
});

test('azure: a base branch that has the revision by the time of the work needs no pull request', async () => {
  await world.forge.do('fault', {kind: 'hold', match: {path: 'git-upload-pack'}});
  const id = await world.deliver('1.0.1');
  await until('the fetch', async () => await world.forge.see('held') === 1);
  const text = (await world.fileOn('main', 'qa')).replace('1.0.0', '1.0.1');
  await world.forge.do('commit', {repository: kRepository, files: {[manifestOf('qa')]: text}});
  await world.forge.do('release');
  await world.daemon.inPhase(id, 'Succeeded');
  assert.deepEqual(await pulls(), []);
  await world.invariants();
});
