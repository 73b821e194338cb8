// The daemon alone, on a GitOps repository with gitops-promotion.yaml: told of an image, it brings it through all environments.
import assert from 'node:assert/strict';
import {afterEach, test} from 'node:test';
import {createHmac} from 'node:crypto';
import {ask, until} from './daemon.mjs';
import {Fleet, kToken, rules} from './fleet.mjs';
import {end, kHookKey, release as told, serve as served} from './served.mjs';

let fleet;
let daemon;
afterEach(async () => {
  if (daemon) await end(daemon);
  await fleet?.end();
  daemon = fleet = undefined;
});

async function serve(options) {
  daemon = await served(fleet, options);
}

const release = (tag, more) => told(daemon, tag, more);
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
    await serve();
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
    await serve();
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
    await serve();
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
    await serve();
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
  await serve();
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
  const doubled = await ask(daemon.address, 'POST', '/api/v1/releases', {body: '{"group":"testgroup","app":"testapp","tag":"v1","tag":"v2"}', headers: {'content-type': 'application/json'}});
  assert.equal(doubled.status, 400);
  assert.match(doubled.text, /key \\"tag\\" is here twice; send it once; the body must be/);
  await refused({group: 'testgroup', app: 'testapp', tag: 'v1', when: 'now'}, 400, /'when' is not known; the body must be/);
  assert.equal((await ask(daemon.address, 'GET', '/api/v1/releases')).status, 405);
});

test('webhooks of GitHub and of registries release, and lead nowhere when they come again, over a crash too', async () => {
  fleet = await Fleet.make('github', {config: rules({automatic: []})});
  await serve();
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
  await serve();
  await fleet.commit({'gitops-promotion.yaml': 'environments: []\n'});
  await until('a problem is told', () => /cannot take the rules of [^ ]+: environments list cannot be empty \(gitops-promotion\.yaml:1:15\); the last good version stays in force/.test(daemon.logs));
  assert.equal((await release('v1')).status, 202);
  await opened('dev');
  await fleet.commit({'gitops-promotion.yaml': rules({more: '      second: {}\n'})});
  await until('the second application', async () => (await daemon.get('/pipelines')).pipelines.some((each) => each.name === 'testgroup.second'));
});
