/** Makes bench/results/README.md and its charts from the JSON files there, and the tables of targets of the documents. */
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UsageError, parseOptions, runProgram } from './cli.js';
import { reportOf, withTargets, type Committed } from './report/markdown.js';
import type { Outcome } from './run.js';

const USAGE = 'npm run bench:report -- [--directory <results>]';
/** From dist/bench. */
const RESULTS = fileURLToPath(new URL('../../bench/results', import.meta.url));
const DOCUMENTS = ['../../README.md', '../../docs/performance.md'].map((path) => fileURLToPath(new URL(path, import.meta.url)));

function main(): Promise<number> {
  const { directory, help } = parseOptions({ directory: { type: 'string', default: RESULTS }, help: { type: 'boolean' } });
  if (help === true) {
    process.stdout.write(`${USAGE}\n`);
    return Promise.resolve(0);
  }
  const names = readdirSync(directory).sort();
  const all = names.filter((name) => name.endsWith('.json')).map((name): Committed =>
    ({ stem: name.slice(0, -'.json'.length), outcome: JSON.parse(readFileSync(join(directory, name), 'utf8')) as Outcome }));
  if (all.length === 0) throw new UsageError(`no *.json in ${directory}`);
  for (const name of names) if (name.endsWith('.svg')) rmSync(join(directory, name));
  for (const [name, text] of reportOf(all)) writeFileSync(join(directory, name), text);
  if (directory === RESULTS) for (const path of DOCUMENTS) writeFileSync(path, withTargets(readFileSync(path, 'utf8'), all));
  return Promise.resolve(0);
}

await runProgram(USAGE, main);
