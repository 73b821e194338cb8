// Starts the simulator for a test and speaks to it.
import {spawn} from 'node:child_process';
import {readFileSync} from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';

const kMain = path.join(path.dirname(fileURLToPath(import.meta.url)), 'main.mjs');

// One HTTPS or HTTP exchange; resolves to {status, headers, text}. Nothing is followed or retried.
export async function exchange(url, {method = 'GET', headers = {}, body, ca, timeoutMs = 60_000} = {}) {
  const {request} = url.startsWith('https:') ? https : await import('node:http');
  return new Promise((resolve, reject) => {
    const outgoing = request(url, {method, headers, ca, agent: false, timeout: timeoutMs}, (incoming) => {
      const chunks = [];
      incoming.on('data', (chunk) => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('end', () => resolve({status: incoming.statusCode, headers: incoming.headers, text: Buffer.concat(chunks).toString('utf8')}));
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error(`${method} ${url}: no answer within ${timeoutMs} ms`)));
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

// The platform's fetch cannot be given a certificate authority; this one can, for clients that take a fetch.
export function fetchWith(ca) {
  return async (url, {method, headers, body} = {}) => {
    const {status, headers: got, text} = await exchange(String(url), {method, headers: Object.fromEntries(new Headers(headers)), body, ca});
    const bodiless = [204, 304].includes(status);
    return new Response(bodiless ? null : text, {status, headers: Object.entries(got).flatMap(([name, value]) => [value].flat().map((each) => [name, each]))});
  };
}

export class ForgeClient {
  // Resolves when the simulator is ready. It ends with this process, however this process ends.
  static async start({root, tlsDirectory, contract}) {
    const args = [kMain, '--root', root, '--tls-dir', tlsDirectory, '--while-stdin', ...(contract ? ['--contract', contract] : [])];
    const child = spawn(process.execPath, args, {stdio: ['pipe', 'pipe', 'pipe']});
    let complaint = '';
    child.stderr.on('data', (chunk) => { complaint += chunk; });
    const line = await new Promise((resolve, reject) => {
      createInterface({input: child.stdout}).once('line', resolve);
      child.once('exit', () => reject(new Error(`the forge did not start: ${complaint.trim()}`)));
    });
    return new ForgeClient(JSON.parse(line), child);
  }

  constructor(places, child) {
    Object.assign(this, places);
    this.child_ = child;
    this.caFile = places.ca;
    this.ca = readFileSync(places.ca);
    this.fetch = fetchWith(this.ca);
  }

  async stop() {
    if (this.child_.exitCode !== null || this.child_.signalCode !== null) return;  // Ctrl-C reached it first
    const ended = new Promise((resolve) => { this.child_.once('exit', resolve); });
    this.child_.kill('SIGTERM');
    await ended;
  }

  // POST /_sim/<action>
  do(action, body = {}) {
    return this.control_(action, {method: 'POST', body: JSON.stringify(body)});
  }

  // GET /_sim/<view>
  see(view, query = {}) {
    return this.control_(`${view}?${new URLSearchParams(query)}`, {});
  }

  async control_(target, options) {
    const {status, text} = await exchange(`${this.control}/${target}`, {...options, ca: this.ca});
    const body = JSON.parse(text);
    if (status !== 200) throw new Error(`/_sim/${target}: ${body.message}`);
    return body;
  }

  // One request to the API as anybody's client might send it.
  async ask(method, target, {token, body, headers = {}} = {}) {
    const answer = await exchange(`${this.api}${target}`, {
      method, ca: this.ca, body: body === undefined ? undefined : JSON.stringify(body),
      headers: {'user-agent': 'forge-test', ...(token ? {authorization: `Bearer ${token}`} : {}), ...headers},
    });
    return {...answer, body: answer.text ? JSON.parse(answer.text) : undefined};
  }
}
