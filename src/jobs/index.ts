export { showProgress } from './show-progress.js';
export type { ProgressStream } from './show-progress.js';
export { resumeJob, runJob } from './start.js';
export type {
  Job, JobContext, JobEvent, JobItem, JobItemResult, JobItemStatus, JobOptions, JobProgress, JobReportAnswer, JobResult, ResumeJobOptions,
} from './types.js';
