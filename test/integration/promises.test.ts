import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { MessagePort } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { mutantWriter } from '../support/mutants.js';
import { randomFrom, SEED } from '../support/random.js';
import { itemsOf, linesOf, numbered, openTestSidecar, recordsOf, rejection, temporaryFolder, upTo } from '../support/sidecars.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

test('P1: under a random load of appends, groups and flushes every thread holds exactly what it accepted, in order', async () => {
  const next = randomFrom(SEED);
  const sidecar = await openTestSidecar({ ringBytes: 64 * 1024, overflowBytes: 1024 * 1024, openFilesMax: 5 });
  const threads = await Promise.all(upTo(12).map(() => sidecar.createThread()));
  const accepted = threads.map((): object[] => []);
  const item = (index: number): { type: string; payload: unknown } => ({
    type: 'note', payload: { index, [`key${next(40)}`]: next(1_000_000), text: 'é"\\\n'.repeat(next(10) === 0 ? next(9000) : next(30)) },
  });
  for (let step = 0; step < 4000; step += 1) {
    const which = next(threads.length);
    const [thread, list] = [threads[which], accepted[which]];
    if (thread === undefined || list === undefined) throw new Error('no such thread');
    const move = next(100);
    if (move < 85) {
      const one = item(step);
      expect(thread.append(one)).toBe(list.length + 1);
      list.push(one);
    } else if (move < 97) {
      const group = upTo(next(20)).map((index) => item(step * 100 + index));
      expect(thread.appendAll(group)).toBe(list.length + 1);
      list.push(...group);
    } else {
      await thread.flush({ durability: move === 99 ? 'synced' : 'written' });
      expect(linesOf(thread.path)).toHaveLength(list.length + 1);
    }
  }
  await sidecar.close();
  for (const [index, thread] of threads.entries()) {
    expect((await recordsOf(thread.path)).map(({ ordinal }) => ordinal)).toEqual(upTo((accepted[index]?.length ?? 0) + 1));
    expect(await itemsOf(thread.path)).toEqual(accepted[index]);
  }
  expect(sidecar.stats().files.evicted).toBeGreaterThan(0);
});

for (const [name, drops, ordinal] of [['in the middle', 5, 6], ['at the end', 9, 10], ['at the beginning', 0, 1]] as const) {
  test(`P1: a writer that drops one frame ${name} makes close() reject with LASTWORD_DRAIN_INCOMPLETE that names thread and ordinal`, async () => {
    const writerUrl = mutantWriter({
      file: 'src/ring/ring-consumer.js',
      find: 'batch.addresses[batch.frames] = address;',
      replace: `if (memory.words[(address >>> 2) + 6] === ${drops}) return bytes;\n    batch.addresses[batch.frames] = address;`,
    });
    const sidecar = await openTestSidecar({ writerUrl });
    const thread = await sidecar.createThread();
    for (const index of upTo(10)) thread.append(numbered(index));
    const error = await rejection(thread.close()) as { context: { unwritten: { from: number; to: number }[] } };
    expect(error).toMatchObject({ code: 'LASTWORD_DRAIN_INCOMPLETE', context: { threadId: thread.id } });
    expect(error.context.unwritten[0]).toMatchObject({ threadId: thread.id, from: ordinal });
    // What was written before the hole is whole, and nothing stands behind it.
    expect(await itemsOf(thread.path)).toEqual(upTo(drops).map(numbered));
    expect(await rejection(sidecar.close())).toMatchObject({ code: 'LASTWORD_DRAIN_INCOMPLETE' });
  });
}

test('P2: two records never share a line, whatever the items hold', async () => {
  const sidecar = await openTestSidecar();
  const thread = await sidecar.createThread();
  const texts = ['\n', '\r\n', '\u2028', '\u2029', '\u0085', '\0', '\ud800', 'a\nb', '\\n', '"\n"', '{"a":1}\n{"b":2}'];
  for (const text of texts) thread.append({ type: text, payload: { [text]: text } });
  await thread.close();
  const lines = linesOf(thread.path);
  expect(lines).toHaveLength(texts.length + 1);
  for (const line of lines) expect(() => JSON.parse(line) as unknown).not.toThrow();
  for (const line of lines) expect(line).not.toMatch(/[\u2028\u2029]/);
});

test('P4: what flush() said is written survives SIGKILL of the process', async () => {
  const script = `import { openSidecar } from 'lastword';
    const sidecar = await openSidecar({ directory: ${JSON.stringify(temporaryFolder())}, logger: false });
    const thread = await sidecar.createThread();
    for (let index = 0; ; index += 1) {
      thread.append({ type: 'event_msg', payload: { index, text: 'item ' + index } });
      if (index % 50 === 49) { const { nextOrdinal } = await thread.flush(); console.log(JSON.stringify({ path: thread.path, nextOrdinal })); }
    }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
  let last: { path: string; nextOrdinal: number } | undefined;
  let flushes = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    last = JSON.parse(line) as NonNullable<typeof last>;
    flushes += 1;
    if (flushes === 20) child.kill('SIGKILL');
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  expect(child.signalCode).toBe('SIGKILL');
  if (last === undefined) throw new Error('the child flushed nothing');
  const whole = readFileSync(last.path, 'utf8').split('\n').slice(0, last.nextOrdinal);
  expect(whole.map((line) => (JSON.parse(line) as { ordinal: number }).ordinal)).toEqual(upTo(last.nextOrdinal));
  expect(flushes).toBeGreaterThanOrEqual(20);
});

test('P11: a full ring loses nothing and overwrites nothing: the append waits for the writer', async () => {
  const sidecar = await openTestSidecar({ ringBytes: 64 * 1024, overflowBytes: 64 * 1024, fullTimeoutMs: 60_000 });
  const thread = await sidecar.createThread();
  const items = upTo(5000).map((index) => ({ type: 'note', payload: { index, text: 'w'.repeat(300) } }));
  for (const item of items) thread.append(item);
  await thread.close();
  expect(await itemsOf(thread.path)).toEqual(items);
});

test('P11: option fullTimeoutMs: a full ring whose writer stands still refuses with LASTWORD_RING_FULL, and what was accepted is written when it goes on', async () => {
  const gate = join(temporaryFolder(), 'gate');
  // A writer that makes no pass while the gate is there.
  const writerUrl = mutantWriter({
    file: 'worker/writer-loop.js', find: 'const frames = writer.pass();',
    replace: `const { existsSync } = await import('node:fs');
      while (existsSync(${JSON.stringify(gate)})) await turn();
      const frames = writer.pass();`,
  });
  const sidecar = await openTestSidecar({ ringBytes: 64 * 1024, overflowBytes: 64 * 1024, fullTimeoutMs: 20, writerUrl });
  const thread = await sidecar.createThread();
  writeFileSync(gate, '');
  thread.append(numbered(0));
  let taken = 1;
  let refused: unknown;
  while (refused === undefined && taken < 10_000) {
    try {
      expect(thread.append({ type: 'note', payload: 'v'.repeat(500) })).toBe(taken + 1);
      taken += 1;
    } catch (error) {
      refused = error;
    }
  }
  expect(refused).toMatchObject({ code: 'LASTWORD_RING_FULL', context: { threadId: thread.id } });
  // Of the size that was refused: a smaller one may still find room.
  for (let tries = 0; tries < 50; tries += 1) expect(() => thread.append({ type: 'note', payload: 'v'.repeat(500) })).toThrow(/LASTWORD_RING_FULL/);
  expect(thread.accepted).toBe(taken + 1);
  rmSync(gate);
  await sidecar.drained();
  expect(thread.append(numbered(2))).toBe(taken + 1);
  expect((await thread.close()).items).toBe(taken + 1);
  expect(linesOf(thread.path)).toHaveLength(taken + 2);
});

test('P15: the file is valid UTF-8 with a newline as terminator only, whatever bytes the items hold', async () => {
  const sidecar = await openTestSidecar();
  const thread = await sidecar.createThread();
  const long = 'x'.repeat(100);
  for (const text of ['\ud800', '\udfff\ud800', `${long}\ud83d`, `\udc00${long}`, '😀', '\u0000\u001f\u007f', 'é€𐍈']) {
    thread.append({ type: 'note', payload: { text, [`k${text}`]: [text] } });
  }
  thread.append({ type: 'note', payload: Buffer.from([0xff, 0xfe, 0x0a]) });
  await thread.close();
  const bytes = readFileSync(thread.path);
  expect(() => new TextDecoder('utf-8', { fatal: true }).decode(bytes)).not.toThrow();
  expect(bytes.at(-1)).toBe(0x0a);
  expect((await itemsOf(thread.path)).slice(0, 2)).toEqual([
    { type: 'note', payload: { text: '\ufffd', 'k\ufffd': ['\ufffd'] } },
    { type: 'note', payload: { text: '\ufffd\ufffd', 'k\ufffd\ufffd': ['\ufffd\ufffd'] } },
  ]);
  expect((await itemsOf(thread.path)).at(-1)).toEqual({ type: 'note', payload: '//4K' });
});

test('a flush sends no Comlink message, and notifies at most as often as the writer has parked, plus one', async () => {
  const sidecar = await openTestSidecar();
  const thread = await sidecar.createThread();
  await thread.flush();

  const { postMessage } = MessagePort.prototype;
  let messages = 0;
  MessagePort.prototype.postMessage = function count(this: MessagePort, ...args: Parameters<typeof postMessage>) {
    messages += 1;
    postMessage.apply(this, args);
  };
  const before = sidecar.stats().signals;
  try {
    for (let round = 0; round < 20; round += 1) {
      for (const index of upTo(1000)) thread.append(numbered(index));
      await thread.flush({ durability: round % 2 === 0 ? 'written' : 'synced' });
    }
  } finally {
    MessagePort.prototype.postMessage = postMessage;
  }
  const after = sidecar.stats().signals;
  expect(messages).toBe(0);
  expect(after.commands).toBe(before.commands);
  expect(after.notifies - before.notifies).toBeLessThanOrEqual(after.parks - before.parks + 1);
  expect(after.notifies).toBeGreaterThan(0);
  // The control: a command is a message, and is counted.
  await sidecar.createThread();
  expect(sidecar.stats().signals.commands).toBe(before.commands + 1);
});
