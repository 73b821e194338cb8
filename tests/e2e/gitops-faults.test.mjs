// A daemon on a GitOps repository that goes away, moves, or is told to come back in an age.
import assert from 'node:assert/strict';
import {afterEach, test} from 'node:test';
import {until} from './daemon.mjs';
import {Fleet, rules} from './fleet.mjs';
import {end, release, serve} from './served.mjs';

let fleet;
let daemon;
afterEach(async () => {
  if (daemon) await end(daemon);
  await fleet?.end();
  daemon = fleet = undefined;
});

const open = async () => (await fleet.pulls()).filter((pull) => pull.state === 'open');
const until_ = (what, look) => until(what, look).catch((error) => { throw new Error(`${error.message}\n${daemon.logs.slice(-3000)}`); });
// What the daemon has said since `work` was begun.
const said = async (pattern, work) => {
  const before = daemon.logs.length;
  await work();
  await until_(`${pattern}`, () => pattern.test(daemon.logs.slice(before)));
};
const push = {method: 'POST', path: 'git-receive-pack$'};
const fetches = {path: 'info/refs\\?service=git-upload-pack'};

for (const provider of ['github', 'azdo']) {
  const create = {method: 'POST', path: provider === 'github' ? '/pulls$' : '/pullrequests\\?'};

  test(`${provider}: a repository that was renamed, is gone or has lost its file is named, and its last rules stay in force`, async () => {
    fleet = await Fleet.make(provider, {config: rules({automatic: []})});
    daemon = await serve(fleet);
    const away = async (fault, pattern) => {
      await said(pattern, () => fleet.forge.do('fault', {match: fetches, times: -1, ...fault}));
      await said(/PROMO-0006.*problems="?0/, () => fleet.forge.do('clear-faults'));
    };
    await away({kind: 'status', status: 301, headers: {location: 'https://forge.example.com/acme/new.git'}, body: ''},
      /PROMO-0005.*cannot take the rules of .* has moved.*; the last good version stays in force/);
    await away({kind: 'status', status: 404, body: 'Not Found'}, /PROMO-0005.*cannot take the rules of .*(404|not exist|not found).*; the last good version stays in force/i);
    await away({kind: 'status', status: 410, body: 'Gone'}, /PROMO-0005.*cannot take the rules of .*; the last good version stays in force/);
    assert.deepEqual((await daemon.get('/pipelines')).pipelines.map((each) => each.name), ['testgroup.testapp']);
    assert.equal((await release(daemon, 'v1')).status, 202);
    await until_('the request', async () => (await open()).length === 1);
  });

  test(`${provider}: a branch that is gone, or takes no push, is the promotion's end, and says so`, async () => {
    fleet = await Fleet.make(provider, {config: rules({automatic: []})});
    daemon = await serve(fleet, {repositories: [{url: fleet.url, type: provider === 'github' ? 'github' : 'azure-devops', secretRef: 'forge', branch: 'main'}]});
    const failed = async (tag, pattern) => {
      await release(daemon, tag);
      const promotion = await until_(`${tag} failed`, async () => (await daemon.promotions()).find((each) => each.revision === tag && each.phase === 'Failed'));
      assert.match(promotion.reason, pattern);
      assert.deepEqual(await open(), []);
    };
    await fleet.forge.do('fault', {match: push, times: -1, kind: 'status', status: 403, body: 'protected'});
    await failed('v1', /cannot push branch promotion-gitops-testgroup\.testapp-dev.*403/);
    await fleet.forge.do('clear-faults');
    await fleet.forge.do('commit', {repository: fleet.repository, branch: 'other', from: 'main', files: {'x.txt': 'x\n'}});
    await fleet.forge.do('delete-branch', {repository: fleet.repository, branch: 'main'});
    await failed('v2', /cannot fetch base branch main/);
  });

  test(`${provider}: an age to wait is cut, and the request opens all the same`, async () => {
    fleet = await Fleet.make(provider, {config: rules({automatic: []})});
    daemon = await serve(fleet);
    const waits = [['1000000000000', create], ['1000000000000', push], ['-1', push], ['Thu, 01 Jan 1970 00:00:00 GMT', push], ['soon', push]];
    for (const [i, [after, match]] of waits.entries()) {
      await fleet.forge.do('fault', {match, kind: 'status', status: 429, body: {message: 'slow down'}, headers: {'content-type': 'application/json', 'retry-after': after}});
      await release(daemon, `v${i}a`);
      await until_('the request', async () => (await open()).find((pull) => pull.title.endsWith(` to v${i}a`)));
      assert.deepEqual(await fleet.forge.see('faults'), [], 'nobody was asked to wait');
    }
    assert.equal((await open()).length, 1);
  });
}
