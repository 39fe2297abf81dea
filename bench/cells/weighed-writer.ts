/** The writer, which also says what it holds in memory when it is asked. */
import { BroadcastChannel } from 'node:worker_threads';
import { liveBytes, WEIGHING } from './weight.js';

const channel = new BroadcastChannel(WEIGHING.channel);
channel.unref();
channel.onmessage = ({ data }: { data: unknown }): void => {
  if (data === WEIGHING.question) channel.postMessage(liveBytes());
};
await import('../../worker/main.js');
