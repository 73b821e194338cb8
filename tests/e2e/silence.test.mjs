// A forge that falls silent: the exchange, or the try, ends at its deadline, and the next one comes through, once. It is mostly
// waiting, so several are tried at a time; and a slow machine has the time for what is answered.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {World, byAzure, byPullRequest, kAzureRepository, kRepository, pipeline} from './world.mjs';

const kAtOnce = 4;
// Git has the whole try, an exchange with the API its own time.
const kDeadlines = {promotions: {deadline: '10s'}, egress: {timeout: '3s'}};

const push = {method: 'POST', path: 'git-receive-pack$'};
const create = {method: 'POST', path: '/pulls$'};
const createOnAzure = {method: 'POST', path: '/pullrequests\\?'};
const kSilent = [
  ['"create" is never answered', byPullRequest, {kind: 'hang', match: create}],
  ['the answer to "create" stops half way', byPullRequest, {kind: 'stall', match: create}],
  ['the list is never answered', byPullRequest, {kind: 'hang', match: {method: 'GET', path: '/pulls\\?'}}],
  ['the list of branches is never answered', byPullRequest, {kind: 'hang', match: {path: 'info/refs'}}],
  ['the fetched pack stops half way', byPullRequest, {kind: 'stall', match: {method: 'POST', path: 'git-upload-pack$'}}],
  ['the push is never answered', byPullRequest, {kind: 'hang', match: push}],
  ['the answer to the push stops half way', byPullRequest, {kind: 'stall', match: push}],
  ['on Azure "create" is never answered', byAzure, {kind: 'hang', match: createOnAzure}],
  ['on Azure the answer to "create" stops half way', byAzure, {kind: 'stall', match: createOnAzure}],
  ['on Azure the list is never answered', byAzure, {kind: 'hang', match: {method: 'GET', path: '/pullrequests\\?'}}],
  ['on Azure the push is never answered', byAzure, {kind: 'hang', match: push}],
];

test('silence: the deadline ends it, and the promotion comes through, once', {concurrency: kAtOnce}, async (context) => {
  await Promise.all(kSilent.map(([name, by, rule]) => context.test(name, async () => {
    const world = await World.make({on: by === byAzure ? kAzureRepository : kRepository, config: kDeadlines});
    try {
      await world.daemon.writePipeline('podinfo', pipeline(by(world.forge)));
      await world.start();
      await world.forge.do('fault', rule);
      const {location, history} = await world.daemon.inPhase(await world.deliver('1.0.1'), 'Pending');
      assert.ok(history.some(({reason}) => /deadline|time allowed/.test(reason)), JSON.stringify(history));
      assert.deepEqual(await world.forge.see('faults'), [], 'the fault was met');
      const numbers = (await world.forge.see('pulls', {repository: world.repository})).map(({number}) => number);
      assert.deepEqual(numbers, [Number(location.split('/').at(-1))]);
      await world.invariants();
    } finally {
      await world.end();
    }
  })));
});
