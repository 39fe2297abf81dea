/** What a process of the test runner has reached is written before the runner ends it. Loaded where `npm run coverage` asks for it. */
import { takeCoverage } from 'node:v8';
import { afterAll } from 'vitest';

afterAll(() => { takeCoverage(); });
