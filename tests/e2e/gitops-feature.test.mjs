// promotionctl feature and feature-stale against both forges.
import assert from 'node:assert/strict';
import {mkdir, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {afterEach, test} from 'node:test';
import {Fleet, numberIn, rules, works} from './fleet.mjs';

let fleet;
afterEach(async () => {
  await fleet?.end();
  fleet = undefined;
});

const flags = (feature, tag = 'v1', app = 'testapp') => ['--group', 'testgroup', '--app', app, '--tag', tag, '--feature', feature];

for (const provider of ['github', 'azdo']) {
  test(`${provider}: a feature is a copy beside the application, and goes again when it is stale`, async () => {
    fleet = await Fleet.make(provider);
    const directory = await fleet.checkout();
    const shown = works(await fleet.ctl(directory, 'feature', flags('Foo/Bar')), /^created branch feature\/testgroup-testapp-foobar with pull request \d+ on commit/m);
    const [pull] = await fleet.pulls();
    assert.equal(pull.title, 'Review testgroup/testapp feature v1 in environment dev');
    assert.match(pull.body, /"sha":"","feature":"foobar","type":"feature"/);
    const copy = await fleet.file(pull.head, 'testgroup/dev/testapp-foobar/apps_v1_Deployment-dev-testapp.yaml');
    assert.match(copy, /image: ghcr\.io\/acme\/testapp:v1$/m);
    assert.match(copy, /image: ghcr\.io\/acme\/sidecar:v7$/m);
    assert.equal(await fleet.file(pull.head, 'testgroup/dev/testapp-foobar/kustomization.yaml'), `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
nameSuffix: -foobar
commonLabels:
  app: testapp-foobar
  gitops-promotion.xenit.io/feature: foobar
resources:
- apps_v1_Deployment-dev-testapp.yaml
`);
    assert.equal(await fleet.file(pull.head, 'testgroup/dev/kustomization.yaml'), '# what runs here\nresources:\n  - testapp.yaml # the app\n  - testapp-foobar\n');
    works(await fleet.ctl(await fleet.checkout('--branch', pull.head), 'status'), /^Automatically allowing feature branch PR$/m);
    assert.ok(await fleet.pass(numberIn(shown)));
    works(await fleet.ctl(await fleet.checkout(), 'promote'), /^skipping promotion of feature$/m);

    works(await fleet.ctl(await fleet.checkout(), 'feature', flags('foobar', 'v2')), /created branch feature\/testgroup-testapp-foobar/);
    const again = (await fleet.pulls()).find((each) => each.state === 'open');
    assert.match(await fleet.file(again.head, 'testgroup/dev/testapp-foobar/apps_v1_Deployment-dev-testapp.yaml'), /testapp:v2$/m);
    await fleet.pass(again.number);

    const main = await fleet.checkout();
    works(await fleet.ctl(main, 'feature-stale'), /^No stale application to remove, exiting early\.$/m);
    works(await fleet.ctl(main, 'feature-stale', ['--max-age', '0']), /created branch remove\/stale-feature with pull request \d+ on commit/);
    const removal = (await fleet.pulls()).find((each) => each.state === 'open');
    assert.equal(removal.title, 'Remove stale review features');
    assert.equal(await fleet.file('remove/stale-feature', 'testgroup/dev/kustomization.yaml'), '# what runs here\nresources:\n  - testapp.yaml # the app\n');
    await assert.rejects(fleet.file('remove/stale-feature', 'testgroup/dev/testapp-foobar/kustomization.yaml'));
  });

  test(`${provider}: with featureOverwrite a feature takes the application's place`, async () => {
    fleet = await Fleet.make(provider, {config: rules().replace('featureLabelSelector: {app: testapp}', 'featureOverwrite: true')});
    works(await fleet.ctl(await fleet.checkout(), 'feature', flags('foobar')), /created branch feature\/dev\/testgroup-testapp-foobar with pull request/);
    assert.match(await fleet.file('feature/dev/testgroup-testapp-foobar', 'testgroup/dev/testapp.yaml'), /testapp:v1 # /);
  });
}

test('a feature that cannot be shown is refused with the reason', async () => {
  fleet = await Fleet.make('github', {extra: {'testgroup/dev/kustomization.yaml': 'resources: [testapp.yaml]\nconfigMapGenerator: [{name: config, literals: [a=b]}]\n'}});
  const directory = await fleet.checkout();
  const fails = async (args, pattern) => {
    const {code, err} = await fleet.ctl(directory, 'feature', args);
    assert.equal(code, 1);
    assert.match(err, pattern);
  };
  await fails(flags('x'.repeat(300)), /has 300 characters; at most 63/);
  await fails(flags('///'), /no letter or digit/);
  await fails(flags('foo', 'v1', 'other'), /configuration for group testgroup does not contain application other/);
  await fails(['--group', 'x', '--app', 'testapp', '--tag', 'v1', '--feature', 'foo'], /configuration does not contain group x/);
  await fails(flags('foo'), /testgroup\/dev\/kustomization\.yaml:2: "configMapGenerator" cannot be built here/);
  assert.deepEqual(await fleet.pulls(), []);
});

test('the directory of another application is no stale feature, and a history that is cut off is fetched', async () => {
  fleet = await Fleet.make('github', {extra: {'testgroup/dev/testapp-api/kustomization.yaml': 'resources: []\n'}});
  works(await fleet.ctl(await fleet.checkout('--depth', '1'), 'feature-stale', ['--max-age', '1ns']), /^No stale application to remove/m);
});

test('only what is old goes, however many dashes its names have', async () => {
  const rule = '  my-group:\n    applications:\n      my-app:\n        featureLabelSelector: {app: my-app}\n';
  fleet = await Fleet.make('github', {isProtected: false, config: rules({automatic: [], more: rule}), extra: {
    'my-group/dev/kustomization.yaml': 'resources:\n- pod.yaml\n- my-app-old-one\n',
    'my-group/dev/pod.yaml': 'apiVersion: v1\nkind: Pod\nmetadata: {name: my-app, labels: {app: my-app}}\nspec: {containers: [{name: a, image: "x/my-app:v1"}]}\n',
  }});
  const directory = await fleet.checkout();
  const old = path.join(directory, 'my-group/dev/my-app-old-one');
  await mkdir(old);
  await writeFile(path.join(old, 'kustomization.yaml'), 'commonLabels: {gitops-promotion.xenit.io/feature: old-one}\nresources: []\n');
  await fleet.git(directory, 'add', '--all');
  await fleet.git(directory, 'commit', '-qm', 'An old one', '--date', '2020-01-01T00:00:00Z');
  await fleet.git(directory, 'push', '-q', 'origin', 'HEAD:main');
  const shown = works(await fleet.ctl(directory, 'feature', ['--group', 'my-group', '--app', 'my-app', '--tag', 'v2', '--feature', 'new-one']));
  await fleet.merge(numberIn(shown));
  works(await fleet.ctl(await fleet.checkout(), 'feature-stale', ['--max-age', '24h']), /^created branch remove\/stale-feature /m);
  assert.equal(await fleet.file('remove/stale-feature', 'my-group/dev/kustomization.yaml'), 'resources:\n- pod.yaml\n- my-app-new-one\n');
  assert.match(await fleet.file('remove/stale-feature', 'my-group/dev/my-app-new-one/~G_v1_Pod--my-app.yaml'), /image: x\/my-app:v2$/m);
  await assert.rejects(fleet.file('remove/stale-feature', 'my-group/dev/my-app-old-one/kustomization.yaml'));
});
