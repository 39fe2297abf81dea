/** `test/fuzz` at a larger scale. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { SEED } from '../support/random.js';
import { temporaryFolder } from '../support/sidecars.js';
import { counted } from '../support/trials.js';

const CASES = 60_000;
const PROCESSES = 2;
const HEAP_MB = 64;
const RSS_BYTES_MAX = 400e6;
const RUN = fileURLToPath(new URL('../fuzz/run.mjs', import.meta.url));

test(`P8 P18: ${CASES} files with damage of every kind are read, verified and continued, in little memory`, async ({ task }) => {
  counted(task, CASES);
  const each = CASES / PROCESSES;
  const runs = await Promise.all(Array.from({ length: PROCESSES }, async (_, index) => {
    const args = [`--max-old-space-size=${HEAP_MB}`, RUN, temporaryFolder(), String(SEED + index * each), String(each), 'lastword'];
    return JSON.parse((await promisify(execFile)(process.execPath, args)).stdout) as { maxRssBytes: number };
  }));
  for (const { maxRssBytes } of runs) expect(maxRssBytes).toBeLessThan(RSS_BYTES_MAX);
});
