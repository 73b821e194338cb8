// Azure DevOps' REST API and git over the forge's state: who may, what exists, and one function an operation. As the service
// has it at https://dev.azure.com/ORG, and a server at https://HOST/COLLECTION.
import * as git from './git.mjs';
import {AzureAnswers, refusal} from './azure-answers.mjs';
import {guidOf} from './azure-state.mjs';
import {normalised} from './azure-contract.mjs';
import {
  addLabel, addStatus, createPull, getPull, listLabels, listPulls, listStatuses, listWorkItems, patchWorkItem, putReviewer, queryPulls, updatePull, updateRefs,
} from './azure-pulls.mjs';

const ok = (body, status = 200) => ({status, body});
const kGit = '/_apis/git/repositories/{repo}';
const kPull = `${kGit}/pullRequests/{number}`;

// [method, path below the collection, handler, permission, only as a preview]; {name} is one segment; the server ignores case.
const kRoutes = [
  ['OPTIONS', '/_apis/{area}', locations, 'none'],
  ['GET', '/_apis/resourceAreas', ({answers}) => ok(answers.list([])), 'none', true],
  ['GET', '/_apis/connectionData', connectionData, 'none', true],
  ['GET', '/_apis/identities', identities, 'identity:read'],
  ['PATCH', '/_apis/wit/workItems/{workItem}', patchWorkItem, 'workItems:write'],
  ['GET', '/{project}/_apis/policy/evaluations', evaluations, 'code:read', true],
  ['GET', `/{project}${kGit}`, ({answers, repository}) => ok(answers.repository(repository)), 'code:read'],
  ['GET', `/{project}${kGit}/pullRequests`, listPulls, 'code:read'],
  ['POST', `/{project}${kGit}/pullRequests`, createPull, 'code:write'],
  ['GET', `/{project}${kPull}`, getPull, 'code:read'],
  ['PATCH', `/{project}${kPull}`, updatePull, 'code:write'],
  ['GET', `/{project}${kPull}/labels`, listLabels, 'code:read'],
  ['POST', `/{project}${kPull}/labels`, addLabel, 'code:write'],
  ['GET', `/{project}${kPull}/reviewers`, ({answers, repository, pull}) => ok(answers.list(pull.reviewers.map((each) => answers.reviewer(repository, pull, each)))), 'code:read'],
  ['PUT', `/{project}${kPull}/reviewers/{reviewer}`, putReviewer, 'code:write'],
  ['GET', `/{project}${kPull}/workitems`, listWorkItems, 'code:read'],
  ['GET', `/{project}${kPull}/statuses`, listStatuses, 'code:read'],
  ['POST', `/{project}${kPull}/statuses`, addStatus, 'code:write'],
  ['GET', `/{project}${kGit}/commits/{commit}/statuses`, listStatuses, 'code:read'],
  ['POST', `/{project}${kGit}/commits/{commit}/statuses`, addStatus, 'code:write'],
  ['POST', `/{project}${kGit}/pullRequestQuery`, queryPulls, 'code:read'],
  ['GET', `/{project}${kGit}/refs`, listRefs, 'code:read'],
  ['POST', `/{project}${kGit}/refs`, updateRefs, 'code:write'],
].map(([method, template, handler, permission, preview = false]) => ({
  method, handler, permission, preview, template, names: [...template.matchAll(/\{(\w+)\}/g)].map((match) => match[1]),
  pattern: new RegExp(`^/([^/]+)${template.replace(/\{\w+\}/g, '([^/]+)')}/?$`, 'i'),
}));

// Where Microsoft's client finds the operations that it knows by id only.
const kLocations = {
  git: [
    ['9946fd70-0d40-406e-b686-b4744cbbcc37', 'pullRequests', '{pullRequestId}'], ['f22387e3-984e-4c52-9c6d-fbb8f14c812d', 'pullRequestLabels', '{pullRequestId}/labels/{labelIdOrName}'],
    ['4b6702c7-aa35-4b89-9c96-b9abf6d3e540', 'pullRequestReviewers', '{pullRequestId}/reviewers/{reviewerId}'],
    ['b5f6bb4f-8d1e-4d79-8d11-4c9172c99c35', 'pullRequestStatuses', '{pullRequestId}/statuses/{statusId}'],
    ['0a637fcc-5370-4ce8-b0e8-98091f5f9482', 'pullRequestWorkItems', '{pullRequestId}/workitems'],
  ].map(([id, name, rest]) => [id, name, `{project}/_apis/{area}/repositories/{repositoryId}/pullRequests/${rest}`]).concat([
    ['225f7195-f9c7-4d14-ab28-a83f7ff77e1f', 'repositories', '{project}/_apis/{area}/{resource}/{repositoryId}'],
    ['2d874a60-a811-4f62-9c9f-963a6ea0a55b', 'refs', '{project}/_apis/{area}/repositories/{repositoryId}/{resource}'],
    ['428dd4fb-fda5-4722-af02-9313b80305da', 'statuses', '{project}/_apis/{area}/repositories/{repositoryId}/commits/{commitId}/{resource}'],
    ['b3a6eebe-9cf0-49ea-b6cb-1a4c5f5007b0', 'pullRequestQuery', '{project}/_apis/{area}/repositories/{repositoryId}/pullRequestQuery'],
  ]),
  location: [['00d9565f-ed9c-4a06-9a50-00e7896ccab4', 'connectionData', '_apis/connectionData'], ['e81700f7-3be2-46de-8624-2eb35882fcaa', 'resourceAreas', '_apis/resourceAreas/{areaId}']],
  policy: [['c23ddff5-229c-4d04-a80b-0fdce9f360c8', 'evaluations', '{project}/_apis/policy/evaluations']],
};

export const isAzure = (path) => /\/_(git|apis)(\/|$)/i.test(path);

// /ORG/[PROJECT/]_git/REPO/info/refs and the like; null for the API.
export function gitPath(path) {
  const match = /^\/([^/]+)\/(?:([^/]+)\/)?_git\/([^/]+)\/(info\/refs|git-upload-pack|git-receive-pack)$/i.exec(path);
  if (!match) return null;
  const [organization, project, name] = match.slice(1, 4).map((part) => part && decodeURIComponent(part));
  return {azure: true, organization, project: project ?? name, name, service: match[4]};
}

export async function serveGit(forge, request, {organization, project, name, service}, query, who) {
  const repository = forge.azure.repository(organization, project, name);
  const wanted = service === 'info/refs' ? query.get('service') : service;
  const token = usable(who, request.headers.authorization);
  const plain = (status, text, headers = {}) => ({status, headers: {'content-type': 'text/plain', ...headers}, text});
  if (!token) return plain(401, 'TF400813: The user is not authorized to access this resource.\n', {'www-authenticate': 'Basic realm="https://dev.azure.com/"'});
  if (!repository || !may(token, repository, 'code:read')) return plain(404, `TF401019: The Git repository with name or identifier ${name} does not exist or you do not have permissions for the operation you are attempting.\n`);
  if (repository.disabled) return plain(403, `TF401019: The Git repository with name or identifier ${name} is disabled.\n`);
  if (wanted === 'git-receive-pack' && !may(token, repository, 'code:write')) return plain(403, "TF401027: You need the Git 'GenericContribute' permission to perform this action.\n");
  const pathInfo = `/azure/${repository.organization}/${repository.project}/${repository.name}.git/${service}`;
  const run = () => git.httpBackend(forge.root, {request, pathInfo, query: query.toString(), user: token.login});
  if (service !== 'git-receive-pack') return run();
  return repository.exclusively(async () => {
    const result = await run();
    await repository.refresh();
    return result;
  });
}

// A personal access token comes as a password, one of Entra's as a bearer token.
function usable(who, header) {
  const bearer = /^bearer /i.test(header ?? '');
  return who.token && who.token.bearer === bearer ? who.token : null;
}

function may(token, repository, permission) {
  if (permission === 'none') return true;
  if (repository && token.repositories && !token.repositories.includes(repository.name)) return false;
  const [name, level] = permission.split(':');
  const given = token.permissions?.[name];
  return !token.permissions || given === 'write' || given === level;
}

const kSignIn = '<!DOCTYPE html>\n<html><head><title>Azure DevOps Services | Sign In</title></head><body>Sign in to your account</body></html>';

// An expired token is not a plain 401: who reads gets a page for people, who writes with PATCH or PUT an error.
function notSignedIn(request) {
  if (['PATCH', 'PUT', 'DELETE'].includes(request.method)) {
    return refusal(401, 'UnauthorizedRequestException', 'TF400813: The user \'aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa\' is not authorized to access this resource.',
      {'x-tfs-serviceerror': 'TF400813'});
  }
  const html = {'content-type': 'text/html; charset=utf-8'};
  if (/^suppress$/i.test(request.headers['x-tfs-fedauthredirect'] ?? '')) return {status: 203, headers: html, text: kSignIn};
  return {status: 302, headers: {...html, location: 'https://spsprodeus.vssps.visualstudio.com/_signin?realm=dev.azure.com'}, text: kSignIn};
}

// Answers one request of the API; `path` is still percent-encoded.
export async function answer(forge, request, {who, web, contract, number}) {
  const found = findRoute(request.method, request.path);
  const asked = normalised(request);
  const version = /api-version=([\w.-]+)/.exec(request.headers.accept ?? '')?.[1] ?? request.query.get('api-version');
  const operation = contract.request(asked, found, version);
  const result = await answered(forge, asked, {found, who, web, version});
  contract.answer(operation, asked, result);
  result.headers = {...(result.text === undefined ? {'content-type': `application/json; charset=utf-8; api-version=${version ?? '7.1'}`} : {}),
    activityid: guidOf('activity', String(number)), 'x-vss-e2eid': guidOf('activity', String(number)), ...result.headers};
  return result;
}

async function answered(forge, request, {found, who, web, version}) {
  const token = usable(who, request.headers.authorization);
  if (!token) return notSignedIn(request);
  if (!found) return refusal(404, 'VssResourceNotFoundException', `The controller for path '${request.path}' was not found.`);
  if (request.bodyProblem) return refusal(400, 'VssPropertyValidationException', request.bodyProblem);
  const {route, parameters} = found;
  const wrong = request.method === 'OPTIONS' ? null : wrongVersion(route, version);
  if (wrong) return wrong;
  const {azure} = forge;
  const context = {forge, azure, request, parameters, token, login: token.login, organization: parameters.organization, answers: new AzureAnswers(azure, web)};
  if (parameters.repo === undefined) {
    if (!may(token, null, route.permission)) return lacking(route.permission);
    return route.handler(context);
  }
  context.repository = azure.repository(parameters.organization, parameters.project, parameters.repo);
  if (!context.repository || !may(token, context.repository, 'code:read')) {
    if (!azure.projectId(parameters.organization, parameters.project)) {
      return refusal(404, 'ProjectDoesNotExistWithNameException', `TF200016: The following project does not exist: ${parameters.project}. Verify that the name of the project is correct and that the project exists on the specified Azure DevOps Server.`);
    }
    return refusal(404, 'GitRepositoryNotFoundException', `TF401019: The Git repository with name or identifier ${parameters.repo} does not exist or you do not have permissions for the operation you are attempting.`);
  }
  if (context.repository.disabled) return refusal(403, 'GitRepositoryDisabledException', `TF401019: The Git repository ${parameters.repo} is disabled.`);
  if (!may(token, context.repository, route.permission)) return lacking(route.permission);
  return context.repository.exclusively(() => inRepository(context, route));
}

const lacking = (permission) => (permission.startsWith('code')
  ? refusal(403, 'GitNeedsPermissionException', "TF401027: You need the Git 'PullRequestContribute' permission to perform this action.")
  : refusal(403, 'AccessCheckException', `TF50309: The following account does not have sufficient permissions: ${permission}`));

// Every request names a version, and some operations exist as a preview only.
function wrongVersion(route, version) {
  if (!version) return refusal(400, 'VssVersionNotSpecifiedException', 'No api-version was supplied for the request. The api-version must be supplied either as part of the Accept header or as a query parameter.');
  if (Number.parseFloat(version) > 7.1) return refusal(400, 'VssVersionOutOfRangeException', `The requested REST API version of ${version} is out of range for this server. The latest REST API version this server supports is 7.1.`);
  if (route.preview && !version.includes('-preview')) return refusal(400, 'VssInvalidPreviewVersionException', `The requested version "${version}" of the resource is under preview. The -preview flag must be supplied in the api-version for such requests.`);
  return null;
}

export function findRoute(method, path) {
  for (const route of kRoutes) {
    const match = route.method === method ? route.pattern.exec(path) : null;
    if (!match) continue;
    const names = ['organization', ...route.names];
    return {route, parameters: Object.fromEntries(names.map((name, index) => [name, decodeURIComponent(match[index + 1])]))};
  }
  return null;
}

async function inRepository(context, route) {
  const {repository, parameters} = context;
  await repository.refresh();
  if (parameters.number !== undefined) {
    context.pull = repository.pulls.find((each) => String(each.number) === parameters.number);
    if (!context.pull) return refusal(404, 'GitPullRequestNotFoundException', `TF401180: The requested pull request was not found.`);
  }
  if (parameters.commit !== undefined) {
    context.sha = await git.resolveCommit(repository.directory, parameters.commit);
    if (!context.sha) return refusal(404, 'GitCommitDoesNotExistException', `TF401175: The version descriptor <Commit: ${parameters.commit}> could not be resolved.`);
  }
  return route.handler(context);
}

function locations({answers, parameters}) {
  const area = parameters.area.toLowerCase();
  return ok(answers.list((kLocations[area] ?? []).map(([id, resourceName, routeTemplate]) => ({
    id, area, resourceName, routeTemplate, resourceVersion: 1, minVersion: '1.0', maxVersion: '7.1', releasedVersion: area === 'git' ? '7.1' : '0.0',
  }))));
}

function connectionData({answers, organization, login}) {
  const who = answers.identity(login, organization);
  const user = {id: who.id, descriptor: `Microsoft.IdentityModel.Claims.ClaimsIdentity;${login}`, providerDisplayName: login, isActive: true, properties: {}};
  return ok({authenticatedUser: user, authorizedUser: user, instanceId: guidOf('organization', organization), deploymentType: 'hosted'});
}

function identities({azure, answers, request}) {
  const wanted = (request.query.get('filterValue') ?? '').toLowerCase();
  const found = azure.identities().filter((each) => [each.displayName, each.uniqueName].some((name) => name.toLowerCase() === wanted));
  return ok(answers.list(found.map(({id, displayName}) => ({id, descriptor: `Microsoft.IdentityModel.Claims.ClaimsIdentity;${id}`, providerDisplayName: displayName, isActive: true}))));
}

async function evaluations({azure, answers, organization, parameters, request}) {
  const [, project, number] = /^vstfs:\/\/\/CodeReview\/CodeReviewId\/([^/]+)\/(\d+)$/.exec(request.query.get('artifactId') ?? '') ?? [];
  const id = azure.projectId(organization, parameters.project);
  for (const repository of azure.repositories_) {
    const pull = repository.projectId === project && id === project && repository.pulls.find((each) => each.number === Number(number));
    if (pull) return ok(answers.list(repository.policies.map((policy) => answers.evaluation(repository, pull, policy))));
  }
  return ok(answers.list([]));
}

async function listRefs({answers, repository, request}) {
  const filter = `refs/${request.query.get('filter') ?? ''}`;
  const heads = [...await git.branches(repository.directory)].filter(([branch]) => `refs/heads/${branch}`.startsWith(filter));
  return ok(answers.list(heads.map(([branch, sha]) => answers.ref(repository, branch, sha))));
}
