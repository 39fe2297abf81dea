/* The seal word, groups accepted by one exchange, closers and a flush in other JavaScript threads, a producer that dies at
   any step (main seals its thread, and it is opened by another producer behind its close), and a writer that dies. Of a
   sealed thread the writer takes what is accepted and not published where it lies; no head passes it.
   Promise: a close is told of everything that was accepted, nothing accepted is lost, nobody sleeps for ever. */
#include "sleep.pml"
#ifndef N
#define N 3         /* frames of each ring */
#endif
#ifndef M
#define M 2         /* groups, of one item or two */
#endif
#ifndef DEATHS
#define DEATHS 0    /* of the writer */
#endif
#ifndef CLOSERS
#define CLOSERS 1
#endif
#define FLUSHER 2

byte head[2], tail[2], slot[2 * N], stamp[2 * N];
byte accepted; bit isSealed;                 /* one word */
byte written, file;
byte generation[2]; bit isAsleep[2]; byte waiterGeneration[3]; bit isWaiterAsleep[3];
bit isKilled[2], isGone[2], isClosed, isWriterKilled; byte deaths, returned, published, reached;

/* At a position of a ring lies a whole frame of what was accepted before the seal. */
#ifdef NO_STAMPS
#define IS_STAMPED(r, at) false
#elif defined(STAMP_IS_ENOUGH)
#define IS_STAMPED(r, at) (isSealed && stamp[r * N + at % N] == at + 1)
#else
#define IS_STAMPED(r, at) (isSealed && stamp[r * N + at % N] == at + 1 && slot[r * N + at % N] <= accepted)
#endif

inline wakeWaiters() {
  d_step { waiterGeneration[0] = 1; waiterGeneration[1] = 1; waiterGeneration[2] = 1 };
  d_step { isWaiterAsleep[0] = 0; isWaiterAsleep[1] = 0; isWaiterAsleep[2] = 0 }
}

proctype producer(byte p) {
  byte sent, seen, items, seenHead, at; bit bell;
  { do
    :: sent < M ->
       if :: items = 1 :: items = 2 fi;
       do
       :: READ(generation[p]);
          seenHead = head[p];
          if
          :: at + items - seenHead <= N -> break
          :: else -> WAKE_WRITER; SLEEP(generation[p], isAsleep[p])
          fi
       od;
       seen = accepted;
#ifdef EXCHANGED_FIRST
       if :: d_step { !isSealed -> accepted = seen + items } :: isSealed -> break fi;
#endif
       slot[p * N + at % N] = seen + 1; stamp[p * N + at % N] = at + 1;
       if :: items == 2 -> slot[p * N + (at + 1) % N] = seen + 2; stamp[p * N + (at + 1) % N] = at + 2 :: else fi;
#ifdef PUBLISHED_FIRST
       tail[p] = at + items;
#endif
#ifdef SEAL_LOOKED_AT
       if :: isSealed -> break :: else fi;
       accepted = seen + items;
#elif !defined(EXCHANGED_FIRST)
       if :: d_step { !isSealed -> assert(accepted == seen && !isClosed); accepted = seen + items } :: isSealed -> break fi;
#endif
       d_step { at = at + items; tail[p] = at; published = seen + items };
       ringDoorbell(bell);
       d_step { returned = seen + items; sent++; items = 0; seen = 0; seenHead = 0; bell = 0 }
    :: else -> break
    od
  } unless { isKilled[p] };
  skip;
  d_step { isGone[p] = 1; isAsleep[p] = 0 }
}

active proctype writer() {
  byte r, position, seenTail, last; bit isFound;
  do
  :: {
     last = file; written = last;
     wakeWaiters();
     do
     ::
        READ(writerGeneration);
        isFound = 0;
        r = 0;
        do
        :: r < 2 ->
           seenTail = tail[r]; position = head[r];
           do
           :: position < seenTail || (IS_STAMPED(r, position) && position - head[r] < N) ->
              if
              :: slot[r * N + position % N] <= last -> skip
              :: else -> assert(slot[r * N + position % N] == last + 1); d_step { file = last + 1; last++; isFound = 1 }
              fi;
              position++
           :: else -> break
           od;
           if :: position > seenTail -> position = seenTail :: else fi;
           if :: head[r] < position || written < last -> written = last; head[r] = position; isFound = 1; WAKE(generation[r], isAsleep[r]); wakeWaiters() :: else fi;
           r++
        :: else -> break
        od;
        if
        :: isFound -> skip
        :: else ->
           isParked = 1;
           if
           :: tail[0] > head[0] || tail[1] > head[1] -> isParked = 0
           :: else ->
              d_step { if :: writerGeneration == 0 -> isWriterAsleep = 1 :: else -> skip fi };
end_parked:   (isWriterAsleep == 0);
              isParked = 0
           fi
        fi
     od
     } unless { isWriterKilled };
     d_step { isWriterKilled = 0; isWriterAsleep = 0; r = 0; position = 0; seenTail = 0; last = 0; isFound = 0 }
  od
}

#if DEATHS > 0
active proctype killer() {
  do :: deaths < DEATHS -> d_step { deaths++; isWriterKilled = 1 }; (!isWriterKilled) :: break od
}
#endif

proctype closer(byte me) {
  isSealed = 1;
  WAKE_WRITER;
  do
  :: READ(waiterGeneration[me]);
     if
#ifdef ENDED_IS_DRAINED
     :: written >= accepted || isGone[0] -> break
#else
     :: written >= accepted -> break
#endif
     :: else -> SLEEP(waiterGeneration[me], isWaiterAsleep[me])
     fi
  od;
  skip;
  d_step { assert(written >= returned && written >= published); isClosed = 1; reached++ }
}

#ifdef FLUSH
proctype flusher() {
  byte target;
  target = accepted;
  do
  :: READ(waiterGeneration[FLUSHER]);
     if
     :: written >= target -> break
     :: else -> SLEEP(waiterGeneration[FLUSHER], isWaiterAsleep[FLUSHER])
     fi
  od;
  reached++
}
#endif

#ifdef DIE
active proctype killerOfProducer() { isKilled[0] = 1 }

/* Main hears of the producer's end, closes its thread, and opens it for another one. */
active proctype mainThread() {
  (isGone[0] && isKilled[0]);
  isSealed = 1;
#ifndef NO_DEATH_BELL
  WAKE_WRITER;
#endif
#if CLOSERS == 0
#ifndef RESUMED_EARLY
  (written >= accepted);
#endif
  d_step { isSealed = 0; isGone[1] = 0 };
  run producer(1)
#endif
}
#endif

init {
  byte i;
  atomic {
    isGone[1] = 1;
    run producer(0);
    do :: i < CLOSERS -> run closer(i); i++ :: else -> break od;
#ifdef FLUSH
    run flusher();
#endif
  };
  timeout;
  assert(isGone[0] && isGone[1]);
#ifdef FLUSH
  assert(reached == CLOSERS + 1);
#else
  assert(reached == CLOSERS);
#endif
  assert(file == accepted && written == accepted && file >= returned)
}
