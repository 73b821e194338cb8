// The pull request operations of GitHub's REST API.
import * as git from './git.mjs';
import {problem} from './answers.mjs';
import {timestamp} from './state.mjs';

const kDocs = 'https://docs.github.com/rest';
const ok = (body, status = 200, headers = {}) => ({status, headers, body});
const invalid = (errors, anchor) => problem(422, 'Validation Failed', {errors, documentation: `${kDocs}/${anchor}`});
const kCreate = 'pulls/pulls#create-a-pull-request';

export function pullOf(repository, number) {
  return /^[0-9]+$/.test(number) ? repository.pulls[Number(number) - 1] ?? null : null;
}

export function listPulls({answers, repository, request, parameters}) {
  const query = request.query;
  const state = query.get('state') ?? 'open';
  if (!['open', 'closed', 'all'].includes(state)) {
    return invalid([{resource: 'PullRequest', code: 'custom', field: 'state', message: 'state is not included in the list'}], 'pulls/pulls#list-pull-requests');
  }
  const head = query.get('head');
  const matches = (pull) => (state === 'all' || pull.state === state)
    && (!query.get('base') || pull.base === query.get('base'))
    && (!head || !head.includes(':') || head.toLowerCase() === `${repository.owner.toLowerCase()}:${pull.head.toLowerCase()}`);  // unqualified: no filter
  const found = repository.pulls.filter(matches);
  if (query.get('direction') !== 'asc') found.reverse();
  const size = Math.min(Math.max(Number(query.get('per_page') ?? 30) || 30, 1), 100);
  const page = Math.max(Number(query.get('page') ?? 1) || 1, 1);
  const last = Math.max(Math.ceil(found.length / size), 1);
  const shown = found.slice((page - 1) * size, page * size);
  const headers = last > 1 ? {link: pageLinks(`${answers.api}/repos/${parameters.owner}/${parameters.repo}/pulls`, query, page, last)} : {};
  return ok(shown.map((pull) => answers.pullSimple(repository, pull)), 200, headers);
}

function pageLinks(url, query, page, last) {
  const link = (number, relation) => {
    const changed = new URLSearchParams(query);
    changed.set('page', String(number));
    return `<${url}?${changed}>; rel="${relation}"`;
  };
  return [
    ...(page > 1 ? [link(page - 1, 'prev')] : []), ...(page < last ? [link(page + 1, 'next'), link(last, 'last')] : []),
    ...(page > 1 ? [link(1, 'first')] : []),
  ].join(', ');
}

export async function createPull({answers, repository, request, login}) {
  const body = request.body ?? {};
  const missing = ['title', 'head', 'base'].filter((field) => typeof body[field] !== 'string' || body[field] === '');
  if (missing.length) return invalid(missing.map((field) => ({resource: 'PullRequest', code: 'missing_field', field})), kCreate);
  const [account, branch] = body.head.includes(':') ? [body.head.slice(0, body.head.indexOf(':')), body.head.slice(body.head.indexOf(':') + 1)] : [repository.owner, body.head];
  const heads = await git.branches(repository.directory);
  const headSha = account.toLowerCase() === repository.owner.toLowerCase() ? heads.get(branch) : undefined;
  const baseSha = heads.get(body.base);
  if (!headSha) return invalid([{resource: 'PullRequest', field: 'head', code: 'invalid'}], kCreate);
  if (!baseSha) {
    // GitHub puts the particulars beside the message here, and not in errors[].
    const refusal = problem(422, `Proposed base branch '${body.base}' was not found`, {documentation: `${kDocs}/${kCreate}`});
    Object.assign(refusal.body, {resource: 'PullRequest', field: 'base', code: 'invalid'});
    return refusal;
  }
  if (repository.openPull(branch, body.base)) {
    return invalid([{resource: 'PullRequest', code: 'custom', message: `A pull request already exists for ${repository.owner}:${branch}.`}], kCreate);
  }
  const [commits, stat] = await Promise.all([git.commitsBetween(repository.directory, baseSha, headSha), git.diffStat(repository.directory, baseSha, headSha)]);
  if (commits.length === 0) {
    return invalid([{resource: 'PullRequest', code: 'custom', message: `No commits between ${body.base} and ${branch}`}], kCreate);
  }
  const pull = repository.addPull({
    title: body.title, body: body.body ?? null, head: branch, base: body.base, headSha, baseSha, draft: body.draft === true, login,
    maintainerCanModify: body.maintainer_can_modify ?? false,
  });
  repository.looked(pull);
  const answer = await answers.pull(repository, pull, {computing: true, commits, stat});  // GitHub has not worked it out yet either
  return ok(answer, 201, {location: answer.url});
}

export async function updatePull({answers, repository, pull, request, login}) {
  const body = request.body ?? {};
  const anchor = 'pulls/pulls#update-a-pull-request';
  if (body.state !== undefined && !['open', 'closed'].includes(body.state)) {
    return invalid([{resource: 'PullRequest', code: 'custom', field: 'state', message: `state "${body.state}" is not included in the list`}], anchor);
  }
  const heads = await git.branches(repository.directory);
  if (body.state === 'open' && pull.state === 'closed') {
    if (pull.merged || !heads.has(pull.head)) return invalid([{resource: 'PullRequest', code: 'invalid', field: 'state', message: `state cannot be changed. The ${pull.head} branch has been deleted or merged.`}], anchor);
    if (repository.openPull(pull.head, pull.base)) return invalid([{resource: 'PullRequest', code: 'invalid', field: 'state', message: 'state cannot be changed. There is already an open pull request from this branch.'}], anchor);
    Object.assign(pull, {state: 'open', closedAt: null});
  }
  if (body.base !== undefined && !heads.has(body.base)) return problem(422, `Proposed base branch '${body.base}' was not found`, {documentation: `${kDocs}/${anchor}`});
  if (body.title !== undefined) pull.title = body.title;
  if (body.body !== undefined) pull.body = body.body;
  if (body.base !== undefined) pull.base = body.base;
  pull.updatedAt = timestamp();
  if (body.state === 'closed' && pull.state === 'open') repository.close(pull, login);
  await repository.refresh();
  return ok(await answers.pull(repository, pull));
}

export async function mergePull({answers, repository, pull, request, login}) {
  const {sha, merge_method: method = 'merge', commit_title: title, commit_message: message} = request.body ?? {};
  const documentation = `${kDocs}/pulls/pulls#merge-a-pull-request`;
  const notMergeable = (text) => problem(405, text, {documentation});
  if (pull.state !== 'open') return notMergeable('Pull Request is not mergeable');
  if (sha !== undefined && sha !== pull.headSha) return problem(409, 'Head branch was modified. Review and try the merge again.', {documentation});
  if (!repository.mergeMethods.includes(method)) return notMergeable(`${method[0].toUpperCase()}${method.slice(1)} merges are not allowed on this repository.`);
  if (pull.draft) return notMergeable('Pull Request is still a draft');
  const state = await repository.mergeState(pull);
  if (repository.hasQueue(pull.base)) return notMergeable('Repository rule violations found\n\nChanges must be made through the merge queue');
  if (state === 'blocked') return notMergeable(repository.approvalsMissing(pull) ? 'At least 1 approving review is required by reviewers with write access.' : 'Required status check is expected.');
  const merged = state === 'dirty' ? null : await repository.merge(pull, {method, title, message, login});
  if (!merged) return notMergeable('Pull Request is not mergeable');
  return ok({sha: merged, merged: true, message: 'Pull Request successfully merged'});
}

export async function requestReviewers({answers, repository, pull, request}) {
  const {reviewers = [], team_reviewers: teams = []} = request.body ?? {};
  if (reviewers.some((login) => !repository.collaborators.includes(login))) {
    return problem(422, 'Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a collaborator of the '
      + `${repository.owner}/${repository.name} repository.`, {documentation: `${kDocs}/pulls/review-requests#request-reviewers-for-a-pull-request`});
  }
  if (reviewers.includes(pull.login)) return problem(422, 'Review cannot be requested from pull request author.');
  pull.reviewers = [...new Set([...pull.reviewers, ...reviewers])];
  pull.teams = [...new Set([...pull.teams, ...teams])];
  return ok(answers.pullSimple(repository, pull), 201);
}

const labelNames = (body) => (Array.isArray(body) ? body : body?.labels ?? []).map((label) => (typeof label === 'string' ? label : label.name));
const labelsOf = ({answers, repository, pull}) => ok(pull.labels.map((name) => answers.label(repository, name)));

export function addLabels(context) {
  context.pull.labels = [...new Set([...context.pull.labels, ...labelNames(context.request.body)])];
  return labelsOf(context);
}

export function setLabels(context) {
  context.pull.labels = [...new Set(labelNames(context.request.body))];
  return labelsOf(context);
}

export function addAssignees({answers, repository, pull, request}) {
  const wanted = (request.body?.assignees ?? []).filter((login) => repository.collaborators.includes(login));  // others: silently ignored
  pull.assignees = [...new Set([...pull.assignees, ...wanted])].slice(0, 10);
  return ok(answers.issue(repository, pull), 201);
}
