/** Descriptors, threads, listeners and memory: few of them, and what is opened and closed leaves none behind. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { openSidecar } from 'lastword';
import { describe, expect, onTestFinished, test } from 'vitest';
import { mutantPackage, type Patch } from '../support/mutants.js';
import { BREAKS, itemsOf, numbered, rejection, temporaryFolder } from '../support/sidecars.js';
import { within } from '../support/steps.js';
import { counted } from '../support/trials.js';

const SHIPPED = new URL('../../dist/src/index.js', import.meta.url).href;
const programOf = (name: string): string => fileURLToPath(new URL(`../support/resources/${name}.mjs`, import.meta.url));

describe('10,000 threads in a process that may have 64 descriptors', () => {
  function open(threads: number, lastword: string): Record<string, unknown> | string {
    const { stdout, stderr } = spawnSync('sh', ['-c', 'ulimit -n 64; exec "$0" "$@"', process.execPath, programOf('many-threads'), lastword, temporaryFolder(), String(threads)], { encoding: 'utf8' });
    return stdout === '' ? stderr : JSON.parse(stdout) as Record<string, unknown>;
  }

  test('are all open, written, read and closed, and nobody is degraded', () => {
    const threads = 10_000;
    expect(open(threads, SHIPPED)).toEqual({ degraded: 0, wrong: 0, listed: 100, isWithin: true, evicted: true, threads, items: 2 * threads, locks: 0 });
  });

  test('the control: the same finds a writer that gives up no descriptor for another', () => {
    const { lastwordUrl } = mutantPackage({ file: 'worker/main.js', find: 'Math.min(data.openFilesMax, Math.ceil(descriptorsMax() / 2))', replace: 'data.openFilesMax' }, {
      file: 'worker/file-table.js', find: '&& this.#evict()', replace: '&& false',
    });
    expect(open(200, lastwordUrl)).not.toMatchObject({ degraded: 0, threads: 200 });
  });
});

describe('a system that has no thread left', () => {
  const FAILS: Patch = {
    file: 'src/control/writer-handle.js', find: 'this.#worker = new Worker(',
    replace: `if (globalThis.hasNoThread === true) throw Object.assign(new Error('Worker initialization failure: EAGAIN'), { code: 'ERR_WORKER_INIT_FAILED' });
        this.#worker = new Worker(`,
  };
  const limit = globalThis as { hasNoThread?: boolean };

  async function openWithout(patches: readonly Patch[]): Promise<unknown> {
    const { openSidecar: open } = await import(mutantPackage(FAILS, ...patches).lastwordUrl) as { openSidecar: typeof openSidecar };
    limit.hasNoThread = true;
    onTestFinished(() => { limit.hasNoThread = false; });
    const directory = temporaryFolder();
    const error = await rejection(within(open({ directory, logger: false }), 'the opening'));
    limit.hasNoThread = false;
    const sidecar = await open({ directory, logger: false });
    await sidecar.close();
    return error;
  }

  test('makes openSidecar() reject with a code, and the next one succeeds when there is one', async () => {
    expect(await openWithout([])).toMatchObject({ code: 'LASTWORD_WRITER_EXITED', cause: { code: 'ERR_WORKER_INIT_FAILED' } });
  });

  test('the control: the same finds a library that lets the error of the system through', async () => {
    expect(await openWithout([{ file: 'src/control/writer-link.js', find: "throw new LastwordError('LASTWORD_WRITER_EXITED', 'the writer could not be started', {}, { cause });", replace: 'throw cause;' }])).not.toMatchObject({ code: 'LASTWORD_WRITER_EXITED' });
  });

  test('when the writer dies too: the host thread writes by itself, and nothing is lost', async () => {
    // Only in the writer: this thread has the variable.
    const dies: Patch = { ...BREAKS, replace: BREAKS.replace.replace('if (', 'if (globalThis.hasNoThread === undefined && ') };
    const { openSidecar: open } = await import(mutantPackage(FAILS, dies).lastwordUrl) as { openSidecar: typeof openSidecar };
    limit.hasNoThread = false;
    const sidecar = await open({ directory: temporaryFolder(), logger: false });
    const thread = await sidecar.createThread();
    limit.hasNoThread = true;
    onTestFinished(() => { limit.hasNoThread = false; });
    const items = [numbered(0), { type: 'BREAK' }, numbered(1)];
    for (const item of items) thread.append(item);
    await within(thread.flush(), 'the flush');
    await thread.close();
    expect(await itemsOf(thread.path)).toEqual(items);
    await sidecar.close();
  });

  /** Its limit counts for users that are not root, who must be able to read the package. */
  const asNobody = { uid: 65_533, gid: 65_533, encoding: 'utf8' } as const;
  const threads = process.getuid?.() === 0 && spawnSync('bash', ['--version']).status === 0 ? Number(spawnSync(process.execPath, [programOf('no-threads'), SHIPPED], asNobody).stdout) : 0;

  test.skipIf(!(threads > 0))('a real one: openSidecar() rejects in the same way (needs root and bash)', () => {
    const folder = mkdtempSync(join(tmpdir(), 'lastword-unprivileged-'));
    onTestFinished(() => { rmSync(folder, { recursive: true, force: true }); });
    chmodSync(folder, 0o777);
    const { stdout } = spawnSync('bash', ['-c', `ulimit -u ${threads}; exec "$0" "$@"`, process.execPath, programOf('no-threads'), SHIPPED, join(folder, 'home')], asNobody);
    expect(stdout).toBe('LASTWORD_WRITER_EXITED, for ERR_WORKER_INIT_FAILED\n');
  });
});

describe('opened and closed again and again', () => {
  interface Counts { descriptors: number; threads: number; listeners: number; resources: number; memoryMiB: number; virtualMiB: number }
  function left(what: 'sidecars' | 'threads', cycles: number, patches: readonly Patch[] = []): Counts {
    const lastword = patches.length === 0 ? SHIPPED : mutantPackage(...patches).lastwordUrl;
    const { stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', programOf('cycles'), lastword, temporaryFolder(), String(cycles), what], { encoding: 'utf8' });
    expect(stdout, stderr).not.toBe('');
    const { before, after } = JSON.parse(stdout) as { before: Counts; after: Counts };
    return Object.fromEntries(Object.entries(after).map(([name, count]) => [name, count - before[name as keyof Counts]])) as unknown as Counts;
  }

  /** Of all cycles together; one that leaks leaks in each. */
  const NOTHING = { descriptors: 0, threads: 0, listeners: 0, resources: 0, memoryMiB: expect.toSatisfy((mib: number) => mib < 10) as number, virtualMiB: expect.toSatisfy((mib: number) => mib < 300) as number };
  const SIDECARS = Number(process.env['LASTWORD_CYCLES'] ?? 40);
  const THREADS = 500;

  test(`P21: ${SIDECARS} sidecars leave no descriptor, thread, listener or memory behind`, ({ task }) => {
    counted(task, SIDECARS);
    expect(left('sidecars', SIDECARS)).toEqual(NOTHING);
  });

  test(`${THREADS} threads, each resumed once, leave none behind in theirs`, () => {
    expect(left('threads', THREADS)).toEqual(NOTHING);
  });

  test.each([
    ['listens once more each time', 'sidecars', 20, { file: 'src/open-sidecar.js', find: 'return sidecar;', replace: "process.setMaxListeners(0).on('exit', () => undefined); return sidecar;" }, 'listeners', 20],
    ['keeps every sidecar', 'sidecars', 20, { file: 'src/open-sidecar.js', find: 'return sidecar;', replace: '(globalThis.kept ??= []).push(sidecar); return sidecar;' }, 'virtualMiB', 300],
    ['closes no file', 'threads', 50, { file: 'worker/control.js', find: 'files.close(file);', replace: ';' }, 'descriptors', 50],
  ] as [string, 'sidecars' | 'threads', number, Patch, keyof Counts, number][])('P21, the control: the same finds a library that %s', (_what, what, cycles, patch, count, least) => {
    expect(left(what, cycles, [patch])[count]).toBeGreaterThanOrEqual(least);
  });
});
