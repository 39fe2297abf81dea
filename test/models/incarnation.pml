/* A close is given up while frames of the thread are still in the ring; the thread is opened again in the same slot, and
   its ordinals go on from the file. A frame names its incarnation.
   Promise: nothing of the old opening is taken for the new one's, and everything of the new one is written. */
byte head, tail, count[8], incarnationOf[8];
byte incarnation = 1, accepted, file, oldTaken, newAccepted, newWritten; bit isSealed, isStuck = 1, isOver;

#define APPEND(by) d_step { if \
  :: !isSealed -> accepted++; count[tail] = accepted; incarnationOf[tail] = by; tail++; newAccepted = newAccepted + (by == 2) \
  :: else fi }

active proctype host() {
  APPEND(1); APPEND(1);
  isSealed = 1;
  d_step { incarnation = 2; accepted = file; isSealed = 0 };
  APPEND(2); APPEND(2);
  isOver = 1
}

active proctype disk() { isStuck = 0 }

active proctype writer() {
end_idle:
  do
  :: d_step { head < tail && !isStuck ->
     if
#ifndef ANY_INCARNATION
     :: incarnationOf[head] != incarnation -> skip
#endif
     :: else ->
        if
        :: count[head] <= file -> skip
        :: else ->
           assert(count[head] == file + 1);
           file++;
           oldTaken = oldTaken + (incarnation == 2 && incarnationOf[head] == 1);
           newWritten = newWritten + (incarnationOf[head] == 2)
        fi
     fi;
     head++ }
  od
}

init { timeout; assert(isOver && oldTaken == 0 && newWritten == newAccepted) }
