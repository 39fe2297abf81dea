/* The seal word, groups accepted by one exchange, closers and a flush in other JavaScript threads, a producer that dies at
   any step (its ring is drained, the count lowered to what there is, the thread given to another producer after that), and
   a writer that dies. The words for a producer's end are laid out; what uses them is still to come.
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
bit isKilled[2], isGone[2], isDead, isSettled, isClosed, isWriterKilled; byte deaths, returned, published, reached;

/* A frame behind the published tail, of a thread that is sealed. */
#ifdef NO_STAMPS
#define IS_STAMPED false
#else
#define IS_STAMPED (isSealed && stamp[head[0] % N] == head[0] + 1 && slot[head[0] % N] <= accepted)
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
  byte r, position, seenTail, last; bit isFound, isEnded;
  do
  :: {
     last = file; written = last;
     wakeWaiters();
     do
     ::
        READ(writerGeneration);
        isFound = 0;
#ifndef DEAD_AFTER_TAIL
        isEnded = isDead;
#endif
        r = 0;
        do
        :: r < 2 ->
           seenTail = tail[r]; position = head[r];
#ifndef NO_STAMPS
           if
           :: (isSealed || (isDead && r == 0)) && !(isSettled && r == 0) ->
              if :: seenTail < position -> seenTail = position :: else fi;
              do
              :: stamp[r * N + seenTail % N] == seenTail + 1 && slot[r * N + seenTail % N] <= accepted && seenTail - position < N -> seenTail++
              :: else -> break
              od
           :: else
           fi;
#endif
           do
           :: position < seenTail ->
              if
              :: slot[r * N + position % N] <= last -> assert(deaths > 0)
              :: else -> assert(slot[r * N + position % N] == last + 1); d_step { file = last + 1; last++ }
              fi;
              position++; isFound = 1
           :: else -> break
           od;
           if :: head[r] < position -> written = last; head[r] = position; WAKE(generation[r], isAsleep[r]); wakeWaiters() :: else fi;
           r++
        :: else -> break
        od;
#ifdef DEAD_AFTER_TAIL
        isEnded = isDead;
#endif
        if
        :: isEnded && !isSettled ->
#ifndef NOT_LOWERED
           d_step {
#ifndef MAY_LOSE
             assert(accepted == last);
#endif
             accepted = last
           };
#endif
           isSettled = 1; isFound = 1;
           wakeWaiters()
        :: else
        fi;
        if
        :: isFound -> skip
        :: else ->
           isParked = 1;
           if
           :: tail[0] > head[0] || tail[1] > head[1] || (isDead && !isSettled) || IS_STAMPED -> isParked = 0
           :: else ->
              d_step { if :: writerGeneration == 0 -> isWriterAsleep = 1 :: else -> skip fi };
end_parked:   (isWriterAsleep == 0);
              isParked = 0
           fi
        fi
     od
     } unless { isWriterKilled };
     d_step { isWriterKilled = 0; isWriterAsleep = 0; r = 0; position = 0; seenTail = 0; last = 0; isFound = 0; isEnded = 0 }
  od
}

#if DEATHS > 0
active proctype killer() {
  do :: deaths < DEATHS -> d_step { deaths++; isWriterKilled = 1 }; (!isWriterKilled) :: break od
}
#endif

proctype closer(byte me) {
  byte target;
  d_step { isSealed = 1; target = accepted };
  WAKE_WRITER;
  do
  :: READ(waiterGeneration[me]);
     if
#ifdef TARGET_KEPT
     :: written >= target -> break
#elif defined(ENDED_IS_DRAINED)
     :: written >= accepted || isDead -> break
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
#ifdef TARGET_KEPT
     :: written >= target -> break
#else
     :: written >= target || written >= accepted -> break
#endif
     :: else -> SLEEP(waiterGeneration[FLUSHER], isWaiterAsleep[FLUSHER])
     fi
  od;
  reached++
}
#endif

#ifdef DIE
active proctype killerOfProducer() { isKilled[0] = 1 }

/* Main hears of the producer's exit. */
active proctype mainThread() {
  (isGone[0] && isKilled[0]);
  isDead = 1;
#ifndef NO_DEATH_BELL
  WAKE_WRITER;
#endif
#ifndef RESUMED_EARLY
  (isSettled);
#endif
  isGone[1] = 0;
  run producer(1)
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
