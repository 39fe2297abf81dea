import { dirname } from 'node:path';
import { expose, type Endpoint } from 'comlink';
import { answer } from '../src/control/answer.js';
import { isLastwordError, LastwordError } from '../src/errors.js';
import type {
  CreateThreadCommand, DrainedThread, DrainThreadCommand, ReleasedThread, ReleaseThreadCommand, Reply, ResumedRollout, RingData, ResumeThreadCommand, SlotRef, StoredRollout,
  WriterControl,
} from '../src/control/protocol.js';
import { addFigure } from '../src/ring/figures.js';
import { wantedSyncedOf } from '../src/ring/slots.js';
import { createRollout } from './create-rollout.js';
import type { Engine } from './engine.js';
import { resumeRollout } from './recovery/resume-rollout.js';
import type { RolloutFile } from './rollout-file.js';
import { letGoOfLease } from './salvager.js';
import { deleteRollout, moveRollout, referenceOf, underReference } from './stored-rollouts.js';
import { isSettled } from './sync.js';
import type { Writer } from './writer.js';

export interface ControlParts extends Engine {
  /** The next pass of the writer's loop, and how many frames it took. */
  readonly nextPass: () => Promise<number>;
  /** Ends the loop. */
  readonly stop: () => void;
}

/** WriterControl, as the writer serves it. */
export class Control implements WriterControl {
  readonly #parts: ControlParts;
  /** By slot: rollouts that are being opened. */
  readonly #opening = new Map<number, Promise<unknown>>();

  constructor(parts: ControlParts) {
    this.#parts = parts;
  }

  openDirectory(path: string): Promise<Reply<undefined>> {
    return answer('LASTWORD_INVALID_OPTION', () => {
      const { fs, leases, syncs } = this.#parts;
      syncs.folders.rootOpened(path, fs.makeDirectory(path));
      fs.checkDirectory(path);
      leases.openDirectory(path);
      return undefined;
    });
  }

  createThread(command: CreateThreadCommand): Promise<Reply<undefined>> {
    return this.#whileOpening(command.slot, answer('LASTWORD_WRITE_FAILED', async () => {
      const { reference } = command;
      if (reference === undefined) return this.#create(command);
      // Held while the base is checked and the header made: no delete comes in between.
      return underReference(this.#parts, reference, () => this.#create(command));
    }));
  }

  #create(command: CreateThreadCommand): undefined {
    const { files, sidecar, leases, syncs, writer } = this.#parts;
    if (writer.rolloutOf(command) !== undefined) return undefined;
    const [ring] = writer.rings;
    if (ring === undefined) throw new LastwordError('LASTWORD_NOT_OPEN', 'the writer has no ring');
    this.#holdNew(command.threadId);
    let created: ReturnType<typeof createRollout>;
    try {
      created = files.whileOpening(() => createRollout(this.#parts, ring, command));
    } catch (error) {
      leases.release(command.threadId);
      throw error;
    }
    const { file, descriptor } = created;
    addFigure(sidecar, 'bytesWritten', file.wholeBytes);
    addFigure(sidecar, 'bytesUnsynced', file.wholeBytes);
    syncs.folderChanged(dirname(file.path));
    this.#add(file, descriptor, file.wholeBytes);
    return undefined;
  }

  resumeThread(command: ResumeThreadCommand): Promise<Reply<ResumedRollout>> {
    return this.#whileOpening(command.slot, answer('LASTWORD_WRITE_FAILED', () => this.#resume(command)));
  }

  moveRollout(rollout: StoredRollout & { to: string }): Promise<Reply<undefined>> {
    return answer('LASTWORD_WRITE_FAILED', async () => {
      await this.#parts.syncs.lingered(rollout.path);
      return moveRollout(this.#parts, rollout);
    });
  }

  holdReference(threadId: string): Promise<Reply<undefined>> {
    return answer('LASTWORD_WRITE_FAILED', () => { this.#hold(referenceOf(threadId)); return undefined; });
  }

  releaseReference(threadId: string): Promise<Reply<undefined>> {
    return answer('LASTWORD_WRITE_FAILED', () => { this.#parts.leases.release(referenceOf(threadId)); return undefined; });
  }

  deleteRollout(rollout: StoredRollout & { isAgain: boolean }): Promise<Reply<undefined>> {
    return answer('LASTWORD_WRITE_FAILED', async () => {
      await this.#parts.syncs.forgotten(rollout.path);
      return deleteRollout(this.#parts, rollout);
    });
  }

  /** A release that comes while the slot's rollout is being opened waits for it. */
  #whileOpening<T>(slot: number, opening: Promise<T>): Promise<T> {
    this.#opening.set(slot, opening);
    return opening.finally(() => { this.#opening.delete(slot); });
  }

  async #resume(command: ResumeThreadCommand): Promise<ResumedRollout> {
    const { files, leases, syncs } = this.#parts;
    await syncs.lingered(command.path);
    this.#hold(command.threadId);
    try {
      const { file, descriptor, resumed } = await files.whileOpeningLater(() => resumeRollout(this.#parts, command));
      // Whoever wrote it may have died before a sync: the first one covers what is there, and its name.
      this.#add(file, descriptor, 0);
      syncs.folderChanged(dirname(file.path));
      return resumed;
    } catch (error) {
      leases.release(command.threadId);
      throw error;
    }
  }

  #add(file: RolloutFile, descriptor: number, unsyncedBytes: number): void {
    const { clock, files, syncs, writer } = this.#parts;
    files.makeRoom();
    files.add(file, descriptor);
    file.markDirty(unsyncedBytes, clock.monotonicUs());
    writer.addRollout(file);
    syncs.interference.watch();
  }

  #hold(threadId: string): void {
    const { files, leases } = this.#parts;
    files.whileOpening(() => { leases.hold(threadId); });
  }

  /** A lease that another has: then the thread exists, whether its rollout is there yet or not. */
  #holdNew(threadId: string): void {
    try {
      this.#hold(threadId);
    } catch (error) {
      if (!isLastwordError(error) || error.code !== 'LASTWORD_THREAD_BUSY') throw error;
      throw new LastwordError('LASTWORD_THREAD_EXISTS', `thread ${threadId} is open elsewhere`, error.context, { cause: error });
    }
  }

  drainThread(command: DrainThreadCommand): Promise<Reply<DrainedThread>> {
    return answer('LASTWORD_WRITE_FAILED', async () => {
      const { nextPass, salvager, writer } = this.#parts;
      const file = this.#rolloutOf(command);
      // Everything accepted was in memory before this command was sent, published or not: an empty pass means that nothing
      // is left, unless something is to be tried again, here or in front of it.
      while (file.takesRecords && !writer.isWritten(file)) {
        if (await nextPass() > 0) continue;
        if (command.abandon || writer.troubles.areNone) break;
        await writer.troubles.nextEnd();
      }
      if (command.abandon) return salvager.abandon(file);
      if (file.failure !== undefined) throw file.failure;
      return { written: file.written, salvage: undefined };
    });
  }

  releaseThread(command: ReleaseThreadCommand): Promise<Reply<ReleasedThread>> {
    return answer('LASTWORD_SYNC_FAILED', async () => {
      const { files, leases, sidecar, syncs, writer } = this.#parts;
      // An opening that main gave up on may still be under way.
      await this.#opening.get(command.slot);
      const file = writer.rolloutOf(command);
      if (file === undefined) return { leaseError: undefined };
      // A flush that still waits for the sync gets it.
      if (command.sync || wantedSyncedOf(sidecar, file.slot) > file.synced) await syncs.syncNow(file, command.abandon);
      do {
        while (!isSettled(file, command.abandon)) await syncs.nextEnd(file);
        // What the receipt says is in the file is in a file that has its name.
        if (file.takesRecords && !command.abandon && !syncs.interference.isInPlace(file)) continue;
        if (file.failure === undefined || command.abandon) files.close(file);
      } while (file.isPoisoned && !command.abandon);
      if (file.failure !== undefined && !command.abandon) throw file.failure;
      // Before the file is let go of: should it be refused, the command may be sent again, and asks for more than the first time.
      let released: ReleasedThread = { leaseError: undefined };
      if (command.abandon) released = letGoOfLease(leases, file.threadId);
      else leases.release(file.threadId);
      writer.removeRollout(file);
      syncs.released(file);
      return released;
    });
  }

  addRing(ring: RingData): Promise<Reply<undefined>> {
    return answer('LASTWORD_WRITER_EXITED', () => { this.#parts.addRing(ring); return undefined; });
  }

  removeRing(producer: number): Promise<Reply<undefined>> {
    return answer('LASTWORD_WRITER_EXITED', () => { this.#parts.writer.removeRing(producer); return undefined; });
  }

  shutdown(): Promise<Reply<undefined>> {
    return answer('LASTWORD_WRITE_FAILED', async () => {
      const { files, syncs } = this.#parts;
      await syncs.stop();
      files.closeAll();
      await syncs.finish();
      this.#parts.leases.releaseAll();
      this.#parts.stop();
      return undefined;
    });
  }

  #rolloutOf(thread: SlotRef): NonNullable<ReturnType<Writer['rolloutOf']>> {
    const file = this.#parts.writer.rolloutOf(thread);
    if (file === undefined) throw new LastwordError('LASTWORD_NOT_OPEN', `slot ${thread.slot} is not open in the writer`);
    return file;
  }
}

/** Serves the control over the port. */
export function serve(control: Control, port: Endpoint): void {
  expose(control, port);
}
