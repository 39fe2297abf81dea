/**
 * One of several processes that want the same thread: racer.mjs <where lastword is> <directory>
 *
 * stdin: commands of racers.ts, one JSON object a line; stdout: an answer to each, and one when it is ready. A command with
 * `atUs` (µs since the epoch) begins at that moment, so that several of them begin together.
 */
import { createInterface } from 'node:readline';

const [lastwordUrl, directory] = process.argv.slice(2);
const { openSidecar } = await import(lastwordUrl);
const sidecar = await openSidecar({ directory, logger: false });
let thread;

const commands = {
  create: async ({ id }) => { thread = await sidecar.createThread({ id }); },
  resume: async ({ id }) => { thread = await sidecar.resumeThread(id); },
  append: async ({ item }) => {
    thread.append(item);
    await thread.flush();
  },
  close: async () => { await thread.close(); },
};

const say = (answer) => { process.stdout.write(`${JSON.stringify(answer)}\n`); };
say({ ok: true });
for await (const line of createInterface({ input: process.stdin })) {
  const { command, atUs = 0, ...rest } = JSON.parse(line);
  while ((performance.timeOrigin + performance.now()) * 1000 < atUs) continue;
  try {
    await commands[command](rest);
    say({ ok: true });
  } catch ({ code, message, context }) {
    say({ ok: false, code, message, context });
  }
}
await sidecar.close();
