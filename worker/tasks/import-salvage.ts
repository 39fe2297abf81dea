import { randomBytes } from 'node:crypto';
import { nodeFsOps, systemClock, systemRng } from '../fs-ops.js';
import { importEntries } from '../import-salvage.js';
import { systemProcesses } from '../lease/processes.js';
import { Leases } from '../lease/leases.js';
import { answering } from './answering.js';

/** Another owner of leases than any sidecar. */
export default answering<'import-salvage'>('LASTWORD_WRITE_FAILED', ({ path, directory }) => {
  const seams = { fs: nodeFsOps, clock: systemClock, rng: systemRng, processes: systemProcesses };
  const leases = new Leases(seams, { instance: randomBytes(8).toString('hex'), since: new Date().toISOString() });
  leases.openDirectory(directory);
  return importEntries({ ...seams, leases }, path, directory);
});
