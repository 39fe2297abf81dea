/**
 * What is promised. A test of it says so where a title begins, its own or one around it: `P1: …`, `P4 P7: …`; and a test that
 * a library that breaks it is found: `P1, the control: …`. Each promise has one test at least.
 */
export const PROMISES: Readonly<Record<string, string>> = {
  P1: 'Within a thread the file holds a gap-free prefix of the accepted sequence.',
  P2: 'Every line is one complete JSON record; two records never share a line.',
  P3: 'What is synced survives the loss of power.',
  P4: 'What is written survives SIGKILL.',
  P5: 'Every end of the process that JavaScript can see keeps what was accepted, or names what it did not, in bounded time; code and signal stay.',
  P6: 'A death that JavaScript cannot see loses at most what was in ring and overflow.',
  P7: 'Opening again heals, keeps torn bytes beside, never removes a whole record, and a second time changes nothing.',
  P8: 'A bad line with good ones behind it is reported and stepped over, never the end of the history.',
  P9: 'A failed sync is final for its file: never synced again, and never the end of what is said to be synced.',
  P10: 'A writer that dies has a successor, or the host thread writes itself: nothing is lost, nothing is doubled.',
  P11: 'A full ring never overwrites and never drops: append waits, or throws LASTWORD_RING_FULL.',
  P12: 'One writer for each thread across processes; a dead owner\'s lease is taken over, a live one\'s never.',
  P13: 'A file that others remove, replace, cut or grow is noticed before the next batch, or within a second.',
  P14: 'Bad items fail synchronously, with no effect on others.',
  P15: 'Output is valid UTF-8, with a newline only as terminator.',
  P16: 'A large item, a slow disk or a failing file of one thread does not stop the others for longer than is said here.',
  P17: 'No thread id names a file outside of the directory, no link is followed, and modes are 0600 and 0700 whatever the umask.',
  P18: 'Reading takes bounded memory, whatever the file holds, and throws nowhere but out of what was called.',
  P19: 'The wall clock has no effect on order, and setting it stops nothing.',
  P20: 'No payload in errors, figures and logs.',
  P21: 'A good guest: keeps no process alive without need, leaves no listener, prints nothing.',
};
