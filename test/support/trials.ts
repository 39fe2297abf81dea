/** How often a test tried what it is about. Kept with its result, from where the table of promises has it. */
import type { TestContext } from 'vitest';

declare module 'vitest' {
  interface TaskMeta { trials?: number }
}

export function counted(task: TestContext['task'], trials: number): void {
  task.meta.trials = trials;
}
