import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { openSidecar, type RolloutItem, type Thread } from 'lastword';
import { expect, test } from 'vitest';
import { itemsOf, numbered, openTestSidecar, rejection, temporaryFolder, thrown } from '../support/sidecars.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

function nested(levels: number, leaf: unknown): unknown {
  let value = leaf;
  for (let level = 0; level < levels; level += 1) value = level % 2 === 0 ? { a: value } : [value];
  return value;
}

/** Each is refused with ITEM_INVALID; the functions make a fresh one, since some can be used once only. */
const INVALID: Record<string, () => unknown> = {
  'null': () => null,
  'undefined': () => undefined,
  'a string': () => 'text',
  'an array': () => [],
  'a function': () => () => 1,
  'an object without type': () => ({ payload: 1 }),
  'a type that is no string': () => ({ type: 7 }),
  'a boxed type': () => ({ type: Object('x') as unknown }),
  'an own timestamp': () => ({ type: 'x', timestamp: 'now' }),
  'an own ordinal': () => ({ type: 'x', ordinal: undefined }),
  'an own crc': () => ({ type: 'x', crc: '00000000' }),
  'a symbol': () => ({ type: 'x', payload: { deep: [Symbol('s')] } }),
  'a getter that throws': () => ({ type: 'x', payload: { get bad() { throw new Error('getter'); } } }),
  'a type getter that throws': () => ({ get type() { throw new Error('getter'); } }),
  'a toJSON that throws': () => ({ type: 'x', payload: { toJSON() { throw new Error('toJSON'); } } }),
  'a toJSON of a class that throws': () => ({ type: 'x', payload: new (class { toJSON(): never { throw new Error('toJSON'); } })() }),
  'a thrown null': () => ({ type: 'x', payload: { get bad() { throw null; } } }), // eslint-disable-line @typescript-eslint/only-throw-error -- hosts do
  'a revoked proxy': () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return { type: 'x', payload: proxy };
  },
  'a cycle': () => {
    const item: Record<string, unknown> = { type: 'x' };
    item['payload'] = { item };
    return item;
  },
  '1,001 levels': () => ({ type: 'x', payload: nested(1000, 1) }),
  '100,000 levels': () => ({ type: 'x', payload: nested(100_000, 1) }),
};

for (const [name, make] of Object.entries(INVALID)) {
  test(`P14: append of ${name} throws LASTWORD_ITEM_INVALID, and the next item is stored`, async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    thread.append(numbered(0));
    expect(thrown(() => thread.append(make() as RolloutItem))).toMatchObject({ code: 'LASTWORD_ITEM_INVALID', context: { threadId: thread.id } });
    expect(thrown(() => thread.appendAll([numbered(1), make() as RolloutItem]))).toMatchObject({ code: 'LASTWORD_ITEM_INVALID' });
    expect(thread.accepted).toBe(2);
    expect(thread.append(numbered(1))).toBe(2);
    await thread.close();
    expect(await itemsOf(thread.path)).toEqual([numbered(0), numbered(1)]);
  });
}

test('P14: 1,000 levels are stored', async () => {
  const sidecar = await openTestSidecar();
  const thread = await sidecar.createThread();
  const item = { type: 'x', payload: nested(999, 1) };
  thread.append(item);
  await thread.close();
  expect(await itemsOf(thread.path)).toEqual([item]);
});

test('P14: a cycle with a 1 MB string is refused with bounded time and memory', async () => {
  const sidecar = await openTestSidecar();
  const thread = await sidecar.createThread();
  const item: Record<string, unknown> = { type: 'x', text: 'x'.repeat(1024 * 1024) };
  item['payload'] = [item];
  const before = process.memoryUsage.rss();
  expect(thrown(() => thread.append(item as unknown as RolloutItem))).toMatchObject({ code: 'LASTWORD_ITEM_INVALID' });
  // Twice the largest item, and what the process needs beside.
  expect(process.memoryUsage.rss() - before).toBeLessThan(400 * 1024 * 1024);
  expect(thread.append(numbered(1))).toBe(1);
  await thread.close();
  expect(await itemsOf(thread.path)).toEqual([numbered(1)]);
});

test('P14: option itemBytesMax: an item of as many bytes goes, one byte more is LASTWORD_ITEM_TOO_LARGE', async () => {
  const itemBytesMax = 256 * 1024;
  const sidecar = await openTestSidecar({ itemBytesMax, ringBytes: 64 * 1024 });
  const thread = await sidecar.createThread();
  const item = (bytes: number): RolloutItem => ({ type: 'x', payload: 'a'.repeat(bytes) });
  const sizes = [];
  for (let bytes = itemBytesMax - 64; bytes < itemBytesMax + 64; bytes += 1) {
    try {
      thread.append(item(bytes));
      sizes.push(bytes);
    } catch (error) {
      expect(error).toMatchObject({ code: 'LASTWORD_ITEM_TOO_LARGE', context: { threadId: thread.id } });
    }
  }
  // The limit is on the encoded item: a few bytes of it are not the text.
  expect(sizes.at(-1)).toBeGreaterThan(itemBytesMax - 40);
  expect(sizes.at(-1)).toBeLessThan(itemBytesMax);
  expect(sizes).toHaveLength((sizes.at(-1) ?? 0) - (sizes[0] ?? 0) + 1);
  expect(thrown(() => thread.append(item(itemBytesMax * 5)))).toMatchObject({ code: 'LASTWORD_ITEM_TOO_LARGE' });
  expect(thread.append(numbered(0))).toBe(sizes.length + 1);
  await thread.close();
  expect(await itemsOf(thread.path)).toEqual([...sizes.map(item), numbered(0)]);
});

/** Appends to the thread when it is packed, in each of the ways a host may call back. */
function appending(thread: Thread, inner: object, how: 'getter' | 'toJSON' | 'class'): object {
  const act = (): string => {
    thread.append(inner as RolloutItem);
    return 'outer';
  };
  if (how === 'getter') return { get value() { return act(); } };
  if (how === 'toJSON') return { toJSON: act };
  return new (class { toJSON(): string { return act(); } })();
}

for (const how of ['getter', 'toJSON', 'class'] as const) {
  test(`P14: a ${how} that itself appends: the inner item first, then the outer`, async () => {
    const sidecar = await openTestSidecar();
    const thread = await sidecar.createThread();
    thread.append(numbered(0));
    const inner = { type: 'inner', payload: { fresh: how, list: [1, { two: 2 }] } };
    expect(thread.append({ type: 'outer', before: 'a'.repeat(300), payload: appending(thread, inner, how), after: { x: 'y'.repeat(300) } })).toBe(3);
    for (let index = 0; index < 20; index += 1) thread.append(numbered(index));
    await thread.close();
    const value = how === 'getter' ? { value: 'outer' } : 'outer';
    const [, first, second, ...rest] = await itemsOf(thread.path);
    expect(first).toEqual(inner);
    expect(second).toEqual({ type: 'outer', before: 'a'.repeat(300), payload: value, after: { x: 'y'.repeat(300) } });
    expect(rest).toHaveLength(20);
  });
}

test('P14: a redact that itself appends: the inner item first, then the outer', async () => {
  let thread: Thread | undefined;
  const sidecar = await openTestSidecar({
    redact: (item) => {
      if (item.type === 'outer') thread?.append({ type: 'inner' });
      return item;
    },
  });
  thread = await sidecar.createThread();
  thread.append({ type: 'outer' });
  await thread.close();
  expect(await itemsOf(thread.path)).toEqual([{ type: 'inner' }, { type: 'outer' }]);
});

test('P14: many threads appending to each other from callbacks keep every item and every order', async () => {
  const sidecar = await openTestSidecar({ ringBytes: 64 * 1024 });
  const [one, two] = [await sidecar.createThread(), await sidecar.createThread()];
  for (let index = 0; index < 500; index += 1) {
    one.append({ type: 'outer', payload: appending(two, { type: 'inner', payload: { index, text: 'i'.repeat(index) } }, 'class'), index });
  }
  await sidecar.close();
  expect((await itemsOf(one.path)).map((item) => (item as { index: number }).index)).toEqual(Array.from({ length: 500 }, (_, index) => index));
  expect((await itemsOf(two.path))).toEqual(Array.from({ length: 500 }, (_, index) => ({ type: 'inner', payload: { index, text: 'i'.repeat(index) } })));
});

const BAD_IDS = ['', 'nonsense', '01A1FC00-3ACB-72E1-9FE5-382B9A8A8E0B', '01a1fc00-3acb-42e1-9fe5-382b9a8a8e0b', '../../../etc/passwd', 7, null, {}];
for (const id of BAD_IDS) {
  test(`createThread with the id ${JSON.stringify(id)} is LASTWORD_INVALID_OPTION`, async () => {
    const sidecar = await openTestSidecar();
    const error = await rejection(sidecar.createThread({ id: id as string }));
    expect(error).toMatchObject({ code: 'LASTWORD_INVALID_OPTION', context: { option: 'id', value: id } });
    expect(readdirSync(sidecar.directory)).toEqual([]);
  });
}

const BAD_META: Record<string, unknown> = {
  'an id': { id: 'x' }, 'a timestamp': { timestamp: 'x' }, 'a history_mode': { history_mode: 'legacy' }, 'a list': [], 'a string': 'meta', 'null': null,
};
for (const [name, meta] of Object.entries(BAD_META)) {
  test(`createThread with meta that is or has ${name} is LASTWORD_INVALID_OPTION`, async () => {
    const sidecar = await openTestSidecar();
    const error = await rejection(sidecar.createThread({ meta: meta as Record<string, unknown> }));
    expect(error).toMatchObject({ code: 'LASTWORD_INVALID_OPTION', context: { option: 'meta' } });
    expect([...sidecar.liveThreads()]).toEqual([]);
  });
}

test('createThread with meta that cannot be stored is LASTWORD_ITEM_INVALID, and nothing is made', async () => {
  const sidecar = await openTestSidecar();
  expect(await rejection(sidecar.createThread({ meta: { bad: Symbol('s') } }))).toMatchObject({ code: 'LASTWORD_ITEM_INVALID' });
  expect(readdirSync(sidecar.directory)).toEqual([]);
  expect((await sidecar.createThread()).append(numbered(0))).toBe(1);
});

const OUT_OF_RANGE: Record<string, unknown[]> = {
  directory: [undefined, '', 7, 'a\0b'],
  durability: ['safe', 1],
  ringBytes: [0, 1000, 65_535, 100_000, 2 ** 31, '8388608', Number.NaN],
  overflowBytes: [0, 1.5, 2 ** 31],
  itemBytesMax: [0, 2 ** 31, 128 * 1024 * 1024 + 1],
  whenFull: ['drop', true],
  fullTimeoutMs: [-1, Number.POSITIVE_INFINITY, 1e10],
  syncIntervalMs: [-1, 0.5, 1e10],
  unsyncedBytes: [0, -5],
  openFilesMax: [0, -1, 2.5],
  closeTimeoutMs: [0, -1],
  exitTimeoutMs: [-1, 0.5],
  signals: ['SIGTERM', ['SIGKILL'], ['SIGSTOP'], ['TERM'], [15]],
  redact: ['x', {}],
  logger: [true, 'x', {}, { debug() { /* the others are missing */ } }],
  writerUrl: ['file:///x', 7, new URL('http://localhost/x.js')],
};
for (const [option, values] of Object.entries(OUT_OF_RANGE)) {
  test(`option ${option}: out of range is refused with the option, the value and what is allowed`, async () => {
    for (const value of values) {
      const error = await rejection(openSidecar({ directory: temporaryFolder(), logger: false, [option]: value })) as Error;
      expect(error).toMatchObject({ code: 'LASTWORD_INVALID_OPTION', context: { option } });
      expect(error.message).toContain(`option ${option}`);
      expect(error.message).toContain('allowed:');
    }
  });
}

test('option directory: a file in its place, or above it, is refused with the system error as cause', async () => {
  const file = join(temporaryFolder(), 'file');
  writeFileSync(file, 'x');
  for (const directory of [file, join(file, 'below')]) {
    const error = await rejection(openSidecar({ directory, logger: false }));
    expect(error).toMatchObject({ code: 'LASTWORD_INVALID_OPTION', context: { option: 'directory' }, cause: { code: expect.stringMatching(/EEXIST|ENOTDIR/) as string } });
  }
  expect(readFileSync(file, 'utf8')).toBe('x');
});

test('option directory: where a file system takes no names it is refused, and nothing hangs', async () => {
  const error = await rejection(openSidecar({ directory: '/proc/lastword/x', logger: false }));
  expect(error).toMatchObject({ code: 'LASTWORD_INVALID_OPTION', context: { option: 'directory' }, cause: { code: 'ENOENT' } });
});

test('P14: flush, close and drained refuse options that are none, and everything goes on', async () => {
  const sidecar = await openTestSidecar();
  const [thread] = [await sidecar.createThread(), await sidecar.createThread()];
  thread.append(numbered(0));
  const bad: object[] = [null as unknown as object, 'synced' as unknown as object, { durability: 'no' }, { timeoutMs: -1 }, { signal: 5 }];
  for (const options of bad) {
    const calls = [thread.flush(options), thread.close(options), sidecar.flush(options), sidecar.close(options), sidecar.drained(options)];
    for (const call of calls) expect(await rejection(call)).toMatchObject({ code: 'LASTWORD_INVALID_OPTION' });
  }
  expect(thread.state).toBe('open');
  expect(await sidecar.flush({ durability: 'synced' })).toHaveLength(2);
});

/** Whether another user may read the package where it lies. */
function isReadableByOthers(): boolean {
  for (let path = ROOT; path !== dirname(path); path = dirname(path)) if ((statSync(path).mode & 0o5) !== 0o5) return false;
  return existsSync(join(ROOT, 'dist')) && process.getuid?.() === 0;
}

test.skipIf(!isReadableByOthers())('option directory: one that an unprivileged user may not write to is refused', () => {
  const folder = temporaryFolder();
  const closed = join(folder, 'closed');
  mkdirSync(closed);
  chmodSync(folder, 0o755);
  chmodSync(closed, 0o555);
  const script = `import { openSidecar } from 'lastword';
    await openSidecar({ directory: ${JSON.stringify(closed)}, logger: false }).catch((error) => console.log(error.code, error.context.option, error.cause.code));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { cwd: ROOT, uid: 65_534, gid: 65_534, encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(stdout).toBe('LASTWORD_INVALID_OPTION directory EACCES\n');
});

test('P20: option redact: a canary behind it is in no file, ring, log, error or figure', async () => {
  const canary = 'sk-canary-8c1f2e77';
  const clean = (value: unknown): unknown => JSON.parse(JSON.stringify(value).replaceAll(canary, '[removed]'));
  const logged: unknown[] = [];
  const log = (...parts: unknown[]): void => { logged.push(parts); };
  const sidecar = await openTestSidecar({ redact: (item) => clean(item) as RolloutItem, logger: { debug: log, info: log, warn: log, error: log } });
  const thread = await sidecar.createThread({ meta: { env: { KEY: canary } } });
  thread.append({ type: 'x', payload: { secret: canary, list: [canary, `${canary}${canary}`] } });
  thread.appendAll([{ type: 'x', payload: canary }]);
  const errors = [
    thrown(() => thread.append({ type: 'x', ordinal: canary })),
    thrown(() => thread.append({ type: 7, payload: canary } as unknown as RolloutItem)),
    thrown(() => thread.append({ type: 'x', payload: 1n, canary })),
  ];
  await sidecar.flush();
  const stored = readFileSync(thread.path, 'utf8');
  await thread.close();
  thread.append({ type: 'x', payload: canary });
  await sidecar.close();
  expect(stored).toContain('[removed]');
  const said = [stored, ...logged, ...errors.slice(0, 2), thread, sidecar.stats()].map((value) => inspect(value, { depth: 12, showHidden: true }));
  for (const text of said) expect(text).not.toContain(canary);
});

test('P20: errors, logs and figures hold no payload without redact either', async () => {
  const canary = 'payload-canary-71';
  const logged: unknown[] = [];
  const log = (...parts: unknown[]): void => { logged.push(parts); };
  const sidecar = await openTestSidecar({ itemBytesMax: 4096, logger: { debug: log, info: log, warn: log, error: log } });
  const thread = await sidecar.createThread();
  const errors = [
    thrown(() => thread.append({ type: 'x', payload: [canary, Symbol(canary)] })),
    thrown(() => thread.append({ type: 'x', payload: canary.repeat(1000) })),
    thrown(() => thread.append({ type: 'x', crc: canary })),
    thrown(() => thread.appendAll([{ type: 'x', payload: { [canary]: Symbol('s') } }])),
  ];
  await thread.close();
  thread.append({ type: canary, payload: canary });
  for (const value of [...errors, ...logged, sidecar.stats(), thread]) {
    const { cause, ...own } = value as { cause?: unknown };
    expect(inspect(value instanceof Error ? { message: value.message, context: (value as { context?: unknown }).context } : own, { depth: 12 })).not.toContain(canary);
    expect(cause instanceof Error ? cause.message : '').not.toContain(canary);
  }
  expect(logged.length).toBeGreaterThan(0);
});

test('option redact: what throws refuses the item, and what it returns is checked', async () => {
  const sidecar = await openTestSidecar({
    redact: (item) => {
      if (item.type === 'throw') throw new Error('no');
      if (item.type === 'nothing') return undefined as unknown as RolloutItem;
      return { ...item, seen: true };
    },
  });
  const thread = await sidecar.createThread();
  expect(thrown(() => thread.append({ type: 'throw' }))).toMatchObject({ code: 'LASTWORD_ITEM_INVALID', context: { thrown: 'Error' } });
  expect(thrown(() => thread.append({ type: 'nothing' }))).toMatchObject({ code: 'LASTWORD_ITEM_INVALID' });
  expect(thread.append({ type: 'kept' })).toBe(1);
  await thread.close();
  expect(await itemsOf(thread.path)).toEqual([{ type: 'kept', seen: true }]);
});
