// What config/kubernetes/README.md says of RFC-0003's alternatives C and D: a service of its own without any cluster, and ingest,
// decision and execution that each survive the others.
import assert from 'node:assert/strict';
import {mkdtemp, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {Daemon, ask, eventHeaders, helmReleaseEvent, idOf, until} from './daemon.mjs';
import {Receiver} from './receiver.mjs';

const kBuild = process.env.PROMOTIOND_BUILD;
const kSidecar = fileURLToPath(new URL('../../config/kubernetes/sidecar/', import.meta.url));
const kKey = 'key-of-the-senders';
const kPipeline = 'flux-system/podinfo';

const pipeline = ({revision = 'v2', manual = false} = {}) => `
apiVersion: pipelines.weave.works/v1alpha1
kind: Pipeline
metadata: {name: podinfo, namespace: flux-system}
spec:
  appRef: {apiVersion: helm.toolkit.fluxcd.io/${revision}, kind: HelmRelease, name: podinfo}
  promotion: {manual: ${manual}, strategy: {notification: {}, secretRef: {name: senders}}}
  environments:
    - {name: dev, targets: [{namespace: dev}]}
    - {name: prod, targets: [{namespace: prod}]}
`;

// The daemon with directories, an executor behind Flux's address, and nothing of a cluster in its environment.
async function withService(config, work) {
  const directory = await mkdtemp(path.join(tmpdir(), 'alternatives-'));
  const executor = await Receiver.start();
  const daemon = new Daemon({directory, build: kBuild, config: {
    ...config, strategies: {settings: {'notification-flux': {address: executor.url}}}}});
  try {
    await daemon.prepare();
    await daemon.writeSecret('flux-system', 'senders', {'hmac-key': kKey});
    await daemon.start();
    await work(daemon, executor);
  } finally {
    await daemon.stop();
    await executor.stop();
    await rm(directory, {recursive: true, force: true});
  }
}

const send = (daemon, revision, prefix = '') => {
  const body = helmReleaseEvent({revision});
  return ask(daemon.address, 'POST', `${prefix}/promotion/${kPipeline}/dev`, {body, headers: eventHeaders(body, kKey)});
};
const approve = (daemon, revision, prefix = '') => ask(daemon.address, 'POST', `${prefix}/approval/${kPipeline}/prod/${revision}`,
  {headers: {...eventHeaders('', kKey), 'content-length': 0}});
const executed = (executor) => executor.deliveries.map(({text}) => JSON.parse(text).metadata['pipelines.weave.works/promotion']);

test('C: without a cluster, from directories that are read anew, and what waits is in its own store', async () => {
  await withService({}, async (daemon, executor) => {
    assert.equal((await send(daemon, '6.0.0')).status, 401);  // there is no Pipeline yet
    await daemon.writePipeline('podinfo', pipeline({manual: true}));
    const accepted = await until('the Pipeline read', async () => {
      const answer = await send(daemon, '6.0.1');
      return answer.status === 202 ? answer : null;
    });
    const id = idOf(accepted);
    await daemon.inPhase(id, 'AwaitingApproval');
    await daemon.kill();
    await daemon.start();
    assert.equal((await daemon.promotion(id)).phase, 'AwaitingApproval');
    assert.equal((await approve(daemon, '6.0.0')).status, 422);
    assert.equal((await approve(daemon, '6.0.1')).status, 202);
    await daemon.inPhase(id, 'Succeeded');
    assert.deepEqual(executed(executor), [id]);
    assert.equal(idOf(await send(daemon, '6.0.1')), id);  // the same event again
    assert.deepEqual(executed(executor), [id]);
  });
});

test('C: the sidecar\'s configuration is one of such a service', async () => {
  const text = await readFile(path.join(kSidecar, 'promotiond.yaml'), 'utf8');
  const prefix = /pathPrefix: (\S+)/.exec(text)[1];
  assert.match(text, /local:/);
  assert.doesNotMatch(text, /kubernetes:/);
  await withService({server: {pathPrefix: prefix, trustedProxies: ['127.0.0.1/32']}}, async (daemon, executor) => {
    await daemon.writePipeline('podinfo', pipeline());
    const accepted = await until('the Pipeline read', async () => {
      const answer = await send(daemon, '6.0.1', prefix);
      return answer.status === 202 ? answer : null;
    });
    await daemon.inPhase(idOf(accepted), 'Succeeded');
    assert.equal(executor.deliveries.length, 1);
  });
});

test('D: an event is answered while its executor hangs, and a crash executes the same promotion again', async () => {
  await withService({}, async (daemon, executor) => {
    await daemon.writePipeline('podinfo', pipeline());
    executor.answers.push({hang: true});
    const accepted = await until('the Pipeline read', async () => {
      const answer = await send(daemon, '6.0.1');
      return answer.status === 202 ? answer : null;
    });
    const id = idOf(accepted);
    await until('the executor asked', () => executor.deliveries.length === 1);
    assert.equal((await daemon.promotion(id)).phase, 'Running');  // 202 came before it was over
    await daemon.kill();
    await daemon.start();
    await daemon.inPhase(id, 'Succeeded');
    // A Job that is named after the promotion is there already when the second delivery asks for it.
    assert.deepEqual(new Set(executed(executor)), new Set([id]));
    const {history} = await daemon.promotion(id);
    assert.ok(history.length >= 4, 'every attempt is on record');
  });
});

test('D: promotions of one environment reach executors in their order, however many workers there are', async () => {
  await withService({promotions: {workers: 8}}, async (daemon, executor) => {
    await daemon.writePipeline('podinfo', pipeline());
    const ids = [];
    for (const revision of ['6.0.1', '6.0.2', '6.0.3']) {
      const accepted = await until('the Pipeline read', async () => {
        const answer = await send(daemon, revision);
        return answer.status === 202 ? answer : null;
      });
      ids.push(idOf(accepted));
    }
    await daemon.inPhase(ids[2], 'Succeeded');
    const order = executed(executor).map((id) => ids.indexOf(id));
    assert.deepEqual(order, [...order].sort());  // one that was superseded before its turn is not executed at all
    assert.equal(order.at(-1), 2);
  });
});
