/** Disks of a test's own: images behind programs that record or fail, under loop devices. Root only. */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { until } from '../sidecars.js';
import { hear, nothingTold, type Told } from './run.js';

/** Debian's own: the module comes with it. */
export const PYTHON = '/usr/bin/python3';
const SECTOR = 512;
/** Until a program that is a disk has started. */
const START_MS = 60_000;
const DETACH_MS = 10_000;

/** What a machine lacks of these; undefined where all is there. */
export function lackOf({ programs = [], hasFuse = false }: { programs?: readonly string[]; hasFuse?: boolean }): string | undefined {
  if (process.getuid?.() !== 0) return 'not run as root';
  if (!existsSync('/dev/loop-control')) return 'no loop devices';
  if (hasFuse && !existsSync('/dev/fuse')) return 'no /dev/fuse';
  if (hasFuse && spawnSync(PYTHON, ['-c', 'import fusepy']).status !== 0) return 'no python3-fusepy';
  const missing = programs.find((program) => spawnSync('which', [program]).status !== 0);
  return missing === undefined ? undefined : `no ${missing}`;
}

export function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** A program that goes on until the test is over, or stopped. */
export function background(program: string, args: readonly string[]): { child: ChildProcess; ended: Promise<unknown> } {
  const child = spawn(program, args, { stdio: 'ignore' });
  const ended = once(child, 'exit');
  onTestFinished(() => { child.kill('SIGKILL'); });
  return { child, ended };
}

export function unmount(folder: string): void {
  spawnSync('umount', ['-l', folder]);
}

/** Mounts an image; its mount is gone after `act`. Undefined where there is no file system on it any more. */
export async function mounted<T>(image: string, folder: string, act: () => Promise<T>): Promise<T | undefined> {
  mkdirSync(folder, { recursive: true });
  const { status, stderr } = spawnSync('mount', ['-o', 'loop', image, folder], { encoding: 'utf8' });
  if (stderr.includes('corrupted filesystem')) return undefined;
  if (status !== 0) throw new Error(`mount: ${stderr}`);
  try {
    return await act();
  } finally {
    run('umount', folder);
    // It is let go of behind that. Until then another mount of the image gets the same device, and what is cached of it: a superblock
    // that says there is nothing to recover.
    await until(() => run('losetup', '-j', image) === '', 'the end of a loop device', DETACH_MS);
  }
}

export function makeImage(path: string, mebibytes: number): void {
  run('truncate', '-s', `${mebibytes}M`, path);
  run('mkfs.ext4', '-q', '-F', path);
}

/** An ext4 file system on a device that records all that reaches it (`test/faults/blklog.py`). */
export class RecordedDisk {
  readonly folder: string;
  readonly mark: string;
  readonly #base: string;
  readonly #log: string;
  readonly #fuse: string;
  #loop = '';
  #recorder: ReturnType<typeof background> | undefined;

  constructor(at: string) {
    this.folder = join(at, 'disk');
    this.#fuse = join(at, 'fuse');
    this.mark = join(this.#fuse, 'mark');
    this.#base = join(at, 'base.img');
    this.#log = join(at, 'log');
    mkdirSync(this.folder);
    mkdirSync(this.#fuse);
  }

  async mount(): Promise<void> {
    makeImage(this.#base, 64);
    const image = `${this.#base}.now`;
    run('cp', '--sparse=always', this.#base, image);
    const program = fileURLToPath(new URL('../../faults/blklog.py', import.meta.url));
    this.#recorder = background(PYTHON, [program, image, this.#log, this.#fuse]);
    await until(() => existsSync(this.mark), 'the recording device', START_MS);
    this.#loop = run('losetup', '-f', '--show', '--direct-io=on', join(this.#fuse, 'disk.img')).trim();
    run('mount', this.#loop, this.folder);
    onTestFinished(() => { this.#release(); });
  }

  async unmount(): Promise<RecordedEvent[]> {
    this.#release();
    await this.#recorder?.ended;
    return eventsOf(readFileSync(this.#log));
  }

  #release(): void {
    if (this.#loop === '') return;
    unmount(this.folder);
    spawnSync('losetup', ['-d', this.#loop]);
    unmount(this.#fuse);
    this.#loop = '';
  }

  /** The disk as a loss of power after so many events may leave it: what no flush covered may be lost, or torn at a sector. */
  crash(events: readonly RecordedEvent[], cut: number, next: (below: number) => number, image: string): Told {
    run('cp', '--sparse=always', this.#base, image);
    const flushed = events.slice(0, cut).findLastIndex(({ kind }) => kind === 'F');
    const told = nothingTold();
    const descriptor = openSync(image, 'r+');
    let marks = '';
    for (const [index, { kind, offset, bytes }] of events.slice(0, cut).entries()) {
      if (kind === 'M') marks += bytes.toString();
      if (kind !== 'W') continue;
      const chance = index > flushed ? next(100) : 100;
      if (chance < 40) continue;
      const sectors = Math.floor(bytes.length / SECTOR);
      const length = chance < 60 && sectors > 1 ? SECTOR * (1 + next(sectors - 1)) : bytes.length;
      writeSync(descriptor, bytes, 0, length, offset);
    }
    closeSync(descriptor);
    for (const line of marks.split('\n')) hear(told, line);
    return told;
  }
}

/** An ext4 file system on a device whose writes fail for as long as its test says (nbdkit). */
export class FailingDisk {
  readonly folder: string;
  /** While there is such a file, writes fail. */
  readonly sign: string;
  readonly #at: string;
  #device = '';
  /** Each undoes one thing, the last done first. */
  readonly #undo: (() => void)[] = [];

  constructor(at: string) {
    this.#at = at;
    this.folder = join(at, 'disk');
    this.sign = join(at, 'fails');
    mkdirSync(this.folder);
  }

  /** `rate`: of its writes, in percent, while it fails. `journal`: on the device too, or apart from it, on one that does not fail. */
  async mount(rate: number, journal: 'inside' | 'apart' = 'inside'): Promise<void> {
    onTestFinished(() => { this.release(); });
    this.#device = await this.#attach('data', ['--filter=error', 'memory', 'size=64M', 'error=EIO', `error-pwrite-rate=${rate}%`, `error-file=${this.sign}`]);
    if (journal === 'apart') {
      const device = await this.#attach('journal', ['memory', 'size=16M']);
      run('mkfs.ext4', '-q', '-F', '-b', '1024', '-O', 'journal_dev', device);
      run('mkfs.ext4', '-q', '-F', '-b', '1024', '-J', `device=${device}`, this.#device);
    } else {
      run('mkfs.ext4', '-q', '-F', this.#device);
    }
    run('mount', this.#device, this.folder);
    this.#undo.push(() => { unmount(this.folder); });
  }

  /** Returns the loop device over an nbdkit server. */
  async #attach(name: string, plugin: readonly string[]): Promise<string> {
    const folder = join(this.#at, name);
    mkdirSync(folder);
    const image = join(folder, 'disk.img');
    background('nbdfuse', [image, '[', 'nbdkit', '--exit-with-parent', ...plugin, ']']);
    this.#undo.push(() => { unmount(folder); });
    await until(() => existsSync(image), 'the block device', START_MS);
    const device = run('losetup', '-f', '--show', '--direct-io=on', image).trim();
    this.#undo.push(() => { spawnSync('losetup', ['-d', device]); });
    return device;
  }

  fail(): void {
    closeSync(openSync(this.sign, 'w'));
  }

  heal(): void {
    rmSync(this.sign, { force: true });
  }

  /** What is on the device, not what the page cache holds. A device that fails does so until all that knew it is gone. */
  remount(): void {
    run('umount', this.folder);
    this.heal();
    run('mount', this.#device, this.folder);
  }

  /** Many at once are more than a machine has room for. */
  release(): void {
    for (const undo of this.#undo.splice(0).reverse()) undo();
  }
}

/** A file system in memory that loses what no sync covered, names too (`test/faults/dropping.py`). */
export class DroppingDisk {
  readonly folder: string;
  readonly #control: string;

  constructor(at: string) {
    this.folder = join(at, 'dropping');
    this.#control = join(at, 'loses-power');
    mkdirSync(this.folder);
  }

  async mount(): Promise<void> {
    const before = statSync(this.folder).dev;
    background(PYTHON, [fileURLToPath(new URL('../../faults/dropping.py', import.meta.url)), this.#control, this.folder]);
    await until(() => statSync(this.folder).dev !== before, 'the disk that loses power', START_MS);
    onTestFinished(() => { unmount(this.folder); });
  }

  losePower(): void {
    writeFileSync(this.#control, '');
    statSync(this.folder);
    if (existsSync(this.#control)) throw new Error('the disk did not lose its power');
  }
}

/** By the call: an errno, `sleep:<seconds>`, or `hang` until it is set otherwise. */
export type DiskFaults = Readonly<Record<string, number | string>>;

/** A file system that is slow, or hangs, in the calls that its test names (`test/faults/faultfs.py`). */
export class SlowDisk {
  readonly folder: string;
  readonly control: string;
  readonly #root: string;

  constructor(at: string) {
    this.folder = join(at, 'slow');
    this.control = join(at, 'control');
    this.#root = join(at, 'root');
    for (const folder of [this.folder, this.#root]) mkdirSync(folder);
  }

  async mount(): Promise<void> {
    const before = statSync(this.folder).dev;
    background(PYTHON, [fileURLToPath(new URL('../../faults/faultfs.py', import.meta.url)), this.#root, this.control, this.folder]);
    await until(() => statSync(this.folder).dev !== before, 'the slow disk', START_MS);
    onTestFinished(() => {
      this.set({});
      unmount(this.folder);
    });
  }

  /** What calls do from now on. */
  set(faults: DiskFaults): void {
    writeFileSync(`${this.control}.next`, JSON.stringify(faults));
    renameSync(`${this.control}.next`, this.control);
  }
}

export interface RecordedEvent { readonly kind: string; readonly offset: number; readonly bytes: Buffer }

function eventsOf(log: Buffer): RecordedEvent[] {
  const events: RecordedEvent[] = [];
  for (let at = 0; at + 17 <= log.length;) {
    const [offset, length] = [Number(log.readBigUInt64LE(at + 1)), Number(log.readBigUInt64LE(at + 9))];
    events.push({ kind: String.fromCharCode(log[at] ?? 0), offset, bytes: log.subarray(at + 17, at + 17 + length) });
    at += 17 + length;
  }
  return events;
}
