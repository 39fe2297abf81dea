import { writeFileSync } from 'node:fs';
import { UsageError, parseOptions, runProgram, seedOf } from './cli.js';
import { environment } from './environment.js';
import { bytesText } from './format.js';
import { appendTable, runAppend, type AppendResult } from './scenarios/append.js';
import { runLists } from './scenarios/lists.js';
import { readingTable, runReading, type ReadingRow } from './scenarios/reading.js';
import { SIZES, THREADS, cellTable, runCells, type CellResult } from './scenarios/sustained.js';

const SCENARIOS = ['append', 'sustained', 'threads', 'reading', 'lists'] as const;
const QUICK = { appendRounds: 80, repetitions: 3 } as const;
const FULL = { appendRounds: 300, repetitions: 7 } as const;

const USAGE = `npm run bench -- [--quick] [--only <${SCENARIOS.join('|')}>] [--seed <number>] [--json <file>]
  --quick   fewer rounds; less than two minutes
  --only    one scenario
  --json    writes all figures, of every round too, to this file`;

interface Results { append?: AppendResult[]; sustained?: CellResult[]; threads?: CellResult[]; reading?: ReadingRow[]; lists?: ReadingRow[] }

async function main(): Promise<number> {
  const options = parseOptions({
    quick: { type: 'boolean' }, only: { type: 'string' }, seed: { type: 'string' }, json: { type: 'string' },
  });
  const scenarios = SCENARIOS.filter((scenario) => options.only === undefined || options.only === scenario);
  if (scenarios.length === 0) throw new UsageError(`--only takes one of ${SCENARIOS.join(', ')}, not '${options.only}'`);
  const seed = seedOf(options.seed);
  if (options.json !== undefined) claimFile(options.json);
  const { appendRounds, repetitions } = options.quick === true ? QUICK : FULL;

  const where = environment();
  print(`lastword ${where.commit}, Node ${where.node}, ${where.system}\n`
    + `${where.cpu}, ${where.cores} cores, ${bytesText(where.memoryBytes)}, load ${where.load.toFixed(2)}, ${where.fileSystem}\n`
    + `seed ${seed}\n`);

  const results: Results = {};
  if (scenarios.includes('append')) {
    print(`\nCost to the calling thread, per item (medians of ${appendRounds} alternating rounds)\n`);
    results.append = await runAppend(appendRounds, seed);
    print(appendTable(results.append));
  }
  if (scenarios.includes('sustained')) {
    print(`\nSustained until write() has returned for the last item (medians of ${repetitions} interleaved runs, after two to warm up)\n`);
    results.sustained = await runCells(SIZES, repetitions, seed, (result) => print(`\n${cellTable(result)}`));
  }
  if (scenarios.includes('threads')) {
    print(`\nThe same over more and more threads\n`);
    results.threads = await runCells(THREADS, repetitions, seed, (result) => print(`\n${cellTable(result)}`));
  }
  if (scenarios.includes('reading')) {
    print(`\nReading back (medians of ${repetitions} alternating rounds)\n`);
    results.reading = await runReading(repetitions, options.quick === true, seed);
    print(readingTable(results.reading));
  }
  if (scenarios.includes('lists')) {
    print(`\nLists (medians of ${repetitions} rounds, each of fresh processes)\n`);
    results.lists = await runLists(repetitions, options.quick === true, seed);
    print(readingTable(results.lists));
  }
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify({ environment: where, seed, quick: options.quick === true, ...results }, null, 2)}\n`);
  }
  return 0;
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
