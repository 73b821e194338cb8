#!/usr/bin/env node
// The forge simulator as a program. Prints one line of JSON when it is ready and runs until SIGTERM, SIGINT or the end of
// its standard input when --while-stdin is given.
import {parseArgs} from 'node:util';
import path from 'node:path';
import {ForgeServer} from './server.mjs';
import {certificate} from './tls.mjs';

const kUsage = `usage: main.mjs --root DIR --tls-dir DIR [--contract DIR] [--port N] [--while-stdin]
  --root         where the bare repositories are made
  --tls-dir      where ca.pem, cert.pem and key.pem are found or made
  --contract     check every request and answer against GitHub's descriptions; DIR is made by setup.mjs
  --port         default 0: any free one, on 127.0.0.1
  --while-stdin  end when standard input ends, so that no forge outlives a killed test
`;

async function main() {
  const {values} = parseArgs({options: {
    root: {type: 'string'}, 'tls-dir': {type: 'string'}, contract: {type: 'string'}, port: {type: 'string', default: '0'}, 'while-stdin': {type: 'boolean', default: false},
  }});
  if (!values.root || !values['tls-dir']) {
    process.stderr.write(kUsage);
    process.exit(64);
  }
  const {cert, key, ca} = await certificate(path.resolve(values['tls-dir']));
  const contract = values.contract ? await (await import('./contract.mjs')).Contract.open(path.resolve(values.contract)) : null;
  const server = await new ForgeServer({root: path.resolve(values.root), cert, key, contract}).start(Number(values.port));
  const end = () => server.stop().then(() => process.exit(0));
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  if (values['while-stdin']) process.stdin.on('end', end).resume();
  process.stdout.write(`${JSON.stringify({
    url: server.url, api: `${server.url}/api/v3`, graphql: `${server.url}/api/graphql`, control: `${server.url}/_sim`, port: server.port, ca, pid: process.pid,
  })}\n`);
}

main().catch((error) => {
  process.stderr.write(`forge: ${error.message}\n`);
  process.exit(1);
});
