/** docs/lifecycle.md says what is logged at which level. Each row is provoked, and nothing else may be said above debug. */
import { once } from 'node:events';
import { appendFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Sidecar, SidecarOptions, Thread } from 'lastword';
import { describe, expect, test } from 'vitest';
import { runHost } from '../support/exits/run.js';
import { openRecorded, type LogLine } from '../support/ledger.js';
import { markdownTable } from '../support/markdown.js';
import { mutantPackage, mutantWriter, slowWriter, type Patch } from '../support/mutants.js';
import { RiggedDisk } from '../support/rigged-disk.js';
import { breakingWriter, lostLibrary, oneDeath, rejection, until } from '../support/sidecars.js';

/** Stands in items, errors and metadata of the host: none of it may be logged. */
const CANARY = 'canary-5f1c';
const ITEM = { type: 'event_msg', payload: { text: CANARY } };
const MISSING = '01936c1e-7b2a-7000-8000-000000000001';

interface Scene { readonly sidecar: Sidecar; readonly thread: Thread }
interface Row {
  /** Its only lines above debug; of a row at debug, those that must be among the lines. */
  readonly says: (scene: Scene) => Promise<object[]>;
  readonly options?: () => Partial<SidecarOptions>;
  /** In place of the shipped one. */
  readonly library?: () => { lastwordUrl: string; writerUrl: URL };
  /** Level of what another row says first. */
  readonly behind?: LogLine['level'];
}

const fail = (): never => { throw new TypeError(CANARY); };

let disk: RiggedDisk | undefined;

function fullDisk(): RiggedDisk {
  disk = new RiggedDisk('ENOSPC');
  return disk;
}

async function degrade(sidecar: Sidecar, thread: Thread): Promise<void> {
  await thread.flush();
  disk?.refuse();
  const degraded = once(sidecar, 'degraded');
  thread.append(ITEM);
  await degraded;
}

const ROWS: Readonly<Record<string, Row>> = {
  'append after the seal': {
    says: async ({ thread }) => {
      await thread.close();
      thread.append(ITEM);
      thread.appendAll([ITEM, ITEM]);
      return [{ threadId: thread.id, items: 1, late: 1 }, { threadId: thread.id, items: 2, late: 3 }];
    },
  },
  'flush or close after closed': {
    says: async ({ sidecar, thread }) => {
      const receipt = await thread.close();
      expect([await thread.flush(), await thread.close()]).toEqual([receipt, receipt]);
      const whole = await sidecar.close();
      expect([await sidecar.flush(), await sidecar.close()]).toEqual([[], whole]);
      return [];
    },
  },
  'resume of a thread that is closing': {
    says: async ({ sidecar, thread }) => {
      const closing = thread.close();
      await sidecar.resumeThread(thread.id);
      await closing;
      return [{ threadId: thread.id }];
    },
  },
  'damage in what is read, without onDamage': {
    says: async ({ sidecar, thread }) => {
      await thread.close();
      appendFileSync(thread.path, `${CANARY}\n`.repeat(3));
      for await (const record of sidecar.readThread(thread.id)) expect(record.ordinal).toBeLessThan(2);
      return [{ threadId: thread.id, damage: 1 }];
    },
  },
  'resume of a missing thread, ifMissing: \'create\'': {
    says: async ({ sidecar }) => {
      const { id } = await sidecar.resumeThread(MISSING, { ifMissing: 'create', create: { meta: { title: CANARY } } });
      return [{ threadId: id, requestedId: MISSING, code: 'LASTWORD_THREAD_NOT_FOUND' }];
    },
  },
  'torn end cut on resume': {
    says: async ({ sidecar, thread }) => {
      await thread.close();
      appendFileSync(thread.path, CANARY);
      await sidecar.resumeThread(thread.id);
      return [{ threadId: thread.id, tornBytes: CANARY.length, keptAt: `${thread.path}.torn-1`, nextOrdinal: 2 }];
    },
  },
  'close forced past work still held': {
    says: async ({ thread }) => {
      thread.hold('a tool');
      await thread.close({ waitForTracked: false });
      return [{ threadId: thread.id, heldBy: ['a tool'], nextOrdinal: 2 }];
    },
  },
  'a descendant cannot be archived or deleted with its root': {
    says: async ({ sidecar, thread }) => {
      const child = await sidecar.createThread({ parentId: thread.id });
      await thread.close();
      await sidecar.resumeThread(child.id);
      await sidecar.archiveThread(thread.id);
      return [{ threadId: child.id, rootId: thread.id, code: 'LASTWORD_THREAD_BUSY' }];
    },
  },
  'a listener of an event throws': {
    says: async ({ sidecar, thread }) => {
      sidecar.on('threadClosed', fail);
      await thread.close();
      return [{ event: 'threadClosed', error: 'TypeError' }];
    },
  },
  'a subscriber throws': {
    says: async ({ thread }) => {
      thread.subscribe(fail);
      for (const ordinal of [2, 3]) expect(await thread.publish(ITEM)).toBe(ordinal);
      return [{ threadId: thread.id, ordinal: 2, error: 'TypeError' }];
    },
  },
  'a write fails, and may succeed later': {
    options: () => ({ writerUrl: fullDisk().writerUrl }),
    says: async ({ sidecar, thread }) => {
      await degrade(sidecar, thread);
      return [{ threadId: thread.id, errno: -28, code: 'LASTWORD_WRITE_FAILED', unwritten: [{ threadId: thread.id, from: 2, to: 2 }] }];
    },
  },
  'it has succeeded': {
    options: () => ({ writerUrl: fullDisk().writerUrl }),
    behind: 'warn',
    says: async ({ sidecar, thread }) => {
      await degrade(sidecar, thread);
      const recovered = once(sidecar, 'recovered');
      disk?.take();
      await recovered;
      return [{ threadId: thread.id }];
    },
  },
  'a permanent error of a file': {
    says: async ({ thread }) => {
      await thread.flush();
      appendFileSync(thread.path, 'foreign\n');
      thread.append(ITEM);
      await rejection(thread.flush());
      await rejection(thread.close());
      return [{ threadId: thread.id, code: 'LASTWORD_WRITE_FAILED', errno: undefined, unwritten: [{ threadId: thread.id, from: 2, to: 2 }] }];
    },
  },
  'the writer died': {
    options: () => ({ writerUrl: oneDeath() }),
    says: async ({ sidecar, thread }) => {
      await thread.flush();
      const restarted = once(sidecar, 'writerRestarted');
      thread.append({ type: 'BREAK', payload: CANARY });
      await thread.flush();
      await restarted;
      await sidecar.close();
      return [{ exitCode: 1, replayed: 1 }];
    },
  },
  'it died three times in ten seconds': {
    behind: 'warn',
    options: () => ({ writerUrl: breakingWriter() }),
    says: async ({ sidecar, thread }) => {
      thread.append({ type: 'BREAK', payload: CANARY });
      await thread.flush();
      await sidecar.close();
      return [{ code: 'LASTWORD_WRITER_EXITED', exitCode: 1 }];
    },
  },
  'and the host\'s thread cannot write either': {
    behind: 'warn',
    library: lostLibrary,
    says: async ({ sidecar, thread }) => {
      await thread.flush();
      thread.append({ type: 'BREAK', payload: CANARY });
      await until(() => sidecar.state === 'failed', 'the end of all writers');
      await rejection(sidecar.close());
      return [{ code: 'LASTWORD_WRITER_EXITED', unwritten: [{ threadId: thread.id, from: 2, to: 2 }] }];
    },
  },
  'a record cannot be written: two writers died of it, or its line would be longer than 256 MiB': {
    options: () => ({ writerUrl: mutantWriter({
      file: 'worker/transcode/transcoder.js', find: 'this.#lineBytes = 0;', replace: 'this.#lineBytes = 0;\n        if (ordinal === 2) throw notMsgpack();',
    }) }),
    says: async ({ sidecar, thread }) => {
      thread.append(ITEM);
      await thread.close();
      await sidecar.close();
      const [name = ''] = readdirSync(dirname(thread.path)).filter((one) => one.startsWith('set-aside'));
      return [{ threadId: thread.id, ordinal: 2, reason: 'not transcoded', path: join(dirname(thread.path), name) }];
    },
  },
  'a lease cannot be removed, abandon': {
    options: () => ({ writerUrl: mutantWriter({ file: 'worker/salvager.js', find: 'leases.release(threadId);', replace: "throw Object.assign(new Error('EROFS'), { code: 'EROFS', errno: -30 });" }) }),
    says: async ({ thread }) => {
      await thread.close({ abandon: true });
      return [{ threadId: thread.id, code: 'LASTWORD_WRITE_FAILED', errno: -30 }];
    },
  },
  'close gave up on items, abandon': {
    says: async ({ thread }) => {
      await thread.flush();
      appendFileSync(thread.path, 'foreign\n');
      thread.append(ITEM);
      await rejection(thread.flush());
      const { salvage } = await thread.close({ abandon: true });
      const unwritten = [{ threadId: thread.id, from: 2, to: 2 }];
      return [
        { threadId: thread.id, code: 'LASTWORD_WRITE_FAILED', errno: undefined, unwritten }, { threadId: thread.id, unwritten, salvage, records: 1 },
      ];
    },
  },
  'close could not finish': {
    options: () => ({ writerUrl: slowWriter() }),
    says: async ({ thread }) => {
      await thread.flush();
      thread.append({ type: 'SLOW', payload: CANARY });
      await rejection(thread.close({ timeoutMs: 100 }));
      await thread.close();
      return [{ threadId: thread.id, code: 'LASTWORD_DRAIN_INCOMPLETE', unwritten: [{ threadId: thread.id, from: 2, to: 2 }] }];
    },
  },
};
/** That of a process of its own. */
const AT_THE_END = 'items not written when the process ends';

const TABLE = markdownTable('docs/lifecycle.md', 'condition').rows;
const levelOf = (condition: string): string => TABLE.get(condition)?.get('level') ?? '';

interface Said { readonly lines: readonly LogLine[]; readonly expected: readonly object[] }

async function provoked(condition: string, lastwordUrl?: string): Promise<Said> {
  const { behind, library, options, says } = ROWS[condition] ?? {};
  const other = library?.();
  const { sidecar, lines } = await openRecorded({ ...options?.(), ...(other === undefined ? {} : { writerUrl: other.writerUrl }) }, lastwordUrl ?? other?.lastwordUrl);
  const thread = await sidecar.createThread();
  thread.append(ITEM);
  const expected = await says?.({ sidecar, thread }) ?? [];
  return { lines: lines.filter(({ level }) => level !== behind), expected };
}

/** What is said at another level, of other things, too little, too much, or with payload. */
function wrongOf(level: string, { lines, expected }: Said): string[] {
  const loud = lines.filter((line) => line.level !== 'debug');
  const found = level === 'debug' ? lines.filter(({ members }) => expected.some((one) => same(one, members))) : loud;
  return [
    ...(expected.length === found.length && expected.every((one, index) => same(one, found[index]?.members)) ? [] : [`said ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`]),
    ...loud.filter((line) => line.level !== level).map((line) => `said at ${line.level}: ${line.message}`),
    ...lines.filter((line) => JSON.stringify(line).includes(CANARY)).map((line) => `payload: ${line.message}`),
  ];
}

const same = (one: object, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);

test('the table of what is logged has every row that is provoked, and no other', () => {
  expect([...TABLE.keys()]).toEqual([...Object.keys(ROWS), AT_THE_END]);
});

describe('what is logged', () => {
  for (const condition of Object.keys(ROWS)) {
    test(`${condition}: ${levelOf(condition)}`, async () => {
      expect(wrongOf(levelOf(condition), await provoked(condition))).toEqual([]);
    });
  }

  test(`${AT_THE_END}: ${levelOf(AT_THE_END)}`, async () => {
    const { stderr, told: { ids = [], accepted = [], written = [] } } = await runHost({
      end: 'process.exit()', isFlushedFirst: true, isGateKept: true, options: { exitTimeoutMs: 300 },
    });
    const unwritten = ids.map((threadId, which) => ({ threadId, from: written[which], to: (accepted[which] ?? 0) - 1 }));
    const [line, ...others] = stderr.trimEnd().split('\n').map((text) => JSON.parse(text) as object);
    expect(others).toEqual([]);
    expect(line).toMatchObject({ level: 50, code: 'LASTWORD_DRAIN_INCOMPLETE', unwritten });
    expect(levelOf(AT_THE_END)).toBe('error');
    expect(stderr).not.toContain('xxx');
  });
});

describe('the control: the same check hears', () => {
  test.each<[string, string, Patch, string]>([
    ['a level that is too high', 'append after the seal', {
      file: 'src/sidecar.js', find: 'this.log.debug({ threadId: thread.id, items', replace: 'this.log.warn({ threadId: thread.id, items',
    }, 'said at warn'],
    ['a failure that is not told', 'close could not finish', {
      file: 'src/lifecycle/thread-close.js', find: "if (this.#thread.state !== 'failed' || plan.abandon)", replace: 'if (this.#thread === undefined)',
    }, 'said [], not'],
    ['a warning without its thread', 'close forced past work still held', {
      file: 'src/lifecycle/thread-close.js', find: 'log.warn({ threadId, heldBy,', replace: 'log.warn({ heldBy,',
    }, 'not [{"threadId"'],
    ['what a subscriber threw', 'a subscriber throws', {
      file: 'src/lifecycle/deliveries.js', find: 'this.#onThrow(kindOfThrown(error), ordinal);', replace: 'this.#onThrow(error.message, ordinal);',
    }, 'payload: a subscriber threw'],
  ])('%s', async (_what, condition, patch, complaint) => {
    const said = await provoked(condition, mutantPackage(patch).lastwordUrl);
    expect(wrongOf(levelOf(condition), said)).toContainEqual(expect.stringContaining(complaint));
  });
});
