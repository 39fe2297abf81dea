/** Ids as a model, a tool or a web page would make them up. */
import fc from 'fast-check';
import { newThreadId } from '../../src/rollout/thread-id.js';

const ID = newThreadId();
const OUTSIDE = ['../../../../../../tmp/lastword-hostile', '/tmp/lastword-hostile', '..', '.', '', '/', '~', '-', '\0', 'a\0b', 'C:\\x', '..\\..\\x', '%2e%2e%2fx', 'file:///etc/passwd', 'con', '$(id)', '*'];
const PARTS = [...OUTSIDE, ID, ID.toUpperCase(), `${ID}\n`, ` ${ID}`, `${ID}/../x`, `../${ID}`, `${ID}.jsonl`, ID.replaceAll('-', '/'), ID.replace(/^../, '..'), `{${ID}}`, `urn:uuid:${ID}`, ID.replace('7', '７'), '__proto__', 'constructor', 'x'.repeat(300), 'é'.repeat(200), '\ud800'];

/** None of them is an id. */
export const hostileIds: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...PARTS.filter((part) => part !== ID)),
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.array(fc.constantFrom(...PARTS, '/', '..'), { minLength: 2, maxLength: 4 }).map((parts) => parts.join('/')),
  // One character of an id changed.
  fc.tuple(fc.nat(35), fc.constantFrom('/', '.', '\0', 'g', 'A', ' ', '\n')).map(([place, character]) => ID.slice(0, place) + character + ID.slice(place + 1)),
);

/** Ids that have the form, and whose time or version may be any. */
export const strangeIds: fc.Arbitrary<string> = fc.oneof(fc.uuid(), fc.uuid({ version: 7 }), fc.constantFrom(
  'ffffffff-ffff-7fff-bfff-ffffffffffff', '00000000-0000-0000-0000-000000000000', '00000000-0000-7000-8000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff',
));
