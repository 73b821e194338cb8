// What the forge knows: users and tokens, repositories, pull requests, statuses. Branches and commits are not here: they
// are read from the bare repositories whenever they are needed, so that a push is seen at once.
import {createHash, createPublicKey, createVerify, randomBytes} from 'node:crypto';
import path from 'node:path';
import {Azure} from './azure-state.mjs';
import * as git from './git.mjs';

export const nodeId = (kind, id) => Buffer.from(`${kind}:${id}`).toString('base64url');
// GitHub's times have no fractions.
export const timestamp = (date = new Date()) => `${date.toISOString().slice(0, 19)}Z`;

export class Forge {
  constructor(root) {
    this.root = root;
    this.users_ = new Map();
    this.tokens_ = new Map();
    this.apps_ = new Map();
    this.repositories_ = new Map();
    this.nextId_ = 1000;
    this.hourlyLimit = 5000;
    this.azure = new Azure(this);
    this.tell = () => {};  // who is told of changes: (repository, change, subject, detail); see hooks.mjs
  }

  nextId() {
    return this.nextId_++;
  }

  user(login, type = 'User') {
    if (!this.users_.has(login)) this.users_.set(login, {login, type, id: this.nextId()});
    return this.users_.get(login);
  }

  users() {
    return [...this.users_.values()];
  }

  // A personal token: `permissions` null = everything, `repositories` null = all of them. `bearer`: one of Entra's, which Azure
  // takes as a bearer token only.
  addToken({token, login = 'octocat', permissions = null, repositories = null, expiresAt = null, integration = false, bearer = false}) {
    const value = token ?? `ghp_${randomBytes(20).toString('hex')}`;
    this.user(login, integration ? 'Bot' : 'User');
    const budget = {limit: this.hourlyLimit, remaining: this.hourlyLimit, reset: Math.floor(Date.now() / 1000) + 3600};
    this.tokens_.set(value, {value, login, permissions, repositories, expiresAt, integration, bearer, budget});
    return value;
  }

  revokeToken(value) {
    return this.tokens_.delete(value);
  }

  token(value) {
    const token = this.tokens_.get(value);
    if (!token || (token.expiresAt !== null && token.expiresAt <= Date.now())) return null;
    return token;
  }

  tokens() {
    return [...this.tokens_.values()];
  }

  addApp({id, publicKey, slug = `app-${id}`, account, permissions = {contents: 'write', pull_requests: 'write', metadata: 'read'}, repositories = null}) {
    const installation = {id: this.nextId(), account, permissions, repositories, createdAt: timestamp()};
    this.apps_.set(String(id), {id: Number(id), slug, key: createPublicKey(publicKey), installation});
    return installation.id;
  }

  // The App that signed this JWT; {error} says which of GitHub's conditions it fails.
  appOf(jwt) {
    const [head, claims, signature, ...rest] = jwt.split('.');
    if (!signature || rest.length) return {error: 'A JSON web token could not be decoded'};
    let header;
    let body;
    try {
      header = JSON.parse(Buffer.from(head, 'base64url'));
      body = JSON.parse(Buffer.from(claims, 'base64url'));
    } catch {
      return {error: 'A JSON web token could not be decoded'};
    }
    const app = this.apps_.get(String(body.iss));
    if (!app) return {error: 'Integration not found'};
    if (header.alg !== 'RS256') return {error: 'A JSON web token could not be decoded'};
    const genuine = createVerify('RSA-SHA256').update(`${head}.${claims}`).verify(app.key, Buffer.from(signature, 'base64url'));
    if (!genuine) return {error: 'A JSON web token could not be decoded'};
    const now = Math.floor(Date.now() / 1000);
    if (!Number.isInteger(body.iat) || body.iat > now) return {error: "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"};
    if (!Number.isInteger(body.exp) || body.exp <= now) return {error: "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires"};
    if (body.exp > now + 600) return {error: "'Expiration time' claim ('exp') is too far in the future"};
    return {app};
  }

  installation(id) {
    for (const app of this.apps_.values()) {
      if (app.installation.id === id) return {app, installation: app.installation};
    }
    return null;
  }

  installationFor(app, repository) {
    const {installation} = app;
    if (installation.account !== repository.owner) return null;
    if (installation.repositories && !installation.repositories.includes(repository.name)) return null;
    return installation;
  }

  async addRepository({owner, name, defaultBranch = 'main', isPrivate = true, files = {'README.md': `# ${name}\n`}, rules = [],
    allowAutoMerge = false, mergeMethods = ['merge', 'squash', 'rebase'], collaborators = []}) {
    const key = `${owner}/${name}`.toLowerCase();
    if (this.repositories_.has(key)) throw new Error(`repository ${owner}/${name} exists already`);
    this.user(owner, 'Organization');
    for (const login of collaborators) this.user(login);
    const repository = new Repository(this, {owner, name, defaultBranch, isPrivate, rules, allowAutoMerge, mergeMethods, collaborators});
    await git.createRepository(repository.directory, {defaultBranch});
    await git.writeRules(repository.directory, rules);
    if (Object.keys(files).length) await git.commitFiles(repository.directory, defaultBranch, files, {message: 'Start'});
    this.repositories_.set(key, repository);
    return repository;
  }

  repository(owner, name) {
    return this.repositories_.get(`${owner}/${name}`.toLowerCase()) ?? null;
  }

  repositories() {
    return [...this.repositories_.values()];
  }

  pullByNodeId(id) {
    for (const repository of this.repositories()) {
      const found = repository.pulls.find((pull) => nodeId('PR', pull.id) === id);
      if (found) return {repository, pull: found};
    }
    return null;
  }
}

export class Repository {
  constructor(forge, settings) {
    Object.assign(this, settings);
    this.forge = forge;
    this.id = forge.nextId();
    this.directory = path.join(forge.root, this.owner, `${this.name}.git`);
    this.createdAt = timestamp();
    this.archived = false;
    this.pulls = [];
    this.labels = new Map();
    this.statuses = [];
    this.checkRuns = [];
    this.mergeabilityUnknown = 0;  // how many more looks at a pull request find it "still computing"
    this.tail_ = Promise.resolve();
  }

  // One change at a time, as a database transaction would have it.
  exclusively(work) {
    const result = this.tail_.then(work);
    this.tail_ = result.catch(() => {});
    return result;
  }

  label(name) {
    const key = name.toLowerCase();
    if (!this.labels.has(key)) this.labels.set(key, {id: this.forge.nextId(), name, color: 'ededed', description: ''});
    return this.labels.get(key);
  }

  rulesFor(branch) {
    const ref = `refs/heads/${branch}`;
    return this.rules.filter((rule) => globMatches(rule.pattern, ref));
  }

  async setRules(rules) {
    this.rules = rules;
    await git.writeRules(this.directory, rules);
  }

  // Lets the pull requests follow their branches, as GitHub does after each push.
  async refresh() {
    const heads = await git.branches(this.directory);
    for (const pull of this.pulls) {
      if (pull.state === 'open') await this.follow_(pull, heads);
    }
    return heads;
  }

  async follow_(pull, heads) {
    const head = heads.get(pull.head);
    const base = heads.get(pull.base);
    if (!head || !base) return this.close(pull, 'forge');
    if (pull.looked === `${head} ${base}`) return undefined;  // dozens of open ones must not cost a git process each
    this.looked(pull, head, base);
    const moved = head !== pull.headSha;
    pull.baseSha = base;
    if (moved) {
      pull.headSha = head;
      pull.updatedAt = timestamp();
      pull.autoMerge = pull.autoMerge && pull.autoMerge.expectedHead && pull.autoMerge.expectedHead !== head ? null : pull.autoMerge;
    }
    if (!(await git.isAncestor(this.directory, head, base))) return undefined;
    if (moved) return this.close(pull, 'forge');  // the push left nothing to merge
    return this.markMerged(pull, base, 'forge');  // somebody pushed the merge
  }

  looked(pull, head = pull.headSha, base = pull.baseSha) {
    pull.looked = `${head} ${base}`;
  }

  close(pull, login, merged = {}) {
    Object.assign(pull, {state: 'closed', closedAt: timestamp(), updatedAt: timestamp(), closedBy: login, autoMerge: null, ...merged});
    this.forge.tell(this, 'closed', pull, {login});
  }

  markMerged(pull, sha, login) {
    this.close(pull, login, {merged: true, mergedAt: timestamp(), mergeCommitSha: sha, mergedBy: login});
  }

  approve(pull, login) {
    pull.approvals.add(login);
    this.forge.tell(this, 'review', pull, {login});
  }

  openPull(head, base) {
    return this.pulls.find((pull) => pull.state === 'open' && pull.head === head && (base === undefined || pull.base === base)) ?? null;
  }

  addPull({title, body, head, base, headSha, baseSha, draft, login, maintainerCanModify}) {
    const now = timestamp();
    const pull = {
      id: this.forge.nextId(), number: this.pulls.length + 1, title, body, head, base, headSha, baseSha, draft, login, maintainerCanModify,
      state: 'open', merged: false, createdAt: now, updatedAt: now, closedAt: null, mergedAt: null, mergedBy: null, mergeCommitSha: null,
      labels: [], reviewers: [], teams: [], assignees: [], autoMerge: null, comments: [], approvals: new Set(), inQueue: false, events: [],
    };
    this.pulls.push(pull);
    return pull;
  }

  // clean, dirty, blocked, unstable, draft, unknown: GitHub's mergeable_state.
  async mergeState(pull) {
    if (pull.state !== 'open') return 'unknown';
    const tree = await git.mergedTree(this.directory, pull.base, pull.headSha);
    if (tree === null) return 'dirty';
    if (pull.draft) return 'draft';
    const verdicts = this.verdicts(pull.headSha);
    if (this.requiredChecks(pull.base).some((context) => verdicts.get(context.toLowerCase()) !== 'success')) return 'blocked';
    if (this.approvalsMissing(pull) > 0) return 'blocked';
    return [...verdicts.values()].some((verdict) => verdict !== 'success') ? 'unstable' : 'clean';
  }

  requiredChecks(branch) {
    return this.rulesFor(branch).filter((rule) => rule.type === 'required_status_checks').flatMap((rule) => rule.contexts ?? []);
  }

  approvalsNeeded(branch) {
    return Math.max(0, ...this.rulesFor(branch).map((rule) => rule.approvals ?? 0));
  }

  approvalsMissing(pull) {
    return Math.max(0, this.approvalsNeeded(pull.base) - pull.approvals.size);
  }

  hasQueue(branch) {
    return this.rulesFor(branch).some((rule) => rule.type === 'merge_queue');
  }

  enqueue(pull) {
    pull.inQueue = true;
    pull.updatedAt = timestamp();
    pull.events.push({kind: 'AddedToMergeQueueEvent'});
  }

  // The queue has come to it: merged, or put out for a reason.
  async leaveQueue(pull, {outcome, reason}) {
    const {method, login} = pull.autoMerge ?? {method: 'merge', login: 'forge'};
    Object.assign(pull, {inQueue: false, autoMerge: null, updatedAt: timestamp()});
    const sha = outcome === 'merged' ? await this.merge(pull, {method, login}) : null;
    if (outcome !== 'merged') pull.events.push({kind: 'RemovedFromMergeQueueEvent', reason});
    this.forge.tell(this, 'dequeued', pull, {login, reason});
    return sha;
  }

  // Newest verdict of each context and check run: success, pending or failure.
  verdicts(sha) {
    const verdicts = new Map();
    for (const status of this.statuses) {
      if (status.sha === sha) verdicts.set(status.context.toLowerCase(), status.state === 'error' ? 'failure' : status.state);
    }
    for (const run of this.checkRuns) {
      if (run.sha !== sha) continue;
      const passed = ['success', 'neutral', 'skipped'].includes(run.conclusion) ? 'success' : 'failure';
      verdicts.set(run.name.toLowerCase(), run.status === 'completed' ? passed : 'pending');
    }
    return verdicts;
  }

  addStatus({sha, state, context = 'default', description = null, targetUrl = null, login}) {
    const now = timestamp();
    const status = {id: this.forge.nextId(), sha, state, context, description, targetUrl, login, createdAt: now, updatedAt: now};
    this.statuses.push(status);
    this.forge.tell(this, 'status', status, {login});
    return status;
  }

  addCheckRun({sha, name, status, conclusion, externalId = null, detailsUrl = null}) {
    const done = status === 'completed' || conclusion;
    const run = {
      id: this.forge.nextId(), sha, name, status: done ? 'completed' : status ?? 'queued', conclusion: conclusion ?? null, externalId, detailsUrl,
      startedAt: timestamp(), completedAt: done ? timestamp() : null,
    };
    this.checkRuns.push(run);
    this.forge.tell(this, 'check_run', run);
    return run;
  }

  // Merges for real; null on a conflict.
  async merge(pull, {method = 'merge', title, message, login}) {
    const headline = title ?? `Merge pull request #${pull.number} from ${this.owner}/${pull.head}`;
    const sha = await git.merge(this.directory, {
      branch: pull.base, head: pull.headSha, method, message: `${headline}\n\n${message ?? pull.title}\n`,
    });
    if (sha) this.markMerged(pull, sha, login);
    return sha;
  }

  // Carries out what auto-merge has been waiting for.
  async autoMerge() {
    await this.refresh();
    for (const pull of this.pulls) {
      if (pull.state !== 'open' || !pull.autoMerge || pull.inQueue) continue;
      if (await this.mergeState(pull) !== 'clean') continue;
      if (this.hasQueue(pull.base)) {
        this.enqueue(pull);
        continue;
      }
      const {method, title, message, login} = pull.autoMerge;
      await this.merge(pull, {method, title: title || undefined, message: message || undefined, login});
    }
  }
}

// Patterns as in a shell's case: * and ? match slashes as well.
function globMatches(pattern, text) {
  const expression = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.');
  return new RegExp(`^${expression}$`).test(text);
}

export const etagOf = (text) => `W/"${createHash('sha256').update(text).digest('hex')}"`;
