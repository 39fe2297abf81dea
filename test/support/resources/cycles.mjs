/** Opens and closes again and again, and counts what is there: cycles.mjs <lastword> <directory> <cycles> <what>. Needs --expose-gc. */
import { readdirSync, readFileSync } from 'node:fs';

const [, , lastword, directory, cycles, what] = process.argv;
const { openSidecar, readRollout } = await import(lastword);
const EVENTS = ['exit', 'beforeExit', 'uncaughtException', 'uncaughtExceptionMonitor', 'unhandledRejection', 'warning', 'SIGTERM', 'SIGINT'];
const turn = () => new Promise((resolve) => { setImmediate(resolve); });

async function counts() {
  // What a collection lets go of may be let go of by the next one only.
  for (let round = 0; round < 5; round += 1) {
    globalThis.gc();
    await turn();
  }
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  const [, virtual] = /VmSize:\s*(\d+) kB/.exec(readFileSync('/proc/self/status', 'latin1'));
  return {
    descriptors: readdirSync('/proc/self/fd').length, threads: readdirSync('/proc/self/task').length,
    listeners: EVENTS.reduce((sum, event) => sum + process.listenerCount(event), 0),
    resources: process.getActiveResourcesInfo().filter((name) => !/^(TTYWrap|PipeWrap|Immediate)$/.test(name)).length,
    memoryMiB: Math.round((heapUsed + external + arrayBuffers) / 2 ** 20), virtualMiB: Math.round(Number(virtual) / 1024),
  };
}

// No sync of its own: a folder that is being synced is open.
const SIDECAR = { directory, syncIntervalMs: 0, logger: false, ringBytes: 64 * 1024, overflowBytes: 1024 * 1024, signals: ['SIGTERM'] };
const CYCLES = {
  sidecars: async () => {
    const sidecar = await openSidecar(SIDECAR);
    const thread = await sidecar.createThread();
    thread.append({ type: 'x' });
    await thread.flush({ durability: 'synced' });
    for await (const record of readRollout(thread.path)) void record;
    await sidecar.close();
  },
};
async function threadsOf(sidecar) {
  const thread = await sidecar.createThread();
  const stop = thread.subscribe(() => undefined);
  await thread.publish({ type: 'x' });
  stop();
  await thread.close();
  const again = await sidecar.resumeThread(thread.id);
  again.hold('a label')[Symbol.dispose]();
  for await (const record of sidecar.readThread(thread.id)) void record;
  await again.close();
}

let cycle = CYCLES[what];
let end = async () => undefined;
if (what === 'threads') {
  const sidecar = await openSidecar(SIDECAR);
  cycle = () => threadsOf(sidecar);
  end = () => sidecar.close();
}
// Whatever is made once is made.
for (let done = 0; done < 10; done += 1) await cycle();
const before = await counts();
for (let done = 0; done < Number(cycles); done += 1) await cycle();
const after = await counts();
await end();
console.log(JSON.stringify({ before, after }));
process.exit(0);
