/** The command line beside live hosts: what is followed, what is repaired, and what is refused. */
import { once } from 'node:events';
import { appendFileSync, copyFileSync, existsSync, readdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { verifyRollout, type RolloutRecord, type Sidecar, type Thread } from 'lastword';
import { runJob, type Job } from 'lastword/jobs';
import { describe, expect, test } from 'vitest';
import { plantRollouts } from '../../bench/load/rollouts.js';
import { jobLogPath } from '../../src/rollout/rollout-path.js';
import { lastword, lastwordJson, mutantCommand, startLastword } from '../support/command-line.js';
import { unlookingWriter } from '../support/mutants.js';
import { secondProcess } from '../support/second-process.js';
import { numbered, openTestSidecar, recordsOf, temporaryFolder, upTo } from '../support/sidecars.js';
import { deferred, within } from '../support/steps.js';

const TORN = '{"timestamp":"2026-11-21T02:35:23.058Z","ordinal":11,"ty';

/** Ten items behind the header. Its writer does not look at what others do to the file. */
async function openThread(): Promise<{ sidecar: Sidecar; thread: Thread }> {
  const sidecar = await openTestSidecar({ writerUrl: unlookingWriter() });
  const thread = await sidecar.createThread();
  thread.appendAll(upTo(10).map(numbered));
  await thread.flush();
  return { sidecar, thread };
}

/** A thread that nobody has open, with half a record at its end. */
async function tornThread(): Promise<{ sidecar: Sidecar; thread: Thread; whole: Buffer }> {
  const { sidecar, thread } = await openThread();
  await thread.close();
  const whole = readFileSync(thread.path);
  appendFileSync(thread.path, TORN);
  return { sidecar, thread, whole };
}

/** A job at work on its only item, whose log is five records. */
async function runningJob(): Promise<{ directory: string; job: Job<unknown>; path: string }> {
  const sidecar = await openTestSidecar({ writerUrl: unlookingWriter() });
  const isAtWork = deferred();
  const job = await runJob(sidecar, {
    rows: [{ question: 'six times seven' }],
    worker: () => { isAtWork.resolve(); return new Promise<never>(() => undefined); },
  });
  await within(isAtWork.promise, 'the worker');
  return { directory: sidecar.directory, job, path: jobLogPath(sidecar.directory, job.id) };
}

function filesIn(directory: string): Record<string, string> {
  const names = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  return Object.fromEntries(names.map((name) => [name, readFileSync(name, 'latin1')]));
}

describe('lastword tail', () => {
  test('shows the last ten records, or as many as are asked for', async () => {
    const { thread } = await openThread();
    const ordinals = (...args: string[]): number[] => lastwordJson<RolloutRecord>(['tail', thread.path, ...args]).map(({ ordinal }) => ordinal);
    expect(ordinals()).toEqual(upTo(11).slice(1));
    expect(ordinals('-n', '2')).toEqual([9, 10]);
    expect(ordinals('-n', '0')).toEqual([]);
  });

  test('with -f goes on with what is written, until nobody has the thread open', async () => {
    const { sidecar, thread } = await openThread();
    const child = startLastword(['tail', '-f', '-n', '1', '--json', '--dir', sidecar.directory, thread.id]);
    const ended = once(child, 'exit');
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const next = async (): Promise<number> => (JSON.parse((await within(lines.next(), 'the next line')).value as string) as RolloutRecord).ordinal;
    expect(await next()).toBe(10);
    for (const ordinal of [11, 12, 13]) {
      expect(thread.append(numbered(ordinal))).toBe(ordinal);
      expect(await next()).toBe(ordinal);
    }
    await thread.close();
    expect(await within(ended, 'the end of tail')).toEqual([0, null]);
    expect((await lines.next()).done).toBe(true);
  });

  test('ends with status 130, and without a word, when it is interrupted', async () => {
    const { thread } = await openThread();
    const child = startLastword(['tail', '-f', '--json', thread.path]);
    const [ended, stderr] = [once(child, 'exit'), child.stderr.setEncoding('utf8').toArray()];
    await within(once(child.stdout, 'data'), 'the first lines');
    child.kill('SIGINT');
    expect(await within(ended, 'the end of tail')).toEqual([130, null]);
    expect(await stderr).toEqual([]);
  });
});

test('a list that is interrupted ends with status 130, and without a word', async () => {
  const directory = temporaryFolder();
  plantRollouts(directory, 5_000, 7);
  const child = startLastword(['ls', directory]);
  const [ended, stderr] = [once(child, 'exit'), child.stderr.setEncoding('utf8').toArray()];
  // Nothing is read meanwhile, so it stands still where the pipe is full.
  await within(once(child.stdout, 'readable'), 'the first lines');
  child.kill('SIGINT');
  const lines = await child.stdout.setEncoding('utf8').toArray();
  expect(await within(ended, 'the end of the list')).toEqual([130, null]);
  expect([(lines.join('').split('\n').length - 1) < 5_000, await stderr]).toEqual([true, []]);
});

describe('lastword repair', () => {
  test('says what is torn, and changes nothing', async () => {
    const { sidecar, thread, whole } = await tornThread();
    const before = filesIn(sidecar.directory);
    const { status, stdout, stderr } = lastword(['repair', thread.path]);
    expect(stdout).toBe(`${thread.path}:\n    to be cut: ${TORN.length} bytes from byte ${whole.length} on, kept beside it\nnothing was changed: --write does it\n`);
    expect([status, stderr]).toEqual([1, '']);
    expect(filesIn(sidecar.directory)).toEqual(before);
  });

  test('with --write cuts it and keeps it beside, byte for byte; then there is nothing to do, and the thread goes on', async () => {
    const { sidecar, thread, whole } = await tornThread();
    const [keptAt, before] = [`${thread.path}.torn-1`, filesIn(sidecar.directory)];
    expect(lastword(['repair', '--write', thread.id, '--dir', sidecar.directory])).toEqual({
      status: 0, stderr: '', stdout: `${thread.path}:\n    cut: ${TORN.length} bytes from byte ${whole.length} on, kept at ${keptAt}\n`,
    });
    // Its lease is gone too.
    const after = { ...before, [thread.path]: whole.toString('latin1'), [keptAt]: TORN };
    expect(filesIn(sidecar.directory)).toEqual(after);
    expect(lastword(['repair', '--write', thread.path])).toEqual({ status: 0, stderr: '', stdout: `${thread.path}: its end is whole, there is nothing to repair\n` });
    expect(filesIn(sidecar.directory)).toEqual(after);
    expect((await sidecar.resumeThread(thread.id)).append(numbered(10))).toBe(11);
  });

  test('adds a newline that is missing, makes a file anew of which a sync failed, and leaves damage in the middle', async () => {
    const { thread } = await tornThread();
    const { path } = thread;
    const lines = readFileSync(path, 'utf8').split('\n').slice(0, 11);
    writeFileSync(path, [...lines.slice(0, 5), '{"half', ...lines.slice(6)].join('\n'));
    writeFileSync(`${path}.unsynced`, '');
    expect(lastwordJson(['repair', path])).toMatchObject([{ isWhole: false, isRepaired: false, tornBytes: 0, lacksNewline: true, isUnsynced: true }]);
    expect(lastword(['repair', path, '--write']).stdout).toBe(`${path}:\n    added: the newline of the last record\n    made anew: a sync of it failed\n`);
    expect(existsSync(`${path}.unsynced`)).toBe(false);
    expect(readFileSync(path, 'utf8').endsWith('}\n')).toBe(true);
    expect(await verifyRollout(path)).toMatchObject({ records: 10, end: 'clean', damage: [{ kind: 'malformed', ordinal: 5 }] });
  });

  test('refuses a thread that a live host has open, with its pid, through links too; reading it works', async () => {
    const { sidecar, thread } = await openThread();
    const { path } = thread;
    appendFileSync(path, TORN);
    const before = readFileSync(path);
    const link = join(temporaryFolder(), 'today');
    symlinkSync(dirname(path), link);
    for (const args of [[path], [path, '--write'], [thread.id, '--dir', sidecar.directory, '--write'], [join(link, basename(path)), '--write']]) {
      const { status, stdout, stderr } = lastword(['repair', ...args]);
      expect([status, stdout]).toEqual([5, '']);
      expect(stderr).toMatch(new RegExp(`^lastword: thread ${thread.id} is open in process ${process.pid} on \\S+ \\[LASTWORD_THREAD_BUSY\\]: close the thread there[^\\n]+\\n$`));
    }
    expect(readFileSync(path)).toEqual(before);
    expect(lastword(['show', path, '--last', '1']).stdout).toMatch(/^10 {2}/);
    expect(lastword(['ls', sidecar.directory]).stdout).toContain(`[${process.pid} on `);
    const main = mutantCommand({ file: 'worker/repair.js', find: 'leases.hold(place.id);', replace: ';' });
    expect(lastword(['repair', path, '--write'], { main }).status, 'the control').toBe(0);
    expect(readFileSync(path).length).toBeLessThan(before.length);
  });

  test('takes the lease of a host that has died; until then half a line is a write under way for verify, and no damage', async () => {
    const { sidecar, thread } = await openThread();
    await thread.close();
    const other = secondProcess(sidecar.directory);
    await other.ask('resume', thread.id);
    appendFileSync(thread.path, TORN);
    expect(lastword(['repair', thread.path, '--write']).stderr).toContain(`is open in process ${other.pid} on `);
    expect(lastword(['verify', sidecar.directory])).toMatchObject({ status: 0, stdout: expect.stringContaining('all whole') as string });
    await other.kill();
    expect(lastword(['verify', sidecar.directory])).toMatchObject({ status: 1, stdout: expect.stringContaining('torn at byte') as string });
    expect(lastword(['repair', thread.path, '--write'])).toMatchObject({ status: 0, stderr: '' });
    expect(await recordsOf(thread.path)).toHaveLength(11);
  });

  test('repairs a copy that lies in no directory of rollouts, cut at any place of its last record', async () => {
    const { thread } = await openThread();
    const path = join(temporaryFolder(), 'copy.jsonl');
    copyFileSync(thread.path, path);
    const bytes = readFileSync(path);
    const start = bytes.lastIndexOf('\n', bytes.length - 2) + 1;
    for (const cut of [start + 1, Math.floor((start + bytes.length) / 2), bytes.length - 2]) {
      writeFileSync(path, bytes);
      truncateSync(path, cut);
      expect(lastword(['repair', path, '--write'])).toMatchObject({ status: 0, stderr: '' });
      expect(readFileSync(path)).toEqual(bytes.subarray(0, start));
    }
    expect(readdirSync(dirname(path)).toSorted()).toEqual(['copy.jsonl', ...[1, 2, 3].map((number) => `copy.jsonl.torn-${number}`)]);
  });
});

test('the log of a job is found by the beginning of its id, shown, and followed until the job ends', async () => {
  const { directory, job, path } = await runningJob();
  const typesOf = (...args: string[]): string[] => lastwordJson<RolloutRecord>(args).map(({ type }) => type);
  const begins = ['session_meta', 'job_created', 'item_added', 'job_ready', 'item_started'];
  for (const args of [[path], [job.id, '--dir', directory], [job.id.slice(0, 13), '--dir', directory], [path, '--raw']]) expect(typesOf('show', ...args)).toEqual(begins);
  // Lists are of agents.
  expect(lastword(['ls', directory])).toMatchObject({ status: 0, stdout: '', stderr: '' });

  const child = startLastword(['tail', '-f', '-n', '1', '--json', path]);
  const ended = once(child, 'exit');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => (JSON.parse((await within(lines.next(), 'the next line')).value as string) as RolloutRecord).type;
  expect(await next()).toBe('item_started');
  job.stop();
  expect([await next(), await next()]).toEqual(['item_finished', 'job_finished']);
  expect(await within(ended, 'the end of tail')).toEqual([0, null]);
});

test('the log of a job that runs is not repaired, and half a line at its end is no damage', async () => {
  const { directory, job, path } = await runningJob();
  const whole = readFileSync(path);
  appendFileSync(path, TORN);
  for (const args of [[path], [job.id.slice(0, 13), '--dir', directory]]) {
    expect(lastword(['repair', '--write', ...args])).toMatchObject({ status: 5, stdout: '', stderr: expect.stringContaining(`is open in process ${process.pid} on `) as string });
  }
  expect(lastword(['verify', path])).toMatchObject({ status: 0, stdout: expect.stringContaining('all whole') as string });
  const main = mutantCommand({ file: 'src/reader/lease-holder.js', find: ', [JOBS]: 1', replace: '' });
  expect(lastword(['repair', '--write', path], { main }).status, 'the control').toBe(0);
  expect(readFileSync(path)).toEqual(whole);
  job.stop();
  await job.result;
  const ended = readFileSync(path);
  appendFileSync(path, TORN);
  expect(lastword(['repair', '--write', path])).toMatchObject({ status: 0, stderr: '' });
  expect(readFileSync(path)).toEqual(ended);
});
