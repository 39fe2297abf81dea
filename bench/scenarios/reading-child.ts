/** Reads a thread in a view: reading-child.js <directory> <id> <view>. Prints the time, and the memory above what the idle process had. */
import { existsSync, readFileSync } from 'node:fs';
import { openSidecar } from 'lastword';

/** Of this program: what the system tells of the process includes the one that it was forked from. */
function highestRss(): number {
  const path = '/proc/self/status';
  if (!existsSync(path)) return process.resourceUsage().maxRSS * 1024;
  return Number(/^VmHWM:\s*(\d+) kB/m.exec(readFileSync(path, 'latin1'))?.[1]) * 1024;
}

const [directory = '', id = '', view = ''] = process.argv.slice(2);
const sidecar = await openSidecar({ directory, logger: false });
const idleBytes = process.memoryUsage.rss();
const begin = performance.now();
let records = 0;
for await (const record of sidecar.readThread(id, { view: view as 'resume' })) records += record.ordinal >= 0 ? 1 : 0;
const ms = performance.now() - begin;
const bytes = highestRss() - idleBytes;
await sidecar.close();
process.stdout.write(JSON.stringify({ ms, bytes, records }));
