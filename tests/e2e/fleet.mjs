// A GitOps repository with gitops-promotion.yaml on a forge, its checkouts, and promotionctl run in them as a CI job runs it.
import assert from 'node:assert/strict';
import {execFile} from 'node:child_process';
import {existsSync} from 'node:fs';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {after} from 'node:test';
import {ForgeClient, exchange} from '../simulators/forge/client.mjs';
import {contractDirectory} from '../simulators/forge/setup.mjs';

export const kToken = 'ghp_canaryFleetToken0123456789';
const kProgram = path.join(process.env.PROMOTIOND_BUILD ?? '', 'bin/promotionctl');
const kPlain = {PATH: process.env.PATH, HOME: '/nonexistent', GIT_CONFIG_NOSYSTEM: '1', GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C'};
const kAuthor = {GIT_AUTHOR_NAME: 'Test', GIT_AUTHOR_EMAIL: 'test@example.invalid', GIT_COMMITTER_NAME: 'Test', GIT_COMMITTER_EMAIL: 'test@example.invalid'};

const app = (environment) => `apiVersion: apps/v1
kind: Deployment
metadata:
  name: testapp
  namespace: ${environment}
  labels: {app: testapp}
spec:
  selector:
    matchLabels: {app: testapp}
  template:
    metadata:
      labels: {app: testapp}
    spec:
      containers:
        - name: testapp
          image: ghcr.io/acme/testapp:v0 # {"$imagepolicy": "testgroup:testapp"}
        - name: sidecar
          image: ghcr.io/acme/sidecar:v7
`;

export const rules = ({flow = 'per-env', timeout = '5', environments = ['dev', 'qa', 'prod'], automatic = ['dev', 'qa'], more = ''} = {}) => `prflow: ${flow}
status_timeout_minutes: ${timeout}
environments:
${environments.map((name) => `- name: ${name}\n  auto: ${automatic.includes(name)}\n`).join('')}groups:
  testgroup:
    applications:
      testapp:
        featureLabelSelector: {app: testapp}
${more}`;

export const files = (text = rules()) => ({
  'gitops-promotion.yaml': text,
  ...Object.fromEntries(['dev', 'qa', 'prod'].flatMap((each) => [
    [`testgroup/${each}/testapp.yaml`, app(each)], [`testgroup/${each}/kustomization.yaml`, '# what runs here\nresources:\n  - testapp.yaml # the app\n'],
  ])),
});

let forge;
let home;
after(async () => {
  await forge?.stop();
  if (home) await rm(home, {recursive: true, force: true});
});

export function run(program, args, {cwd, env = {}} = {}) {
  return new Promise((resolve) => {
    execFile(program, args, {cwd, env: {...kPlain, ...env}, maxBuffer: 64 << 20}, (error, stdout, stderr) => {
      resolve({code: error ? error.code ?? 128 : 0, out: stdout, err: stderr});
    });
  });
}

// GitHub and Azure DevOps, as far as a test has to tell them apart.
const kProviders = {
  github: {
    name: 'acme/fleet', url: () => `${forge.url}/acme/fleet.git`, genre: undefined,
    make: (options) => forge.do('repositories', {owner: 'acme', name: 'fleet', ...options}),
  },
  azdo: {
    name: 'acme/My Team/fleet', url: () => `${forge.url}/acme/My%20Team/_git/fleet`, genre: 'fluxcd',
    make: (options) => forge.do('azure-repositories', {organization: 'acme', project: 'My Team', name: 'fleet', ...options}),
  },
};

export class Fleet {
  // On GitHub auto-merge is allowed and the default branch has the required check `status`, as gitops-promotion asks for; on Azure
  // there is a policy of that name.
  static async make(provider, {config = rules(), defaultBranch = 'main', isProtected = true, allowAutoMerge = true, extra = {}} = {}) {
    if (!existsSync(kProgram)) throw new Error(`there is no ${kProgram}; build the target promotionctl and set PROMOTIOND_BUILD`);
    home ??= await mkdtemp(path.join(tmpdir(), 'promotiond-fleet-'));
    forge ??= await ForgeClient.start({root: path.join(home, 'forge'), tlsDirectory: path.join(home, 'tls'), contract: await contractDirectory()});
    await forge.do('reset');
    await forge.do('tokens', {token: kToken, login: 'ci-bot'});
    const fleet = new Fleet();
    Object.assign(fleet, {provider, forge, defaultBranch, repository: kProviders[provider].name, url: kProviders[provider].url()});
    fleet.directory = await mkdtemp(path.join(home, 'checkouts-'));
    await kProviders[provider].make({files: {...files(config), ...extra}, defaultBranch});
    await forge.do('settings', {repository: fleet.repository, allowAutoMerge});
    if (isProtected) await fleet.protect();
    return fleet;
  }

  // context: "status", or "<genre>/<name>" as promotiond's own are called.
  protect(context = 'status') {
    const [name, genre = 'ci'] = context.split('/').reverse();
    return this.provider === 'github'
      ? forge.do('rules', {repository: this.repository, rules: [{type: 'required_status_checks', pattern: `refs/heads/${this.defaultBranch}`, contexts: [context]}]})
      : forge.do('settings', {repository: this.repository, policies: [{id: 3, kind: 'status', genre, name}]});
  }

  async end() {
    const violations = await forge.see('violations');
    await rm(this.directory, {recursive: true, force: true});
    assert.deepEqual(violations, [], 'what was sent is not what the forge describes');
  }

  async git(directory, ...args) {
    const {code, out, err} = await run('git', args, {cwd: directory, env: kAuthor});
    assert.equal(code, 0, `git ${args.join(' ')}: ${err}`);
    return out.trim();
  }

  // What a CI job has: a clone with the token in its address, here with the forge's certificate.
  async checkout(...args) {
    const directory = await mkdtemp(path.join(this.directory, 'work-'));
    await this.git(this.directory, 'clone', '-q', '-c', `http.sslCAInfo=${forge.caFile}`, ...args, this.url.replace('://', `://ci:${kToken}@`), directory);
    return directory;
  }

  // promotionctl in a checkout; {code, out, err}.
  async ctl(directory, command, args = [], env = {}) {
    const done = await run(kProgram, [command, '--provider', this.provider, '--token', kToken, '--sourcedir', directory, ...args], {cwd: this.directory, env});
    assert.ok(!done.out.includes(kToken) && !done.err.includes(kToken), 'the token is in what is printed');
    return done;
  }

  new(directory, tag, ...more) {
    return this.ctl(directory, 'new', ['--group', 'testgroup', '--app', 'testapp', '--tag', tag, ...more]);
  }

  pulls() {
    return forge.see('pulls', {repository: this.repository});
  }

  async pull(number) {
    return (await this.pulls()).find((each) => each.number === number);
  }

  file(ref, name) {
    return forge.see('file', {repository: this.repository, ref, path: name}).then(({text}) => text);
  }

  branches() {
    return forge.see('branches', {repository: this.repository});
  }

  commit(changes, more = {}) {
    return forge.do('commit', {repository: this.repository, files: changes, ...more});
  }

  // Flux has its say on a commit.
  async flux(sha, environment, state = 'success', {context = `kustomization/testgroup-${environment}/0c9c2e41`, genre = kProviders[this.provider].genre} = {}) {
    const word = this.provider === 'azdo' && state === 'failure' ? 'failed' : state;
    await forge.do('status', {repository: this.repository, sha, context, state: word, ...(genre ? {genre} : {})});
  }

  // The required check of a pull request passes, and what merges by itself does so. The merge commit, or null.
  async pass(number) {
    const {head} = await this.pull(number);
    await forge.do('status', {repository: this.repository, context: 'status', state: 'success', ...(this.provider === 'azdo' ? {number, genre: 'ci'} : {branch: head})});
    for (let look = 0; this.provider === 'azdo' && look < 8; ++look) await this.look_(number);
    return (await this.pull(number)).mergeCommitSha;
  }

  // As it is after what merges by itself has done so.
  async looked(number) {
    for (let look = 0; this.provider === 'azdo' && look < 8; ++look) await this.look_(number);
    return this.pull(number);
  }

  // Azure goes on by a step with each look.
  look_(number) {
    const authorization = `Basic ${Buffer.from(`:${kToken}`).toString('base64')}`;
    return exchange(`${forge.url}/acme/My%20Team/_apis/git/repositories/fleet/pullRequests/${number}?api-version=7.1`, {ca: forge.ca, headers: {authorization, 'user-agent': 'test'}});
  }

  // A person writes the description anew.
  describe(number, body) {
    return forge.do('edit-pull', {repository: this.repository, number, body});
  }

  // A person merges.
  merge(number) {
    return forge.do('merge', {repository: this.repository, number}).then(({sha}) => sha);
  }
}

// What a command came to: exit code 0, and on standard output what the pattern says; or 1 and the reason on standard error.
export function works(done, pattern) {
  assert.equal(done.code, 0, `${done.out}${done.err}`);
  if (pattern) assert.match(done.out, pattern);
  return done;
}

export function fails(done, pattern) {
  assert.equal(done.code, 1, `${done.out}${done.err}`);
  assert.match(done.err, /^Application failed with error: /m);
  assert.match(done.err, pattern);
  return done;
}

export const numberIn = ({out}) => Number(/with pull request (\d+) on commit [0-9a-f]{40}/.exec(out)?.[1]);
