/** Opens a sidecar where the system gives the process no further thread: no-threads.mjs <lastword> <directory>. Without a sidecar to open: tells how many it has. */
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

const [, , lastword, directory] = process.argv;
const { openSidecar } = await import(lastword);
// Node ends a process that finds no thread for its own.
await Promise.all(Array.from({ length: 8 }, () => readFile('/dev/null')));
if (directory === undefined) console.log(readdirSync('/proc/self/task').length);
else {
  const opening = openSidecar({ directory, logger: false });
  console.log(await opening.then(() => 'opened', ({ code, cause }) => `${code}, for ${cause?.code}`));
}
process.exit(0);
