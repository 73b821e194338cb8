// GitHub's own client and git itself run against the simulator while every message is held against GitHub's descriptions.
// If the simulator were wrong about GitHub, they would not get along.
import assert from 'node:assert/strict';
import {execFile} from 'node:child_process';
import {createSign, generateKeyPairSync} from 'node:crypto';
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {after, before, beforeEach, test} from 'node:test';
import {pathToFileURL} from 'node:url';
import {ForgeClient} from './client.mjs';
import {contractDirectory} from './setup.mjs';

const kOwner = 'acme';
const kToken = 'ghp_octokit_scenario';
let scratch;
let forge;
let Octokit;
let octokit;
let number = 0;
let repo;

function git(directory, ...args) {
  return new Promise((resolve, reject) => {
    execFile('git', ['-c', 'user.name=Somebody', '-c', 'user.email=somebody@example.invalid', ...args], {
      cwd: directory, env: {...process.env, GIT_SSL_CAINFO: forge.caFile, GIT_TERMINAL_PROMPT: '0', GIT_CONFIG_GLOBAL: '/dev/null'},
    }, (error, stdout, stderr) => (error ? reject(new Error(stderr)) : resolve(stdout)));
  });
}

const remote = (token = kToken) => `https://x-access-token:${token}@localhost:${forge.port}/${kOwner}/${repo}.git`;

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

async function noViolations() {
  assert.deepEqual(await forge.see('violations'), []);
}

before(async () => {
  const contract = await contractDirectory();
  scratch = await mkdtemp(path.join(tmpdir(), 'forge-octokit-'));
  forge = await ForgeClient.start({root: path.join(scratch, 'repos'), tlsDirectory: path.join(scratch, 'tls'), contract});
  ({Octokit} = await import(pathToFileURL(path.join(contract, 'node_modules/@octokit/rest/dist-src/index.js'))));
  await forge.do('tokens', {token: kToken, login: 'promoter'});
  octokit = client(kToken);
});

const client = (auth) => new Octokit({auth, baseUrl: forge.api, request: {fetch: forge.fetch}, log: {debug() {}, info() {}, warn() {}, error() {}}});

beforeEach(async () => {
  number += 1;
  await forge.do('clear-violations');
  repo = `fleet-${number}`;
  await forge.do('repositories', {owner: kOwner, name: repo, files: {'app.yaml': 'name: app\nversion: 1.0.0\n'}, collaborators: ['reviewer'], allowAutoMerge: true});
});

after(async () => {
  await forge?.stop();
  if (scratch) await rm(scratch, {recursive: true, force: true});
});

test('forge: Octokit opens, finds, changes and merges a pull request, and git sees the merge', async () => {
  const here = {owner: kOwner, repo};
  assert.equal((await octokit.repos.get(here)).data.default_branch, 'main');
  const sha = await pushVersion('promotion', '1.0.1');
  const {data: made, status} = await octokit.pulls.create({...here, title: 'Promote', body: 'why', head: 'promotion', base: 'main'});
  assert.equal(status, 201);
  assert.equal(made.head.sha, sha);
  const {data: listed} = await octokit.pulls.list({...here, state: 'open', head: `${kOwner}:promotion`, base: 'main', per_page: 100});
  assert.deepEqual(listed.map((pull) => pull.number), [made.number]);
  await octokit.pulls.update({...here, pull_number: made.number, title: 'Promote more', body: 'because'});
  await octokit.issues.addLabels({...here, issue_number: made.number, labels: ['promotion']});
  await octokit.pulls.requestReviewers({...here, pull_number: made.number, reviewers: ['reviewer']});
  await octokit.issues.addAssignees({...here, issue_number: made.number, assignees: ['reviewer', 'stranger']});
  await octokit.repos.createCommitStatus({...here, sha, state: 'success', context: 'ci'});
  await octokit.checks.create({...here, head_sha: sha, name: 'build', status: 'completed', conclusion: 'success'});
  assert.equal((await octokit.repos.getCombinedStatusForRef({...here, ref: sha})).data.state, 'success');
  assert.equal((await octokit.checks.listForRef({...here, ref: sha, filter: 'latest'})).data.total_count, 1);
  const {data: pull} = await octokit.pulls.get({...here, pull_number: made.number});
  assert.deepEqual([pull.title, pull.mergeable, pull.mergeable_state, pull.labels[0].name, pull.requested_reviewers[0].login, pull.assignees.length, pull.changed_files],
    ['Promote more', true, 'clean', 'promotion', 'reviewer', 1, 1]);
  const {data: merged} = await octokit.pulls.merge({...here, pull_number: made.number, sha, merge_method: 'squash'});
  assert.match(await git(scratch, 'ls-remote', remote(), 'refs/heads/main'), new RegExp(`^${merged.sha}`));
  const {data: of} = await octokit.repos.listPullRequestsAssociatedWithCommit({...here, commit_sha: merged.sha});
  assert.deepEqual(of.map((each) => [each.number, each.state]), [[made.number, 'closed']]);
  await noViolations();
});

test('forge: an unchanged pull request is answered 304 to its entity tag', async () => {
  await pushVersion('promotion', '1.0.1');
  await octokit.pulls.create({owner: kOwner, repo, title: 'T', head: 'promotion', base: 'main'});
  const get = (headers) => octokit.request('GET /repos/{owner}/{repo}/pulls/{pull_number}', {owner: kOwner, repo, pull_number: 1, headers});
  const {headers} = await get({});
  await assert.rejects(get({'if-none-match': headers.etag}), {status: 304});
  await octokit.pulls.update({owner: kOwner, repo, pull_number: 1, title: 'New'});
  assert.equal((await get({'if-none-match': headers.etag})).data.title, 'New');
  await noViolations();
});

test('forge: pull requests that cannot be are refused in GitHub\'s words', async () => {
  const here = {owner: kOwner, repo, title: 'T'};
  await pushVersion('promotion', '1.0.1');
  await forge.do('commit', {repository: `${kOwner}/${repo}`, branch: 'same', from: 'main', files: {}});
  await octokit.pulls.create({...here, head: 'promotion', base: 'main'});
  const refused = async (parameters) => octokit.pulls.create({...here, ...parameters}).then(() => assert.fail('created'), (error) => error);
  assert.equal((await refused({head: 'promotion', base: 'main'})).response.data.errors[0].message, 'A pull request already exists for acme:promotion.');
  assert.equal((await refused({head: 'promotion', base: 'no'})).response.data.message, "Proposed base branch 'no' was not found");
  assert.deepEqual((await refused({head: 'no', base: 'main'})).response.data.errors, [{resource: 'PullRequest', field: 'head', code: 'invalid'}]);
  await forge.do('delete-branch', {repository: `${kOwner}/${repo}`, branch: 'promotion'});
  assert.equal((await octokit.pulls.get({owner: kOwner, repo, pull_number: 1})).data.state, 'closed');
  await noViolations();
});

test('forge: auto-merge waits for the required status and then merges', async () => {
  await forge.do('rules', {repository: `${kOwner}/${repo}`, rules: [{type: 'required_status_checks', pattern: 'refs/heads/main', contexts: ['ci']}]});
  const {data: rules} = await octokit.repos.getBranchRules({owner: kOwner, repo, branch: 'main'});
  assert.equal(rules[0].type, 'required_status_checks');
  const sha = await pushVersion('promotion', '1.0.1');
  const {data: made} = await octokit.pulls.create({owner: kOwner, repo, title: 'T', head: 'promotion', base: 'main'});
  const state = await octokit.graphql('query($id: ID!) { node(id: $id) { ... on PullRequest { number mergeStateStatus } } }', {id: made.node_id});
  assert.deepEqual(state.node, {number: made.number, mergeStateStatus: 'BLOCKED'});
  await octokit.graphql(`mutation($id: ID!, $oid: GitObjectID) {
    enablePullRequestAutoMerge(input: {pullRequestId: $id, mergeMethod: SQUASH, expectedHeadOid: $oid}) { pullRequest { autoMergeRequest { mergeMethod } } }
  }`, {id: made.node_id, oid: sha});
  const get = async () => (await octokit.pulls.get({owner: kOwner, repo, pull_number: made.number})).data;
  assert.equal((await get()).auto_merge.merge_method, 'squash');
  await octokit.repos.createCommitStatus({owner: kOwner, repo, sha, state: 'success', context: 'ci'});
  assert.equal((await get()).merged, true);
  await noViolations();
});

test('forge: auto-merge where it is not possible is a GraphQL error in a 200', async () => {
  await pushVersion('promotion', '1.0.1');
  const {data: made} = await octokit.pulls.create({owner: kOwner, repo, title: 'T', head: 'promotion', base: 'main'});
  const enable = () => octokit.graphql('mutation($id: ID!) { enablePullRequestAutoMerge(input: {pullRequestId: $id}) { clientMutationId } }', {id: made.node_id});
  await assert.rejects(enable(), /Protected branch rules not configured/);
  await forge.do('settings', {repository: `${kOwner}/${repo}`, allowAutoMerge: false});
  await assert.rejects(enable(), /Auto merge is not allowed for this repository/);
  await noViolations();
});

test('forge: an App\'s signed token is exchanged for one that opens only its repositories', async () => {
  const {publicKey, privateKey} = generateKeyPairSync('rsa', {modulusLength: 2048});
  await forge.do('apps', {id: 77, account: kOwner, publicKey: publicKey.export({type: 'spki', format: 'pem'}), repositories: [repo]});
  const now = Math.floor(Date.now() / 1000);
  const signed = (claims) => {
    const text = [{alg: 'RS256', typ: 'JWT'}, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
    return `${text}.${createSign('RSA-SHA256').update(text).sign(privateKey, 'base64url')}`;
  };
  const app = client(signed({iat: now - 60, exp: now + 540, iss: '77'}));
  const {data: installation} = await app.apps.getRepoInstallation({owner: kOwner, repo});
  const {data: granted} = await app.apps.createInstallationAccessToken({installation_id: installation.id, repositories: [repo]});
  assert.equal((await client(granted.token).repos.get({owner: kOwner, repo})).data.name, repo);
  await assert.rejects(client(granted.token).repos.get({owner: kOwner, repo: 'fleet-1'}), {status: 404});
  await assert.rejects(client(signed({iat: now - 60, exp: now + 3600, iss: '77'})).apps.getRepoInstallation({owner: kOwner, repo}), {status: 401});
  assert.match(await git(scratch, 'ls-remote', remote(granted.token)), /refs\/heads\/main/);
  await noViolations();
});

test('forge: what a credential may not do is refused as GitHub refuses it', async () => {
  await forge.do('tokens', {token: 'reader', login: 'reader', permissions: {contents: 'read', pull_requests: 'read'}});
  const here = {owner: kOwner, repo};
  await pushVersion('promotion', '1.0.1');
  await assert.rejects(client('wrong').repos.get(here), {status: 401, message: /Bad credentials/});
  await assert.rejects(client().repos.get(here), {status: 404});
  await assert.rejects(client('reader').pulls.create({...here, title: 'T', head: 'promotion', base: 'main'}), {status: 403, message: /Resource not accessible/});
  const tree = path.join(scratch, `reader-${number}`);
  await git(scratch, 'clone', '-q', remote('reader'), tree);
  await assert.rejects(git(tree, 'push', '-q', 'origin', 'main:refs/heads/mine'), /403/);
  await assert.rejects(git(scratch, 'ls-remote', remote('wrong')), /Authentication failed/);
  await noViolations();
});

test('forge: rules of a branch refuse pushes with GH013', async () => {
  await forge.do('rules', {repository: `${kOwner}/${repo}`, rules: [{type: 'pull_request', pattern: 'refs/heads/main'}, {type: 'creation', pattern: 'refs/heads/promotion*'}]});
  const tree = path.join(scratch, `rules-${number}`);
  await git(scratch, 'clone', '-q', remote(), tree);
  await git(tree, 'commit', '-q', '--allow-empty', '-m', 'direct');
  await assert.rejects(git(tree, 'push', '-q', 'origin', 'main'), /GH013/);
  await assert.rejects(git(tree, 'push', '-q', 'origin', 'main:promotion-1'), /GH013/);
  await git(tree, 'push', '-q', 'origin', 'main:other');
});

test('forge: pages are linked, and limits are announced and enforced', async () => {
  for (const branch of ['a', 'b', 'c']) {
    await forge.do('commit', {repository: `${kOwner}/${repo}`, branch, from: 'main', files: {[branch]: branch}});
    await octokit.pulls.create({owner: kOwner, repo, title: branch, head: branch, base: 'main'});
  }
  const pulls = await octokit.paginate(octokit.pulls.list, {owner: kOwner, repo, per_page: 1});
  assert.deepEqual(pulls.map((pull) => pull.title), ['c', 'b', 'a']);
  await forge.do('tokens', {token: 'poor', login: 'poor'});
  await forge.do('rate-limit', {token: 'poor', remaining: 1, resetIn: 100});
  assert.equal((await client('poor').repos.get({owner: kOwner, repo})).headers['x-ratelimit-remaining'], '0');
  await assert.rejects(client('poor').repos.get({owner: kOwner, repo}), {status: 403, message: /rate limit exceeded/});
  await noViolations();
});

test('forge: a lost answer leaves the work done, half a body does not parse', async () => {
  await pushVersion('promotion', '1.0.1');
  await forge.do('fault', {kind: 'lose', match: {method: 'POST', path: '/pulls$'}});
  const create = () => octokit.pulls.create({owner: kOwner, repo, title: 'T', head: 'promotion', base: 'main'});
  await assert.rejects(create(), /socket hang up/);
  await assert.rejects(create(), {status: 422, message: /already exists/});
  await forge.do('fault', {kind: 'half', match: {path: '/pulls/1$'}});
  await assert.rejects(octokit.pulls.get({owner: kOwner, repo, pull_number: 1}), /aborted|hang up/);
  assert.deepEqual(await forge.see('faults'), []);
  await noViolations();
});

// Last, because it makes violations: the contract must be able to fail.
test('forge: a client that misspells GitHub\'s API is reported', async () => {
  const ask = (method, target, body) => forge.ask(method, `/repos/${kOwner}/${repo}${target}`, {token: kToken, body});
  await ask('GET', '/pulls?heads=acme:x');
  await ask('GET', '/pulls?state=merged');
  await ask('POST', '/pulls', {title: 'T', head: 'x', base: 'main', drafty: true});
  await ask('POST', '/pulls', {title: 'T', head: 'x', base: 'main', draft: 'yes'});
  await ask('GET', '/pullz');
  await octokit.graphql('mutation { enablePullRequestAutoMerge(input: {pullRequestId: "x", mergeMethod: squash}) { clientMutationId } }').catch(() => {});
  const messages = (await forge.see('violations')).map((each) => `${each.side}: ${each.message}`);
  for (const expected of [/unknown query parameter "heads"/, /must be equal to one of the allowed values/, /unknown member \/drafty/, /must be boolean/, /is no operation of GitHub/, /MergeMethod|squash/]) {
    assert.ok(messages.some((message) => expected.test(message)), `${expected} in ${messages.join('; ')}`);
  }
});
