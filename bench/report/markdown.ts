import { bytesText, figure, whole } from '../format.js';
import type { Outcome } from '../run.js';
import { appendTable } from '../scenarios/append.js';
import { latencyTable, loopTable } from '../scenarios/host.js';
import { lifecycleTable } from '../scenarios/lifecycle.js';
import { readingTable } from '../scenarios/reading.js';
import { cellTable, type CellResult } from '../scenarios/sustained.js';
import { syncedTable } from '../scenarios/synced.js';
import { targetsOf, type Target } from '../targets.js';
import { latencyChart, memoryChart, threadsChart, throughputChart } from './charts.js';

/** A committed result: its file's name without `.json`. */
export interface Committed { readonly stem: string; readonly outcome: Outcome }

/** By file name. */
export type Files = Map<string, string>;

const INTRO = `# Results

Made by \`npm run bench:report\` from the JSON files beside it, which \`npm run bench -- --json <file>\` wrote; not to be edited.
[docs/performance.md](../../docs/performance.md) says what is measured and how.
Every figure is to be read beside the others of its run: machines differ, and shared ones are noisy.

`;

/** README.md and its charts. */
export function reportOf(all: readonly Committed[]): Files {
  const files: Files = new Map();
  const sections = all.map((each) => section(each, files));
  files.set('README.md', `${INTRO}${runsTable(all)}\n## Targets\n\nBold: must hold.\n\n${targetsByRun(all)}\n${sections.join('\n')}`);
  return files;
}

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`;
const grid = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  row(head) + row(head.map(() => '---')) + rows.map(row).join('');

function runsTable(all: readonly Committed[]): string {
  return grid(['run', 'commit', 'Node', 'machine', 'file system', 'load before', 'seed', 'took'], all.map(({ stem, outcome: { environment: on, seed, quick, dropsCaches, seconds } }) => [
    `[${stem}](${stem}.json)${quick ? ', quick' : ''}`, on.commit, on.node, `${on.cpu}, ${on.cores} cores, ${bytesText(on.memoryBytes)}, ${on.system}`,
    `${on.fileSystem}${dropsCaches ? ', page cache dropped before each run' : ''}`, figure(on.load), String(seed), `${whole(seconds)} s`,
  ]));
}

/** What stands between the two comments in a document that shows the targets. */
const PLACE = /(?<=<!-- targets -->\n)[^]*?(?=<!-- end of targets -->)/;

/** The document with the table of targets as it is now. */
export function withTargets(document: string, all: readonly Committed[]): string {
  if (!PLACE.test(document)) throw new Error('the document has no place for targets');
  return document.replace(PLACE, () => `\n${targetsByRun(all)}\n`);
}

function targetsByRun(every: readonly Committed[]): string {
  // Some have scenarios without one.
  const all = every.map(({ stem, outcome }) => ({ stem, targets: targetsOf(outcome, outcome.environment.node) })).filter(({ targets }) => targets.length > 0);
  const byRun = all.map(({ targets }) => targets);
  const order = new Map<string, Target>();
  for (const target of byRun.flat()) if (!order.has(target.figure)) order.set(target.figure, target);
  // Some targets are other ones on later lines of Node.
  const cell = (reached: Target | undefined, target: string): string =>
    (reached === undefined ? '–' : `${reached.reached}${reached.target === target ? '' : ` (${reached.target})`}, ${reached.isMet ? 'met' : '**missed**'}`);
  return grid(['', 'target', ...all.map(({ stem }) => stem)], [...order.values()].map(({ figure: what, target, isBold }) => [
    isBold ? `**${what}**` : what, target, ...byRun.map((targets) => cell(targets.find((each) => each.figure === what), target)),
  ]));
}

function section({ stem, outcome }: Committed, files: Files): string {
  const { append, sustained, threads, latency, loop, synced, lifecycle, reading, lists, producers, jobs } = outcome;
  const parts: string[] = [`## ${stem}\n`];
  const chart = (name: string, alt: string, svg: string): void => {
    files.set(`${stem}-${name}.svg`, svg);
    parts.push(`![${alt}](${stem}-${name}.svg)\n`);
  };
  const block = (title: string, text: string): void => { parts.push(`### ${title}\n\n\`\`\`text\n${text}\`\`\`\n`); };
  const cells = (results: readonly CellResult[]): string => results.map(cellTable).join('\n');
  if (append !== undefined) block('Cost to the calling thread', appendTable(append, outcome.environment.node));
  if (sustained !== undefined) {
    chart('throughput', 'items per second by size', throughputChart(sustained));
    block('Sustained, by size', cells(sustained));
  }
  if (threads !== undefined) {
    chart('threads', 'cost by threads', threadsChart(threads));
    block('Sustained, by threads', cells(threads));
  }
  if (latency !== undefined) {
    chart('latency', 'histograms of latency', latencyChart(latency));
    block('Latency when idle', latencyTable(latency));
  }
  if (loop !== undefined) block('Delay of the event loop under full load', loopTable(loop));
  if (synced !== undefined) block('Group commit', syncedTable(synced));
  if (sustained !== undefined || lifecycle !== undefined) {
    const shown = [sustained?.find(({ cell }) => cell.load === '1.1 kB'), sustained?.find(({ cell }) => cell.load === 'mix'), threads?.at(-1)];
    chart('memory', 'memory', memoryChart(shown.filter((each) => each !== undefined), lifecycle ?? []));
  }
  if (lifecycle !== undefined) block('Threads', lifecycleTable(lifecycle));
  if (reading !== undefined) block('Reading back', readingTable(reading));
  if (lists !== undefined) block('Lists', readingTable(lists));
  if (producers !== undefined) block('Agents in other JavaScript threads', readingTable(producers));
  if (jobs !== undefined) block('Jobs', readingTable(jobs));
  return parts.join('\n');
}
