import type { ProcessIdentity } from '../seams.js';

/** What a lease says of its owner. */
export interface LeaseOwner extends ProcessIdentity {
  /** One opening of a sidecar: never used again. */
  readonly instance: string;
  /** RFC 3339: since when that sidecar has been open. */
  readonly since: string;
}

/** Longest text that is read: anybody may have written it. */
export const OWNER_BYTES_MAX = 4096;
const INSTANCE = /^[0-9a-f]{16}$/;
const PID_MAX = 2 ** 31 - 1;
/** What may be put into a message. */
const PLAIN = /^[^\p{C}\p{Zl}\p{Zp}]{0,255}$/u;

export function encodeOwner(owner: LeaseOwner): Buffer {
  return Buffer.from(`${JSON.stringify(owner)}\n`);
}

/** Undefined where the text is none of ours, or was cut short. */
export function decodeOwner(text: string): LeaseOwner | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined; // no lease of ours: who holds it stays unknown
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const { pid, start, boot, namespace, host, instance, since } = parsed as Partial<LeaseOwner>;
  if (!Number.isInteger(pid) || pid === undefined || pid < 1 || pid > PID_MAX) return undefined;
  if (!isPlain(instance) || !INSTANCE.test(instance)) return undefined;
  if (!isPlain(start) || !isPlain(boot) || !isPlain(namespace) || !isPlain(host) || !isPlain(since)) return undefined;
  return { pid, start, boot, namespace, host, instance, since };
}

function isPlain(value: unknown): value is string {
  return typeof value === 'string' && PLAIN.test(value);
}
