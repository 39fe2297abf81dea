/** What the contract has and this version does not. What is built may not stand here; a type stands for its members. */
export const NOT_BUILT_YET: readonly { readonly reason: string; readonly names: readonly string[] }[] = [
  {
    reason: 'Batch jobs.',
    names: [
      'runJob', 'resumeJob', 'JobOptions', 'ResumeJobOptions', 'JobItem', 'JobReportAnswer', 'JobContext', 'JobItemStatus', 'Job',
      'JobProgress', 'JobResult', 'JobItemResult', 'JobEvent',
    ],
  },
];
