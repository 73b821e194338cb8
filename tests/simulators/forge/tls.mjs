// A certificate authority of this run and a certificate for the forge, made by openssl.
import {execFile} from 'node:child_process';
import {mkdir, readFile, rm, writeFile} from 'node:fs/promises';
import path from 'node:path';

function openssl(directory, args) {
  return new Promise((resolve, reject) => {
    execFile('openssl', args, {cwd: directory}, (error, stdout, stderr) => {
      if (error) reject(new Error(`openssl ${args[0]}: ${stderr.trim() || error.message}; is openssl installed?`));
      else resolve(stdout);
    });
  });
}

const kKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

// Leaves ca.pem, cert.pem and key.pem in the directory and returns certificate and key; uses what is there already.
export async function certificate(directory, hosts = ['localhost', 'api.localhost']) {
  await mkdir(directory, {recursive: true, mode: 0o700});
  const file = (name) => path.join(directory, name);
  const read = async () => ({cert: await readFile(file('cert.pem')), key: await readFile(file('key.pem')), ca: file('ca.pem')});
  const there = await read().catch(() => null);
  if (there) return there;

  const names = [...hosts.map((host) => `DNS:${host}`), 'IP:127.0.0.1'].join(',');
  await writeFile(file('leaf.ext'), `basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth\nsubjectAltName=${names}\n`);
  await openssl(directory, ['req', '-x509', ...kKey, '-days', '30', '-subj', '/CN=Forge simulator authority', '-keyout', 'ca.key', '-out', 'ca.pem',
    '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign']);
  await openssl(directory, ['req', ...kKey, '-subj', '/CN=localhost', '-keyout', 'key.pem', '-out', 'leaf.csr']);
  await openssl(directory, ['x509', '-req', '-in', 'leaf.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '30',
    '-extfile', 'leaf.ext', '-out', 'cert.pem']);
  await Promise.all(['leaf.ext', 'leaf.csr', 'ca.key', 'ca.srl'].map((name) => rm(file(name), {force: true})));
  return read();
}
