import { setTimeout as sleep } from 'node:timers/promises';
import { openSidecar, type Thread } from 'lastword';

/** Talks until it is told to stop, and then has a last word. */
async function runAgent(thread: Thread): Promise<void> {
  while (!thread.signal.aborted) {
    thread.append({ type: 'event_msg', payload: { type: 'agent_message', message: 'still at it' } });
    await sleep(10, undefined, { signal: thread.signal }).catch(() => undefined);
  }
  thread.append({ type: 'event_msg', payload: { type: 'task_complete' } });
}

await using sidecar = await openSidecar({ directory: 'rollouts' });
const thread = await sidecar.createThread();
void thread.track(runAgent(thread)); // work that may still append
await sleep(50);

const receipt = await thread.close(); // aborts thread.signal, waits for the agent (at most half of the deadline), then seals
console.log(receipt.forced ? `sealed without ${receipt.heldBy.join()}` : 'the agent had its last word');

const again = await sidecar.resumeThread(thread.id); // by this process or, once it is closed, by another
console.log(again.append({ type: 'event_msg', payload: { type: 'user_message', message: 'go on' } }) === receipt.nextOrdinal);
