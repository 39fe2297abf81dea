/**
 * A small run over everything that changes a directory: steps.mjs <directory> <number> [<writer>]. Number 1 leaves a thread behind
 * and dies; others go on with it. Tells as `host.mjs` does.
 */
import './predictable.mjs';
import fs from 'node:fs';
import { openSidecar } from 'lastword';

const [directory, number] = process.argv.slice(2);
const idOf = (which) => `01932b2e-0000-7000-8000-00000000000${which}`;
const sidecar = await openSidecar({ directory, logger: false, syncIntervalMs: 0, writerUrl: new URL('predictable-writer.mjs', import.meta.url) });
const threads = [];

function tell(more = {}) {
  const levels = { synced: threads.map(({ synced }) => synced), written: threads.map(({ written }) => written), accepted: threads.map(({ accepted }) => accepted) };
  fs.writeSync(3, `${JSON.stringify({ ...levels, ...more })}\n`);
}

function opened(thread) {
  threads.push(thread);
  tell({ paths: threads.map(({ path }) => path), ids: threads.map(({ id }) => id) });
  return thread;
}

/** All at once, so that it is one write, the same one in every run. */
async function append(thread, durability) {
  thread.appendAll([0, 1, 2].map((index) => ({ type: 'event_msg', payload: { index, bytes: 100, text: 'x'.repeat(100) } })));
  await thread.flush({ durability });
  tell();
}

if (number === '1') {
  await append(opened(await sidecar.createThread({ id: idOf(1) })), 'synced');
  process.kill(process.pid, 'SIGKILL');
}
const resumed = opened(await sidecar.resumeThread(idOf(1)));
await append(resumed, 'synced');
const created = opened(await sidecar.createThread({ id: idOf(2) }));
await append(created, 'written');
await append(created, 'synced');
await append(resumed, 'written');
await created.close();
tell();
await sidecar.archiveThread(created.id);
const deleted = await sidecar.createThread({ id: idOf(3) });
await deleted.close();
await sidecar.deleteThread(deleted.id);
await sidecar.close();
tell({ isClosed: true });
