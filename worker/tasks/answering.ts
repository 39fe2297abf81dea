import type { Reply } from '../../src/control/protocol.js';
import { toWireError, type LastwordErrorCode } from '../../src/errors.js';
import type { FileTask, FileTasks } from '../../src/pool/tasks.js';

/** A task whose errors arrive as they were: structured clone drops an error's code. Others than ours take `code`. */
export function answering<T extends FileTask>(
  code: LastwordErrorCode, act: (input: FileTasks[T]['input']) => FileTasks[T]['output'] | Promise<FileTasks[T]['output']>,
): (input: FileTasks[T]['input']) => Promise<Reply<FileTasks[T]['output']>> {
  return async (input) => {
    try {
      return { ok: true, value: await act(input) };
    } catch (error) {
      return { ok: false, error: toWireError(error, code) };
    }
  };
}
