// scripts/quickstart shows what it says, in its order, and leaves nothing behind.
import assert from 'node:assert/strict';
import {execFile, spawn} from 'node:child_process';
import {mkdtemp, readdir, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {after, before, test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {until} from './daemon.mjs';

const kRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const kShow = [path.join(kRoot, 'scripts/quickstart.d/show.mjs'), '--build', process.env.PROMOTIOND_BUILD];
let scratch;  // its temporary directory, so that what it leaves is seen

before(async () => { scratch = await mkdtemp(path.join(tmpdir(), 'quickstart-test-')); });
after(() => rm(scratch, {recursive: true, force: true}));

function show(...more) {
  const child = spawn(process.execPath, [...kShow, ...more], {cwd: kRoot, env: {...process.env, TMPDIR: scratch}});
  const run = {child, text: '', exit: new Promise((resolve) => { child.once('close', (code) => resolve(code)); })};
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => { run.text += chunk; });
  return run;
}

test('quickstart: shows event, decision, journal, commit, pull request and webhook in this order, and ends with 0', async () => {
  const run = show();
  assert.equal(await run.exit, 0, run.text);
  const titles = [...run.text.matchAll(/^== (.*)$/gm)].map((match) => match[1]);
  const expected = [/Forge/, /promotiond/, /event/, /decision/, /journal/, /commit/, /pull request/, /webhook/, /by hand/];
  assert.equal(titles.length, expected.length, titles.join('; '));
  expected.forEach((pattern, index) => assert.match(titles[index], pattern));
  assert.match(run.text, /-> 202, Location: \/api\/v1\/promotions\/p-/);
  assert.match(run.text, /^ +\+ +version: "6\.0\.1" # \{"\$promotion": "flux-system:podinfo:prod"\}$/m);
  assert.match(run.text, /#1 {2}Promote flux-system\/podinfo in prod to 6\.0\.1/);
  assert.match(run.text, /signature verified/);
  assert.deepEqual(await readdir(scratch), []);
});

test('quickstart: --stay serves until Ctrl-C and then takes everything away', async () => {
  const run = show('--stay');
  await until('everything runs', () => {
    if (run.child.exitCode !== null) throw new Error(run.text);
    return /until Ctrl-C/.test(run.text);
  });
  const daemon = Number(/pid (\d+)/.exec(run.text)[1]);
  process.kill(daemon, 0);
  run.child.kill('SIGINT');
  assert.equal(await run.exit, 0, run.text);
  assert.throws(() => process.kill(daemon, 0), /ESRCH/);
  assert.deepEqual(await readdir(scratch), []);
});

test('dependencies: says nothing when everything is there, and refuses groups it does not know', async () => {
  const run = (...groups) => new Promise((resolve) => {
    execFile(path.join(kRoot, 'scripts/dependencies'), groups, (error, stdout, stderr) => resolve([error?.code ?? 0, stdout, stderr]));
  });
  assert.deepEqual(await run('build', 'test'), [0, '', '']);
  assert.equal((await run('everything'))[0], 64);
});
