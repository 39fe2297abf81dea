/** Persist, then deliver; and the records that the library appends itself. */
import { appendFileSync } from 'node:fs';
import { LATE, type RolloutItem } from 'lastword';
import { describe, expect, test } from 'vitest';
import { itemsOf, numbered, openTestSidecar, recordsOf, rejection, thrown, upTo } from '../support/sidecars.js';

describe('publish', () => {
  test('delivers once the record is written, and resolves with the ordinal', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    const seen: unknown[] = [];
    thread.subscribe((item, ordinal) => { seen.push([item, ordinal, thread.written > ordinal]); });
    thread.append(numbered(0));
    expect(await thread.publish(numbered(1))).toBe(2);
    expect(seen).toEqual([[numbered(1), 2, true]]);
  });

  test('delivers in the order of the ordinals, whatever the mix of durabilities', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    const ordinals: number[] = [];
    thread.subscribe((_item, ordinal) => { ordinals.push(ordinal); });
    const published = upTo(30).map((index) => thread.publish(numbered(index), { durability: (['synced', 'written', 'accepted'] as const)[index % 3] }));
    expect(await Promise.all(published)).toEqual(upTo(30).map((index) => index + 1));
    expect(ordinals).toEqual(upTo(30).map((index) => index + 1));
  });

  test('option durability accepted: delivered before it returns, where nothing waits before it; synced: once it survives power loss', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    const seen: number[] = [];
    thread.subscribe((_item, ordinal) => { seen.push(ordinal); });
    const publishing = thread.publish(numbered(0), { durability: 'accepted' });
    expect(seen).toEqual([1]);
    await publishing;
    thread.subscribe((_item, ordinal) => { expect(thread.synced).toBeGreaterThan(ordinal); });
    expect(await thread.publish({ type: 'event_msg', payload: { type: 'task_complete' } }, { durability: 'synced' })).toBe(2);
  });

  test('a subscriber that throws is told of once, and stops nobody; one that publishes is delivered behind', async () => {
    const logged: object[] = [];
    const quiet = (): void => undefined;
    const sidecar = await openTestSidecar({ logger: { debug: quiet, info: quiet, warn: quiet, error: (members: object) => { logged.push(members); } } as never });
    const thread = await sidecar.createThread();
    const seen: number[] = [];
    let inner: Promise<number> | undefined;
    thread.subscribe(() => { throw new TypeError('no payload of it is logged'); });
    thread.subscribe((_item, ordinal) => {
      seen.push(ordinal);
      inner ??= thread.publish(numbered(9));
    });
    await thread.publish(numbered(0));
    await thread.publish(numbered(1));
    await inner;
    expect(seen).toEqual([1, 2, 3]);
    expect(logged).toEqual([{ threadId: thread.id, ordinal: 1, error: 'TypeError' }]);
  });

  test('what subscribes twice is called twice, until each is ended', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    let calls = 0;
    const listener = (): void => { calls += 1; };
    const ends = [thread.subscribe(listener), thread.subscribe(listener)];
    await thread.publish(numbered(0));
    ends[0]?.();
    ends[0]?.();
    await thread.publish(numbered(1));
    ends[1]?.();
    await thread.publish(numbered(2));
    expect(calls).toBe(3);
    expect(thrown(() => thread.subscribe(5 as never))).toMatchObject({ code: 'LASTWORD_INVALID_OPTION' });
  });

  test('redact applies: what is delivered is what is stored, late ones too', async () => {
    const redact = (item: RolloutItem): RolloutItem => (item.type === 'x' ? { ...item, payload: 'redacted' } : item);
    const sidecar = await openTestSidecar({ redact });
    const thread = await sidecar.createThread();
    const seen: unknown[] = [];
    thread.subscribe((item) => { seen.push(item.payload); });
    await thread.publish({ type: 'x', payload: 'secret' });
    await thread.close();
    expect(await thread.publish({ type: 'x', payload: 'secret' })).toBe(LATE);
    expect(seen).toEqual(['redacted', 'redacted']);
    expect(await itemsOf(thread.path)).toEqual([{ type: 'x', payload: 'redacted' }]);
  });

  test('what was published before a close is delivered before threadClosed', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    const order: string[] = [];
    thread.subscribe((_item, ordinal) => { order.push(`delivered ${ordinal}`); });
    sidecar.on('threadClosed', () => { order.push('closed'); });
    const publishing = [thread.publish(numbered(0), { durability: 'synced' }), thread.publish(numbered(1))];
    await thread.close();
    expect(order).toEqual(['delivered 1', 'delivered 2', 'closed']);
    await Promise.all(publishing);
  });

  test('bad items reject, and nothing is delivered; a failed thread rejects, and delivers with LATE', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    const seen: number[] = [];
    thread.subscribe((_item, ordinal) => { seen.push(ordinal); });
    expect(await rejection(thread.publish({ type: 5 } as never))).toMatchObject({ code: 'LASTWORD_ITEM_INVALID' });
    expect(await rejection(thread.publish(numbered(0), { durability: 'no' as never }))).toMatchObject({ code: 'LASTWORD_INVALID_OPTION' });
    expect(seen).toEqual([]);
    await thread.publish(numbered(0));
    appendFileSync(thread.path, 'foreign\n');
    expect(await rejection(thread.publish(numbered(1)))).toMatchObject({ code: 'LASTWORD_WRITE_FAILED' });
    expect(await thread.publish(numbered(2))).toBe(LATE);
    expect(seen).toEqual([1, LATE, LATE]);
  });

  test('option signal: an abort rejects with the reason; what was accepted is delivered all the same', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    const seen: number[] = [];
    thread.subscribe((_item, ordinal) => { seen.push(ordinal); });
    const controller = new AbortController();
    const reason = new Error('enough');
    const publishing = thread.publish(numbered(0), { signal: controller.signal });
    controller.abort(reason);
    expect(await rejection(publishing)).toBe(reason);
    await thread.close();
    expect(seen).toEqual([1]);
    expect(await rejection(thread.publish(numbered(1), { signal: controller.signal }))).toBe(reason);
    expect(thread.accepted).toBe(2);
  });
});

describe('subscribe', () => {
  test('append and appendAll deliver nothing', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    const seen: number[] = [];
    thread.subscribe((_item, ordinal) => { seen.push(ordinal); });
    thread.append(numbered(0));
    thread.appendAll([numbered(1)]);
    await thread.close();
    expect(seen).toEqual([]);
  });
});

describe('rollback', () => {
  test('is a record that Codex can parse, and says the first ordinal left out', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    for (const index of upTo(5)) thread.append(numbered(index));
    expect(thread.rollback(3)).toBe(6);
    expect(thread.rollback(7)).toBe(7);
    expect(await thread.close()).toMatchObject({ items: 7 });
    expect((await recordsOf(thread.path))[6]).toMatchObject({ ordinal: 6, type: 'event_msg', payload: { type: 'thread_rolled_back', num_turns: 0, to_ordinal: 3 } });
  });

  test('to 0, beyond the end or to what is no ordinal is refused, and nothing is appended', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    thread.append(numbered(0));
    for (const from of [0, -1, 3, 1.5, Number.NaN, '1']) {
      expect(thrown(() => thread.rollback(from as number))).toMatchObject({ code: 'LASTWORD_INVALID_OPTION', context: { option: 'from' } });
    }
    expect(thread.accepted).toBe(2);
  });
});

describe('setMeta', () => {
  test('is a further header: complete, with what was removed as null; also of a resumed thread', async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread({ meta: { cwd: '/work', title: 'first' } });
    expect(thread.setMeta({ title: 'second', cwd: undefined, model: 'm' })).toBe(1);
    expect(thread.setMeta({ tags: ['a'] })).toBe(2);
    await thread.close();
    const again = await sidecar.resumeThread(thread.id);
    again.setMeta({ title: null });
    await again.close();
    const payloads = (await recordsOf(thread.path)).map(({ payload }) => payload);
    const own = { id: thread.id, history_mode: 'paginated' };
    expect(payloads.slice(1)).toEqual([
      { title: 'second', model: 'm', cwd: null, ...own },
      { title: 'second', model: 'm', tags: ['a'], ...own },
      { cwd: '/work', title: null, ...own },
    ]);
  });

  test('reserved members and what is no object are refused; redact applies', async () => {
    const sidecar = await openTestSidecar({ redact: (item) => ({ ...item, payload: { ...item.payload as object, secret: 'x' } }) });
    const thread = await sidecar.createThread();
    for (const patch of [{ id: 'x' }, { timestamp: 'x' }, { history_mode: 'x' }, null, [], 'x']) {
      expect(thrown(() => thread.setMeta(patch as never))).toMatchObject({ code: 'LASTWORD_INVALID_OPTION' });
    }
    thread.setMeta({ secret: 'canary' });
    await thread.close();
    expect((await recordsOf(thread.path))[1]).toMatchObject({ payload: { secret: 'x' } });
  });
});
