// Runs the real promotiond in a directory of its own, for tests and for scripts/quickstart.
import {spawn} from 'node:child_process';
import {createHmac} from 'node:crypto';
import {existsSync, readFileSync} from 'node:fs';
import {mkdir, rename, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {setTimeout as pause} from 'node:timers/promises';
import {exchange} from '../simulators/forge/client.mjs';

// Reached by failures only: a step takes a second at most on a quiet machine, and machines are ten times slower, or stand still.
const kMostMs = 180_000;
const kStopMs = 60_000;  // less than what is called by a promotion may take (promotions.deadline), which a stop does not wait for

// Resolves with the first value of `look` that is not undefined, null or false; asks again every 20 ms until the deadline, and
// no more after an error whose `final` is true.
export async function until(what, look, timeoutMs = kMostMs) {
  const deadline = Date.now() + timeoutMs;
  let last;
  for (;;) {
    try {
      const value = await look();
      if (value) return value;
      last = undefined;
    } catch (error) {
      if (error.final) throw error;
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms${last ? ` (${last.message})` : ''}`);
    await pause(20);
  }
}

// What notification-controller sends for a HelmRelease that became ready: member order, spacing and all.
export function helmReleaseEvent({name = 'podinfo', namespace = 'dev', revision = '6.0.1', reason = 'UpgradeSucceeded', severity = 'info',
  apiVersion = 'helm.toolkit.fluxcd.io/v2', timestamp = '2026-03-02T10:15:30Z', message} = {}) {
  const said = message ?? `Helm upgrade succeeded for release ${namespace}/${name}.v2 with chart ${name}@${revision}`;
  return JSON.stringify({
    involvedObject: {kind: 'HelmRelease', namespace, name, uid: '7d0cdc51-ddcf-4743-b223-83ca5c699632', apiVersion, resourceVersion: '155540'},
    severity, timestamp, message: said, reason, metadata: {'app-version': revision, revision},
    reportingController: 'helm-controller', reportingInstance: 'helm-controller-7cdc7874f8-9qpft',
  }).replace(/[<>&]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`);  // as Go's encoder does
}

// As notification-controller's generic-hmac provider sends it.
export function eventHeaders(body, key) {
  return {
    'content-type': 'application/json', 'gotk-component': 'helm-controller', 'user-agent': 'Go-http-client/1.1',
    ...(key === undefined ? {} : {'x-signature': `sha256=${createHmac('sha256', key).update(body).digest('hex')}`}),
  };
}

// One exchange with the daemon at HOST:PORT.
export function ask(address, method, target, {headers = {}, body} = {}) {
  const sized = body === undefined ? headers : {...headers, 'content-length': Buffer.byteLength(body)};
  return exchange(`http://${address}${target}`, {method, headers: sized, body, timeoutMs: 70_000});
}

export class Daemon {
  // `build` is the build directory with bin/ and strategies/. `config` is merged over the defaults below, section by section.
  constructor({directory, build, config = {}}) {
    this.directory = directory;
    this.build = build;
    this.logs = '';  // of all runs: secrets are looked for here
    this.config_ = {
      server: {listen: '127.0.0.1:0', health: '127.0.0.1:0', ...config.server},
      platform: {local: {pipelines: './pipelines', secrets: './secrets'}},
      journal: {path: './state/journal.db'},
      strategies: {directory: path.join(build, 'strategies'), ...config.strategies},
      ...Object.fromEntries(Object.entries(config).filter(([section]) => !['server', 'strategies'].includes(section))),
    };
    this.file = path.join(directory, 'promotiond.yaml');
  }

  static exists(build) {
    return existsSync(path.join(build, 'bin', 'promotiond'));
  }

  async prepare() {
    for (const each of ['pipelines', 'secrets']) await mkdir(path.join(this.directory, each), {recursive: true});
    // JSON is YAML; one section a line so that people can read it.
    const lines = Object.entries(this.config_).map(([section, value]) => `${section}: ${JSON.stringify(value)}`);
    await writeFile(this.file, `${lines.join('\n')}\n`);
  }

  async writePipeline(name, text) {
    await replace(path.join(this.directory, 'pipelines', `${name}.yaml`), text);
  }

  async writeSecret(namespace, name, values) {
    const directory = path.join(this.directory, 'secrets', namespace, name);
    await mkdir(directory, {recursive: true});
    for (const [key, value] of Object.entries(values)) await replace(path.join(directory, key), value);
  }

  // `wrap` is a command that runs the daemon, such as strace with its options; `environment` is added to a bare one.
  async start({wrap = [], environment = {}} = {}) {
    const program = [...wrap, path.join(this.build, 'bin', 'promotiond'), '--config', this.file];
    // setpriv ends the daemon when this process dies without stopping it.
    const command = wrap.length ? program : ['setpriv', '--pdeathsig', 'TERM', ...program];
    this.run_ = '';
    this.wrapped_ = wrap.length > 0;
    this.child_ = spawn(command[0], command.slice(1), {
      cwd: this.directory, stdio: ['ignore', 'pipe', 'pipe'],
      env: {PATH: process.env.PATH, HOME: this.directory, ...sanitizerOptions(), ...environment},
    });
    this.exit = new Promise((resolve) => { this.child_.once('close', (code, signal) => resolve({code, signal})); });
    let ended = null;
    this.exit.then((how) => { ended = how; });
    const keep = (chunk) => {
      this.run_ += chunk;
      this.logs += chunk;
    };
    this.child_.stdout.on('data', keep);
    this.child_.stderr.on('data', keep);
    const ready = await until('promotiond ready', () => {
      if (ended) throw Object.assign(new Error('ended'), {final: true});
      return /PROMO-0002[^\n]*\n/.exec(this.run_);
    }).catch((error) => {
      throw new Error(`promotiond did not start (${JSON.stringify(ended)}): ${error.message}\n${this.run_}`);
    });
    const field = (name) => new RegExp(`${name}["=: ]+([0-9.:]+)`).exec(ready[0])?.[1];
    this.address = field('listen');
    this.health = field('health');
    return this;
  }

  // The daemon's own, also when a wrapper such as strace runs it.
  get pid() {
    if (!this.wrapped_) return this.child_.pid;
    const [child] = readFileSync(`/proc/${this.child_.pid}/task/${this.child_.pid}/children`, 'utf8').split(' ');
    return child ? Number(child) : undefined;
  }

  signal_(name) {
    if (this.child_.exitCode !== null || this.child_.signalCode !== null) return;  // its number may be another's by now
    try {
      process.kill(this.pid ?? this.child_.pid, name);
    } catch (error) {
      if (!['ESRCH', 'ENOENT'].includes(error.code)) throw error;  // it has ended already
    }
  }

  async stop() {
    if (!this.child_) return undefined;
    this.signal_('SIGTERM');
    const how = await Promise.race([this.exit, pause(kStopMs, null, {ref: false})]);
    if (how) return how;
    this.signal_('SIGKILL');
    throw new Error(`promotiond did not stop within ${kStopMs} ms of SIGTERM\n${this.run_.slice(-4000)}`);
  }

  async kill() {
    this.signal_('SIGKILL');
    return this.exit;
  }

  async sendEvent(pipeline, environment, body, {key, query = '', headers = {}} = {}) {
    return ask(this.address, 'POST', `/promotion/${pipeline}/${environment}${query}`, {body, headers: {...eventHeaders(body, key), ...headers}});
  }

  async api(method, target, {body, headers} = {}) {
    const answer = await ask(this.address, method, `/api/v1${target}`, {
      body: body === undefined ? undefined : JSON.stringify(body), headers: {...(body === undefined ? {} : {'content-type': 'application/json'}), ...headers},
    });
    return {...answer, body: answer.text && /json/.test(answer.headers['content-type'] ?? '') ? JSON.parse(answer.text) : undefined};
  }

  async get(target) {
    const {status, body, text} = await this.api('GET', target);
    if (status !== 200) throw new Error(`GET /api/v1${target}: ${status} ${text}`);
    return body;
  }

  async promotion(id) {
    return this.get(`/promotions/${id}`);
  }

  async promotions() {
    const {promotions, items} = await this.get('/promotions?limit=1000');
    return promotions ?? items;
  }

  async inPhase(id, phases, timeoutMs) {
    const wanted = [phases].flat();
    let seen;
    return until(`${id} ${wanted.join(' or ')}`, async () => {
      const promotion = await this.promotion(id);
      seen = promotion.phase;
      return wanted.includes(seen) ? promotion : null;
    }, timeoutMs).catch((error) => {
      throw new Error(`${error.message}; it is ${seen}\n${this.run_.slice(-3000)}`);
    });
  }
}

// A file is seen whole or not at all, as with mounted secrets.
async function replace(file, text) {
  const scratch = `${path.dirname(file)}/..new-${path.basename(file)}`;
  await writeFile(scratch, text, {mode: 0o600});
  await rename(scratch, file);
}

function sanitizerOptions() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => /^(A|L|T|UB)SAN_OPTIONS$/.test(name)));
}

export const idOf = (answer) => /\/promotions\/([^/?]+)$/.exec(answer.headers.location ?? '')?.[1];
