import type { Sidecar } from 'lastword';

export function asksOf(sidecar: Sidecar, stored: string, id: unknown): Record<string, () => unknown>;
