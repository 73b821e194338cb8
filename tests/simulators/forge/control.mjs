// The tests' hands: POST /_sim/<action> with a JSON body, GET /_sim/<view>. Errors are 400 with the reason.
import * as git from './git.mjs';
import {secondaryLimit} from './faults.mjs';

function named(forge, {repository}) {
  const [owner, name, ...rest] = String(repository ?? '').split('/');
  const found = rest.length ? forge.azure.repository(owner, name, rest.join('/')) : forge.repository(owner, name);
  if (!found) throw new Error(`there is no repository "${repository}"; make it with POST /_sim/repositories`);
  return found;
}

function pullOf(repository, number) {
  const pull = repository.pulls.find((each) => each.number === number);
  if (!pull) throw new Error(`${repository.owner}/${repository.name} has no pull request ${number}`);
  return pull;
}

// A change of a person or a robot that is not the client under test.
async function inRepository(forge, body, work) {
  const repository = named(forge, body);
  return repository.exclusively(async () => {
    await repository.refresh();
    const result = await work(repository);
    await repository.refresh();
    return result ?? {};
  });
}

async function asSha(repository, {sha, branch}) {
  const found = await git.resolveCommit(repository.directory, sha ?? branch ?? repository.defaultBranch);
  if (!found) throw new Error(`no commit ${sha ?? branch}`);
  return found;
}

export const actions = {
  repositories: async ({forge}, body) => {
    const made = await forge.addRepository(body);
    return {id: made.id, directory: made.directory};
  },
  'azure-repositories': async ({forge}, body) => {
    const made = await forge.azure.addRepository(body);
    return {id: made.id, project: made.projectId, directory: made.directory};
  },
  // What a policy says of one pull request: approved, rejected, queued, running, notApplicable, broken.
  'azure-verdict': ({forge}, body) => inRepository(forge, body, (repository) => { pullOf(repository, body.number).verdicts[body.policy] = body.verdict; }),
  'azure-vote': ({forge}, body) => inRepository(forge, body, (repository) => {
    const {reviewers} = pullOf(repository, body.number);
    const reviewer = reviewers.find((each) => each.login === body.login);
    if (reviewer) reviewer.vote = body.vote;
    else reviewers.push({login: body.login, vote: body.vote, isRequired: false});
  }),
  'azure-work-items': async ({forge}, {ids}) => {
    for (const id of ids) forge.azure.workItems.add(String(id));
    return {};
  },
  tokens: async ({forge}, body) => ({token: forge.addToken(body)}),
  'revoke-token': async ({forge}, {token}) => ({revoked: forge.revokeToken(token)}),
  apps: async ({forge}, body) => ({installation: forge.addApp(body)}),
  commit: ({forge}, body) => inRepository(forge, body, async (repository) => ({
    sha: await git.commitFiles(repository.directory, body.branch ?? repository.defaultBranch, body.files, {message: body.message, from: body.from}),
  })),
  'delete-branch': ({forge}, body) => inRepository(forge, body, (repository) => git.git(repository.directory, ['update-ref', '-d', `refs/heads/${body.branch}`]).then(() => ({}))),
  rules: ({forge}, body) => inRepository(forge, body, (repository) => repository.setRules(body.rules)),
  settings: ({forge}, body) => inRepository(forge, body, (repository) => {
    for (const key of ['allowAutoMerge', 'mergeMethods', 'archived', 'isPrivate', 'mergeabilityUnknown', 'collaborators', 'policies', 'lag', 'ignores', 'disabled']) {
      if (body[key] !== undefined) repository[key] = body[key];
    }
  }),
  // {branch | sha, state, context}; on Azure also {number}: of the pull request, where policies look.
  status: ({forge}, body) => inRepository(forge, body, async (repository) => {
    const pull = body.number === undefined ? undefined : pullOf(repository, body.number);
    const sha = pull ? null : await asSha(repository, body);
    for (const context of body.contexts ?? [body.context]) {
      const status = repository.addStatus({login: 'ci', state: 'success', ...body, context, sha, pull: pull?.number});
      pull?.statuses.push(status);
    }
    await repository.autoMerge();
  }),
  'check-run': ({forge}, body) => inRepository(forge, body, async (repository) => {
    repository.addCheckRun({...body, sha: await asSha(repository, body)});
    await repository.autoMerge();
  }),
  approve: ({forge}, body) => inRepository(forge, body, async (repository) => {
    repository.approve(pullOf(repository, body.number), body.login ?? 'reviewer');
    await repository.autoMerge();
  }),
  // {number, outcome: merged|removed, reason}: the merge queue has come to it.
  'merge-queue': ({forge}, body) => inRepository(forge, body, async (repository) => {
    const pull = pullOf(repository, body.number);
    if (!pull.inQueue) throw new Error(`pull request ${body.number} is not in the merge queue`);
    await repository.leaveQueue(pull, body);
  }),
  merge: ({forge}, body) => inRepository(forge, body, async (repository) => {
    const pull = pullOf(repository, body.number);
    if (pull.state !== 'open') throw new Error(`pull request ${body.number} is ${pull.state}`);
    const sha = await repository.merge(pull, {method: body.method, login: body.login ?? 'maintainer'});
    if (!sha) throw new Error(`pull request ${body.number} does not merge cleanly`);
    return {sha};
  }),
  // A person writes title and description anew.
  'edit-pull': ({forge}, body) => inRepository(forge, body, (repository) => {
    const pull = pullOf(repository, body.number);
    Object.assign(pull, {title: body.title ?? pull.title, body: body.body ?? pull.body});
  }),
  close: ({forge}, body) => inRepository(forge, body, (repository) => repository.close(pullOf(repository, body.number), body.login ?? 'maintainer')),
  'open-pull': ({forge}, body) => inRepository(forge, body, async (repository) => {
    const heads = await git.branches(repository.directory);
    const made = Array.from({length: body.count ?? 1}, () => repository.addPull({
      title: 'By hand', body: '', base: repository.defaultBranch, draft: false, login: 'maintainer', maintainerCanModify: false, ...body,
      headSha: heads.get(body.head), baseSha: heads.get(body.base ?? repository.defaultBranch),
    }));
    return {number: made.at(-1).number};
  }),
  // {forge: github | azure, url, secret}: webhooks of all its repositories go there from now on.
  hooks: async ({hooks}, body) => hooks.subscribe(body),
  fault: async ({faults}, body) => ({number: faults.add(body)}),
  'secondary-limit': async ({faults}, body) => ({number: faults.add(secondaryLimit(body))}),
  'clear-faults': async ({faults}) => {
    faults.clear();
    return {};
  },
  release: async ({faults}) => {
    faults.release();
    return {};
  },
  // What Azure says beside an answer that it does give, once it has had enough.
  'azure-throttle': async ({faults}, {match = {path: '/_apis/'}, times = 1, retryAfter = 1}) => ({number: faults.add({match, times, kind: 'headers', headers: {
    'retry-after': String(retryAfter), 'x-ratelimit-resource': 'Concurrency', 'x-ratelimit-delay': '0.5', 'x-ratelimit-limit': '200', 'x-ratelimit-remaining': '0',
    'x-ratelimit-reset': String(Math.floor(Date.now() / 1000) + retryAfter),
  }})}),
  // The hourly budget of one token, or of all.
  'rate-limit': async ({forge}, {token, remaining = 0, resetIn = 3600, status}) => {
    for (const each of forge.tokens()) {
      if (token === undefined || each.value === token) Object.assign(each.budget, {remaining, reset: Math.floor(Date.now() / 1000) + resetIn, status});
    }
    return {};
  },
  'clear-violations': async ({violations}) => {
    violations.length = 0;
    return {};
  },
  reset: async (server) => {
    await server.reset();
    return {};
  },
  'clear-requests': async ({log}) => {
    log.length = 0;
    return {};
  },
};

export const views = {
  requests: ({log}, query) => log.filter((entry) => (!query.get('method') || entry.method === query.get('method'))
    && (!query.get('path') || new RegExp(query.get('path')).test(entry.path))),
  violations: ({violations}) => violations,
  deliveries: ({hooks}) => hooks.deliveries(),
  faults: ({faults}) => faults.waiting(),
  held: ({faults}) => faults.held(),
  pulls: async ({forge}, query) => {
    const repository = named(forge, {repository: query.get('repository')});
    await repository.exclusively(() => repository.refresh());
    return repository.pulls;
  },
  statuses: async ({forge}, query) => named(forge, {repository: query.get('repository')}).statuses,
  // Every movement of every branch that is still there: [{branch, from, to, who}].
  movements: async ({forge}, query) => git.movements(named(forge, {repository: query.get('repository')}).directory),
  branches: async ({forge}, query) => Object.fromEntries(await git.branches(named(forge, {repository: query.get('repository')}).directory)),
  diff: async ({forge}, query) => ({diff: await git.diff(named(forge, {repository: query.get('repository')}).directory, query.get('base') ?? 'main', query.get('head'))}),
  file: async ({forge}, query) => ({text: await git.fileAt(named(forge, {repository: query.get('repository')}).directory, query.get('ref') ?? 'main', query.get('path'))}),
};

// `name` is what follows /_sim/.
export async function control(world, {method, name, query, body}) {
  try {
    const table = method === 'POST' ? actions : views;
    const work = Object.hasOwn(table, name) ? table[name] : null;
    if (!work) return {status: 404, body: {message: `no /_sim/${name} for ${method}; there are ${Object.keys(table).join(', ')}`}};
    return {status: 200, body: await (method === 'POST' ? work(world, body ?? {}) : work(world, query))};
  } catch (error) {
    return {status: 400, body: {message: error.message}};
  }
}
