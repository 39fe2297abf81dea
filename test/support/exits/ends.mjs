/**
 * The ways in which a process ends. `prepare` runs before the sidecar is opened, as a host's own listeners are added;
 * `end` in a turn of its own, right behind the burst. An item appended later is told before the process ends.
 */
import { closeGate, openGate, setFull } from './rig.mjs';

const LATER = 20;
const EDGE_SUCCESSES = 5;
const EDGE_PADS = 12;

function onExit(host, listener) {
  process.on('exit', (code) => { listener(host, code); });
}

function appendLater(host) {
  host.append(LATER);
  host.tellAccepted();
}

/** Alive until the signal comes: the parent sends it when it reads this. */
function awaitSignal(host) {
  const alive = setInterval(() => undefined, 60_000);
  host.tell({ ready: true });
  return alive;
}

/** Appends at every level until the stack is used up, and lets the RangeError out. */
function runAway(host) {
  host.appendTo(0);
  runAway(host);
}

/** The same, appending at every level of the way back too. */
function runAwayAndBack(host) {
  host.appendTo(0);
  try {
    runAwayAndBack(host);
  } finally {
    host.appendTo(0);
  }
}

/**
 * Appends on every level of the way back from where the stack is used up, until there is enough of it. How much is left
 * on a level differs with `pad`, which makes the frames longer by a word each: over many of them every step of an append
 * is the one that fails.
 */
function appendAtTheEdge(host, pad) {
  let failures = 0;
  let successes = 0;
  const down = (...words) => {
    try {
      return down(...words);
    } finally {
      if (successes < EDGE_SUCCESSES) {
        failures += 1;
        host.appendOdd(failures);
        failures -= 1;
        successes += 1;
      }
    }
  };
  try {
    down(...Array.from({ length: pad }));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return failures;
}

export const ENDS = {
  'close()': {
    end: (host) => host.sidecar.close(),
  },
  'end of the loop': {
    end() { /* nothing is left to do */ },
  },
  'end of the loop after a flush that nobody awaited': {
    async end(host) {
      await Promise.all(host.threads.map((thread) => thread.flush()));
      host.tell({ written: host.threads.map(({ written }) => written) });
    },
  },
  'beforeExit that appends': {
    prepare(host) { process.once('beforeExit', () => { appendLater(host); }); },
    end() { /* nothing is left to do */ },
  },
  'process.exit()': {
    end() { process.exit(3); },
  },
  'process.exitCode': {
    end() { process.exitCode = 4; },
  },
  'process.exit() in the tick of close()': {
    end(host) {
      void host.sidecar.close();
      process.exit(3);
    },
  },
  'uncaught exception in the tick of close()': {
    end(host) {
      void host.sidecar.close();
      throw new Error('the host fails');
    },
  },
  'process.exit() out of an item that is being appended': {
    prepare(host) { onExit(host, appendLater); },
    end(host) { host.threads[0].append({ type: 'event_msg', payload: { before: 1, get now() { return process.exit(3); } } }); },
  },
  'exit listener that closes': {
    prepare(host) { onExit(host, () => { void host.sidecar.close(); }); },
    end() { process.exit(3); },
  },
  'process.exit() behind worker.terminate()': {
    end(host) {
      void host.writer.terminate();
      process.exit(3);
    },
  },
  'exit listener that appends': {
    prepare(host) { onExit(host, appendLater); },
    end() { process.exit(3); },
  },
  'exit listener that appends, added last': {
    end(host) {
      onExit(host, appendLater);
      process.exit(3);
    },
  },
  'exit listener that appends where the stack is used up': {
    prepare(host) {
      onExit(host, () => {
        for (let pad = 0; pad < EDGE_PADS; pad += 1) appendAtTheEdge(host, pad);
        host.tellAccepted();
      });
    },
    end() { process.exit(3); },
  },
  'exit listener that throws': {
    prepare(host) { onExit(host, () => { throw new Error('a listener of the host fails'); }); },
    end() { process.exit(3); },
  },
  'exit listener that throws at the end of the loop': {
    prepare(host) { onExit(host, () => { throw new Error('a listener of the host fails'); }); },
    end() { /* nothing is left to do */ },
  },
  'exit listener that exits otherwise': {
    prepare(host) { onExit(host, (_host, code) => { if (code !== 9) process.exit(9); }); },
    end() { process.exit(3); },
  },
  'uncaught exception': {
    end() { throw new Error('the host fails'); },
  },
  'uncaught exception that is no error': {
    end() { throw null; },
  },
  'unhandled rejection': {
    end() { void Promise.reject(new Error('the host fails')); },
  },
  'stack overflow': {
    prepare(host) { onExit(host, () => { host.tellAccepted(); }); },
    end(host) { runAway(host); },
  },
  'stack overflow, appending on the way back': {
    prepare(host) { onExit(host, () => { host.tellAccepted(); }); },
    end(host) { runAwayAndBack(host); },
  },
  'stack overflow that the host survives': {
    prepare(host) { onExit(host, () => { host.tellAccepted(); }); },
    end(host) {
      let failures = 0;
      for (let pad = 0; pad < EDGE_PADS; pad += 1) failures += appendAtTheEdge(host, pad);
      host.append(LATER);
      host.tell({ isAlive: failures > EDGE_PADS });
    },
  },
  'uncaughtException handler that throws': {
    prepare() { process.on('uncaughtException', () => { throw new Error('the handler fails'); }); },
    end() { throw new Error('the host fails'); },
  },
  'uncaught exception that the host survives': {
    prepare(host) {
      process.once('uncaughtException', () => { setImmediate(() => { void goOn(host); }); });
    },
    end() { throw new Error('the host fails'); },
  },
  'uncaught exception that the host survives, and the disk has room again': {
    prepare(host) {
      process.once('uncaughtException', () => {
        setFull(host.words, 'nothing');
        setImmediate(() => { void goOn(host); });
      });
    },
    end() { throw new Error('the host fails'); },
  },
  'uncaught exception whose drain gave up, and an exit listener that appends': {
    prepare(host) {
      onExit(host, appendLater);
      process.once('uncaughtException', () => {
        openGate(host.words);
        setImmediate(() => { void goOn(host); });
      });
    },
    end() { throw new Error('the host fails'); },
  },
  'uncaught exception that the host hears, appends and exits': {
    prepare(host) {
      process.once('uncaughtException', () => {
        appendLater(host);
        process.exit(6);
      });
    },
    end() { throw new Error('the host fails'); },
  },
  signal: {
    end: awaitSignal,
  },
  'signal that the host hears too': {
    end(host) {
      const alive = awaitSignal(host);
      process.on('SIGTERM', () => {
        process.exitCode = 5;
        clearInterval(alive);
      });
    },
  },
  'signal that comes twice': {
    end(host) {
      process.once('SIGTERM', () => { process.kill(process.pid, 'SIGTERM'); });
      awaitSignal(host);
    },
  },
  'appends for ever': {
    end(host) {
      host.tell({ ready: true });
      for (;;) {
        host.append(1);
        host.tell({ accepted: host.threads.map(({ accepted }) => accepted) });
      }
    },
  },
};

/** A host that lives on: everything works as before, and what is appended last is drained when it ends. */
async function goOn(host) {
  host.append(LATER);
  await Promise.all(host.threads.map((thread) => thread.flush()));
  host.tell({ isAlive: true });
  if (host.words !== undefined) closeGate(host.words, { delayMs: host.scenario.delayMs });
  host.append(LATER);
  host.tellAccepted();
  if (host.words !== undefined) openGate(host.words);
  process.exit(6);
}
