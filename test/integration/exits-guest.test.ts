/** A guest in the host's process: it keeps nothing alive without need, leaves nothing behind, and is quiet. */
import { describe, expect, test } from 'vitest';
import { expectKept, runHost, runProgram, type Ended } from '../support/exits/run.js';
import { mutantPackage } from '../support/mutants.js';
import { temporaryFolder } from '../support/sidecars.js';

function runBody(body: string): Promise<Ended> {
  return runProgram(['--input-type=module', '-e', `
    import { LATE, openSidecar } from 'lastword';
    import { writeSync } from 'node:fs';
    const tell = (members) => writeSync(3, JSON.stringify(members) + '\\n');
    const options = ${JSON.stringify({ directory: temporaryFolder(), exitTimeoutMs: 600_000, closeTimeoutMs: 600_000 })};
    const item = { type: 'event_msg', payload: {} };
    const HEARD = ['exit', 'beforeExit', 'uncaughtException', 'uncaughtExceptionMonitor', 'unhandledRejection', 'warning', 'SIGTERM', 'SIGINT', 'SIGHUP'];
    const heard = () => HEARD.map((event) => process.listenerCount(event)).join();
    ${body}`]);
}

describe('P21: a sidecar', () => {
  test('that is idle keeps no process alive', async () => {
    const ended = await runHost({ end: 'end of the loop', burst: 'idle', isRigged: false });
    expect(ended).toMatchObject({ code: 0, isOverdue: false, stderr: '' });
  });

  test('the control: a package whose writer is held keeps it alive', async () => {
    const { lastwordUrl } = mutantPackage({ file: 'src/control/writer-handle.js', find: 'port1.unref();\n        this.#worker.unref();', replace: '' });
    const ended = await runHost({ end: 'end of the loop', burst: 'idle', isRigged: false, lastwordUrl, childMs: 3_000 });
    expect(ended).toMatchObject({ signal: 'SIGKILL', isOverdue: true });
  });

  test('with a flush or a close under way keeps it alive until that is done', async () => {
    const [flushed, closed] = await Promise.all([
      runHost({ end: 'end of the loop after a flush that nobody awaited', burst: 'spills', delayMs: 50 }),
      runHost({ end: 'close()', burst: 'spills', delayMs: 50 }),
    ]);
    expect(flushed).toMatchObject({ code: 0, isOverdue: false, stderr: '' });
    expect(flushed.told.written).toEqual(flushed.told.accepted);
    expect(closed).toMatchObject({ code: 0, isOverdue: false, stderr: '' });
    await expectKept(closed, 'closed');
  });

  test('the control: a package that holds nothing ends before the flush is done', async () => {
    const { lastwordUrl } = mutantPackage({ file: 'src/control/writer-handle.js', find: 'this.#worker.ref();', replace: '' });
    const ended = await runHost({ end: 'end of the loop after a flush that nobody awaited', burst: 'spills', delayMs: 50, lastwordUrl, isTellingAtExit: true });
    expect(ended.told.written).toBeUndefined();
  });

  test('in a process with eleven others: all are drained, and nobody warns of listeners', async () => {
    const [exited, thrown] = await Promise.all([
      runHost({ end: 'process.exit()', burst: 240, sidecars: 12, threadsEach: 1, isRigged: false }),
      runHost({ end: 'uncaughtException handler that throws', burst: 240, sidecars: 12, threadsEach: 1, isRigged: false }),
    ]);
    expect(exited).toMatchObject({ code: 3, isOverdue: false, stdout: 'the host was here\n', stderr: '' });
    await expectKept(exited, 'twelve sidecars');
    expect(thrown).toMatchObject({ code: 7, isOverdue: false, stdout: 'the host was here\n' });
    expect(thrown.stderr).not.toContain('Warning');
    await expectKept(thrown, 'twelve sidecars');
  });

  test('the control: a package that listens once for each sidecar makes Node warn', async () => {
    const { lastwordUrl } = mutantPackage({ file: 'src/exit/process-end.js', find: 'if (listeners.size === 1) {', replace: '{' });
    const ended = await runHost({ end: 'process.exit()', burst: 240, sidecars: 12, threadsEach: 1, isRigged: false, lastwordUrl });
    expect(ended.stderr).toContain('MaxListenersExceededWarning');
  });

  test('that is closed leaves no listener behind, nor one that could not be opened; signals are heard only where asked for', async () => {
    const ended = await runBody(`
      const before = heard();
      const sidecar = await openSidecar(options);
      const open = heard();
      await sidecar.close();
      const closed = heard();
      for (let count = 0; count < 3; count += 1) await (await openSidecar({ ...options, signals: ['SIGTERM', 'SIGHUP'] })).close();
      const again = heard();
      const silent = { ...options, logger: false };
      await openSidecar({ ...silent, directory: '/proc/nowhere', signals: ['SIGTERM'] }).catch(() => undefined);
      await openSidecar({ ...silent, writerUrl: new URL('file:///nowhere.mjs'), signals: ['SIGTERM'] }).catch(() => undefined);
      process.stdout.write(JSON.stringify({ isGone: [closed, again, heard()].every((counts) => counts === before), signals: open.split(',').slice(-3) }));`);
    expect(ended).toMatchObject({ code: 0, isOverdue: false, stderr: '' });
    expect(JSON.parse(ended.stdout)).toEqual({ isGone: true, signals: ['0', '0', '0'] });
  });

  test('answers what is appended behind a close with LATE, in a listener of exit too, and prints nothing', async () => {
    const ended = await runBody(`
      const sidecar = await openSidecar(options);
      const thread = await sidecar.createThread();
      thread.append(item);
      await sidecar.close();
      const answers = [thread.append(item) === LATE];
      process.on('exit', () => {
        answers.push(thread.append(item) === LATE);
        process.stdout.write(JSON.stringify(answers));
      });
      process.exit(2);`);
    expect(ended).toMatchObject({ code: 2, isOverdue: false, stdout: '[true,true]', stderr: '' });
  });
});
