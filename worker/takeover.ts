/** What a writer does first that comes after a dead one: the same memory, and files whose end the dead one knew alone. */
import { dirname } from 'node:path';
import type { Opening } from '../src/control/protocol.js';
import { fromWireError, isLastwordError, LastwordError } from '../src/errors.js';
import { acceptedIn, sealWordOf, stateOf, syncedOf, writtenOf } from '../src/ring/slots.js';
import type { Engine } from './engine.js';
import type { HeldPool } from './held.js';
import { findEnd } from './recovery/find-end.js';
import { makeWhole } from './recovery/resume-rollout.js';
import { RolloutFile } from './rollout-file.js';
import type { FsOps } from './seams.js';

/** Before anything else. Returns how many items are accepted and not in their files yet. */
export function takeOver(engine: Engine, directory: string, openings: readonly Opening[]): number {
  const { leases, sidecar, syncs, writer } = engine;
  syncs.folders.rootOpened(directory, undefined);
  leases.openDirectory(directory);
  leases.takeOver(new Set(openings.map(({ threadId }) => threadId)));
  let left = 0;
  for (const opening of openings) {
    const accepted = acceptedIn(sealWordOf(sidecar, opening.slot));
    const written = writtenOf(sidecar, opening.slot);
    if (opening.failure === undefined && written === accepted && isAnothers(engine, opening)) continue;
    const file = adopt(engine, opening);
    if (opening.failure !== undefined) continue;
    if (stateOf(sidecar, opening.slot) === 'failed') {
      writer.failRollout(file, 'LASTWORD_SYNC_FAILED', 'it failed', new Error('the writer died before it could say why'));
      continue;
    }
    // Its name may be new, and not synced.
    syncs.folderChanged(dirname(opening.path));
    writer.findEnd(file);
    left += accepted - file.written;
  }
  writer.forgetOthers();
  syncs.interference.watch();
  return left;
}

/** Without a look at its file or lease: enough to salvage what is not written of it. */
export function adopt({ sidecar, writer }: Engine, opening: Opening): RolloutFile {
  const { failure, isDegraded, slot } = opening;
  const file = new RolloutFile(opening, undefined);
  // Until the file is asked: it holds no less.
  file.written = writtenOf(sidecar, slot);
  file.synced = syncedOf(sidecar, slot);
  if (failure !== undefined) file.fail(fromWireError(failure));
  if (isDegraded) writer.troubles.takeOver(file);
  writer.addRollout(file);
  return file;
}

/** The dead writer had let go of it already, and somebody has taken it. */
function isAnothers({ leases }: Engine, { threadId }: Opening): boolean {
  try {
    leases.hold(threadId);
    return false;
  } catch (error) {
    // Any other failure is met again by the first write.
    return isLastwordError(error) && error.code === 'LASTWORD_THREAD_BUSY';
  }
}

/** The file's own end says what is written. What is torn is the dead writer's own, and still in the ring. */
export function takeOverEnd(fs: FsOps, file: RolloutFile, descriptor: number, held: HeldPool): void {
  const end = findEnd(fs, descriptor, file.path);
  const written = end.nextOrdinal - file.base;
  if (written < file.written) throw neverCame(file, written, file.written);
  file.found({ wholeBytes: makeWhole(fs, descriptor, end), isNumbered: end.isNumbered }, written, held);
}

/** Items `from` to below `to` of an opening: a hole, behind which nothing is written. */
export function neverCame({ base, threadId }: RolloutFile, from: number, to: number): LastwordError {
  const unwritten = [{ threadId, from: base + from, to: base + to - 1 }];
  return new LastwordError('LASTWORD_DRAIN_INCOMPLETE', `ordinals ${base + from} to ${base + to - 1} never came`, { unwritten });
}
