import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { openSidecar } from 'lastword';
import { UsageError, parseOptions, runProgram, seedOf, wholeNumber } from './cli.js';
import { playFleet, type FleetResult, type Part } from './demo/fleet.js';
import { Progress } from './demo/progress.js';
import { verifyFleet, type Verdict } from './demo/verify.js';
import { bytesText, figure, table, whole } from './format.js';
import { loadCorpus, type Corpus } from './load/corpus.js';
import { ShapeSource, lineBytes } from './load/shapes.js';

const USAGE = `npm run demo -- [--input <folder or file>]... [--threads 20] [--repeat <times>] [--directory <out>] [--seed <number>]
  --input      real rollouts (*.jsonl), for instance a Codex home; else those of $LASTWORD_CORPUS; else generated ones
  --threads    how many threads record at once, each one rollout
  --repeat     how often each thread plays its rollout; by default until about 96 MB are recorded in all
  --directory  where the new rollouts go; by default a fresh folder for temporary files
  --seed       of the bursts and of the generated rollouts`;

const THREADS_MAX = 10_000;
const REPEAT_MAX = 1_000_000;
const DEFAULT_BYTES = 96e6;
/** The median of real rollouts. */
const GENERATED_LINES = 320;

async function main(): Promise<number> {
  const options = parseOptions({
    input: { type: 'string', multiple: true }, threads: { type: 'string', default: '20' }, repeat: { type: 'string' },
    directory: { type: 'string' }, seed: { type: 'string' }, help: { type: 'boolean' },
  });
  if (options.help === true) {
    print(`${USAGE}\n`);
    return 0;
  }
  const threads = wholeNumber('threads', options.threads, 1, THREADS_MAX);
  const repeat = options.repeat === undefined ? undefined : wholeNumber('repeat', options.repeat, 1, REPEAT_MAX);
  const seed = seedOf(options.seed);
  const inputs = options.input ?? process.env['LASTWORD_CORPUS']?.split(delimiter).filter((path) => path !== '') ?? [];
  const asked = options.directory === undefined ? undefined : madeDirectory(options.directory);
  const parts = repeated(inputs.length > 0 ? realParts(inputs, threads) : generatedParts(threads, seed), repeat);
  const directory = asked ?? mkdtempSync(join(tmpdir(), 'lastword-demo-'));
  print(`seed ${seed}\nrecording to ${directory}\n`);

  const total = parts.reduce((sum, part) => sum + part.items.length * part.repeat, 0);
  const progress = new Progress();
  const fleet = await playFleet(await openSidecar({ directory }), parts, seed, (items) =>
    progress.show(() => `recording: ${whole(items)} of ${whole(total)} items`));
  const verdict = await verifyFleet(fleet.played, (done) =>
    progress.show(() => `reading back: ${whole(done)} of ${whole(parts.length)} threads`));
  progress.end();
  print(report(fleet, verdict));
  return verdict.lost + verdict.duplicated + verdict.changed === 0 ? 0 : 1;
}

function realParts(inputs: readonly string[], threads: number): Part[] {
  const corpus = readCorpus(inputs, threads);
  print(`${whole(corpus.files.length)} real rollouts, ${whole(corpus.items)} items, ${bytesText(corpus.bytes)}`
    + ` from ${inputs.join(', ')}\n${leftOutText(corpus)}`);
  return Array.from({ length: threads }, (_none, index) =>
    ({ items: corpus.files[index % corpus.files.length]?.items ?? [], repeat: 1 }));
}

function readCorpus(inputs: readonly string[], threads: number): Corpus {
  try {
    const corpus = loadCorpus(inputs, threads);
    if (corpus.files.length > 0) return corpus;
  } catch (error) {
    throw new UsageError(`--input: ${error instanceof Error ? error.message : String(error)}`);
  }
  throw new UsageError(`--input: no rollouts (*.jsonl with records) in ${inputs.join(', ')}`);
}

/** Nothing is left out silently. */
function leftOutText({ files, leftOut, skippedLines }: Corpus): string {
  const reasons = new Map<string, number>();
  for (const { reason } of leftOut) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  const cut = files.filter((file) => file.cut).length;
  return [
    ...[...reasons].map(([reason, count]) => `left out: ${whole(count)} files (${reason})\n`),
    skippedLines > 0 ? `left out: ${whole(skippedLines)} lines that are no records\n` : '',
    cut > 0 ? `only the beginning of ${whole(cut)} very long files is played\n` : '',
  ].join('');
}

function generatedParts(threads: number, seed: number): Part[] {
  print(`${whole(threads)} rollouts generated in the shapes of real ones (--input plays real ones)\n`);
  return Array.from({ length: threads }, (_none, index) =>
    ({ items: new ShapeSource(seed + index).rolloutItems(GENERATED_LINES), repeat: 1 }));
}

/** So often that there is something to measure, unless the user says how often. */
function repeated(parts: readonly Part[], repeat: number | undefined): Part[] {
  const bytes = parts.reduce((sum, { items }) => sum + items.reduce((inner, item) => inner + lineBytes(item), 0), 0);
  const times = repeat ?? Math.max(1, Math.round(DEFAULT_BYTES / bytes));
  return parts.map(({ items }) => ({ items, repeat: times }));
}

function madeDirectory(directory: string): string {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new UsageError(`--directory: ${error instanceof Error ? error.message : String(error)}`);
  }
  return resolve(directory);
}

function report(fleet: FleetResult, verdict: Verdict): string {
  const { played, items, bytes, seconds, appendMs, delayP99Ms, filesEvicted, receipt } = fleet;
  const damage = [...verdict.damage].map(([kind, count]) => [`damaged lines, ${kind}`, whole(count)]);
  const one = played[0]?.path ?? '';
  return `\n${table([
    ['threads', whole(played.length)],
    ['items', whole(items)],
    ['bytes', bytesText(bytes)],
    ['time until written', `${figure(seconds)} s`],
    ['items/s', whole(items / seconds)],
    ['host thread, per item', `${figure((appendMs * 1000) / items)} µs`],
    ['event-loop delay, p99', `${figure(delayP99Ms)} ms`],
    ['files evicted', whole(filesEvicted)],
    ['receipt of close()', `${whole(receipt.items)} items`],
    ['read back', `${whole(verdict.records)} items`],
    ['lost', whole(verdict.lost)],
    ['duplicated', whole(verdict.duplicated)],
    ['changed', whole(verdict.changed)],
    ...damage,
  ])}\nLook at one:  head -n 3 '${one}' | cut -c 1-200\n`;
}

function print(text: string): void {
  process.stdout.write(text);
}

await runProgram(USAGE, main);
