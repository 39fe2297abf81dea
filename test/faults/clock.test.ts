/** A wall clock that is set while a host appends: years ahead, years back. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, type TestContext } from 'vitest';
import { complaintsAfterCrash } from '../support/crash/check.js';
import { startHost } from '../support/crash/run.js';
import { mutantWriter } from '../support/mutants.js';
import { recordsOf, temporaryFolder } from '../support/sidecars.js';
import { within } from '../support/steps.js';
import { counted } from '../support/trials.js';

const LIBRARY = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';
const ITEMS = 400;
const TRIALS = 5;
/** One after the other, while the host appends. */
const TIMES = ['@2036-01-01 00:00:00', '@2010-01-01 00:00:00', '@2026-06-01 12:00:00', '@1999-12-31 23:59:59'];

function skipUnlessThere({ skip }: TestContext): void {
  if (!existsSync(LIBRARY)) skip('no libfaketime');
  const { status } = spawnSync(process.execPath, ['-e', '0'], { env: { LD_PRELOAD: LIBRARY, FAKETIME: '@2030-01-01 00:00:00', FAKETIME_DONT_FAKE_MONOTONIC: '1' } });
  if (status !== 0) skip('libfaketime does not work here');
}

/** The records of hosts that went through these times. */
async function timestampsAfter(seed: number, writerUrl?: string): Promise<{ complaints: string[]; timestamps: string[] }> {
  const folder = temporaryFolder();
  const clock = join(folder, 'time');
  const directory = join(folder, 'root');
  writeFileSync(clock, '@2026-01-01 00:00:00');
  const host = startHost(
    { directory, seed, threads: 1, shape: 'paced', itemBytes: 100, flushEach: 4, durability: 'written', itemsMax: ITEMS, options: { syncIntervalMs: 10 }, writerUrl },
    [], { LD_PRELOAD: LIBRARY, FAKETIME_TIMESTAMP_FILE: clock, FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' },
  );
  await host.ready;
  for (const time of TIMES) {
    const before = host.told.accepted[0] ?? 0;
    writeFileSync(clock, time);
    // Each time holds for some items.
    while (!host.told.isClosed && (host.told.accepted[0] ?? 0) < before + ITEMS / 8) await new Promise((resolve) => { setImmediate(resolve); });
  }
  const { told } = await within(host.ended, 'the end of a host whose clock was set');
  const [path = ''] = told.paths;
  const complaints = await complaintsAfterCrash(directory, { told, level: 'written' });
  if (!told.isClosed) complaints.push('the host did not close');
  const isWhole = readFileSync(path, 'utf8').endsWith('\n');
  return { complaints, timestamps: isWhole ? (await recordsOf(path)).map(({ timestamp }) => timestamp) : [] };
}

test('P19: a clock that goes years ahead and back changes no order, and no flush or close waits for it', async (context) => {
  skipUnlessThere(context);
  counted(context.task, TRIALS);
  for (let trial = 0; trial < TRIALS; trial += 1) {
    const { complaints, timestamps } = await timestampsAfter(trial);
    expect(complaints).toEqual([]);
    expect(timestamps.length).toBeGreaterThan(ITEMS);
    // The control of the fault: the clock did go back.
    expect(timestamps.some((time, place) => time < (timestamps[place - 1] ?? ''))).toBe(true);
    expect(new Set(timestamps.map((time) => time.slice(0, 4))).size).toBeGreaterThan(2);
  }
});

test('P19, the control: a writer that takes what is older than the record before for written', async (context) => {
  skipUnlessThere(context);
  const { href } = mutantWriter({
    file: 'worker/writer.js', find: 'const expected = file.written + output.items;',
    replace: 'if (groups.timestampMs < (file.latest ?? 0)) continue;\n                file.latest = groups.timestampMs;\n                const expected = file.written + output.items;',
  });
  const { complaints } = await timestampsAfter(0, href);
  expect(complaints).not.toEqual([]);
});
