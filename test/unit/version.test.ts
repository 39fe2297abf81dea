import { expect, test } from 'vitest';
import { VERSION } from '../../src/version.js';
import { read } from '../support/source.js';

test('the version that threads compare is the package\'s', () => {
  expect(VERSION).toBe((JSON.parse(read('package.json')) as { version: string }).version);
});
