/** Promises that tests name in their titles: `P1: …`. Each has one test at least. */
export const PROMISES: Readonly<Record<string, string>> = {
  P1: 'Within a thread the file holds a gap-free prefix of the accepted sequence.',
  P2: 'Every line is one complete JSON record; two records never share a line.',
  P4: 'What is written survives SIGKILL.',
  P5: 'Every end of the process that JavaScript can see keeps what was accepted, or names what it did not, in bounded time; code and signal stay.',
  P6: 'A death that JavaScript cannot see loses at most what was in ring and overflow.',
  P10: 'A writer that dies is replaced by one that writes what is left exactly once, by the host\'s thread after three deaths, or the failure is loud; never two at once.',
  P11: 'A full ring never overwrites and never drops: append waits, or throws LASTWORD_RING_FULL.',
  P14: 'Bad items fail synchronously, with no effect on others.',
  P15: 'Output is valid UTF-8, with a newline only as terminator.',
  P20: 'No payload in errors, figures and logs.',
  P21: 'A good guest: keeps no process alive without need, leaves no listener, prints nothing.',
};
