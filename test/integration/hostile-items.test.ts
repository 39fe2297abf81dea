/** Thousands of items as no host should append them: refused, typed and without a trace, or stored as docs/format.md says. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { openSidecar as openShipped, type RolloutItem, type Sidecar } from 'lastword';
import { expect, onTestFinished, test } from 'vitest';
import { hostileItems, hostileValues, storedJson } from '../support/hostile-items.js';
import { mutantPackage, standsWhile, type Patch } from '../support/mutants.js';
import { SEED } from '../support/random.js';
import { itemsOf, numbered, recordsOf, temporaryFolder, upTo } from '../support/sidecars.js';
import { counted } from '../support/trials.js';

const RUNS = Number(process.env['LASTWORD_HOSTILE_RUNS'] ?? 5000);
const PER_THREAD = 500;
const REFUSALS = ['LASTWORD_ITEM_INVALID', 'LASTWORD_ITEM_TOO_LARGE'];

async function openWith(patches: readonly Patch[]): Promise<Sidecar> {
  const open = patches.length === 0 ? openShipped : (await import(mutantPackage(...patches).lastwordUrl) as { openSidecar: typeof openShipped }).openSidecar;
  const sidecar = await open({ directory: temporaryFolder(), logger: false, syncIntervalMs: 0, itemBytesMax: 1 << 20 });
  onTestFinished(async () => { await sidecar.close({ timeoutMs: 2_000 }).catch(() => undefined); });
  return sidecar;
}

/** Something is stored in the place of what is refused. */
const STORES_ANOTHER: Patch = {
  file: 'src/thread.js', find: 'const count = this.#host.producer.append(this.slot, this.incarnation, checked);',
  replace: `let count;
    try {
      count = this.#host.producer.append(this.slot, this.incarnation, checked);
    } catch (error) {
      this.#host.producer.append(this.slot, this.incarnation, { type: 'refused' });
      throw error;
    }`,
};

/** What docs/format.md says of the item: its JSON, or undefined where it is to be refused. */
function expectationOf(item: unknown): string | undefined {
  try {
    return storedJson(item);
  } catch {
    return undefined; // refused, or what a member of it throws
  }
}

const RAISED = new Error('raised by a member');

interface Finding { readonly item: string; readonly what: string }

/** Appends them all; what was not as it should be. */
async function findings(runs: number, patches: readonly Patch[] = []): Promise<{ found: Finding[]; stored: number; refused: number }> {
  const sidecar = await openWith(patches);
  const makes = fc.sample(hostileItems(() => { throw RAISED; }), { numRuns: runs, seed: SEED });
  const witness = await sidecar.createThread();
  const found: Finding[] = [];
  let [stored, refused] = [0, 0];
  for (let from = 0; from < makes.length; from += PER_THREAD) {
    const thread = await sidecar.createThread();
    const texts: string[] = [];
    for (const make of makes.slice(from, from + PER_THREAD)) {
      const item = make();
      const note = (what: string): void => { found.push({ what, item: described(item) }); };
      const expected = expectationOf(make());
      const before = thread.accepted;
      try {
        const given = thread.append(item as RolloutItem);
        stored += 1;
        if (expected === undefined) note('was taken');
        if (given !== before) note(`got the ordinal ${given}, not ${before}`);
        texts.push(expected ?? '"taken"');
      } catch (error) {
        refused += 1;
        const { code, context } = error as { code?: string; context?: { threadId?: string } };
        if (!REFUSALS.includes(code ?? '') || context?.threadId !== thread.id) note(`was refused with ${inspect(error).slice(0, 300)}`);
        if (expected !== undefined) note(`was refused, though it is stored as ${expected.slice(0, 200)}`);
        if (thread.accepted !== before) note('was refused, and counted');
      }
      witness.append(numbered(witness.accepted));
    }
    await thread.close();
    const bytes = readFileSync(thread.path);
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    const lines = text.split('\n').slice(1);
    if (lines.pop() !== '' || lines.length !== texts.length) found.push({ what: `${lines.length} lines for ${texts.length} items`, item: '' });
    for (const [index, line] of lines.entries()) {
      const [is, was] = [canonical(line, true), canonical(texts[index] ?? 'null', false)];
      if (is !== was) found.push({ what: `stored as ${is.slice(0, 500)}, not as ${was.slice(0, 500)}`, item: '' });
    }
  }
  await witness.close();
  const witnessed = JSON.stringify(await itemsOf(witness.path));
  if (witnessed !== JSON.stringify(upTo(makes.length).map((index) => numbered(index + 1)))) found.push({ what: 'another thread is not as it was', item: '' });
  await sidecar.close();
  return { found, stored, refused };
}

function described(item: unknown): string {
  try {
    return inspect(item, { depth: 4, maxStringLength: 100, breakLength: 200 }).slice(0, 1000);
  } catch {
    return 'what cannot be looked at';
  }
}

/** As text again, so that a member named __proto__ counts; of names that come twice the last one counts, as in JSON.parse. */
function canonical(text: string, isLine: boolean): string {
  const parsed = JSON.parse(text) as Record<string, unknown>;
  if (!isLine) return JSON.stringify(parsed);
  const { timestamp, ordinal, crc, ...item } = parsed;
  return JSON.stringify(item);
}

test(`P14 P15: ${RUNS} hostile items are refused, typed and without effect, or stored as JSON in valid UTF-8`, async ({ task }) => {
  counted(task, RUNS);
  const { found, stored, refused } = await findings(RUNS);
  expect(found.slice(0, 5), `${found.length} of ${RUNS} items (LASTWORD_SEED=${SEED})`).toEqual([]);
  // Neither is the exception.
  expect(stored).toBeGreaterThan(RUNS / 3);
  expect(refused).toBeGreaterThan(RUNS / 20);
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

test.each([
  ['takes what throws a proxy for an error of its own', { file: 'src/producer/refusals.js', find: 'types.isNativeError(error) && error instanceof RangeError', replace: 'error instanceof RangeError' }],
  ['lets through what looking at an item throws', { file: 'src/item-check.js', find: 'throw isLastwordError(error) ? error : itemInvalid(threadId, THROWS, kindOfThrown(error));', replace: 'throw error;' }],
  ['stores boxed values as objects', { file: 'src/producer/normalise.js', find: 'if (types.isBoxedPrimitive(value))', replace: 'if (false)' }],
  ['forgets the members after one that is no JSON', { file: 'src/producer/normalise.js', find: 'if (value !== undefined)', replace: 'if (value === undefined) break; else' }],
  ['stores something in the place of what it refuses', STORES_ANOTHER],
] as [string, Patch][])('P14 P15, the control: the same finds a library that %s', async (_what, patch) => {
  expect((await findings(600, [patch])).found.length).toBeGreaterThan(0);
});

test('P14: what is refused leaves ring and overflow as they were', async () => {
  const used = async (patches: readonly Patch[]): Promise<number[]> => {
    const gate = join(temporaryFolder(), 'gate');
    // Without a writer that empties them meanwhile.
    const sidecar = await openWith([standsWhile(gate), ...patches]);
    const thread = await sidecar.createThread();
    writeFileSync(gate, '');
    const changes: number[] = [];
    const bytes = (): number => sidecar.stats().bytes.ringUsed + sidecar.stats().bytes.overflow;
    for (const make of fc.sample(hostileItems(() => { throw RAISED; }), { numRuns: 600, seed: SEED })) {
      const before = bytes();
      try {
        thread.append(make() as RolloutItem);
      } catch {
        changes.push(bytes() - before);
      }
    }
    rmSync(gate);
    return changes;
  };
  const changes = await used([]);
  expect(changes.length).toBeGreaterThan(100);
  // A pass that had begun before may still let go of something.
  expect(changes.filter((change) => change > 0)).toEqual([]);
  expect((await used([STORES_ANOTHER])).some((change) => change > 0)).toBe(true);
});

test('P14: metadata of any kind is refused, typed and without effect, or is the header\'s, and the thread is found and resumed', async () => {
  const sidecar = await openWith([]);
  const values = hostileValues(() => { throw RAISED; });
  const members = fc.array(fc.tuple(fc.constantFrom('cwd', 'title', 'git', 'parent_thread_id', 'toJSON', '__proto__', 'constructor'), values), { minLength: 1, maxLength: 4 });
  const metas = fc.oneof({ weight: 4, arbitrary: members.map((list) => () => Object.fromEntries(list.map(([name, make]) => [name, make()]))) }, { weight: 1, arbitrary: values });
  let [stored, refused] = [0, 0];
  for (const make of fc.sample(metas, { numRuns: 300, seed: SEED })) {
    const open = [...sidecar.liveThreads()].length;
    try {
      const thread = await sidecar.createThread({ meta: make() as Record<string, unknown> });
      thread.setMeta({ title: 'changed' });
      await thread.close();
      stored += 1;
      const [header] = await recordsOf(thread.path);
      expect(header).toMatchObject({ type: 'session_meta', ordinal: 0, payload: { id: thread.id, history_mode: 'paginated' } });
      // Undefined is none.
      const { toJSON, ...meta } = (make() ?? {}) as Record<string, unknown>;
      const whole = { type: 'x', payload: { ...meta, ...(typeof toJSON === 'function' ? {} : { toJSON }) } };
      const { id, timestamp, history_mode, ...payload } = (header as { payload: Record<string, unknown> }).payload;
      expect(canonical(JSON.stringify({ type: 'x', payload }), true)).toBe(canonical(storedJson(whole), false));
      expect((await sidecar.getThread(thread.id))?.title).toBe('changed');
      await (await sidecar.resumeThread(thread.id)).close();
    } catch (error) {
      expect(['LASTWORD_INVALID_OPTION', ...REFUSALS], inspect(error)).toContain((error as { code?: string }).code);
      expect([...sidecar.liveThreads()]).toHaveLength(open);
      refused += 1;
    }
  }
  expect(Math.min(stored, refused)).toBeGreaterThan(20);
});
