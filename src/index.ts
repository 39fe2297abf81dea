export { attachProducer } from './control/attach-producer.js';
export { openSidecar } from './open-sidecar.js';
export { importSalvage } from './import-salvage.js';
export { readRollout } from './reader/read.js';
export { verifyRollout, verifyRollouts } from './reader/verify.js';
export { LastwordError } from './errors.js';
export type { LastwordErrorCode, LastwordErrorContext } from './errors.js';
export type { SidecarOptions } from './options.js';
export { LATE } from './types.js';
export type {
  CloseOptions, CreateThreadOptions, Damage, Durability, FlushOptions, ForkThreadOptions, Histogram, ImportReport, ListOptions, LiveThread, Producer, ProducerPort, PublishOptions, ReadOptions, Receipt, ResumeThreadOptions,
  RolloutItem, RolloutRecord, Sidecar, SidecarCloseReceipt, SidecarEvents, SidecarState, SidecarStats, Thread, ThreadCloseReceipt, ThreadId,
  ThreadPage, ThreadState, ThreadSummary, VerifyOptions, VerifyReport,
} from './types.js';
