/** Lists a directory by the last change, again and again until its input ends, and makes a thread each time: lister.mjs <directory> */
import { openSidecar } from 'lastword';

const [directory] = process.argv.slice(2);
const sidecar = await openSidecar({ directory });
let isEnded = false;
process.stdin.on('end', () => { isEnded = true; }).resume();
const made = [];
do {
  const thread = await sidecar.createThread({ meta: { cwd: '/shared' } });
  made.push(thread.id);
  await thread.close();
  const { threads } = await sidecar.listThreads({ cwd: '/shared', limit: 100_000 });
  const listed = new Set(threads.map(({ id }) => id));
  if (!made.every((id) => listed.has(id))) throw new Error('a thread that was made here is not listed');
} while (!isEnded);
await sidecar.close();
process.stdout.write(JSON.stringify(made));
