// promotionctl new, promote and status against both forges: what teams know from gitops-promotion, and what went wrong there.
import assert from 'node:assert/strict';
import {readFile, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {afterEach, test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {Fleet, fails, kToken, numberIn, rules, run, works} from './fleet.mjs';

let fleet;
afterEach(async () => {
  await fleet?.end();
  fleet = undefined;
});

for (const provider of ['github', 'azdo']) {
  const on = (title, options, work) => test(`${provider}: ${title}`, async () => {
    fleet = await Fleet.make(provider, options);
    await work();
  });

  on('an image goes through all environments, and into the last one only by hand', {}, async () => {
    const started = works(await fleet.new(await fleet.checkout(), 'v1'), /^created branch promote\/dev\/testgroup-testapp with pull request \d+ on commit [0-9a-f]{40}$/m);
    const toDev = await fleet.pass(numberIn(started));
    assert.ok(toDev, 'the request into dev did not merge by itself');
    assert.match(await fleet.file('main', 'testgroup/dev/testapp.yaml'), /image: ghcr\.io\/acme\/testapp:v1 # /);
    await fleet.flux(toDev, 'dev');

    const main = await fleet.checkout();
    const toQa = works(await fleet.ctl(main, 'promote'), /created branch promote\/qa\/testgroup-testapp with pull request \d+ on commit/);
    assert.match(await fleet.file('promote/qa/testgroup-testapp', 'testgroup/qa/testapp.yaml'), /testapp:v1 # /);
    const qa = await fleet.checkout('--branch', 'promote/qa/testgroup-testapp');
    works(await fleet.ctl(qa, 'status'), new RegExp(`successful reconciliation for testgroup-dev found on "${toDev}"`));
    const merged = await fleet.pass(numberIn(toQa));
    await fleet.flux(merged, 'qa');

    const toProd = works(await fleet.ctl(await fleet.checkout(), 'promote'), /created branch promote\/prod\/testgroup-testapp with pull request/);
    works(await fleet.ctl(await fleet.checkout('--branch', 'promote/prod/testgroup-testapp'), 'status'), /successful reconciliation for testgroup-qa/);
    assert.equal(await fleet.pass(numberIn(toProd)), null, 'the request into prod merged by itself');
    await fleet.merge(numberIn(toProd));
    assert.match(await fleet.file('main', 'testgroup/prod/testapp.yaml'), /testapp:v1 # /);
    works(await fleet.ctl(await fleet.checkout(), 'promote'), /^no next environment to promote to$/m);
  });

  on('the description holds the state, and title, commit and branch are the known ones', {config: rules({flow: 'per-app'})}, async () => {
    const directory = await fleet.checkout();
    const head = await fleet.git(directory, 'rev-parse', 'HEAD');
    works(await fleet.new(directory, 'v1'), /created branch promote\/testgroup-testapp with pull request/);
    const [pull] = await fleet.pulls();
    assert.equal(pull.title, 'Promote testgroup/testapp version v1 to environment dev');
    assert.equal(pull.body, `<!-- metadata = {"group":"testgroup","app":"testapp","tag":"v1","env":"dev","sha":"${head}","feature":"","type":"promote"} -->\n\tENV: dev\n\tAPP: testapp\n\tTAG: v1`);
    await fleet.git(directory, 'fetch', '-q');
    assert.equal(await fleet.git(directory, 'log', '-1', '--format=%an <%ae> %s', 'origin/promote/testgroup-testapp'),
      'gitops-promotion <gitops-promotion@xenit.se> Promote testgroup/testapp version v1 to environment dev');
    assert.equal(await fleet.git(directory, 'diff', '--stat', '--format=', 'origin/main', 'origin/promote/testgroup-testapp').then((text) => text.split('\n').length), 2);
  });

  on('a newer tag takes over the open request; the same tag again leaves it, and its checks, alone', {}, async () => {
    const directory = await fleet.checkout();
    const first = works(await fleet.new(directory, 'v1'));
    const [{headSha}] = await fleet.pulls();
    works(await fleet.new(directory, 'v1'));
    assert.equal((await fleet.pulls())[0].headSha, headSha);
    const second = works(await fleet.new(directory, 'v2'));
    assert.equal(numberIn(second), numberIn(first));
    const [pull] = await fleet.pulls();
    assert.match(pull.title, /version v2/);
    assert.match(pull.body, /"tag":"v2"/);
    assert.match(await fleet.file(pull.head, 'testgroup/dev/testapp.yaml'), /testapp:v2 # /);
  });

  on('a tag that is there already changes nothing and opens nothing', {}, async () => {
    works(await fleet.new(await fleet.checkout(), 'v0'), /^nothing to change: /);
    assert.deepEqual(await fleet.pulls(), []);
    assert.deepEqual(Object.keys(await fleet.branches()), ['main']);
  });

  on('what lies about in the checkout is not committed', {}, async () => {
    const directory = await fleet.checkout();
    await writeFile(path.join(directory, 'secret.txt'), 'mine');
    await writeFile(path.join(directory, 'testgroup/dev/kustomization.yaml'), 'broken');
    works(await fleet.new(directory, 'v1'));
    const names = await fleet.git(directory, 'fetch', '-q').then(() => fleet.git(directory, 'diff', '--name-only', 'origin/main', 'origin/promote/dev/testgroup-testapp'));
    assert.equal(names, 'testgroup/dev/testapp.yaml');
    assert.equal(await fleet.git(directory, 'status', '--porcelain').then((text) => text.split('\n').length), 2);
  });

  on('the default branch is what the repository says, and the change is on its newest commit', {defaultBranch: 'trunk'}, async () => {
    const directory = await fleet.checkout();
    await fleet.commit({'README.md': 'newer\n'}, {branch: 'trunk'});
    works(await fleet.new(directory, 'v1'));
    const [pull] = await fleet.pulls();
    assert.equal(pull.base, 'trunk');
    assert.equal(await fleet.file(pull.head, 'README.md'), 'newer\n');
  });

  on('a shallow checkout on a detached HEAD is enough', {}, async () => {
    works(await fleet.new(await fleet.checkout('--depth', '1'), 'v1'));
    const merged = await fleet.pass((await fleet.pulls())[0].number);
    await fleet.flux(merged, 'dev');
    const main = await fleet.checkout('--depth', '1');
    await fleet.git(main, 'checkout', '-q', '--detach');
    works(await fleet.ctl(main, 'promote'), /created branch promote\/qa\/testgroup-testapp/);
    const branch = await fleet.checkout('--depth', '1', '--branch', 'promote/qa/testgroup-testapp');
    await fleet.git(branch, 'checkout', '-q', '--detach');
    works(await fleet.ctl(branch, 'status'), /successful reconciliation for testgroup-dev/);
    await fleet.git(branch, 'update-ref', '-d', 'refs/remotes/origin/promote/qa/testgroup-testapp');
    fails(await fleet.ctl(branch, 'status'), /failed to find current branch: HEAD is detached/);
    const named = provider === 'github' ? {GITHUB_HEAD_REF: 'promote/qa/testgroup-testapp'} : {SYSTEM_PULLREQUEST_SOURCEBRANCH: 'refs/heads/promote/qa/testgroup-testapp'};
    works(await fleet.ctl(branch, 'status', [], named), /successful reconciliation for testgroup-dev/);
  });

  on('what was merged by a person is not promoted, nor what no request brought', {}, async () => {
    works(await fleet.ctl(await fleet.checkout(), 'promote'), /^skipping promotion as commit does not originate from PR$/m);
    await fleet.commit({'README.md': 'x\n'}, {branch: 'mine', from: 'main'});
    const {number} = await fleet.forge.do('open-pull', {repository: fleet.repository, head: 'mine', body: 'Some other data'});
    await fleet.merge(number);
    works(await fleet.ctl(await fleet.checkout(), 'promote'), /^skipping promotion as PR is not created by gitops-promotion$/m);
  });

  on('a status looks at the request\'s own commit first, and then at the default branch', {config: rules({timeout: '300ms'})}, async () => {
    const started = works(await fleet.new(await fleet.checkout(), 'v1'));
    works(await fleet.ctl(await fleet.checkout('--branch', 'promote/dev/testgroup-testapp'), 'status'), /^"dev" is the first environment so status check is skipped$/m);
    const sha = await fleet.pass(numberIn(started));
    works(await fleet.ctl(await fleet.checkout(), 'promote'));
    const directory = await fleet.checkout('--branch', 'promote/qa/testgroup-testapp');
    fails(await fleet.ctl(directory, 'status'), new RegExp(`commit status check for testgroup-dev has timed out "${sha}"`));
    await fleet.flux(sha, 'dev', 'success', {context: 'plain'});
    await fleet.flux(sha, 'dev', 'pending');
    fails(await fleet.ctl(directory, 'status'), /has timed out/);
    const {sha: later} = await fleet.commit({'README.md': 'later\n'});
    await fleet.flux(later, 'dev', 'success', provider === 'azdo' ? {genre: 'fluxcd:production'} : {});
    works(await fleet.ctl(directory, 'status'), new RegExp(`successful reconciliation for testgroup-dev found on main at ${later}`));
    await fleet.flux(sha, 'dev', 'failure');
    fails(await fleet.ctl(directory, 'status'), /failed reconciliation for testgroup-dev/);
  });

  on('status leaves other branches alone, and says what is wrong with a promotion\'s', {}, async () => {
    works(await fleet.ctl(await fleet.checkout(), 'status'), /^Promotion was manual, skipping check$/m);
    await fleet.commit({'README.md': 'x\n'}, {branch: 'promote/dev/mine', from: 'main'});
    const directory = await fleet.checkout('--branch', 'promote/dev/mine');
    fails(await fleet.ctl(directory, 'status'), /failed getting pr for current branch: no PR found for branches promote\/dev\/mine -> main/);
    await fleet.forge.do('open-pull', {repository: fleet.repository, head: 'promote/dev/mine', body: 'written by hand'});
    fails(await fleet.ctl(directory, 'status'), /has no state in its description, which was changed by hand/);
    await fleet.forge.do('close', {repository: fleet.repository, number: (await fleet.pulls())[0].number});
    await fleet.forge.do('open-pull', {repository: fleet.repository, head: 'promote/dev/mine', body: '<!-- metadata = {{ asdasd } -->'});
    fails(await fleet.ctl(directory, 'status'), /cannot be read .*by hand/);
  });

  on('two open requests of one branch, and 150 others, do not hide the one that is meant', {}, async () => {
    await fleet.commit({'README.md': 'x\n'}, {branch: 'release', from: 'main'});
    const directory = await fleet.checkout();
    works(await fleet.new(directory, 'v1'));
    const {number, head} = (await fleet.pulls())[0];
    await fleet.forge.do('open-pull', {repository: fleet.repository, head, base: 'release'});
    await fleet.forge.do('open-pull', {repository: fleet.repository, head: 'release', base: 'main', count: 150});
    assert.equal(numberIn(works(await fleet.new(directory, 'v2'))), number);
    works(await fleet.ctl(await fleet.checkout('--branch', head), 'status'), /first environment so status check is skipped/);
  });

  on('a token that may not push is named as the reason, and leaves nothing behind', {}, async () => {
    const token = 'ghp_readOnly0123456789';
    await fleet.forge.do('tokens', {token, login: 'reader', permissions: provider === 'github' ? {contents: 'read', pull_requests: 'write'} : {code: 'read'}});
    const directory = await fleet.checkout();
    const done = fails(await fleet.ctl(directory, 'new', ['--token', token, '--group', 'testgroup', '--app', 'testapp', '--tag', 'v1']), /could not push branch promote\/dev\/testgroup-testapp: .*(403|denied|may not|refused)/);
    assert.ok(!done.err.includes(token));
    assert.deepEqual(await fleet.pulls(), []);
  });

  on('bad input is told with what, where and what to do', {}, async () => {
    const directory = await fleet.checkout();
    const wrong = async (flags, pattern) => fails(await fleet.ctl(directory, 'new', flags), pattern);
    const good = {'--group': 'testgroup', '--app': 'testapp', '--tag': 'v1'};
    const flags = (changed) => Object.entries({...good, ...changed}).flat();
    await wrong(flags({'--group': '../etc'}), /group "\.\.\/etc" leaves the tree/);
    await wrong(flags({'--app': '../x'}), /application "\.\.\/x" leaves the tree/);
    await wrong(flags({'--group': 'nogroup'}), /failed updating manifests: there is no directory nogroup\/dev on branch main/);
    await wrong(flags({'--tag': ''}), /failed updating manifests: encountered invalid image ref "testapp:"/);
    await wrong(flags({'--token': ''}), new RegExp(`could not load ${provider} repository: token empty`));
    await wrong(flags({'--provider': 'fake'}), /could not load fake repository: unknown provider type: fake/);
    await wrong(flags({'--token': 'ghp_wrong0123456789'}), new RegExp(`could not load ${provider} repository: .*${provider === 'azdo' ? 'TF400813' : '401'}`));
    await wrong(flags({'--sourcedir': path.join(directory, 'testgroup')}), /could not load config: cannot read .*gitops-promotion\.yaml.*name that with --sourcedir/);
    const asked = async (text, pattern) => {
      await writeFile(path.join(directory, 'gitops-promotion.yaml'), text);
      return wrong(flags({}), pattern);
    };
    await asked('environments: []\n', /could not load config: environments list cannot be empty/);
    await asked('prflow: foobar\nenvironments: [{name: dev}]\n', /could not load config: invalid prflow value: foobar \(gitops-promotion.yaml:1:9/);
    await asked('environments:\n- name: dev\n- name: dev\n', /environment "dev" is listed twice \(gitops-promotion.yaml:3:9/);
    assert.deepEqual(await fleet.pulls(), []);
    await writeFile(path.join(directory, 'gitops-promotion.yaml'), 'environmnts: []\nenvironments:\n- name: dev\n');
    const done = works(await fleet.ctl(directory, 'new', flags({'--verbos': 'yes'})));
    assert.match(done.err, /gitops-promotion.yaml:1:1: the key "environmnts" means nothing here/);
    assert.match(done.err, /no use for --verbos, which is ignored/);
  });
}

test('github: where nothing holds a merge back auto-merge is refused, and the request stays', async () => {
  fleet = await Fleet.make('github', {isProtected: false});
  const directory = await fleet.checkout();
  fails(await fleet.new(directory, 'v1'), /could not create a PR: could not set auto-merge on PR #1 \(check auto-merge setting and required checks\)/);
  assert.equal((await fleet.pulls())[0].state, 'open');
  await fleet.protect();
  works(await fleet.new(directory, 'v1'));
  assert.ok((await fleet.pulls())[0].autoMerge);
  await fleet.end();
  fleet = await Fleet.make('github', {allowAutoMerge: false});
  fails(await fleet.new(await fleet.checkout(), 'v1'), /could not set auto-merge on PR #1 .*does not allow auto-merge/);
});

for (const provider of ['github', 'azdo']) {
  test(`${provider}: auto: false switches auto-merge off before anything is pushed`, async () => {
    const automatic = async () => (await fleet.pulls()).map((pull) => Boolean(pull.autoMerge ?? pull.autoComplete));
    fleet = await Fleet.make(provider);
    const directory = await fleet.checkout();
    works(await fleet.new(directory, 'v1'));
    assert.deepEqual(await automatic(), [true]);
    await writeFile(path.join(directory, 'gitops-promotion.yaml'), rules({automatic: []}));
    works(await fleet.new(directory, 'v2'));
    assert.deepEqual(await automatic(), [false]);
  });
}

test('help, wrong flags and files that take secrets out of sight', async () => {
  fleet = await Fleet.make('github');
  for (const command of ['new', 'promote', 'status', 'feature', 'feature-stale']) {
    const {code, out} = await fleet.ctl(fleet.directory, command, ['--help']);
    assert.equal(code, 0);
    assert.match(out, new RegExp(`^Usage: promotionctl ${command} `));
  }
  assert.equal((await fleet.ctl(fleet.directory, 'new', ['--tag'])).code, 2);
  assert.equal((await fleet.ctl(fleet.directory, 'feature-stale', ['--max-age', 'long'])).code, 2);
  const directory = await fleet.checkout();
  await writeFile(path.join(fleet.directory, 'token'), `${kToken}\n`);
  const program = path.join(process.env.PROMOTIOND_BUILD, 'bin/promotionctl');
  const done = await run(program, ['new', '-provider=github', '--token-file', path.join(fleet.directory, 'token'), '--group=testgroup', '--app=testapp', '-tag', 'v1'], {cwd: directory});
  works(done, /created branch/);
});

test('the action and the Azure Pipelines steps do what their inputs say', async () => {
  const here = path.dirname(fileURLToPath(import.meta.url));
  const bin = path.join(process.env.PROMOTIOND_BUILD, 'bin');
  fleet = await Fleet.make('github');
  const inputs = {INPUT_ACTION: 'new', INPUT_TOKEN: kToken, INPUT_GROUP: 'testgroup', INPUT_APP: 'testapp', INPUT_TAG: 'v1', INPUT_FEATURE: ''};
  const env = {...inputs, GITHUB_WORKSPACE: await fleet.checkout(), PATH: `${bin}:${process.env.PATH}`};
  const entry = path.join(here, '../../packaging/action/entrypoint.sh');
  works(await run(entry, [], {env}), /created branch promote\/dev\/testgroup-testapp/);
  const unknown = await run(entry, [], {env: {...env, INPUT_ACTION: 'explode'}});
  assert.deepEqual([unknown.code, unknown.out], [1, 'Unkown action explode\n']);
  await fleet.end();

  fleet = await Fleet.make('azdo');
  const template = await readFile(path.join(here, '../../packaging/azure-pipelines/promotion.yml'), 'utf8');
  const script = /- bash: \|\n([^]*?)\n    displayName/.exec(template)[1];
  const variables = Object.fromEntries([...template.matchAll(/^      (PROMOTION_\w+): /gm)].map(([, name]) => [name, inputs[name.replace('PROMOTION', 'INPUT')]]));
  works(await run('bash', ['-c', script], {env: {...variables, BUILD_SOURCESDIRECTORY: await fleet.checkout(), PATH: env.PATH}}), /created branch/);
});
