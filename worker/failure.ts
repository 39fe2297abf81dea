import type { WriterEvent } from '../src/control/protocol.js';
import { isLastwordError, LastwordError, toWireError, type LastwordErrorCode } from '../src/errors.js';
import { addFigure } from '../src/ring/figures.js';
import type { SidecarMemory } from '../src/ring/memory.js';
import { moveState, seal } from '../src/ring/slots.js';
import type { RolloutFile } from './rollout-file.js';

export interface Failure {
  /** For a cause that has none of ours. */
  readonly code: LastwordErrorCode;
  readonly message: string;
  readonly cause: unknown;
  /** Count of the first item that is written and yet not known to be on disk. */
  readonly unsafeFrom?: number | undefined;
}

/** The thread is failed, in shared memory and to whoever hears of it. */
export function fail({ sidecar, tell }: { readonly sidecar: SidecarMemory; readonly tell: (event: WriterEvent) => void }, file: RolloutFile, failure: Failure): void {
  const { slot, incarnation } = file;
  const end = file.isReleased ? file.written : seal(sidecar, slot);
  const error = errorOf(file, failure, end);
  file.fail(error);
  // No sync of the file follows: what waits for one no longer counts.
  if (!file.isSyncing) addFigure(sidecar, 'bytesUnsynced', -file.giveUpSync());
  if (!file.isReleased) moveState(sidecar, slot, 'failed');
  tell({ event: 'threadFailed', slot, incarnation, error: toWireError(error, failure.code) });
}

function errorOf({ base, threadId, path }: RolloutFile, { code, message, cause, unsafeFrom }: Failure, end: number): LastwordError {
  const inner = isLastwordError(cause) ? cause : undefined;
  const { errno } = cause as Partial<NodeJS.ErrnoException>;
  const context = {
    ...inner?.context, threadId, path,
    ...(errno === undefined ? {} : { errno }),
    ...(unsafeFrom === undefined || unsafeFrom >= end ? {} : { unwritten: [{ threadId, from: base + unsafeFrom, to: base + end - 1 }] }),
  };
  return new LastwordError(inner?.code ?? code, `thread ${threadId}: ${message}`, context, { cause });
}
