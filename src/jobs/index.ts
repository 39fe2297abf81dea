export { resumeJob, runJob } from './start.js';
export type {
  Job, JobContext, JobEvent, JobItem, JobItemResult, JobItemStatus, JobOptions, JobProgress, JobReportAnswer, JobResult, ResumeJobOptions,
} from './types.js';
