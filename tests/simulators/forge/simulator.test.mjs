// The simulator as it runs without npm, in the quickstart: its own GraphQL must say what graphql-js says, and each fault must
// do what its name promises.
import assert from 'node:assert/strict';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {after, before, test} from 'node:test';
import {ForgeClient} from './client.mjs';
import {contractDirectory} from './setup.mjs';

const kToken = 'ghp_simulator';
let scratch;
let plain;
let strict;

async function forgeWithPull(name, contract) {
  const forge = await ForgeClient.start({root: path.join(scratch, name), tlsDirectory: path.join(scratch, 'tls'), contract});
  await forge.do('tokens', {token: kToken, login: 'bot'});
  await forge.do('repositories', {owner: 'acme', name: 'fleet', files: {'a.yaml': 'a: 1\n'}, allowAutoMerge: true,
    rules: [{type: 'required_status_checks', pattern: 'refs/heads/main', contexts: ['ci']}]});
  await forge.do('commit', {repository: 'acme/fleet', branch: 'next', from: 'main', files: {'a.yaml': 'a: 2\n'}});
  await forge.ask('POST', '/repos/acme/fleet/pulls', {token: kToken, body: {title: 'T', head: 'next', base: 'main'}});
  return forge;
}

before(async () => {
  scratch = await mkdtemp(path.join(tmpdir(), 'forge-simulator-'));
  plain = await forgeWithPull('plain');
  strict = await forgeWithPull('strict', await contractDirectory());
});
after(async () => {
  await plain?.stop();
  await strict?.stop();
  await rm(scratch, {recursive: true, force: true});
});

// Two forges differ in the ports of their addresses and in nothing else.
async function graphql(forge, query, variables) {
  const {fetch} = forge;
  const answer = await fetch(forge.graphql, {method: 'POST', headers: {authorization: `Bearer ${kToken}`, 'user-agent': 'test'}, body: JSON.stringify({query, variables})});
  return JSON.parse(await answer.text());
}

async function nodeIdOn(forge) {
  return (await forge.ask('GET', '/repos/acme/fleet/pulls/1', {token: kToken})).body.node_id;
}

const kDocuments = {
  'a query with alias and nesting': ['query($owner: String!, $name: String!) { here: repository(owner: $owner, name: $name) { nameWithOwner autoMergeAllowed pullRequest(number: 1) { number title isDraft mergeStateStatus } } }', {owner: 'acme', name: 'fleet'}],
  'an inline fragment on a node': ['query($id: ID!) { node(id: $id) { ... on PullRequest { number state headRefName } } }', {}],
  'a default of a variable': ['query($number: Int! = 1) { repository(owner: "acme", name: "fleet") { pullRequest(number: $number) { number } } }', {}],
  'a mutation with an input object': ['mutation($id: ID!) { enablePullRequestAutoMerge(input: {pullRequestId: $id, mergeMethod: SQUASH}) { pullRequest { number autoMergeRequest { mergeMethod } } } }', {}],
  'a mutation whose input is one variable': ['mutation($input: DisablePullRequestAutoMergeInput!) { disablePullRequestAutoMerge(input: $input) { pullRequest { number autoMergeRequest { mergeMethod } } } }', {input: true}],
  'a mutation that is refused': ['mutation($id: ID!) { disablePullRequestAutoMerge(input: {pullRequestId: $id}) { pullRequest { number } } }', {}],
};

for (const [name, [query, given]] of Object.entries(kDocuments)) {
  test(`simulator: without graphql-js, ${name} is answered as with it`, async () => {
    const answers = [];
    for (const forge of [plain, strict]) {
      const id = await nodeIdOn(forge);
      answers.push(await graphql(forge, query, given.input ? {input: {pullRequestId: id}} : {...given, ...(/\$id/.test(query) ? {id} : {})}));
    }
    assert.deepEqual(answers[0], answers[1]);
    assert.ok(answers[0].data);
    assert.deepEqual(await strict.see('violations'), []);
  });
}

const get = (target = '/repos/acme/fleet') => plain.ask('GET', target, {token: kToken});
const kCut = /hang up|aborted|ECONNRESET/;

test('simulator: faults hit what they match, as often as they say, and then no more', async () => {
  await plain.do('fault', {kind: 'status', status: 503, body: {message: 'no'}, match: {path: '/fleet$'}, times: 2, skip: 1});
  const statuses = [];
  for (let i = 0; i < 5; ++i) statuses.push((await get()).status);
  assert.deepEqual(statuses, [200, 503, 503, 200, 200]);
  await assert.rejects(plain.do('fault', {kind: 'explode', match: {}}), /fault kind "explode" is none of/);
});

test('simulator: cut does nothing, lose does the work and says nothing', async () => {
  const rename = (title) => plain.ask('PATCH', '/repos/acme/fleet/pulls/1', {token: kToken, body: {title}});
  const title = async () => (await get('/repos/acme/fleet/pulls/1')).body.title;
  await plain.do('fault', {kind: 'cut', match: {method: 'PATCH'}});
  await assert.rejects(rename('cut'), kCut);
  assert.equal(await title(), 'T');
  await plain.do('fault', {kind: 'lose', match: {method: 'PATCH'}});
  await assert.rejects(rename('lost'), kCut);
  assert.equal(await title(), 'lost');
});

test('simulator: a held request waits until it is released', async () => {
  await plain.do('fault', {kind: 'hold', match: {path: '/fleet$'}});
  let answered = false;
  const asked = get().then((answer) => {
    answered = true;
    return answer;
  });
  while (await plain.see('held') !== 1) assert.equal(answered, false);
  await plain.do('release');
  assert.equal((await asked).status, 200);
});

test('simulator: "before" lets somebody else be quicker', async () => {
  await plain.do('fault', {kind: 'before', match: {method: 'PATCH'}, action: 'close', with: {repository: 'acme/fleet', number: 1}});
  const {body} = await plain.ask('PATCH', '/repos/acme/fleet/pulls/1', {token: kToken, body: {title: 'late'}});
  assert.equal(body.state, 'closed');
});

test('simulator: what is asked is on record, with who asked', async () => {
  await plain.do('clear-requests');
  await plain.ask('GET', '/repos/acme/fleet?a=b', {token: kToken});
  const [entry] = await plain.see('requests');
  assert.deepEqual([entry.method, entry.path, entry.user, entry.status], ['GET', '/api/v3/repos/acme/fleet?a=b', 'bot', 200]);
});
