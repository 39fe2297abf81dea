/** Has a thread open until it is killed, or ends its process at once: lease-holder.mjs <directory> <id> [exit] */
import { openSidecar } from 'lastword';

const [directory, id, end] = process.argv.slice(2);
const sidecar = await openSidecar({ directory });
await sidecar.resumeThread(id);
if (end === 'exit') process.exit(0);
process.stdout.write('open\n');
process.stdin.resume();
