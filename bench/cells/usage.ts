import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { performance, type EventLoopUtilization } from 'node:perf_hooks';

/** The main thread's, whatever its number is among the threads. */
const SCHEDSTAT = `/proc/self/task/${process.pid}/schedstat`;
const HAS_SCHEDSTAT = existsSync(SCHEDSTAT);

/** Node 23.9 and later. */
const threadCpuUsage = (process as { threadCpuUsage?: () => { user: number; system: number } }).threadCpuUsage;

/** CPU time of the calling thread, ms; NaN where the system does not say. */
export function threadCpuMs(): number {
  if (threadCpuUsage !== undefined) {
    const { user, system } = threadCpuUsage.call(process);
    return (user + system) / 1000;
  }
  return HAS_SCHEDSTAT ? Number(readFileSync(SCHEDSTAT, 'latin1').split(' ')[0]) / 1e6 : NaN;
}

/** What a stretch of work took, milliseconds. */
export interface Usage {
  readonly wallMs: number;
  /** Of the calling thread's event loop not waiting: whatever it did, at the call or later, and what it was kept from doing. */
  readonly loopMs: number;
  readonly threadCpuMs: number;
  /** Of all threads of the process. */
  readonly processCpuMs: number;
}

/** Starts to measure; the function returned ends it. */
export function beginUsage(): () => Usage {
  const cpu = process.cpuUsage();
  const thread = threadCpuMs();
  const loop: EventLoopUtilization = performance.eventLoopUtilization();
  const wall = performance.now();
  return () => {
    const wallMs = performance.now() - wall;
    const { active } = performance.eventLoopUtilization(loop);
    const { user, system } = process.cpuUsage(cpu);
    return { wallMs, loopMs: active, threadCpuMs: threadCpuMs() - thread, processCpuMs: (user + system) / 1000 };
  };
}

/** The most memory that was resident since resetPeak(), bytes; where the system cannot forget, since the process began. */
export function peakBytes(): number {
  const path = '/proc/self/status';
  if (!existsSync(path)) return process.resourceUsage().maxRSS * 1024;
  return Number(/^VmHWM:\s*(\d+) kB/m.exec(readFileSync(path, 'latin1'))?.[1]) * 1024;
}

/** "5" resets the high-water mark, says proc_pid_clear_refs(5). */
export function resetPeak(): void {
  if (existsSync('/proc/self/clear_refs')) writeFileSync('/proc/self/clear_refs', '5');
}
