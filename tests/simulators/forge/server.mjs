// One HTTPS listener for everything: git at /OWNER/REPO.git, the API at /api/v3 (or at / for a host named api.*), Azure DevOps
// wherever a path has /_git/ or /_apis in it, and the tests' control at /_sim.
import {rm} from 'node:fs/promises';
import https from 'node:https';
import * as git from './git.mjs';
import {actions, control} from './control.mjs';
import * as azure from './azure.mjs';
import {AzureContract} from './azure-contract.mjs';
import {Faults} from './faults.mjs';
import {allowed, answer, authenticate} from './github.mjs';
import {Hooks} from './hooks.mjs';
import {Forge} from './state.mjs';

const kBodyLimit = 64 << 20;
const kGitPath = /^\/([^/]+)\/([^/]+?)(?:\.git)?\/(info\/refs|git-upload-pack|git-receive-pack)$/;
const kLogLimit = 100_000;

export class ForgeServer {
  constructor({root, cert, key, contract = null}) {
    this.root_ = root;
    this.resets_ = 0;
    this.forge = new Forge(root);
    this.faults = new Faults();
    this.log = [];
    this.underWay_ = new Set();  // promises of requests, those to /_sim apart
    this.violations = contract ? contract.violations : [];
    this.contract = contract;
    this.azureContract_ = new AzureContract(this.violations, contract?.azure);
    this.server_ = https.createServer({cert, key, keepAliveTimeout: 30_000}, (request, response) => {
      const served = this.serve_(request, response).catch((error) => {
        if (request.destroyed && error.code === 'ECONNRESET') return;  // the client went away, which clients may
        this.violations.push({side: 'simulator', message: error.stack});
        if (!response.headersSent) response.writeHead(500, {'content-type': 'text/plain'});
        response.end(`the simulator failed: ${error.message}\n`);
      });
      if (request.url.startsWith('/_sim/')) return;
      this.underWay_.add(served);
      served.then(() => this.underWay_.delete(served));
    });
  }

  async start(port = 0) {
    await new Promise((resolve, reject) => {
      this.server_.once('error', reject);
      this.server_.listen(port, '127.0.0.1', resolve);
    });
    this.port = this.server_.address().port;
    this.url = `https://localhost:${this.port}`;
    this.hooks = new Hooks({web: this.url, contract: this.contract, violations: this.violations});
    this.connect_();
    return this;
  }

  connect_() {
    this.forge.tell = (...change) => this.hooks.tell(...change);
  }

  async stop() {
    const closed = new Promise((resolve) => this.server_.close(resolve));
    this.server_.closeAllConnections();
    await closed;
  }

  // As if just started, for the next test. What a client left that was killed ends first, in the old place.
  async reset() {
    const old = this.forge.root;
    this.faults.clear();
    while (this.underWay_.size) await Promise.all(this.underWay_);
    await this.hooks.deliveries();
    this.forge = new Forge(`${this.root_}-${++this.resets_}`);
    this.hooks.clear();
    this.connect_();
    this.log.length = 0;
    this.violations.length = 0;
    await rm(old, {recursive: true, force: true});
  }

  async serve_(request, response) {
    const {pathname: path, searchParams: query, search} = new URL(request.url, this.url);
    if (path.startsWith('/_sim/')) return this.control_(request, response, path.slice('/_sim/'.length), query);
    const isAzure = azure.isAzure(path);
    const isGit = isAzure ? azure.gitPath(path) : kGitPath.exec(path);
    const who = authenticate(this.forge, request.headers.authorization);
    const entry = {
      number: this.log.length + 1, at: new Date().toISOString(), method: request.method, path: `${path}${search}`, user: who.login ?? null,
      agent: request.headers['user-agent'] ?? null, kind: isGit ? 'git' : 'api',
    };
    if (this.log.length < kLogLimit) this.log.push(entry);
    const fault = this.faults.take({method: request.method, path: `${path}${search}`, user: who.login});
    if (fault) entry.fault = fault.kind;
    if (await this.before_(fault, request, response, entry)) return undefined;
    const result = isGit ? await this.git_(request, isGit, query, who) : isAzure ? await this.azure_(request, path, query, entry, who)
      : await this.api_(request, path, query, entry);
    if (fault?.kind === 'hold-answer') await this.faults.hold();
    if (fault?.kind === 'headers') result.headers = {...result.headers, ...fault.headers};
    entry.status = result.status;
    return send(response, result, fault);
  }

  // Faults that come before the work; true when nothing is left to do.
  async before_(fault, request, response, entry) {
    switch (fault?.kind) {
      case 'status': {
        await readAll(request).catch(() => {});
        entry.status = fault.status;
        send(response, {status: fault.status, headers: fault.headers, ...(typeof fault.body === 'string' ? {text: fault.body} : {body: fault.body})}, null);
        return true;
      }
      case 'cut':
        response.socket.destroy();
        return true;
      case 'hang':
        return true;
      case 'delay':
        await new Promise((resolve) => { setTimeout(resolve, fault.ms); });
        return false;
      case 'hold':
        await this.faults.hold();
        return false;
      case 'before':
        await actions[fault.action](this, fault.with ?? {});
        return false;
      default:
        return false;
    }
  }

  async git_(request, path, query, who) {
    if (path.azure) return azure.serveGit(this.forge, request, path, query, who);
    const [, owner, name, service] = path;
    const repository = this.forge.repository(owner, name);
    const wanted = service === 'info/refs' ? query.get('service') : service;
    const verdict = who.refusal ? undefined : allowed(repository, who.token, wanted === 'git-receive-pack' ? 'contents:write' : 'contents:read');
    if (!verdict) {
      await readAll(request).catch(() => {});
      if (!who.login) return {status: 401, headers: {'www-authenticate': 'Basic realm="GitHub"', 'content-type': 'text/plain'}, text: 'Invalid username or token.\n'};
      if (verdict === undefined) return {status: 404, headers: {'content-type': 'text/plain'}, text: 'Repository not found.\n'};
      return {status: 403, headers: {'content-type': 'text/plain'}, text: `Permission to ${owner}/${name}.git denied to ${who.login}.\n`};
    }
    const run = () => git.httpBackend(this.forge.root, {
      request, pathInfo: `/${repository.owner}/${repository.name}.git/${service}`, query: query.toString(), user: who.login ?? 'anonymous',
    });
    // Reading needs no turn; pushes take one each, so that pull requests follow in the order of the pushes.
    if (service !== 'git-receive-pack') return run();
    return repository.exclusively(async () => {
      const result = await run();
      await repository.refresh();
      return result;
    });
  }

  async api_(request, path, query, entry) {
    const raw = await readAll(request);
    const host = request.headers.host ?? '';
    const hosted = host.startsWith('api.');
    const prefix = hosted ? '' : path === '/api/graphql' ? '/api' : '/api/v3';
    if (!path.startsWith(`${prefix}/`)) return {status: 404, headers: {'content-type': 'text/html'}, text: '<html><body>Page not found</body></html>'};
    const {body, bodyProblem} = jsonOf(raw);
    entry.body = body;
    const checked = {method: request.method, path: path.slice(prefix.length), query, headers: request.headers, body, bodyProblem};
    const operation = this.contract?.request(checked);
    const web = `https://${hosted ? host.slice('api.'.length) : host}`;
    const api = hosted ? `https://${host}` : `https://${host}/api/v3`;
    const result = await answer(this.forge, checked, {api, web, contract: this.contract});
    this.contract?.answer(operation, checked, result);
    result.headers = {...(hosted ? {} : {'x-github-enterprise-version': '3.19.0'}), 'x-github-request-id': `SIM:${entry.number}`, ...result.headers};
    return result;
  }

  async azure_(request, path, query, entry, who) {
    const {body, bodyProblem} = jsonOf(await readAll(request));
    entry.body = body;
    return azure.answer(this.forge, {method: request.method, path, query, headers: request.headers, body, bodyProblem}, {
      who, web: `https://${request.headers.host ?? 'localhost'}`, contract: this.azureContract_, number: entry.number,
    });
  }

  async control_(request, response, name, query) {
    const {body, bodyProblem} = jsonOf(await readAll(request));
    const result = bodyProblem ? {status: 400, body: {message: bodyProblem}} : await control(this, {method: request.method, name, query, body});
    send(response, result, null);
  }
}

function jsonOf(raw) {
  if (raw.length === 0) return {};
  try {
    return {body: JSON.parse(raw.toString('utf8'))};
  } catch (error) {
    return {bodyProblem: error.message};
  }
}

async function readAll(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > kBodyLimit) throw new Error('request body over 64 MiB');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function send(response, {status, headers = {}, body, text}, fault) {
  if (fault?.kind === 'lose') {
    response.socket.destroy();
    return;
  }
  const content = Buffer.isBuffer(body) ? body : Buffer.from(text ?? (body === undefined ? '' : JSON.stringify(body)));
  const type = Buffer.isBuffer(body) || text !== undefined ? {} : {'content-type': 'application/json; charset=utf-8'};
  const bodiless = status === 204 || status === 304;
  response.writeHead(status, {...(bodiless ? {} : {...type, 'content-length': String(content.length)}), ...headers});
  if (fault?.kind === 'half' || fault?.kind === 'stall') {
    response.write(content.subarray(0, Math.floor(content.length / 2)), () => {
      if (fault.kind === 'half') response.socket.destroy();
    });
    return;
  }
  response.end(bodiless ? undefined : content);
}
