// Holds Azure's requests and answers against a description of our own (azure-contract.json), always, and against Microsoft's
// (MicrosoftDocs/vsts-rest-api-specs) where that is at hand and the validators are: it lies in ../shared/data/azure-devops beside
// the repository, or where PROMOTIOND_AZURE_DEVOPS says.
import {readFile} from 'node:fs/promises';
import {readFileSync} from 'node:fs';
import path from 'node:path';
import {fileURLToPath} from 'node:url';

const kHere = path.dirname(fileURLToPath(import.meta.url));
const kOwn = JSON.parse(readFileSync(path.join(kHere, 'azure-contract.json'), 'utf8'));

// Microsoft's client sends enumerations as numbers, which the service takes as well.
const kEnumerations = {
  status: ['notSet', 'active', 'abandoned', 'completed', 'all'], mergeStrategy: [null, 'noFastForward', 'squash', 'rebase', 'rebaseMerge'],
  state: ['notSet', 'pending', 'succeeded', 'failed', 'error', 'notApplicable'], type: ['notSet', 'lastMergeCommit', 'commit'],
};

export function normalised(request) {
  const query = new URLSearchParams(request.query);
  const status = query.get('searchCriteria.status');
  if (/^\d$/.test(status ?? '')) query.set('searchCriteria.status', kEnumerations.status[Number(status)]);
  return {...request, query, body: named(request.body)};
}

function named(value) {
  if (Array.isArray(value)) return value.map(named);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [
    key, typeof item === 'number' && kEnumerations[key]?.[item] ? kEnumerations[key][item] : named(item)]));
}

export class AzureContract {
  constructor(violations, official = null) {
    this.violations_ = violations;
    this.official_ = official;
  }

  report_(side, {method, path: at}, message) {
    this.violations_.push({side, request: `${method} ${at}`, message});
  }

  // Checks what the client sent; `found` is the simulator's route for it. Returns what answer() needs.
  request(request, found, version) {
    const report = (message) => this.report_('client', request, message);
    if (!request.headers['user-agent']) report('no User-Agent');
    const operation = found && kOwn.operations[`${found.route.method} ${found.route.template}`];
    if (!operation) {
      report('is no operation of Azure DevOps that promotions use; add it to azure-contract.json if it is meant');
      return null;
    }
    if (!version && request.method !== 'OPTIONS') report('names no api-version');
    for (const name of request.query.keys()) {
      if (name !== 'api-version' && !operation.query.includes(name)) report(`unknown query parameter "${name}"`);
    }
    const type = (request.headers['content-type'] ?? '').split(';')[0];
    if (request.body !== undefined && type !== (operation.type ?? 'application/json')) report(`sends its body as "${type}"`);
    if (request.body !== undefined && !operation.body) report('takes no body');
    if (operation.body) fits(operation.body, request.body, '', {strict: true, report});
    const official = this.official_?.request(request, found, report);
    return {operation, official};
  }

  answer(checked, request, {status, body, text}) {
    if (!checked || status >= 500 || text !== undefined) return;
    const report = (message) => this.report_('simulator', request, `${status}: ${message}`);
    if (status >= 400) fits('problem', body, '', {report});
    else {
      fits(checked.operation.answer, body, '', {report});
      this.official_?.answer(checked.official, status, body, report);
    }
  }
}

// Whether a value is what a type or shape says; `strict`: and nothing else.
function fits(type, value, at, options) {
  const {strict, report} = options;
  if (type === 'any') return;
  if (Array.isArray(type)) {
    if (!Array.isArray(value)) report(`${at || '/'} is no list`);
    else value.forEach((item, index) => fits(type[0], item, `${at}/${index}`, options));
    return;
  }
  const shape = kOwn.shapes[type];
  if (!shape) {
    if (typeof value !== type) report(`${at || '/'} is no ${type}`);
    return;
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    report(`${at || '/'} is no ${type}`);
    return;
  }
  const known = new Map(Object.entries(shape).map(([name, inner]) => [name.replace(/\?$/, ''), {inner, optional: name.endsWith('?')}]));
  for (const [name, {inner, optional}] of known) {
    if (value[name] !== undefined) fits(inner, value[name], `${at}/${name}`, options);
    else if (!optional) report(`${at}/${name} is missing`);
  }
  for (const name of strict ? Object.keys(value) : []) {
    if (!known.has(name)) report(`unknown member ${at}/${name}`);
  }
}

// Microsoft's own description, which is Swagger 2.
export class MicrosoftsDescription {
  // null where it is not at hand.
  static async open(load) {
    const directory = process.env.PROMOTIOND_AZURE_DEVOPS || path.resolve(kHere, '../../../../shared/data/azure-devops');
    const text = await readFile(path.join(directory, 'git-7.1.contract.json'), 'utf8').catch(() => null);
    if (text === null) {
      process.stderr.write(`forge: skipped: no description of Azure DevOps in ${directory}; Azure's requests are held against our own only\n`);
      return null;
    }
    const {OpenAPIBackend} = load('openapi-backend');
    const found = new MicrosoftsDescription();
    const formats = Object.fromEntries(['int16', 'int32', 'int64', 'uri', 'date-time', 'byte', 'double'].map((name) => [name, true]));
    found.api_ = new OpenAPIBackend({
      definition: asOpenApi3(JSON.parse(text)), quick: true, validate: true,
      ajvOpts: {strict: false, formats: {...formats, uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i}},
    });
    await found.api_.init();
    return found;
  }

  request(request, {route, parameters}, report) {
    // The server ignores letter case, a validator does not; names in the path are told apart there by position only.
    const path_ = route.template.replaceAll(/\{(\w+)\}/g, (_, name) => encodeURIComponent(parameters[name]));
    const asked = {
      method: request.method, path: `/${encodeURIComponent(parameters.organization)}${path_}`.replace(/\/pullRequestQuery$/, '/pullrequestquery'),
      headers: {...request.headers, 'content-type': 'application/json'},
      query: {'api-version': '7.1', ...Object.fromEntries(request.query)}, body: request.body,
    };
    const operation = this.api_.matchOperation(asked);
    if (!operation) return null;  // connectionData and others are in no description
    for (const error of this.api_.validateRequest(asked, operation).errors ?? []) report(`${error.instancePath || '/'} ${error.message} (Microsoft's description)`);
    return operation;
  }

  answer(operation, status, body, report) {
    if (!operation) return;
    if (!operation.responses?.[status]) {
      report('Microsoft does not describe this status');
      return;
    }
    for (const error of this.api_.validateResponse(body, operation, status).errors ?? []) report(`${error.instancePath || '/'} ${error.message} (Microsoft's description)`);
  }
}

function asOpenApi3(swagger) {
  const moved = (node) => {
    if (Array.isArray(node)) return node.map(moved);
    if (node === null || typeof node !== 'object') return node;
    if (typeof node.$ref === 'string') return {$ref: node.$ref.replace('#/definitions/', '#/components/schemas/').replace('#/parameters/', '#/components/parameters/')};
    return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, moved(value)]));
  };
  const parameter = ({name, in: where, required = false, description: _, ...schema}) => ({name, in: where, required, schema: moved(schema)});
  const operation = ({parameters = [], responses, operationId}) => {
    const body = parameters.find((each) => each.in === 'body');
    return {
      operationId, parameters: parameters.filter((each) => each !== body).map((each) => (each.$ref ? moved(each) : parameter(each))),
      ...(body ? {requestBody: {required: true, content: {'application/json': {schema: moved(body.schema)}}}} : {}),
      responses: Object.fromEntries(Object.entries(responses).map(([status, {description, schema}]) => [
        status, {description, ...(schema ? {content: {'application/json': {schema: moved(schema)}}} : {})}])),
    };
  };
  return {
    openapi: '3.0.3', info: swagger.info, servers: [{url: '/'}],
    paths: Object.fromEntries(Object.entries(swagger.paths).map(([template, item]) => [template, Object.fromEntries(
      Object.entries(item).filter(([method]) => ['get', 'put', 'post', 'patch', 'delete'].includes(method)).map(([method, each]) => [method, operation(each)]))])),
    components: {schemas: moved(swagger.definitions), parameters: Object.fromEntries(Object.entries(swagger.parameters ?? {}).map(([name, each]) => [name, parameter(each)]))},
  };
}
