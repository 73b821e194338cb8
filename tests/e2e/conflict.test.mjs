// Two applications whose values stand on adjacent lines: what is merged for the one makes the other's request conflict.
import assert from 'node:assert/strict';
import {afterEach, test} from 'node:test';
import {until} from './daemon.mjs';
import {World, byAzure, byPullRequest, kAzureRepository, kRepository, manifestOf, pipeline} from './world.mjs';

const kForges = {github: {on: kRepository, by: byPullRequest}, azure: {on: kAzureRepository, by: byAzure}};
const values = (podinfo, other) => `podinfo: "${podinfo}" # {"$promotion": "flux-system:podinfo:qa"}\nother: "${other}" # {"$promotion": "flux-system:other:qa"}\n`;
const kOther = 'promotion-flux-system-other-qa';

let world;
afterEach(() => world?.end());

// Both open; resolves to their promotions.
async function opened({on, by}) {
  world = await World.make({on});
  await world.forge.do('commit', {repository: on, files: {[manifestOf('qa')]: values('1.0.0', '1.0.0')}});
  for (const name of ['podinfo', 'other']) await world.daemon.writePipeline(name, pipeline(by(world.forge), {name}));
  await world.start();
  const ids = [];
  for (const [name, revision] of [['podinfo', '1.0.1'], ['other', '2.0.1']]) {
    ids.push(await world.deliver(revision, {pipeline: name}));
    await world.daemon.inPhase(ids.at(-1), 'Pending');
  }
  return Promise.all(ids.map((id) => world.daemon.promotion(id)));
}

const merge = ({location}) => world.forge.do('merge', {repository: world.repository, number: Number(location.split('/').at(-1))});
const open = async () => (await world.forge.see('pulls', {repository: world.repository})).filter((pull) => pull.state === 'open');

for (const [name, forge] of Object.entries(kForges)) {
  test(`${name}: the request that another's merge made conflict is built anew by itself, as the same request`, async () => {
    const [podinfo, other] = await opened(forge);
    await merge(podinfo);
    const anew = await until('the branch built anew', async () => {
      const promotion = await world.daemon.promotion(other.id);
      return /built anew on main/.test(promotion.summary) && promotion;
    });
    assert.equal(anew.location, other.location);
    assert.equal((await open()).length, 1);
    assert.equal(await world.fileOn(kOther, 'qa'), values('1.0.1', '2.0.1'));
    await merge(other);
    await world.daemon.inPhase(other.id, 'Succeeded');
    assert.equal(await world.fileOn('main', 'qa'), values('1.0.1', '2.0.1'));
    assert.deepEqual(await world.forge.see('violations'), []);
  });

  test(`${name}: a branch onto which somebody has pushed is left, and why says so`, async () => {
    const [podinfo, other] = await opened(forge);
    const {sha} = await world.forge.do('commit', {repository: world.repository, branch: kOther, files: {'notes.txt': 'by hand\n'}});
    await merge(podinfo);
    const {reasons} = await until('the reason', async () => {
      const {environments} = await world.daemon.get('/pipelines/flux-system/other/why');
      return environments.find((each) => each.reasons.some(({text}) => /somebody else has pushed/.test(text)));
    });
    assert.match(reasons.map(({text}) => text).join('\n'), /its branches conflict, and it is not built anew.*promotion-flux-system-other-qa; merge main into that, or close the request/);
    assert.equal((await world.forge.see('branches', {repository: world.repository}))[kOther], sha);
    assert.equal((await world.daemon.promotion(other.id)).phase, 'Pending');
  });
}
