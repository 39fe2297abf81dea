import { verifyRollout } from '../../src/reader/verify.js';
import { answering } from './answering.js';

/** Input: the path of a rollout. */
export default answering<'verify'>('LASTWORD_ROLLOUT_CORRUPT', verifyRollout);
