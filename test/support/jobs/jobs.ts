/** Jobs by a clock of the test's, out of the built package: a sidecar of another copy of the sources would not be its own. */
export { continueJob, startJob } from '../../../dist/src/jobs/start.js';
