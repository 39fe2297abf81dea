/** Makes the end of a rollout whole, as resuming it would, or says what there is to do. */
import { LastwordError } from '../src/errors.js';
import type { Repair, RepairReport } from '../src/pool/tasks.js';
import { codexHolder, leaseHolder, leasePath } from '../src/reader/lease-holder.js';
import { openStored } from '../src/reader/rollout-source.js';
import { HeldPool } from './held.js';
import type { Leases } from './lease/leases.js';
import { findEnd } from './recovery/find-end.js';
import { resumeRollout } from './recovery/resume-rollout.js';
import { isMarked, syncOrMark } from './rewrite.js';
import type { Clock, FsOps } from './seams.js';

/** Nothing is appended, so nothing is held; a pool has some size. */
const HELD_BYTES = 1 << 20;

export interface RepairParts {
  readonly fs: FsOps;
  readonly clock: Clock;
  /** Of the directory, where the rollout is in one. */
  readonly leases: Leases;
}

/** @throws LASTWORD_THREAD_BUSY (context.owner), LASTWORD_THREAD_NOT_FOUND, LASTWORD_ROLLOUT_CORRUPT (no header), system errors */
export async function repairRollout(parts: RepairParts, { path, place, isToWrite }: Repair): Promise<RepairReport> {
  const { fs, leases } = parts;
  if (!isToWrite) {
    await assertNotHeld(place);
    return look(fs, path);
  }
  if (place !== undefined) leases.hold(place.id);
  try {
    const before = await look(fs, path);
    return before.isWhole ? before : { ...before, ...await makeWhole(parts, path, place?.id ?? '') };
  } finally {
    leases.releaseAll();
  }
}

/** A torn end may be a write under way. */
async function assertNotHeld(place: Repair['place']): Promise<void> {
  if (place === undefined) return;
  const { directory, id } = place;
  const holder = await leaseHolder(leasePath(directory, id));
  const owner = holder === undefined ? codexHolder(directory, id) : holder.owner;
  if (holder === undefined && owner === undefined) return;
  const where = owner === undefined ? 'elsewhere' : `in process ${owner.pid} on ${owner.host}`;
  throw new LastwordError('LASTWORD_THREAD_BUSY', `thread ${id} is open ${where}`, { threadId: id });
}

/** Changes nothing. */
async function look(fs: FsOps, path: string): Promise<RepairReport> {
  const file = await openStored(path);
  try {
    const { wholeBytes, lacksNewline, tornBytes } = findEnd(fs, file.fd, path);
    const isUnsynced = isMarked(fs, path);
    return { path, isWhole: tornBytes === 0 && !lacksNewline && !isUnsynced, isRepaired: false, wholeBytes, tornBytes, lacksNewline, isUnsynced, keptAt: undefined };
  } finally {
    await file.close();
  }
}

async function makeWhole({ fs, clock, leases }: RepairParts, path: string, threadId: string): Promise<Pick<RepairReport, 'isRepaired' | 'keptAt'>> {
  const { descriptor, resumed } = await resumeRollout({ fs, clock, leases, held: new HeldPool(HELD_BYTES) }, { threadId, path, slot: 0, incarnation: 0 });
  try {
    await syncOrMark(fs, descriptor, path);
  } finally {
    fs.close(descriptor);
  }
  return { isRepaired: true, keptAt: resumed.keptAt };
}
