// What promotionctl new makes of files: image markers byte by byte, and repositories that would lead it astray.
import assert from 'node:assert/strict';
import {chmod, mkdir, symlink, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {afterEach, test} from 'node:test';
import {Fleet, fails, rules, works} from './fleet.mjs';

let fleet;
afterEach(async () => {
  await fleet?.end();
  fleet = undefined;
});

const kBranch = 'promote/dev/team1-app1';
const mark = (what = '') => `# {"$imagepolicy": "team1:app1${what}"}`;
const release = (directory, tag = 'v1.0.1') => fleet.ctl(directory, 'new', ['--group', 'team1', '--app', 'app1', '--tag', tag]);
const kRules = rules({environments: ['dev', 'prod'], automatic: []});
// Pushes what a checkout has to main, whatever it is; the checkout of it.
const withTree = async (work) => {
  fleet = await Fleet.make('github', {config: kRules, isProtected: false, extra: {'team1/dev/app1.yaml': `image: app1:v1.0.0 ${mark()}\n`}});
  const directory = await fleet.checkout();
  await work(directory);
  await fleet.git(directory, 'add', '--all');
  await fleet.git(directory, 'commit', '-qm', 'As it is');
  await fleet.git(directory, 'push', '-q', 'origin', 'HEAD:main');
  return directory;
};
const changed = async (directory) => {
  await fleet.git(directory, 'fetch', '-q', 'origin');
  return (await fleet.git(directory, 'diff', '--name-only', 'origin/main', `origin/${kBranch}`)).split('\n').filter(Boolean);
};

const kEdits = {
  'an image': [`image: app1:v1.0.0 ${mark()}\n`, `image: app1:v1.0.1 ${mark()}\n`],
  'an image of a registry': [`image: ghcr.io/org/app1:v1.0.0 ${mark()}\n`, `image: ghcr.io/org/app1:v1.0.1 ${mark()}\n`],
  'an image of a registry with a port and no tag': [`image: reg:5000/app1 ${mark()}\n`, `image: reg:5000/app1:v1.0.1 ${mark()}\n`],
  'an image with a digest': [`image: app1:v1@sha256:${'0f'.repeat(32)} ${mark()}\n`, `image: app1:v1.0.1 ${mark()}\n`],
  'a tag': [`tag: v1.0.0 ${mark(':tag')}\n`, `tag: v1.0.1 ${mark(':tag')}\n`],
  'a quoted number': [`tag: "1234" ${mark(':tag')}\n`, `tag: "v1.0.1" ${mark(':tag')}\n`],
  'a number': [`tag: 1234 ${mark(':tag')}\n`, `tag: v1.0.1 ${mark(':tag')}\n`],
  'an empty string': [`tag: "" ${mark(':tag')}\n`, `tag: "v1.0.1" ${mark(':tag')}\n`],
  'single quotes': [`tag: 'v1.0.0' ${mark(':tag')}\n`, `tag: 'v1.0.1' ${mark(':tag')}\n`],
  'a name': [`newName: old ${mark(':name')}\nnewTag: old ${mark(':tag')}\n`, `newName: app1 ${mark(':name')}\nnewTag: v1.0.1 ${mark(':tag')}\n`],
  'several in one file, and others': [
    `a: app1:v1 ${mark()}\n---\nb:\n- app1:v1 ${mark()}\n- app2:v1 # {"$imagepolicy": "team1:app2"}\nc: app1:v1\n`,
    `a: app1:v1.0.1 ${mark()}\n---\nb:\n- app1:v1.0.1 ${mark()}\n- app2:v1 # {"$imagepolicy": "team1:app2"}\nc: app1:v1\n`],
  'Windows line ends, tabs, no end of the last line': [`# x\r\n\r\nimage:   app1:v1  \t${mark()}\r\nb: [ 1,2 ]`, `# x\r\n\r\nimage:   app1:v1.0.1  \t${mark()}\r\nb: [ 1,2 ]`],
  'a byte order mark, odd indentation, flow style': [`\ufeffa:\n      b:   {c: d}\n      image: app1:v1 ${mark()}\n`, `\ufeffa:\n      b:   {c: d}\n      image: app1:v1.0.1 ${mark()}\n`],
  'another spelling of the marker': [`image: app1:v1 #{ "$imagepolicy" : "team1:app1" }\n`, `image: app1:v1.0.1 #{ "$imagepolicy" : "team1:app1" }\n`],
};
const kLeft = {
  'another group': 'image: app1:v1 # {"$imagepolicy": "team2:app1"}\n', 'a longer name': 'image: app1:v1 # {"$imagepolicy": "team1:app10"}\n',
  'a marker of promotiond': 'image: app1:v1 # {"$promotion": "team1:app1:dev"}\n', 'a marker within a text': `text: 'image: app1:v1 ${mark()}'\n`,
  'a marker on a line of its own': `${mark()}\nimage: app1:v1\n`,
  'what is not YAML, with somebody else\'s marker': 'a: {{ .Values.image }} # {"$imagepolicy": "team2:x"}\n\t- [\n',
};

test('each marked value gets the tag, and no other byte of any file changes', async () => {
  const names = (table, prefix) => Object.entries(table).map(([what, text], i) => [`team1/dev/${prefix}/${i}.yaml`, text, what]);
  const edited = names(kEdits, 'edited');
  const left = names(kLeft, 'left');
  const before = Object.fromEntries([...edited.map(([name, [text]]) => [name, text]), ...left.map(([name, text]) => [name, text]), ['team1/dev/notes.txt', `image: app1:v1 ${mark()}\n`], ['team1/prod/a.yaml', `image: app1:v1 ${mark()}\n`]]);
  fleet = await Fleet.make('github', {config: kRules, isProtected: false, extra: before});
  const directory = await fleet.checkout();
  works(await release(directory), /^created branch promote\/dev\/team1-app1 /m);
  for (const [name, [, after], what] of edited) assert.equal(await fleet.file(kBranch, name), after, what);
  assert.deepEqual((await changed(directory)).sort(), edited.map(([name]) => name).sort());
});

test('a tag that reads as a number or a date is quoted where the value is plain', async () => {
  fleet = await Fleet.make('github', {config: kRules, isProtected: false, extra: {'team1/dev/a.yaml': `tag: v1 ${mark(':tag')}\nimage: app1:v1 ${mark()}\n`}});
  const directory = await fleet.checkout();
  for (const tag of ['1234', '1.10', '2026-11-21', '0x10', '1e3', 'true', 'null', '0o7']) {
    works(await release(directory, tag), /created branch/);
    assert.equal(await fleet.file(kBranch, 'team1/dev/a.yaml'), `tag: "${tag}" ${mark(':tag')}\nimage: app1:${tag} ${mark()}\n`);
  }
});

test('a marker where no single value can be meant is named with its file and line, and nothing is pushed', async () => {
  for (const text of [`images: ${mark()}\n  - a\n`, `a: &x v1\nb: *x ${mark(':tag')}\n`, `a: [v1, v2] ${mark(':tag')}\n`, `a: {b: v1\n${mark()}\n`, `text: |\n  image: app1:v1 ${mark()}\n`]) {
    fleet = await Fleet.make('github', {config: kRules, isProtected: false, extra: {'team1/dev/odd.yaml': text}});
    fails(await release(await fleet.checkout()), /failed updating manifests: team1\/dev\/odd\.yaml: line \d/);
    assert.deepEqual(Object.keys(await fleet.branches()), ['main']);
    await fleet.end();
  }
});

test('links, submodules, hooks and attributes of a repository lead nowhere', async () => {
  const directory = await withTree(async (at) => {
    const dev = path.join(at, 'team1/dev');
    await symlink('/etc/passwd', path.join(dev, 'passwd.yaml'));
    await symlink('app1.yaml', path.join(dev, 'twin.yaml'));
    await symlink('.', path.join(dev, 'loop'));
    await symlink('dev', path.join(at, 'team1/prod'));
    await writeFile(path.join(at, '.gitattributes'), '*.yaml filter=evil ident export-subst text eol=crlf\n');
    await writeFile(path.join(dev, 'script.yaml'), `#!/bin/sh\nimage: app1:v1 ${mark()}\n`);
    await chmod(path.join(dev, 'script.yaml'), 0o755);
    const head = await fleet.git(at, 'rev-parse', 'HEAD');
    await fleet.git(at, 'update-index', '--add', '--cacheinfo', `160000,${head},team1/dev/module.yaml`);
    await mkdir(path.join(dev, 'module.yaml'));
  });
  const hook = path.join(directory, '.git/hooks/pre-push');
  await writeFile(hook, '#!/bin/sh\nexit 1\n');
  await chmod(hook, 0o755);
  works(await release(directory), /created branch/);
  assert.deepEqual(await changed(directory), ['team1/dev/app1.yaml', 'team1/dev/script.yaml']);
  assert.match(await fleet.git(directory, 'ls-tree', `origin/${kBranch}`, 'team1/dev/script.yaml'), /^100755 /);
  assert.equal(await fleet.file(kBranch, 'team1/dev/app1.yaml'), `image: app1:v1.0.1 ${mark()}\n`);
});

test('files that are large, binary, of two bytes a letter or kept elsewhere are no hindrance where they are not marked', async () => {
  const directory = await withTree(async (at) => {
    const dev = path.join(at, 'team1/dev');
    await writeFile(path.join(dev, 'large.yaml'), `a: ${'x'.repeat(3 << 20)}\n`);
    await writeFile(path.join(dev, 'binary.yaml'), Buffer.from([0, 1, 2, 255, 254, 0]));
    await writeFile(path.join(dev, 'wide.yaml'), Buffer.from(`\ufeffimage: app1:v1\n`, 'utf16le'));
    await writeFile(path.join(dev, 'lfs.yaml'), 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n');
    await writeFile(path.join(dev, 'empty.yaml'), '');
  });
  works(await release(directory), /created branch/);
  assert.deepEqual(await changed(directory), ['team1/dev/app1.yaml']);
});

test('a marked file that is too large to edit is named', async () => {
  const directory = await withTree((at) => writeFile(path.join(at, 'team1/dev/large.yaml'), `a: ${'x'.repeat(2 << 20)}\nimage: app1:v1 ${mark()}\n`));
  fails(await release(directory), /failed updating manifests: team1\/dev\/large\.yaml: /);
});

test('a repository without commits on its default branch is told', async () => {
  fleet = await Fleet.make('github', {config: kRules, isProtected: false});
  const directory = await fleet.checkout();
  await fleet.git(directory, 'checkout', '-q', '-b', 'other');
  await fleet.forge.do('delete-branch', {repository: fleet.repository, branch: 'main'});
  fails(await release(directory), /could not load github repository: .*(empty|default branch|no branch)/);
});
