import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { openSidecar } from 'lastword';
import { UsageError, parseOptions, runProgram, seedOf, wholeNumber } from './cli.js';
import { itemsOf, playFleet } from './demo/fleet.js';
import { generatedLoad, realLoad } from './demo/parts.js';
import { Progress } from './demo/progress.js';
import { isGood, report } from './demo/report.js';
import { verifyFleet } from './demo/verify.js';
import { whole } from './format.js';

const USAGE = `npm run demo -- [--input <folder or file>]... [--threads 200] [--repeat <times>] [--directory <out>] [--seed <number>]
  --input      real rollouts (*.jsonl), for instance a Codex home; else those of $LASTWORD_CORPUS; else generated ones
  --threads    how many threads record at once: a root, which records the fleet, and its children, each one rollout
  --repeat     how often each child plays its rollout; by default until about 96 MB are recorded in all, at least once
  --directory  where the new rollouts go; by default a fresh folder for temporary files
  --seed       of the bursts, of the moments of closing and of the generated rollouts`;

/** A root and a child. */
const THREADS_MIN = 2;
const THREADS_MAX = 10_000;
const REPEAT_MAX = 1_000_000;

async function main(): Promise<number> {
  const options = parseOptions({
    input: { type: 'string', multiple: true }, threads: { type: 'string', default: '200' }, repeat: { type: 'string' },
    directory: { type: 'string' }, seed: { type: 'string' }, help: { type: 'boolean' },
  });
  const threads = wholeNumber('threads', options.threads, THREADS_MIN, THREADS_MAX);
  const repeat = options.repeat === undefined ? undefined : wholeNumber('repeat', options.repeat, 1, REPEAT_MAX);
  const seed = seedOf(options.seed);
  if (options.help === true) {
    print(`${USAGE}\n`);
    return 0;
  }
  const inputs = options.input ?? process.env['LASTWORD_CORPUS']?.split(delimiter).filter((path) => path !== '') ?? [];
  const asked = options.directory === undefined ? undefined : madeDirectory(options.directory);
  const { parts, text } = inputs.length > 0 ? realLoad(inputs, threads - 1, repeat) : generatedLoad(threads - 1, seed, repeat);
  const directory = asked ?? mkdtempSync(join(tmpdir(), 'lastword-demo-'));
  print(`${text}seed ${seed}\nrecording to ${directory}\n`);

  const progress = new Progress();
  const fleet = await playFleet(await openSidecar({ directory }), parts, seed, (taken) => {
    progress.show(() => `recording: ${whole(taken())} of ${whole(itemsOf(parts))} items`);
  });
  const rollouts = fleet.witnesses.map(({ thread: { path }, taken }) => ({ path, taken }));
  const verdict = await verifyFleet(rollouts, (done) => {
    progress.show(() => `reading back: ${whole(done)} of ${whole(threads)} threads`);
  });
  progress.end();
  print(report(fleet, verdict));
  return isGood(fleet, verdict) ? 0 : 1;
}

function madeDirectory(directory: string): string {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new UsageError(`--directory: ${error instanceof Error ? error.message : String(error)}`);
  }
  return resolve(directory);
}

function print(text: string): void {
  process.stdout.write(text);
}

await runProgram(USAGE, main);
