// Git for the simulator: bare repositories, changed by plumbing only, and served by git's own http-backend.
import {execFile, spawn} from 'node:child_process';
import {readFileSync, readdirSync} from 'node:fs';
import {chmod, mkdir, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import path from 'node:path';

const kAuthor = {
  GIT_AUTHOR_NAME: 'Forge', GIT_AUTHOR_EMAIL: 'forge@example.invalid',
  GIT_COMMITTER_NAME: 'Forge', GIT_COMMITTER_EMAIL: 'forge@example.invalid',
};
// Nobody's ~/.gitconfig may change what the simulator does.
const kPlain = {PATH: process.env.PATH, HOME: '/nonexistent', GIT_CONFIG_NOSYSTEM: '1', GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C'};

export class GitError extends Error {}

export function git(directory, args, {input, env} = {}) {
  return new Promise((resolve, reject) => {
    const child = execFile('git', args, {
      cwd: directory, env: {...kPlain, ...kAuthor, ...env}, maxBuffer: 256 << 20,
    }, (error, stdout, stderr) => {
      if (error) reject(Object.assign(new GitError(`git ${args.join(' ')}: ${stderr.trim() || error.message}`), {code: error.code, stdout}));
      else resolve(stdout);
    });
    if (input !== undefined) child.stdin.end(input);
  });
}

// How GitHub words what its rules refuse.
const kGitHub = {
  headline: 'error: GH013: Repository rule violations found for $1.',
  creation: '- Cannot create ref due to creations being restricted.',
  deletion: '- Cannot delete this branch',
  update: '- Cannot update this protected ref.',
  pull_request: '- Changes must be made through a pull request.',
  non_fast_forward: '- Cannot force-push to this branch',
};

// A forge's rules as an update hook. The file `rules` has one "type pattern" a line.
const updateHook = (words) => `#!/bin/sh
refuse() {
  ${words.headline ? `echo "${words.headline}" >&2` : ':'}
  echo "$2" >&2
  exit 1
}
zero=0000000000000000000000000000000000000000
[ -f rules ] || exit 0
while read -r type pattern; do
  case "$1" in
    $pattern) ;;
    *) continue ;;
  esac
  case "$type" in
    creation) [ "$2" = "$zero" ] && refuse "$1" "${words.creation}" ;;
    deletion) [ "$3" = "$zero" ] && refuse "$1" "${words.deletion}" ;;
    update) refuse "$1" "${words.update}" ;;
    pull_request) refuse "$1" "${words.pull_request}" ;;
    non_fast_forward)
      if [ "$2" != "$zero" ] && [ "$3" != "$zero" ] && ! git merge-base --is-ancestor "$2" "$3"; then
        refuse "$1" "${words.non_fast_forward}"
      fi ;;
  esac
done < rules
exit 0
`;

export async function createRepository(directory, {defaultBranch, refusals = kGitHub}) {
  await mkdir(directory, {recursive: true});
  await git(directory, ['init', '-q', '--bare', '-b', defaultBranch, '.']);
  await git(directory, ['config', 'http.receivepack', 'true']);
  await git(directory, ['config', 'uploadpack.allowFilter', 'true']);
  await git(directory, ['config', 'core.logAllRefUpdates', 'true']);  // the tests read who moved what
  const hook = path.join(directory, 'hooks', 'update');
  await mkdir(path.dirname(hook), {recursive: true});
  await writeFile(hook, updateHook(refusals));
  await chmod(hook, 0o755);
}

// Whether the rules would refuse a push that does this; for updates that come by the API.
export function refusedByRules(directory, ref, {oldObjectId, newObjectId}) {
  return new Promise((resolve) => {
    execFile(path.join(directory, 'hooks', 'update'), [ref, oldObjectId, newObjectId], {cwd: directory, env: kPlain}, (error) => resolve(Boolean(error)));
  });
}

export function writeRules(directory, rules) {
  const lines = rules.map((rule) => `${rule.type} ${rule.pattern}`);
  return writeFile(path.join(directory, 'rules'), lines.map((line) => `${line}\n`).join(''));
}

function readIfThere(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return '';
    throw error;
  }
}

// name -> sha of every branch. From git's files (gitrepository-layout(5)) rather than by a process, since each request asks for
// them. The loose ones are read first: git writes packed-refs before it removes what went there.
export async function branches(directory) {
  const heads = path.join(directory, 'refs/heads');
  const loose = readdirSync(heads, {recursive: true, withFileTypes: true}).filter((entry) => entry.isFile() && !entry.name.endsWith('.lock'))
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name)).map((file) => [path.relative(heads, file), readIfThere(file).trim()])
    .filter(([, sha]) => sha);
  const packed = [...readIfThere(path.join(directory, 'packed-refs')).matchAll(/^([0-9a-f]{40}) refs\/heads\/(.+)$/gm)].map(([, sha, name]) => [name, sha]);
  return new Map([...new Map([...packed, ...loose])].sort(([one], [other]) => (one < other ? -1 : 1)));
}

// The reflogs of all branches, oldest first; `who` pushed, or is "Forge" for what the tests did.
export async function movements(directory) {
  const found = [];
  for (const branch of (await branches(directory)).keys()) {
    const text = await readFile(path.join(directory, 'logs/refs/heads', branch), 'utf8').catch(() => '');
    for (const line of text.split('\n').filter(Boolean)) {
      const [, from, to, who, seconds] = /^(\S+) (\S+) (.*) <.*> (\d+)/.exec(line);
      found.push({branch, from, to, who, seconds: Number(seconds)});
    }
  }
  return found;
}

export async function resolveCommit(directory, ref) {
  for (const name of [`refs/heads/${ref}`, `refs/${ref}`, ref]) {
    if (name.startsWith('-')) return null;
    const sha = await git(directory, ['rev-parse', '-q', '--verify', `${name}^{commit}`]).catch(() => '');
    if (sha) return sha.trim();
  }
  return null;
}

async function withIndex(directory, work) {
  const scratch = await mkdtemp(path.join(tmpdir(), 'forge-index-'));
  try {
    return await work({GIT_INDEX_FILE: path.join(scratch, 'index')});
  } finally {
    await rm(scratch, {recursive: true, force: true});
  }
}

// Writes files (null = delete) on top of a branch and moves the branch; makes the branch if there is none.
export async function commitFiles(directory, branch, files, {message = 'Change', from} = {}) {
  const parent = await resolveCommit(directory, from ?? branch);
  return withIndex(directory, async (env) => {
    if (parent) await git(directory, ['read-tree', parent], {env});
    const lines = [];
    for (const [name, text] of Object.entries(files)) {
      if (text === null) {
        lines.push(`0 ${'0'.repeat(40)}\t${name}`);
        continue;
      }
      const blob = await git(directory, ['hash-object', '-w', '--stdin'], {input: text});
      lines.push(`100644 ${blob.trim()}\t${name}`);
    }
    if (lines.length) await git(directory, ['update-index', '--index-info'], {env, input: `${lines.join('\n')}\n`});
    const tree = (await git(directory, ['write-tree'], {env})).trim();
    const parents = parent ? ['-p', parent] : [];
    const commit = (await git(directory, ['commit-tree', tree, ...parents, '-m', message])).trim();
    await git(directory, ['update-ref', `refs/heads/${branch}`, commit]);
    return commit;
  });
}

export async function isAncestor(directory, older, newer) {
  return git(directory, ['merge-base', '--is-ancestor', older, newer]).then(() => true, () => false);
}

export async function commitsBetween(directory, base, head) {
  const out = await git(directory, ['rev-list', `${base}..${head}`]);
  return out.split('\n').filter(Boolean);
}

export async function diffStat(directory, base, head) {
  const out = await git(directory, ['diff', '--numstat', '--no-renames', `${base}...${head}`]).catch(() => '');
  const stat = {additions: 0, deletions: 0, changed_files: 0};
  for (const line of out.split('\n').filter(Boolean)) {
    const [added, removed] = line.split('\t');
    stat.additions += Number(added) || 0;
    stat.deletions += Number(removed) || 0;
    stat.changed_files += 1;
  }
  return stat;
}

export async function diff(directory, base, head) {
  return git(directory, ['diff', '--no-renames', `${base}...${head}`]);
}

export async function fileAt(directory, ref, name) {
  return git(directory, ['show', `${ref}:${name}`]);
}

export async function commitInfo(directory, sha) {
  const format = '%H%n%T%n%P%n%an%n%ae%n%aI%n%cn%n%ce%n%cI%n%B';
  const [hash, tree, parents, an, ae, ad, cn, ce, cd, ...message] = (await git(directory, ['show', '-s', `--format=${format}`, sha])).split('\n');
  return {
    sha: hash, tree, parents: parents.split(' ').filter(Boolean), message: message.join('\n').trimEnd(),
    author: {name: an, email: ae, date: ad}, committer: {name: cn, email: ce, date: cd},
  };
}

// The tree that merging head into base gives, or null on a conflict.
export async function mergedTree(directory, base, head) {
  try {
    return (await git(directory, ['merge-tree', '--write-tree', base, head])).split('\n')[0];
  } catch (error) {
    if (error.code === 1) return null;
    throw error;
  }
}

// Moves `branch` to the merge of `head`; returns the new commit or null on a conflict.
export async function merge(directory, {branch, head, method, message}) {
  const base = await resolveCommit(directory, branch);
  const tree = await mergedTree(directory, base, head);
  if (tree === null) return null;
  const parents = method === 'merge' ? ['-p', base, '-p', head] : ['-p', base];  // one commit for squash and rebase
  const commit = (await git(directory, ['commit-tree', tree, ...parents, '-m', message])).trim();
  await git(directory, ['update-ref', `refs/heads/${branch}`, commit, base]);
  return commit;
}

// Answers one smart-HTTP request. The request's body comes as a stream, the answer as {status, headers, body}: it is held
// back as a whole so that a fault can lose it after the work was done.
export function httpBackend(root, {request, pathInfo, query, user}) {
  return new Promise((resolve, reject) => {
    if (request.destroyed) {  // while it waited its turn; the backend would wait for the rest for ever
      resolve({status: 400, headers: {'Content-Type': 'text/plain'}, body: Buffer.from('the client went away\n')});
      return;
    }
    const child = spawn('git', ['http-backend'], {env: {
      ...kPlain, GIT_PROJECT_ROOT: root, GIT_HTTP_EXPORT_ALL: '1', PATH_INFO: pathInfo, QUERY_STRING: query,
      REQUEST_METHOD: request.method, CONTENT_TYPE: request.headers['content-type'] ?? '',
      CONTENT_LENGTH: request.headers['content-length'] ?? '', HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      GIT_PROTOCOL: request.headers['git-protocol'] ?? '', REMOTE_USER: user, REMOTE_ADDR: '127.0.0.1', SERVER_PROTOCOL: 'HTTP/1.1',
      GIT_COMMITTER_NAME: user, GIT_COMMITTER_EMAIL: 'push@example.invalid',
      GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'safe.directory', GIT_CONFIG_VALUE_0: '*',
    }});
    const chunks = [];
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.stderr.on('data', () => {});
    child.stdin.on('error', () => {});  // the backend may answer before it has read everything
    child.on('error', reject);
    child.on('close', () => {
      const all = Buffer.concat(chunks);
      const end = all.indexOf('\r\n\r\n');
      const headers = {};
      let status = 200;
      for (const line of all.subarray(0, Math.max(end, 0)).toString().split('\r\n').filter(Boolean)) {
        const colon = line.indexOf(':');
        const value = line.slice(colon + 1).trim();
        if (line.slice(0, colon).toLowerCase() === 'status') status = Number.parseInt(value, 10);
        else headers[line.slice(0, colon)] = value;
      }
      if (end < 0) resolve({status: 500, headers: {'Content-Type': 'text/plain'}, body: Buffer.from('no answer from git http-backend\n')});
      else resolve({status, headers, body: all.subarray(end + 4)});
    });
    request.on('aborted', () => child.kill());  // a client that was killed must not leave a push waiting for the rest
    request.pipe(child.stdin);
  });
}
