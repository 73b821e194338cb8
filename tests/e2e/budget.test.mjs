// The limits of forges' APIs, as a daemon keeps them for a credential and tells of them.
import assert from 'node:assert/strict';
import {afterEach, test} from 'node:test';
import {ask, until} from './daemon.mjs';
import {World, byPullRequest, pipeline} from './world.mjs';

let world;
afterEach(() => world?.end());

test('budget: what is left for more urgent things is not spent on a new request, and why and metrics say so', async () => {
  world = await World.make();
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
