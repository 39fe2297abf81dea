import { appendChain } from './append-chain.js';
import { bareWrite } from './bare-write.js';
import { classicLevel } from './classic-level.js';
import type { Contender } from './contender.js';
import { comlinkCalls, itemMessages } from './kept-files.js';
import { lastword } from './lastword.js';
import { lmdb } from './lmdb.js';
import { nodeSqlite } from './node-sqlite.js';
import { pinoTransport } from './pino-transport.js';
import { sonicBooms } from './sonic-boom.js';
import { appendFile, writeKept } from './sync-files.js';
import { writeStreams } from './write-stream.js';

export const OURS = 'lastword';

/** Everybody, in the order of the tables. */
export const CONTENDERS: readonly Contender[] = [
  lastword(OURS), appendFile, writeKept, appendChain, writeStreams, sonicBooms, pinoTransport, lmdb, classicLevel, nodeSqlite,
  comlinkCalls, itemMessages, bareWrite,
];
