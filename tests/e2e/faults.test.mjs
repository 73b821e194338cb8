// What goes wrong at the forge, row by row: afterwards the promotion has gone on by itself, or has failed with the reason
// named, and in no case is anything done twice.
import assert from 'node:assert/strict';
import {afterEach, beforeEach, test} from 'node:test';
import {until} from './daemon.mjs';
import {World, byPullRequest, kRepository, kSecrets, manifestOf, pipeline} from './world.mjs';

let world;
beforeEach(() => begin());
afterEach(() => world?.end());

async function begin(options) {
  world = await World.make(options);
  await world.daemon.writePipeline('podinfo', pipeline(byPullRequest(world.forge)));
  await world.start();
}

const kBranch = 'promotion-flux-system-podinfo-qa';
const kPulls = '/repos/acme/fleet/pulls$';
const create = {method: 'POST', path: kPulls};
const push = {path: 'git-receive-pack$', method: 'POST'};
const json = (status, body, headers) => ({kind: 'status', status, headers, body});

// Faults that pass: the promotion must come through without a person.
const kPassing = {
  'the answer to the push is lost': {kind: 'lose', match: push},
  'the answer to "create" is lost': {kind: 'lose', match: create},
  'the answer to "create" is half a body': {kind: 'half', match: create},
  'the connection is cut before "create"': {kind: 'cut', match: create, times: 2},
  'the connection is cut before the fetch': {kind: 'cut', match: {path: 'git-upload-pack'}, times: 2},
  'half of the fetched pack arrives': {kind: 'half', match: {method: 'POST', path: 'git-upload-pack$'}},
  '"create" answers 500': {...json(500, {message: 'Server Error'}), match: create, times: 2},
  '"create" answers 502 with HTML': {kind: 'status', status: 502, headers: {'content-type': 'text/html'}, body: '<html>Unicorn!</html>', match: create},
  'the list answers 503': {...json(503, {message: 'Service Unavailable'}), match: {method: 'GET', path: '/pulls\\?'}},
  'git answers 500': {kind: 'status', status: 500, body: 'error', match: {path: 'git-receive-pack'}},
  'the list answers HTML with 200': {kind: 'status', status: 200, headers: {'content-type': 'text/html'}, body: '<html>sign in</html>', match: {method: 'GET', path: '/pulls\\?'}},
  'the list answers truncated JSON': {kind: 'status', status: 200, headers: {'content-type': 'application/json'}, body: '[{"number": 1,', match: {method: 'GET', path: '/pulls\\?'}},
  '"create" answers 201 with nothing in it': {...json(201, {}), match: create},
  'the token is echoed in an error': {...json(500, {message: `cannot serve ${kSecrets.forge}`}, {'www-authenticate': `Bearer ${kSecrets.forge}`}), match: create},
  '"create" answers 201 for a pull request of another place': {...json(201, {number: 4711, html_url: 'javascript:alert(1)', url: 'https://elsewhere.example/1', state: 'open'}), match: create},
  'the list\'s next page is the list itself': {...json(200, [], {link: '</api/v3/repos/acme/fleet/pulls?page=2>; rel="next"'}), match: {method: 'GET', path: '/pulls\\?'}, times: 1},
  'Retry-After is a date long ago': {...json(503, {message: 'later'}, {'retry-after': 'Thu, 01 Jan 1970 00:00:00 GMT'}), match: create},
  'Retry-After is 10^12 seconds': {...json(503, {message: 'later'}, {'retry-after': '1000000000000'}), match: create},
  'Retry-After is negative': {...json(429, {message: 'later'}, {'retry-after': '-1'}), match: create},
  'Retry-After is no time at all': {...json(429, {message: 'later'}, {'retry-after': 'soon'}), match: create},
  '"create" answers 409': {...json(409, {message: 'Conflict'}), match: create},
  'somebody opens the pull request first': {kind: 'before', match: create, action: 'open-pull', with: {repository: kRepository, head: kBranch}},
  'the base branch moves before "create"': {kind: 'before', match: create, action: 'commit', with: {repository: kRepository, files: {'other.yaml': 'a: b\n'}}},
  'git answers 429': {kind: 'status', status: 429, headers: {'retry-after': '1', 'content-type': 'text/plain'}, body: 'slow down', match: push},
  'git answers half to the list of branches': {kind: 'half', match: {path: 'info/refs'}},
  '"create" answers 429 with Retry-After': {...json(429, {message: 'slow down'}, {'retry-after': '1'}), match: create},
};

for (const [name, rule] of Object.entries(kPassing)) {
  test(`faults: ${name}: the promotion comes through, once`, async () => {
    await world.forge.do('fault', rule);
    const id = await world.deliver('1.0.1');
    const {location} = await world.daemon.inPhase(id, 'Pending');
    assert.deepEqual(await world.forge.see('faults'), [], 'the fault was met');
    assert.deepEqual((await world.pulls()).map((pull) => pull.html_url), [location]);
    await world.invariants();
  });
}

test('faults: a secondary limit without Retry-After is waited out, not hammered', async () => {
  await world.forge.do('secondary-limit', {match: create});
  const id = await world.deliver('1.0.1');
  await world.daemon.inPhase(id, 'Pending');
  const tries = (await world.forge.see('requests', {method: 'POST', path: kPulls})).map((entry) => Date.parse(entry.at));
  assert.equal(tries.length, 2);
  assert.ok(tries[1] - tries[0] >= 900, `came back after ${tries[1] - tries[0]} ms`);  // retryAfterMost is 1 s here
  await world.invariants();
});

// Faults that stay: final, with a reason that names the cause.
const kStaying = {
  'a token that is revoked': {prepare: () => world.forge.do('revoke-token', {token: kSecrets.forge}), reason: /credential|token|401|unauthori/i},
  'a base branch that is not there': {prepare: () => world.daemon.writePipeline('podinfo', pipeline(byPullRequest(world.forge).replace('main', 'trunk'))), reason: /trunk/},
  'a repository that is not there': {prepare: () => world.daemon.writePipeline('podinfo', pipeline(byPullRequest(world.forge).replace('fleet', 'gone'))), reason: /gone|not found|404/i},
  'a manifest without the marker': {
    prepare: () => world.forge.do('commit', {repository: kRepository, files: {[manifestOf('qa')]: 'version: "1.0.0"\n'}}), reason: /marker/i},
  'a token that may not open pull requests': {
    prepare: () => world.forge.do('fault', {...json(403, {message: 'Resource not accessible by personal access token'}, {'x-accepted-github-permissions': 'pull_requests=write'}), match: create, times: -1}),
    reason: /403.*not accessible.*pull_requests=write/},
  'a page for people where git was asked': {
    prepare: () => world.forge.do('fault', {kind: 'status', status: 200, headers: {'content-type': 'text/html'}, body: '<html>sign in</html>', match: {path: 'info/refs'}, times: -1}), reason: /smart protocol.*text\/html/},
  'a list that answers 403': {prepare: () => world.forge.do('fault', {...json(403, {message: 'Resource protected by organization SAML enforcement.'}), match: {method: 'GET', path: '/pulls\\?'}, times: -1}), reason: /403.*SAML/},
  'a list that answers 404': {prepare: () => world.forge.do('fault', {...json(404, {message: 'Not Found'}), match: {method: 'GET', path: '/pulls\\?'}, times: -1}), reason: /404.*may not see/},
  'a list that answers 401': {prepare: () => world.forge.do('fault', {...json(401, {message: 'Bad credentials'}), match: {method: 'GET', path: '/pulls\\?'}, times: -1}), reason: /401.*renew/},
  'a "create" that answers 422': {
    prepare: () => world.forge.do('fault', {...json(422, {message: 'Validation Failed', errors: [{resource: 'PullRequest', code: 'custom', message: 'Base is locked'}]}), match: create, times: -1}), reason: /422.*Base is locked/},
  'a token that may not push': {
    prepare: () => world.forge.do('tokens', {token: kSecrets.forge, login: 'promotiond-bot', permissions: {contents: 'read', metadata: 'read', pull_requests: 'write'}}), reason: /403|denied|permission|may not/i},
  'an archived repository': {prepare: () => world.forge.do('settings', {repository: kRepository, archived: true}), reason: /archived|read-only|403/i},
  'a rule that forbids the branch': {
    prepare: () => world.forge.do('rules', {repository: kRepository, rules: [{type: 'creation', pattern: 'refs/heads/promotion-*'}]}), reason: /rule|GH013|declined|hook/i},
};

for (const [name, {prepare, reason}] of Object.entries(kStaying)) {
  test(`faults: ${name} fails the promotion and says so`, async () => {
    const before = world.daemon.logs.match(/PROMO-0006/g).length;
    await prepare();
    if (/branch that|repository that/.test(name)) await until('the changed pipeline', () => world.daemon.logs.match(/PROMO-0006/g).length > before);
    const id = await world.deliver('1.0.1');
    const failed = await world.daemon.inPhase(id, 'Failed');
    assert.match(failed.reason, reason);
    assert.ok((await world.forge.see('requests')).length < 60, 'a lasting refusal is not hammered');
    await world.invariants();
  });
}

test('faults: the base branch moves between fetch and push: the pull request stands on what it found or on the new base, and merges', async () => {
  await world.forge.do('fault', {kind: 'before', match: push, action: 'commit', with: {repository: kRepository, files: {'other.yaml': 'a: b\n'}}});
  await world.daemon.inPhase(await world.deliver('1.0.1'), 'Pending');
  await world.forge.do('merge', {repository: kRepository, number: 1});
  assert.match(await world.fileOn('main', 'qa'), /"1\.0\.1"/);
  await world.invariants();
});

test('faults: somebody pushes to the promotion branch meanwhile: it is read again and rebuilt', async () => {
  await world.daemon.inPhase(await world.deliver('1.0.1'), 'Pending');
  await world.forge.do('fault', {kind: 'before', match: push, action: 'commit', with: {repository: kRepository, branch: kBranch, files: {'stray.yaml': 'x: y\n'}}});
  await world.daemon.inPhase(await world.deliver('1.0.2'), 'Pending');
  assert.match(await world.fileOn(kBranch, 'qa'), /"1\.0\.2"/);
  await world.invariants();
});

test('faults: the branch of an open pull request is deleted by hand: the promotion ends or is done anew, never doubled', async () => {
  const id = await world.deliver('1.0.1');
  await world.daemon.inPhase(id, 'Pending');
  await world.forge.do('delete-branch', {repository: kRepository, branch: kBranch});
  await until('it is noticed', async () => (await world.daemon.promotion(id)).phase !== 'Pending');
  await world.daemon.inPhase(id, ['Failed', 'Pending']);
  await world.invariants();
});

test('faults: a pull request closed by hand ends its promotion, and the next revision gets one of its own', async () => {
  const closed = await world.deliver('1.0.1');
  await world.daemon.inPhase(closed, 'Pending');
  await world.forge.do('close', {repository: kRepository, number: 1});
  assert.match((await world.daemon.inPhase(closed, 'Failed')).reason, /closed without a merge/);
  const {location} = await world.daemon.inPhase(await world.deliver('1.0.2'), 'Pending');
  assert.deepEqual((await world.pulls({state: 'open'})).map((pull) => [pull.number, pull.html_url]), [[2, location]]);
  await world.invariants();
});

test('faults: what was closed or merged while the daemon was away is seen after the start', async () => {
  const id = await world.deliver('1.0.1');
  await world.daemon.inPhase(id, 'Pending');
  await world.daemon.kill();
  await world.forge.do('merge', {repository: kRepository, number: 1});
  await world.forge.do('delete-branch', {repository: kRepository, branch: kBranch});
  await world.start();
  await world.daemon.inPhase(id, 'Succeeded');
  await world.invariants();
});

test('faults: a base branch that has the revision by the time of the work needs no pull request', async () => {
  await world.forge.do('fault', {kind: 'hold', match: {path: 'git-upload-pack'}});
  const id = await world.deliver('1.0.1');
  await until('the fetch', async () => await world.forge.see('held') === 1);
  const text = (await world.fileOn('main', 'qa')).replace('1.0.0', '1.0.1');
  await world.forge.do('commit', {repository: kRepository, files: {[manifestOf('qa')]: text}});
  await world.forge.do('release');
  await world.daemon.inPhase(id, 'Succeeded');
  assert.deepEqual(await world.pulls(), []);
  await world.invariants();
});

test('faults: a token replaced in its file is used without a restart, also for what the old one failed', async () => {
  await world.forge.do('revoke-token', {token: kSecrets.forge});
  const failed = await world.deliver('1.0.1');
  await world.daemon.inPhase(failed, 'Failed');
  await world.forge.do('tokens', {token: 'ghp_the_new_token', login: 'promotiond-bot'});
  await world.daemon.writeSecret('flux-system', 'forge', {token: 'ghp_the_new_token'});
  process.kill(world.daemon.pid, 'SIGHUP');  // else it looks once a minute
  await world.daemon.inPhase(failed, 'Pending');
  await world.daemon.inPhase(await world.deliver('1.0.2'), 'Pending');
});

test('faults: a pull request of the same name from a fork is not adopted', async () => {
  await world.forge.do('repositories', {owner: 'mallory', name: 'fleet'});
  await world.forge.do('commit', {repository: 'mallory/fleet', branch: kBranch, from: 'main', files: {'a.yaml': 'b: c\n'}});
  await world.forge.do('open-pull', {repository: 'mallory/fleet', head: kBranch});
  const {body: theirs} = await world.forge.ask('GET', '/repos/mallory/fleet/pulls', {token: kSecrets.forge});
  await world.forge.do('fault', {...json(200, theirs), match: {method: 'GET', path: 'acme/fleet/pulls\\?'}});
  const {location} = await world.daemon.inPhase(await world.deliver('1.0.1'), 'Pending');
  assert.deepEqual((await world.pulls()).map((pull) => pull.html_url), [location]);
  await world.invariants();
});

// The reason says it, whether the promotion has failed for good or is tried again.
const reasonOf = (id, pattern) => until(`the reason ${pattern}`, async () => {
  const promotion = await world.daemon.promotion(id);
  return [promotion, ...promotion.history].some((each) => pattern.test(each.reason ?? '')) ? promotion : null;
});

test('faults: a redirect to another host is not followed there, and the reason says so', async () => {
  await world.forge.do('fault', {kind: 'status', status: 307, headers: {location: world.receiver.url}, match: {path: '^/api/'}, times: -1});
  const id = await world.deliver('1.0.1');
  await reasonOf(id, /HTTP 307.*moved to/);
  assert.deepEqual(world.receiver.deliveries, []);
  await world.forge.do('clear-faults');
});

test('faults: a forge whose certificate is not trusted never sees the token', async () => {
  await world.end();
  await begin({trusted: false});
  const id = await world.deliver('1.0.1');
  await reasonOf(id, /certificate|TLS/i);
  assert.deepEqual(await world.forge.see('requests'), []);
});
