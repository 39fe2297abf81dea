/** A host for a project of its own: records a hundred items and says how many are on disk. The second argument, if there is one, is where the writer's entry is. */
export const RECORDING_HOST = `
import { openSidecar } from 'lastword';
const [directory, writer] = process.argv.slice(2);
const sidecar = await openSidecar({ directory, ...(writer === undefined ? {} : { writerUrl: new URL(writer, import.meta.url) }) });
const thread = await sidecar.createThread();
for (let index = 0; index < 100; index += 1) thread.append({ type: 'event_msg', payload: { index } });
const { items } = await thread.close();
const { threads } = await sidecar.listThreads();
await sidecar.close();
console.log(items, threads.length);
`;
export const RECORDED = { stdout: '100 1\n', stderr: '' };
