import { dirname } from 'node:path';
import { expose, type Endpoint } from 'comlink';
import { LastwordError, toWireError, type LastwordErrorCode } from '../src/errors.js';
import type { CreateThreadCommand, ReleaseThreadCommand, Reply, SlotRef, WriterControl } from '../src/control/protocol.js';
import { addFigure } from '../src/ring/figures.js';
import { acceptedIn, sealWordOf, wantedSyncedOf } from '../src/ring/slots.js';
import { createRollout } from './create-rollout.js';
import type { Rng } from './seams.js';
import type { SyncScheduler } from './sync.js';
import type { Writer, WriterParts } from './writer.js';

export interface ControlParts extends WriterParts {
  readonly writer: Writer;
  readonly syncs: SyncScheduler;
  readonly rng: Rng;
  /** The next pass of the writer's loop, and how many frames it took. */
  readonly nextPass: () => Promise<number>;
  /** Ends the loop. */
  readonly stop: () => void;
}

/** WriterControl, as the writer serves it. */
export class Control implements WriterControl {
  readonly #parts: ControlParts;

  constructor(parts: ControlParts) {
    this.#parts = parts;
  }

  openDirectory(path: string): Promise<Reply<undefined>> {
    return answer('LASTWORD_INVALID_OPTION', () => {
      const { fs, syncs } = this.#parts;
      syncs.rootOpened(path, fs.makeDirectory(path));
      fs.checkDirectory(path);
      return undefined;
    });
  }

  createThread(command: CreateThreadCommand): Promise<Reply<undefined>> {
    return answer('LASTWORD_WRITE_FAILED', () => {
      const { clock, files, fs, rng, sidecar, syncs, writer } = this.#parts;
      if (writer.rolloutOf(command) !== undefined) return undefined;
      const [ring] = writer.rings;
      if (ring === undefined) throw new LastwordError('LASTWORD_NOT_OPEN', 'the writer has no ring');
      files.makeRoom();
      const { file, descriptor } = createRollout(fs, rng, ring, command);
      files.add(file, descriptor);
      file.markDirty(file.wholeBytes, clock.monotonicUs());
      addFigure(sidecar, 'bytesWritten', file.wholeBytes);
      addFigure(sidecar, 'bytesUnsynced', file.wholeBytes);
      syncs.folderChanged(dirname(file.path));
      writer.addRollout(file);
      return undefined;
    });
  }

  drainThread(thread: SlotRef): Promise<Reply<{ written: number }>> {
    return answer('LASTWORD_WRITE_FAILED', async () => {
      const { nextPass, sidecar } = this.#parts;
      const file = this.#rolloutOf(thread);
      const isWritten = (): boolean => file.written >= acceptedIn(sealWordOf(sidecar, thread.slot));
      // Everything accepted was published before this command was sent: an empty pass means that nothing is left.
      while (file.failure === undefined && !isWritten() && await nextPass() > 0) continue;
      if (file.failure !== undefined) throw file.failure;
      return { written: file.written };
    });
  }

  releaseThread(command: ReleaseThreadCommand): Promise<Reply<undefined>> {
    return answer('LASTWORD_SYNC_FAILED', async () => {
      const { files, sidecar, syncs, writer } = this.#parts;
      const file = writer.rolloutOf(command);
      if (file === undefined) return undefined;
      // A flush that still waits for the sync gets it.
      if (command.sync || wantedSyncedOf(sidecar, file.slot) > file.synced) await syncs.syncNow(file);
      while (file.isSyncing) await syncs.settled(file);
      if (file.failure === undefined) files.close(file);
      if (file.failure !== undefined) throw file.failure;
      writer.removeRollout(file);
      syncs.released(file);
      return undefined;
    });
  }

  shutdown(): Promise<Reply<undefined>> {
    return answer('LASTWORD_WRITE_FAILED', async () => {
      await this.#parts.syncs.stop();
      this.#parts.files.closeAll();
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

/** Every answer is a value: Comlink would drop an error's code, cause and class. */
async function answer<T>(code: LastwordErrorCode, act: () => T | Promise<T>): Promise<Reply<T>> {
  try {
    return { ok: true, value: await act() };
  } catch (error) {
    return { ok: false, error: toWireError(error, code) };
  }
}

/** Serves the control over the port. */
export function serve(control: Control, port: Endpoint): void {
  expose(control, port);
}
