/** Items as no host should append them, and what docs/format.md says of each: the JSON that is stored, or that it is refused. */
import { types } from 'node:util';
import fc from 'fast-check';

/** The item cannot be stored: the append must throw. */
export class Refused extends Error {}

/** An error whose every word is secret, thrown by what the host hands in. */
export type Thrower = () => never;

const LEVELS_MAX = 1000;
/** Names that mean something to somebody on the way. */
const NAMES = ['__proto__', 'constructor', 'prototype', 'toString', 'valueOf', 'hasOwnProperty', 'then', 'length', '__keys__', '__defineGetter__', 'toJSON', '', '0', '-1', '\ud800', '\u2028', 'a"\\\n', 'é😀'];

/** The JSON of an item, as text: a bigint has more digits than a number. @throws Refused */
export function storedJson(item: unknown): string {
  const top = ArrayBuffer.isView(item) ? item : jsonOf(item, '');
  if (typeof top !== 'object' || top === null || Array.isArray(top) || isExotic(top)) throw new Refused('is no object with members');
  if (!Object.hasOwn(top, 'type') || typeof (top as { type: unknown }).type !== 'string') throw new Refused('has no type');
  for (const member of ['timestamp', 'ordinal', 'crc']) if (Object.hasOwn(top, member)) throw new Refused('has a member of the envelope');
  return membersOf(Object.keys(top).map((key) => [key, textOf((top as Record<string, unknown>)[key], key, 2)]));
}

/** Stored as something else than their members, so that they are no items, whatever members they have. */
function isExotic(value: object): boolean {
  return value instanceof Map || value instanceof Set || value instanceof Date || types.isNativeError(value) || types.isRegExp(value)
    || types.isBoxedPrimitive(value) || ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value);
}

function jsonOf(value: unknown, key: string): unknown {
  if ((typeof value !== 'object' || value === null) && typeof value !== 'function') return value;
  if (value instanceof Date || Buffer.isBuffer(value)) return value;
  const { toJSON } = value as { toJSON?: unknown };
  return typeof toJSON === 'function' ? (toJSON as (key: string) => unknown).call(value, key) : value;
}

/** Undefined where JSON has nothing. */
function textOf(given: unknown, key: string, level: number): string | undefined {
  const value = jsonOf(given, key);
  if (typeof value === 'symbol') throw new Refused('a symbol');
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'string') return stringOf(value);
  if (typeof value === 'function') return undefined;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (types.isBigIntObject(value)) return String(value.valueOf());
  if (types.isSymbolObject(value)) return '{}';
  if (types.isStringObject(value)) return stringOf(String(value));
  if (types.isBoxedPrimitive(value)) return JSON.stringify(types.isNumberObject(value) ? Number(value) : value.valueOf());
  if (ArrayBuffer.isView(value)) return JSON.stringify(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64'));
  if (value instanceof ArrayBuffer) return JSON.stringify(Buffer.from(value).toString('base64'));
  if (value instanceof Date) return JSON.stringify(value);
  if (level > LEVELS_MAX) throw new Refused('too deep, or cyclic');
  if (types.isRegExp(value)) return '{}';
  if (types.isNativeError(value)) return membersOf([['name', textOf(value.name, 'name', level + 1)], ['message', textOf(value.message, 'message', level + 1)]]);
  if (value instanceof Set) return listOf([...value].map((entry) => textOf(entry, '', level + 1)));
  if (value instanceof Map) return membersOf([...value].map(([name, entry]) => [String(name), textOf(entry, String(name), level + 1)]));
  if (Array.isArray(value)) return listOf(Array.from(value, (entry, index) => textOf(entry, String(index), level + 1)));
  return membersOf(Object.keys(value).map((name) => [name, textOf((value as Record<string, unknown>)[name], name, level + 1)]));
}

function membersOf(members: readonly (readonly [string, string | undefined])[]): string {
  return `{${members.filter(([, text]) => text !== undefined).map(([name, text]) => `${stringOf(name)}:${text ?? ''}`).join(',')}}`;
}

function listOf(entries: readonly (string | undefined)[]): string {
  return `[${entries.map((text) => text ?? 'null').join(',')}]`;
}

function stringOf(text: string): string {
  return JSON.stringify(text.replace(/\p{Surrogate}/gu, '\ufffd'));
}

/** Makes a value afresh: some can be used once only, and fast-check itself must not look into them. */
export type Make = () => unknown;

/** Anything, with what the table of hostile values has among it. `raise` is what the bad members call. */
export function hostileValues(raise: Thrower): fc.Arbitrary<Make> {
  const name = fc.oneof({ weight: 2, arbitrary: fc.string({ maxLength: 8, unit: 'binary' }) }, { weight: 1, arbitrary: fc.constantFrom(...NAMES) });
  const plain = fc.oneof(
    { weight: 8, arbitrary: fc.anything({ maxDepth: 0, withBigInt: true, withBoxedValues: true, withDate: true, withTypedArray: true, withNullPrototype: true, withObjectString: true }) },
    { weight: 3, arbitrary: fc.string({ unit: 'binary', maxLength: 80 }) },
    { weight: 1, arbitrary: fc.bigInt() },
    { weight: 3, arbitrary: fc.constantFrom<unknown>(...NAMES, -0, Number.NaN, Number.NEGATIVE_INFINITY, 2 ** 53, 5e-324, 10n ** 30n, '\udfff\ud800', 'x'.repeat(3000)) },
  ).map((value): Make => () => value);
  const leaf = fc.oneof(
    { weight: 15, arbitrary: plain }, { weight: 2, arbitrary: fc.constantFrom<Make[]>(...STRANGE) },
    { weight: 1, arbitrary: fc.constantFrom(...BAD).map((make): Make => () => make(raise)) },
  );
  return fc.letrec<{ value: Make }>((tie) => {
    const list = (maxLength: number): fc.Arbitrary<Make[]> => fc.array(tie('value'), { maxLength });
    const entries = (maxLength: number): fc.Arbitrary<[string, Make][]> => fc.array(fc.tuple(name, tie('value')), { maxLength });
    return {
      value: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        leaf,
        list(4).map((makes): Make => () => makes.map((make) => make())),
        list(3).map((makes): Make => () => new Set(makes.map((make) => make()))),
        entries(5).map((members): Make => () => Object.fromEntries(made(members))),
        entries(3).map((members): Make => () => new Map(made(members))),
        tie('value').map((make): Make => () => ({ toJSON: () => make() })),
        tie('value').map((make): Make => () => Object.defineProperty({}, 'got', { get: () => make(), enumerable: true })),
        tie('value').map((make): Make => () => new Proxy({ seen: make() }, {})),
        tie('value').map((make): Make => () => new Proxy([make()], {})),
        tie('value').map((make): Make => () => Object.freeze(Object.assign(Object.create(null) as object, { value: make() }))),
        tie('value').map((make): Make => () => { const value = make(); return [value, value]; }),
      ),
    };
  }).value;
}

function made(members: readonly [string, Make][]): [string, unknown][] {
  return members.map(([name, make]) => [name, make()]);
}

/** Items: most are what they should be but for what is in them. */
export function hostileItems(raise: Thrower): fc.Arbitrary<Make> {
  const value = hostileValues(raise);
  const members = fc.array(fc.tuple(fc.constantFrom('payload', 'more', 'list', ...NAMES), value), { maxLength: 4 });
  return fc.oneof(
    { weight: 20, arbitrary: fc.tuple(fc.string(), members).map(([type, rest]): Make => () => Object.fromEntries([['type', type], ...made(rest)])) },
    { weight: 2, arbitrary: value },
    { weight: 1, arbitrary: fc.tuple(fc.constantFrom('timestamp', 'ordinal', 'crc', 'type'), value).map(([member, make]): Make => () => ({ type: 'x', [member]: make() })) },
    { weight: 1, arbitrary: value.map((make): Make => () => withType(make())) },
    { weight: 1, arbitrary: fc.constantFrom(...BAD_ITEMS).map((make): Make => () => make(raise)) },
  );
}

function withType(value: unknown): unknown {
  try {
    return typeof value === 'object' && value !== null ? Object.assign(value, { type: 'x' }) : value;
  } catch {
    return value; // it does not take one
  }
}

/** Storable, each in its own way. */
const STRANGE: readonly Make[] = [
  () => () => 1,
  () => class Thing {},
  () => Object.assign(() => 1, { toJSON: () => 'a function\'s' }),
  () => new (class { own = 1; get inherited(): number { return 2; } })(),
  () => Object.create({ inherited: 1 }) as object,
  () => new Error('an error', { cause: 'a cause' }),
  () => new RangeError(''),
  () => /expression/g,
  () => new Date(Number.NaN),
  () => Buffer.from('bytes'),
  () => new ArrayBuffer(5),
  () => new DataView(new ArrayBuffer(7), 2),
  () => new Float64Array(3),
  () => Object(Symbol('boxed')) as unknown,
  () => Promise.resolve(1),
  () => new WeakMap(),
  () => Object.assign([1, , 3], { extra: 1 }),
  () => (function args(..._values: number[]) { return arguments; })(1, 2), // eslint-disable-line prefer-rest-params -- an exotic object
  () => { const object: Record<string, unknown> = {}; for (let key = 0; key < 300; key += 1) object[`key ${key}`] = key; return object; },
  () => nested(900),
  () => JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}') as unknown,
  () => ({ toJSON: 'no function' }),
  () => ({ toJSON: () => undefined }),
  () => ({ [Symbol('key')]: 1, visible: 1 }),
  () => Object.defineProperty({ visible: 1 }, 'hidden', { value: 1, enumerable: false }),
  () => Object.setPrototypeOf(new Map([['a', 1]]), null) as unknown,
];

/** Not to be stored at all. */
const BAD: readonly ((raise: Thrower) => unknown)[] = [
  () => Symbol('a symbol'),
  (raise) => ({ get bad(): unknown { return raise(); } }),
  (raise) => ({ toJSON: () => raise() }),
  (raise) => new (class { toJSON(): never { return raise(); } })(),
  () => ({ get bad(): unknown { throw null; } }), // eslint-disable-line @typescript-eslint/only-throw-error -- hosts do
  () => ({ get bad(): unknown { throw revoked(); } }), // eslint-disable-line @typescript-eslint/only-throw-error -- hosts do
  () => revoked(),
  (raise) => new Proxy({}, { ownKeys: () => raise() }),
  (raise) => new Proxy({ a: 1 }, { get: () => raise() }),
  () => { const cycle: Record<string, unknown> = { a: 1 }; cycle['self'] = [cycle]; return cycle; },
  () => { const cycle = new Map<string, unknown>(); cycle.set('self', cycle); return cycle; },
  () => { const cycle: unknown[] = [1]; cycle.push({ cycle }); return cycle; },
  () => ({ toJSON() { return [this]; } }),
  () => nested(1100),
  () => nested(20_000),
];

const BAD_ITEMS: readonly ((raise: Thrower) => unknown)[] = [
  () => revoked(),
  (raise) => new Proxy({ type: 'x' }, { has: () => raise(), getOwnPropertyDescriptor: () => raise() }),
  (raise) => new Proxy({ type: 'x' }, { getPrototypeOf: () => raise(), ownKeys: () => raise() }),
  (raise) => ({ get type(): string { return raise(); } }),
  (raise) => ({ type: 'x', toJSON: () => raise() }),
  () => ({ type: 'x', toJSON: () => revoked() }),
  () => ({ type: 'x', toJSON: () => [1] }),
  () => Object.create({ type: 'inherited' }) as object,
  () => { const item: Record<string, unknown> = { type: 'x' }; item['payload'] = item; return item; },
];

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level += 1) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}
