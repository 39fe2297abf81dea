/** What may go wrong in a history: drawn from its seed, so that some have one kind of fault, often, and others many. */
import { randomFrom } from '../support/random.js';
import type { Chance } from './chance.js';

/** Calls of the disk, by what makes them fail alike. */
export type Call = 'write' | 'truncate' | 'open' | 'size' | 'close' | 'names' | 'read' | 'look' | 'sync' | 'sync folder';

interface Kind {
  readonly call: Call;
  readonly errno: number;
  readonly code: string;
  /** A thread may fail of it for good; of all others it recovers. */
  readonly isFinal: boolean;
}

const kind = (call: Call, code: string, errno: number, isFinal = false): Kind => ({ call, code, errno, isFinal });

const KINDS: readonly Kind[] = [
  kind('write', 'ENOSPC', -28), kind('write', 'EIO', -5), kind('write', 'UNKNOWN', -122), kind('write', 'EROFS', -30, true),
  kind('truncate', 'EIO', -5), kind('truncate', 'EROFS', -30, true),
  kind('open', 'EMFILE', -24), kind('open', 'EIO', -5), kind('open', 'ENOSPC', -28), kind('open', 'EACCES', -13, true),
  kind('size', 'EIO', -5),
  kind('close', 'EIO', -5, true),
  kind('names', 'EIO', -5), kind('names', 'ENOSPC', -28), kind('names', 'EACCES', -13, true),
  kind('read', 'EIO', -5), kind('look', 'EIO', -5),
  kind('sync', 'EIO', -5, true), kind('sync', 'ENOSPC', -28, true), kind('sync folder', 'EIO', -5, true),
];

/** One of so many calls fails. */
const RATES = [1, 2, 5, 20];

export class Faults {
  /** They come and go. */
  isOn = false;
  /** A call has failed in a way of which a thread may fail for good. */
  wasFinal = false;
  injected = 0;
  readonly isShortWriting: boolean;
  /** Until the journal stops; undefined where it does not. */
  #syncsLeft: number | undefined;
  readonly #kinds: ReadonlyMap<Call, readonly (Kind & { rate: number })[]>;

  constructor(seed: number) {
    const chance = randomFrom(seed);
    const share = [12, 6, 3][chance(3)] ?? 3;
    const kinds = new Map<Call, (Kind & { rate: number })[]>();
    for (const one of KINDS) {
      if (chance(share) === 0) kinds.set(one.call, [...kinds.get(one.call) ?? [], { ...one, rate: RATES[chance(RATES.length)] ?? 1 }]);
    }
    this.#kinds = kinds;
    this.isShortWriting = chance(4) === 0;
    this.#syncsLeft = chance(8) === 0 ? 1 + chance(12) : undefined;
  }

  /** Nothing fails any more, until it is told to. */
  calm(): void {
    this.isOn = false;
    this.#syncsLeft = undefined;
  }

  /** Asked once for each sync. */
  stopsJournal(): boolean {
    if (this.#syncsLeft === undefined) return false;
    this.#syncsLeft -= 1;
    if (this.#syncsLeft > 0) return false;
    this.calm();
    this.injected += 1;
    this.wasFinal = true;
    return true;
  }

  /** The error with which the call fails, if it does. */
  find(call: Call, chance: Chance): NodeJS.ErrnoException | undefined {
    if (!this.isOn) return undefined;
    for (const one of this.#kinds.get(call) ?? []) {
      if (chance(one.rate) > 0) continue;
      this.injected += 1;
      this.wasFinal ||= one.isFinal;
      return systemError(one.code, one.errno, call);
    }
    return undefined;
  }
}

export function systemError(code: string, errno: number, syscall: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${syscall}`), { code, errno, syscall });
}
