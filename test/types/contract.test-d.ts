/** What is built has the contract's types, member by member. Checked by the compiler: `npm run typecheck`. */
import type * as built from '../../src/index.js';
import type * as jobs from '../../src/jobs/index.js';
import type * as contract from '../support/contract.js';

/** The members both have, without those that name a thread or the sidecar: of them the contract knows more members. */
type Shared<A, B, Without = never> = Pick<A, Exclude<keyof A & keyof B, Without>>;
/** True where each can stand for the other, and is optional where the other is. */
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? ([Required<A>] extends [Required<B>] ? true : false) : false) : false;
type SameMembers<A, B, Without = never> = Same<Shared<A, B, Without>, Shared<B, A, Without>>;
type All<Checks extends readonly true[]> = Checks;

export type Types = All<[
  Same<built.ThreadId, contract.ThreadId>,
  Same<built.Durability, contract.Durability>,
  Same<built.ThreadState, contract.ThreadState>,
  Same<built.SidecarState, contract.SidecarState>,
  Same<built.RolloutItem, contract.RolloutItem>,
  Same<built.RolloutRecord, contract.RolloutRecord>,
  Same<typeof built.LATE, typeof contract.LATE>,
  Same<built.LastwordErrorCode, contract.LastwordErrorCode>,
  Same<built.LastwordErrorContext, contract.LastwordErrorContext>,
  SameMembers<built.LastwordError, contract.LastwordError, 'name'>,
]>;

export type Options = All<[
  SameMembers<built.SidecarOptions, contract.SidecarOptions>,
  SameMembers<built.CreateThreadOptions, contract.CreateThreadOptions>,
  SameMembers<built.ResumeThreadOptions, contract.ResumeThreadOptions>,
  SameMembers<built.FlushOptions, contract.FlushOptions>,
  SameMembers<built.CloseOptions, contract.CloseOptions>,
  SameMembers<built.ReadOptions, contract.ReadOptions>,
  Same<built.ListOptions, contract.ListOptions>,
]>;

export type Answers = All<[
  Same<built.Receipt, contract.Receipt>,
  Same<built.ThreadCloseReceipt, contract.ThreadCloseReceipt>,
  Same<built.SidecarCloseReceipt, contract.SidecarCloseReceipt>,
  Same<built.Damage, contract.Damage>,
  Same<built.ThreadSummary, contract.ThreadSummary>,
  Same<built.ThreadPage, contract.ThreadPage>,
  SameMembers<built.VerifyReport, contract.VerifyReport, 'unread'>,
  SameMembers<built.SidecarStats, contract.SidecarStats>,
  Same<built.Histogram, contract.Histogram>,
  SameMembers<built.SidecarEvents, contract.SidecarEvents, 'resumeFailed' | 'degraded'>,
  SameMembers<built.SidecarEvents['degraded'], contract.SidecarEvents['degraded'], 'error'>,
  SameMembers<built.SidecarEvents['resumeFailed'], contract.SidecarEvents['resumeFailed'], 'error'>,
]>;

/** Jobs, of rows and results of any type. */
interface Row { name: string }
export type Jobs = All<[
  Same<jobs.JobOptions<Row, number>, contract.JobOptions<Row, number>>,
  Same<jobs.ResumeJobOptions<Row, number>, contract.ResumeJobOptions<Row, number>>,
  Same<jobs.JobItem<Row>, contract.JobItem<Row>>,
  Same<jobs.JobReportAnswer, contract.JobReportAnswer>,
  Same<jobs.JobContext<number>, contract.JobContext<number>>,
  Same<jobs.JobItemStatus, contract.JobItemStatus>,
  Same<jobs.Job<number>, contract.Job<number>>,
  Same<jobs.JobProgress, contract.JobProgress>,
  Same<jobs.JobResult<number>, contract.JobResult<number>>,
  Same<jobs.JobItemResult<number>, contract.JobItemResult<number>>,
  Same<jobs.JobEvent<number>, contract.JobEvent<number>>,
]>;

/** Methods: a call that the contract allows is allowed here, and answers what the contract says. */
type Keeps<A, B, Without = never> = [Shared<A, B, Without>] extends [Shared<B, A, Without>] ? true : false;
type EmitterMembers = keyof NodeJS.EventEmitter;

export type Methods = All<[
  Keeps<built.LiveThread, contract.LiveThread>,
  Keeps<built.Thread, contract.Thread, 'origin'>,
  Keeps<built.Sidecar, contract.Sidecar, EmitterMembers | 'createThread' | 'resumeThread' | 'liveThread' | 'liveThreads'>,
  Same<ReturnType<typeof built.importSalvage>, ReturnType<typeof contract.importSalvage>>,
  Keeps<{ read: ReturnType<typeof built.readRollout> }, { read: ReturnType<typeof contract.readRollout> }>,
]>;
