import { toWireError, type LastwordErrorCode } from '../errors.js';
import type { Reply } from './protocol.js';

/** Every answer is a value: Comlink would drop an error's code, cause and class. */
export async function answer<T>(code: LastwordErrorCode, act: () => T | Promise<T>): Promise<Reply<T>> {
  try {
    return { ok: true, value: await act() };
  } catch (error) {
    return { ok: false, error: toWireError(error, code) };
  }
}
