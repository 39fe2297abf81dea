/** What outlives a process: the disk, the time, the faults; and the chance that decides within a step. */
import { randomFrom } from '../support/random.js';
import type { Chance } from './chance.js';
import { VirtualClock } from './clock.js';
import { Faults, systemError } from './faults.js';
import type { CrashOrder, Inode } from './inode.js';
import { type Description, Folder, VirtualDisk } from './virtual-disk.js';

/** A sync that has begun. */
export interface PendingSync {
  readonly target: Description | Folder;
  /** Changes that it makes durable. */
  readonly made: number;
  /** Settles what the writer waits for. False where that is dead. */
  readonly settle: (error?: Error) => boolean;
}

/** Whoever makes a call dies there. */
export class Death extends Error {}

export class Machine {
  readonly disk = new VirtualDisk();
  readonly clock = new VirtualClock();
  readonly faults: Faults;
  readonly syncs: PendingSync[] = [];
  /** Bugs of what is simulated that it would hide. */
  readonly complaints: string[] = [];
  /** Of the step. */
  chance: Chance;
  /** Where a history is told. */
  say: (what: string) => void = () => undefined;
  /** Files of which a sync failed, and only a dead writer was told. */
  readonly unheard = new Set<Inode>();
  /**
   * Of the file system. Stopped: nothing becomes durable any more, and whoever did not wait for the commit that failed is told that
   * syncs succeed, until something is to be changed; then all changes are refused. Only a further boot has it go on.
   */
  journal: 'goes' | 'stopped' | 'been found out' = 'goes';
  boots = 0;
  pid = 100;
  draws = 0;

  constructor(seed: number) {
    this.faults = new Faults(seed);
    this.chance = randomFrom(seed);
    this.disk.root.change([['tmp', new Folder()]]);
    this.disk.root.settle(this.disk.root.changesMade);
  }

  /** The sidecar's directory is there since long, and with it the names above it. */
  furnish(): void {
    const [home, directory] = [new Folder(), new Folder()];
    home.change([['threads', directory]]);
    this.disk.root.change([['home', home]]);
    for (const folder of [this.disk.root, home]) folder.settle(folder.changesMade);
  }

  begin(sync: PendingSync): void {
    this.syncs.push(sync);
  }

  /** One of the syncs under way ends, as the faults will have it. */
  endSync(index: number): void {
    const [sync] = this.syncs.splice(index, 1);
    if (sync === undefined) return;
    const { target, made } = sync;
    if (this.faults.stopsJournal()) this.#stopJournal();
    if (this.journal !== 'goes') {
      this.say(`a sync ends, the journal has ${this.journal}`);
      sync.settle(this.journal === 'stopped' ? undefined : systemError('EROFS', -30, 'fsync'));
      return;
    }
    if ('inode' in target) {
      const { inode } = target;
      const isRefused = this.faults.find('sync', this.chance) !== undefined;
      this.say(`sync of a file ${isRefused ? 'is refused' : `, ${made} changes`}`);
      if (isRefused) inode.refuse(this.chance);
      else inode.settle(made);
      const error = this.#toldTo(target);
      if (!sync.settle(error) && error !== undefined) this.unheard.add(inode);
      return;
    }
    const error = this.faults.find('sync folder', this.chance);
    this.say(`sync of a folder ${error === undefined ? `, ${made} changes` : 'is refused'}`);
    if (error === undefined) target.settle(made);
    sync.settle(error);
  }

  /** A commit fails, maybe one that others made. Who waits for it is told. */
  #stopJournal(): void {
    this.journal = 'stopped';
    const waits = this.syncs.filter(() => this.chance(4) === 0);
    this.say(`the journal stops, ${waits.length} wait for it`);
    for (const one of waits) {
      this.syncs.splice(this.syncs.indexOf(one), 1);
      one.settle(systemError('EIO', -5, 'fsync'));
    }
  }

  /** Something other than the bytes of a file is to be changed. @throws EROFS */
  change(syscall: string): void {
    if (this.journal === 'goes') return;
    this.journal = 'been found out';
    throw systemError('EROFS', -30, syscall);
  }

  /** Each descriptor is told of a failure once. */
  #toldTo(description: Description): Error | undefined {
    const { inode } = description;
    if (description.errorsSeen === inode.errors) return undefined;
    description.errorsSeen = inode.errors;
    inode.isErrorSeen = true;
    return systemError('EIO', -5, 'fdatasync');
  }

  /** At once, for syncFileNow(). */
  syncNow(description: Description): void {
    this.begin({ target: description, made: description.inode.changesMade, settle: (error) => { if (error !== undefined) throw error; return true; } });
    this.endSync(this.syncs.length - 1);
  }

  /** The process is gone; what it had begun may still end. */
  processDied(): void {
    this.disk.closeAll();
    this.clock.forget();
    this.pid += 1;
  }

  powerLost(order: CrashOrder): void {
    this.processDied();
    this.syncs.length = 0;
    this.disk.crash(order, this.chance);
    this.journal = 'goes';
    this.boots += 1;
  }
}
