import { openSidecar, readRollout } from 'lastword';

await using sidecar = await openSidecar({ directory: 'rollouts' });
const thread = await sidecar.createThread({ meta: { cwd: process.cwd() } });

thread.append({ type: 'event_msg', payload: { type: 'user_message', message: 'hello' } }); // returns the ordinal, at once
await thread.flush({ durability: 'synced' }); // everything accepted so far survives power loss

const receipt = await thread.close(); // drained, and acknowledged by count
console.log(`${receipt.items} items in ${thread.path}`);
for await (const record of readRollout(thread.path)) console.log(record.ordinal, record.type);
