import { openSidecar, verifyRollouts } from 'lastword';

await using sidecar = await openSidecar({ directory: 'rollouts' });
const root = await sidecar.createThread({ meta: { title: 'root', cwd: process.cwd() } });
const child = await sidecar.createThread({ parentId: root.id, meta: { title: 'child' } });
child.append({ type: 'event_msg', payload: { type: 'user_message', message: 'what is new?' } });
await child.close();

const { threads } = await sidecar.listThreads({ parentId: root.id }); // newest first, page by page; other processes' too
for (const { title, preview, owner } of threads) console.log(title, '|', preview, '|', owner ?? 'nobody has it open');

// From the end, at the cost of what is read; also the view 'resume', from the last compaction on, and follow: true.
for await (const { ordinal, type } of sidecar.readThread(child.id, { reverse: true, limit: 1 })) console.log(ordinal, type);

await root.close();
const reports = await verifyRollouts('rollouts'); // checksums, ordinals and ends, on threads of their own
console.log(reports.length, 'rollouts,', reports.filter(({ damage }) => damage.length > 0).length, 'damaged');
