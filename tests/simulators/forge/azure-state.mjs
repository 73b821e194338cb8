// What Azure DevOps knows beside the forge's users and tokens: organisations with projects, repositories, pull requests and
// policies. A pull request is worked out behind the caller's back: each look at it lets it go on by one step.
import {createHash} from 'node:crypto';
import path from 'node:path';
import * as git from './git.mjs';

export const kNobody = '00000000-0000-0000-0000-000000000000';
export const refOf = (branch) => `refs/heads/${branch}`;
export const branchOf = (ref) => (ref?.startsWith('refs/heads/') ? ref.slice('refs/heads/'.length) : null);
const kMethods = {noFastForward: 'merge', squash: 'squash', rebase: 'rebase', rebaseMerge: 'rebase'};

// The same every time, so that tests can name it.
export function guidOf(...parts) {
  const hex = createHash('sha256').update(parts.join('\n').toLowerCase()).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

export class Azure {
  constructor(forge) {
    this.forge = forge;
    this.repositories_ = [];
    this.nextPull_ = 101;  // one counter for a whole organisation: a number is no index
    this.workItems = new Set();
  }

  nextPull() {
    return this.nextPull_++;
  }

  identity(login) {
    return {id: guidOf('identity', login), displayName: login, uniqueName: `${login}@example.invalid`};
  }

  identities() {
    return this.forge.users().map((user) => this.identity(user.login));
  }

  async addRepository({organization, project, name = project, defaultBranch = 'main', files = {'README.md': `# ${name}\n`}, rules = [], policies = [],
    members = [], lag = 1, ignores = []}) {
    if (this.repository(organization, project, name)) throw new Error(`repository ${organization}/${project}/${name} exists already`);
    for (const login of members) this.forge.user(login);
    const repository = new AzureRepository(this, {organization, project, name, defaultBranch, policies, lag, ignores});
    await git.createRepository(repository.directory, {defaultBranch, refusals: kRefusals});
    await git.writeRules(repository.directory, rules);
    if (Object.keys(files).length) await git.commitFiles(repository.directory, defaultBranch, files, {message: 'Start'});
    this.repositories_.push(repository);
    return repository;
  }

  // By names or ids, as the API takes them, in any letter case. Without a project the repository's name is the project's.
  repository(organization, project, name = project) {
    const same = (a, b) => a.toLowerCase() === b?.toLowerCase();
    return this.repositories_.find((each) => same(each.organization, organization) && (same(each.project, project) || same(each.projectId, project))
      && (same(each.name, name) || same(each.id, name))) ?? null;
  }

  projectId(organization, name) {
    return this.repositories_.find((each) => each.organization.toLowerCase() === organization.toLowerCase()
      && [each.project, each.projectId].some((known) => known.toLowerCase() === name.toLowerCase()))?.projectId ?? null;
  }
}

// What the update hook says, as Azure words it.
const kRefusals = {
  creation: "TF401027: You need the Git 'CreateBranch' permission to perform this action.",
  deletion: "TF401027: You need the Git 'ForcePush' permission to perform this action.",
  update: 'TF402455: Pushes to this branch are not permitted; you must use a pull request to update this branch.',
  pull_request: 'TF402455: Pushes to this branch are not permitted; you must use a pull request to update this branch.',
  non_fast_forward: "TF401027: You need the Git 'ForcePush' permission to perform this action.",
};

export class AzureRepository {
  constructor(azure, settings) {
    Object.assign(this, settings);
    this.azure = azure;
    this.owner = this.organization;  // what permissions are looked up by
    this.isPrivate = true;
    this.id = guidOf('repository', this.organization, this.project, this.name);
    this.projectId = guidOf('project', this.organization, this.project);
    this.directory = path.join(azure.forge.root, 'azure', this.organization, this.project, `${this.name}.git`);
    this.disabled = false;
    this.pulls = [];
    this.statuses = [];
    this.tail_ = Promise.resolve();
  }

  // One change at a time, as a database transaction would have it.
  exclusively(work) {
    const result = this.tail_.then(work);
    this.tail_ = result.catch(() => {});
    return result;
  }

  setRules(rules) {
    return git.writeRules(this.directory, rules);
  }

  // Lets the active pull requests follow their branches. One whose branch is gone stays as it is.
  async refresh() {
    const heads = await git.branches(this.directory);
    for (const pull of this.pulls) {
      const head = heads.get(pull.head);
      const base = heads.get(pull.base);
      if (pull.status !== 'active' || !head || !base || (head === pull.headSha && base === pull.baseSha)) continue;
      Object.assign(pull, {headSha: head, baseSha: base});
      this.queue_(pull);
    }
    return heads;
  }

  addPull({title, body = '', head, base, headSha, baseSha, draft = false, login, workItems = [], fork = null}) {
    const pull = {
      number: this.azure.nextPull(), title, body, head, base, headSha, baseSha, draft, login, fork, status: 'active', state: 'open', merged: false,
      createdAt: new Date().toISOString(), closedAt: null, closedBy: null, mergeCommitSha: null, completing: null, completion: null, autoComplete: null,
      labels: [], reviewers: [], workItems, statuses: [], verdicts: {},
    };
    this.queue_(pull);
    this.pulls.push(pull);
    return pull;
  }

  queue_(pull) {
    Object.assign(pull, {mergeStatus: 'queued', lag: this.lag});
  }

  settle_(pull, status, login) {
    Object.assign(pull, {status, state: 'closed', merged: status === 'completed', closedAt: new Date().toISOString(), closedBy: login, completing: null});
    this.azure.forge.tell(this, 'closed', pull);
  }

  close(pull, login) {
    this.settle_(pull, 'abandoned', login);
  }

  reactivate(pull) {
    Object.assign(pull, {status: 'active', state: 'open', closedAt: null, closedBy: null});
    this.queue_(pull);
  }

  // Asks for completion; it happens later.
  complete(pull, login) {
    pull.completing = login;
    this.queue_(pull);
  }

  // One step of what goes on by itself.
  async step(pull) {
    if (pull.status !== 'active') return;
    if (pull.lag > 0) {
      pull.lag -= 1;
      return;
    }
    if (pull.mergeStatus === 'queued') await this.workOut_(pull);
    const ready = pull.status === 'active' && pull.mergeStatus === 'succeeded' && pull.autoComplete && !pull.draft && !this.blocked(pull);
    if (ready) this.complete(pull, pull.autoComplete);
  }

  async workOut_(pull) {
    const tree = await git.mergedTree(this.directory, pull.base, pull.headSha);
    pull.mergeStatus = tree === null ? 'conflicts' : 'succeeded';
    this.azure.forge.tell(this, 'merge', pull);
    const login = pull.completing;
    pull.completing = null;
    if (!login || tree === null) return;
    if (this.blocked(pull) || !this.allows_(pull)) pull.mergeStatus = 'rejectedByPolicy';
    else await this.merge(pull, {login});
  }

  // At once, as a person with all the rights does it; null on a conflict.
  async merge(pull, {login}) {
    const {mergeStrategy = 'noFastForward', mergeCommitMessage, deleteSourceBranch} = pull.completion ?? {};
    const message = mergeCommitMessage ?? `Merged PR ${pull.number}: ${pull.title}\n\n${pull.body}`;
    const sha = await git.merge(this.directory, {branch: pull.base, head: pull.headSha, method: kMethods[mergeStrategy], message});
    if (!sha) return null;
    Object.assign(pull, {mergeStatus: 'succeeded', mergeCommitSha: sha});
    this.settle_(pull, 'completed', login);
    if (deleteSourceBranch) await git.git(this.directory, ['update-ref', '-d', refOf(pull.head)]);
    return sha;
  }

  // {id, kind: build | reviewers | status | strategy, isBlocking, ...}: what stands in the way of completion.
  evaluation(pull, policy) {
    switch (policy.kind) {
      case 'reviewers':
        return pull.reviewers.filter((each) => each.vote >= 5).length >= (policy.minimum ?? 1) ? 'approved' : 'queued';
      case 'status': {
        const state = pull.statuses  // those of its commits count for nothing
          .filter((each) => each.genre === (policy.genre ?? null) && each.name === policy.name).at(-1)?.state;
        return {succeeded: 'approved', failed: 'rejected', error: 'rejected', notApplicable: 'notApplicable'}[state] ?? 'queued';
      }
      case 'strategy':
        return 'approved';  // it limits how, and not whether
      default:
        return pull.verdicts[policy.id] ?? 'queued';
    }
  }

  blocked(pull) {
    const waiting = this.policies.some((policy) => policy.isBlocking !== false && !['approved', 'notApplicable'].includes(this.evaluation(pull, policy)));
    return waiting || pull.reviewers.some((each) => each.isRequired && each.vote < 5);
  }

  allows_(pull) {
    const wanted = pull.completion?.mergeStrategy ?? 'noFastForward';
    return this.policies.every((policy) => policy.kind !== 'strategy' || policy.allowed.includes(wanted));
  }

  addStatus({sha, pull, state, genre = null, name = 'default', context, description = null, targetUrl = null, login}) {
    const status = {
      id: this.statuses.length + 1, sha, pull, state: state === 'success' ? 'succeeded' : state, genre, name: context ?? name, description, targetUrl, login,
      createdAt: new Date().toISOString(),
    };
    this.statuses.push(status);
    return status;
  }

  autoMerge() {}  // looks do it
}
