/** FsOps over the virtual disk, for one writer: where its faults strike, and where it dies. */
import type { FileState, FsOps } from '../../worker/seams.js';
import { type Call, systemError } from './faults.js';
import { Inode } from './inode.js';
import { Death, type Machine } from './machine.js';
import { type Description, Folder } from './virtual-disk.js';

/** Whose calls they are. */
export interface Caller {
  /** At each call, before and after it: true from the call on at which the caller dies. */
  isDying(): boolean;
  readonly isDead: boolean;
}

export class VirtualFs implements FsOps {
  readonly #machine: Machine;
  readonly #caller: Caller;

  constructor(machine: Machine, caller: Caller) {
    this.#machine = machine;
    this.#caller = caller;
  }

  createFile(path: string): number {
    return this.#call('open', () => {
      const { folder, name } = this.#place(path);
      if (folder.names.has(name)) throw systemError('EEXIST', -17, 'open');
      this.#machine.change('open');
      const inode = new Inode(this.#machine.draws++);
      inode.modifiedMs = this.#machine.clock.nowMs();
      inode.names = 1;
      folder.change([[name, inode]]);
      return this.#machine.disk.open(inode);
    });
  }

  openFile(path: string): number {
    return this.#call('open', () => this.#machine.disk.open(this.#file(path, 'open')));
  }

  write(descriptor: number, bytes: Uint8Array, offset: number, length: number): number {
    const { chance, disk, faults, journal } = this.#machine;
    const { inode } = this.#description(descriptor);
    const put = (count: number): number => {
      if (count > 0) inode.append(bytes.subarray(offset, offset + count));
      disk.room -= count;
      inode.modifiedMs = this.#machine.clock.nowMs();
      return count;
    };
    if (this.#caller.isDead) throw new Death();
    if (this.#caller.isDying()) {
      put(Math.min(disk.room, chance(length + 1)));
      throw new Death();
    }
    const error = faults.find('write', chance) ?? (journal === 'been found out' ? systemError('EROFS', -30, 'write') : undefined) ?? (disk.room <= 0 ? this.#full() : undefined);
    if (error !== undefined) {
      this.#machine.say(`${error.message} is refused`);
      // What fits is written; only a further call says what is wrong.
      if (chance(2) === 0 && length > 1 && disk.room > 1) put(Math.min(disk.room, chance(length)));
      throw error;
    }
    const isShort = faults.isOn && faults.isShortWriting && length > 1 && chance(4) === 0;
    const taken = put(Math.min(disk.room, isShort ? 1 + chance(length - 1) : length));
    if (this.#caller.isDying()) throw new Death();
    return taken;
  }

  truncate(descriptor: number, length: number): void {
    this.#call('truncate', () => {
      const { inode } = this.#description(descriptor);
      this.#machine.change('ftruncate');
      this.#machine.disk.room += inode.size - length;
      inode.cut(length);
      inode.modifiedMs = this.#machine.clock.nowMs();
    });
  }

  size(descriptor: number): number {
    return this.#call('size', () => {
      const { inode } = this.#description(descriptor);
      if (inode.names === 0) throw Object.assign(new Error('ENOENT: the file was deleted while it was open, fstat'), { code: 'ENOENT' });
      return inode.size;
    });
  }

  identify(descriptor: number): FileState {
    return this.#call('size', () => {
      const { inode } = this.#description(descriptor);
      return { dev: 1, ino: inode.number, links: inode.names, size: inode.size };
    });
  }

  /** Nobody here moves a file that is open. */
  pathOf(): undefined {
    return undefined;
  }

  identifyPath(path: string): FileState | undefined {
    return this.#call('look', () => {
      const file = this.#machine.disk.file(path);
      return file === undefined ? undefined : { dev: 1, ino: file.number, links: file.names, size: file.size };
    });
  }

  close(descriptor: number): void {
    // The descriptor is gone, whatever is said.
    if (!this.#caller.isDead) {
      const { disk, complaints, syncs } = this.#machine;
      const description = this.#description(descriptor);
      // The number may be another file's by the time the call is made.
      if (syncs.some(({ target }) => target === description)) complaints.push(`descriptor ${descriptor} was closed in a sync of it`);
      disk.descriptors.delete(descriptor);
    }
    this.#call('close', () => undefined);
  }

  link(existingPath: string, newPath: string): void {
    this.#call('names', () => {
      const inode = this.#file(existingPath, 'link');
      const { folder, name } = this.#place(newPath);
      if (folder.names.has(name)) throw systemError('EEXIST', -17, 'link');
      this.#machine.change('link');
      folder.change([[name, inode]]);
      inode.names += 1;
    });
  }

  rename(path: string, newPath: string): void {
    this.#call('names', () => {
      const inode = this.#file(path, 'rename');
      const from = this.#place(path);
      const to = this.#place(newPath);
      if (from.folder !== to.folder) throw new Error('only within one folder');
      const replaced = to.folder.names.get(to.name);
      if (replaced === inode) return;
      this.#machine.change('rename');
      from.folder.change([[from.name, undefined], [to.name, inode]]);
      if (replaced instanceof Inode) this.#nameGone(replaced);
    });
  }

  unlink(path: string): void {
    this.#call('names', () => {
      const inode = this.#file(path, 'unlink');
      const { folder, name } = this.#place(path);
      this.#machine.change('unlink');
      folder.change([[name, undefined]]);
      this.#nameGone(inode);
    });
  }

  #nameGone(inode: Inode): void {
    inode.names -= 1;
    if (inode.names === 0) this.#machine.disk.room += inode.size;
  }

  read(descriptor: number, bytes: Uint8Array, offset: number, length: number, position: number): number {
    return this.#call('read', () => {
      const { cache } = this.#description(descriptor).inode;
      const taken = cache.subarray(position, position + length);
      bytes.set(taken, offset);
      return taken.length;
    });
  }

  readText(path: string, bytesMax: number): string | undefined {
    return this.#call('look', () => this.#machine.disk.file(path)?.cache.subarray(0, bytesMax).toString());
  }

  modifiedMs(path: string): number | undefined {
    return this.#call('look', () => this.#machine.disk.file(path)?.modifiedMs);
  }

  isSameFile(path: string, other: string): boolean {
    return this.#call('look', () => {
      const file = this.#machine.disk.file(path);
      return file !== undefined && file === this.#machine.disk.file(other);
    });
  }

  readFolder(path: string): string[] {
    return this.#call('look', () => {
      const folder = this.#machine.disk.find(path);
      if (!(folder instanceof Folder)) throw systemError('ENOENT', -2, 'scandir');
      return [...folder.names.keys()];
    });
  }

  makeDirectory(path: string): string | undefined {
    return this.#call('names', () => {
      let folder: Folder = this.#machine.disk.root;
      let first: string | undefined;
      let here = '';
      for (const name of path.split('/').slice(1)) {
        here += `/${name}`;
        let next = folder.names.get(name);
        if (next === undefined) {
          this.#machine.change('mkdir');
          first ??= here;
          next = new Folder();
          folder.change([[name, next]]);
        }
        if (!(next instanceof Folder)) throw systemError('ENOTDIR', -20, 'mkdir');
        folder = next;
      }
      return first;
    });
  }

  checkDirectory(path: string): void {
    this.#call('look', () => {
      if (!(this.#machine.disk.find(path) instanceof Folder)) throw systemError('ENOTDIR', -20, 'stat');
    });
  }

  syncFile(descriptor: number): Promise<void> {
    return this.#begin(() => {
      const description = this.#description(descriptor);
      return { target: description, made: description.inode.changesMade };
    });
  }

  syncFileNow(descriptor: number): void {
    this.#call('look', () => { this.#machine.syncNow(this.#description(descriptor)); });
  }

  confirmSyncs(descriptor: number): boolean {
    if (this.#caller.isDead) throw new Death();
    this.#description(descriptor);
    this.#machine.change('fchmod');
    return true;
  }

  syncDirectory(path: string): Promise<void> {
    return this.#begin(() => {
      const folder = this.#machine.disk.find(path);
      if (!(folder instanceof Folder)) throw systemError('ENOENT', -2, 'open');
      return { target: folder, made: folder.changesMade };
    });
  }

  syncDirectoryNow(path: string): void {
    this.#call('sync folder', () => {
      const folder = this.#machine.disk.find(path);
      if (!(folder instanceof Folder)) throw systemError('ENOENT', -2, 'open');
      if (this.#machine.journal === 'goes') folder.settle(folder.changesMade);
    });
  }

  /** Settles when the schedule says so; never for a caller that has died. */
  #begin(what: () => { target: Description | Folder; made: number }): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#caller.isDead || this.#caller.isDying()) throw new Death();
      const settle = (error?: Error): boolean => {
        if (this.#caller.isDead || this.#caller.isDying()) return false;
        if (error === undefined) resolve();
        else reject(error);
        return true;
      };
      this.#machine.begin({ ...what(), settle });
      if (this.#caller.isDying()) throw new Death();
    });
  }

  #call<Result>(call: Call, act: () => Result): Result {
    if (this.#caller.isDead || this.#caller.isDying()) throw new Death();
    const error = this.#machine.faults.find(call, this.#machine.chance);
    if (error !== undefined) {
      this.#machine.say(`${error.message} is refused`);
      throw error;
    }
    const result = act();
    if (this.#caller.isDying()) throw new Death();
    return result;
  }

  #full(): Error {
    this.#machine.faults.injected += 1;
    return systemError('ENOSPC', -28, 'write');
  }

  #description(descriptor: number): Description {
    const description = this.#machine.disk.descriptors.get(descriptor);
    if (description === undefined && !this.#caller.isDead) this.#machine.complaints.push(`a call for descriptor ${descriptor}, which is not open`);
    if (description === undefined) throw systemError('EBADF', -9, 'fs');
    return description;
  }

  #file(path: string, syscall: string): Inode {
    const file = this.#machine.disk.file(path);
    if (file === undefined) throw systemError('ENOENT', -2, syscall);
    return file;
  }

  #place(path: string): { folder: Folder; name: string } {
    const { folder, name } = this.#machine.disk.place(path);
    if (folder === undefined) throw systemError('ENOENT', -2, 'open');
    return { folder, name };
  }
}
