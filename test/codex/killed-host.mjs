/** Records messages without end, until it is killed: killed-host.mjs <directory> <meta as JSON> */
import { openSidecar } from 'lastword';

const [directory, meta] = process.argv.slice(2);
const sidecar = await openSidecar({ directory, logger: false });
const thread = await sidecar.createThread({ meta: JSON.parse(meta) });
for (let number = 1; ; number += 1) {
  const content = [{ type: 'input_text', text: `note ${number} ${'of the killed host '.repeat(20)}` }];
  thread.append({ type: 'response_item', payload: { type: 'message', role: 'user', content } });
  await thread.flush();
  process.stdout.write(`${JSON.stringify({ id: thread.id, path: thread.path, written: thread.written })}\n`);
}
