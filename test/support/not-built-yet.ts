/** What the contract has and this version does not. What is built may not stand here; a type stands for its members. */
export const NOT_BUILT_YET: readonly { readonly reason: string; readonly names: readonly string[] }[] = [
  {
    reason: 'Threads are created, appended to and closed; stored ones are opened again with resume and fork.',
    names: [
      'Sidecar.resumeThread', 'Sidecar.forkThread', 'ResumeThreadOptions', 'ForkThreadOptions', 'Thread.recovery', 'SidecarEvents.resumeFailed',
    ],
  },
  {
    reason: 'Parents and children come with the closing of a subtree.',
    names: ['CreateThreadOptions.parentId', 'LiveThread.parentId'],
  },
  {
    reason: 'Closing that waits for work, and closing that gives up.',
    names: [
      'Thread.signal', 'Thread.track', 'Thread.hold', 'CloseOptions.waitForTracked', 'CloseOptions.abandon', 'SidecarEvents.late',
      'SidecarEvents.threadClosed',
    ],
  },
  {
    reason: 'Delivery to subscribers after persisting.',
    names: ['Thread.publish', 'Thread.subscribe'],
  },
  {
    reason: 'Marker records: what was rolled back, and metadata.',
    names: ['Thread.rollback', 'Thread.setMeta', 'Sidecar.setThreadMeta'],
  },
  {
    reason: 'Exits of the process other than close(), and the death of the writer.',
    names: [
      'SidecarOptions.exitTimeoutMs', 'SidecarOptions.signals', 'SidecarEvents.writerRestarted', 'SidecarEvents.degraded',
      'SidecarEvents.recovered', 'importSalvage',
    ],
  },
  {
    reason: 'Reading is forward, of one file; views, lists and the catalogue follow.',
    names: [
      'Sidecar.readThread', 'Sidecar.getThread', 'Sidecar.listThreads', 'ReadOptions.reverse', 'ReadOptions.view', 'ReadOptions.follow',
      'ListOptions', 'ThreadSummary', 'ThreadPage', 'verifyRollout', 'verifyRollouts', 'VerifyReport',
    ],
  },
  {
    reason: 'Archiving and deleting.',
    names: ['Sidecar.archiveThread', 'Sidecar.unarchiveThread', 'Sidecar.deleteThread'],
  },
  {
    reason: 'Producers in other JavaScript threads.',
    names: ['Sidecar.createProducerPort', 'attachProducer', 'ProducerPort', 'Producer'],
  },
  {
    reason: 'Batch jobs.',
    names: [
      'runJob', 'resumeJob', 'JobOptions', 'ResumeJobOptions', 'JobItem', 'JobReportAnswer', 'JobContext', 'JobItemStatus', 'Job',
      'JobProgress', 'JobResult', 'JobItemResult', 'JobEvent',
    ],
  },
];
