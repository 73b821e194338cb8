// One test's world: a forge in contract mode with a repository of manifests, a webhook receiver, and promotiond beside them.
import assert from 'node:assert/strict';
import {mkdtemp, readFile, readdir, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {after} from 'node:test';
import {ForgeClient} from '../simulators/forge/client.mjs';
import {contractDirectory} from '../simulators/forge/setup.mjs';
import {Daemon, ask, helmReleaseEvent, idOf, until} from './daemon.mjs';
import {Receiver} from './receiver.mjs';

export const kRepository = 'acme/fleet';
export const kAzureRepository = 'acme/My Team/fleet';
// Easy to find wherever they leak; the invariants look for them.
export const kSecrets = {
  forge: 'ghp_canaryForgeToken0123456789', events: 'canary-event-key-0123456789', webhook: 'canary-webhook-key-0123456789', api: 'canary-api-token-0123456789',
  hook: 'canary-hook-key-0123456789',
};
export const kFinal = ['Succeeded', 'Failed', 'Superseded', 'Cancelled'];
const kBuild = process.env.PROMOTIOND_BUILD;

const manifest = (environment, version) => `apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: podinfo
  namespace: ${environment}
spec:
  chart:
    spec:
      chart: podinfo
      version: "${version}" # {"$promotion": "flux-system:podinfo:${environment}"}
`;

export const manifestOf = (environment) => `apps/${environment}.yaml`;

// A Pipeline podinfo: dev, qa, prod. `policy` is YAML under spec.promotion.
export function pipeline(policy, {name = 'podinfo', environments = ['dev', 'qa', 'prod']} = {}) {
  const indent = (text) => text.trimEnd().split('\n').map((line) => `    ${line}`).join('\n');
  return `apiVersion: pipelines.weave.works/v1alpha1
kind: Pipeline
metadata: {name: ${name}, namespace: flux-system}
spec:
  appRef: {apiVersion: helm.toolkit.fluxcd.io/v2, kind: HelmRelease, name: podinfo}
  environments:
${environments.map((each) => `    - {name: ${each}, targets: [{namespace: ${each}}]}`).join('\n')}
  promotion:
${indent(policy)}
`;
}

export const byPullRequest = (forge, more = '') => `strategy:
  pull-request:
    type: github
    url: ${forge.url}/${kRepository}.git
    baseBranch: main
    secretRef: {name: forge}
${more}  secretRef: {name: events}`;
export const byAzure = (forge, more = '') => `strategy:
  pull-request:
    type: azure-devops
    url: ${forge.url}/acme/My Team/_git/fleet
    baseBranch: main
    secretRef: {name: forge}
${more}  secretRef: {name: events}`;
export const byWebhook = (receiver) => `webhook: {url: "${receiver.url}", secretRef: webhook}\nsecretRef: events`;

// Forges take longer to start than tests take: each is used again by the next world, as if just started. One for each test
// that runs at the same time.
const idle = [];
const started = [];

async function forgeTaken() {
  if (idle.length) return idle.pop();
  const directory = await mkdtemp(path.join(tmpdir(), 'promotiond-forge-'));
  const forge = await ForgeClient.start({
    root: path.join(directory, 'forge'), tlsDirectory: path.join(directory, 'tls'), contract: await contractDirectory(),
  });
  started.push({forge, directory});
  return forge;
}

async function forgeGivenBack(forge) {
  await forge.do('reset');
  idle.push(forge);
}

after(() => Promise.all(started.map(async ({forge, directory}) => {
  await forge.stop();
  await rm(directory, {recursive: true, force: true});
})));

export class World {
  accepted = new Map();  // promotion id -> what was said to be accepted

  // `on`: the repository that the tests are about, kRepository or kAzureRepository.
  static async make({config = {}, version = '1.0.0', trusted = true, on = kRepository} = {}) {
    if (!kBuild || !Daemon.exists(kBuild)) throw new Error(`PROMOTIOND_BUILD=${kBuild} has no bin/promotiond; build the target promotiond`);
    const world = new World();
    world.repository = on;
    world.directory = await mkdtemp(path.join(tmpdir(), 'promotiond-e2e-'));
    world.forge = await forgeTaken();
    await world.forge.do('tokens', {token: kSecrets.forge, login: 'promotiond-bot'});
    const files = Object.fromEntries(['dev', 'qa', 'prod'].map((each) => [manifestOf(each), manifest(each, version)]));
    if (on === kRepository) await world.forge.do('repositories', {owner: 'acme', name: 'fleet', files, collaborators: ['reviewer']});
    else await world.forge.do('azure-repositories', {organization: 'acme', project: 'My Team', name: 'fleet', files, members: ['reviewer']});
    world.receiver = await Receiver.start({key: kSecrets.webhook});
    world.daemon = new Daemon({directory: world.directory, build: kBuild, config: {
      ...config,
      promotions: {backoff: {first: '20ms', most: '200ms'}, observe: {every: '100ms', most: '300ms'}, retryAfterMost: '1s', ...config.promotions},
      server: {rateLimit: {requests: 0}, ...config.server},
    }});
    await world.daemon.prepare();
    await world.daemon.writeSecret('flux-system', 'forge', {token: kSecrets.forge, ...(trusted ? {caFile: world.forge.ca} : {})});
    await world.daemon.writeSecret('flux-system', 'events', {'hmac-key': kSecrets.events});
    await world.daemon.writeSecret('flux-system', 'webhook', {token: kSecrets.webhook});
    return world;
  }

  async end() {
    try {
      await this.daemon?.stop();
    } finally {
      await this.receiver?.stop();
      if (this.forge) await forgeGivenBack(this.forge);
      await rm(this.directory, {recursive: true, force: true});
    }
  }

  // Starts the daemon and waits until it knows the Pipelines.
  async start(options) {
    await this.daemon.start(options);
    await until('pipelines read', () => /PROMO-0006/.test(this.daemon.run_));
  }

  // Sends a signed event; resolves to the promotion's id once it is accepted.
  async deliver(revision, {pipeline: name = 'podinfo', environment = 'dev', ...event} = {}) {
    const body = helmReleaseEvent({namespace: environment, revision, ...event});
    const answer = await this.daemon.sendEvent(`flux-system/${name}`, environment, body, {key: kSecrets.events});
    const id = idOf(answer);
    assert.equal(answer.status, 202, `${answer.status} ${answer.text}`);
    assert.ok(id, `no Location: ${JSON.stringify(answer.headers)}`);
    this.accepted.set(id, {name, environment, revision});
    return id;
  }

  pulls(query = {state: 'all'}) {
    return this.forge.ask('GET', `/repos/${kRepository}/pulls?${new URLSearchParams(query)}`, {token: kSecrets.forge}).then((answer) => answer.body);
  }

  fileOn(branch, environment) {
    return this.forge.see('file', {repository: this.repository, ref: branch, path: manifestOf(environment)}).then((answer) => answer.text);
  }

  // I1 to I4 and I7 as one function over the API, the forge's state, the bare repository and everything that was logged.
  // I5 and I6, that errors are named and that work goes on by itself, are what the single tests show.
  async invariants() {
    const promotions = await this.daemon.promotions();
    await this.acceptedEventsEnd_(promotions);
    await this.nothingIsDoubled_(promotions);
    await this.nothingUndecidedWasPushed_(promotions);
    await this.noSecretLeaked_(promotions);
    assert.deepEqual(await this.forge.see('violations'), [], 'what was sent is not what GitHub describes');
  }

  async acceptedEventsEnd_(promotions) {
    const phases = new Map(promotions.map((promotion) => [promotion.id, promotion.phase]));
    for (const [id, what] of this.accepted) {
      assert.ok(phases.has(id), `I1: accepted promotion ${id} (${JSON.stringify(what)}) is not in the journal`);
      assert.ok([...kFinal, 'Pending', 'AwaitingApproval'].includes(phases.get(id)), `I1: ${id} is still ${phases.get(id)}`);
    }
  }

  async nothingIsDoubled_(promotions) {
    const open = (await this.forge.see('pulls', {repository: this.repository})).filter((pull) => pull.state === 'open').map((pull) => pull.head);
    assert.equal(new Set(open).size, open.length, `I2: two open pull requests of one branch: ${open}`);
    const branches = Object.keys(await this.forge.see('branches', {repository: this.repository})).filter((branch) => branch.startsWith('promotion-'));
    const scopes = new Set(promotions.map((promotion) => `promotion-${scopeOf(promotion)}`));
    for (const branch of branches) assert.ok([...scopes].some((scope) => branch.startsWith(scope)), `I2: branch ${branch} belongs to no promotion`);
    assert.ok(branches.length <= scopes.size, `I2: ${branches.length} branches for ${scopes.size} scopes`);
    // The newest may wait for its approval while an older one is carried out.
    for (const phases of [['AwaitingApproval'], ['Queued', 'Running', 'Pending']]) {
      const active = promotions.filter((promotion) => phases.includes(promotion.phase)).map(scopeOf);
      assert.equal(new Set(active).size, active.length, `I4: two promotions of one scope are ${phases.join(' or ')}`);
    }
    const all = promotions.map((promotion) => promotion.id);
    assert.equal(new Set(all).size, all.length, 'I4: one promotion listed twice');
  }

  async nothingUndecidedWasPushed_(promotions) {
    for (const {branch, to, who} of await this.forge.see('movements', {repository: this.repository})) {
      if (who !== 'promotiond-bot' || /^0+$/.test(to)) continue;
      const decided = promotions.filter((promotion) => branch.startsWith(`promotion-${scopeOf(promotion)}`));
      assert.ok(decided.length, `I3: pushed ${branch}, which no promotion asks for`);
      const [{environment}] = decided;
      const {text} = await this.forge.see('file', {repository: this.repository, ref: to, path: manifestOf(environment)});
      const [, version] = /version: "([^"]*)"/.exec(text);
      assert.ok(decided.some((promotion) => promotion.revision === version), `I3: pushed ${version} to ${branch}, decided were ${decided.map((each) => each.revision)}`);
    }
  }

  async noSecretLeaked_(promotions) {
    const metrics = await ask(this.daemon.health, 'GET', '/metrics');
    const places = {log: this.daemon.logs, api: JSON.stringify(promotions), metrics: metrics.text, receiver: JSON.stringify(this.receiver.deliveries)};
    for (const {id} of promotions) places[`api ${id}`] = JSON.stringify(await this.daemon.promotion(id));
    const requests = await this.forge.see('requests');
    places.forge = JSON.stringify(requests.map(({path: target, body}) => ({target, body})));
    for (const file of await filesUnder(path.join(this.directory, 'state'))) places[file] = (await readFile(file)).toString('latin1');
    for (const [place, text] of Object.entries(places)) {
      for (const [name, value] of Object.entries(kSecrets)) assert.ok(!text.includes(value), `I7: the secret "${name}" is in ${place}`);
    }
  }
}

function scopeOf(promotion) {
  const {namespace, name} = typeof promotion.pipeline === 'string'
    ? {namespace: promotion.pipeline.split('/')[0], name: promotion.pipeline.split('/')[1]} : promotion.pipeline;
  return `${namespace}-${name}-${promotion.environment}`;
}

async function filesUnder(directory) {
  const entries = await readdir(directory, {withFileTypes: true}).catch(() => []);
  const nested = await Promise.all(entries.map((entry) => {
    const file = path.join(directory, entry.name);
    return entry.isDirectory() ? filesUnder(file) : entry.isFile() ? [file] : [];
  }));
  return nested.flat();
}
