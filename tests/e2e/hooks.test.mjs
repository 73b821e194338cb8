// Forges' webhooks, seen from outside: a merge is noticed at once, and by nobody else's word.
import assert from 'node:assert/strict';
import {createHmac} from 'node:crypto';
import {writeFile} from 'node:fs/promises';
import path from 'node:path';
import {afterEach, test} from 'node:test';
import {ask, until} from './daemon.mjs';
import {World, byAzure, byPullRequest, kAzureRepository, kRepository, kSecrets, pipeline} from './world.mjs';

const kKey = kSecrets.hook;
const kQaBranch = 'promotion-flux-system-podinfo-qa';
// Longer than any test: what is seen was seen because of a hook.
const kPatient = {promotions: {observe: {every: '1h', most: '1h'}}};

let world;
afterEach(() => world?.end());

async function hooked({on = kRepository, by = byPullRequest} = {}) {
  world = await World.make({on, config: {...kPatient, server: {hooks: {github: 'hook', azure: 'hook'}, rateLimit: {requests: 0}}}});
  await writeFile(path.join(world.directory, 'hook'), `${kKey}\n`, {mode: 0o600});
  await world.daemon.writePipeline('podinfo', pipeline(by(world.forge)));
  await world.start();
  const id = await world.deliver('1.0.1');
  await world.daemon.inPhase(id, 'Pending');
  return id;
}

const signed = (body, key = kKey) => `sha256=${createHmac('sha256', key).update(body).digest('hex')}`;
const send = (name, payload, headers) => {
  const body = JSON.stringify(payload);
  return ask(world.daemon.address, 'POST', `/hooks/${name}`, {body, headers: {'content-type': 'application/json', ...headers(body)}});
};

// The forge tells the daemon from now on.
const subscribed = (forge, secret = kKey) => world.forge.do('hooks', {forge, url: `http://${world.daemon.address}/hooks/${forge}`, secret});
const statuses = async () => (await world.forge.see('deliveries')).map(({event, status}) => [event, status]);

test('hooks: a merge told by a hook of GitHub is noticed though the next look is an hour away', async () => {
  const id = await hooked();
  await subscribed('github');
  await world.forge.do('merge', {repository: kRepository, number: 1});
  await world.daemon.inPhase(id, 'Succeeded');
  assert.deepEqual(await statuses(), [['pull_request.closed', 202]]);
  await world.invariants();
});

test('hooks: a hook that is signed with another key makes nothing be looked at', async () => {
  const id = await hooked();
  await subscribed('github', 'somebody else knows this');
  await world.forge.do('clear-requests');
  await world.forge.do('merge', {repository: kRepository, number: 1});
  assert.deepEqual(await statuses(), [['pull_request.closed', 401]]);
  assert.equal((await world.forge.see('requests')).length, 0);
  assert.equal((await world.daemon.promotion(id)).phase, 'Pending');
  await world.invariants();
});

test('hooks: one that is sent again and again is a look each at most, and settles nothing twice', async () => {
  const id = await hooked();
  const {location} = await world.daemon.promotion(id);
  await world.forge.do('merge', {repository: kRepository, number: 1});
  const payload = {action: 'closed', pull_request: {html_url: location, merged: true}};
  for (let i = 0; i < 20; ++i) {
    const answer = await send('github', payload, (body) => ({'x-github-event': 'pull_request', 'x-hub-signature-256': signed(body)}));
    assert.equal(answer.status, 202);
  }
  await world.daemon.inPhase(id, 'Succeeded');
  await world.invariants();
});

test('hooks: a webhook that lies about a merge settles nothing', async () => {
  const id = await hooked();
  const {location} = await world.daemon.promotion(id);
  await world.forge.do('clear-requests');
  await send('github', {action: 'closed', pull_request: {html_url: location, merged: true}}, (body) => ({'x-github-event': 'pull_request', 'x-hub-signature-256': signed(body)}));
  await until('a look', async () => (await world.forge.see('requests', {path: '/pulls/1$'})).length);
  assert.equal((await world.daemon.promotion(id)).phase, 'Pending');
  await world.invariants();
});

test('hooks: a check that reports is told at once', async () => {
  const id = await hooked();
  await world.forge.do('rules', {repository: kRepository, rules: [{type: 'required_status_checks', pattern: 'refs/heads/main', contexts: ['ci']}]});
  await subscribed('github');
  await world.forge.do('status', {repository: kRepository, branch: kQaBranch, context: 'ci', state: 'pending'});
  await until('the check', async () => /waits for check ci/.test((await world.daemon.promotion(id)).summary));
  await world.invariants();
});

test('hooks: a completion on Azure DevOps is noticed when its service hook comes', async () => {
  const id = await hooked({on: kAzureRepository, by: byAzure});
  const {location} = await world.daemon.promotion(id);
  await subscribed('azure', 'somebody else knows this');
  await subscribed('azure');
  await world.forge.do('merge', {repository: kAzureRepository, number: Number(location.split('/').at(-1))});
  await world.daemon.inPhase(id, 'Succeeded');
  assert.deepEqual([...new Set((await statuses()).map(([, status]) => status))], [401, 202]);
  await world.invariants();
});
