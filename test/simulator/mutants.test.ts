/** The control of the simulator: libraries that are wrong on purpose do not pass it. */
import { expect, test } from 'vitest';
import type { Patch } from '../support/mutants.js';
import { SEED } from '../support/random.js';
import { check } from './check.js';
import { Disagreement } from './history.js';
import { loadSystem } from './system.js';

/** Most are found within a hundred. */
const HISTORIES_MAX = 5_000;

const SYNC = 'worker/sync.js';
const MUTANTS: Record<string, readonly Patch[]> = {
  'acknowledges before it syncs': [{ file: SYNC, find: '            await fs.syncFile(files.descriptorOf(file));', replace: '            void fs.syncFile(files.descriptorOf(file)).catch(() => undefined);' }],
  'syncs again where a sync has failed': [{
    file: SYNC, find: '            await fs.syncFile(files.descriptorOf(file));',
    replace: '            await fs.syncFile(files.descriptorOf(file)).catch(() => fs.syncFile(files.descriptorOf(file)));',
  }],
  'trusts the cache after a failed sync': [{
    file: SYNC, find: '            await fs.syncFile(files.descriptorOf(file));',
    replace: '            await fs.syncFile(files.descriptorOf(file)).catch(() => { files.close(file); return fs.syncFile(files.descriptorOf(file)); });',
  }],
  'does not cut back after a part of a write': [{ file: 'worker/rollout-file.js', find: '        fs.truncate(descriptor, this.wholeBytes);', replace: '        this.#end.wholeBytes = fs.size(descriptor);' }],
  'does not heal what is torn': [{ file: 'worker/recovery/resume-rollout.js', find: '        fs.truncate(descriptor, wholeBytes);', replace: '        wholeBytes += tornBytes;' }],
  'syncs no folder': [{ file: SYNC, find: '        this.#unsyncedFolders.add(folder);\n        if (!', replace: '        if (!' }],
  'links a header that is not written yet': [{ file: 'worker/create-rollout.js', find: '        const bytes = writeHeader(fs, descriptor, ring, command);\n        const published = publish(fs, { temporary, descriptor, bytes }, command);', replace: '        const published = publish(fs, { temporary, descriptor, bytes: 0 }, command);\n        const bytes = writeHeader(fs, descriptor, ring, command);' }],
  'takes over what the shared words say': [{ file: 'worker/takeover.js', find: '    const written = end.nextOrdinal - file.base;', replace: '    const written = file.written;' }],
  'lets go of frames before they are written': [{ file: 'worker/writer.js', find: '        groups.group(consumer.memory, batch);', replace: '        groups.group(consumer.memory, batch);\n        release(consumer, batch);' }],
  'says what is written before it is': [{ file: 'worker/group-output.js', find: '        file.append(fs,', replace: '        publishWritten(sidecar, file.slot, file.written + this.items);\n        file.append(fs,' }],
  'parks no frame': [{ file: 'worker/writer.js', find: '            if (!isWritten && !this.#park(ring, file, group))\n                areTaken = false;', replace: '' }],
};

test.each(Object.entries(MUTANTS))('the simulator finds a library that %s', async (what, patches) => {
  const system = await loadSystem(...patches);
  const { error, histories } = await check(system, SEED, HISTORIES_MAX, { isShrunk: false });
  console.log(`a library that ${what}, in history ${histories}: ${String(error)}`);
  expect(error).toBeInstanceOf(Disagreement);
});
