// promotionctl new, promote and status where people, forges and networks do not do what is expected, against both forges.
import assert from 'node:assert/strict';
import {writeFile} from 'node:fs/promises';
import path from 'node:path';
import {afterEach, test} from 'node:test';
import {Fleet, fails, numberIn, rules, works} from './fleet.mjs';

let fleet;
afterEach(async () => {
  await fleet?.end();
  fleet = undefined;
});

const kDev = 'promote/dev/testgroup-testapp';
const open = async () => (await fleet.pulls()).filter((each) => each.state === 'open');
const inAll = (tag) => Object.fromEntries(['dev', 'qa', 'prod'].map((each) => [`testgroup/${each}/testapp.yaml`, `image: a/b:${tag} # {"$imagepolicy": "testgroup:testapp"}\n`]));

for (const provider of ['github', 'azdo']) {
  const create = {method: 'POST', path: provider === 'github' ? '/repos/.*/pulls$' : '/pullrequests\\?'};
  const lookUp = {path: provider === 'github' ? '/commits/[0-9a-f]+/pulls' : '/pullrequestquery'};
  const push = {method: 'POST', path: 'git-receive-pack$'};
  const json = (status, body, headers) => ({kind: 'status', status, body, headers});
  const on = (title, options, work) => test(`${provider}: ${title}`, async () => {
    fleet = await Fleet.make(provider, options);
    await work();
  });
  const merged = async (tag = 'v1', body = undefined) => {
    const started = works(await fleet.new(await fleet.checkout(), tag));
    const pull = await fleet.pull(numberIn(started));
    if (body) await fleet.describe(pull.number, body(pull.body));
    return fleet.pass(pull.number);
  };

  on('a branch that a person calls feature/... is none of ours', {}, async () => {
    await fleet.commit({'README.md': 'x\n'}, {branch: 'feature/login', from: 'main'});
    const directory = await fleet.checkout('--branch', 'feature/login');
    works(await fleet.ctl(directory, 'status'), /^Promotion was manual, skipping check$/m);
    await fleet.forge.do('open-pull', {repository: fleet.repository, head: 'feature/login', body: 'my work'});
    works(await fleet.ctl(directory, 'status'), /^Promotion was manual, skipping check$/m);
  });

  on('a job for a request that has the default branch checked out looks at the request\'s branch', {}, async () => {
    works(await fleet.new(await fleet.checkout(), 'v1'));
    const named = provider === 'github' ? {GITHUB_HEAD_REF: kDev, GITHUB_REF: 'refs/heads/main'} : {SYSTEM_PULLREQUEST_SOURCEBRANCH: `refs/heads/${kDev}`, BUILD_SOURCEBRANCH: 'refs/pull/1/merge'};
    works(await fleet.ctl(await fleet.checkout(), 'status', [], named), /^"dev" is the first environment so status check is skipped$/m);
    works(await fleet.ctl(await fleet.checkout(), 'status'), /^Promotion was manual, skipping check$/m);
  });

  on('going back to the tag that is there closes the request for another', {}, async () => {
    const directory = await fleet.checkout();
    const number = numberIn(works(await fleet.new(directory, 'v1')));
    works(await fleet.new(directory, 'v0'), new RegExp(`^nothing to change: .* has tag v0 already; closed pull request ${number}, which would set tag v1$`, 'm'));
    assert.deepEqual(await open(), []);
    assert.notEqual(numberIn(works(await fleet.new(directory, 'v1'))), number);
  });

  on('a request of another environment that has the same branch stays', {config: rules({flow: 'per-app'})}, async () => {
    await merged();
    const main = await fleet.checkout();
    const toQa = numberIn(works(await fleet.ctl(main, 'promote'), /created branch promote\/testgroup-testapp/));
    works(await fleet.new(main, 'v1'), /^nothing to change: .* has tag v1 already$/m);
    assert.deepEqual((await open()).map((each) => each.number), [toQa]);
  });

  on('the branch of a merged request serves the next one', {}, async () => {
    await merged();
    works(await fleet.new(await fleet.checkout(), 'v2'));
    const [pull] = await open();
    assert.match(pull.title, /version v2/);
    assert.ok(await fleet.pass(pull.number));
    assert.match(await fleet.file('main', 'testgroup/dev/testapp.yaml'), /:v2 # /);
  });

  on('an environment that has the tag already does not end the way', {}, async () => {
    await fleet.commit({'testgroup/qa/testapp.yaml': 'image: a/b:v1 # {"$imagepolicy": "testgroup:testapp"}\n'});
    const sha = await merged();
    works(await fleet.ctl(await fleet.checkout(), 'promote'), /^created branch promote\/prod\/testgroup-testapp /m);
    const prod = await fleet.checkout('--branch', 'promote/prod/testgroup-testapp');
    await fleet.flux(sha, 'qa');
    works(await fleet.ctl(prod, 'status'), /successful reconciliation for testgroup-qa/);
    await fleet.commit(inAll('v1'));
    works(await fleet.ctl(await fleet.checkout(), 'promote'), /^skipping promotion as commit does not originate from PR$/m);
  });

  on('where no line is marked that is said, and no environment behind it is touched', {}, async () => {
    await fleet.commit({'testgroup/qa/testapp.yaml': 'image: a/b:v1\n'});
    await merged();
    works(await fleet.ctl(await fleet.checkout(), 'promote'), /^nothing to change: no line is marked \{"\$imagepolicy": "testgroup:testapp"\} in testgroup\/qa$/m);
    works(await fleet.ctl(await fleet.checkout(), 'new', ['--group', 'testgroup', '--app', 'nope', '--tag', 'v1']), /no line is marked .*"testgroup:nope"/);
    assert.deepEqual(await open(), []);
  });

  on('a run that was overtaken does not take the next environment back', {}, async () => {
    await merged('v1');
    const older = await fleet.checkout();
    await merged('v2');
    works(await fleet.ctl(await fleet.checkout(), 'promote'), /^created branch promote\/qa\//m);
    works(await fleet.ctl(older, 'promote'), /^skipping promotion as testgroup\/dev has another tag than v1 by now$/m);
    assert.deepEqual((await open()).map((each) => /version (v\d)/.exec(each.title)[1]), ['v2']);
  });

  on('what passes is tried again, and one request comes of it', {}, async () => {
    const passing = [
      {kind: 'lose', match: create}, {kind: 'cut', match: create, times: 2}, {kind: 'half', match: create}, {...json(500, {message: 'oops'}), match: create},
      {...json(201, {}), match: create}, {kind: 'lose', match: push}, {kind: 'cut', match: push},
      {...json(429, {message: 'slow down'}, {'retry-after': '1'}), match: create},
      {kind: 'before', match: create, action: 'open-pull', with: {repository: fleet.repository, head: kDev}},
      {kind: 'before', match: push, action: 'commit', with: {repository: fleet.repository, files: {'README.md': 'moved\n'}}},
    ];
    for (const [i, rule] of passing.entries()) {
      await fleet.forge.do('fault', rule);
      const number = numberIn(works(await fleet.new(await fleet.checkout(), `v${i + 1}`)));
      assert.deepEqual(await fleet.forge.see('faults'), [], `fault ${i} was not met`);
      assert.deepEqual((await open()).map((each) => each.number), [number], `after fault ${i}`);
      await fleet.forge.do('close', {repository: fleet.repository, number});
    }
    await merged('v99');
    await fleet.forge.do('fault', {...json(502, 'bad gateway'), match: lookUp, times: 2});
    works(await fleet.ctl(await fleet.checkout(), 'promote'), /^created branch promote\/qa\/testgroup-testapp /m);
  });

  on('what stays ends at once, with the reason and without the token', {}, async () => {
    const directory = await fleet.checkout();
    await fleet.forge.do('fault', {...json(403, {message: 'TF401027: You need the Git permission'}), match: create});
    fails(await fleet.new(directory, 'v1'), /could not create a PR: .*403.*TF401027/);
    await fleet.forge.do('fault', {kind: 'status', status: 302, headers: {location: 'http://169.254.169.254/'}, match: create});
    fails(await fleet.new(directory, 'v1'), /could not create a PR: .*302.*169\.254\.169\.254/);
    await fleet.forge.do('fault', {...json(429, {message: 'come back'}, {'retry-after': '3000'}), match: create});
    fails(await fleet.new(directory, 'v1'), /could not create a PR: .*429/);
    await fleet.forge.do('rules', {repository: fleet.repository, rules: [{type: 'creation', pattern: 'refs/heads/feature/*'}, {type: 'update', pattern: `refs/heads/${kDev}`}]});
    fails(await fleet.new(directory, 'v2'), /could not push branch promote\/dev\/testgroup-testapp: /);
  });

  on('a description that people have written around is read; one without its state ends the way', {}, async () => {
    await merged('v1', (body) => `Please look.\r\n${body.replaceAll('\n', '\r\n')}\r\nThanks, @ops`);
    works(await fleet.ctl(await fleet.checkout(), 'promote'), /^created branch promote\/qa\/testgroup-testapp /m);
    const [toQa] = await open();
    assert.match(toQa.title, /version v1 to environment qa/);
    await fleet.forge.do('close', {repository: fleet.repository, number: toQa.number});

    await merged('v2', () => 'ok for me');
    works(await fleet.ctl(await fleet.checkout(), 'promote'), /^skipping promotion as PR is not created by gitops-promotion$/m);
    for (const [tag, from, to, reason] of [
      ['v3', '"type":"promote"', '"type":"other"', /there is no type "other"/], ['v4', '{"group"', '{group', /it is no JSON object/], ['v5', '"tag":"v5"', '"tag":5', /tag is no text/],
    ]) {
      await merged(tag, (body) => body.replace(from, to));
      const done = works(await fleet.ctl(await fleet.checkout(), 'promote'), /^skipping promotion as commit does not originate from PR$/m);
      assert.match(done.err, reason);
    }
    await merged('v6', (body) => body.replace('"group":"testgroup"', '"group":"../.."'));
    fails(await fleet.ctl(await fleet.checkout(), 'promote'), /group "\.\.\/\.\." leaves the tree/);
    await merged('v7', (body) => body.replace('"env":"dev"', '"env":"foobar"'));
    fails(await fleet.ctl(await fleet.checkout(), 'promote'), /environment named foobar does not exist/);
    assert.deepEqual(await open(), []);
  });

  on('Flux\'s word is found behind 150 others, in words of three parts and of two', {config: rules({timeout: '300ms'})}, async () => {
    const sha = await merged();
    await fleet.flux(sha, 'dev', 'success', {context: 'helmrelease/testgroup-dev'});
    await fleet.forge.do('status', {repository: fleet.repository, sha, contexts: Array.from({length: 150}, (_, i) => `ci/job-${i}`), ...(provider === 'azdo' ? {genre: 'ci'} : {})});
    works(await fleet.ctl(await fleet.checkout(), 'promote'));
    const qa = await fleet.checkout('--branch', 'promote/qa/testgroup-testapp');
    works(await fleet.ctl(qa, 'status'), new RegExp(`successful reconciliation for testgroup-dev found on "${sha}"`));
    await fleet.flux(sha, 'dev', 'failure', {context: 'kustomization/testgroup-development/0c9c2e41'});
    works(await fleet.ctl(qa, 'status'), /successful reconciliation/);
    await fleet.flux(sha, 'dev', 'failure', {context: 'kustomization/testgroup-dev'});
    fails(await fleet.ctl(qa, 'status'), /failed reconciliation for testgroup-dev/);
  });

  on('runs at the same time leave one request for each application', {extra: {'testgroup/dev/other.yaml': 'image: a/b:v0 # {"$imagepolicy": "testgroup:other"}\n'}}, async () => {
    const directories = await Promise.all([1, 2, 3, 4].map(() => fleet.checkout()));
    const apps = ['testapp', 'testapp', 'other', 'other'];
    const done = await Promise.all(directories.map((each, i) => fleet.ctl(each, 'new', ['--group', 'testgroup', '--app', apps[i], '--tag', `v${i + 1}`])));
    for (const each of done) works(each, /created branch/);
    const pulls = await open();
    assert.deepEqual(pulls.map((each) => each.head).sort(), ['promote/dev/testgroup-other', kDev]);
    for (const each of pulls) {
      const tag = /version (v\d) /.exec(each.title)[1];
      assert.match(await fleet.file(each.head, `testgroup/dev/${each.head.split('-').at(-1)}.yaml`), new RegExp(`:${tag} # `));
    }
  });

  on('an origin that is no repository of the provider is named', {}, async () => {
    const directory = await fleet.checkout();
    const other = provider === 'github' ? 'https://localhost:1/org/project/_git/repo' : 'https://localhost:1/org/repo';
    for (const url of ['/tmp/organization/project/_git/repository.git', 'file:///tmp/x.git', 'http://localhost:1/org/repo', 'ext::sh -c x', other]) {
      await fleet.git(directory, 'remote', 'set-url', 'origin', url);
      const {err} = fails(await fleet.new(directory, 'v1'), new RegExp(`could not load ${provider} repository: `));
      assert.ok(err.includes(url), err);
    }
    await fleet.git(directory, 'remote', 'remove', 'origin');
    fails(await fleet.new(directory, 'v1'), new RegExp(`could not load ${provider} repository: .*has no remote origin .*remoteURL empty`));
  });
}

test('github: a host that is no GitHub is named so', async () => {
  fleet = await Fleet.make('github');
  const directory = await fleet.checkout();
  await fleet.git(directory, 'remote', 'set-url', 'origin', 'https://localhost:1/org/repo');
  fails(await fleet.new(directory, 'v1'), /could not load github repository: host does not start with https:\/\/github\.com: https:\/\/localhost/);
});

test('azdo: a fork\'s request with our branch\'s name is not taken over', async () => {
  fleet = await Fleet.make('azdo');
  await fleet.commit({'a.md': 'x\n'}, {branch: kDev, from: 'main'});
  const {number} = await fleet.forge.do('open-pull', {repository: fleet.repository, head: kDev, fork: 'theirs', body: 'x'});
  assert.notEqual(numberIn(works(await fleet.new(await fleet.checkout(), 'v1'))), number);
  assert.equal((await fleet.pull(number)).title, 'By hand');
});

test('azdo: a page to sign in is a refused token', async () => {
  fleet = await Fleet.make('azdo');
  const page = {kind: 'status', headers: {'content-type': 'text/html'}, body: '<html>sign in</html>', match: {path: '_apis/'}, times: -1};
  for (const [status, more] of [[203, {}], [200, {}], [302, {location: 'https://login.example/_signin'}]]) {
    await fleet.forge.do('fault', {...page, status, headers: {...page.headers, ...more}});
    fails(await fleet.new(await fleet.checkout(), 'v1'), new RegExp(`HTTP ${status}`));
    await fleet.forge.do('clear-faults');
  }
});

test('words on the command line that mean nothing are told apart', async () => {
  fleet = await Fleet.make('github');
  const directory = await fleet.checkout();
  const usage = async (command, pattern) => {
    const done = await fleet.ctl(directory, command);
    assert.equal(done.code, 2, done.err);
    assert.match(done.err, pattern);
  };
  await usage('explode', /there is no command "explode"/);
  await usage('promot', /there is no command "promot"; did you mean promote\?/);
  fails(await fleet.ctl(directory, 'new'), /group name is empty; give --group/);
  fails(await fleet.ctl(directory, 'feature', ['--group', 'testgroup']), /app name is empty; give --app/);
  await writeFile(path.join(directory, 'gitops-promotion.yaml'), rules({environments: ['qa', 'prod']}));
  works(await fleet.new(directory, 'v1'), /^created branch promote\/qa\/testgroup-testapp /m);
});
