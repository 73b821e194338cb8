// The pull request operations of Azure's REST API.
import * as git from './git.mjs';
import {refusal} from './azure-answers.mjs';
import {branchOf, kNobody} from './azure-state.mjs';

const ok = (body, status = 200) => ({status, body});
const invalid = (what) => refusal(400, 'InvalidArgumentValueException', `A value for the parameter is not valid. Parameter name: ${what}`);
const kStatuses = ['notSet', 'active', 'abandoned', 'completed', 'all'];
const kStrategies = ['noFastForward', 'squash', 'rebase', 'rebaseMerge'];

export async function listPulls({answers, repository, request}) {
  const {query} = request;
  const status = query.get('searchCriteria.status') ?? 'active';
  if (!kStatuses.includes(status)) return invalid('searchCriteria.status');
  const matches = (key, value) => !query.get(`searchCriteria.${key}`) || query.get(`searchCriteria.${key}`) === value;
  const found = repository.pulls.filter((pull) => (['all', 'notSet'].includes(status) || pull.status === status)
    && matches('sourceRefName', `refs/heads/${pull.head}`) && matches('targetRefName', `refs/heads/${pull.base}`)).reverse();
  const skip = Number(query.get('$skip') ?? 0);
  const top = Math.min(Number(query.get('$top') ?? 101), 1000);
  return ok(answers.list(found.slice(skip, skip + top).map((pull) => answers.pull(repository, pull, {listed: true}))));
}

export async function createPull({answers, azure, repository, request, login}) {
  const body = request.body ?? {};
  const head = branchOf(body.sourceRefName);
  const base = branchOf(body.targetRefName);
  if (!head || !base) return invalid(head ? 'targetRefName' : 'sourceRefName');
  if (typeof body.title !== 'string' || !body.title || body.title.length > 400) return invalid('title');
  if ((body.description ?? '').length > 4000) return invalid('description');
  const heads = await git.branches(repository.directory);
  if (!heads.has(head) || !heads.has(base)) {
    return refusal(400, 'GitPullRequestCannotBeActivated', 'TF401398: The pull request cannot be activated because the source and/or the target branch no longer exists, or the requested refs are not branches.');
  }
  if (repository.pulls.some((pull) => pull.status === 'active' && !pull.fork && pull.head === head && pull.base === base)) {
    return refusal(409, 'GitPullRequestExistsException', 'TF401179: An active pull request for the source and target branch already exists.');
  }
  const workItems = (body.workItemRefs ?? []).map((each) => String(each.id));
  const unknown = workItems.find((id) => !azure.workItems.has(id));
  if (unknown) return refusal(404, 'WorkItemUnauthorizedAccessException', `TF401232: Work item ${unknown} does not exist, or you do not have permissions to read it.`);
  const pull = repository.addPull({
    title: body.title, body: body.description ?? '', head, base, headSha: heads.get(head), baseSha: heads.get(base), draft: body.isDraft === true, login, workItems,
  });
  for (const {name} of body.labels ?? []) pull.labels.push(name);
  for (const {id, isRequired} of body.reviewers ?? []) review(azure, pull, id, {isRequired});
  return ok(answers.pull(repository, pull), 201);
}

export async function getPull({answers, repository, pull}) {
  await repository.step(pull);
  return ok(answers.pull(repository, pull));
}

// What is not among these is ignored, and answered with 200 all the same; so is what the test says (repository.ignores).
const kChanges = {
  title: ({pull}, value) => { pull.title = value; },
  description: ({pull}, value) => { pull.body = value; },
  isDraft: ({pull}, value) => { pull.draft = value; },
  completionOptions: ({pull}, value) => { pull.completion = {...pull.completion, ...value}; },
  autoCompleteSetBy: ({pull, login}, {id}) => { pull.autoComplete = id === kNobody ? null : login; },
  targetRefName: ({pull}, value) => { pull.base = branchOf(value); },
  status: ({repository, pull, login}, value) => {
    if (value === 'abandoned') repository.close(pull, login);
    if (value === 'completed') repository.complete(pull, login);
    if (value === 'active' && pull.status === 'abandoned') repository.reactivate(pull);
  },
};

export function updatePull(context) {
  const {answers, azure, repository, pull, request, login} = context;
  const body = request.body ?? {};
  if (pull.status !== 'active' && !(pull.status === 'abandoned' && body.status === 'active')) {
    return refusal(400, 'GitPullRequestNotEditableException', 'TF401181: The pull request cannot be edited due to its state.');
  }
  if (body.status !== undefined && !kStatuses.includes(body.status)) return invalid('status');
  if ((body.title !== undefined && (!body.title || body.title.length > 400)) || (body.description ?? '').length > 4000) return invalid('gitPullRequestToUpdate');
  const strategy = body.completionOptions?.mergeStrategy;
  if (strategy !== undefined && !kStrategies.includes(strategy)) return invalid('completionOptions.mergeStrategy');
  if (body.autoCompleteSetBy && ![kNobody, azure.identity(login).id].includes(body.autoCompleteSetBy.id)) return invalid('autoCompleteSetBy');
  if (body.status === 'completed' && body.lastMergeSourceCommit?.commitId !== pull.headSha) {
    return refusal(409, 'GitPullRequestStaleException', 'TF401192: The pull request has been updated since. Please try again.');
  }
  for (const [key, change] of Object.entries(kChanges)) {
    if (body[key] !== undefined && !repository.ignores.includes(key)) change(context, body[key]);
  }
  return ok(answers.pull(repository, pull));
}

export function listLabels({answers, repository, pull}) {
  return ok(answers.list(pull.labels.map((name) => answers.label(repository, pull, name))));
}

export function addLabel({answers, repository, pull, request}) {
  const {name} = request.body ?? {};
  if (!name) return invalid('name');
  if (!pull.labels.some((each) => each.toLowerCase() === name.toLowerCase())) pull.labels.push(name);
  return ok(answers.label(repository, pull, name));
}

function review(azure, pull, id, {isRequired = false, vote = 0} = {}) {
  const known = azure.identities().find((each) => each.id === id?.toLowerCase());
  if (!known) return null;
  const login = known.displayName;
  let reviewer = pull.reviewers.find((each) => each.login === login);
  if (!reviewer) pull.reviewers.push(reviewer = {login});
  return Object.assign(reviewer, {isRequired, vote});
}

export function putReviewer({answers, azure, repository, pull, parameters, request, login}) {
  const {vote = 0, isRequired} = request.body ?? {};
  const own = azure.identity(login).id === parameters.reviewer.toLowerCase();
  if (vote !== 0 && !own) return invalid('vote');
  const reviewer = review(azure, pull, parameters.reviewer, {isRequired, vote});
  if (!reviewer) return refusal(404, 'IdentityNotFoundException', `TF401399: The identity ${parameters.reviewer} is not a valid reviewer.`);
  return ok(answers.reviewer(repository, pull, reviewer));
}

export function listWorkItems({answers, pull}) {
  return ok(answers.list(pull.workItems.map((id) => ({id, url: `${answers.web}/_apis/wit/workItems/${id}`}))));
}

// A JSON patch of a work item: the link to a pull request is all that it is used for here.
export function patchWorkItem({azure, organization, parameters, request, answers}) {
  if (!azure.workItems.has(parameters.workItem)) {
    return refusal(404, 'WorkItemUnauthorizedAccessException', `TF401232: Work item ${parameters.workItem} does not exist, or you do not have permissions to read it.`);
  }
  for (const {op, path, value} of request.body ?? []) {
    const [, project, repository, number] = /^vstfs:\/\/\/Git\/PullRequestId\/([^%/]+)%2F([^%/]+)%2F(\d+)$/i.exec(value?.url ?? '') ?? [];
    const pull = azure.repository(organization, project ?? '', repository)?.pulls.find((each) => each.number === Number(number));
    if (op !== 'add' || path !== '/relations/-' || value.rel !== 'ArtifactLink' || !pull) return invalid('value');
    pull.workItems.push(parameters.workItem);
  }
  return ok({id: Number(parameters.workItem), rev: 2, fields: {}, url: `${answers.web}/${organization}/_apis/wit/workItems/${parameters.workItem}`});
}

export function listStatuses({answers, repository, pull, sha}) {
  const all = pull ? pull.statuses : repository.statuses.filter((each) => each.sha === sha).reverse();
  return ok(answers.list(all.map((status) => answers.status(repository, status))));
}

export function addStatus({answers, repository, pull, sha, request, login}) {
  const {state, context, description, targetUrl} = request.body ?? {};
  if (!context?.name) return invalid('context.name');
  if (!['notSet', 'pending', 'succeeded', 'failed', 'error', 'notApplicable'].includes(state)) return invalid('state');
  if (pull && pull.status !== 'active') return refusal(403, 'GitPullRequestStatusNotEditableException', 'Statuses of a completed pull request cannot be changed.');
  const status = repository.addStatus({sha: sha ?? null, pull: pull?.number, state, genre: context.genre, name: context.name, description, targetUrl, login});
  if (pull) pull.statuses.push(status);
  return ok(answers.status(repository, status), 201);
}

// lastMergeCommit: the pull request whose merge made the commit; commit: any that brought it.
export async function queryPulls({answers, repository, request}) {
  const results = [];
  for (const {type, items} of request.body?.queries ?? []) {
    const found = {};
    for (const sha of items) {
      const pulls = [];
      for (const pull of repository.pulls) {
        const brought = type === 'commit' && pull.merged && await git.isAncestor(repository.directory, sha, pull.headSha);
        if (pull.mergeCommitSha === sha || brought) pulls.push(answers.pull(repository, pull));
      }
      if (pulls.length) found[sha] = pulls;
    }
    results.push(found);
  }
  return ok({queries: request.body?.queries ?? [], results});
}

// 200 whatever comes of it: each update says for itself whether it was made.
export async function updateRefs({answers, repository, request}) {
  const heads = await git.branches(repository.directory);
  const results = [];
  for (const update of request.body ?? []) {
    const branch = branchOf(update.name);
    const now = heads.get(branch) ?? '0'.repeat(40);
    let status = 'succeeded';
    if (!branch) status = 'invalidRefName';
    else if (now !== update.oldObjectId) status = 'staleOldObjectId';
    else if (await git.refusedByRules(repository.directory, `refs/heads/${branch}`, update)) status = 'rejectedByPolicy';
    else if (/^0+$/.test(update.newObjectId)) await git.git(repository.directory, ['update-ref', '-d', `refs/heads/${branch}`, now]);
    else await git.git(repository.directory, ['update-ref', `refs/heads/${branch}`, update.newObjectId]).catch(() => { status = 'unresolvableToCommit'; });
    results.push(answers.refUpdate(repository, update, status));
  }
  return ok(answers.list(results));
}
