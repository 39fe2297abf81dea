/** A secret in everything that a host hands in and that a file can hold: it comes out where it was asked for, and nowhere else. */
import { spawnSync } from 'node:child_process';
import diagnosticsChannel from 'node:diagnostics_channel';
import { appendFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { openSidecar, readRollout, verifyRollout, verifyRollouts, type RolloutItem, type Sidecar, type SidecarOptions, type Thread } from 'lastword';
import { describe, expect, onTestFinished, test } from 'vitest';
import { mutantPackage, type Patch } from '../support/mutants.js';
import { plant } from '../support/planted.js';
import { RiggedDisk } from '../support/rigged-disk.js';
import { BREAKS, temporaryFolder, until } from '../support/sidecars.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SECRET = 'sk-canary-3f9a77';
/** Much longer than any word of the library about itself. */
const SAID_MAX = 20_000;

/** As text, as bytes and as base64. */
const FORMS = [
  SECRET, Buffer.from(SECRET).toString('hex'), [...Buffer.from(SECRET)].map((byte) => byte.toString(16)).join(' '), [...Buffer.from(SECRET)].join(', '),
  [...Buffer.from(SECRET)].join(','), Buffer.from(SECRET).toString('base64').slice(0, -2),
];

/** An error whose every part is secret. */
class SecretError extends Error {
  readonly code = SECRET;
  readonly detail = { SECRET };
  override readonly name = SECRET;

  constructor() {
    super(SECRET, { cause: SECRET });
  }
}

const raise = (): never => { throw new SecretError(); };

/** Everything that the library says of itself, with what it is called here. */
class Ear {
  readonly #heard: [what: string, said: unknown][] = [];

  hear(what: string, said: unknown): void {
    this.#heard.push([what, said]);
  }

  /** What the call throws or answers. */
  async call(what: string, act: () => unknown, answers = true): Promise<void> {
    try {
      const answer = await act();
      if (answers) this.hear(what, answer);
    } catch (error) {
      this.hear(what, error);
    }
  }

  get errors(): string[] {
    return this.#heard.flatMap(([, said]) => said instanceof Error ? [(said as { code?: string }).code ?? 'none'] : []);
  }

  /** What the secret was found in. */
  leaks(): string[] {
    return this.#heard.filter(([, said]) => isLeak(said)).map(([what]) => what);
  }
}

function isLeak(said: unknown): boolean {
  for (const text of textsOf(said)) if (text.length > SAID_MAX || FORMS.some((form) => text.includes(form))) return true;
  return false;
}

/** In all the ways that a host may print it. */
function* textsOf(said: unknown): Generator<string> {
  const deep = { depth: Number.POSITIVE_INFINITY, maxArrayLength: 10_000, maxStringLength: null, breakLength: Number.POSITIVE_INFINITY };
  for (const options of [{}, deep, { ...deep, showHidden: true }, { ...deep, getters: true }]) yield inspect(said, options);
  yield* [jsonOf(said), String(said)];
  if (said instanceof Error) yield* [said.stack ?? '', said.message, inspect(said.cause, deep)];
}

function jsonOf(said: unknown): string {
  try {
    return JSON.stringify(said) ?? '';
  } catch {
    return ''; // cyclic, and the like: it cannot be printed so
  }
}

const EVENTS = ['late', 'degraded', 'recovered', 'resumeFailed', 'writerRestarted', 'threadClosed', 'drain'] as const;

async function openHeard(ear: Ear, options: Partial<SidecarOptions>, open: typeof openSidecar): Promise<Sidecar> {
  const log = (level: string) => (...parts: unknown[]): void => { ear.hear(`log ${level}`, parts); };
  const sidecar = await open({
    directory: temporaryFolder(), syncIntervalMs: 0, logger: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') }, ...options,
  });
  onTestFinished(async () => { await sidecar.close({ timeoutMs: 500, abandon: true }).catch(() => undefined); });
  for (const event of EVENTS) {
    sidecar.on(event, (members: unknown) => { ear.hear(`event ${event}`, members); });
    const listener = (members: unknown): void => { ear.hear(`channel ${event}`, members); };
    diagnosticsChannel.subscribe(`lastword:${event}`, listener);
    onTestFinished(() => { diagnosticsChannel.unsubscribe(`lastword:${event}`, listener); });
  }
  return sidecar;
}

const item = { type: SECRET, payload: { [SECRET]: SECRET, list: [SECRET, SECRET.repeat(20)] }, [SECRET]: SECRET } as RolloutItem;
const as = (value: unknown): never => value as never;

/** Items, metadata and callbacks that are refused, and listeners that throw. */
async function hostsOwn(ear: Ear, open: typeof openSidecar): Promise<void> {
  const sidecar = await openHeard(ear, { itemBytesMax: 4096, redact: (given) => given.type === 'redact' ? raise() : given }, open);
  const thread = await sidecar.createThread({ meta: { [SECRET]: SECRET, cwd: SECRET, title: SECRET } });
  const cyclic: Record<string, unknown> = { ...item };
  cyclic['self'] = cyclic;
  const bad: unknown[] = [
    SECRET, [SECRET], { payload: SECRET }, { ...item, ordinal: SECRET }, { ...item, crc: SECRET }, { ...item, type: [SECRET] }, { ...item, symbol: Symbol(SECRET) }, cyclic,
    { ...item, get bad() { return raise(); } }, { ...item, toJSON: raise }, { ...item, inner: { toJSON: raise } }, { ...item, long: SECRET.repeat(1000) },
    { ...item, type: 'redact' }, new Proxy(item, { ownKeys: raise }), new Map([['type', SECRET]]), Object.assign(new SecretError(), { type: 'x' }),
    Array.from({ length: 1500 }).reduce<unknown>((inner) => ({ [SECRET]: inner }), item),
  ];
  for (const given of bad) {
    await ear.call('append', () => thread.append(as(given)));
    await ear.call('appendAll', () => thread.appendAll(as([item, given])));
    await ear.call('publish', () => thread.publish(as(given)));
  }
  for (const meta of [SECRET, [SECRET], { id: SECRET }, { get bad() { return raise(); } }, { bad: Symbol(SECRET) }, { [SECRET]: SECRET, history_mode: SECRET }, { long: SECRET.repeat(1e6) }]) {
    await ear.call('createThread', () => sidecar.createThread({ meta: as(meta) }));
    await ear.call('setMeta', () => thread.setMeta(as(meta)));
  }
  thread.subscribe(raise);
  sidecar.on('threadClosed', raise);
  await ear.call('publish', () => thread.publish(item));
  ear.hear('append', thread.append(item));
  ear.hear('appendAll', thread.appendAll([item, item]));
  ear.hear('setMeta', thread.setMeta({ [SECRET]: SECRET }));
  await ear.call('setThreadMeta', () => sidecar.setThreadMeta(thread.id, { cwd: SECRET }));
  const hold = thread.hold('a label');
  void thread.track(Promise.reject(new SecretError()).catch(() => undefined));
  for (const [what, handle] of Object.entries({ sidecar, thread, hold, stats: sidecar.stats(), live: [...sidecar.liveThreads()], reading: sidecar.readThread(thread.id), signal: thread.signal })) {
    ear.hear(`handle ${what}`, handle);
  }
  await ear.call('flush', () => thread.flush({ durability: 'synced' }));
  const fork = await sidecar.forkThread(thread.id, { meta: { [SECRET]: SECRET } });
  ear.hear('handle fork', fork);
  await ear.call('close', () => thread.close({ timeoutMs: 400 }));
  thread.append(item);
  await ear.call('close', () => sidecar.close());
  ear.hear('closed', [sidecar, thread, sidecar.stats()]);
}

/** Disks that refuse, writers that die, closes that cannot finish. */
async function failingSystem(ear: Ear, open: typeof openSidecar): Promise<void> {
  const disk = new RiggedDisk('EIO', { word: SECRET });
  const sidecar = await openHeard(ear, { writerUrl: disk.writerUrl, ringBytes: 65_536, overflowBytes: 65_536, whenFull: 'throw' }, open);
  const thread = await sidecar.createThread();
  let isDegraded = false;
  sidecar.on('degraded', () => { isDegraded = true; });
  disk.refuse();
  thread.append(item);
  await until(() => isDegraded, 'degraded');
  for (let full = false; !full;) await ear.call('append', () => thread.append(item), false).then(() => { full = ear.errors.includes('LASTWORD_RING_FULL'); });
  await ear.call('flush', () => thread.flush({ timeoutMs: 20 }));
  await ear.call('close', () => thread.close({ timeoutMs: 50 }));
  await ear.call('sidecar close', () => sidecar.close({ timeoutMs: 50 }));
  ear.hear('failing', [sidecar, thread, sidecar.stats()]);
  await ear.call('abandon', () => thread.close({ timeoutMs: 100, abandon: true }));

  const dying = await openHeard(ear, { writerUrl: new RiggedDisk('EIO', { more: [BREAKS] }).writerUrl }, open);
  const [one, other] = [await dying.createThread(), await dying.createThread()];
  for (const dyer of [one, other]) {
    dyer.append({ ...item, type: `BREAK${SECRET}` });
    await ear.call('flush of a dying writer', () => dyer.flush({ timeoutMs: 3_000 }));
  }
  ear.hear('dying', [dying, one, dying.stats()]);
  await ear.call('close of a dying writer', () => dying.close({ timeoutMs: 1_000 }));
}

/** Rollouts that others left, with the secret in whatever is wrong with them. */
async function damagedFiles(ear: Ear, open: typeof openSidecar): Promise<void> {
  const sidecar = await openHeard(ear, {}, open);
  const make = async (): Promise<Thread> => {
    const thread = await sidecar.createThread({ meta: { [SECRET]: SECRET } });
    for (let index = 0; index < 3; index += 1) thread.append(item);
    await thread.close();
    return thread;
  };
  const whole = await make();
  const torn = await make();
  appendFileSync(torn.path, `{"timestamp":"${SECRET}`);
  const middle = await make();
  appendFileSync(middle.path, `${SECRET}\n{"type":"${SECRET}"}\n{"timestamp":"${SECRET}","ordinal":9,"type":"${SECRET}","crc":"00000000"}\n`);
  appendFileSync(middle.path, '{"timestamp":"2026-01-01T00:00:00.000Z","ordinal":99,"type":"x"}\n');
  const headless = await make();
  writeFileSync(headless.path, `{"${SECRET}":"${SECRET}"}\n`);
  const base = plant(sidecar.directory, { meta: { history_base: { thread_id: SECRET, end_ordinal_exclusive: 1 }, parent_thread_id: SECRET } });
  const gone = await make();
  truncateSync(gone.path, 10);
  writeFileSync(join(sidecar.directory, 'catalogue.jsonl'), `{"${SECRET}":"${SECRET}"`);
  await ear.call('damaged', async () => (await sidecar.listThreads({ sort: 'updated' })).damaged);
  for (const { id, path } of [whole, torn, middle, headless, base, gone]) {
    const drain = async (records: AsyncIterable<unknown>): Promise<void> => { for await (const record of records) void record; };
    const onDamage = (damage: unknown): void => { ear.hear('damage', damage); };
    for (const view of ['raw', 'effective', 'resume'] as const) await ear.call(`readThread ${view}`, () => drain(sidecar.readThread(id, { view, onDamage })));
    await ear.call('readThread counted', () => drain(sidecar.readThread(id)));
    await ear.call('readRollout', () => drain(readRollout(path, { onDamage })));
    await ear.call('verifyRollout', () => verifyRollout(path));
    await ear.call('resumeThread', () => sidecar.resumeThread(id));
    await ear.call('forkThread', () => sidecar.forkThread(id, { through: 50 }));
    await ear.call('resumeThread', () => sidecar.resumeThread(id, { ifMissing: 'create' }));
    await ear.call('deleteThread', () => sidecar.deleteThread(id));
    await ear.call('getThread', () => sidecar.getThread(id), false);
  }
  await ear.call('verifyRollouts', () => verifyRollouts(sidecar.directory));
  await ear.call('close', () => sidecar.close());
}

async function heard(patches: readonly Patch[], scenes: readonly ((ear: Ear, open: typeof openSidecar) => Promise<void>)[]): Promise<Ear> {
  const ear = new Ear();
  const open = patches.length === 0 ? openSidecar : (await import(mutantPackage(...patches).lastwordUrl) as { openSidecar: typeof openSidecar }).openSidecar;
  for (const scene of scenes) await scene(ear, open);
  return ear;
}

describe('a secret', () => {
  test('P20: in items, metadata and what the host throws is in no error, log, event, figure or printed handle', async () => {
    const ear = await heard([], [hostsOwn]);
    expect(ear.leaks()).toEqual([]);
    expect([...new Set(ear.errors)].sort()).toEqual(['LASTWORD_INVALID_OPTION', 'LASTWORD_ITEM_INVALID', 'LASTWORD_ITEM_TOO_LARGE']);
  });

  test('P20: in items that cannot be written is in none either', async () => {
    const ear = await heard([], [failingSystem]);
    expect(ear.leaks()).toEqual([]);
    expect([...new Set(ear.errors)]).toEqual(expect.arrayContaining(['LASTWORD_RING_FULL', 'LASTWORD_TIMEOUT', 'LASTWORD_DRAIN_INCOMPLETE']));
  });

  test('P20: in files that others left is in none either', async () => {
    const ear = await heard([], [damagedFiles]);
    expect(ear.leaks()).toEqual([]);
    expect([...new Set(ear.errors)]).toEqual(expect.arrayContaining(['LASTWORD_ROLLOUT_CORRUPT', 'LASTWORD_INVALID_OPTION']));
  });

  test('P20: is not on stderr or stdout of a host that gave no logger, whatever goes wrong', () => {
    const program = `import { openSidecar } from 'lastword';
      import { appendFileSync } from 'node:fs';
      const sidecar = await openSidecar({ directory: ${JSON.stringify(temporaryFolder())}, writerUrl: new URL(${JSON.stringify(new RiggedDisk('EIO', { word: 'REFUSED' }).writerUrl)}), exitTimeoutMs: 100 });
      const item = ${JSON.stringify(item)};
      const thread = await sidecar.createThread({ meta: item });
      thread.subscribe(() => { throw new Error(item.type); });
      await thread.publish(item);
      await thread.close();
      appendFileSync(thread.path, '{"' + item.type);
      const again = await sidecar.resumeThread(thread.id);
      again.hold('a label');
      await again.close({ timeoutMs: 50 });
      const last = await sidecar.resumeThread(thread.id);
      last.append({ type: item.type });
      process.exit(0);`;
    const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { cwd: ROOT, encoding: 'utf8' });
    expect(status, stderr).toBe(0);
    expect(stdout).toBe('');
    expect(stderr).toContain('the end of the rollout was torn');
    expect(stderr).toContain('a subscriber threw');
    for (const form of FORMS) expect(stderr).not.toContain(form);
  });
});

describe('the control: the same finds a secret', () => {
  test.each([
    ['in a refusal that quotes the item', [hostsOwn], 'append', { file: 'src/item-check.js', find: "throw itemInvalid(threadId, 'is not an object');", replace: "throw itemInvalid(threadId, 'is not an object: ' + JSON.stringify(item));" }],
    ['in a refusal with what the host threw', [hostsOwn], 'append', { file: 'src/item-check.js', find: "throw itemInvalid(threadId, 'was refused: redact threw', kindOfThrown(error));", replace: "throw Object.assign(itemInvalid(threadId, 'x'), { cause: error });" }],
    ['in a log line of what a subscriber threw', [hostsOwn], 'log error', { file: 'src/lifecycle/deliveries.js', find: 'this.#onThrow(kindOfThrown(error), ordinal)', replace: 'this.#onThrow(error, ordinal)' }],
    ['in a printed sidecar', [hostsOwn], 'handle sidecar', { file: 'src/sidecar.js', find: "printAs(OpenSidecar, 'Sidecar'", replace: "printAs(class {}, 'Sidecar'" }],
    ['in the reason why a file is damaged', [damagedFiles], 'damaged', { file: 'src/reader/lists/glean.js', find: "return 'it does not begin with a header';", replace: 'return `it begins with ${first.content}`;' }],
  ] as [string, ((ear: Ear, open: typeof openSidecar) => Promise<void>)[], string, Patch][])('%s', async (_what, scenes, where, patch) => {
    expect((await heard([patch], scenes)).leaks()).toContain(where);
  });
});
