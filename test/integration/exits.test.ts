/** Every way in which a process ends × how much waits for the writer then. `exits-faults` has the writers and disks that fail. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ENDS, scenarioOf, type End } from '../support/exits/kinds.js';
import { expectKept, lostOf, runHost, runProgram, type Burst, type Ended } from '../support/exits/run.js';
import { mutantPackage } from '../support/mutants.js';
import { randomFrom, SEED } from '../support/random.js';
import { recordsOf, temporaryFolder, upTo } from '../support/sidecars.js';

const RING_BYTES = 64 * 1024;
const OVERFLOW_BYTES = 64 * 1024;
const FRAME_HEADER_BYTES = 32;
/** Of each item, at least. */
const TEXT_BYTES = 200;

/** What waits when the process ends, and the bytes in ring and overflow that prove it. */
const BURSTS: readonly { burst: Burst; name: string; isRigged: boolean; usedMin: number; isOfVariants: boolean }[] = [
  { burst: 'idle', name: 'idle', isRigged: true, usedMin: 0, isOfVariants: false },
  { burst: 'fits', name: 'a burst that fits the ring', isRigged: true, usedMin: 1, isOfVariants: false },
  { burst: 'spills', name: 'a burst that exceeds the ring', isRigged: true, usedMin: RING_BYTES, isOfVariants: true },
  { burst: 'flood', name: 'a burst that exceeds ring and overflow', isRigged: true, usedMin: 0, isOfVariants: false },
  { burst: 3000, name: 'a burst at full speed, the disk as it is', isRigged: false, usedMin: 0, isOfVariants: false },
];

describe.each(Object.entries(ENDS))('an end by %s', (name, end) => {
  test('P5: loses nothing and doubles nothing, with code, signal and both outputs as they would be without', async () => {
    const bare = runHost({ ...scenarioOf(name, end), isBare: true });
    const bursts = BURSTS.filter(({ isOfVariants }) => end.isVariant !== true || isOfVariants);
    const ended = await Promise.all(bursts.map(({ burst, isRigged }) => runHost({ ...scenarioOf(name, end, burst), isRigged })));
    for (const [which, burst] of bursts.entries()) {
      const one = ended[which] as Ended;
      expect(one, burst.name).toMatchObject({ code: end.code, signal: end.signal ?? null, isOverdue: false });
      expectOutputs(one, await bare, end, burst.name);
      await expectKept(one, burst.name);
      expect(one.told.used ?? 0, burst.name).toBeGreaterThanOrEqual(burst.usedMin);
      if (burst.burst === 'flood') expect(one.told.usedBeforeWaiting, burst.name).toBeGreaterThan((RING_BYTES + OVERFLOW_BYTES) * 0.9);
      if (name.includes('survives')) expect(one.told.isAlive, burst.name).toBe(true);
    }
  });
});

/** Of the process itself: what it prints without the library, and nothing else. */
function expectOutputs(one: Ended, bare: Ended, end: End, what: string): void {
  expect(bare, `${what}: the process without the library`).toMatchObject({ code: end.code, signal: end.signal ?? null });
  expect(one.stdout, what).toBe('the host was here\n');
  expect(bare.stdout, what).toBe(one.stdout);
  if (end.isOverflow && end.code !== 0) {
    expect(one.stderr, what).toMatch(/^RangeError: Maximum call stack size exceeded$/m);
    expect(one.stderr, what).not.toMatch(/lastword"|Warning/);
  } else {
    // Frames of Node itself differ by how many listeners there are.
    expect(linesOfHost(one.stderr), what).toBe(linesOfHost(bare.stderr));
  }
}

function linesOfHost(stderr: string): string {
  return stderr.replaceAll(/\(node:.*\)/g, '(node)');
}

test('P5, the control: a package that does not hear of the end loses items, whatever the end but close()', async () => {
  const { lastwordUrl } = mutantPackage({ file: 'src/exit/process-end.js', find: 'listeners.add(listener);', replace: '' });
  const ends = Object.entries(ENDS).filter(([name, { isVariant, signal }]) => name !== 'close()' && signal === undefined && isVariant !== true);
  const ended = await Promise.all(ends.map(([name, end]) => runHost({ ...scenarioOf(name, end), delayMs: 60, lastwordUrl })));
  for (const [which, [name]] of ends.entries()) expect(await lostOf(ended[which] as Ended), name).toBeGreaterThan(0);
});

describe('P5: an end while the sidecar is being opened', () => {
  const program = (body: string): string[] => {
    const options = { directory: temporaryFolder(), exitTimeoutMs: 600_000, closeTimeoutMs: 600_000 };
    return ['--input-type=module', '-e', `
      import { openSidecar } from 'lastword';
      import { writeSync } from 'node:fs';
      process.stdout.write('the host was here\\n');
      const options = ${JSON.stringify(options)};
      ${body}`];
  };
  const cases: readonly [string, number, string][] = [
    ['process.exit() in the tick of openSidecar()', 3, 'void openSidecar(options); process.exit(3);'],
    ['process.exit() one turn later', 3, 'void openSidecar(options); setImmediate(() => process.exit(3));'],
    ['process.exit() while the writer starts', 3, "process.once('worker', () => process.exit(3)); await openSidecar(options);"],
    ['process.exit() when the writer has started', 3, "process.once('worker', (worker) => worker.once('online', () => process.exit(3))); await openSidecar(options);"],
    ['process.exit() right after openSidecar()', 3, 'await openSidecar(options); process.exit(3);'],
    ['process.exit() while a thread is being created', 3, 'const sidecar = await openSidecar(options); void sidecar.createThread(); process.exit(3);'],
    ['process.exit() in the tick of close()', 3, 'const sidecar = await openSidecar(options); await sidecar.createThread(); void sidecar.close(); process.exit(3);'],
    ['an uncaught exception in the tick of openSidecar()', 1, "void openSidecar(options); process.nextTick(() => { throw new Error('the host fails'); });"],
    ['the end of the loop', 0, 'void openSidecar(options);'],
    ['the end of the loop right after', 0, 'await openSidecar(options);'],
    ['the end of the loop behind a creation that nobody awaited', 0, 'void (await openSidecar(options)).createThread();'],
  ];
  test.each(cases)('%s: with its code, at once, and outputs as they are', async (_name, code, body) => {
    const ended = await runProgram(program(body));
    expect(ended).toMatchObject({ code, signal: null, isOverdue: false, stdout: 'the host was here\n' });
    if (code !== 1) expect(ended.stderr).toBe('');
  });

  test('an item appended in the tick in which the thread was created is kept', async () => {
    const { code, told } = await runProgram(program(`
      const sidecar = await openSidecar(options);
      const thread = await sidecar.createThread();
      thread.append({ type: 'event_msg', payload: { index: 0, text: '' } });
      writeSync(3, JSON.stringify({ paths: [thread.path], accepted: [thread.accepted] }) + '\\n');
      process.exit(3);`));
    expect(code).toBe(3);
    expect((await recordsOf(told.paths?.[0] ?? '')).map(({ ordinal }) => ordinal)).toEqual([0, 1]);
  });
});

describe('option signals', () => {
  test('P5: several at once: each closes, and the process ends by the one that came', async () => {
    const ended = await runHost({ end: 'signal', signal: 'SIGHUP', options: { signals: ['SIGTERM', 'SIGHUP', 'SIGINT'] }, delayMs: 50, sidecars: 2 });
    expect(ended).toMatchObject({ code: null, signal: 'SIGHUP', isOverdue: false, stderr: '' });
    await expectKept(ended, 'SIGHUP');
  });

  test('P5: a host that listens too is closed, and decides itself how it ends', async () => {
    const ended = await runHost({ end: 'signal that the host hears too', signal: 'SIGTERM', options: { signals: ['SIGTERM'] }, delayMs: 50 });
    expect(ended).toMatchObject({ code: 5, signal: null, isOverdue: false, stderr: '' });
    await expectKept(ended, 'SIGTERM');
  });

  test('P5: a sidecar without it, in a process that ends by a signal which another one asked for, is drained', async () => {
    const ended = await runHost({
      end: 'signal', signal: 'SIGTERM', options: { signals: ['SIGTERM'] }, isFirstOnlySignalled: true, delayMs: 50, burst: 'flood', sidecars: 2,
    });
    expect(ended).toMatchObject({ code: null, signal: 'SIGTERM', isOverdue: false, stderr: '' });
    await expectKept(ended, 'SIGTERM of the other');
  });

  test('P5: a second signal ends the process at once, drained', async () => {
    const ended = await runHost({ end: 'signal that comes twice', signal: 'SIGTERM', options: { signals: ['SIGTERM'] }, delayMs: 100 });
    expect(ended).toMatchObject({ code: null, signal: 'SIGTERM', isOverdue: false, stderr: '' });
    await expectKept(ended, 'SIGTERM, twice');
  });

  test('P5, the control: a package that raises the signal before it has closed loses items', async () => {
    const { lastwordUrl } = mutantPackage({ file: 'src/exit/signals.js', find: 'heard.map((listener) => listener.close())', replace: '[]' });
    // Without the drain of the exit, which would make up for it.
    const ended = await runHost({ end: 'signal', signal: 'SIGTERM', options: { signals: ['SIGTERM'], exitTimeoutMs: 0 }, delayMs: 300, lastwordUrl });
    expect(ended.signal).toBe('SIGTERM');
    expect(await lostOf(ended)).toBeGreaterThan(0);
  });
});

describe('P6: a signal that nobody hears', () => {
  test('ends the process as ever, and loses what was in ring and overflow and nothing before', async () => {
    const ended = await runHost({ end: 'signal', signal: 'SIGTERM', burst: 'spills', isFlushedFirst: true, isGateKept: true });
    expect(ended).toMatchObject({ code: null, signal: 'SIGTERM', stderr: '' });
    const { paths = [], written = [], accepted = [], used = 0 } = ended.told;
    expect(used).toBeGreaterThan(RING_BYTES);
    for (const [which, path] of paths.entries()) {
      expect((await recordsOf(path)).map(({ ordinal }) => ordinal)).toEqual(upTo(written[which] ?? -1));
      expect(accepted[which]).toBeGreaterThan(written[which] ?? 0);
    }
  });

  /** What the host was told is accepted and its files do not hold, in bytes of frames at least. */
  async function missingBytes({ told: { paths = [], accepted = [] } }: Ended): Promise<number> {
    let missing = 0;
    for (const [which, path] of paths.entries()) {
      const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
      expect(lines.map((line) => (JSON.parse(line) as { ordinal: number }).ordinal), `thread ${which}`).toEqual(upTo(lines.length));
      missing += Math.max(0, (accepted[which] ?? 0) - lines.length);
    }
    return missing * (FRAME_HEADER_BYTES + TEXT_BYTES);
  }

  test.each([1, 2, 3])('at any moment (%i): the files are whole lines and a torn end at most, and what is missing is not more than ring and overflow hold', async (round) => {
    const next = randomFrom(SEED + round);
    const load = next(2) === 0 ? { burst: 1 + next(3000), isRigged: false } : { burst: 'flood' as const, delayMs: next(4) };
    const ended = await runHost({ end: 'appends for ever', signal: next(2) === 0 ? 'SIGTERM' : 'SIGKILL', ...load });
    expect(ended.signal).toMatch(/^SIG(TERM|KILL)$/);
    expect(await missingBytes(ended)).toBeLessThanOrEqual(RING_BYTES + OVERFLOW_BYTES);
  });

  test('the control: a writer that keeps lines back and lets go of their frames loses more', async () => {
    const { writerUrl } = mutantPackage(
      { file: 'worker/group-output.js', find: 'file.append(fs, this.descriptor, this.#memory.bytes, OUTPUT_OFFSET, length);', replace: '' },
      { file: 'worker/writer.js', find: 'if (file.isUncut(state.size))\n            file.cutBack(fs, descriptor);\n        else if (!file.isUntouched(state) && !isInPlace(file))\n            return false;', replace: '' },
    );
    const ended = await runHost({ end: 'appends for ever', signal: 'SIGTERM', burst: 'flood', writerUrl });
    expect(await missingBytes(ended)).toBeGreaterThan(RING_BYTES + OVERFLOW_BYTES);
  });
});

test('P5: an item that takes the overflow alone is written before the process ends, and those behind it', async () => {
  const options = { ringBytes: 64 * 1024, overflowBytes: 32 * 1024 * 1024 };
  const ended = await Promise.all(['process.exit()', 'uncaught exception'].map((end) => runHost({ end, burst: 'large', isRigged: false, options })));
  for (const one of ended) await expectKept(one, 'large');
});

test('P5: a host that runs in a worker: the end of the worker drains too', async () => {
  const options = { directory: temporaryFolder(), exitTimeoutMs: 600_000 };
  const { told, ...ended } = await runProgram(['--input-type=module', '-e', `
    import { Worker } from 'node:worker_threads';
    const host = async () => {
      const { openSidecar } = await import('lastword');
      const { writeSync } = await import('node:fs');
      const sidecar = await openSidecar(${JSON.stringify(options)});
      const thread = await sidecar.createThread();
      for (let index = 0; index < 1000; index += 1) thread.append({ type: 'event_msg', payload: { index, text: 'x'.repeat(200) } });
      writeSync(3, JSON.stringify({ paths: [thread.path], accepted: [thread.accepted] }) + '\\n');
      process.exit(3);
    };
    new Worker('(' + host + ')()', { eval: true }).on('exit', (code) => { process.exitCode = code + 10; });`]);
  expect(ended).toMatchObject({ code: 13, isOverdue: false, stderr: '' });
  await expectKept({ told, ...ended }, 'worker');
});

test('P5: the last drain lets go of the leases, so that the next process has the threads at once', async () => {
  const directory = temporaryFolder();
  const ended = await runHost({ end: 'process.exit()', burst: 'spills', options: { directory } });
  expect(ended.code).toBe(3);
  expect(readdirSync(join(directory, 'locks'))).toEqual([]);
  // The control: a death that nobody hears leaves them.
  const killed = await runHost({ end: 'signal', signal: 'SIGTERM', options: { directory } });
  expect(killed.signal).toBe('SIGTERM');
  expect(readdirSync(join(directory, 'locks')).filter((name) => name.endsWith('.lock'))).toHaveLength(2);
});
