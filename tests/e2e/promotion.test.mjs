// The life of promotions, seen from outside: events in, pull requests and webhooks out.
import assert from 'node:assert/strict';
import {generateKeyPairSync} from 'node:crypto';
import {afterEach, beforeEach, test} from 'node:test';
import {ask, eventHeaders, helmReleaseEvent, idOf, until} from './daemon.mjs';
import {World, byPullRequest, byWebhook, kRepository, kSecrets, pipeline} from './world.mjs';

let world;
beforeEach(async () => { world = await World.make(); });
afterEach(() => world?.end());

const kQaBranch = 'promotion-flux-system-podinfo-qa';

async function withPullRequests(more) {
  await world.daemon.writePipeline('podinfo', pipeline(byPullRequest(world.forge, more)));
  await world.start();
}

test('e2e: a signed event becomes one pull request that changes one line', async () => {
  await withPullRequests();
  const id = await world.deliver('1.0.1');
  const promotion = await world.daemon.inPhase(id, 'Pending');
  const [pull, ...others] = await world.pulls({state: 'open'});
  assert.deepEqual(others, []);
  assert.equal(pull.title, 'Promote flux-system/podinfo in qa to 1.0.1');
  assert.match(pull.body, /<summary>metadata<\/summary>/);
  assert.match(pull.body, /flux-system\/podinfo\/qa/);
  assert.equal(pull.head.ref, kQaBranch);
  assert.equal(promotion.location, pull.html_url);
  const {diff} = await world.forge.see('diff', {repository: kRepository, head: kQaBranch});
  const changed = diff.split('\n').filter((line) => /^[+-](?![+-])/.test(line));
  assert.deepEqual(changed, [
    '-      version: "1.0.0" # {"$promotion": "flux-system:podinfo:qa"}', '+      version: "1.0.1" # {"$promotion": "flux-system:podinfo:qa"}']);
  assert.ok(promotion.history.length >= 3, 'queued, running, pending');
  await world.invariants();
});

test('e2e: a merged pull request succeeds, and the next environment follows', async () => {
  await withPullRequests();
  const toQa = await world.deliver('1.0.1');
  await world.daemon.inPhase(toQa, 'Pending');
  await world.forge.do('merge', {repository: kRepository, number: 1});
  await world.daemon.inPhase(toQa, 'Succeeded');
  const toProd = await world.deliver('1.0.1', {environment: 'qa'});
  assert.notEqual(toProd, toQa);
  await world.daemon.inPhase(toProd, 'Pending');
  await world.forge.do('merge', {repository: kRepository, number: 2});
  await world.daemon.inPhase(toProd, 'Succeeded');
  assert.match(await world.fileOn('main', 'prod'), /"1\.0\.1"/);
  await world.invariants();
});

test('e2e: a pull request closed by hand fails its promotion and is not opened again', async () => {
  await withPullRequests();
  const id = await world.deliver('1.0.1');
  await world.daemon.inPhase(id, 'Pending');
  await world.forge.do('close', {repository: kRepository, number: 1});
  const failed = await world.daemon.inPhase(id, 'Failed');
  assert.match(failed.reason, /closed/i);
  assert.equal((await world.pulls({state: 'open'})).length, 0);
  await world.invariants();
});

test('e2e: the same event a hundred times at once is one promotion', async () => {
  await withPullRequests();
  const ids = await Promise.all(Array.from({length: 100}, () => world.deliver('1.0.1')));
  assert.equal(new Set(ids).size, 1);
  await world.daemon.inPhase(ids[0], 'Pending');
  assert.equal((await world.daemon.promotions()).length, 1);
  assert.equal((await world.pulls()).length, 1);
  await world.invariants();
});

test('e2e: a newer revision takes over the open pull request', async () => {
  await withPullRequests();
  const older = await world.deliver('1.0.1');
  await world.daemon.inPhase(older, 'Pending');
  const newer = await world.deliver('1.0.2');
  await world.daemon.inPhase(newer, 'Pending');
  await world.daemon.inPhase(older, 'Superseded');
  const pulls = await world.pulls();
  assert.deepEqual(pulls.map((pull) => [pull.number, pull.title]), [[1, 'Promote flux-system/podinfo in qa to 1.0.2']]);
  assert.match(await world.fileOn(kQaBranch, 'qa'), /"1\.0\.2"/);
  const {diff} = await world.forge.see('diff', {repository: kRepository, head: kQaBranch});
  assert.equal(diff.split('\n').filter((line) => /^\+(?!\+)/.test(line)).length, 1, 'the branch is rebuilt on the base, not stacked');
  await world.invariants();
});

test('e2e: events that are no success promote nothing', async () => {
  await withPullRequests();
  for (const [reason, severity] of [['UpgradeFailed', 'error'], ['RollbackSucceeded', 'info'], ['TestFailed', 'error']]) {
    const body = helmReleaseEvent({revision: '9.9.9', reason, severity});
    const answer = await world.daemon.sendEvent('flux-system/podinfo', 'dev', body, {key: kSecrets.events});
    assert.ok(answer.status >= 200 && answer.status < 300, `${reason}: ${answer.status} ${answer.text}`);
  }
  assert.deepEqual(await world.daemon.promotions(), []);
  assert.deepEqual(await world.pulls(), []);
  await world.invariants();
});

test('e2e: unsigned, wrongly signed and unknown are answered alike, and the next good event works', async () => {
  await withPullRequests();
  const body = helmReleaseEvent({revision: '1.0.1'});
  const statuses = [];
  for (const [name, headers] of [['podinfo', eventHeaders(body)], ['podinfo', eventHeaders(body, 'wrong')], ['nobody', eventHeaders(body, 'wrong')]]) {
    statuses.push((await ask(world.daemon.address, 'POST', `/promotion/flux-system/${name}/dev`, {headers, body})).status);
  }
  assert.deepEqual(statuses, [401, 401, 401]);
  await world.daemon.inPhase(await world.deliver('1.0.1'), 'Pending');
  await world.invariants();
});

test('e2e: labels, reviewers and assignees are set as the Pipeline asks', async () => {
  await withPullRequests('    labels: [promotion, qa]\n    reviewers: [reviewer]\n    assignees: [reviewer]\n');
  await world.daemon.inPhase(await world.deliver('1.0.1'), 'Pending');
  const [pull] = await until('the labels', async () => {
    const open = await world.pulls({state: 'open'});
    return open[0]?.labels.length === 2 && open[0].requested_reviewers.length === 1 && open[0].assignees.length === 1 ? open : null;
  });
  assert.deepEqual(pull.labels.map((label) => label.name).sort(), ['promotion', 'qa']);
  await world.invariants();
});

test('e2e: labels that cannot be set are a warning, and the pull request stands', async () => {
  await withPullRequests('    labels: [promotion]\n');
  await world.forge.do('fault', {kind: 'status', status: 403, body: {message: 'Resource not accessible by personal access token'}, match: {path: '/labels$'}, times: -1});
  const id = await world.deliver('1.0.1');
  await world.daemon.inPhase(id, 'Pending');
  assert.equal((await world.pulls({state: 'open'})).length, 1);
  await until('the warning', () => /level=warn[^\n]*cannot add labels: HTTP 403/.test(world.daemon.logs));
  await world.invariants();
});

test('e2e: labels of a person stay, and a newer revision does not add its own twice', async () => {
  await withPullRequests('    labels: [promotion]\n');
  await world.daemon.inPhase(await world.deliver('1.0.1'), 'Pending');
  const byHand = await world.forge.ask('POST', `/repos/${kRepository}/issues/1/labels`, {token: kSecrets.forge, body: {labels: ['hold']}});
  assert.equal(byHand.status, 200);
  await world.daemon.inPhase(await world.deliver('1.0.2'), 'Pending');
  const [pull] = await world.pulls({state: 'open'});
  assert.deepEqual(pull.labels.map((label) => label.name).sort(), ['hold', 'promotion']);
  assert.equal((await world.forge.see('requests', {method: 'POST', path: '/labels$'})).length, 2, 'ours once, and the person\'s');
  await world.invariants();
});

test('e2e: auto-merge merges once the required check has passed', async () => {
  await world.forge.do('settings', {repository: kRepository, allowAutoMerge: true});
  await world.forge.do('rules', {repository: kRepository, rules: [{type: 'required_status_checks', pattern: 'refs/heads/main', contexts: ['ci']}]});
  await withPullRequests('    autoMerge: true\n    mergeMethod: squash\n');
  const id = await world.deliver('1.0.1');
  await world.daemon.inPhase(id, 'Pending');
  await until('auto-merge is on', async () => (await world.forge.see('pulls', {repository: kRepository}))[0].autoMerge?.method === 'squash');
  await world.forge.do('status', {repository: kRepository, branch: kQaBranch, context: 'ci', state: 'success'});
  await world.daemon.inPhase(id, 'Succeeded');
  assert.match(await world.fileOn('main', 'qa'), /"1\.0\.1"/);
  await world.invariants();
});

test('e2e: auto-merge merges at once what nothing stands in the way of', async () => {
  await withPullRequests('    autoMerge: true\n');
  await world.daemon.inPhase(await world.deliver('1.0.1'), 'Succeeded');
  assert.match(await world.fileOn('main', 'qa'), /"1\.0\.1"/);
  await world.invariants();
});

test('e2e: a repository that does not allow auto-merge still gets its pull request', async () => {
  await world.forge.do('rules', {repository: kRepository, rules: [{type: 'required_status_checks', pattern: 'refs/heads/main', contexts: ['ci']}]});
  await withPullRequests('    autoMerge: true\n');
  await world.daemon.inPhase(await world.deliver('1.0.1'), 'Pending');
  assert.equal((await world.pulls({state: 'open'})).length, 1);
  await world.invariants();
});

const required = (contexts, more = {}) => ({type: 'required_status_checks', pattern: 'refs/heads/main', contexts, ...more});
const summaryOf = async (id) => (await world.daemon.promotion(id)).summary;

test('e2e: what a pull request waits for is told by name, and changes as checks report', async () => {
  await world.forge.do('rules', {repository: kRepository, rules: [required(['ci', 'deploy']), {type: 'pull_request', pattern: 'refs/heads/main', approvals: 1}]});
  await withPullRequests();
  const id = await world.deliver('1.0.1');
  await world.daemon.inPhase(id, 'Pending');
  await world.forge.do('status', {repository: kRepository, branch: kQaBranch, context: 'ci', state: 'pending'});
  await until('the check and the review', async () => /waits for check ci and a review/.test(await summaryOf(id)));
  await world.forge.do('status', {repository: kRepository, branch: kQaBranch, context: 'ci', state: 'success'});
  await world.forge.do('approve', {repository: kRepository, number: 1});
  await until('the check that nobody has begun', async () => /waits for check deploy:/.test(await summaryOf(id)));
  await world.forge.do('check-run', {repository: kRepository, branch: kQaBranch, name: 'deploy', conclusion: 'failure'});
  await until('the check that failed', async () => /waits for check deploy \(failure\)/.test(await summaryOf(id)));
  assert.match(JSON.stringify(await world.daemon.get('/pipelines/flux-system/podinfo/why')), /waits for check deploy \(failure\)/);
  await world.forge.do('check-run', {repository: kRepository, branch: kQaBranch, name: 'deploy', conclusion: 'neutral'});
  await until('nothing in the way', async () => /#1 can be merged/.test(await summaryOf(id)));
  await world.invariants();
});

test('e2e: auto-merge is switched off before a revision is pushed that needs a person', async () => {
  await world.forge.do('settings', {repository: kRepository, allowAutoMerge: true});
  await world.forge.do('rules', {repository: kRepository, rules: [required(['ci'], {classic: true})]});
  await withPullRequests('    autoMerge: true\n');
  await world.daemon.inPhase(await world.deliver('1.0.1'), 'Pending');
  const first = async () => (await world.forge.see('pulls', {repository: kRepository}))[0];
  await until('auto-merge is on', async () => (await first()).autoMerge);
  const read = world.daemon.logs.match(/PROMO-0006/g).length;
  await world.daemon.writePipeline('podinfo', pipeline(byPullRequest(world.forge)));
  await until('the changed pipeline', () => world.daemon.logs.match(/PROMO-0006/g).length > read);
  await world.forge.do('clear-requests');
  const id = await world.deliver('1.0.2');
  await world.daemon.inPhase(id, 'Pending');
  const asked = (await world.forge.see('requests', {method: 'POST'})).map(({path: target, body}) => (/disablePullRequest/.test(JSON.stringify(body)) ? 'off' : target));
  assert.ok(asked.indexOf('off') >= 0 && asked.indexOf('off') < asked.findIndex((each) => /git-receive-pack/.test(each)), asked.join(' '));
  await world.forge.do('status', {repository: kRepository, branch: kQaBranch, context: 'ci', state: 'success'});
  assert.equal((await first()).state, 'open', 'nobody merges it but a person');
  await world.forge.do('merge', {repository: kRepository, number: 1});
  await world.daemon.inPhase(id, 'Succeeded');
  await world.invariants();
});

test('e2e: a merge queue is entered, and why it put a request out is told', async () => {
  await world.forge.do('rules', {repository: kRepository, rules: [{type: 'merge_queue', pattern: 'refs/heads/main'}]});
  await withPullRequests('    autoMerge: true\n');
  const id = await world.deliver('1.0.1');
  await world.daemon.inPhase(id, 'Pending');
  const queued = () => until('the queue', async () => (await world.forge.see('pulls', {repository: kRepository}))[0].inQueue);
  await queued();
  await world.forge.do('merge-queue', {repository: kRepository, number: 1, outcome: 'removed', reason: 'failed checks'});
  await until('the reason', async () => /removed from the merge queue \(failed checks\)/.test(await summaryOf(id)));
  const next = await world.deliver('1.0.2');
  await world.daemon.inPhase(next, 'Pending');
  await queued();
  await world.forge.do('merge-queue', {repository: kRepository, number: 1, outcome: 'merged'});
  await world.daemon.inPhase(next, 'Succeeded');
  await world.invariants();
});

test('e2e: a merge method that the repository does not allow is a warning that names those it does', async () => {
  await world.forge.do('settings', {repository: kRepository, mergeMethods: ['squash']});
  await withPullRequests('    autoMerge: true\n');
  const promotion = await world.daemon.inPhase(await world.deliver('1.0.1'), 'Pending');
  assert.match(JSON.stringify(promotion.details), /does not allow the merge method merge, only squash/);
  await world.invariants();
});

// An App of the forge's that is installed for `account`, and the Pipeline that uses its key; `secret` adds to or changes the secret.
async function withApp({account = 'acme', secret = () => ({})} = {}) {
  const {publicKey, privateKey} = generateKeyPairSync('rsa', {modulusLength: 2048});
  const {installation} = await world.forge.do('apps', {id: 77, account, slug: 'promotiond', publicKey: publicKey.export({type: 'spki', format: 'pem'})});
  const pem = privateKey.export({type: 'pkcs1', format: 'pem'});
  await world.daemon.writeSecret('flux-system', 'app', {caFile: world.forge.ca, githubAppID: '77', githubAppPrivateKey: pem, ...secret(installation)});
  await world.daemon.writePipeline('podinfo', pipeline(byPullRequest(world.forge).replace('{name: forge}', '{name: app}')));
  await world.start();
  return pem;
}

async function keyIsNowhere(pem) {
  const line = pem.split('\n')[1];
  assert.ok(!world.daemon.logs.includes(line), 'the key is in the log');
  assert.ok(!JSON.stringify(await world.daemon.promotions()).includes(line), 'the key is in an answer');
}

for (const [name, secret] of [
  ['with its installation in the secret', (installation) => ({githubAppInstallationID: String(installation)})],
  ['whose installation it has to find', () => ({})],
]) {
  test(`e2e: a GitHub App's key ${name} opens the repository and the API as a token does`, async () => {
    const pem = await withApp({secret});
    await world.daemon.inPhase(await world.deliver('1.0.1'), 'Pending');
    const [pull] = await world.pulls({state: 'open'});
    assert.equal(pull.user.login, 'promotiond[bot]');
    await world.daemon.inPhase(await world.deliver('1.0.2'), 'Pending');
    assert.equal((await world.forge.see('requests', {path: '/access_tokens$'})).length, 1, 'the token is used until it ends');
    await keyIsNowhere(pem);
    await world.invariants();
  });
}

for (const [name, options, reason] of [
  ['that is not installed here', {account: 'elsewhere'}, /installation[^]*404/],
  ['whose key is no key', {secret: () => ({githubAppPrivateKey: 'canary-not-a-key'})}, /githubAppPrivateKey is not an RSA private key/],
  ['with another App\'s key', {secret: () => ({githubAppID: '78'})}, /installation[^]*40[14]/],
]) {
  test(`e2e: a GitHub App ${name} fails the promotion and says so`, async () => {
    const pem = await withApp(options);
    const failed = await world.daemon.inPhase(await world.deliver('1.0.1'), 'Failed');
    assert.match(failed.reason, reason);
    assert.deepEqual(await world.pulls(), []);
    assert.ok(!world.daemon.logs.includes('canary-not-a-key'));
    await keyIsNowhere(pem);
    await world.invariants();
  });
}

test('e2e: ?wait answers 201 with the address of the pull request', async () => {
  await withPullRequests();
  const body = helmReleaseEvent({revision: '1.0.1'});
  const answer = await world.daemon.sendEvent('flux-system/podinfo', 'dev', body, {key: kSecrets.events, query: '?wait=60s'});
  assert.equal(answer.status, 201, answer.text);
  assert.equal(answer.headers.location, `${world.forge.url}/${kRepository}/pull/1`);
  await world.invariants();
});

test('e2e: a webhook is called once, signed', async () => {
  await world.daemon.writePipeline('podinfo', pipeline(byWebhook(world.receiver)));
  await world.start();
  const id = await world.deliver('1.0.1');
  await world.daemon.inPhase(id, 'Succeeded');
  assert.equal(world.receiver.deliveries.length, 1);
  assert.equal(world.receiver.deliveries[0].genuine, true);
  assert.match(world.receiver.deliveries[0].text, /1\.0\.1/);
  await world.invariants();
});

test('e2e: a webhook that is not well is tried again with the same delivery id', async () => {
  await world.daemon.writePipeline('podinfo', pipeline(byWebhook(world.receiver)));
  world.receiver.answers.push({status: 503}, {status: 429, headers: {'retry-after': '1'}});
  await world.start();
  await world.daemon.inPhase(await world.deliver('1.0.1'), 'Succeeded');
  assert.equal(world.receiver.deliveries.length, 3);
  assert.equal(new Set(world.receiver.deliveries.map((delivery) => delivery.text)).size, 1, 'the same body each time');
  await world.invariants();
});

test('e2e: a manual environment waits for an approval of exactly its revision', async () => {
  await world.daemon.writePipeline('podinfo', pipeline(`manual: true\n${byPullRequest(world.forge)}`));
  await world.start();
  const id = await world.deliver('1.0.1');
  await world.daemon.inPhase(id, 'AwaitingApproval');
  assert.deepEqual(await world.pulls(), []);
  const approve = (revision) => ask(world.daemon.address, 'POST', `/approval/flux-system/podinfo/qa/${revision}`, {headers: eventHeaders('', kSecrets.events), body: ''});
  assert.equal((await approve('1.0.0')).status, 422);
  const answer = await approve('1.0.1');
  assert.ok([201, 202].includes(answer.status), `${answer.status} ${answer.text}`);
  await world.daemon.inPhase(id, 'Pending');
  await world.invariants();
});

test('e2e: a pull request that is merged while a newer revision waits for its approval has succeeded', async () => {
  await world.daemon.writePipeline('podinfo', pipeline(`manual: true\n${byPullRequest(world.forge)}`));
  await world.start();
  const approve = (revision) => ask(world.daemon.address, 'POST', `/approval/flux-system/podinfo/qa/${revision}`, {headers: eventHeaders('', kSecrets.events), body: ''});
  const older = await world.deliver('1.0.1');
  assert.equal((await approve('1.0.1')).status, 202);
  await world.daemon.inPhase(older, 'Pending');
  const newer = await world.deliver('1.0.2');
  await world.daemon.inPhase(newer, 'AwaitingApproval');
  await world.daemon.inPhase(older, 'Pending');
  await world.forge.do('merge', {repository: kRepository, number: 1});
  await world.daemon.inPhase(older, 'Succeeded');
  assert.equal((await approve('1.0.2')).status, 202);
  await world.daemon.inPhase(newer, 'Pending');
  const [pull] = await world.pulls({state: 'open'});
  assert.equal(pull.number, 2);
  assert.match(pull.body, /promoted to `1\.0\.1` before/);
  await world.invariants();
});

test('e2e: pipelines change without a restart, and a broken file keeps the last good one', async () => {
  await withPullRequests();
  await world.daemon.writePipeline('podinfo', 'apiVersion: pipelines.weave.works/v1alpha1\nkind: Pipeline\n  broken: [\n');
  await until('the broken file is reported', () => /podinfo\.yaml:\d+:\d+/.test(world.daemon.logs));
  await world.daemon.inPhase(await world.deliver('1.0.1'), 'Pending');
  await world.daemon.writePipeline('second', pipeline(byWebhook(world.receiver), {name: 'second'}));
  const second = await until('the second pipeline', async () => {
    const body = helmReleaseEvent({revision: '1.0.1'});
    return idOf(await world.daemon.sendEvent('flux-system/second', 'dev', body, {key: kSecrets.events}));
  });
  await world.daemon.inPhase(second, 'Succeeded');
  await world.invariants();
});

test('e2e: fifty SIGHUPs and then SIGTERM lose nothing, and SIGTERM ends with 0', async () => {
  await withPullRequests();
  await world.forge.do('fault', {kind: 'hold', match: {path: 'git-receive-pack'}});
  const id = await world.deliver('1.0.1');
  await until('the push is under way', async () => await world.forge.see('held') === 1);
  for (let i = 0; i < 50; ++i) process.kill(world.daemon.pid, 'SIGHUP');
  const stopping = world.daemon.stop();
  await world.forge.do('release');
  assert.deepEqual(await stopping, {code: 0, signal: null});
  await world.start();
  await world.daemon.inPhase(id, 'Pending');
  assert.equal((await world.pulls()).length, 1);
  await world.invariants();
});
