import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Prng } from './prng.js';

const DAY_MS = 86_400_000;
const FIRST_MS = Date.UTC(2026, 0, 1);
/** Threads a day: a busy host. */
const THREADS_PER_DAY = 1000;
const FOLDERS = 100;

/** Small rollouts as Codex lays them out, a header and some lines each, over as many days as it takes. */
export function plantRollouts(directory: string, count: number, seed: number): void {
  const prng = new Prng(seed);
  const filler = 'x'.repeat(400);
  for (let index = 0; index < count; index += 1) {
    const timeMs = FIRST_MS + Math.floor(index * (DAY_MS / THREADS_PER_DAY));
    const time = new Date(timeMs).toISOString();
    const folder = join(directory, 'sessions', ...time.slice(0, 10).split('-'));
    if (index % THREADS_PER_DAY === 0) mkdirSync(folder, { recursive: true });
    const id = idOf(timeMs, index);
    const line = (ordinal: number, type: string, payload: object): string => `${JSON.stringify({ timestamp: time, ordinal, type, payload })}\n`;
    const text = line(0, 'session_meta', { id, timestamp: time, cwd: `/work/${prng.below(FOLDERS)}`, originator: 'bench', cli_version: '0', base_instructions: filler, history_mode: 'paginated' })
      + line(1, 'event_msg', { type: 'user_message', message: `do number ${index}` })
      + line(2, 'response_item', { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: filler.slice(prng.below(400)) }] });
    writeFileSync(join(folder, `rollout-${time.slice(0, 19).replaceAll(':', '-')}-${id}.jsonl`), text);
  }
}

function idOf(timeMs: number, index: number): string {
  const time = timeMs.toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${index.toString(16).padStart(12, '0')}`;
}
