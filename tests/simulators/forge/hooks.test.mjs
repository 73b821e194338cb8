// The webhooks that the simulator sends: of the shapes that GitHub describes, signed as GitHub documents, and never twice.
import assert from 'node:assert/strict';
import {mkdtemp, rm} from 'node:fs/promises';
import http from 'node:http';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {after, before, beforeEach, test} from 'node:test';
import {ForgeClient} from './client.mjs';
import {signatureOf} from './hooks.mjs';
import {contractDirectory} from './setup.mjs';

const kSecret = 'the-key-of-the-hooks';
const kRepository = 'acme/fleet';
let scratch;
let forge;
let receiver;
let got = [];

before(async () => {
  scratch = await mkdtemp(path.join(tmpdir(), 'forge-hooks-'));
  forge = await ForgeClient.start({root: path.join(scratch, 'repos'), tlsDirectory: path.join(scratch, 'tls'), contract: await contractDirectory()});
  receiver = http.createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    got.push({headers: request.headers, text: Buffer.concat(chunks).toString('utf8')});
    response.writeHead(202).end();
  });
  await new Promise((resolve) => { receiver.listen(0, '127.0.0.1', resolve); });
});
after(async () => {
  await forge?.stop();
  receiver?.closeAllConnections();
  receiver?.close();
  await rm(scratch, {recursive: true, force: true});
});

const subscribe = (kind) => forge.do('hooks', {forge: kind, url: `http://127.0.0.1:${receiver.address().port}/`, secret: kSecret});
const commit = (repository) => forge.do('commit', {repository, branch: 'next', from: 'main', files: {'a.yaml': 'a: 2\n'}});

beforeEach(async () => {
  await forge.do('reset');
  got = [];
});

test('hooks: a signature is the one that GitHub documents', () => {
  assert.equal(signatureOf("It's a Secret to Everybody", 'Hello, World!'), 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17');
});

test('hooks: statuses, checks, reviews and merges on GitHub are told as GitHub describes them, signed', async () => {
  await forge.do('repositories', {owner: 'acme', name: 'fleet', files: {'a.yaml': 'a: 1\n'}});
  await commit(kRepository);
  const {number} = await forge.do('open-pull', {repository: kRepository, head: 'next'});
  await subscribe('github');
  await forge.do('status', {repository: kRepository, branch: 'next', context: 'ci', state: 'pending'});
  await forge.do('check-run', {repository: kRepository, branch: 'next', name: 'build', status: 'queued'});
  await forge.do('check-run', {repository: kRepository, branch: 'next', name: 'build', conclusion: 'success'});
  await forge.do('approve', {repository: kRepository, number});
  await forge.do('merge', {repository: kRepository, number});
  const sent = ['status', 'check_run.created', 'check_run.completed', 'pull_request_review.submitted', 'pull_request.closed'];
  assert.deepEqual((await forge.see('deliveries')).map(({event, status}) => [event, status]), sent.map((event) => [event, 202]));
  for (const {headers, text} of got) assert.equal(headers['x-hub-signature-256'], signatureOf(kSecret, text));
  const closed = JSON.parse(got.at(-1).text);
  assert.deepEqual([closed.action, closed.pull_request.merged, closed.number], ['closed', true, number]);
  assert.deepEqual(await forge.see('violations'), []);
});

test('hooks: what leaves the merge queue is told with the reason', async () => {
  await forge.do('repositories', {owner: 'acme', name: 'fleet', files: {'a.yaml': 'a: 1\n'}, allowAutoMerge: true, rules: [{type: 'merge_queue', pattern: 'refs/heads/main'}]});
  await forge.do('tokens', {token: 'ghp_hooks', login: 'bot'});
  await commit(kRepository);
  await forge.do('open-pull', {repository: kRepository, head: 'next'});
  const {body} = await forge.ask('GET', '/repos/acme/fleet/pulls/1', {token: 'ghp_hooks'});
  const query = 'mutation($id: ID!) { enablePullRequestAutoMerge(input: {pullRequestId: $id}) { pullRequest { number } } }';
  await forge.fetch(forge.graphql, {method: 'POST', headers: {authorization: 'Bearer ghp_hooks', 'user-agent': 'test'}, body: JSON.stringify({query, variables: {id: body.node_id}})});
  await forge.do('status', {repository: kRepository, branch: 'next', state: 'success'});
  await subscribe('github');
  await forge.do('merge-queue', {repository: kRepository, number: 1, outcome: 'removed', reason: 'failed checks'});
  assert.deepEqual((await forge.see('deliveries')).map(({event}) => event), ['pull_request.dequeued', 'merge_group.destroyed']);
  assert.equal(JSON.parse(got[0].text).reason, 'CI_FAILURE');
  assert.deepEqual(await forge.see('violations'), []);
});

test('hooks: a completion on Azure DevOps is told with the password, as its pull request is answered', async () => {
  const azure = {organization: 'acme', project: 'My Team', name: 'fleet', files: {'a.yaml': 'a: 1\n'}};
  await forge.do('azure-repositories', azure);
  await commit('acme/My Team/fleet');
  const {number} = await forge.do('open-pull', {repository: 'acme/My Team/fleet', head: 'next'});
  await subscribe('azure');
  await forge.do('merge', {repository: 'acme/My Team/fleet', number});
  assert.deepEqual((await forge.see('deliveries')).map(({event, status}) => [event, status]), [['git.pullrequest.merged', 202], ['git.pullrequest.updated', 202]]);
  const {resource, publisherId} = JSON.parse(got[0].text);
  assert.deepEqual([publisherId, resource.status, resource.mergeStatus, resource.pullRequestId], ['tfs', 'completed', 'succeeded', number]);
  assert.equal(got[0].headers.authorization, `Basic ${Buffer.from(`hooks:${kSecret}`).toString('base64')}`);
  assert.deepEqual(await forge.see('violations'), []);
});

test('hooks: one that nobody takes is lost, and nothing else with it', async () => {
  await forge.do('repositories', {owner: 'acme', name: 'fleet', files: {'a.yaml': 'a: 1\n'}});
  await commit(kRepository);
  await forge.do('open-pull', {repository: kRepository, head: 'next'});
  await forge.do('hooks', {forge: 'github', url: 'http://127.0.0.1:1/', secret: kSecret});
  await forge.do('merge', {repository: kRepository, number: 1});
  const [{status, error}] = await forge.see('deliveries');
  assert.equal(status, null);
  assert.match(error, /ECONNREFUSED/);
  assert.deepEqual(await forge.see('violations'), []);
});
