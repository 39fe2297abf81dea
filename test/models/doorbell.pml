/* Waking: NP producers, each with a ring of its own, one writer that parks. No bytes: ring.pml has those.
   Promise: every frame is taken, and nobody sleeps while there is something to do. */
#include "sleep.pml"
#ifndef NP
#define NP 2
#endif
#ifndef N
#define N 1
#endif
#ifndef M
#define M 3
#endif
byte head[NP], tail[NP], generation[NP]; bit isAsleep[NP];
byte finished;

proctype producer(byte p) {
  byte sent, seenHead; bit seen;
  do
  :: sent < M ->
again:
#ifndef GENERATION_LATE
     READ(generation[p]);
#endif
     seenHead = head[p];
     if
     :: tail[p] - seenHead < N ->
#ifdef BELL_FIRST
        seen = isParked;
#endif
        tail[p]++;
        ringDoorbell(seen);
        d_step { sent++; seenHead = 0; seen = 0 }
     :: else ->
        WAKE_WRITER;
#ifdef GENERATION_LATE
        READ(generation[p]);
#endif
        SLEEP(generation[p], isAsleep[p]);
        goto again
     fi
  :: else -> break
  od;
  finished++
}

active proctype writer() {
  byte p, seenTail; bit isFound;
  do
  ::
#ifndef WRITER_GENERATION_LATE
     READ(writerGeneration);
#endif
     isFound = 0; p = 0;
     do
     :: p < NP ->
        seenTail = tail[p];
        if
        :: head[p] < seenTail ->
           head[p] = seenTail; isFound = 1;
#ifdef NO_PRODUCER_BUMP
           isAsleep[p] = 0
#else
           WAKE(generation[p], isAsleep[p])
#endif
        :: else
        fi;
        p++
     :: else -> break
     od;
     if
     :: isFound -> skip
     :: else ->
#ifndef SAYS_LATE
        isParked = 1;
#endif
#ifndef NO_SECOND_LOOK
        p = 0;
        do
        :: p < NP -> if :: tail[p] != head[p] -> isFound = 1 :: else fi; p++
        :: else -> break
        od;
#endif
        if
        :: isFound -> isParked = 0
        :: else ->
#ifdef SAYS_LATE
           isParked = 1;
#endif
#ifdef WRITER_GENERATION_LATE
           READ(writerGeneration);
#endif
           d_step { if :: writerGeneration == 0 -> isWriterAsleep = 1 :: else -> skip fi; seenTail = 0; p = 0 };
end_parked:
           (isWriterAsleep == 0);
           isParked = 0
        fi
     fi
  od
}

init {
  byte p;
  atomic { do :: p < NP -> run producer(p); p++ :: else -> break od };
  timeout;
  assert(finished == NP);
  p = 0;
  do :: p < NP -> assert(head[p] == M && tail[p] == M); p++ :: else -> break od
}
