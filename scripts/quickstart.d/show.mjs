// The second half of scripts/quickstart: everything that is started here also ends here.
import {randomBytes} from 'node:crypto';
import {mkdtemp, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import {Daemon, eventHeaders, helmReleaseEvent, idOf, until} from '../../tests/e2e/daemon.mjs';
import {Receiver} from '../../tests/e2e/receiver.mjs';
import {ForgeClient} from '../../tests/simulators/forge/client.mjs';

const kHere = path.dirname(fileURLToPath(import.meta.url));
const kRepository = 'acme/fleet';
const kManifest = 'apps/podinfo/prod.yaml';
const {values: options} = parseArgs({options: {build: {type: 'string'}, stay: {type: 'boolean', default: false}}});

const say = (text = '') => process.stdout.write(`${text}\n`);
const step = (title) => say(`\n== ${title}`);
const indented = (text) => text.trimEnd().split('\n').map((line) => `   ${line}`).join('\n');
const running = [];  // what to stop, newest last
let lastWords = () => '';  // of the daemon, for when something goes wrong
const secret = () => randomBytes(20).toString('hex');
const keys = {forge: `ghp_${secret()}`, events: secret(), webhook: secret()};

async function clean() {
  while (running.length) await running.pop()();
}

async function startForge(work) {
  step('Forge');
  const forge = await ForgeClient.start({root: path.join(work, 'forge'), tlsDirectory: path.join(work, 'tls')});
  running.push(() => forge.stop());
  await forge.do('tokens', {token: keys.forge, login: 'promotiond-bot'});
  await forge.do('repositories', {owner: 'acme', name: 'fleet', files: {
    [kManifest]: await readFile(path.join(kHere, 'podinfo-prod.yaml'), 'utf8'), 'README.md': '# Fleet\n'}});
  say(`   ${forge.url}/${kRepository}.git   git over TLS; what is marked for prod in ${kManifest}:`);
  const {text} = await forge.see('file', {repository: kRepository, path: kManifest});
  say(indented(text.split('\n').find((line) => line.includes('$promotion'))));
  return forge;
}

async function startDaemon(work, forge, receiver) {
  step('promotiond');
  const daemon = new Daemon({directory: work, build: options.build});
  await daemon.prepare();
  await daemon.writeSecret('flux-system', 'forge', {token: keys.forge, caFile: forge.ca});
  await daemon.writeSecret('flux-system', 'flux-events', {'hmac-key': keys.events});
  await daemon.writeSecret('flux-system', 'webhook', {token: keys.webhook});
  for (const name of ['pull-request', 'webhook']) {
    const text = await readFile(path.join(kHere, `${name}.yaml`), 'utf8');
    await daemon.writePipeline(name, text.replace('${FORGE}', forge.url).replace('${RECEIVER}', receiver.url));
  }
  say(indented(await readFile(daemon.file, 'utf8')));
  running.push(() => daemon.stop());
  lastWords = () => daemon.logs.trimEnd().split('\n').slice(-8).join('\n');
  await daemon.start();
  say(`   listening on http://${daemon.address}, health on http://${daemon.health}, pid ${daemon.pid}`);
  return daemon;
}

// Sends the event for one Pipeline; returns the promotion's id and what was decided.
async function send(daemon, pipeline, body) {
  const answer = await daemon.sendEvent(`flux-system/${pipeline}`, 'dev', body, {key: keys.events});
  say(`   POST /promotion/flux-system/${pipeline}/dev -> ${answer.status}, Location: ${answer.headers.location ?? '(none)'}`);
  const id = idOf(answer);
  if (answer.status !== 202 || !id) throw new Error(`the event was not accepted: ${answer.status} ${answer.text}`);
  return {id, decision: JSON.parse(answer.text)};
}

function showDecision({decision}, promotion) {
  say(`   ${decision.verdict}: ${promotion.revision} into ${promotion.environment} of ${promotion.pipeline}`);
  for (const {code, text} of decision.reasons) say(`   - ${text}  [${code}]`);
}

function showJournal(promotion) {
  for (const each of promotion.history) {
    say(`   ${each.at}  ${(each.from ?? '').padEnd(8)} -> ${each.to.padEnd(10)} ${each.reason ?? ''}${each.actor ? `  (${each.actor})` : ''}`);
  }
}

async function showPull(forge, promotion) {
  const head = (await forge.see('pulls', {repository: kRepository})).at(-1).head;
  step('The commit, read from the bare repository');
  const {diff} = await forge.see('diff', {repository: kRepository, base: 'main', head});
  say(indented(diff));
  step('The pull request, read from the forge\'s API');
  const {status, body: pulls} = await forge.ask('GET', `/repos/${kRepository}/pulls?state=open`, {token: keys.forge});
  if (status !== 200 || pulls.length !== 1) throw new Error(`expected one open pull request, got ${status} with ${pulls.length}`);
  const [pull] = pulls;
  say(`   #${pull.number}  ${pull.title}\n   ${pull.html_url}\n   ${pull.head.ref} -> ${pull.base.ref}\n`);
  say(indented(pull.body ?? ''));
  const changed = diff.split('\n').filter((line) => /^[+-](?![+-]{2} )/.test(line));
  if (changed.length !== 2) throw new Error(`expected one changed line, got ${changed.length / 2}`);
  if (promotion.location !== pull.html_url) throw new Error(`the promotion says ${promotion.location}`);
}

async function showWebhook(daemon, receiver, id) {
  step('The same revision, by webhook');
  const promotion = await daemon.inPhase(id, 'Succeeded');
  await until('the delivery', () => receiver.deliveries.length > 0);
  const [delivery] = receiver.deliveries;
  say(`   ${delivery.method} ${receiver.url}, signature ${delivery.genuine ? 'verified' : 'WRONG'}`);
  for (const [name, value] of Object.entries(delivery.headers)) say(`   ${name}: ${value}`);
  say(`\n${indented(delivery.text)}`);
  if (!delivery.genuine) throw new Error('the webhook\'s signature does not match its body');
  return promotion;
}

function showWhatNext(work, daemon, forge) {
  const bin = `${path.relative(process.cwd(), options.build)}/bin`;
  if (!options.stay) {
    step('To go on by hand');
    say(indented([
      'scripts/quickstart --stay            # the same, and it keeps running: then promotionctl, curl and git can be tried on it',
      `${bin}/promotiond --help`, `${bin}/promotionctl --help`, 'scripts/test                         # all tests',
    ].join('\n')));
    return;
  }
  const ctl = `${bin}/promotionctl --server http://${daemon.address}`;
  const curl = `curl --cacert ${forge.caFile}`;
  step('Everything keeps running until Ctrl-C; try for example');
  say(indented([
    `${ctl} pipelines`, `${ctl} promotions`, `${ctl} why flux-system/podinfo`, `curl http://${daemon.health}/metrics`,
    '# merge the pull request as a person would, and see the promotion succeed:',
    `${curl} ${forge.control}/merge -d '{"repository": "${kRepository}", "number": 1}'`,
    `git -c http.sslCAInfo=${forge.caFile} clone https://x:${keys.forge}@localhost:${forge.port}/${kRepository}.git`,
    `ls ${work}   # configuration, pipelines, secrets, journal`,
  ].join('\n')));
}

async function main() {
  if (!Daemon.exists(options.build)) throw new Error(`there is no promotiond in ${options.build}; run scripts/quickstart`);
  const work = await mkdtemp(path.join(tmpdir(), 'promotiond-quickstart-'));
  running.push(() => rm(work, {recursive: true, force: true}));
  const forge = await startForge(work);
  const receiver = await Receiver.start({key: keys.webhook});
  running.push(() => receiver.stop());
  const daemon = await startDaemon(work, forge, receiver);

  step('The event, as Flux sends it for the HelmRelease podinfo that became ready in dev');
  const body = helmReleaseEvent({revision: '6.0.1', timestamp: `${new Date().toISOString().slice(0, 19)}Z`});
  for (const [name, value] of Object.entries(eventHeaders(body, keys.events))) say(`   ${name}: ${value}`);
  say(`\n${indented(body)}\n`);
  const [byPullRequest, byWebhook] = [await send(daemon, 'podinfo', body), await send(daemon, 'podinfo-webhook', body)];

  step('The decision and its reasons');
  const promotion = await daemon.inPhase(byPullRequest.id, ['Pending', 'Failed']);
  showDecision(byPullRequest, promotion);
  step('The promotion in the journal');
  showJournal(promotion);
  if (promotion.phase !== 'Pending') throw new Error(`the promotion is ${promotion.phase}: ${promotion.reason}`);
  await showPull(forge, promotion);
  await showWebhook(daemon, receiver, byWebhook.id);
  showWhatNext(work, daemon, forge);
  if (options.stay) await new Promise(() => { setInterval(() => {}, 1 << 30); });
}

let ending = false;
async function end(code) {
  if (ending) return;
  ending = true;
  await clean().catch((error) => say(`while cleaning up: ${error.message}`));
  process.exit(code);
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => end(options.stay ? 0 : 130));
main().then(() => end(0), (error) => {
  process.stderr.write(`\nscripts/quickstart: ${error.message}\n${lastWords()}\n`);
  return end(1);
});
