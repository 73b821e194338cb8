// The daemon on a fleet's repository, which it reads the rules of gitops-promotion.yaml from.
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {Daemon, until} from './daemon.mjs';
import {kToken} from './fleet.mjs';

export const kHookKey = 'hook-key-canary-0123456789';

export async function serve(fleet, {repositories} = {}) {
  const directory = await mkdtemp(path.join(tmpdir(), 'promotiond-gitops-'));
  const type = fleet.provider === 'github' ? 'github' : 'azure-devops';
  const daemon = new Daemon({directory, build: process.env.PROMOTIOND_BUILD, config: {
    gitops: {
      repositories: repositories ?? [{url: fleet.url, type, secretRef: 'forge'}], every: '1s',
      images: [{image: 'hub.example.com/acme/testapp', tags: 'v*', group: 'testgroup', app: 'testapp'}],
    },
    promotions: {backoff: {first: '20ms', most: '200ms'}, observe: {every: '100ms', most: '300ms'}, retryAfterMost: '1s'},
    server: {rateLimit: {requests: 0}, hooks: {github: 'hook', registry: 'hook'}},
  }});
  await daemon.prepare();
  await writeFile(path.join(directory, 'hook'), `${kHookKey}\n`, {mode: 0o600});
  await daemon.writeSecret('gitops', 'forge', {token: kToken, caFile: fleet.forge.ca});
  await daemon.start();  // which waits for the forge, and not for ever
  await until('the rules read', async () => (await daemon.get('/pipelines')).pipelines.some((each) => each.name === 'testgroup.testapp'));
  return daemon;
}

export async function end(daemon) {
  await daemon.stop();
  await rm(daemon.directory, {recursive: true, force: true});
}

// An image of the fleet's group has a new tag.
export const release = (daemon, tag, more = {}) => daemon.api('POST', '/releases', {body: {group: 'testgroup', app: 'testapp', tag, ...more}});
