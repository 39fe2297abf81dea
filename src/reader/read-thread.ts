import { LastwordError } from '../errors.js';
import type { ThreadId } from '../types.js';
import { BackwardHistoryStream, isCompaction, openEffective, openResume } from './effective.js';
import { historyOf } from './history.js';
import { locateRollout } from './locate.js';
import type { CheckedReadOptions } from './options.js';
import { openStream } from './read.js';
import type { RecordStream } from './record-stream.js';
import { openStored } from './rollout-source.js';

/** A stored thread, in the view asked for. @throws LASTWORD_THREAD_NOT_FOUND, LASTWORD_ROLLOUT_CORRUPT, as readRollout() */
export async function openThread(directory: string, id: ThreadId, options: CheckedReadOptions): Promise<RecordStream> {
  if (options.view === 'raw') {
    const stored = await locateRollout(directory, id);
    if (stored === undefined) throw new LastwordError('LASTWORD_THREAD_NOT_FOUND', `thread ${id} has no rollout`, { threadId: id });
    return openStream(stored.path, options, openStored);
  }
  const segments = await historyOf(directory, id);
  if (!options.reverse) return options.view === 'resume' ? openResume(segments, options) : openEffective(segments, options);
  const backward = new BackwardHistoryStream(segments, options);
  return options.view === 'resume' ? untilCompaction(backward) : backward;
}

/** The same records as the resume view, the compaction last. */
function untilCompaction(stream: RecordStream): RecordStream {
  let isEnded = false;
  return {
    take: () => {
      const taken = isEnded ? undefined : stream.take();
      isEnded ||= taken !== undefined && isCompaction(taken.record);
      return taken;
    },
    fill: async () => !isEnded && stream.fill(),
    close: () => stream.close(),
  };
}
