// promotiond on a real API server with 5,000 Pipelines: how long until it is ready beside `kubectl get --raw` of the same pages, its
// memory, its writes and lists, and how long a revision that shows in the watch takes to become a durable decision.
import { execFileSync, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Daemon } from './daemon.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const pipelines = '/apis/pipelines.weave.works/v1alpha1/namespaces/bench/pipelines';
const releases = '/apis/helm.toolkit.fluxcd.io/v2/namespaces/bench/helmreleases';

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// etcd and kube-apiserver in a temporary directory; ends with stop().
class ApiServer {
  async start() {
    this.assets = execFileSync(join(root, 'tests/kubernetes/setup'), { encoding: 'utf8' }).trim().split('\n').pop();
    this.directory = mkdtempSync(join(tmpdir(), 'promotiond-bench-kube-'));
    const file = (name) => join(this.directory, name);
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    writeFileSync(file('sa.key'), privateKey.export({ type: 'pkcs1', format: 'pem' }), { mode: 0o600 });
    writeFileSync(file('sa.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
    writeFileSync(file('tokens.csv'), 'administrator,administrator,administrator,system:masters\ndaemon,daemon,daemon,system:masters\n');
    writeFileSync(file('audit.yaml'), 'apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- level: Metadata\n  users: [daemon]\n- level: None\n');
    const [client, peer] = [await freePort(), await freePort()].map((port) => `http://127.0.0.1:${port}`);
    this.port = await freePort();
    const quiet = { stdio: 'ignore' };
    this.etcd = spawn(join(this.assets, 'etcd'), [`--data-dir=${file('etcd')}`, `--listen-client-urls=${client}`, `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`, `--initial-advertise-peer-urls=${peer}`, `--initial-cluster=default=${peer}`, '--unsafe-no-fsync'], quiet);
    this.server = spawn(join(this.assets, 'kube-apiserver'), [`--etcd-servers=${client}`, '--bind-address=127.0.0.1', '--advertise-address=127.0.0.1',
      `--secure-port=${this.port}`, `--cert-dir=${file('certs')}`, `--token-auth-file=${file('tokens.csv')}`, '--authorization-mode=RBAC',
      '--endpoint-reconciler-type=none', '--disable-admission-plugins=ServiceAccount', '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${file('sa.pub')}`, `--service-account-signing-key-file=${file('sa.key')}`, '--service-cluster-ip-range=10.0.0.0/24',
      `--audit-policy-file=${file('audit.yaml')}`, `--audit-log-path=${file('audit.log')}`, '--max-mutating-requests-inflight=0',
      '--max-requests-inflight=0', '--enable-priority-and-fairness=false'], quiet);
    this.agent = new Agent({ keepAlive: true, maxSockets: 16, rejectUnauthorized: false });
    while (!(await this.ask('GET', '/readyz').then(({ code }) => code === 200, () => false))) await pause(100);
    for (const who of ['administrator', 'daemon']) {
      writeFileSync(file(who), JSON.stringify({ apiVersion: 'v1', kind: 'Config', 'current-context': 'bench',
        clusters: [{ name: 'bench', cluster: { server: `https://127.0.0.1:${this.port}`, 'certificate-authority': file('certs/apiserver.crt') } }],
        contexts: [{ name: 'bench', context: { cluster: 'bench', user: 'bench' } }], users: [{ name: 'bench', user: { token: who } }] }));
    }
    for (const crd of ['config/crd/pipelines.yaml', 'tests/kubernetes/crds/applications.yaml', 'tests/kubernetes/crds/gitopsclusters.yaml']) {
      this.kubectl('apply', '--server-side', '-f', join(root, crd));
    }
    this.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s');
    await this.must('POST', '/api/v1/namespaces', { metadata: { name: 'bench' } });
  }

  ask(method, path, body, type = 'application/json') {
    return new Promise((resolve, reject) => {
      const text = body === undefined ? undefined : JSON.stringify(body);
      request({ host: '127.0.0.1', port: this.port, path, method, agent: this.agent,
        headers: { authorization: 'Bearer administrator', ...(text && { 'content-type': type, 'content-length': Buffer.byteLength(text) }) } }, (answer) => {
        let read = '';
        answer.setEncoding('utf8').on('data', (piece) => { read += piece; }).on('end', () => resolve({ code: answer.statusCode, body: read }));
      }).on('error', reject).end(text);
    });
  }

  async must(method, path, body, type) {
    const answer = await this.ask(method, path, body, type);
    if (answer.code >= 300) throw new Error(`${method} ${path}: ${answer.code} ${answer.body.slice(0, 300)}`);
    return JSON.parse(answer.body);
  }

  // Calls with each event of a watch, as soon as its line is there.
  watch(path, resourceVersion, seen) {
    const asked = request({ host: '127.0.0.1', port: this.port, path: `${path}?watch=true&resourceVersion=${resourceVersion}`, rejectUnauthorized: false,
      headers: { authorization: 'Bearer administrator' } }, (answer) => {
      let rest = '';
      answer.setEncoding('utf8').on('data', (piece) => {
        const lines = (rest + piece).split('\n');
        rest = lines.pop();
        for (const line of lines) seen(JSON.parse(line));
      }).on('error', () => {});
    });
    asked.on('error', () => {}).end();
    return asked;
  }

  kubectl(...words) {
    return execFileSync(join(this.assets, 'kubectl'), words, { encoding: 'utf8', maxBuffer: 1 << 28,
      env: { ...process.env, KUBECONFIG: join(this.directory, 'administrator') } });
  }

  // The daemon's requests so far: [{verb, resource, subresource}].
  requests() {
    return readFileSync(join(this.directory, 'audit.log'), 'utf8').split('\n').filter(Boolean).map((line) => {
      const { verb, objectRef = {}, stage } = JSON.parse(line);
      return { verb, stage, resource: objectRef.resource, subresource: objectRef.subresource };
    });
  }

  async stop() {
    for (const program of [this.server, this.etcd]) {
      program.kill('SIGKILL');
      await new Promise((resolve) => program.on('exit', resolve));
    }
    this.agent.destroy();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

async function each(count, work) {
  let next = 0;
  await Promise.all([...Array(16)].map(async () => {
    for (let i = next++; i < count; i = next++) await work(i);
  }));
}

const object = (i) => ({ apiVersion: 'pipelines.weave.works/v1alpha1', kind: 'Pipeline', metadata: { name: `p${i}` },
  spec: { appRef: { apiVersion: 'helm.toolkit.fluxcd.io/v2', kind: 'HelmRelease', name: `app${i}` },
    promotion: { manual: true, strategy: { notification: {} } },
    environments: [{ name: 'dev', targets: [{ namespace: 'bench' }] }, { name: 'prod', targets: [{ namespace: 'bench-prod' }] }] } });

// Milliseconds that `kubectl get --raw` needs for all pages of 500.
function pagesByKubectl(api) {
  const began = process.hrtime.bigint();
  let next = '';
  do {
    const page = JSON.parse(api.kubectl('get', '--raw', `/apis/pipelines.weave.works/v1alpha1/pipelines?limit=500${next && `&continue=${next}`}`));
    next = page.metadata.continue ?? '';
  } while (next);
  return Number(process.hrtime.bigint() - began) / 1e6;
}

const percentile = (values, part) => values.sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))];

// When each Pipeline's promotion was durable, by the daemon's log; filled as lines come.
function records() {
  const at = new Map();
  const logged = (line) => {
    const found = line.match(/^ts=(\S+) .*id=PROMO-1001 .*pipeline=bench\/(\S+)/);
    if (found) at.set(found[2], Date.parse(found[1]));
  };
  return { at, logged };
}

// Sets revisions at a rate and gives the milliseconds from the watch event, as this process gets it, or from the server's answer to whoever
// set it, if that is sooner, to the promotion's record.
async function decisions(api, recorded, { applications, rate, seconds }) {
  const told = new Map();
  const tell = (name) => { if (!told.has(name)) told.set(name, Date.now()); };
  const { metadata } = await api.must('GET', `${releases}?limit=1`);
  const watch = api.watch(releases, metadata.resourceVersion, ({ object }) => tell(object.metadata.name.replace('app', 'p')));
  const waits = [];
  const total = Math.min(applications, rate * seconds);
  const began = Date.now();
  for (let i = 0; i < total; i++) {
    const due = began + (i * 1000) / rate;
    if (due > Date.now()) await pause(due - Date.now());
    waits.push(api.must('PATCH', `${releases}/app${i}/status`, { status: { conditions: [{ type: 'Ready', status: 'True' }],
      history: [{ chartVersion: '2.0.0', status: 'deployed' }] } }, 'application/merge-patch+json').then(() => tell(`p${i}`)));
  }
  await Promise.all(waits);
  for (const until = Date.now() + 60_000; recorded.size < total && Date.now() < until;) await pause(100);
  watch.destroy();
  return { total, found: recorded.size, times: [...recorded].map(([name, at]) => Math.max(0, at - told.get(name))) };
}

export async function kubernetes(build, { count = 5000, applications = 2000, rate = 200, seconds = 10, idle = 150 } = {}) {
  const api = new ApiServer();
  await api.start();
  let daemon;
  try {
    await each(count, (i) => api.must('POST', pipelines, object(i)));
    await each(applications, (i) => api.must('POST', releases, { apiVersion: 'helm.toolkit.fluxcd.io/v2', kind: 'HelmRelease', metadata: { name: `app${i}` }, spec: {} }));
    const raw = Math.min(pagesByKubectl(api), pagesByKubectl(api));
    const { at: recorded, logged } = records();
    daemon = new Daemon(build, {}, '', {
      platform: `{kubernetes: {kubeconfig: ${join(api.directory, 'daemon')}, namespaces: [bench]}}`, level: 'info', logged,
    });
    const { readyMs } = await daemon.start();
    console.log(`${count} Pipelines: ready after ${readyMs.toFixed(0)} ms, kubectl get --raw of the pages ${raw.toFixed(0)} ms: ` +
      `${(readyMs / raw).toFixed(2)} times (aim: under 3)`);

    const patches = () => api.requests().filter(({ verb, subresource, stage }) => verb === 'patch' && subresource === 'status' && stage === 'ResponseComplete').length;
    let before = -1;
    for (let now = patches(); now !== before || now < count; now = patches()) { before = now; await pause(5000); }
    console.log(`first status of each: ${before} patches for ${count} Pipelines (aim: one each)`);
    console.log(`resident memory ${(daemon.memory('VmRSS') / 1024).toFixed(1)} MiB, at most ${(daemon.memory('VmHWM') / 1024).toFixed(1)} MiB (aim: under 120)`);

    const quiet = api.requests().length;
    const ticks = daemon.ticks();
    await pause(idle * 1000);
    const asked = api.requests().slice(quiet);
    console.log(`idle for ${idle} s: ${asked.filter(({ verb }) => verb === 'list').length} lists (aim: none), ${asked.length} requests, ` +
      `${(daemon.ticks() - ticks) * 10} ms of processor`);

    const wrote = patches();
    const { total, found, times } = await decisions(api, recorded, { applications, rate, seconds });
    const began = Date.now();
    console.log(`${found} of ${total} revisions decided at ${rate} a second: p50 ${percentile(times, 0.5)} ms, p99 ${percentile(times, 0.99)} ms ` +
      'from the watch event to the durable record (aim: p99 under 50)');
    while (patches() - wrote < found && Date.now() - began < 60_000) await pause(500);
    console.log(`${patches() - wrote} status patches for ${found} transitions and ${total} sightings, the last of them ` +
      `${((Date.now() - began) / 1000).toFixed(1)} s after the last decision`);
  } finally {
    if (daemon) await daemon.stop();
    await api.stop();
  }
}
