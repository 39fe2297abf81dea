/** Records as they are written, read by whoever wants to, without a lease. */
import { appendFileSync, copyFileSync, mkdirSync, readFileSync, renameSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readRollout, type Damage, type ReadOptions, type RolloutRecord, type Thread } from 'lastword';
import { describe, expect, onTestFinished, test } from 'vitest';
import { lineOf, rolloutOf } from '../support/rollouts.js';
import { secondProcess } from '../support/second-process.js';
import { unlookingWriter } from '../support/mutants.js';
import { numbered, openTestSidecar, temporaryFolder, until, upTo } from '../support/sidecars.js';

/** A loop over the records that goes on by itself. */
class Reading {
  readonly records: RolloutRecord[] = [];
  readonly damage: Damage[] = [];
  readonly ended: Promise<void>;
  readonly #abort = new AbortController();

  constructor(open: (options: ReadOptions) => AsyncIterable<RolloutRecord>, options: ReadOptions = {}) {
    const records = open({ follow: true, signal: this.#abort.signal, onDamage: (damage) => { this.damage.push(damage); }, ...options });
    this.ended = this.#read(records);
    onTestFinished(() => { this.#abort.abort(); });
  }

  async #read(records: AsyncIterable<RolloutRecord>): Promise<void> {
    for await (const record of records) this.records.push(record);
  }

  get ordinals(): number[] {
    return this.records.map(({ ordinal }) => ordinal);
  }

  has(count: number): Promise<void> {
    return until(() => this.records.length >= count, `record ${count} of a file that is followed`);
  }

  abort(): void {
    this.#abort.abort(new Error('enough'));
  }
}

const ofFile = (path: string, options?: ReadOptions): Reading => new Reading((all) => readRollout(path, all), options);

/** Others may do to its file what they like. */
async function openThread(): Promise<Thread> {
  return (await openTestSidecar({ writerUrl: unlookingWriter() })).createThread();
}

describe('readRollout, option follow', () => {
  test('gives records as they are written, whoever writes them, and ends when the thread is closed', async () => {
    const thread = await openThread();
    const readings = [ofFile(thread.path), ofFile(thread.path, { from: 3 }), ofFile(thread.path, { limit: 4 })];
    for (const index of upTo(500)) {
      thread.append(numbered(index));
      if (index % 50 === 0) await readings[0]?.has(index + 2);
    }
    await thread.close();
    await Promise.all(readings.map(({ ended }) => ended));
    expect(readings.map(({ ordinals }) => ordinals)).toEqual([upTo(501), upTo(501).slice(3), upTo(4)]);
    expect(readings.flatMap(({ damage }) => damage)).toEqual([]);
  });

  test('returns on abort, before the first record as behind the last', async () => {
    const thread = await openThread();
    const reading = ofFile(thread.path);
    await reading.has(1);
    reading.abort();
    await reading.ended;
    const late = ofFile(thread.path, { signal: AbortSignal.abort() });
    await late.ended;
    expect([reading.ordinals, late.ordinals]).toEqual([[0], []]);
  });

  test('of a file that nobody holds ends at its end, the last record without newline included', async () => {
    const path = join(temporaryFolder(), 'any.jsonl');
    writeFileSync(path, Buffer.concat(rolloutOf(5)).subarray(0, -1));
    const reading = ofFile(path);
    await reading.ended;
    expect(reading.ordinals).toEqual(upTo(5));
  });

  test('waits for the rest of a line, and reads what took the place of one that was cut off again', async () => {
    const thread = await openThread();
    const reading = ofFile(thread.path);
    await reading.has(1);
    const line = lineOf(1);
    const start = readFileSync(thread.path).length;
    for (const part of [line.subarray(0, 10), line.subarray(10, 50), line.subarray(50)]) appendFileSync(thread.path, part);
    await reading.has(2);
    // More than the cut took is there by the time the reader looks.
    appendFileSync(thread.path, lineOf(2).subarray(0, 40));
    truncateSync(thread.path, start + line.length);
    appendFileSync(thread.path, Buffer.concat([lineOf(2, { text: 'another' }), lineOf(3)]));
    await reading.has(4);
    expect(reading.records[2]).toMatchObject({ payload: { text: 'another' } });
    expect([reading.ordinals, reading.damage]).toEqual([upTo(4), []]);
  });

  test('goes on in the file that takes the name of the one before, without a record twice', async () => {
    const thread = await openThread();
    thread.append(numbered(1));
    await thread.flush();
    const reading = ofFile(thread.path);
    await reading.has(2);
    for (const number of [2, 3, 4]) {
      const fresh = join(temporaryFolder(), 'fresh');
      copyFileSync(thread.path, fresh);
      appendFileSync(fresh, lineOf(number));
      renameSync(fresh, thread.path);
      await reading.has(number + 1);
    }
    appendFileSync(thread.path, lineOf(5));
    await reading.has(6);
    expect([reading.ordinals, reading.damage]).toEqual([upTo(6), []]);
  });

  test('reports damage once a record follows, and as torn what is left at the end', async () => {
    const thread = await openThread();
    const reading = ofFile(thread.path);
    appendFileSync(thread.path, Buffer.concat([Buffer.from('garbage\n'), lineOf(1)]));
    await reading.has(2);
    expect(reading.damage).toMatchObject([{ kind: 'malformed' }]);
    appendFileSync(thread.path, '{"half');
    // It fails of what others write to its file.
    await thread.close({ abandon: true });
    await reading.ended;
    expect(reading.damage).toMatchObject([{ kind: 'malformed' }, { kind: 'torn', bytes: 6 }]);
  });

  test('ends when the process that has the thread open is killed', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    const { id, path } = thread;
    await thread.close();
    const holder = secondProcess(sidecar.directory);
    await holder.ask('resume', id);
    const reading = ofFile(path);
    await reading.has(1);
    appendFileSync(path, lineOf(1));
    await reading.has(2);
    await holder.kill();
    await reading.ended;
    expect(reading.ordinals).toEqual([0, 1]);
  });

  test('a lease that says nothing is nobody\'s once its heartbeat is old', async () => {
    const thread = await openThread();
    const folder = temporaryFolder();
    const path = thread.path.replace(/^.*(?=\/sessions\/)/, folder);
    mkdirSync(join(path, '..'), { recursive: true });
    mkdirSync(join(folder, 'locks'));
    copyFileSync(thread.path, path);
    const lease = join(folder, 'locks', `${thread.id}.lock`);
    writeFileSync(lease, '{"pid":"me"}');
    const reading = ofFile(path);
    await reading.has(1);
    appendFileSync(path, lineOf(1));
    await reading.has(2);
    utimesSync(lease, 0, 0);
    await reading.ended;
    expect(reading.ordinals).toEqual([0, 1]);
  });
});

describe('readThread, option follow', () => {
  test('of a fork: its base, what it has, and what comes; from the last compaction on in the view resume', async () => {
    const sidecar = await openTestSidecar();
    const source = await sidecar.createThread();
    for (const index of upTo(5)) source.append(numbered(index));
    source.append({ type: 'compacted', payload: { replacement_history: [] } });
    source.append(numbered(5));
    source.rollback(7);
    const fork = await sidecar.forkThread(source.id);
    const readings = (['effective', 'resume', 'raw'] as const).map((view) => new Reading((all) => sidecar.readThread(fork.id, all), { view }));
    await Promise.all(readings.map((reading) => reading.has(1)));
    source.append(numbered(99));
    for (const index of upTo(3)) fork.append(numbered(index));
    await fork.close();
    await Promise.all(readings.map(({ ended }) => ended));
    expect(readings.map(({ ordinals }) => ordinals)).toEqual([[0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12], [6, 8, 9, 10, 11, 12], [9, 10, 11, 12]]);
    await source.close();
  });
});
