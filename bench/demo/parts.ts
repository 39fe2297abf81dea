/** What the fleet plays: real rollouts, or ones made in their shapes. */
import type { RolloutItem } from 'lastword';
import { UsageError } from '../cli.js';
import { bytesText, whole } from '../format.js';
import { loadCorpus, type Corpus } from '../load/corpus.js';
import { ShapeSource, lineBytes } from '../load/shapes.js';
import type { Part } from './agent.js';

const DEFAULT_BYTES = 96e6;
/** A generated rollout: at most the median of real ones, less in a large fleet. */
const LINES_MAX = 320;
const LINES_MIN = 20;
const LINE_BYTES_MEAN = 2100;

/** One part for each agent, with a text that says where they come from and what was left out. */
export interface Load { readonly parts: readonly Part[]; readonly text: string }

/** @throws UsageError when an input cannot be used */
export function realLoad(inputs: readonly string[], agents: number, repeat: number | undefined): Load {
  const corpus = readCorpus(inputs, agents);
  const text = `${whole(corpus.files.length)} real rollouts, ${whole(corpus.items)} items, ${bytesText(corpus.bytes)}`
    + ` from ${inputs.join(', ')}\n${leftOutText(corpus)}`;
  const rollouts = Array.from({ length: agents }, (_none, index) => corpus.files[index % corpus.files.length]?.items ?? []);
  return { text, parts: repeated(rollouts, repeat) };
}

export function generatedLoad(agents: number, seed: number, repeat: number | undefined): Load {
  const lines = Math.round(Math.min(LINES_MAX, Math.max(LINES_MIN, DEFAULT_BYTES / agents / LINE_BYTES_MEAN)));
  const text = `${whole(agents)} rollouts of ${lines} lines, generated in the shapes of real ones (--input plays real ones)\n`;
  const rollouts = Array.from({ length: agents }, (_none, index) => new ShapeSource(seed + index).rolloutItems(lines));
  return { text, parts: repeated(rollouts, repeat) };
}

function readCorpus(inputs: readonly string[], files: number): Corpus {
  try {
    const corpus = loadCorpus(inputs, files);
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

/** So often that there is something to measure, unless the user says how often. */
function repeated(rollouts: readonly (readonly RolloutItem[])[], repeat: number | undefined): Part[] {
  const bytes = rollouts.reduce((sum, items) => sum + bytesOf(items), 0);
  const times = repeat ?? Math.max(1, Math.round(DEFAULT_BYTES / bytes));
  return rollouts.map((items) => ({ items, count: items.length * times }));
}

const measured = new WeakMap<readonly RolloutItem[], number>();   // many agents may play one rollout

function bytesOf(items: readonly RolloutItem[]): number {
  const bytes = measured.get(items) ?? items.reduce((sum, item) => sum + lineBytes(item), 0);
  measured.set(items, bytes);
  return bytes;
}
