/** Does with threads what it is told, a line each, and answers with a line each: second-process.mjs <directory> */
import { createInterface } from 'node:readline';
import { openSidecar } from 'lastword';

const sidecar = await openSidecar({ directory: process.argv[2], logger: false });

const ACTS = {
  async read(id) {
    const ordinals = [];
    for await (const { ordinal } of sidecar.readThread(id)) ordinals.push(ordinal);
    return ordinals;
  },
  list: async (id) => (await sidecar.listThreads()).threads.map((thread) => thread.id).includes(id),
  resume: async (id) => (await sidecar.resumeThread(id)).accepted,
  append: (id) => sidecar.liveThread(id).append({ type: 'event_msg', payload: 'of another process' }),
  flush: async (id) => { await sidecar.liveThread(id).flush(); },
  close: async (id) => (await sidecar.liveThread(id).close()).items,
  delete: async (id) => { await sidecar.deleteThread(id); },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [act, id] = line.split(' ');
  const answer = await Promise.resolve(id).then(ACTS[act]).then((value) => ({ value }), ({ code, context }) => ({ code, owner: context?.owner?.pid }));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
// As a host that closes nothing.
process.exit(0);
