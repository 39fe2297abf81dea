import type { TestProject } from 'vitest/node';
import { findCodex, type Codex } from './install.js';

declare module 'vitest' {
  interface ProvidedContext { codex: Codex }
}

/** Has the binary ready before the first test. */
export default function setup(project: TestProject): void {
  project.provide('codex', findCodex());
}
