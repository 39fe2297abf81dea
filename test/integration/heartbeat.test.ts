/** Leases of other hosts: every process is a host of its own here, and what takes a minute takes four seconds. */
import { statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { newThreadId } from '../../src/rollout/thread-id.js';
import { rolloutPath } from '../../src/rollout/rollout-path.js';
import { mutantPackage, type Patch } from '../support/mutants.js';
import { Racer } from '../support/racers.js';
import { itemsOf, numbered, temporaryFolder, until } from '../support/sidecars.js';

/** Longer than the pause after which an owner is no longer sure of its leases: half of the four seconds. */
const STOPPED_MS = 2_100;
const LONG_AGO_MS = 3_600_000;

const HOSTS: Patch[] = [
  { file: 'worker/lease/owner-file.js', find: 'HEARTBEAT_INTERVAL_MS = 10_000', replace: 'HEARTBEAT_INTERVAL_MS = 50' },
  { file: 'worker/lease/owner-file.js', find: 'HEARTBEAT_AGE_MAX_MS = 60_000', replace: 'HEARTBEAT_AGE_MAX_MS = 4_000' },
  { file: 'worker/lease/processes.js', find: 'host: hostname()', replace: 'host: `host-${process.pid}`' },
];

interface Scene { readonly id: string; readonly path: string; readonly lock: string; readonly owner: Racer; readonly other: Racer }

/** A thread that the owner has open, with one item in it. */
async function scene(...more: Patch[]): Promise<Scene> {
  const directory = temporaryFolder();
  const { lastwordUrl } = mutantPackage(...HOSTS, ...more);
  const [owner, other] = [await Racer.start(directory, lastwordUrl), await Racer.start(directory, lastwordUrl)];
  const id = newThreadId();
  expect(await owner.do({ command: 'create', id })).toEqual({ ok: true });
  expect(await owner.do({ command: 'append', item: numbered(0) })).toEqual({ ok: true });
  return { id, path: rolloutPath(directory, id), lock: join(directory, 'locks', `${id}.lock`), owner, other };
}

/** As if there had been no heartbeat for so long. */
function age(lock: string): void {
  const then = (Date.now() - LONG_AGO_MS) / 1000;
  utimesSync(lock, then, then);
}

test('the heart of an idle sidecar beats, and its thread is busy on other hosts', async () => {
  const { id, lock, owner, other } = await scene();
  for (let beat = 0; beat < 3; beat += 1) {
    age(lock);
    await until(() => Date.now() - statSync(lock).mtimeMs < LONG_AGO_MS / 2, 'a heartbeat');
  }
  expect(await other.do({ command: 'resume', id })).toMatchObject({
    ok: false, code: 'LASTWORD_THREAD_BUSY', context: { threadId: id, owner: { pid: owner.pid, host: `host-${owner.pid}` } },
  });
});

/** The owner is stopped, the other takes the thread over and writes, and then the owner goes on: what it is told, and what is in the file. */
async function stopAndTake({ id, path, lock, owner, other }: Scene): Promise<{ told: object; items: object[] }> {
  await owner.stop();
  const stoppedMs = Date.now();
  age(lock);
  expect(await other.do({ command: 'resume', id })).toEqual({ ok: true });
  await until(() => Date.now() - stoppedMs > STOPPED_MS, 'the pause');
  owner.continue();
  const told = await owner.do({ command: 'append', item: numbered(1) });
  await other.do({ command: 'append', item: numbered(2) });
  return { told, items: await itemsOf(path) };
}

test('an owner that was stopped for too long finds its thread taken: it writes nothing, and is told by whom', async () => {
  const track = await scene();
  const { told, items } = await stopAndTake(track);
  expect(told).toMatchObject({ ok: false, code: 'LASTWORD_WRITE_FAILED', context: { threadId: track.id, owner: { pid: track.other.pid } } });
  expect(items).toEqual([numbered(0), numbered(2)]);
  expect(await track.other.do({ command: 'close' })).toEqual({ ok: true });
});

test('the control: one that does not look writes into a thread that is another\'s', async () => {
  const { told } = await stopAndTake(await scene({ file: 'worker/lease/owner-file.js', find: 'this.#term += 1', replace: 'this.#term += 0' }));
  expect(told).toEqual({ ok: true });
});
