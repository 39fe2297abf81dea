/**
 * What a producer in another JavaScript thread and the sidecar tell each other: lifecycle operations, never items. The port
 * that the host hands over carries the handshake alone. A second one, which the handshake brings, carries everything else: it
 * is the library's own on both sides, and its end is the end of the JavaScript thread.
 */
import type { MessagePort } from 'node:worker_threads';
import type { WireError } from '../errors.js';
import type { Opened } from '../lifecycle/opened.js';
import type { ResolvedOptions } from '../options.js';
import type { Thread, ThreadCloseReceipt } from '../types.js';
import type { Reply, RingData, SlotRef } from './protocol.js';

/** From the producer, over the host's port. */
export interface Hello {
  readonly lastword: 'hello';
  readonly version: string;
  /** Of this attempt: an answer to another one is not for it. */
  readonly nonce: number;
  readonly hasRedact: boolean;
  /** Sidecars that this thread is attached to. */
  readonly attached: readonly string[];
}

/** The answer. */
export type Answer = { readonly lastword: 'answer'; readonly nonce: number } & (
  | { readonly welcome: Welcome }
  /** This thread is attached to it already. */
  | { readonly known: string }
  | { readonly refused: WireError }
);

/** Options that producers share with the sidecar. */
export type SharedOptions = Pick<ResolvedOptions, 'durability' | 'closeTimeoutMs' | 'whenFull' | 'fullTimeoutMs' | 'itemBytesMax'>;

export interface Welcome {
  /** Which sidecar it is. */
  readonly instance: string;
  readonly sidecar: SharedArrayBuffer;
  readonly ring: RingData;
  readonly transcoder: WebAssembly.Module;
  readonly options: SharedOptions;
  readonly control: MessagePort;
}

/** CreateThreadOptions, with the metadata redacted and packed. */
export interface WireCreation {
  readonly id: string;
  /** Made just now: nobody has it. */
  readonly isNewId: boolean;
  readonly parentId: string | undefined;
  readonly meta: Uint8Array | undefined;
}
export interface WireResume {
  readonly id: string;
  /** Of the fresh thread, where one may take its place. */
  readonly create: WireCreation | undefined;
  /** Names the call for abort(). */
  readonly call: number;
}
export interface WireClose {
  readonly durability: ResolvedOptions['durability'];
  readonly timeoutMs: number;
  readonly waitForTracked: boolean;
  readonly abandon: boolean;
}
/** A thread that the producer appends to from now on. */
export interface OpenedThread extends SlotRef {
  readonly id: string;
  readonly origin: Thread['origin'];
  readonly opened: Opened;
}

/** Everything a producer may ask of the sidecar. */
export interface ProducerControl {
  createThread(creation: WireCreation): Promise<Reply<OpenedThread>>;
  resumeThread(resume: WireResume): Promise<Reply<OpenedThread>>;
  forkThread(id: string, through: number | undefined, creation: WireCreation): Promise<Reply<OpenedThread>>;
  /** The caller of resumeThread() does not want it any more. */
  abort(call: number): void;
  closeThread(thread: SlotRef, close: WireClose): Promise<Reply<ThreadCloseReceipt>>;
  /** The answer to 'work': what is still held. */
  heldBy(thread: SlotRef, labels: readonly string[]): void;
  /** The answer to 'changeMeta': the ordinal, or LATE. */
  metaChanged(thread: SlotRef, call: number, ordinal: Reply<number>): void;
  /** The answer to 'closed': no handle looks at the slot any more. */
  letGo(thread: SlotRef): void;
  /** Items came after the seal, so far not told of. */
  cameLate(threadId: string, items: number): void;
  /** Something went wrong in the host's own code. Never payload. */
  logError(members: Record<string, unknown>, message: string): void;
  /** Closes the producer's threads and takes its memory back. */
  detach(): Promise<Reply<undefined>>;
}

/** What the sidecar tells a producer without being asked. */
export type ProducerEvent = SlotRef & (
  /** The close begins. */
  | { readonly event: 'abort' }
  /** Asks what is held, once nothing is, or after so long. */
  | { readonly event: 'work'; readonly waitMs: number }
  /** Asks for a change of metadata, packed as in WireCreation. */
  | { readonly event: 'changeMeta'; readonly call: number; readonly patch: Uint8Array }
  | { readonly event: 'closed'; readonly receipt: ThreadCloseReceipt }
  | { readonly event: 'failed'; readonly error: WireError }
  | { readonly event: 'trouble'; readonly error: WireError | undefined }
  | { readonly event: 'moved'; readonly path: string }
);
