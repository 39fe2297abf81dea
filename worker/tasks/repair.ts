import { randomBytes } from 'node:crypto';
import { nodeFsOps, systemClock, systemRng } from '../fs-ops.js';
import { systemProcesses } from '../lease/processes.js';
import { Leases } from '../lease/leases.js';
import { repairRollout } from '../repair.js';
import { answering } from './answering.js';

/** Another owner of leases than any sidecar. */
export default answering<'repair'>('LASTWORD_WRITE_FAILED', (repair) => {
  const seams = { fs: nodeFsOps, clock: systemClock, rng: systemRng, processes: systemProcesses };
  const leases = new Leases(seams, { instance: randomBytes(8).toString('hex'), since: new Date().toISOString() });
  if (repair.place !== undefined) leases.openDirectory(repair.place.directory);
  return repairRollout({ ...seams, leases }, repair);
});
