/** A JavaScript thread of a host, which does what it is told: orders are functions without an outside. */
import { parentPort, workerData } from 'node:worker_threads';

const { attachProducer } = await import(workerData.lastwordUrl ?? 'lastword');
/** What orders keep between them. */
const state = { attachProducer, threads: [] };

parentPort.on('message', async ({ order, text, given }) => {
  try {
    const value = await (0, eval)(`(${text})`)(state, given);
    parentPort.postMessage({ order, value });
  } catch (error) {
    const { code, message, context } = error;
    parentPort.postMessage({ order, error: { code, message, context } });
  }
});
parentPort.postMessage({ order: 0 });
