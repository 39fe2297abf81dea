/** What the host does in the simulation: opens threads, appends, flushes, closes; and what it is told. */
import { dirname } from 'node:path';
import type { CreateThreadCommand, Reply, ResumedRollout, SlotRef, WriterEvent } from '../../src/control/protocol.js';
import type { WireError } from '../../src/errors.js';
import { rolloutPath } from '../../src/rollout/rollout-path.js';
import type { Inode } from './inode.js';
import { idOf, itemOf } from './items.js';
import type { Machine } from './machine.js';
import { DIRECTORY, VirtualProcess, type ProcessOptions } from './process.js';
import type { SharedMemory } from './shared-memory.js';
import type { System } from './system.js';
import { Truth } from './truth.js';

/** One opening of a thread. */
export interface Opening {
  readonly truth: Truth;
  readonly slot: number;
  readonly incarnation: number;
  base: number;
  /** Unreleased: drained, and phase 2 was refused, so that it may be asked for again. */
  state: 'opening' | 'open' | 'closing' | 'unreleased' | 'failed' | 'abandoned';
  isDegraded: boolean;
  failure: WireError | undefined;
}

export class Host {
  readonly system: System;
  readonly machine: Machine;
  readonly memory: SharedMemory;
  readonly options: ProcessOptions;
  /** Every thread that may be there. */
  readonly threads = new Set<Truth>();
  readonly openings = new Map<Truth, Opening>();
  /** Of this process, by slot and incarnation: a sync may fail when the thread is closed. */
  readonly #opened = new Map<string, Truth>();
  process: VirtualProcess;
  /** The directory is open. */
  isReady = false;
  #items = 0;
  #made = 0;

  constructor(system: System, machine: Machine, memory: SharedMemory, options: ProcessOptions) {
    this.system = system;
    this.machine = machine;
    this.memory = memory;
    this.options = options;
    this.process = this.#begin();
  }

  /** After the death of the last one: nothing is open. */
  restart(): void {
    this.openings.clear();
    this.#opened.clear();
    this.process = this.#begin();
  }

  /** The writer is dead: another one goes on with what is open. */
  replaceWriter(): void {
    this.process.replaceWriter([...this.openings.values()].filter(({ state }) => state !== 'opening')
      .map(({ truth: { threadId, path }, slot, incarnation, base, isDegraded, failure }) => ({ threadId, path, slot, incarnation, base, isDegraded, failure })));
  }

  #begin(): VirtualProcess {
    this.isReady = false;
    return new VirtualProcess(this.system, this.machine, this.memory, this.options, (event) => { this.#told(event); });
  }

  start(): void {
    this.process.send((control) => control.openDirectory(DIRECTORY), (reply) => {
      if (reply.ok) this.isReady = true;
      else this.#refused('openDirectory', reply.error);
    });
  }

  create(): void {
    this.#made += 1;
    const id = idOf(this.#made);
    const truth = new Truth(id, rolloutPath(DIRECTORY, id));
    this.threads.add(truth);
    const opening = this.#open(truth);
    const header = this.process.producer.encode({ type: 'session_meta', payload: { id, history_mode: 'paginated' } });
    const { slot, incarnation } = opening;
    const command: Omit<CreateThreadCommand, 'isAgain'> = { slot, incarnation, threadId: id, path: truth.path, base: 1, header, timestampMs: this.machine.clock.nowMs() };
    this.process.send((control, isAgain) => control.createThread({ ...command, isAgain }), (reply) => {
      if (!reply.ok) {
        this.#notOpened(opening, 'createThread', reply.error);
        return;
      }
      this.#nowOpen(opening, 1);
    });
  }

  resume(truth: Truth): void {
    const opening = this.#open(truth);
    const { slot, incarnation } = opening;
    this.process.send((control) => control.resumeThread({ slot, incarnation, threadId: truth.threadId, path: truth.path }), (reply: Reply<ResumedRollout>) => {
      if (reply.ok) {
        const { base } = reply.value;
        if (base !== truth.records.length) this.#complain(truth, `resumed at ${base} where ${truth.records.length} records are`);
        this.#nowOpen(opening, base);
        return;
      }
      const { code } = reply.error;
      const isGone = (code === 'LASTWORD_THREAD_NOT_FOUND' && truth.written === 0)
        || (code === 'LASTWORD_ROLLOUT_CORRUPT' && truth.records[0] === undefined);
      if (isGone) this.threads.delete(truth);
      this.#notOpened(opening, 'resumeThread', reply.error, isGone);
    });
  }

  #open(truth: Truth): Opening {
    const opening: Opening = { truth, ...this.process.slots.take(), base: 0, state: 'opening', isDegraded: false, failure: undefined };
    this.openings.set(truth, opening);
    this.#opened.set(keyOf(opening), truth);
    return opening;
  }

  #nowOpen(opening: Opening, base: number): void {
    const { slots } = this.system;
    opening.base = base;
    slots.setBase(this.memory.sidecar, opening.slot, base);
    // It may have failed before the host had it.
    opening.state = opening.failure === undefined ? 'open' : 'failed';
    opening.truth.written = Math.max(opening.truth.written, base);
  }

  #notOpened(opening: Opening, command: string, error: WireError, isExpected = false): void {
    this.openings.delete(opening.truth);
    this.process.slots.giveBack(opening.slot);
    if (!isExpected) this.#refused(command, error);
  }

  /** A command may fail of a fault alone, or of a lease that nobody can read. */
  #refused(command: string, error: WireError): void {
    this.machine.say(`${command}: ${error.code}: ${error.message}`);
    const isUnreadable = error.code === 'LASTWORD_THREAD_BUSY' && error.message.includes('does not say where') && this.machine.boots > 0;
    if (isUnreadable) this.machine.clock.advance(61_000);
    else if (this.machine.faults.injected === 0) this.machine.complaints.push(`${command} failed: ${error.code}: ${error.message}`);
  }

  /** False when there is no room. */
  append(opening: Opening, sizes: readonly number[]): boolean {
    const { slot, incarnation, truth } = opening;
    const items = sizes.map((bytes, place) => itemOf(this.#items + 1 + place, bytes));
    const { producer } = this.process;
    try {
      const count = items.length === 1 && items[0] !== undefined ? producer.append(slot, incarnation, items[0]) : producer.appendAll(slot, incarnation, items);
      if (count !== truth.records.length - opening.base) this.#complain(truth, `append said ${count} at ordinal ${truth.records.length} of base ${opening.base}`);
    } catch (error) {
      const { code = '' } = error as { code?: string };
      if (code !== 'LASTWORD_RING_FULL' && code !== 'LASTWORD_ITEM_TOO_LARGE') throw error;
      return false;
    }
    for (const { payload: { item } } of items) truth.accept(item);
    this.#items += items.length;
    return true;
  }

  flush({ slot }: Opening): void {
    const { doorbell, slots } = this.system;
    const { sidecar } = this.memory;
    slots.wantSynced(sidecar, slot, slots.acceptedIn(slots.sealWordOf(sidecar, slot)));
    doorbell.requestSync(sidecar);
  }

  close(opening: Opening, sync: boolean): void {
    const { slots } = this.system;
    const { sidecar } = this.memory;
    const { incarnation, slot, truth } = opening;
    opening.state = 'closing';
    slots.moveState(sidecar, slot, 'closing');
    const accepted = slots.seal(sidecar, slot);
    this.process.send((control) => control.drainThread({ slot, incarnation, abandon: false }), (drained) => {
      if (!isClosing(opening)) return;
      if (drained.ok && drained.value.written === accepted) this.release(opening, { sync, abandon: false });
      else this.#complain(truth, `drained ${drained.ok ? drained.value.written : drained.error.message} of ${accepted}`);
    });
  }

  /** A thread that failed is given up; what it could not write is in a salvage file. */
  abandon(opening: Opening): void {
    const { incarnation, slot, truth } = opening;
    const left = truth.records.length - opening.base;
    opening.state = 'abandoned';
    this.process.send((control) => control.drainThread({ slot, incarnation, abandon: true }), (drained) => {
      if (!drained.ok) {
        opening.state = 'failed';
        this.#refused('drainThread', drained.error);
        return;
      }
      const { written, salvage } = drained.value;
      if (written + (salvage?.records ?? 0) !== left) this.#complain(truth, `${written} written and ${salvage?.records} salvaged of ${left}`);
      this.release(opening, { sync: false, abandon: true });
    });
  }

  release(opening: Opening, { sync, abandon }: { sync: boolean; abandon: boolean }): void {
    const { slots } = this.system;
    const { sidecar } = this.memory;
    const { incarnation, slot, truth } = opening;
    opening.state = abandon ? 'abandoned' : 'closing';
    this.process.send((control) => control.releaseThread({ slot, incarnation, threadId: truth.threadId, sync, abandon }), (released) => {
      if (!abandon && !isClosing(opening)) return;
      if (!released.ok) {
        opening.state = abandon ? 'failed' : 'unreleased';
        this.#refused('releaseThread', released.error);
        return;
      }
      this.observe();
      slots.moveState(sidecar, slot, 'closed');
      this.process.slots.giveBack(slot);
      this.openings.delete(truth);
      // What its file ends with is not known, but is no less than what was said.
      if (abandon) this.machine.complaints.push(...truth.settle(this.bytesOf(truth), 'written'));
    });
  }

  /** What the shared words say now, to whoever asks. */
  observe(): void {
    const { disk, unheard } = this.machine;
    if (unheard.size > 0) for (const truth of this.threads) if (unheard.has(disk.file(truth.path) as Inode)) truth.refused();
    unheard.clear();
    const { slots } = this.system;
    const { sidecar } = this.memory;
    for (const { truth, slot, base, state } of this.openings.values()) {
      if (state === 'opening') continue;
      if (state === 'failed' || state === 'abandoned') {
        // A sync that fails behind another failure is not told of.
        if (disk.file(truth.path)?.isLossy === true) truth.refused();
        continue;
      }
      const [written, synced] = [slots.writtenOf(sidecar, slot), slots.syncedOf(sidecar, slot)];
      if (base + written > truth.records.length) this.#complain(truth, `${written} written, ${truth.records.length - base} accepted`);
      if (base + written < truth.written) this.#complain(truth, `written went back to ${base + written} from ${truth.written}`);
      if (synced > written) this.#complain(truth, `${synced} synced, ${written} written`);
      truth.written = base + written;
      if (synced < 0) continue;
      if (base + synced < truth.synced) this.#complain(truth, `synced went back to ${base + synced} from ${truth.synced}`);
      truth.synced = base + synced;
    }
  }

  #told(event: WriterEvent): void {
    if (event.event === 'ready') return;
    this.machine.say(`told ${event.event}`);
    this.observe();
    const truth = this.#opened.get(keyOf(event));
    if (truth === undefined) return;
    if (event.event === 'threadFailed') truth.failed(event.error);
    const opening = this.openings.get(truth);
    if (opening?.incarnation !== event.incarnation || opening.slot !== event.slot) return;
    if (event.event === 'threadFailed') {
      if (opening.state !== 'opening') opening.state = 'failed';
      opening.failure ??= event.error;
      // Where a sync could not be made, what is not held is not known to be safe.
      const isUnheld = event.error.code === 'LASTWORD_SYNC_FAILED' && this.machine.faults.injected > 0;
      if (!this.machine.faults.wasFinal && !isUnheld) this.#complain(truth, `failed for good of what may pass: ${event.error.message}`);
      return;
    }
    const isDegraded = event.event === 'threadDegraded';
    if (opening.isDegraded === isDegraded) this.#complain(truth, `told ${event.event} twice`);
    opening.isDegraded = isDegraded;
  }

  #complain(truth: Truth, what: string): void {
    this.machine.complaints.push(`thread ${truth.threadId.slice(-4)}: ${what}`);
  }

  /** Threads that nobody has open, whose folder is there. */
  get stored(): Truth[] {
    return [...this.threads].filter((truth) => !this.openings.has(truth));
  }

  bytesOf(truth: Truth): Buffer | undefined {
    return this.machine.disk.file(truth.path)?.cache;
  }

  folderOf(truth: Truth): string {
    return dirname(truth.path);
  }
}

/** And has not failed meanwhile. */
function isClosing({ state }: Opening): boolean {
  return state === 'closing';
}

function keyOf({ slot, incarnation }: SlotRef): string {
  return `${slot}, ${incarnation}`;
}
