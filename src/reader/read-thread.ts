import { LastwordError } from '../errors.js';
import type { ReadOptions, RolloutRecord, ThreadId } from '../types.js';
import { readEffective } from './effective.js';
import { historyOf } from './history.js';
import { locateRollout } from './locate.js';
import { readRollout } from './read.js';

/** A stored thread, in the view asked for. @throws LASTWORD_THREAD_NOT_FOUND, LASTWORD_ROLLOUT_CORRUPT, as readRollout() */
export async function* readHistory(
  directory: string, id: ThreadId, view: 'raw' | 'effective', { view: _view, ...options }: ReadOptions,
): AsyncGenerator<RolloutRecord, void, undefined> {
  if (view === 'effective') {
    yield* readEffective(await historyOf(directory, id), options);
    return;
  }
  const stored = await locateRollout(directory, id);
  if (stored === undefined) throw new LastwordError('LASTWORD_THREAD_NOT_FOUND', `thread ${id} has no rollout`, { threadId: id });
  yield* readRollout(stored.path, options);
}
