#!/usr/bin/env node
// Fetches what contract mode checks with, once, into a cache outside of the source tree, and prints its directory.
//
// npm brings the validators and GitHub's clients at the versions of package-lock.json. GitHub's description of its REST API is
// one file of a very large package: it is taken out of the archive, compared with the sum below, and cut to the operations
// that promotions use. There is no way around a failure: a check that quietly did not run is no check.
import {createHash} from 'node:crypto';
import {execFile} from 'node:child_process';
import {cp, mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile} from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import {setTimeout as pause} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';

const kHere = path.dirname(fileURLToPath(import.meta.url));
const kPackage = '@octokit/openapi@23.0.2';
const kMember = 'package/generated/api.github.com.json';
const kSha256 = '829b4bebb19a53133289f7b0bc819f4f1118115821db2ca9f25e9ee995a7da2a';
const kPaths = [
  '/user', '/rate_limit', '/app/installations/{installation_id}/access_tokens', '/repos/{owner}/{repo}', '/repos/{owner}/{repo}/installation',
  '/repos/{owner}/{repo}/pulls', '/repos/{owner}/{repo}/pulls/{pull_number}', '/repos/{owner}/{repo}/pulls/{pull_number}/merge',
  '/repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers', '/repos/{owner}/{repo}/issues/{issue_number}/labels',
  '/repos/{owner}/{repo}/issues/{issue_number}/assignees', '/repos/{owner}/{repo}/branches/{branch}', '/repos/{owner}/{repo}/rules/branches/{branch}',
  '/repos/{owner}/{repo}/commits/{ref}/status', '/repos/{owner}/{repo}/commits/{ref}/statuses', '/repos/{owner}/{repo}/commits/{ref}/check-runs',
  '/repos/{owner}/{repo}/commits/{commit_sha}/pulls', '/repos/{owner}/{repo}/statuses/{sha}', '/repos/{owner}/{repo}/check-runs',
];

const kWebhooks = [
  'pull-request-closed', 'pull-request-dequeued', 'pull-request-review-submitted', 'merge-group-destroyed', 'check-run-created', 'check-run-completed', 'status',
];

const kAside = new Set(['example', 'examples', 'externalDocs', 'x-github']);
const kProse = new Set(['description', 'summary']);  // as text; members of these names are schemas

export function cacheDirectory() {
  const cache = process.env.PROMOTIOND_CACHE || path.join(process.env.HOME ?? os.homedir(), '.cache', 'promotiond');
  return path.join(cache, 'forge-contract');
}

function run(command, args, directory) {
  return new Promise((resolve, reject) => {
    execFile(command, args, {cwd: directory, maxBuffer: 64 << 20}, (error, stdout, stderr) => {
      if (!error) return resolve(stdout.trim());
      const isMissing = error.code === 'ENOENT';
      const why = isMissing ? 'not found; scripts/dependencies test installs it' : stderr.trim() || error.message;
      return reject(Object.assign(new Error(`${command} ${args.join(' ')}: ${why}`), {isMissing}));
    });
  });
}

// npm's part, four times at most: registries and networks are not well at times.
async function fetched(args, directory) {
  for (const seconds of [5, 10, 20]) {
    try {
      return await run('npm', args, directory);
    } catch (error) {
      if (error.isMissing) throw error;
      process.stderr.write(`forge contract: ${error.message}; trying again in ${seconds} s\n`);
    }
    await pause(seconds * 1000);
  }
  return run('npm', args, directory);
}

// Cuts a description to some paths and webhooks and the components they lead to.
export function trimmed(description, paths, webhooks) {
  const kept = {openapi: description.openapi, info: description.info, servers: description.servers, paths: {}, 'x-webhooks': {}, components: {}};
  const copy = (node) => {
    if (Array.isArray(node)) return node.map(copy);
    if (node === null || typeof node !== 'object') return node;
    if (typeof node.$ref === 'string') keep(node.$ref);
    const result = {};
    for (const [key, value] of Object.entries(node)) {
      if (!kAside.has(key) && !(kProse.has(key) && typeof value === 'string')) result[key] = copy(value);
    }
    return withNull(result);
  };
  const keep = (reference) => {
    const [, , kind, key] = reference.split('/');  // #/components/<kind>/<key>
    kept.components[kind] ??= {};
    if (kept.components[kind][key] !== undefined) return;
    kept.components[kind][key] = {};  // before the copy: schemas refer to themselves
    kept.components[kind][key] = copy(description.components[kind][key]);
  };
  for (const each of paths) {
    if (!description.paths[each]) throw new Error(`GitHub's description has no ${each}`);
    kept.paths[each] = copy(description.paths[each]);
  }
  for (const each of webhooks) {
    if (!description['x-webhooks'][each]) throw new Error(`GitHub's description has no webhook ${each}`);
    kept['x-webhooks'][each] = copy(description['x-webhooks'][each]);
  }
  return kept;
}

// `nullable` beside a reference or a combination and without a type is not understood by ajv; beside an enumeration, GitHub
// means null as one more value of it.
function withNull(schema) {
  if (schema.nullable === true && schema.enum) return {...schema, enum: [...new Set([...schema.enum, null])]};
  if (schema.nullable !== true || schema.type !== undefined) return schema;
  const {nullable, ...rest} = schema;
  return {anyOf: [rest, {enum: [null]}]};
}

async function fetchDescription(directory) {
  const archive = await fetched(['pack', '--silent', kPackage], directory);
  await run('tar', ['-xzf', archive, kMember], directory);
  const text = await readFile(path.join(directory, kMember));
  const sum = createHash('sha256').update(text).digest('hex');
  if (sum !== kSha256) throw new Error(`${kMember} of ${kPackage} has SHA-256 ${sum}, expected ${kSha256}`);
  await writeFile(path.join(directory, 'api.github.com.trim.json'), JSON.stringify(trimmed(JSON.parse(text), kPaths, kWebhooks)));
  await rm(path.join(directory, 'package'), {recursive: true});
  await rm(path.join(directory, archive));
}

// A complete cache of exactly these inputs, or none.
export async function contractDirectory() {
  const inputs = await Promise.all(['package.json', 'package-lock.json', 'setup.mjs'].map((name) => readFile(path.join(kHere, name))));
  const stamp = inputs.reduce((hash, text) => hash.update(text), createHash('sha256')).digest('hex').slice(0, 16);
  const home = cacheDirectory();
  const ready = path.join(home, stamp);
  if ((await readdir(home).catch(() => [])).includes(stamp)) return ready;
  await mkdir(home, {recursive: true});
  const scratch = await mkdtemp(path.join(home, 'new-'));
  try {
    for (const name of ['package.json', 'package-lock.json']) await cp(path.join(kHere, name), path.join(scratch, name));
    await fetched(['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--silent'], scratch);
    await fetchDescription(scratch);
    await rename(scratch, ready).catch((error) => {
      if (!['EEXIST', 'ENOTEMPTY'].includes(error.code)) throw error;  // another run was quicker: its cache is as good
    });
  } finally {
    await rm(scratch, {recursive: true, force: true});
  }
  return ready;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  contractDirectory().then((directory) => process.stdout.write(`${directory}\n`), (error) => {
    process.stderr.write(`forge contract: ${error.message}\n`);
    process.exit(1);
  });
}
