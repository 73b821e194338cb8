// The part of GitHub's GraphQL that promotions need, over the same state: a reader of documents and an executor of a page.
// In contract mode the same resolvers are run by graphql-js on GitHub's own schema, so this one cannot drift unseen.
import {allowed} from './github.mjs';
import {enableAutoMerge, pullNode, refusal, repositoryNode} from './graphql-nodes.mjs';

const kTokens = /\s+|,|#[^\n]*|\uFEFF|(\.\.\.|[!$():=@[\]{|}&])|([_A-Za-z]\w*)|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|("""[\s\S]*?"""|"(?:[^"\\\n]|\\.)*")/y;

function tokens(text) {
  const found = [];
  kTokens.lastIndex = 0;
  while (kTokens.lastIndex < text.length) {
    const at = kTokens.lastIndex;
    const match = kTokens.exec(text);
    if (!match) throw new Error(`Parse error on ${JSON.stringify(text.slice(at, at + 10))}`);
    const value = match[1] ?? match[2] ?? match[3] ?? match[4];
    if (value !== undefined) found.push({kind: match[1] ? 'mark' : match[2] ? 'name' : match[3] ? 'number' : 'string', value});
  }
  return found;
}

class Reader {
  constructor(text) {
    this.tokens_ = tokens(text);
    this.at_ = 0;
  }

  peek() {
    return this.tokens_[this.at_]?.value;
  }

  take(expected) {
    const token = this.tokens_[this.at_++];
    if (!token || (expected !== undefined && token.value !== expected)) throw new Error(`Parse error: expected ${expected ?? 'more'}, got ${token?.value ?? 'the end'}`);
    return token.value;
  }

  skip(value) {
    if (this.peek() !== value) return false;
    this.at_ += 1;
    return true;
  }

  document() {
    const operations = [];
    const fragments = new Map();
    while (this.peek() !== undefined) {
      if (this.skip('fragment')) {
        const name = this.take();
        this.take('on');
        this.take();
        fragments.set(name, this.selection());
        continue;
      }
      operations.push(this.operation());
    }
    return {operations, fragments};
  }

  operation() {
    if (this.peek() === '{') return {type: 'query', name: null, defaults: {}, selection: this.selection()};
    const type = this.take();
    const name = ['(', '{', '@'].includes(this.peek()) ? null : this.take();
    const defaults = {};
    if (this.skip('(')) {
      while (!this.skip(')')) {
        this.take('$');
        const variable = this.take();
        this.take(':');
        while (!['$', ')', '='].includes(this.peek())) this.take();
        if (this.skip('=')) defaults[variable] = this.value({});
      }
    }
    return {type, name, defaults, selection: this.selection()};
  }

  selection() {
    const fields = [];
    this.take('{');
    while (!this.skip('}')) {
      if (this.skip('...')) {
        if (this.skip('on')) fields.push({type: this.take(), inline: this.selection()});
        else if (this.peek() === '{') fields.push({inline: this.selection()});
        else fields.push({fragment: this.take()});
        continue;
      }
      let name = this.take();
      const alias = name;
      if (this.skip(':')) name = this.take();
      const parameters = {};
      if (this.skip('(')) {
        while (!this.skip(')')) {
          const key = this.take();
          this.take(':');
          parameters[key] = this.value();
        }
      }
      fields.push({alias, name, parameters, selection: this.peek() === '{' ? this.selection() : null});
    }
    return fields;
  }

  // Values stay functions of the variables.
  value() {
    const token = this.tokens_[this.at_++];
    if (!token) throw new Error('Parse error: unexpected end');
    if (token.value === '$') {
      const name = this.take();
      return (variables) => variables[name];
    }
    if (token.value === '[') {
      const items = [];
      while (!this.skip(']')) items.push(this.value());
      return (variables) => items.map((item) => item(variables));
    }
    if (token.value === '{') {
      const members = [];
      while (!this.skip('}')) {
        const key = this.take();
        this.take(':');
        members.push([key, this.value()]);
      }
      return (variables) => Object.fromEntries(members.map(([key, item]) => [key, item(variables)]).filter(([, item]) => item !== undefined));
    }
    const literal = {string: () => JSON.parse(token.value), number: () => Number(token.value), name: () => ({true: true, false: false, null: null}[token.value] ?? token.value)};
    const read = literal[token.kind];
    if (!read) throw new Error(`Parse error: unexpected ${token.value}`);
    const constant = read();
    return () => constant;
  }
}

async function execute(document, root, variables) {
  const [operation] = document.operations;
  const known = {...Object.fromEntries(Object.entries(operation.defaults).map(([name, value]) => [name, value({})])), ...variables};
  const errors = [];
  const complete = async (value, selection, path) => {
    if (value === null || value === undefined) return null;
    if (Array.isArray(value)) return Promise.all(value.map((item, index) => complete(item, selection, [...path, index])));
    return selection ? fields(value, selection, path) : value;
  };
  const fields = async (parent, selection, path) => {
    const result = {};
    for (const field of selection) {
      if (field.inline || field.fragment) {
        if (field.type && parent.__typename && field.type !== parent.__typename) continue;
        Object.assign(result, await fields(parent, field.inline ?? document.fragments.get(field.fragment) ?? [], path));
        continue;
      }
      const here = [...path, field.alias];
      try {
        const parameters = Object.fromEntries(Object.entries(field.parameters).map(([key, value]) => [key, value(known)]).filter(([, value]) => value !== undefined));
        const member = parent[field.name];
        if (member === undefined) throw Object.assign(new Error(`Field '${field.name}' doesn't exist on type '${parent.__typename ?? operation.type}'`), {type: 'undefinedField'});
        result[field.alias] = await complete(typeof member === 'function' ? await member.call(parent, parameters) : member, field.selection, here);
      } catch (error) {
        result[field.alias] = null;
        errors.push({...(error.type ? {type: error.type} : {}), path: here, message: error.message});
      }
    }
    return result;
  };
  const data = await fields(root, operation.selection, []);
  return errors.length ? {data, errors} : {data};
}

// What queries and mutations start from, for one credential.
export function rootOf({forge, token, login}) {
  const seen = (id) => {
    const found = forge.pullByNodeId(id);
    if (!found || !allowed(found.repository, token, 'pull_requests:read')) throw refusal(`Could not resolve to a node with the global id of '${id}'`, 'NOT_FOUND');
    return found;
  };
  const change = (id, work) => {
    const found = seen(id);
    if (!allowed(found.repository, token, 'pull_requests:write')) throw refusal('Resource not accessible by integration', 'FORBIDDEN');
    return found.repository.exclusively(async () => {
      await found.repository.refresh();
      await work(found);
      return {clientMutationId: null, actor: {__typename: 'User', login}, pullRequest: pullNode(found.repository, found.pull)};
    });
  };
  return {
    viewer: {__typename: 'User', login},
    node: ({id}) => {
      const {repository, pull} = seen(id);
      return repository.exclusively(async () => {
        await repository.refresh();
        return pullNode(repository, pull);
      });
    },
    repository: ({owner, name}) => {
      const repository = forge.repository(owner, name);
      if (!repository || !allowed(repository, token, 'metadata:read')) throw refusal(`Could not resolve to a Repository with the name '${owner}/${name}'.`, 'NOT_FOUND');
      return repository.exclusively(async () => {
        await repository.refresh();
        return repositoryNode(repository);
      });
    },
    enablePullRequestAutoMerge: ({input}) => change(input.pullRequestId, ({repository, pull}) => enableAutoMerge(repository, pull, input, login)),
    disablePullRequestAutoMerge: ({input}) => change(input.pullRequestId, ({pull}) => {
      if (!pull.autoMerge) throw refusal("Can't disable auto-merge for this pull request");
      pull.autoMerge = null;
      pull.events.push({kind: 'AutoMergeDisabledEvent', reason: null});
    }),
    markPullRequestReadyForReview: ({input}) => change(input.pullRequestId, ({pull}) => Object.assign(pull, {draft: false})),
    convertPullRequestToDraft: ({input}) => change(input.pullRequestId, ({pull}) => Object.assign(pull, {draft: true})),
  };
}

export async function graphql(context) {
  const {request, contract} = context;
  if (request.method !== 'POST') return {status: 404, body: {message: 'Not Found'}};
  if (!context.token) return {status: 401, body: {message: 'This endpoint requires you to be authenticated.', documentation_url: 'https://docs.github.com/graphql'}};
  if (request.bodyProblem || typeof request.body?.query !== 'string') return {status: 400, body: {message: 'Problems parsing JSON', documentation_url: 'https://docs.github.com/graphql'}};
  const {query, variables = {}} = request.body;
  const root = rootOf(context);
  if (contract) return {status: 200, headers: {}, body: await contract.executeGraphql(query, variables ?? {}, root)};
  try {
    return {status: 200, headers: {}, body: await execute(new Reader(query).document(), root, variables ?? {})};
  } catch (error) {
    return {status: 200, headers: {}, body: {errors: [{message: error.message}]}};
  }
}
