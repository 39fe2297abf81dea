/** Reads a thread in a view: reading-child.js <directory> <id> <view>. Prints the time, and the memory above what the idle process had. */
import { openSidecar } from 'lastword';

const [directory = '', id = '', view = ''] = process.argv.slice(2);
const sidecar = await openSidecar({ directory, logger: false });
const idleBytes = process.memoryUsage.rss();
const begin = performance.now();
let records = 0;
for await (const record of sidecar.readThread(id, { view: view as 'resume' })) records += record.ordinal >= 0 ? 1 : 0;
const ms = performance.now() - begin;
// The highest that it ever was, the time before the reading included.
const bytes = process.resourceUsage().maxRSS * 1024 - idleBytes;
await sidecar.close();
process.stdout.write(JSON.stringify({ ms, bytes, records }));
