// Webhooks as GitHub and Azure DevOps send them: what changes in a repository is told to whoever subscribed (POST /_sim/hooks).
// One that is refused or lost is not sent again; how each ended is in GET /_sim/deliveries.
import {createHmac, randomUUID} from 'node:crypto';
import {Answers} from './answers.mjs';
import {AzureAnswers} from './azure-answers.mjs';
import {exchange} from './client.mjs';
import {nodeId} from './state.mjs';

const kRemovals = {'failed checks': 'CI_FAILURE'};

export const signatureOf = (secret, body, digest = 'sha256') => `${digest}=${createHmac(digest, secret).update(body).digest('hex')}`;

export class Hooks {
  constructor({web, contract, violations}) {
    Object.assign(this, {web, contract, violations});
    this.clear();
  }

  clear() {
    this.subscriptions_ = [];
    this.deliveries_ = [];
    this.tail_ = Promise.resolve();
  }

  // {forge: github | azure, url, secret}: GitHub signs with the secret, Azure DevOps sends it as a password.
  subscribe({forge, url, secret}) {
    if (!['github', 'azure'].includes(forge)) throw new Error(`"${forge}" sends no hooks; github and azure do`);
    this.subscriptions_.push({forge, url, secret});
    return {};
  }

  // What was sent so far, with the answers: [{forge, event, status}].
  async deliveries() {
    await this.tail_;
    return this.deliveries_;
  }

  // `change`: closed, dequeued, review, status, check_run; of Azure also merge (worked out).
  tell(repository, change, subject, detail = {}) {
    const isAzure = repository.azure !== undefined;
    const wanted = this.subscriptions_.filter(({forge}) => (forge === 'azure') === isAzure);
    if (!wanted.length) return;
    const before = this.tail_;
    // Now, for the next change may come while this one is on its way.
    const made = isAzure ? this.azure_(repository, change, subject) : this.github_(repository, change, subject, detail);
    this.tail_ = before.then(async () => {
      for (const {event, body} of await made) {
        for (const each of wanted) await this.deliver_(each, event, body);
      }
    }).catch((error) => this.violations.push({side: 'simulator', message: error.stack}));
  }

  async deliver_({forge, url, secret}, event, payload) {
    const body = JSON.stringify(payload);
    const headers = {'content-type': 'application/json', ...(forge === 'github' ? signedByGitHub(event, secret, body) : byAzure(secret))};
    if (forge === 'github') this.contract?.hook(event, headers, payload);
    const delivery = {forge, event: payload.action ? `${event}.${payload.action}` : event, status: null};
    this.deliveries_.push(delivery);
    await exchange(url, {method: 'POST', headers: {...headers, 'content-length': Buffer.byteLength(body)}, body, timeoutMs: 10_000})
      .then(({status}) => { delivery.status = status; }, (error) => { delivery.error = error.message; });
  }

  async github_(repository, change, subject, {login = 'maintainer', reason}) {
    const answers = new Answers(repository.forge, {api: `${this.web}/api/v3`, web: this.web});
    const common = {repository: hookRepository(answers.repository(repository)), sender: answers.user(login)};
    const pull = async () => hookPull(await answers.pull(repository, subject));
    switch (change) {
      case 'closed':
        return [{event: 'pull_request', body: {action: 'closed', number: subject.number, pull_request: await pull(), ...common}}];
      case 'dequeued':
        return [{event: 'pull_request', body: {
          action: 'dequeued', number: subject.number, reason: kRemovals[reason] ?? (subject.merged ? 'MERGE' : 'UNKNOWN_REMOVAL_REASON'), pull_request: await pull(), ...common,
        }}, {event: 'merge_group', body: {action: 'destroyed', reason: subject.merged ? 'merged' : 'dequeued', merge_group: await mergeGroup(answers, repository, subject), ...common}}];
      case 'review':
        return [{event: 'pull_request_review', body: {action: 'submitted', review: review(answers, await pull(), login), pull_request: await pull(), ...common}}];
      case 'status':
        return [{event: 'status', body: {
          id: subject.id, sha: subject.sha, name: common.repository.full_name, context: subject.context, description: subject.description, state: subject.state,
          target_url: subject.targetUrl, commit: unsigned(await answers.commit(repository, subject.sha)), branches: [], created_at: subject.createdAt, updated_at: subject.updatedAt, ...common,
        }}];
      default:
        return [{event: 'check_run', body: {action: subject.status === 'completed' ? 'completed' : 'created', check_run: checkRun(answers.checkRun(repository, subject), common.repository), ...common}}];
    }
  }

  async azure_(repository, change, pull) {
    const answers = new AzureAnswers(repository.azure, this.web);
    const resource = answers.pull(repository, pull);
    const page = `${resource.repository.webUrl}/pullrequest/${pull.number}`;
    const body = (eventType) => ({
      id: randomUUID(), eventType, publisherId: 'tfs', scope: 'all', message: {text: `${eventType}: !${pull.number}`, html: '', markdown: ''},
      detailedMessage: {text: '', html: '', markdown: ''},
      resource: {...resource, commits: [], _links: {web: {href: `${page}#view=discussion`}, statuses: {href: `${resource.url}/statuses`}}}, resourceVersion: '1.0',
      resourceContainers: {project: {id: repository.projectId}}, createdDate: new Date().toISOString(),
    });
    const events = change === 'merge' ? ['git.pullrequest.merged'] : pull.status === 'completed' ? ['git.pullrequest.merged', 'git.pullrequest.updated'] : ['git.pullrequest.updated'];
    return events.map((event) => ({event, body: body(event)}));
  }
}

function signedByGitHub(event, secret, body) {
  return {
    'user-agent': 'GitHub-Hookshot/5e1f2a3', accept: '*/*', 'x-github-event': event, 'x-github-delivery': randomUUID(), 'x-github-hook-id': '12312312',
    'x-github-hook-installation-target-id': '123123', 'x-github-hook-installation-target-type': 'repository',
    'x-hub-signature': signatureOf(secret, body, 'sha1'), 'x-hub-signature-256': signatureOf(secret, body),
  };
}

const byAzure = (secret) => ({'user-agent': 'VSServices/20.270 (w3wp.exe)', authorization: `Basic ${Buffer.from(`hooks:${secret}`).toString('base64')}`});

// Hooks describe a repository with a few members more than the API requires.
const hookRepository = (repository) => ({...repository, allow_forking: true, is_template: false, topics: [], web_commit_signoff_required: false});

const hookPull = (pull) => ({
  ...pull, active_lock_reason: null, head: {...pull.head, repo: hookRepository(pull.head.repo)}, base: {...pull.base, repo: hookRepository(pull.base.repo)},
});

const unsigned = (commit) => ({...commit, commit: {...commit.commit, verification: {verified: false, reason: 'unsigned', signature: null, payload: null, verified_at: null}}});

async function mergeGroup(answers, repository, pull) {
  const {commit} = await answers.commit(repository, pull.headSha);
  return {
    head_sha: pull.headSha, head_ref: `refs/heads/gh-readonly-queue/${pull.base}/pr-${pull.number}-${pull.baseSha}`, base_sha: pull.baseSha, base_ref: `refs/heads/${pull.base}`,
    head_commit: {id: pull.headSha, tree_id: commit.tree.sha, message: commit.message, timestamp: commit.committer.date, author: commit.author, committer: commit.committer},
  };
}

function review(answers, pull, login) {
  const link = (href) => ({href});
  const html = `${pull.html_url}#pullrequestreview-1`;
  return {
    id: 1, node_id: nodeId('PRR', 1), user: answers.user(login), body: null, commit_id: pull.head.sha, submitted_at: pull.updated_at, state: 'approved', html_url: html,
    pull_request_url: pull.url, author_association: 'COLLABORATOR', _links: {html: link(html), pull_request: link(pull.url)},
  };
}

function checkRun(run, repository) {
  const page = `${repository.html_url}/runs/${run.id}`;
  return {
    ...run, html_url: page, details_url: run.details_url ?? page, external_id: run.external_id ?? '',
    check_suite: {
      id: run.check_suite.id, node_id: nodeId('CS', run.check_suite.id), head_branch: null, head_sha: run.head_sha, status: run.status,
      ...(run.conclusion ? {conclusion: run.conclusion} : {}), url: run.url, before: null, after: null, pull_requests: [], app: null, created_at: run.started_at, updated_at: run.started_at,
    },
  };
}
