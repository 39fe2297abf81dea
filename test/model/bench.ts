/** A sidecar that serves many runs, and what it has said. */
import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import type { openSidecar, Sidecar, SidecarEvents, SidecarOptions } from 'lastword';

export interface LogLine { readonly level: 'debug' | 'info' | 'warn' | 'error'; readonly members: Readonly<Record<string, unknown>>; readonly message: string }

/** In memory where there is such a folder: the runs are about order, and would mostly wait for the disk's syncs. */
const MEMORY_FOLDER = '/dev/shm';
/** No close of a run is ended by the clock. */
const CLOSE_TIMEOUT_MS = 60_000;
const RING_BYTES = 64 << 10;

export class Bench {
  readonly sidecar: Sidecar;
  /** Of the run that is on. */
  lines: LogLine[] = [];
  resumesFailed: SidecarEvents['resumeFailed'][] = [];
  /** Called within the event. */
  onClosed: (receipt: SidecarEvents['threadClosed']) => void = () => undefined;
  threadsClosed = 0;
  threadsForced = 0;
  lateTold = 0;

  private constructor(sidecar: Sidecar) {
    this.sidecar = sidecar;
    sidecar.on('late', ({ count }) => { this.lateTold += count; });
    sidecar.on('resumeFailed', (event) => { this.resumesFailed.push(event); });
    sidecar.on('threadClosed', (receipt) => {
      this.threadsClosed += 1;
      this.threadsForced += receipt.forced ? 1 : 0;
      this.onClosed(receipt);
    });
  }

  static async open(open: typeof openSidecar, options: Partial<SidecarOptions> = {}): Promise<Bench> {
    const directory = mkdtempSync(join(existsSync(MEMORY_FOLDER) ? MEMORY_FOLDER : tmpdir(), 'lastword-model-'));
    // The logger is there before the bench.
    let bench: Bench | undefined = undefined as Bench | undefined;
    const at = (level: LogLine['level']) => (members: object, message?: string): void => {
      bench?.lines.push({ level, members: { ...members }, message: message ?? '' });
    };
    const logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } as unknown as SidecarOptions['logger'];
    const sidecar = await open({ directory, logger, ringBytes: RING_BYTES, syncIntervalMs: 0, closeTimeoutMs: CLOSE_TIMEOUT_MS, ...options });
    bench = new Bench(sidecar);
    return bench;
  }

  isLeased(id: string): boolean {
    return existsSync(join(this.sidecar.directory, 'locks', `${id}.lock`));
  }

  /** What threads have open, on the disk and in the process. */
  get left(): { live: string[]; files: number; descriptors: string[]; leases: string[] } {
    const { directory } = this.sidecar;
    return {
      live: [...this.sidecar.liveThreads()].map(({ id }) => id),
      files: this.sidecar.stats().files.open,
      // The sidecar's own file, which its leases are links to, stays open for its heartbeat.
      descriptors: openDescriptors().filter((path) => path.startsWith(directory + sep) && !path.endsWith('.owner')),
      leases: namesIn(join(directory, 'locks')).filter((name) => name.endsWith('.lock')),
    };
  }

  /** What one run wrote would make the next one slow. */
  removeRollouts(): void {
    for (const folder of ['sessions', 'archived_sessions']) {
      for (const name of namesIn(join(this.sidecar.directory, folder), true)) {
        if (name.endsWith('.jsonl')) rmSync(join(this.sidecar.directory, folder, name));
      }
    }
    this.lines = [];
    this.resumesFailed = [];
  }

  /** The end of the sidecar. Returns what is wrong. */
  async close(): Promise<string[]> {
    const { sidecar } = this;
    const { items: { accepted, late } } = sidecar.stats();
    const { threads, items, late: toldLate, forced } = await sidecar.close();
    const { descriptors, leases } = this.left;
    const found = { threads, items, late: toldLate, events: this.lateTold, forced, descriptors, leases, names: namesIn(join(sidecar.directory, 'locks')) };
    const expected = { threads: this.threadsClosed, items: accepted, late, events: late, forced: this.threadsForced, descriptors: [], leases: [], names: [] };
    const complaints = this.lines.filter(({ level }) => level === 'warn' || level === 'error').map((line) => JSON.stringify(line));
    rmSync(sidecar.directory, { recursive: true, force: true });
    return JSON.stringify(found) === JSON.stringify(expected) ? complaints : [...complaints, `the end of the sidecar: ${JSON.stringify(found)}, and should be ${JSON.stringify(expected)}`];
  }

  async discard(): Promise<void> {
    this.onClosed = () => undefined;
    for (const { id } of this.sidecar.liveThreads()) void this.sidecar.liveThread(id)?.close({ waitForTracked: false, timeoutMs: 1_000 }).catch(() => undefined);
    await this.sidecar.close({ waitForTracked: false, timeoutMs: 2_000 }).catch(() => undefined);
    rmSync(this.sidecar.directory, { recursive: true, force: true });
  }
}

function openDescriptors(): string[] {
  const folder = '/proc/self/fd';
  return namesIn(folder).flatMap((name) => {
    try {
      return [readlinkSync(join(folder, name))];
    } catch {
      return [];   // the one that the folder itself was read with
    }
  });
}

function namesIn(folder: string, recursive = false): string[] {
  return existsSync(folder) ? readdirSync(folder, { recursive, encoding: 'utf8' }) : [];
}
