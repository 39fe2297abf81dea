/** Names that the library draws are the same in every run, so that a tracer can be told of them before. Imported first. */
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads';

const KEY = 'lastword-test-draws';
/** By process and thread; an owner's name must not be that of an earlier one. */
let drawn = Number((isMainThread ? process.argv[3] : getEnvironmentData(KEY)) ?? 1) * 1000 + (isMainThread ? 0 : 500);
if (isMainThread) {
  setEnvironmentData(KEY, process.argv[3]);
  setEnvironmentData('lastword-test-writer', process.argv[4]);
}

crypto.randomBytes = (size) => {
  const bytes = Buffer.alloc(size);
  bytes.writeUInt32LE(drawn += 1);
  return bytes;
};
syncBuiltinESMExports();
