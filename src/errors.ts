/** Every code an error of this library can have. `docs/errors.md` has a heading for each. */
export const ERROR_CODES = [
  'LASTWORD_INVALID_OPTION',
  'LASTWORD_NOT_OPEN',
  'LASTWORD_ITEM_INVALID',
  'LASTWORD_ITEM_TOO_LARGE',
  'LASTWORD_RING_FULL',
  'LASTWORD_TIMEOUT',
  'LASTWORD_THREAD_NOT_FOUND',
  'LASTWORD_THREAD_EXISTS',
  'LASTWORD_THREAD_BUSY',
  'LASTWORD_THREAD_ARCHIVED',
  'LASTWORD_THREAD_CLOSED',
  'LASTWORD_THREAD_REFERENCED',
  'LASTWORD_ROLLOUT_CORRUPT',
  'LASTWORD_WRITE_FAILED',
  'LASTWORD_SYNC_FAILED',
  'LASTWORD_DRAIN_INCOMPLETE',
  'LASTWORD_WRITER_EXITED',
  'LASTWORD_JOB_NOT_FOUND',
  'LASTWORD_JOB_INVALID',
] as const;

/** The contract of an error; its message is not. */
export type LastwordErrorCode = (typeof ERROR_CODES)[number];

/** What is known about the failure: ids, ranges, numbers. Never payload. */
export interface LastwordErrorContext {
  /** The thread it is about. */
  threadId?: string;
  /** The option that was refused, and its value. */
  option?: string;
  value?: unknown;
  /** The system's number; `cause` has the error itself. */
  errno?: number;
  /** The file or folder. */
  path?: string;
  /** Who has the thread open: a process, with the time (RFC 3339) at which its sidecar was opened, or another JavaScript thread of this one. */
  owner?: { pid: number; host: string; since: string } | { producer: number };
  /** Accepted items that are not as safe as was asked: ordinals, `to` included. */
  unwritten?: { threadId: string; from: number; to: number }[];
  [member: string]: unknown;
}

/** Every error this library throws or rejects with. `cause` holds the system error, where there is one; never what the host's own code threw. */
export class LastwordError<C extends LastwordErrorCode = LastwordErrorCode> extends Error {
  override readonly name = 'LastwordError';
  readonly code: C;
  readonly context: LastwordErrorContext;

  constructor(code: C, message: string, context: LastwordErrorContext = {}, options?: ErrorOptions) {
    super(`${message} [${code}]`, options);
    this.code = code;
    this.context = context;
  }
}

/** Narrower than instanceof, which leaves the code open, and which a proxy that the host throws may answer by throwing. */
export function isLastwordError(error: unknown): error is LastwordError {
  try {
    return error instanceof LastwordError;
  } catch {
    return false; // a proxy
  }
}

/** What crosses a port in place of an error: structured clone drops `code`, Comlink drops `cause` and the class too. */
export interface WireError {
  readonly code: LastwordErrorCode;
  readonly message: string;
  readonly context: LastwordErrorContext;
  readonly cause: WireCause | undefined;
}
interface WireCause {
  readonly message: string;
  readonly code: string | undefined;
  readonly errno: number | undefined;
  readonly syscall: string | undefined;
}

/** The wire form of anything thrown. A foreign error takes `code` and becomes the cause. */
export function toWireError(error: unknown, code: LastwordErrorCode): WireError {
  if (isLastwordError(error)) {
    return {
      code: error.code,
      message: error.message.slice(0, -` [${error.code}]`.length),
      context: error.context,
      cause: error.cause === undefined ? undefined : toWireCause(error.cause),
    };
  }
  const cause = toWireCause(error);
  return { code, message: cause.message, context: cause.errno === undefined ? {} : { errno: cause.errno }, cause };
}

function toWireCause(cause: unknown): WireCause {
  const system = cause as Partial<NodeJS.ErrnoException> | null | undefined;
  return {
    message: typeof system?.message === 'string' ? system.message : String(cause),
    code: typeof system?.code === 'string' ? system.code : undefined,
    errno: typeof system?.errno === 'number' ? system.errno : undefined,
    syscall: typeof system?.syscall === 'string' ? system.syscall : undefined,
  };
}

/** The error a wire form stands for, built on the receiving side. */
export function fromWireError(wire: WireError): LastwordError {
  if (wire.cause === undefined) return new LastwordError(wire.code, wire.message, wire.context);
  const { message, ...members } = wire.cause;
  const cause = Object.assign(new Error(message), members);
  return new LastwordError(wire.code, wire.message, wire.context, { cause });
}
