/**
 * A host under whose file ext4's journal stops for another file's sake: stopped-journal.mjs <directory, writerUrl and the program that
 * brings it about, as JSON>. Tells over descriptor 3 as `test/support/crash/host.mjs` does, and what a flush to the disk said then.
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { openSidecar } from 'lastword';

const { directory, writerUrl, stop: [program, ...args] } = JSON.parse(process.argv[2]);
const tell = (message) => { fs.writeSync(3, `${JSON.stringify(message)}\n`); };
const itemOf = (index) => ({ type: 'event_msg', payload: { index, bytes: 5000, text: 'x'.repeat(5000) } });

const sidecar = await openSidecar({ directory, logger: false, syncIntervalMs: 0, ...writerUrl === undefined ? {} : { writerUrl: new URL(writerUrl) } });
const thread = await sidecar.createThread();
const tellLevels = (more) => { tell({ synced: [thread.synced], written: [thread.written], accepted: [thread.accepted], ...more }); };
tell({ paths: [thread.path], ids: [thread.id] });
thread.append(itemOf(0));
await thread.flush({ durability: 'synced' });
tellLevels();
thread.append(itemOf(1));
await thread.flush();
execFileSync(program, args.map((arg) => arg.replace('<rollout>', thread.path)), { stdio: 'inherit' });
const { code = 'none' } = await thread.flush({ durability: 'synced' }).catch((error) => error);
tellLevels({ codes: [code] });
process.kill(process.pid, 'SIGKILL');
