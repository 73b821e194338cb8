// Promotions by pull request on Azure DevOps, seen from outside; and what goes wrong there, row by row: afterwards the promotion
// has gone on by itself, or has failed with the reason named, and in no case is anything done twice.
import assert from 'node:assert/strict';
import {afterEach, beforeEach, test} from 'node:test';
import {until} from './daemon.mjs';
import {World, byAzure, kAzureRepository as kRepository, kSecrets, manifestOf, pipeline} from './world.mjs';

let world;
beforeEach(() => begin());
afterEach(() => world?.end());

const kBranch = 'promotion-flux-system-podinfo-qa';
const kList = {method: 'GET', path: '/pullrequests\\?'};
const create = {method: 'POST', path: '/pullrequests\\?'};
const push = {path: 'git-receive-pack$', method: 'POST'};

async function begin(options) {
  world = await World.make({on: kRepository, ...options});
  await world.daemon.writePipeline('podinfo', pipeline(byAzure(world.forge)));
  await world.start();
}

// The same Pipeline with more options, in force.
async function withOptions(more) {
  const before = world.daemon.logs.match(/PROMO-0006/g).length;
  await world.daemon.writePipeline('podinfo', pipeline(byAzure(world.forge, more)));
  await until('the changed pipeline', () => world.daemon.logs.match(/PROMO-0006/g).length > before);
}

const pulls = () => world.forge.see('pulls', {repository: kRepository});
const numberOf = (promotion) => Number(promotion.location.split('/').at(-1));
const onlyPull = async (location) => assert.deepEqual((await pulls()).map((pull) => `${world.forge.url}/acme/My%20Team/_git/fleet/pullrequest/${pull.number}`), [location]);

test('azure: a signed event becomes one pull request, and its completion the end of the promotion', async () => {
  const id = await world.deliver('1.0.1');
  const promotion = await world.daemon.inPhase(id, 'Pending');
  const [pull, ...others] = await pulls();
  assert.deepEqual(others, []);
  assert.equal(pull.title, 'Promote flux-system/podinfo in qa to 1.0.1');
  assert.match(pull.body, /flux-system\/podinfo\/qa/);
  assert.equal(pull.head, kBranch);
  await onlyPull(promotion.location);
  const {diff} = await world.forge.see('diff', {repository: kRepository, head: kBranch});
  assert.deepEqual(diff.split('\n').filter((line) => /^[+-](?![+-])/.test(line)), [
    '-      version: "1.0.0" # {"$promotion": "flux-system:podinfo:qa"}', '+      version: "1.0.1" # {"$promotion": "flux-system:podinfo:qa"}']);
  await world.forge.do('merge', {repository: kRepository, number: numberOf(promotion)});
  await world.daemon.inPhase(id, 'Succeeded');
  const toProd = await world.deliver('1.0.1', {environment: 'qa'});
  await world.forge.do('merge', {repository: kRepository, number: numberOf(await world.daemon.inPhase(toProd, 'Pending'))});
  await world.daemon.inPhase(toProd, 'Succeeded');
  assert.match(await world.fileOn('main', 'prod'), /"1\.0\.1"/);
  await world.invariants();
});

test('azure: auto-complete completes by itself once the policies allow it, a while later', async () => {
  await world.forge.do('settings', {repository: kRepository, policies: [{id: 3, kind: 'build'}]});
  await withOptions('    autoComplete: {mergeStrategy: squash, mergeCommitMessage: promoted}\n');
  const id = await world.deliver('1.0.1');
  const number = numberOf(await world.daemon.inPhase(id, 'Pending'));
  const pull = await until('auto-complete', async () => (await pulls()).find((each) => each.autoComplete));
  assert.equal(pull.autoComplete, 'promotiond-bot');
  assert.deepEqual(pull.completion, {mergeStrategy: 'squash', deleteSourceBranch: true, transitionWorkItems: false, mergeCommitMessage: 'promoted'});
  await world.forge.do('azure-verdict', {repository: kRepository, number, policy: 3, verdict: 'approved'});
  await world.daemon.inPhase(id, 'Succeeded');
  assert.match(await world.fileOn('main', 'qa'), /"1\.0\.1"/);
  assert.equal((await world.forge.see('branches', {repository: kRepository}))[kBranch], undefined, 'the branch is deleted');
  await world.invariants();
});

test('azure: auto-complete is switched off with the next revision once the option has gone', async () => {
  await world.forge.do('settings', {repository: kRepository, policies: [{id: 3, kind: 'build'}]});
  await withOptions('    autoComplete: true\n');
  await world.daemon.inPhase(await world.deliver('1.0.1'), 'Pending');
  await until('auto-complete', async () => (await pulls())[0].autoComplete);
  await withOptions('');
  await world.forge.do('clear-requests');
  await world.daemon.inPhase(await world.deliver('1.0.2'), 'Pending');
  const asked = (await world.forge.see('requests')).map(({path: target, body}) => (/"autoCompleteSetBy":\{"id":"0000/.test(JSON.stringify(body)) ? 'off' : target));
  assert.ok(asked.indexOf('off') >= 0 && asked.indexOf('off') < asked.findIndex((each) => /git-receive-pack$/.test(each)), asked.join(' '));
  const all = await pulls();
  assert.deepEqual(all.map((pull) => [pull.title, pull.autoComplete]), [['Promote flux-system/podinfo in qa to 1.0.2', null]]);
  await world.invariants();
});

test('azure: labels, reviewers and work items are set as the Pipeline asks, and nobody is asked twice', async () => {
  await world.forge.do('azure-work-items', {ids: [42]});
  await withOptions('    labels: [promotion]\n    requiredReviewers: [reviewer@example.invalid]\n    workItems: [42]\n');
  const id = await world.deliver('1.0.1');
  const number = numberOf(await world.daemon.inPhase(id, 'Pending'));
  await world.forge.do('azure-vote', {repository: kRepository, number, login: 'reviewer', vote: 10});
  await world.daemon.inPhase(await world.deliver('1.0.2'), 'Pending');
  const [pull] = await pulls();
  assert.deepEqual(pull.labels, ['promotion']);
  assert.deepEqual(pull.reviewers, [{login: 'reviewer', isRequired: true, vote: 10}]);
  assert.deepEqual(pull.workItems, ['42']);
  await world.invariants();
});

test('azure: a pull request abandoned by hand fails its promotion, and the next revision gets one of its own', async () => {
  const abandoned = await world.deliver('1.0.1');
  await world.forge.do('close', {repository: kRepository, number: numberOf(await world.daemon.inPhase(abandoned, 'Pending'))});
  assert.match((await world.daemon.inPhase(abandoned, 'Failed')).reason, /closed without a merge/);
  const {location} = await world.daemon.inPhase(await world.deliver('1.0.2'), 'Pending');
  assert.deepEqual((await pulls()).filter((pull) => pull.state === 'open').map((pull) => pull.number), [Number(location.split('/').at(-1))]);
  await world.invariants();
});

test('azure: a newer revision takes over the open pull request, whose description a list cuts', async () => {
  const older = await world.deliver('1.0.1', {message: `m${'x'.repeat(600)}`});
  const {location} = await world.daemon.inPhase(older, 'Pending');
  await world.daemon.inPhase(await world.deliver('1.0.2'), 'Pending');
  await world.daemon.inPhase(older, 'Superseded');
  await onlyPull(location);
  assert.match(await world.fileOn(kBranch, 'qa'), /"1\.0\.2"/);
  await world.invariants();
});

test('azure: a token of Entra opens the API and git as a bearer token', async () => {
  await world.forge.do('tokens', {token: kSecrets.forge, login: 'promotiond-bot', bearer: true});
  await world.daemon.writeSecret('flux-system', 'entra', {bearerToken: kSecrets.forge, caFile: world.forge.ca});
  const before = world.daemon.logs.match(/PROMO-0006/g).length;
  await world.daemon.writePipeline('podinfo', pipeline(byAzure(world.forge).replace('{name: forge}', '{name: entra}')));
  await until('the changed pipeline', () => world.daemon.logs.match(/PROMO-0006/g).length > before);
  await world.daemon.inPhase(await world.deliver('1.0.1'), 'Pending');
  await world.invariants();
});

test('azure: after an answer with Retry-After nobody is asked until then', async () => {
  await world.forge.do('azure-throttle', {match: create, retryAfter: 1});
  await world.daemon.inPhase(await world.deliver('1.0.1'), 'Pending');
  const looks = await until('a look', async () => {
    const found = await world.forge.see('requests', {path: '_apis/.*pullrequests/\\d+\\?', method: 'GET'});
    return found.length ? found : null;
  });
  const [made] = await world.forge.see('requests', {method: 'POST', path: '/pullrequests\\?'});
  assert.ok(Date.parse(looks[0].at) - Date.parse(made.at) >= 900, `looked after ${Date.parse(looks[0].at) - Date.parse(made.at)} ms`);
  await world.invariants();
});

const json = (status, body, headers) => ({kind: 'status', status, headers, body});
const html = {kind: 'status', headers: {'content-type': 'text/html'}, body: '<html>sign in</html>'};

// Faults that pass: the promotion must come through without a person.
const kPassing = {
  'the answer to the push is lost': {kind: 'lose', match: push},
  'the answer to "create" is lost': {kind: 'lose', match: create},
  'the answer to "create" is half a body': {kind: 'half', match: create},
  'the connection is cut before "create"': {kind: 'cut', match: create, times: 2},
  'the connection is cut before the fetch': {kind: 'cut', match: {path: 'git-upload-pack'}, times: 2},
  'half of the fetched pack arrives': {kind: 'half', match: {method: 'POST', path: 'git-upload-pack$'}},
  '"create" answers 500': {...json(500, {message: 'TF400898: An Internal Error Occurred.', typeKey: 'Exception'}), match: create, times: 2},
  '"create" answers 502 with HTML': {...html, status: 502, match: create},
  'the list answers 503': {...json(503, {message: 'Service Unavailable'}), match: kList},
  'git answers 500': {kind: 'status', status: 500, body: 'error', match: {path: 'git-receive-pack'}},
  'the list answers truncated JSON': {kind: 'status', status: 200, headers: {'content-type': 'application/json'}, body: '{"count": 1, "value": [{', match: kList},
  '"create" answers 201 with nothing in it': {...json(201, {}), match: create},
  'the token is echoed in an error': {...json(500, {message: `cannot serve ${kSecrets.forge}`}, {'www-authenticate': `Bearer ${kSecrets.forge}`, 'x-tfs-serviceerror': kSecrets.forge}), match: create},
  '"create" answers for a pull request of another place': {...json(201, {pullRequestId: 4711, status: 'active', repository: {name: 'else', project: {name: 'Other'}}}), match: create},
  'Retry-After is a date long ago': {...json(503, {message: 'later'}, {'retry-after': 'Thu, 01 Jan 1970 00:00:00 GMT'}), match: create},
  'Retry-After is 10^12 seconds': {...json(503, {message: 'later'}, {'retry-after': '1000000000000'}), match: create},
  'Retry-After is negative': {...json(429, {message: 'TF400733'}, {'retry-after': '-1'}), match: create},
  'Retry-After is no time at all': {...json(429, {message: 'TF400733'}, {'retry-after': 'soon'}), match: create},
  '"create" answers 429 with Retry-After': {...json(429, {message: 'TF400733: The request has been canceled', typeKey: 'RequestBlockedException'}, {'retry-after': '1'}), match: create},
  '"create" answers 409': {...json(409, {message: 'Conflict'}), match: create},
  'the API does not know the branch yet': {...json(400, {message: 'TF401398', typeKey: 'GitPullRequestCannotBeActivated'}), match: create},
  'somebody opens the pull request first': {kind: 'before', match: create, action: 'open-pull', with: {repository: kRepository, head: kBranch}},
  'the base branch moves before "create"': {kind: 'before', match: create, action: 'commit', with: {repository: kRepository, files: {'other.yaml': 'a: b\n'}}},
  'git answers 429': {kind: 'status', status: 429, headers: {'retry-after': '1', 'content-type': 'text/plain'}, body: 'slow down', match: push},
  'git answers half to the list of branches': {kind: 'half', match: {path: 'info/refs'}},
};

for (const [name, rule] of Object.entries(kPassing)) {
  test(`azure: ${name}: the promotion comes through, once`, async () => {
    await world.forge.do('fault', rule);
    const {location} = await world.daemon.inPhase(await world.deliver('1.0.1'), 'Pending');
    assert.deepEqual(await world.forge.see('faults'), [], 'the fault was met');
    await onlyPull(location);
    await world.invariants();
  });
}

const replaced = (from, to) => world.daemon.writePipeline('podinfo', pipeline(byAzure(world.forge).replace(from, to)));
const always = (rule) => world.forge.do('fault', {...rule, times: -1});

// Faults that stay: final, with a reason that names the cause.
const kStaying = {
  'a token that is revoked': {prepare: () => world.forge.do('revoke-token', {token: kSecrets.forge}), reason: /credential|token|401|unauthori/i},
  'a token that the API shows the sign-in page': {prepare: () => always({...html, status: 203, match: kList}), reason: /HTTP 203, a page to sign in.*renew it/},
  'a sign-in page with 200': {prepare: () => always({...html, status: 200, match: kList}), reason: /HTTP 200, a page to sign in/},
  'a redirect to the sign-in page': {prepare: () => always({...html, status: 302, headers: {location: 'https://login.example/_signin'}, match: kList}), reason: /HTTP 302.*login\.example/},
  'a base branch that is not there': {changes: true, prepare: () => replaced('baseBranch: main', 'baseBranch: trunk'), reason: /trunk/},
  'a repository that is not there': {changes: true, prepare: () => replaced('_git/fleet', '_git/gone'), reason: /gone|not found|404/i},
  'a project that is not there': {changes: true, prepare: () => replaced('My Team', 'Nowhere'), reason: /Nowhere|404/i},
  'a manifest without the marker': {prepare: () => world.forge.do('commit', {repository: kRepository, files: {[manifestOf('qa')]: 'version: "1.0.0"\n'}}), reason: /marker/i},
  'a token that may read only': {prepare: () => world.forge.do('tokens', {token: kSecrets.forge, login: 'promotiond-bot', permissions: {code: 'read'}}), reason: /403|denied|permission|forbids/i},
  'a token that may not open pull requests': {
    prepare: () => always({...json(403, {message: "TF401027: You need the Git 'PullRequestContribute' permission", typeKey: 'GitNeedsPermissionException'}), match: create}), reason: /403.*PullRequestContribute/},
  'a page for people where git was asked': {prepare: () => always({...html, status: 200, match: {path: 'info/refs'}}), reason: /smart protocol.*text\/html/},
  'a list that answers 404': {prepare: () => always({...json(404, {message: 'TF401019', typeKey: 'GitRepositoryNotFoundException'}), match: kList}), reason: /404.*TF401019/},
  'a "create" that answers 400': {prepare: () => always({...json(400, {message: 'A value is not valid', typeKey: 'InvalidArgumentValueException'}), match: create}), reason: /400.*not valid/},
  'a disabled repository': {prepare: () => world.forge.do('settings', {repository: kRepository, disabled: true}), reason: /disabled|403|forbids/i},
  'a server of another version': {prepare: () => always({...json(400, {message: 'out of range', typeKey: 'VssVersionOutOfRangeException'}), match: kList}), reason: /set apiVersion/},
  'a policy that forbids the branch': {
    prepare: () => world.forge.do('rules', {repository: kRepository, rules: [{type: 'creation', pattern: 'refs/heads/promotion-*'}]}), reason: /TF401027|declined|hook/i},
};

for (const [name, {prepare, reason, changes}] of Object.entries(kStaying)) {
  test(`azure: ${name} fails the promotion and says so`, async () => {
    const before = world.daemon.logs.match(/PROMO-0006/g).length;
    await prepare();
    if (changes) await until('the changed pipeline', () => world.daemon.logs.match(/PROMO-0006/g).length > before);
    const failed = await world.daemon.inPhase(await world.deliver('1.0.1'), 'Failed');
    assert.match(failed.reason, reason);
    assert.ok((await world.forge.see('requests')).length < 60, 'a lasting refusal is not hammered');
    await world.invariants();
  });
}

test('azure: somebody pushes to the promotion branch meanwhile: it is read again and rebuilt', async () => {
  await world.daemon.inPhase(await world.deliver('1.0.1'), 'Pending');
  await world.forge.do('fault', {kind: 'before', match: push, action: 'commit', with: {repository: kRepository, branch: kBranch, files: {'stray.yaml': 'x: y\n'}}});
  await world.daemon.inPhase(await world.deliver('1.0.2'), 'Pending');
  assert.match(await world.fileOn(kBranch, 'qa'), /"1\.0\.2"/);
  await world.invariants();
});

test('azure: what was completed while the daemon was away is seen after the start', async () => {
  const id = await world.deliver('1.0.1');
  const number = numberOf(await world.daemon.inPhase(id, 'Pending'));
  await world.daemon.kill();
  await world.forge.do('merge', {repository: kRepository, number});
  await world.forge.do('delete-branch', {repository: kRepository, branch: kBranch});
  await world.start();
  await world.daemon.inPhase(id, 'Succeeded');
  await world.invariants();
});

test('azure: a pull request of the same name from a fork is not adopted', async () => {
  await world.forge.do('commit', {repository: kRepository, branch: kBranch, from: 'main', files: {'a.yaml': 'b: c\n'}});
  const {number} = await world.forge.do('open-pull', {repository: kRepository, head: kBranch, fork: 'their-fleet'});
  const promotion = await world.daemon.inPhase(await world.deliver('1.0.1'), 'Pending');
  assert.notEqual(numberOf(promotion), number);
  assert.equal((await pulls()).length, 2);
});

test('azure: a token replaced in its file is used without a restart, also for what the old one failed', async () => {
  await world.forge.do('revoke-token', {token: kSecrets.forge});
  const failed = await world.deliver('1.0.1');
  await world.daemon.inPhase(failed, 'Failed');
  await world.forge.do('tokens', {token: 'azpat_the_new_token', login: 'promotiond-bot'});
  await world.daemon.writeSecret('flux-system', 'forge', {token: 'azpat_the_new_token'});
  process.kill(world.daemon.pid, 'SIGHUP');  // else it looks once a minute
  await world.daemon.inPhase(failed, 'Pending');
  await world.daemon.inPhase(await world.deliver('1.0.2'), 'Pending');
});
