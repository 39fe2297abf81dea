import { table, figure, whole } from './format.js';
import { OURS } from './peers/all.js';
import type { Results } from './scenarios/all.js';
import { appendTarget } from './scenarios/append.js';
import { IDLE_BYTES_MAX } from './scenarios/lifecycle.js';
import { BARE, BARE_SHARE, cellTitle, type CellResult } from './scenarios/sustained.js';

/** One row of the table of targets. */
export interface Target {
  readonly figure: string;
  readonly target: string;
  readonly reached: string;
  readonly isMet: boolean;
  /** One that must hold. */
  readonly isBold: boolean;
}

/** Live threads that the fan-out is compared with, and how much dearer an item may be. */
const FAN_OUT = { few: 100, many: 10_000, times: 2 } as const;

/** What was wanted and what was reached, for every scenario that ran. */
export function targetsOf(results: Results, node: string): Target[] {
  return [
    ...(results.append ?? []).flatMap(({ load, ratio }) => {
      const target = appendTarget(load, node);
      return target === undefined ? [] : [{
        figure: `append(), ${load}, of JSON.stringify`, target: `≤ ${target} ×`, reached: `${figure(ratio)} ×`, isMet: ratio <= target, isBold: true,
      }];
    }),
    ...(results.sustained ?? []).flatMap(sustainedTarget),
    ...fanOutTarget(results.threads ?? []),
    ...(results.lifecycle ?? []).flatMap((row) => (row.name !== OURS || 'unavailable' in row ? [] : [{
      figure: `memory per idle thread, ${whole(row.threads)} threads`, target: `≤ ${whole(IDLE_BYTES_MAX)} B`, reached: `${whole(row.idleBytes)} B`,
      isMet: row.idleBytes <= IDLE_BYTES_MAX, isBold: false,
    }])),
    ...(results.loop ?? []).flatMap(({ name, added }) => (name !== OURS ? [] : [{
      figure: 'delay added to the event loop, p99', target: '≤ 1 ms', reached: `${figure(added.p99)} ms`, isMet: added.p99 <= 1, isBold: false,
    }])),
    ...(results.latency ?? []).flatMap(({ name, p99 }) => (name !== OURS ? [] : [{
      figure: 'append to written, idle, p99', target: '< 1 ms', reached: `${figure(p99)} ms`, isMet: p99 < 1, isBold: true,
    }])),
    ...(results.synced ?? []).map(({ dirty, ratio, target }) => ({
      figure: `synced, ${whole(dirty)} ${dirty === 1 ? 'thread' : 'threads'}, of bare fdatasync()`, target: `≤ ${target} ×`, reached: `${figure(ratio)} ×`,
      isMet: ratio <= target, isBold: false,
    })),
    ...[...results.reading ?? [], ...results.lists ?? [], ...results.jobs ?? []].flatMap(({ what, ours, beside, target }) => {
      const [, wanted, verdict] = /^(.*) (met|MISSED)$/.exec(target) ?? [];
      const ratio = /: ([\d.,]+ ×)$/.exec(beside)?.[1];
      return wanted === undefined ? [] : [{
        figure: what, target: wanted, reached: wanted.endsWith('×') && ratio !== undefined ? ratio : ours, isMet: verdict === 'met',
        isBold: what.startsWith('resume view') || what.startsWith('newest'),
      }];
    }),
  ];
}

function sustainedTarget({ cell, rows, target, ratioToBestPeer, bestPeer }: CellResult): Target[] {
  const ours = rows.find(({ name }) => name === OURS)?.itemsPerSecond ?? NaN;
  if (target === undefined || cell.times === undefined) return [];
  const bare = rows.find(({ name }) => name === BARE)?.itemsPerSecond ?? NaN;
  return [{
    figure: `sustained, ${cellTitle(cell)}, of the best peer`, target: `≥ ${cell.times} ×, or ${BARE_SHARE} × bare write()`,
    reached: `${figure(ratioToBestPeer)} × ${bestPeer}, ${figure(ours / bare)} × bare`, isMet: ours >= target, isBold: true,
  }];
}

function fanOutTarget(cells: readonly CellResult[]): Target[] {
  const costOf = (threads: number): number | undefined => {
    const row = cells.find(({ cell }) => cell.threads === threads)?.rows.find(({ name }) => name === OURS);
    return row === undefined ? undefined : 1 / row.itemsPerSecond;
  };
  const [few, many] = [costOf(FAN_OUT.few), costOf(FAN_OUT.many)];
  if (few === undefined || many === undefined) return [];
  return [{
    figure: `cost of an item at ${whole(FAN_OUT.many)} threads, of that at ${FAN_OUT.few}`, target: `≤ ${FAN_OUT.times} ×`,
    reached: `${figure(many / few)} ×`, isMet: many / few <= FAN_OUT.times, isBold: false,
  }];
}

export function targetsTable(targets: readonly Target[]): string {
  return table([['', 'target', 'reached', ''], ...targets.map(({ figure: what, target, reached, isMet, isBold }) =>
    [`${isBold ? '*' : ' '} ${what}`, target, reached, isMet ? 'met' : 'MISSED'])]);
}
