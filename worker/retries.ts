import type { ParkedFrame } from '../src/ring/parking.js';
import type { RolloutFile } from './rollout-file.js';
import type { WriterRing } from './writer-ring.js';

/** Files that have something to do though nothing new came: frames of theirs are parked, or they were a dead writer's and their end is not found yet. */
export class Retries {
  readonly #ringOf = new Map<RolloutFile, WriterRing>();

  [Symbol.iterator](): Iterator<[RolloutFile, WriterRing]> {
    return this.#ringOf.entries();
  }

  ringOf(file: RolloutFile): WriterRing | undefined {
    return this.#ringOf.get(file);
  }

  /** Whatever a writer that died has left of it. */
  adopt(rings: readonly WriterRing[], file: RolloutFile): void {
    const [first] = rings;
    if (!file.isEndKnown && first !== undefined) this.#ringOf.set(file, first);
    for (const ring of rings) this.#adoptParked(ring, file);
  }

  /** What a writer that died had parked of it, and had not written yet. */
  #adoptParked(ring: WriterRing, file: RolloutFile): void {
    const own = ring.parking.frames.filter(({ slot, incarnation, isWritten }) => slot === file.slot && incarnation === file.incarnation && !isWritten);
    if (own.length === 0) return;
    // One that was being moved is there twice.
    const waiting = new Map(own.filter(({ count }) => count >= file.written).map((frame) => [frame.count, frame]));
    ring.parking.remove(own.filter((frame) => waiting.get(frame.count) !== frame));
    file.parked = [...waiting.values()].sort((one, other) => one.count - other.count);
    if (file.parked.length > 0) this.#ringOf.set(file, ring);
  }

  /** Copies the frame at the address out of ring or arena. False when there is no room. */
  park(ring: WriterRing, file: RolloutFile, address: number): boolean {
    const parked = ring.parking.add(address);
    if (parked === undefined) return false;
    file.parked.push(parked);
    this.#ringOf.set(file, ring);
    return true;
  }

  unpark(file: RolloutFile, isWritten: (frame: ParkedFrame) => boolean): void {
    const [written, left] = [file.parked.filter(isWritten), file.parked.filter((frame) => !isWritten(frame))];
    if (written.length > 0) this.#ringOf.get(file)?.parking.remove(written);
    file.parked = left;
    if (left.length === 0 && (file.isEndKnown || !file.takesRecords)) this.#ringOf.delete(file);
  }

  /** The writer has let go of it, whether its end was found or not. */
  remove(file: RolloutFile): void {
    this.unpark(file, () => true);
    this.#ringOf.delete(file);
  }
}
