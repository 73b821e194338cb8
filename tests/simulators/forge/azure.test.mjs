// Microsoft's own client and git itself run against the simulator's Azure half while every message is held against the
// descriptions. If the simulator were wrong about Azure DevOps, they would not get along.
import assert from 'node:assert/strict';
import {execFile} from 'node:child_process';
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {createRequire} from 'node:module';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {after, before, beforeEach, test} from 'node:test';
import {ForgeClient, exchange} from './client.mjs';
import {contractDirectory} from './setup.mjs';

const kToken = 'azpat_scenario';
const kProject = 'My Team';
const kNobody = '00000000-0000-0000-0000-000000000000';
let scratch;
let forge;
let library;
let api;
let number = 0;
let repo;

function git(directory, ...args) {
  return new Promise((resolve, reject) => {
    execFile('git', ['-c', 'user.name=Somebody', '-c', 'user.email=somebody@example.invalid', ...args], {
      cwd: directory, env: {...process.env, GIT_SSL_CAINFO: forge.caFile, GIT_TERMINAL_PROMPT: '0', GIT_CONFIG_GLOBAL: '/dev/null'},
    }, (error, stdout, stderr) => (error ? reject(new Error(stderr)) : resolve(stdout)));
  });
}

const remote = (token = kToken) => `https://:${token}@localhost:${forge.port}/acme/My%20Team/_git/${repo}`;
const named = () => `acme/${kProject}/${repo}`;

// Clones, sets the version on a branch, pushes it; returns the commit.
async function pushVersion(branch, version) {
  const tree = await mkdtemp(path.join(scratch, 'tree-'));
  await git(scratch, 'clone', '-q', remote(), tree);
  await git(tree, 'checkout', '-q', '-b', branch);
  const file = path.join(tree, 'app.yaml');
  await writeFile(file, (await readFile(file, 'utf8')).replace(/version: .*/, `version: ${version}`));
  await git(tree, 'commit', '-q', '-a', '-m', `Promote ${version}`);
  await git(tree, 'push', '-q', 'origin', branch);
  return (await git(tree, 'rev-parse', 'HEAD')).trim();
}

const client = (token) => new library.WebApi(`${forge.url}/acme`, library.getBasicHandler('', token), {
  cert: {caFile: forge.caFile}, ignoreSslError: false, allowRetries: false,
});

// One request as it goes over the wire.
async function ask(method, target, {token = kToken, body, headers = {}} = {}) {
  const answer = await exchange(`${forge.url}${target}`, {
    method, ca: forge.ca, body: body === undefined ? undefined : JSON.stringify(body),
    headers: {'user-agent': 'forge-test', authorization: `Basic ${Buffer.from(`:${token}`).toString('base64')}`,
      ...(body === undefined ? {} : {'content-type': 'application/json'}), ...headers},
  });
  return {...answer, body: /json/.test(answer.headers['content-type'] ?? '') ? JSON.parse(answer.text) : undefined};
}

const pulls = (rest = '') => `/acme/My%20Team/_apis/git/repositories/${repo}/pullrequests${rest}`;
const noViolations = async () => assert.deepEqual(await forge.see('violations'), []);
const open = (git_, more = {}) => git_.createPullRequest({sourceRefName: 'refs/heads/promotion', targetRefName: 'refs/heads/main', title: 'Promote', description: 'why', ...more}, repo, kProject);

// Looks until it is so: a pull request goes on by one step with each look.
async function looked(git_, id, wanted) {
  for (let i = 0; i < 10; ++i) {
    const pull = await git_.getPullRequest(repo, id, kProject);
    if (wanted(pull)) return pull;
  }
  return assert.fail('it did not come to that');
}

before(async () => {
  const contract = await contractDirectory();
  scratch = await mkdtemp(path.join(tmpdir(), 'forge-azure-'));
  forge = await ForgeClient.start({root: path.join(scratch, 'repos'), tlsDirectory: path.join(scratch, 'tls'), contract});
  library = createRequire(path.join(contract, 'package.json'))('azure-devops-node-api');
  await forge.do('tokens', {token: kToken, login: 'promoter'});
  api = client(kToken);
});

beforeEach(async () => {
  number += 1;
  await forge.do('clear-violations');
  repo = `fleet-${number}`;
  await forge.do('azure-repositories', {organization: 'acme', project: kProject, name: repo, files: {'app.yaml': 'name: app\nversion: 1.0.0\n'}, members: ['reviewer']});
});

after(async () => {
  await forge?.stop();
  if (scratch) await rm(scratch, {recursive: true, force: true});
});

test('forge: Microsoft\'s client opens, finds, changes and completes a pull request, and git sees the merge', async () => {
  const git_ = await api.getGitApi();
  assert.equal((await git_.getRepository(repo, kProject)).project.name, kProject);
  const sha = await pushVersion('promotion', '1.0.1');
  const made = await open(git_);
  assert.equal(made.mergeStatus, 1, 'queued');
  assert.equal(made.lastMergeSourceCommit.commitId, sha);
  const listed = await git_.getPullRequests(repo, {sourceRefName: 'refs/heads/promotion', targetRefName: 'refs/heads/main', status: 1}, kProject, undefined, 0, 100);
  assert.deepEqual(listed.map((pull) => pull.pullRequestId), [made.pullRequestId]);
  const changed = await git_.updatePullRequest({title: 'Promote more', description: 'because'}, repo, made.pullRequestId, kProject);
  assert.equal(changed.title, 'Promote more');
  await git_.createPullRequestLabel({name: 'promotion'}, repo, made.pullRequestId, kProject);
  assert.deepEqual((await git_.getPullRequestLabels(repo, made.pullRequestId, kProject)).map((label) => label.name), ['promotion']);
  await looked(git_, made.pullRequestId, (pull) => pull.mergeStatus === 3);  // succeeded
  const asked = await git_.updatePullRequest({status: 3, lastMergeSourceCommit: {commitId: sha}, completionOptions: {mergeStrategy: 2, deleteSourceBranch: true}}, repo, made.pullRequestId, kProject);
  assert.equal(asked.status, 1, 'still active: completion is asynchronous');
  const done = await looked(git_, made.pullRequestId, (pull) => pull.status === 3);
  assert.match(await git(scratch, 'ls-remote', remote(), 'refs/heads/main'), new RegExp(`^${done.lastMergeCommit.commitId}`));
  assert.equal(await git(scratch, 'ls-remote', remote(), 'refs/heads/promotion'), '');
  const query = await git_.getPullRequestQuery({queries: [{type: 1, items: [done.lastMergeCommit.commitId]}]}, repo, kProject);
  assert.equal(query.results[0][done.lastMergeCommit.commitId][0].pullRequestId, made.pullRequestId);
  await noViolations();
});

test('forge: auto-complete is the caller\'s own, waits for the policies, and can be switched off', async () => {
  await forge.do('settings', {repository: named(), policies: [{id: 5, kind: 'build'}, {id: 6, kind: 'status', genre: 'ci', name: 'check'}, {id: 7, kind: 'reviewers'}]});
  const git_ = await api.getGitApi();
  await pushVersion('promotion', '1.0.1');
  const {pullRequestId: id} = await open(git_);
  const {authenticatedUser: me} = await (await api.getLocationsApi()).getConnectionData();
  const set = (who, strategy = 2) => git_.updatePullRequest({autoCompleteSetBy: {id: who}, completionOptions: {mergeStrategy: strategy}}, repo, id, kProject);
  await assert.rejects(set('11111111-1111-4111-8111-111111111111'), {statusCode: 400});
  assert.equal((await set(me.id)).autoCompleteSetBy.id, me.id);
  assert.equal((await set(kNobody)).autoCompleteSetBy, undefined);
  await set(me.id);
  const project = (await git_.getRepository(repo, kProject)).project.id;
  const evaluations = async () => (await (await api.getPolicyApi()).getPolicyEvaluations(kProject, `vstfs:///CodeReview/CodeReviewId/${project}/${id}`)).map((each) => each.status);
  assert.deepEqual(await evaluations(), [0, 0, 0], 'queued');
  await forge.do('azure-verdict', {repository: named(), number: id, policy: 5, verdict: 'approved'});
  await git_.createPullRequestStatus({state: 2, context: {genre: 'ci', name: 'check'}, description: 'ok'}, repo, id, kProject);
  for (let i = 0; i < 4; ++i) assert.equal((await git_.getPullRequest(repo, id, kProject)).status, 1, 'the review is missing');
  await forge.do('azure-vote', {repository: named(), number: id, login: 'reviewer', vote: 10});
  await looked(git_, id, (pull) => pull.status === 3);
  assert.deepEqual(await evaluations(), [2, 2, 2], 'approved');
  await noViolations();
});

test('forge: a conflict and a forbidden strategy keep a pull request active, and say why', async () => {
  const git_ = await api.getGitApi();
  const sha = await pushVersion('promotion', '1.0.1');
  await forge.do('commit', {repository: named(), files: {'app.yaml': 'name: app\nversion: 2.0.0\n'}});
  const {pullRequestId: id} = await open(git_);
  assert.equal((await looked(git_, id, (pull) => pull.mergeStatus !== 1)).mergeStatus, 2, 'conflicts');
  await git_.updatePullRequest({status: 2}, repo, id, kProject);
  await assert.rejects(git_.updatePullRequest({title: 'late'}, repo, id, kProject), {statusCode: 400, message: /TF401181/});
  await forge.do('settings', {repository: named(), policies: [{id: 8, kind: 'strategy', allowed: ['squash']}]});
  await forge.do('commit', {repository: named(), branch: 'other', from: 'main', files: {'new.yaml': 'a: b\n'}});
  const other = await open(git_, {sourceRefName: 'refs/heads/other'});
  await assert.rejects(git_.updatePullRequest({status: 3, lastMergeSourceCommit: {commitId: sha}}, repo, other.pullRequestId, kProject), {statusCode: 409});
  await git_.updatePullRequest({status: 3, lastMergeSourceCommit: other.lastMergeSourceCommit, completionOptions: {mergeStrategy: 1}}, repo, other.pullRequestId, kProject);
  assert.equal((await looked(git_, other.pullRequestId, (pull) => pull.mergeStatus !== 1)).mergeStatus, 4, 'rejectedByPolicy');
  await noViolations();
});

test('forge: pull requests that cannot be are refused by their typeKey', async () => {
  await pushVersion('promotion', '1.0.1');
  const create = (more) => ask('POST', pulls('?api-version=7.1'), {body: {sourceRefName: 'refs/heads/promotion', targetRefName: 'refs/heads/main', title: 'T', ...more}});
  assert.equal((await create()).status, 201);
  const refused = async (more) => {
    const {status, body} = await create(more);
    return [status, body.typeKey];
  };
  assert.deepEqual(await refused(), [409, 'GitPullRequestExistsException']);
  assert.deepEqual(await refused({sourceRefName: 'refs/heads/no'}), [400, 'GitPullRequestCannotBeActivated']);
  assert.deepEqual(await refused({description: 'x'.repeat(4001)}), [400, 'InvalidArgumentValueException']);
  assert.deepEqual(await refused({sourceRefName: 'promotion'}), [400, 'InvalidArgumentValueException']);
  assert.deepEqual(await refused({workItemRefs: [{id: '9'}]}), [409, 'GitPullRequestExistsException']);
  await noViolations();
});

test('forge: lists cut descriptions to 400 characters and come in pages', async () => {
  const git_ = await api.getGitApi();
  for (const branch of ['a', 'b', 'c']) {
    await forge.do('commit', {repository: named(), branch, from: 'main', files: {[branch]: branch}});
    await open(git_, {sourceRefName: `refs/heads/${branch}`, title: branch, description: 'd'.repeat(1000)});
  }
  const [first] = await git_.getPullRequests(repo, {status: 1}, kProject, undefined, 1, 1);
  assert.equal(first.title, 'b');
  assert.equal(first.description.length, 400);
  assert.equal((await git_.getPullRequest(repo, first.pullRequestId, kProject)).description.length, 1000);
  await noViolations();
});

test('forge: refused refs are answered with 200, each with its own verdict', async () => {
  await forge.do('rules', {repository: named(), rules: [{type: 'creation', pattern: 'refs/heads/locked*'}]});
  const git_ = await api.getGitApi();
  const [main] = await git_.getRefs(repo, kProject, 'heads/main');
  const zero = '0'.repeat(40);
  const results = await git_.updateRefs([
    {name: 'refs/heads/mine', oldObjectId: zero, newObjectId: main.objectId}, {name: 'refs/heads/locked', oldObjectId: zero, newObjectId: main.objectId},
    {name: 'refs/heads/main', oldObjectId: zero, newObjectId: main.objectId}], repo, kProject);
  assert.deepEqual(results.map((each) => each.success), [true, false, false]);
  await noViolations();
});

test('forge: a token that is no good is shown the way to the sign-in page', async () => {
  const suppress = {'x-tfs-fedauthredirect': 'Suppress'};
  const listed = await ask('GET', pulls('?api-version=7.1'), {token: 'expired', headers: suppress});
  assert.deepEqual([listed.status, listed.headers['content-type']], [203, 'text/html; charset=utf-8']);
  const followed = await ask('GET', pulls('?api-version=7.1'), {token: 'expired'});
  assert.equal(followed.status, 302);
  assert.match(followed.headers.location, /_signin/);
  const changed = await ask('PATCH', pulls('/1?api-version=7.1'), {token: 'expired', body: {title: 'T'}, headers: suppress});
  assert.deepEqual([changed.status, changed.body.typeKey], [401, 'UnauthorizedRequestException']);
  await assert.rejects(git(scratch, 'ls-remote', remote('expired')), /Authentication failed/);
  await noViolations();
});

test('forge: a token of Entra is a bearer token, for the API and for git', async () => {
  await forge.do('tokens', {token: 'eyJ0.entra', login: 'service', bearer: true});
  assert.equal((await ask('GET', pulls('?api-version=7.1'), {headers: {authorization: 'Bearer eyJ0.entra'}})).status, 200);
  assert.equal((await ask('GET', pulls('?api-version=7.1'), {token: 'eyJ0.entra'})).status, 302);
  const plain = `https://localhost:${forge.port}/acme/My%20Team/_git/${repo}`;
  assert.match(await git(scratch, '-c', 'http.extraHeader=Authorization: Bearer eyJ0.entra', 'ls-remote', plain), /refs\/heads\/main/);
});

test('forge: what a token may not do is refused as Azure refuses it', async () => {
  await forge.do('tokens', {token: 'reader', login: 'reader', permissions: {code: 'read'}});
  await forge.do('tokens', {token: 'stranger', login: 'stranger', repositories: []});
  const body = {sourceRefName: 'refs/heads/a', targetRefName: 'refs/heads/main', title: 'T'};
  const verdict = async (token) => {
    const answer = await ask('POST', pulls('?api-version=7.1'), {token, body});
    return [answer.status, answer.body.typeKey];
  };
  assert.deepEqual(await verdict('reader'), [403, 'GitNeedsPermissionException']);
  assert.deepEqual(await verdict('stranger'), [404, 'GitRepositoryNotFoundException']);
  const tree = path.join(scratch, `reader-${number}`);
  await git(scratch, 'clone', '-q', remote('reader'), tree);
  await assert.rejects(git(tree, 'push', '-q', 'origin', 'main:refs/heads/mine'), /403/);
  await forge.do('rules', {repository: named(), rules: [{type: 'pull_request', pattern: 'refs/heads/main'}]});
  await git(tree, 'commit', '-q', '--allow-empty', '-m', 'direct');
  await assert.rejects(git(tree, 'push', '-q', remote(), 'main'), /TF402455/);
});

test('forge: what Azure does not take is ignored silently', async () => {
  const git_ = await api.getGitApi();
  await pushVersion('promotion', '1.0.1');
  const {pullRequestId: id} = await open(git_);
  await forge.do('settings', {repository: named(), ignores: ['title']});
  const {status, body} = await ask('PATCH', pulls(`/${id}?api-version=7.1`), {body: {title: 'New', description: 'new'}});
  assert.deepEqual([status, body.title, body.description], [200, 'Promote', 'new']);
});

test('forge: a limit is announced beside the answer first', async () => {
  await forge.do('azure-throttle', {retryAfter: 7});
  const {status, headers} = await ask('GET', pulls('?api-version=7.1'));
  assert.deepEqual([status, headers['retry-after'], headers['x-ratelimit-remaining']], [200, '7', '0']);
});

// Last, because it makes violations: the contract must be able to fail.
test('forge: a client that misspells Azure\'s API is reported', async () => {
  await ask('GET', pulls('?searchCriteria.sourceBranch=x&api-version=7.1'));
  await ask('GET', pulls());
  await ask('GET', pulls('?searchCriteria.status=open&api-version=7.1'));
  await ask('POST', pulls('?api-version=7.1'), {body: {sourceRefName: 'refs/heads/a', targetRefName: 'refs/heads/main', title: 'T', draft: true}});
  await ask('POST', pulls('?api-version=7.1'), {body: {sourceRefName: 'refs/heads/a', title: 7}});
  await ask('GET', '/acme/_apis/gitt?api-version=7.1');
  const messages = (await forge.see('violations')).map((each) => `${each.side}: ${each.message}`);
  for (const expected of [/unknown query parameter "searchCriteria.sourceBranch"/, /names no api-version/, /unknown member \/draft/, /\/targetRefName is missing/, /\/title is no string/, /is no operation/]) {
    assert.ok(messages.some((message) => expected.test(message)), `${expected} in ${messages.join('; ')}`);
  }
});
