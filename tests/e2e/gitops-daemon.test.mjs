// The daemon alone, on a GitOps repository with gitops-promotion.yaml: told of an image, it brings it through all environments.
import assert from 'node:assert/strict';
import {afterEach, test} from 'node:test';
import {createHmac} from 'node:crypto';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {Daemon, ask, until} from './daemon.mjs';
import {Fleet, kToken, rules} from './fleet.mjs';

const kHookKey = 'hook-key-canary-0123456789';

let fleet;
let daemon;
let directory;
afterEach(async () => {
  await daemon?.stop();
  await fleet?.end();
  if (directory) await rm(directory, {recursive: true, force: true});
  daemon = fleet = directory = undefined;
});

async function serve(provider, {repositories} = {}) {
  directory = await mkdtemp(path.join(tmpdir(), 'promotiond-gitops-'));
  const type = provider === 'github' ? 'github' : 'azure-devops';
  daemon = new Daemon({directory, build: process.env.PROMOTIOND_BUILD, config: {
    gitops: {
      repositories: repositories ?? [{url: fleet.url, type, secretRef: 'forge'}], every: '1s',
      images: [{image: 'hub.example.com/acme/testapp', tags: 'v*', group: 'testgroup', app: 'testapp'}],
    },
    promotions: {backoff: {first: '20ms', most: '200ms'}, observe: {every: '100ms', most: '300ms'}},
    server: {rateLimit: {requests: 0}, hooks: {github: 'hook', registry: 'hook'}},
  }});
  await daemon.prepare();
  await writeFile(path.join(directory, 'hook'), `${kHookKey}\n`, {mode: 0o600});
  await daemon.writeSecret('gitops', 'forge', {token: kToken, caFile: fleet.forge.ca});
  await daemon.start();  // which waits for the forge, and not for ever
  await until('the rules read', async () => (await daemon.get('/pipelines')).pipelines.some((each) => each.name === 'testgroup.testapp'));
}

const release = (tag, more = {}) => daemon.api('POST', '/releases', {body: {group: 'testgroup', app: 'testapp', tag, ...more}});
const hook = (name, body, headers) => ask(daemon.address, 'POST', `/hooks/${name}`, {body, headers: {'content-type': 'application/json', ...headers}});
const signed = (body, key = kHookKey) => `sha256=${createHmac('sha256', key).update(body).digest('hex')}`;
const dispatch = (tag) => JSON.stringify({action: 'image-push', branch: 'main', client_payload: {group: 'testgroup', app: 'testapp', tag}, repository: {full_name: 'acme/fleet'}});
const dispatched = (body, key) => hook('github', body, {'x-github-event': 'repository_dispatch', 'x-hub-signature-256': signed(body, key)});
// As Distribution says it.
const push = (tag, time = new Date()) => JSON.stringify({events: [{id: tag, timestamp: time.toISOString(), action: 'push', target: {repository: 'acme/testapp', tag}, request: {host: 'hub.example.com'}}]});
const pushed = (body, key = kHookKey) => hook('registry', body, {'content-type': 'application/vnd.docker.distribution.events.v1+json', authorization: `Bearer ${key}`});
const open = async (environment) => (await fleet.pulls()).find((pull) => pull.state === 'open' && pull.head.endsWith(`-${environment}`));
const opened = (environment) => until(`a request into ${environment}`, () => open(environment)).catch((error) => {
  throw new Error(`${error.message}\n${daemon.logs.slice(-3000)}`);
});
const shown = (pull, state) => until(`status ${state}`, async () => {
  const statuses = (await fleet.forge.see('statuses', {repository: fleet.repository})).filter((each) => each.sha === pull.headSha || each.pull === pull.number);
  return statuses.find((each) => /testgroup-/.test(each.context ?? each.name) && [state].flat().includes(each.state));
});
const merged = (pull) => until(`#${pull.number} merged`, async () => {
  await fleet.pass(pull.number);
  return (await fleet.pull(pull.number)).mergeCommitSha;
});

for (const provider of ['github', 'azdo']) {
  const succeeded = provider === 'github' ? 'success' : 'succeeded';
  test(`${provider}: a released tag goes through all environments, each after the one before fares well, and into the last one only by hand`, async () => {
    fleet = await Fleet.make(provider);
    await serve(provider);
    const answer = await release('v1');
    assert.equal(answer.status, 202, answer.text);
    const toDev = await opened('dev');
    assert.match(await fleet.file(toDev.head, 'testgroup/dev/testapp.yaml'), /image: ghcr\.io\/acme\/testapp:v1 # /);
    const dev = await merged(toDev);

    const toQa = await opened('qa');
    await shown(toQa, 'pending');
    await fleet.pass(toQa.number);
    assert.equal((await fleet.pull(toQa.number)).state, 'open', 'it merged before Flux had its say');
    await fleet.flux(dev, 'dev', 'failure');
    await shown(toQa, ['failure', 'failed']);
    await fleet.flux(dev, 'dev');
    await shown(toQa, succeeded);
    const qa = await merged(toQa);

    const toProd = await opened('prod');
    await fleet.flux(qa, 'qa');
    await shown(toProd, succeeded);
    assert.equal(await fleet.pass(toProd.number), null, 'the request into prod merged by itself');
    await fleet.merge(toProd.number);
    assert.match(await fleet.file('main', 'testgroup/prod/testapp.yaml'), /testapp:v1 # /);
    await until('all promotions succeeded', async () => (await daemon.promotions()).every((each) => each.phase === 'Succeeded'));
    assert.equal((await daemon.promotions()).length, 3);
    assert.ok(!daemon.logs.includes(kToken));
  });

  test(`${provider}: after a crash the way goes on from what has merged, and the same release again opens nothing`, async () => {
    fleet = await Fleet.make(provider);
    await serve(provider);
    assert.equal((await release('v1')).status, 202);
    const toDev = await opened('dev');
    await daemon.kill();
    await fleet.merge(toDev.number);
    await daemon.start();
    const toQa = await opened('qa');
    const again = await release('v1');
    assert.equal(again.status, 202);
    assert.deepEqual((await daemon.promotions()).map((each) => each.environment).sort(), ['dev', 'qa']);
    assert.equal((await fleet.pulls()).length, 2, `${toQa.number}`);
  });

  test(`${provider}: where the forge requires promotiond/gate of all requests, each merges when its gate is open`, async () => {
    fleet = await Fleet.make(provider, {config: rules({automatic: ['dev', 'qa']}), isProtected: false});
    await fleet.protect('promotiond/gate');
    await serve(provider);
    await release('v1');
    const toDev = await opened('dev');
    const dev = await until('#dev merged', async () => (await fleet.looked(toDev.number)).mergeCommitSha);
    const toQa = await opened('qa');
    await shown(toQa, 'pending');
    assert.equal((await fleet.looked(toQa.number)).state, 'open');
    await fleet.flux(dev, 'dev');
    await until('#qa merged', async () => (await fleet.looked(toQa.number)).mergeCommitSha);
  });

  test(`${provider}: a tag that was taken back merges nowhere, though Flux is content with the one before it`, async () => {
    fleet = await Fleet.make(provider);
    await serve(provider);
    await release('v1');
    const first = await merged(await opened('dev'));
    await fleet.flux(first, 'dev');
    const toQa = await opened('qa');
    await shown(toQa, succeeded);
    await merged(toQa);
    const v1 = await opened('prod');
    await release('v2');
    await merged(await opened('dev'));
    const bad = await opened('qa');
    await release('v1');
    const back = await merged(await opened('dev'));
    await fleet.flux(back, 'dev');
    const closed = await until('the request of v2 closed', async () => {
      const pull = await fleet.pull(bad.number);
      return pull.state !== 'open' && pull;
    });
    assert.equal(closed.mergeCommitSha ?? null, null, 'v2 was merged into qa');
    assert.match(await fleet.file('main', 'testgroup/qa/testapp.yaml'), /testapp:v1 # /);
    assert.equal((await fleet.pull(v1.number)).state, 'open');
  });
}

test('a new tag takes over the open request; wrong releases say what is wrong', async () => {
  fleet = await Fleet.make('github', {config: rules({automatic: []})});
  await serve('github');
  await release('v1');
  const {number} = await opened('dev');
  await release('v2');
  await until('the request is for v2', async () => /to v2$/.test((await fleet.pull(number)).title));
  assert.equal((await fleet.pulls()).length, 1);
  const refused = async (body, status, pattern) => {
    const answer = await daemon.api('POST', '/releases', {body});
    assert.equal(answer.status, status, answer.text);
    assert.match(answer.text, pattern);
  };
  await refused({group: 'testgroup', app: 'other', tag: 'v1'}, 404, /no GitOps repository has the application other in group testgroup/);
  await refused({group: 'testgroup', app: 'testapp', tag: 'a b'}, 400, /no image has the tag/);
  await refused({group: 'testgroup', app: 'testapp'}, 400, /no image has the tag/);
  await refused({group: 'testgroup', app: 'testapp', tag: 'v1', when: 'now'}, 400, /'when' is not known; the body must be/);
  assert.equal((await ask(daemon.address, 'GET', '/api/v1/releases')).status, 405);
});

test('webhooks of GitHub and of registries release, and lead nowhere when they come again, over a crash too', async () => {
  fleet = await Fleet.make('github', {config: rules({automatic: []})});
  await serve('github');
  const first = dispatch('v1');
  assert.equal((await dispatched(first, 'somebody else knows this')).status, 401);
  assert.equal((await daemon.promotions()).length, 0);
  assert.equal((await dispatched(first)).status, 202);
  const {number} = await opened('dev');
  assert.equal((await pushed(push('v2'), 'somebody else knows this')).status, 401);
  const second = push('v2');
  const answer = await pushed(second);
  assert.equal(answer.status, 202);
  assert.equal(JSON.parse(answer.text).tags[0].accepted.verdict, 'Promote');
  const isForV2 = async () => /to v2$/.test((await fleet.pull(number)).title);
  await until('the request is for v2', isForV2);

  const again = async () => {
    for (const status of [(await dispatched(first)).status, (await pushed(second)).status, (await pushed(push('v1', new Date(Date.now() - 3600_000)))).status]) assert.equal(status, 202);
    assert.match((await pushed(push('latest'))).text, /"ignored":"gitops.images names no application/);
    assert.ok(await isForV2());
    assert.equal((await fleet.pulls()).length, 1);
    assert.deepEqual((await daemon.promotions()).map((each) => each.revision).sort(), ['v1', 'v2']);
  };
  await again();
  await daemon.kill();
  await daemon.start();
  await again();
  assert.ok(!daemon.logs.includes(kHookKey));
});

test('a broken gitops-promotion.yaml leaves the last good one in force, and a new application is taken', async () => {
  fleet = await Fleet.make('github');
  await serve('github');
  await fleet.commit({'gitops-promotion.yaml': 'environments: []\n'});
  await until('a problem is told', () => /environments list cannot be empty.*last good version stays in force/.test(daemon.logs));
  assert.equal((await release('v1')).status, 202);
  await opened('dev');
  await fleet.commit({'gitops-promotion.yaml': rules({more: '      second: {}\n'})});
  await until('the second application', async () => (await daemon.get('/pipelines')).pipelines.some((each) => each.name === 'testgroup.second'));
});
