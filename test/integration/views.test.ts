/** Views of random histories, against what their definition says when everything is in memory. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { ReadOptions, RolloutItem, RolloutRecord, Sidecar, Thread } from 'lastword';
import { describe, expect, test } from 'vitest';
import { randomFrom, SEED } from '../support/random.js';
import { numbered, openTestSidecar, recordsOf, rejection, upTo } from '../support/sidecars.js';

const COMPACTION: RolloutItem = { type: 'compacted', payload: { message: 'so far', replacement_history: [{ type: 'message' }] } };
const OLD_COMPACTION: RolloutItem = { type: 'compacted', payload: { message: 'so far' } };
const TURN: RolloutItem = { type: 'event_msg', payload: { type: 'task_started' } };

async function read(sidecar: Sidecar, id: string, options: ReadOptions = {}): Promise<RolloutRecord[]> {
  const records: RolloutRecord[] = [];
  for await (const record of sidecar.readThread(id, options)) records.push(record);
  return records;
}

/** A thread as a host would keep it: its records, and what is left of them. */
class History {
  readonly thread: Thread;
  #kept: RolloutRecord[];
  #markers: { from: number; to: number }[] = [];

  constructor(thread: Thread, base: RolloutRecord[], markers: { from: number; to: number }[]) {
    this.thread = thread;
    this.#kept = base;
    this.#markers = markers;
  }

  static async created(sidecar: Sidecar): Promise<History> {
    const history = new History(await sidecar.createThread(), [], []);
    return history.#withHeader();
  }

  async fork(sidecar: Sidecar, through: number): Promise<History> {
    const fork = await sidecar.forkThread(this.thread.id, { through });
    return new History(fork, this.#kept.filter(({ ordinal }) => ordinal <= through), this.#markers.filter(({ to }) => to <= through)).#withHeader();
  }

  async #withHeader(): Promise<this> {
    const [header] = await recordsOf(this.thread.path);
    if (header !== undefined) this.#kept = [...this.#kept, header];
    return this;
  }

  append(item: RolloutItem): void {
    this.#kept.push({ ...item, timestamp: '', ordinal: this.thread.append(item) });
  }

  rollback(from: number): void {
    const to = this.thread.rollback(from);
    this.#kept.push({ type: 'event_msg', payload: { type: 'thread_rolled_back', num_turns: 0, to_ordinal: from }, timestamp: '', ordinal: to });
    this.#markers.push({ from, to });
  }

  get effective(): RolloutRecord[] {
    return this.#kept.filter(({ ordinal }) => !this.#markers.some(({ from, to }) => ordinal >= from && ordinal < to));
  }

  get resume(): RolloutRecord[] {
    const place = this.effective.findLastIndex(({ type, payload }) => type === 'compacted' && 'replacement_history' in (payload as object));
    return this.effective.slice(Math.max(0, place));
  }
}

const inShort = (records: RolloutRecord[]): unknown[] => records.map(({ ordinal, type, payload }) => [ordinal, type, type === 'session_meta' ? '' : payload]);

describe('views of a history', () => {
  test('effective and resume, forward and backward, from any ordinal, with any limit, are what their definition says', async () => {
    const next = randomFrom(SEED);
    const sidecar = await openTestSidecar({ closeTimeoutMs: 60_000 });
    for (let round = 0; round < 30; round += 1) {
      const histories = [await History.created(sidecar)];
      for (const index of upTo(10 + next(60))) {
        const history = histories[next(histories.length)] as History;
        const step = next(20);
        if (step === 0) histories.push(await history.fork(sidecar, next(history.thread.accepted)));
        else if (step < 3) history.rollback(1 + next(history.thread.accepted));
        else if (step === 3) history.append(COMPACTION);
        else if (step === 4) history.append(OLD_COMPACTION);
        else history.append(step === 5 ? TURN : numbered(index));
      }
      for (const history of histories) {
        const { id } = history.thread;
        for (const view of ['effective', 'resume'] as const) {
          const expected = inShort(history[view]);
          const from = next(history.thread.accepted + 2);
          const limit = next(10);
          const kept = inShort(history[view].filter(({ ordinal }) => ordinal >= from));
          expect(inShort(await read(sidecar, id, { view }))).toEqual(expected);
          expect(inShort(await read(sidecar, id, { view, reverse: true }))).toEqual(expected.toReversed());
          expect(inShort(await read(sidecar, id, { view, from, limit }))).toEqual(kept.slice(0, limit));
          expect(inShort(await read(sidecar, id, { view, from, limit, reverse: true }))).toEqual(kept.toReversed().slice(0, limit));
        }
        await history.thread.close();
      }
    }
  });

  test('whose markers count turns, as those of Codex do, are the same in both directions', async () => {
    const next = randomFrom(SEED + 1);
    const sidecar = await openTestSidecar();
    for (let round = 0; round < 40; round += 1) {
      const thread = await sidecar.createThread();
      for (const index of upTo(next(40))) {
        const step = next(8);
        if (step === 0) thread.append({ type: 'event_msg', payload: { type: 'thread_rolled_back', num_turns: next(4) } });
        else thread.append(step < 3 ? TURN : step === 3 ? COMPACTION : numbered(index));
      }
      const effective = inShort(await read(sidecar, thread.id));
      const place = effective.findLastIndex((record) => (record as unknown[])[1] === 'compacted');
      expect(inShort(await read(sidecar, thread.id, { reverse: true }))).toEqual(effective.toReversed());
      expect(inShort(await read(sidecar, thread.id, { view: 'resume' }))).toEqual(effective.slice(Math.max(0, place)));
    }
  });

  test('resume: reads nothing in front of the compaction, in a fork nothing in front of its base\'s end', async () => {
    const sidecar = await openTestSidecar();
    const source = await sidecar.createThread();
    for (const index of upTo(2000)) source.append({ ...numbered(index), filler: 'f'.repeat(1000) });
    source.append(COMPACTION);
    source.append(numbered(1));
    const fork = await sidecar.forkThread(source.id);
    for (const index of upTo(2000)) source.append({ ...numbered(index), filler: 'f'.repeat(1000) });
    await source.close();
    // What is in front, and what is behind the fork, is made unreadable: whoever looked there would report it.
    const bytes = readFileSync(source.path);
    const end = ((await recordsOf(fork.path))[0]?.payload as { history_base: { end_byte_offset: number } }).history_base.end_byte_offset;
    bytes.fill('x', 100_000, 1_000_000);
    bytes.fill('x', end + 100, end + 500_000);
    writeFileSync(source.path, bytes);
    const damage: unknown[] = [];
    const resumed = await read(sidecar, fork.id, { view: 'resume', onDamage: (one) => { damage.push(one); } });
    expect(resumed.map(({ type }) => type)).toEqual(['compacted', 'event_msg', 'session_meta']);
    expect(damage).toEqual([]);
    expect(await read(sidecar, fork.id, { view: 'resume', reverse: true, onDamage: (one) => { damage.push(one); } })).toEqual(resumed.toReversed());
    expect(damage).toEqual([]);
  });

  test('a base that does not end where its fork\'s header says is read all the same', async () => {
    const sidecar = await openTestSidecar();
    const source = await sidecar.createThread();
    for (const index of upTo(5)) source.append(numbered(index));
    const fork = await sidecar.forkThread(source.id, { through: 3 });
    await Promise.all([source.close(), fork.close()]);
    const before = await read(sidecar, fork.id, { reverse: true });
    const damage: unknown[] = [];
    writeFileSync(source.path, readFileSync(source.path, 'latin1').replace('item 3', 'item X'));
    for (const offset of [0, 7, 999_999]) {
      const [header, ...rest] = readFileSync(fork.path, 'utf8').split('\n');
      const { crc, ...record } = JSON.parse(header ?? '') as { crc?: string; payload: { history_base: object } };
      record.payload.history_base = { ...record.payload.history_base, end_byte_offset: offset };
      writeFileSync(fork.path, [JSON.stringify(record), ...rest].join('\n'));
      expect(inShort(await read(sidecar, fork.id, { reverse: true, onDamage: (one) => { damage.push(one); } }))).toEqual(inShort(before));
    }
    expect(damage, 'behind the end of the base').toEqual([]);
  });

  test('with a base that is gone, or bases that never end, are refused by code', async () => {
    const sidecar = await openTestSidecar();
    const source = await sidecar.createThread();
    const fork = await sidecar.forkThread(source.id);
    await Promise.all([source.close(), fork.close()]);
    const header = (await recordsOf(fork.path))[0] as RolloutRecord & { payload: { history_base: object } };
    const withBase = (id: string): string => `${JSON.stringify({ ...header, payload: { ...header.payload, history_base: { ...header.payload.history_base, thread_id: id } } })}\n`;
    for (const view of ['effective', 'resume'] as const) {
      writeFileSync(fork.path, withBase('01936c1e-7b2a-7000-8000-000000000001'));
      expect(await rejection(read(sidecar, fork.id, { view }))).toMatchObject({ code: 'LASTWORD_THREAD_NOT_FOUND' });
      writeFileSync(fork.path, withBase(fork.id));
      expect(await rejection(read(sidecar, fork.id, { view }))).toMatchObject({ code: 'LASTWORD_ROLLOUT_CORRUPT', context: { threadId: fork.id } });
    }
  });
});
