// node tests/bench/main.mjs BUILD [intake|idle|promotion|gitops|kubernetes ...]
import { resolve } from 'node:path';
import { gitops } from './gitops.mjs';
import { idle } from './idle.mjs';
import { intake } from './intake.mjs';
import { kubernetes } from './kubernetes.mjs';
import { promotion } from './promotion.mjs';

const [build, ...chosen] = process.argv.slice(2);
const all = { intake, idle, promotion, gitops, kubernetes };
for (const name of chosen.length > 0 ? chosen : Object.keys(all)) {
  if (!all[name]) throw new Error(`no benchmark named ${name}: ${Object.keys(all).join(', ')}`);
  console.log(`== ${name}`);
  await all[name](resolve(build));
}
