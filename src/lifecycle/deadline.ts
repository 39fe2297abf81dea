import { LastwordError } from '../errors.js';

/** Milliseconds until the moment, at least 0. Moments are performance.now()'s. */
export function leftUntil(deadline: number): number {
  return Math.max(0, deadline - performance.now());
}

/** The promise, or LASTWORD_TIMEOUT at the moment. `what` names what was waited for. */
export async function before<T>(deadline: number, promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => { reject(new LastwordError('LASTWORD_TIMEOUT', `${what} did not end in time`)); }, leftUntil(deadline));
  });
  try {
    return await Promise.race([promise, expired]);
  } finally {
    clearTimeout(timer);
  }
}
