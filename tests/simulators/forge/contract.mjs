// Contract mode: every request and every answer is held against GitHub's own descriptions, so that neither the client under
// test nor this simulator can agree on something that GitHub would not understand.
import {createRequire} from 'node:module';
import {readFile} from 'node:fs/promises';
import path from 'node:path';
import {MicrosoftsDescription} from './azure-contract.mjs';

const kAnyMethod = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']);

const kAjv = {strict: false, formats: {'repo.nwo': true, T: true, int16: true, int32: true, int64: true, uri: true, 'date-time': true}};

export class Contract {
  violations = [];

  // `directory` was made by setup.mjs: node_modules and api.github.com.trim.json.
  static async open(directory) {
    const load = createRequire(path.join(directory, 'package.json'));
    const contract = new Contract();
    contract.description_ = JSON.parse(await readFile(path.join(directory, 'api.github.com.trim.json'), 'utf8'));
    const {OpenAPIBackend} = load('openapi-backend');
    // openapi-backend cannot match a description whose servers have a path; ours is cut off before.
    contract.api_ = new OpenAPIBackend({
      definition: {...contract.description_, servers: [{url: '/'}]}, quick: true, validate: true,
      ajvOpts: kAjv,
    });
    await contract.api_.init();
    contract.hooks_ = new OpenAPIBackend({
      definition: {...contract.description_, servers: [{url: '/'}], paths: Object.fromEntries(
        Object.entries(contract.description_['x-webhooks']).map(([name, item]) => [`/${name}`, item]))},
      quick: true, validate: true, ajvOpts: kAjv,
    });
    await contract.hooks_.init();
    contract.graphql_ = load('graphql');
    const schema = await readFile(path.join(directory, 'node_modules/@octokit/graphql-schema/schema.graphql'), 'utf8');
    contract.schema_ = contract.graphql_.buildSchema(schema, {assumeValidSDL: true});  // it defines two fields twice
    contract.azure = await MicrosoftsDescription.open(load);
    return contract;
  }

  report_(side, request, message) {
    this.violations.push({side, request: `${request.method} ${request.path}`, message});
  }

  // Checks what the client sent; returns the operation for answer(), or null.
  request({method, path: requestPath, query, headers, body}) {
    if (!headers['user-agent']) this.report_('client', {method, path: requestPath}, 'no User-Agent');
    if (requestPath === '/graphql') return null;
    const request = {
      method, path: requestPath, headers: {...headers, 'content-type': 'application/json'},
      query: Object.fromEntries(query), body,
    };
    const operation = kAnyMethod.has(method) ? this.api_.matchOperation(request) : undefined;
    if (!operation) {
      this.report_('client', request, 'is no operation of GitHub that promotions use; add it to setup.mjs if it is meant');
      return null;
    }
    // openapi-backend takes every body for required.
    const optional = operation.requestBody && !this.resolve_(operation.requestBody).required;
    const {errors} = this.api_.validateRequest(body === undefined && optional ? {...request, body: {}} : request, operation);
    for (const error of errors ?? []) this.report_('client', request, `${error.instancePath || '/'} ${error.message}`);
    const known = new Set((operation.parameters ?? []).map((each) => this.resolve_(each)).filter((each) => each.in === 'query').map((each) => each.name));
    for (const name of query.keys()) {
      if (!known.has(name)) this.report_('client', request, `unknown query parameter "${name}"`);
    }
    const schema = this.resolve_(operation.requestBody ?? {}).content?.['application/json']?.schema;
    if (body !== undefined && !schema) this.report_('client', request, 'takes no body');
    else if (body !== undefined) this.unknownMembers_(request, schema, body, '');
    return operation;
  }

  answer(operation, {method, path: requestPath}, {status, body, text}) {
    if (!operation || status === 304 || status === 204 || status >= 500 || text !== undefined) return;
    const request = {method, path: requestPath};
    const documented = operation.responses?.[status];
    if (documented) {
      const {errors} = this.api_.validateResponse(body, operation, status);
      for (const error of errors ?? []) this.report_('simulator', request, `${status}: ${error.instancePath || '/'} ${error.message}`);
      return;
    }
    if (status < 400) this.report_('simulator', request, `answers ${status}, which GitHub does not document here`);
    else if (body && typeof body.message !== 'string') this.report_('simulator', request, `${status}: an error without a message`);
  }

  // Checks a webhook that the simulator is about to send.
  hook(event, headers, body) {
    const name = [event, ...(body.action ? [body.action] : [])].join('-').replaceAll('_', '-');
    const request = {method: 'POST', path: `/${name}`, headers, query: {}, body};
    const operation = this.hooks_.matchOperation(request);
    if (!operation) {
      this.report_('simulator', request, 'is no webhook of GitHub that promotions use; add it to setup.mjs if it is meant');
      return;
    }
    for (const error of this.hooks_.validateRequest(request, operation).errors ?? []) {
      this.report_('simulator', request, `${error.instancePath || '/'} ${error.message}`);
    }
  }

  resolve_(node) {
    let found = node;
    while (found?.$ref) found = found.$ref.slice(2).split('/').reduce((at, key) => at[key.replaceAll('~1', '/').replaceAll('~0', '~')], this.description_);
    return found;
  }

  // Descriptions allow unknown members; a client that sends one has misspelled it.
  unknownMembers_(request, given, value, at) {
    const schema = this.resolve_(given);
    if (!schema || value === null || typeof value !== 'object') return;
    const branches = [schema, ...['oneOf', 'anyOf', 'allOf'].flatMap((key) => schema[key] ?? []).map((each) => this.resolve_(each))];
    if (Array.isArray(value)) {
      const items = branches.find((each) => each.items)?.items;
      if (items) value.forEach((item, index) => this.unknownMembers_(request, items, item, `${at}/${index}`));
      return;
    }
    const members = Object.assign({}, ...branches.map((each) => each.properties ?? {}));
    if (!Object.keys(members).length || branches.some((each) => each.additionalProperties && each.additionalProperties !== false)) return;
    for (const [name, item] of Object.entries(value)) {
      if (!Object.hasOwn(members, name)) this.report_('client', request, `unknown member ${at}/${name}`);
      else this.unknownMembers_(request, members[name], item, `${at}/${name}`);
    }
  }

  // Validates and runs a GraphQL document on GitHub's schema, with our resolvers.
  async executeGraphql(query, variables, root) {
    const {parse, validate, execute} = this.graphql_;
    const request = {method: 'POST', path: '/graphql'};
    let document;
    try {
      document = parse(query);
    } catch (error) {
      this.report_('client', request, error.message);
      return {errors: [{message: error.message}]};
    }
    const errors = validate(this.schema_, document);
    for (const error of errors) this.report_('client', request, error.message);
    if (errors.length) return {errors: errors.map(({message}) => ({message}))};
    const result = await execute({schema: this.schema_, document, rootValue: root, variableValues: variables});
    for (const error of result.errors ?? []) {
      // Without a path it was the variables; with one and without our own type it was the simulator.
      if (!error.path) this.report_('client', request, error.message);
      else if (!error.originalError?.type) this.report_('simulator', request, error.message);
    }
    return {
      ...(result.data === undefined ? {} : {data: result.data}),
      ...(result.errors ? {errors: result.errors.map((error) => ({...(error.originalError?.type ? {type: error.originalError.type} : {}), path: error.path, message: error.message}))} : {}),
    };
  }
}
