// GitHub's REST API over the forge's state: who may, what exists, and one function an operation.
import * as git from './git.mjs';
import {Answers, problem} from './answers.mjs';
import {etagOf, timestamp} from './state.mjs';
import {addAssignees, addLabels, createPull, listPulls, mergePull, pullOf, requestReviewers, setLabels, updatePull} from './pulls.mjs';
import {graphql} from './graphql.mjs';

const kVersions = ['2022-11-28', '2026-03-10'];
const kDocs = 'https://docs.github.com/rest';

// [method, path, handler, permission]; {name} is one segment. The permission is what an App or a fine-grained token needs.
const kRoutes = [
  ['GET', '/user', currentUser],
  ['GET', '/rate_limit', rateLimit],
  ['GET', '/repos/{owner}/{repo}', ({answers, repository}) => ok(answers.repository(repository)), 'metadata:read'],
  ['GET', '/repos/{owner}/{repo}/installation', installationOf, 'app'],
  ['POST', '/app/installations/{installation_id}/access_tokens', createInstallationToken, 'app'],
  ['GET', '/repos/{owner}/{repo}/pulls', listPulls, 'pull_requests:read'],
  ['POST', '/repos/{owner}/{repo}/pulls', createPull, 'pull_requests:write'],
  ['GET', '/repos/{owner}/{repo}/pulls/{number}', getPull, 'pull_requests:read'],
  ['PATCH', '/repos/{owner}/{repo}/pulls/{number}', updatePull, 'pull_requests:write'],
  ['GET', '/repos/{owner}/{repo}/pulls/{number}/merge', ({pull}) => (pull.merged ? {status: 204} : notFound()), 'contents:read'],
  ['PUT', '/repos/{owner}/{repo}/pulls/{number}/merge', mergePull, 'contents:write'],
  ['POST', '/repos/{owner}/{repo}/pulls/{number}/requested_reviewers', requestReviewers, 'pull_requests:write'],
  ['GET', '/repos/{owner}/{repo}/issues/{number}/labels', ({answers, repository, pull}) => ok(pull.labels.map((name) => answers.label(repository, name))), 'pull_requests:read'],
  ['POST', '/repos/{owner}/{repo}/issues/{number}/labels', addLabels, 'pull_requests:write'],
  ['PUT', '/repos/{owner}/{repo}/issues/{number}/labels', setLabels, 'pull_requests:write'],
  ['POST', '/repos/{owner}/{repo}/issues/{number}/assignees', addAssignees, 'pull_requests:write'],
  ['GET', '/repos/{owner}/{repo}/branches/{branch}', getBranch, 'contents:read'],
  ['GET', '/repos/{owner}/{repo}/rules/branches/{branch}', branchRules, 'metadata:read'],
  ['GET', '/repos/{owner}/{repo}/commits/{ref}/status', combinedStatus, 'statuses:read'],
  ['GET', '/repos/{owner}/{repo}/commits/{ref}/statuses', listStatuses, 'statuses:read'],
  ['GET', '/repos/{owner}/{repo}/commits/{ref}/check-runs', listCheckRuns, 'checks:read'],
  ['GET', '/repos/{owner}/{repo}/commits/{ref}/pulls', pullsOfCommit, 'pull_requests:read'],
  ['POST', '/repos/{owner}/{repo}/statuses/{ref}', createStatus, 'statuses:write'],
  ['POST', '/repos/{owner}/{repo}/check-runs', createCheckRun, 'checks:write'],
].map(([method, template, handler, permission]) => ({
  method, handler, permission, template, names: [...template.matchAll(/\{(\w+)\}/g)].map((match) => match[1]),
  pattern: new RegExp(`^${template.replace(/\{\w+\}/g, '([^/]+)')}$`),
}));

export const ok = (body, status = 200, headers = {}) => ({status, headers, body});
export const notFound = () => problem(404, 'Not Found', {documentation: kDocs});

// Answers one request of the API. `request` = {method, path, query, headers, body, bodyProblem}; path without /api/v3.
export async function answer(forge, request, {contract, ...places}) {
  if (!request.headers['user-agent']) {
    return {status: 403, headers: {'content-type': 'text/plain'}, text:
      'Request forbidden by administrative rules. Please make sure your request has a User-Agent header (https://docs.github.com/rest/overview/resources-in-the-rest-api#user-agent-required).'};
  }
  const version = request.headers['x-github-api-version'];
  if (version !== undefined && !kVersions.includes(version)) {
    return problem(400, `API version ${version} is not supported. Supported versions: ${kVersions.join(', ')}`, {documentation: `${kDocs}/about-the-rest-api/api-versions`});
  }
  const who = authenticate(forge, request.headers.authorization);
  if (who.refusal) return who.refusal;
  const limited = spend(who.token);
  if (limited) return limited;
  const context = {forge, contract, request, ...who, answers: new Answers(forge, places)};
  const result = request.path === '/graphql' ? await graphql(context) : await dispatch(context);
  result.headers = {...rateHeaders(who.token, request.path === '/graphql' ? 'graphql' : 'core'), ...result.headers};
  return conditional(request, result);
}

export function authenticate(forge, header) {
  if (!header) return {login: null, token: null, app: null};
  const refusal = problem(401, 'Bad credentials');
  const [scheme, value = ''] = header.split(' ', 2);
  if (/^basic$/i.test(scheme)) {
    const password = Buffer.from(value, 'base64').toString().split(':').slice(1).join(':');
    const token = forge.token(password);
    return token ? {login: token.login, token, app: null} : {refusal};
  }
  if (!/^(bearer|token)$/i.test(scheme)) return {refusal};
  const token = forge.token(value);
  if (token) return {login: token.login, token, app: null};
  if (!/^bearer$/i.test(scheme) || value.split('.').length !== 3) return {refusal};
  const {app, error} = forge.appOf(value);
  return app ? {login: app.slug, token: null, app} : {refusal: problem(401, error)};
}

// Whether the credential may do this ("contents:write") to the repository; undefined = it may not even see it.
export function allowed(repository, token, permission) {
  if (!repository) return undefined;
  const sees = token && (!token.repositories || token.repositories.includes(repository.name) || token.repositories.includes(`${repository.owner}/${repository.name}`));
  const [name, level] = permission.split(':');
  if (!sees) return repository.isPrivate ? undefined : level === 'read';
  if (!token.permissions || name === 'metadata') return true;
  const given = token.permissions[name];
  return given === 'write' || given === 'admin' || (level === 'read' && given === 'read');
}

function spend(token) {
  if (!token) return null;
  const {budget} = token;
  const now = Math.floor(Date.now() / 1000);
  if (now >= budget.reset) Object.assign(budget, {remaining: budget.limit, reset: now + 3600});
  if (budget.remaining <= 0) {
    return problem(budget.status ?? 403, 'API rate limit exceeded for user ID 1.', {
      documentation: `${kDocs}/overview/rate-limits-for-the-rest-api`, headers: rateHeaders(token, 'core')});
  }
  budget.remaining -= 1;
  return null;
}

function rateHeaders(token, resource) {
  const budget = token?.budget ?? {limit: 60, remaining: 60, reset: Math.floor(Date.now() / 1000) + 3600};
  return {
    'x-ratelimit-limit': String(budget.limit), 'x-ratelimit-remaining': String(budget.remaining), 'x-ratelimit-reset': String(budget.reset),
    'x-ratelimit-used': String(budget.limit - budget.remaining), 'x-ratelimit-resource': resource,
  };
}

function conditional(request, result) {
  if (request.method !== 'GET' || result.status !== 200 || result.body === undefined) return result;
  const etag = etagOf(JSON.stringify(result.body));
  result.headers = {...result.headers, etag, 'cache-control': 'private, max-age=60, s-maxage=60'};
  const wanted = (request.headers['if-none-match'] ?? '').split(/,\s*/);
  return wanted.includes(etag) || wanted.includes(etag.slice(2)) ? {status: 304, headers: result.headers} : result;
}

async function dispatch(context) {
  const {request, forge} = context;
  const found = findRoute(request.method, request.path);
  if (!found) return notFound();
  const {route, parameters} = found;
  context.parameters = parameters;
  if (route.permission === 'app' && !context.app) return problem(401, 'A JSON web token could not be decoded');
  if (parameters.owner !== undefined) {
    context.repository = forge.repository(parameters.owner, parameters.repo);
    const refusal = refused(context, route);
    if (refusal) return refusal;
  } else if (!context.login && request.path !== '/rate_limit') {
    return problem(401, 'Requires authentication');
  }
  if (request.bodyProblem) return problem(400, 'Problems parsing JSON');
  if (!context.repository) return route.handler(context);
  return context.repository.exclusively(() => inRepository(context, route));
}

function findRoute(method, path) {
  for (const route of kRoutes) {
    const match = route.method === method ? route.pattern.exec(path) : null;
    if (!match) continue;
    try {
      const parameters = Object.fromEntries(route.names.map((name, index) => [name, decodeURIComponent(match[index + 1])]));
      return {route, parameters};
    } catch {
      return null;  // not percent-encoding
    }
  }
  return null;
}

// GitHub's order: what one may not see does not exist, then what one may see but not do is forbidden.
function refused({repository, token, app, login}, route) {
  if (route.permission === 'app') return repository ? null : notFound();
  if (app) return problem(401, 'A JSON web token could not be decoded');
  const verdict = allowed(repository, token, route.permission);
  if (verdict) return null;
  if (verdict === undefined) return notFound();
  if (!login) return problem(401, 'Requires authentication');
  const what = token.integration ? 'integration' : 'personal access token';
  return problem(403, `Resource not accessible by ${what}`, {headers: {'x-accepted-github-permissions': route.permission.replace(':', '=')}});
}

async function inRepository(context, route) {
  const {repository, request, parameters} = context;
  await repository.refresh();
  if (repository.archived && request.method !== 'GET') return problem(403, 'Repository was archived so is read-only.');
  if (parameters.number !== undefined) {
    context.pull = pullOf(repository, parameters.number);
    if (!context.pull) return notFound();
  }
  if (parameters.ref !== undefined) {
    context.sha = await git.resolveCommit(repository.directory, parameters.ref);
    if (!context.sha) return problem(422, `No commit found for SHA: ${parameters.ref}`);
  }
  return route.handler(context);
}

function currentUser({answers, token}) {
  if (!token) return problem(401, 'Requires authentication');
  if (token.integration) return problem(403, 'Resource not accessible by integration');
  return ok(answers.authenticatedUser(token.login));
}

function rateLimit({token}) {
  const {limit, remaining, reset} = token?.budget ?? {limit: 60, remaining: 60, reset: Math.floor(Date.now() / 1000) + 3600};
  const rate = {limit, remaining, reset, used: limit - remaining};
  return ok({resources: {core: rate, search: rate, graphql: rate}, rate});
}

function installationOf({answers, app, forge, repository}) {
  const installation = forge.installationFor(app, repository);
  return installation ? ok(answers.installation({app, installation})) : notFound();
}

function createInstallationToken({app, forge, parameters, request, answers}) {
  const found = forge.installation(Number(parameters.installation_id));
  if (!found || found.app !== app) return notFound();
  const {installation} = found;
  const body = request.body ?? {};
  const granted = installation.permissions;
  const wanted = body.permissions ?? granted;
  for (const [name, level] of Object.entries(wanted)) {
    if (granted[name] !== level && granted[name] !== 'write') {
      return problem(422, 'The permissions requested are not granted to this installation.');
    }
  }
  const names = body.repositories ?? installation.repositories;
  for (const name of names ?? []) {
    const there = forge.repository(installation.account, name);
    if (!there || (installation.repositories && !installation.repositories.includes(name))) {
      return problem(422, 'There is at least one repository that does not exist or is not accessible to the parent installation.');
    }
  }
  const expires = Date.now() + 3600_000;
  const token = forge.addToken({
    token: `ghs_${app.id}_${'x'.repeat(40)}${forge.nextId()}`, login: `${app.slug}[bot]`, permissions: wanted, integration: true, expiresAt: expires,
    repositories: names ?? forge.repositories().filter((each) => each.owner === installation.account).map((each) => each.name),
  });
  const repositories = names?.map((name) => answers.repository(forge.repository(installation.account, name)));
  return ok({
    token, expires_at: timestamp(new Date(expires)), permissions: wanted, repository_selection: names ? 'selected' : 'all',
    ...(repositories ? {repositories} : {}),
  }, 201);
}

async function getPull({answers, repository, pull}) {
  const computing = repository.mergeabilityUnknown > 0;
  if (computing) repository.mergeabilityUnknown -= 1;
  return ok(await answers.pull(repository, pull, {computing}));
}

async function getBranch({answers, repository, parameters}) {
  const sha = (await git.branches(repository.directory)).get(parameters.branch);
  if (!sha) return problem(404, 'Branch not found', {documentation: `${kDocs}/branches/branches#get-a-branch`});
  return ok(await answers.branch(repository, parameters.branch, sha));
}

function branchRules({answers, repository, parameters}) {
  return ok(repository.rulesFor(parameters.branch).map((rule) => answers.rule(repository, rule)));
}

function combinedStatus({answers, repository, sha}) {
  return ok(answers.combinedStatus(repository, sha));
}

function listStatuses({answers, repository, sha, request}) {
  const size = Math.min(Number(request.query.get('per_page') ?? 30), 100);
  const begin = (Number(request.query.get('page') ?? 1) - 1) * size;
  const all = repository.statuses.filter((status) => status.sha === sha).reverse();
  return ok(all.slice(begin, begin + size).map((status) => answers.status(repository, status)));
}

function listCheckRuns({answers, repository, sha}) {
  const newest = new Map();
  for (const run of repository.checkRuns) {
    if (run.sha === sha) newest.set(run.name, run);
  }
  const runs = [...newest.values()];
  return ok({total_count: runs.length, check_runs: runs.map((run) => answers.checkRun(repository, run))});
}

function pullsOfCommit({answers, repository, sha}) {
  const pulls = repository.pulls.filter((pull) => pull.mergeCommitSha === sha || (pull.state === 'open' && pull.headSha === sha));
  return ok(pulls.map((pull) => answers.pullSimple(repository, pull)));
}

async function createStatus({answers, repository, sha, request, login}) {
  const {state, context, description, target_url: targetUrl} = request.body ?? {};
  if (!['error', 'failure', 'pending', 'success'].includes(state)) {
    return problem(422, 'Validation Failed', {errors: [{resource: 'Status', code: 'custom', field: 'state', message: 'state is not included in the list'}]});
  }
  const status = repository.addStatus({sha, state, context, description, targetUrl, login});
  await repository.autoMerge();
  return ok(answers.status(repository, status), 201);
}

async function createCheckRun({answers, repository, request}) {
  const {name, head_sha: wanted, status, conclusion, external_id: externalId, details_url: detailsUrl} = request.body ?? {};
  const sha = wanted && await git.resolveCommit(repository.directory, wanted);
  if (!name || !sha) return problem(422, 'Validation Failed', {errors: [{resource: 'CheckRun', code: 'missing_field', field: name ? 'head_sha' : 'name'}]});
  const run = repository.addCheckRun({sha, name, status, conclusion, externalId, detailsUrl});
  await repository.autoMerge();
  return ok(answers.checkRun(repository, run), 201);
}
