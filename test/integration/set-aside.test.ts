/** A frame that no writer can write: its bytes are kept, a record keeps its ordinal, and everything else goes on. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Thread } from 'lastword';
import { Unpackr } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import { openRecorded, type LogLine } from '../support/ledger.js';
import { mutantWriter, type Patch } from '../support/mutants.js';
import { IS_FIRST_WRITER, itemsOf, numbered, recordsOf, upTo } from '../support/sidecars.js';

const DEADLY = { type: 'event_msg', payload: { text: 'DEADLY', more: [1, { two: 2 }] } };

/** Every writer ends when it is about to transcode this item. */
function endsBy(what: string): Patch {
  return {
    file: 'worker/transcode/transcoder.js', find: 'this.#lineBytes = 0;',
    replace: `this.#lineBytes = 0;\n        if (Buffer.from(this.memory.buffer, payloadOffset, payloadBytes).includes('DEADLY')) { ${what} }`,
  };
}
/** The transcoder sees its memory. */
const SEES: Patch = { file: 'worker/transcode/transcoder.js', find: 'this.#wasm = instance.exports;', replace: 'this.#wasm = instance.exports;\n        this.memory = memory;' };

interface Entry { threadId: string; ordinal: number; keys: string[][]; msgpack: string }

/** What the file holds, as docs/format.md says that it can be read. */
function unpacked(path: string): { entry: Entry; item: unknown } {
  const entry = JSON.parse(readFileSync(path, 'utf8')) as Entry;
  return { entry, item: new Unpackr({ structures: entry.keys, moreTypes: true }).unpack(Buffer.from(entry.msgpack, 'base64')) };
}

function errorsIn(lines: readonly LogLine[]): Record<string, unknown>[] {
  return lines.filter(({ level }) => level === 'error').map(({ members }) => members);
}

async function expectSetAside(thread: Thread, lines: readonly LogLine[], { ordinal, reason, before, behind }: { ordinal: number; reason: string; before: object[]; behind: object[] }): Promise<void> {
  const [, ...records] = await recordsOf(thread.path);
  expect(records.map((record) => record.ordinal)).toEqual(upTo(records.length).map((index) => index + 1));
  const { path } = errorsIn(lines)[0] as { path: string };
  expect(errorsIn(lines)).toEqual([{ threadId: thread.id, ordinal, reason, path }]);
  expect(JSON.stringify(lines)).not.toContain('DEADLY');
  const { entry, item } = unpacked(path);
  expect(entry).toMatchObject({ threadId: thread.id, ordinal });
  expect(item).toEqual(DEADLY);
  const kept = { type: 'event_msg', payload: { type: 'record_set_aside', reason, bytes: expect.any(Number) as number, file: path.slice(dirname(path).length + 1) } };
  expect(dirname(path)).toBe(dirname(thread.path));
  expect(await itemsOf(thread.path)).toEqual([...before, kept, ...behind]);
}

describe('a frame', () => {
  test('that two writers die of is set aside, and the rest is written', async () => {
    const { sidecar, lines } = await openRecorded({ writerUrl: mutantWriter(SEES, endsBy('process.exit(1);')) });
    const [thread, other] = [await sidecar.createThread(), await sidecar.createThread()];
    for (const index of upTo(3)) for (const one of [thread, other]) one.append(numbered(index));
    thread.append(DEADLY);
    for (const index of upTo(3)) for (const one of [thread, other]) one.append(numbered(3 + index));
    await Promise.all([thread.flush(), other.flush()]);
    expect(sidecar.stats().writerRestarts).toBe(2);
    await expectSetAside(thread, lines, { ordinal: 4, reason: 'writer died', before: upTo(3).map(numbered), behind: upTo(3).map((index) => numbered(3 + index)) });
    expect(await itemsOf(other.path)).toEqual(upTo(6).map(numbered));
    expect((await sidecar.close()).items).toBe(13);
  });

  test('of which no line can be made is set aside at once', async () => {
    const { sidecar, lines } = await openRecorded({ writerUrl: mutantWriter(SEES, endsBy('throw notMsgpack();')) });
    const thread = await sidecar.createThread();
    thread.appendAll([numbered(0), DEADLY, numbered(1)]);
    await thread.close();
    expect(sidecar.stats().writerRestarts).toBe(0);
    await expectSetAside(thread, lines, { ordinal: 2, reason: 'not transcoded', before: [numbered(0)], behind: [numbered(1)] });
  });

  test('whose line would be too long is set aside, what stood of it in the file is cut, and the rest is written', async () => {
    const writerUrl = mutantWriter(
      { file: 'worker/group-output.js', find: 'transcoder.lineBytes <= LINE_BYTES_MAX', replace: 'transcoder.lineBytes <= 5e6' },
    );
    const { sidecar, lines } = await openRecorded({ writerUrl });
    const thread = await sidecar.createThread();
    const long = { type: 'event_msg', payload: '\u0001'.repeat(3 << 20) };
    thread.appendAll([numbered(0), long, numbered(1)]);
    await thread.close();
    const { path, reason } = errorsIn(lines)[0] as { path: string; reason: string };
    expect(reason).toBe('line too long');
    expect(unpacked(path).item).toEqual(long);
    expect(await itemsOf(thread.path)).toMatchObject([numbered(0), { payload: { type: 'record_set_aside', reason } }, numbered(1)]);
  });

  test('that one writer died of is written by its successor', async () => {
    const { sidecar, lines } = await openRecorded({ writerUrl: mutantWriter(SEES, endsBy(`if (${IS_FIRST_WRITER}) process.exit(1);`)) });
    const thread = await sidecar.createThread();
    thread.append(DEADLY);
    await thread.close();
    expect(await itemsOf(thread.path)).toEqual([DEADLY]);
    expect(errorsIn(lines)).toEqual([]);
  });

  test('in the place of one that was set aside in the ring is none that writers died of', async () => {
    const { sidecar, lines } = await openRecorded({ writerUrl: mutantWriter(SEES, endsBy('process.exit(1);')), ringBytes: 64 * 1024 });
    const thread = await sidecar.createThread();
    thread.append(DEADLY);
    await thread.flush();
    for (const index of upTo(5000)) thread.append(numbered(index));
    await thread.close();
    expect(errorsIn(lines)).toHaveLength(1);
    expect((await itemsOf(thread.path)).slice(1)).toEqual(upTo(5000).map(numbered));
  });

  test('that was being written when a writer died is not blamed', async () => {
    const { sidecar, lines } = await openRecorded({
      writerUrl: mutantWriter({ file: 'worker/rollout-file.js', find: 'writeAll(fs, descriptor, bytes, offset, length);', replace: 'if (this.written === 2) process.exit(1);\n            writeAll(fs, descriptor, bytes, offset, length);' }),
    });
    const thread = await sidecar.createThread();
    thread.appendAll([numbered(0), numbered(1)]);
    await thread.flush();
    const degraded = once(sidecar, 'degraded');
    thread.append(numbered(2));
    await degraded;
    await thread.close();
    expect(await itemsOf(thread.path)).toEqual(upTo(3).map(numbered));
    expect(errorsIn(lines)).toHaveLength(1);
  });
});

describe('a frame: the control', () => {
  test('a writer that marks none dies of it until main writes', async () => {
    const { sidecar } = await openRecorded({ writerUrl: mutantWriter(SEES, endsBy('process.exit(1);'), { file: 'src/ring/mark.js', find: 'control[MARK_WORD] = (address', replace: 'void (address' }) });
    const thread = await sidecar.createThread();
    const degraded = once(sidecar, 'degraded');
    thread.append(DEADLY);
    expect(await degraded).toMatchObject([{ threadId: undefined }]);
  });
});
