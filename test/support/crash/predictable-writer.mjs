/** The shipped writer, or the one that the host was given, with names that are the same in every run. */
import './predictable.mjs';
import { getEnvironmentData } from 'node:worker_threads';

await import(getEnvironmentData('lastword-test-writer') ?? new URL('../../../dist/worker/main.js', import.meta.url).href);
