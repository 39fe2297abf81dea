import { writeFileSync } from 'node:fs';
import { dropPageCache } from './cells/page-cache.js';
import { UsageError, parseOptions, runProgram, seedOf } from './cli.js';
import { environment, type Environment } from './environment.js';
import { bytesText, whole } from './format.js';
import { FULL, QUICK, SCENARIOS, SCENARIO_NAMES, type Results, type Scenario } from './scenarios/all.js';
import { targetsOf, targetsTable } from './targets.js';

const USAGE = `npm run bench -- [--quick] [--only <${SCENARIO_NAMES.join('|')}>]... [--drop-caches] [--seed <number>] [--json <file>]
  --quick        fewer cells, items and rounds, and of the peers those that write files; less than two minutes
  --only         one scenario; may be repeated
  --drop-caches  drops the page cache before each run of 'sustained' and 'threads' (Linux, root): for virtual machines
  --json         writes all figures, of every round too, to this file`;

/** What --json writes, and the report is made of. */
export interface Outcome extends Results {
  readonly environment: Environment;
  readonly seed: number;
  readonly quick: boolean;
  /** The page cache was dropped before each run. */
  readonly dropsCaches: boolean;
  readonly seconds: number;
}

/** Digits that a figure of a round is written with. */
const DIGITS = 5;

async function main(): Promise<number> {
  const options = parseOptions({
    quick: { type: 'boolean', default: false }, 'drop-caches': { type: 'boolean', default: false }, only: { type: 'string', multiple: true }, seed: { type: 'string' }, json: { type: 'string' },
    help: { type: 'boolean' },
  });
  const unknown = options.only?.find((name) => !SCENARIO_NAMES.includes(name as Scenario));
  if (unknown !== undefined) throw new UsageError(`--only takes one of ${SCENARIO_NAMES.join(', ')}, not '${unknown}'`);
  const seed = seedOf(options.seed);
  if (options.help === true) {
    print(`${USAGE}\n`);
    return 0;
  }
  if (options.json !== undefined) claimFile(options.json);

  const dropsCaches = options['drop-caches'];
  if (dropsCaches) claimCaches();
  const where = environment();
  print(`lastword ${where.commit}, Node ${where.node}, ${where.system}\n`
    + `${where.cpu}, ${where.cores} cores, ${bytesText(where.memoryBytes)}, load ${where.load.toFixed(2)}, ${where.fileSystem}\n`
    + `seed ${seed}\n`);
  const begin = performance.now();
  const results: Results = {};
  for (const name of SCENARIO_NAMES) {
    if (options.only?.includes(name) ?? true) Object.assign(results, { [name]: await SCENARIOS[name]({ ...(options.quick ? QUICK : FULL), dropsCaches }, seed, print) });
  }
  const seconds = (performance.now() - begin) / 1000;
  const targets = targetsOf(results, where.node);
  if (targets.length > 0) print(`\nTargets (* must hold)\n${targetsTable(targets)}`);
  print(`\n${whole(seconds)} s\n`);
  if (options.json !== undefined) {
    writeFileSync(options.json, textOf({ environment: where, seed, quick: options.quick, dropsCaches, seconds, ...results }));
  }
  return 0;
}

/** A line for each scenario. */
function textOf(outcome: Outcome): string {
  const rounded = (_name: string, value: unknown): unknown => (typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(DIGITS)) : value);
  return `{\n${Object.entries(outcome).map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value, rounded)}`).join(',\n')}\n}\n`;
}

/** Whether it may, before anything is measured. */
function claimCaches(): void {
  try {
    dropPageCache();
  } catch (error) {
    throw new UsageError(`--drop-caches: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Now, not after two minutes of work. */
function claimFile(path: string): void {
  try {
    writeFileSync(path, '');
  } catch (error) {
    throw new UsageError(`--json: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function print(text: string): void {
  process.stdout.write(text);
}

await runProgram(USAGE, main);
