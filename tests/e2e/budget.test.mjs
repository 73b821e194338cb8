// The limits of forges' APIs, as a daemon keeps them for a credential and tells of them.
import assert from 'node:assert/strict';
import {afterEach, test} from 'node:test';
import {ask, until} from './daemon.mjs';
import {World, byPullRequest, kRepository, pipeline} from './world.mjs';

let world;
afterEach(() => world?.end());

test('budget: what is left for more urgent things is not spent on a new request, and why and metrics say so', async () => {
  // What was learnt of a limit is kept no longer than this.
  world = await World.make({config: {promotions: {retryAfterMost: '1h'}}});
  await world.daemon.writePipeline('podinfo', pipeline(byPullRequest(world.forge)));
  await world.start();
  await world.forge.do('rate-limit', {remaining: 200, resetIn: 1800});
  // What is left is learnt from the first answer; the request for which there is too little waits.
  const id = await world.deliver('1.0.1');
  const {reasons} = await until('the reason', async () => (await world.daemon.get('/pipelines/flux-system/podinfo/why')).environments?.find((each) => each.reasons.some(({code}) => code === 'api-budget')));
  const {text: message} = reasons.find(({code}) => code === 'api-budget');
  assert.match(message, /^requests to localhost:\d+ with flux-system\/forge wait: \d+ of 5000 requests \(core\) are left/);
  const {text} = await until('a request that is held', async () => {
    const metrics = await ask(world.daemon.health, 'GET', '/metrics');
    return /^promotiond_forge_budget_held_total\{[^}]*\} [1-9]/m.test(metrics.text) && metrics;
  });
  assert.match(text, /^promotiond_forge_budget_limit\{[^}]*resource="core"[^}]*\} 5000$/m);
  assert.deepEqual(await world.pulls(), []);
  assert.notEqual((await world.daemon.promotion(id)).phase, 'Failed');
});

test('budget: an open request to which nothing happens is watched at no cost', async () => {
  world = await World.make();
  await world.forge.do('rules', {repository: kRepository, rules: [{type: 'required_status_checks', pattern: 'refs/heads/main', contexts: ['ci/build']}]});
  await world.daemon.writePipeline('podinfo', pipeline(byPullRequest(world.forge, '    mergeAfter: podinfo-dev\n')));
  await world.start();
  const id = await world.deliver('1.0.1');
  const {details: {commit}} = await world.daemon.inPhase(id, 'Pending');
  await world.forge.do('status', {repository: kRepository, sha: commit, context: 'ci/build', state: 'pending'});
  const looks = async () => (await world.forge.see('requests')).filter(({kind}) => kind === 'api');
  // The first looks learn what there is to know; statuses are read, what is in the way is asked for.
  const isNothingNew = ({status}) => status === 304;
  await until('looks that cost nothing', async () => {
    const last = (await looks()).slice(-20);
    return last.length === 20 && last.every(isNothingNew);
  });
  const seen = new Set((await looks()).filter(isNothingNew).map(({path}) => path.replace(/^.*\/(pulls|statuses|status|check-runs)\b.*$/, '$1')));
  assert.deepEqual([...seen].sort(), ['check-runs', 'pulls', 'status', 'statuses']);
  // What does happen is seen all the same.
  await world.forge.do('status', {repository: kRepository, sha: commit, context: 'ci/build', state: 'failure'});
  await until('the failed check', async () => /ci\/build \(failed\)/.test((await world.daemon.promotion(id)).details.obstacle));
});
