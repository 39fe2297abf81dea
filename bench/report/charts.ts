import { bytesText, figure, whole } from '../format.js';
import { OURS } from '../peers/all.js';
import { BAR_ENDS, type LatencyRow } from '../scenarios/host.js';
import type { LifecycleRow } from '../scenarios/lifecycle.js';
import { cellTitle, type CellResult, type Row } from '../scenarios/sustained.js';
import { Drawing } from './drawing.js';

const OUR_COLOR = '#d9480f';
const PEER_COLOR = '#74a0c8';
const LIMIT_COLOR = '#c8c8c8';
const LINE_COLORS = ['#1f77b4', '#2ca02c', '#9467bd', '#8c564b', '#e377c2', '#7f7f7f', '#bcbd22', '#17becf', '#1a55a0', '#5fa052', '#b07aa1', '#9c755f'];

interface Bar { readonly name: string; readonly value: number; readonly text: string; readonly color: string }
interface Panel { readonly title: string; readonly bars: readonly Bar[] }

const COLUMN_PX = 500;
const NAMES_PX = 190;
const VALUES_PX = 90;
const BAR_PX = 16;
const TITLE_PX = 34;

/** Panels of horizontal bars, two side by side, each with a scale of its own that ends at its longest bar. */
function panels(title: string, all: readonly Panel[]): string {
  const heightOf = (panel: Panel | undefined): number => (panel === undefined ? 0 : TITLE_PX + panel.bars.length * BAR_PX + 14);
  const rows: (readonly Panel[])[] = [];
  for (let index = 0; index < all.length; index += 2) rows.push(all.slice(index, index + 2));
  const heights = rows.map(([left, right]) => Math.max(heightOf(left), heightOf(right)));
  const drawing = new Drawing(2 * COLUMN_PX, heights.reduce((sum, height) => sum + height, 40));
  drawing.text(16, 26, title, { size: 16, weight: 'bold' });
  let top = 40;
  for (const [index, row] of rows.entries()) {
    for (const [column, panel] of row.entries()) drawPanel(drawing, panel, column * COLUMN_PX, top);
    top += heights[index] ?? 0;
  }
  return drawing.toString();
}

function drawPanel(drawing: Drawing, { title, bars }: Panel, left: number, top: number): void {
  drawing.text(left + 16, top + 20, title, { size: 13, weight: 'bold' });
  const most = Math.max(...bars.map(({ value }) => value).filter(Number.isFinite), Number.MIN_VALUE);
  for (const [index, { name, value, text, color }] of bars.entries()) {
    const y = top + TITLE_PX + index * BAR_PX;
    const width = Number.isFinite(value) ? (value / most) * (COLUMN_PX - NAMES_PX - VALUES_PX) : 0;
    drawing.text(left + NAMES_PX - 6, y + 11, name, { anchor: 'end', size: 11, weight: name === OURS ? 'bold' : 'normal' });
    drawing.bar(left + NAMES_PX, y + 1, width, BAR_PX - 4, color);
    drawing.text(left + NAMES_PX + width + 4, y + 11, text, { size: 10 });
  }
}

const colorOf = ({ name, kind }: Pick<Row, 'name' | 'kind'>): string =>
  (name === OURS ? OUR_COLOR : kind === 'limit' ? LIMIT_COLOR : PEER_COLOR);

/** The limit writes ready bytes and would make every other bar a dot; it is cut at the longest of the others. */
export function throughputChart(cells: readonly CellResult[]): string {
  return panels('Items per second until written, 100 threads, by size', cells.map(({ cell, rows }) => {
    const most = Math.max(...rows.filter(({ kind }) => kind !== 'limit').map(({ itemsPerSecond }) => itemsPerSecond).filter(Number.isFinite));
    return {
      title: cellTitle(cell),
      bars: rows.filter(({ unavailable }) => unavailable === undefined).map((row) => ({
        name: row.name, color: colorOf(row), value: Math.min(row.itemsPerSecond, most),
        text: `${row.itemsPerSecond > most ? '→ ' : ''}${whole(row.itemsPerSecond)}`,
      })),
    };
  }));
}

const PLOT = { left: 70, top: 60, width: 620, height: 360 } as const;

/** Microseconds per item over the number of threads; both scales are logarithmic. */
export function threadsChart(cells: readonly CellResult[]): string {
  const drawing = new Drawing(1000, PLOT.top + PLOT.height + 60);
  drawing.text(16, 26, 'Microseconds per item until written, by threads (520 B, bursts of 50; less is better)', { size: 16, weight: 'bold' });
  const names = cells[0]?.rows.map(({ name }) => name) ?? [];
  const threads = cells.map(({ cell }) => cell.threads);
  const costs = cells.flatMap(({ rows }) => rows.map(({ itemsPerSecond }) => 1e6 / itemsPerSecond).filter(Number.isFinite));
  const [low, high] = [Math.floor(Math.log10(Math.min(...costs))), Math.ceil(Math.log10(Math.max(...costs)))];
  const last = Math.max(1, Math.log10(Math.max(...threads)));
  const x = (count: number): number => PLOT.left + (Math.log10(count) / last) * PLOT.width;
  const y = (us: number): number => PLOT.top + PLOT.height * (1 - (Math.log10(us) - low) / Math.max(1, high - low));
  for (let power = low; power <= high; power += 1) {
    drawing.line([[PLOT.left, y(10 ** power)], [PLOT.left + PLOT.width, y(10 ** power)]], '#ddd');
    drawing.text(PLOT.left - 8, y(10 ** power) + 4, `${10 ** power} µs`, { anchor: 'end' });
  }
  for (const count of threads) drawing.text(x(count), PLOT.top + PLOT.height + 22, whole(count), { anchor: 'middle' });
  drawing.text(PLOT.left + PLOT.width / 2, PLOT.top + PLOT.height + 44, 'threads', { anchor: 'middle' });
  let legend = PLOT.top + 8;
  for (const [index, name] of names.entries()) {
    const points = cells.flatMap(({ cell, rows }): [number, number][] => {
      const us = 1e6 / (rows.find((row) => row.name === name)?.itemsPerSecond ?? NaN);
      return Number.isFinite(us) ? [[x(cell.threads), y(us)]] : [];
    });
    if (points.length === 0) continue;
    const isLimit = cells[0]?.rows[index]?.kind === 'limit';
    const color = name === OURS ? OUR_COLOR : isLimit ? LIMIT_COLOR : LINE_COLORS[index % LINE_COLORS.length] ?? PEER_COLOR;
    drawing.line(points, color, name === OURS ? 4 : 1.5);
    drawing.line([[PLOT.left + PLOT.width + 30, legend], [PLOT.left + PLOT.width + 56, legend]], color, name === OURS ? 4 : 1.5);
    drawing.text(PLOT.left + PLOT.width + 64, legend + 4, name, { weight: name === OURS ? 'bold' : 'normal' });
    legend += 20;
  }
  return drawing.toString();
}

const STRIP_PX = 56;

/** One histogram below the other, on one logarithmic scale of time. */
export function latencyChart(rows: readonly LatencyRow[]): string {
  const there = rows.filter(({ unavailable }) => unavailable === undefined);
  const drawing = new Drawing(1000, 60 + there.length * STRIP_PX + 40);
  drawing.text(16, 26, 'From append() until written, one item of 1.1 kB at a time', { size: 16, weight: 'bold' });
  const width = 640 / BAR_ENDS.length;
  for (const [index, { name, bars, samples, p50, p99 }] of there.entries()) {
    const bottom = 40 + (index + 1) * STRIP_PX;
    const most = Math.max(...bars, 1);
    drawing.text(190, bottom - 8, name, { anchor: 'end', weight: name === OURS ? 'bold' : 'normal' });
    drawing.line([[200, bottom], [840, bottom]], '#999');
    for (const [bar, count] of bars.entries()) {
      const height = (count / most) * (STRIP_PX - 12);
      drawing.bar(200 + bar * width + 1, bottom - height, width - 2, count === 0 ? 0 : Math.max(1, height), name === OURS ? OUR_COLOR : PEER_COLOR);
    }
    drawing.text(850, bottom - 20, `p50 ${figure(p50 * 1000)} µs`, { size: 11 });
    drawing.text(850, bottom - 6, `p99 ${figure(p99 * 1000)} µs, of ${whole(samples)}`, { size: 11 });
  }
  const axis = 40 + there.length * STRIP_PX + 20;
  for (const [bar, end] of BAR_ENDS.entries()) {
    if (bar % 4 === 0) drawing.text(200 + (bar + 1) * width, axis, end >= 1 ? `${whole(end)} ms` : `${whole(end * 1000)} µs`, { anchor: 'middle', size: 11 });
  }
  return drawing.toString();
}

/** Peak memory of the whole process in the cells given; and what an idle thread holds. */
export function memoryChart(cells: readonly CellResult[], lifecycle: readonly LifecycleRow[]): string {
  const all: Panel[] = cells.map(({ cell, rows }) => ({
    title: `peak of the process, ${cellTitle(cell)}`,
    bars: rows.filter(({ kind, unavailable }) => kind !== 'limit' && unavailable === undefined)
      .map((row) => ({ name: row.name, value: row.peakBytes, text: bytesText(row.peakBytes), color: colorOf(row) })),
  }));
  if (lifecycle.length > 0) {
    all.push({
      title: `per idle thread, ${whole(lifecycle[0]?.threads ?? 0)} threads`,
      bars: lifecycle.flatMap((row) => ('unavailable' in row ? [] : [{
        name: row.name, value: Math.max(0, row.idleBytes), text: bytesText(Math.max(0, row.idleBytes)), color: row.name === OURS ? OUR_COLOR : PEER_COLOR,
      }])),
    });
  }
  return panels('Memory', all);
}
