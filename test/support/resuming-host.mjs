/** Resumes a thread, appends and exits at once: resuming-host.mjs <directory> <id> <items as JSON> <writer's entry> */
import { openSidecar } from 'lastword';

const [directory, id, items, writerUrl] = process.argv.slice(2);
const sidecar = await openSidecar({ directory, logger: false, writerUrl: new URL(writerUrl) });
const thread = await sidecar.resumeThread(id);
for (const item of JSON.parse(items)) thread.append(item);
process.exit(0);
