/* One pass over the frames of two threads, grouped by thread: writes that fall short, files that fail, writers that die
   at any step and are taken over, a frame on which the writer dies each time. Waking is doorbell.pml's: here it is one step.
   Promise: every file gets its items once, in order, no record is glued to a torn one, and who waits is woken. */
#ifndef N
#define N 3         /* frames of the ring */
#endif
#ifndef M
#define M 4         /* items */
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#define THREADS 2
#define BEGUN_MAX 2 /* how often the writer may die on a frame before it is set aside; again where its record could not be written */

byte head, tail, thread[N], count[N], accepted[THREADS];
byte file[THREADS], written[THREADS]; bit isTorn[THREADS];    /* whole records of the file, then perhaps a torn one */
byte markPosition, markCount, setAside, poisoned;             /* of the frame that is being transcoded */
bit isAsleep, isWriterWoken, isProduced, isKilled; byte deaths, failures;

#define IS_WRITTEN (written[0] >= accepted[0] && written[1] >= accepted[1])

active proctype producer() {
  byte sent; bit f;
  do
  :: sent < M ->
     if :: f = 0 :: f = 1 fi;
     d_step { tail - head < N -> accepted[f]++; thread[tail % N] = f; count[tail % N] = accepted[f]; tail++; sent++; isWriterWoken = 1 }
  :: else -> break
  od;
  /* flush(), close(): looks again only when woken */
  do
  :: IS_WRITTEN -> break
  :: d_step { !IS_WRITTEN -> isAsleep = 1 }; (!isAsleep)
  od;
  isProduced = 1
}

active proctype writer() {
  byte last[THREADS], position, seenTail, f; bit isStopped, isBad;
  do
  :: {
     /* takeover, before anything else */
     f = 0;
     do
     :: f < THREADS ->
#ifndef NO_CUT
        isTorn[f] = 0;
#endif
#ifdef LAST_FROM_WATERMARK
        last[f] = written[f];
#else
        last[f] = file[f];
#endif
        written[f] = last[f];
        f++
     :: else -> break
     od;
#ifndef NO_TAKEOVER_WAKE
     isAsleep = 0;
#endif
     do
     ::
        d_step { isWriterWoken = 0; seenTail = tail; isBad = 0; f = 0 };
        if
        :: head < seenTail ->
           do
           :: f < THREADS ->
              position = head; isStopped = 0;
              do
              :: position < seenTail && !isStopped ->
                 if
                 :: thread[position % N] != f -> position++
#ifndef NO_SKIP
                 :: thread[position % N] == f && count[position % N] <= last[f] -> position++
                 :: thread[position % N] == f && count[position % N] > last[f] ->
#else
                 :: thread[position % N] == f ->
#endif
#ifdef POISON
                    d_step {
                      if :: markPosition != position + 1 -> markPosition = position + 1; markCount = 0 :: else fi;
#ifndef MARKS_ONCE
                      if :: markCount < BEGUN_MAX + 1 -> markCount++ :: else fi
#else
                      markCount = 1
#endif
                    };
                    if
                    :: markCount > BEGUN_MAX -> setAside = 1
                    :: markCount <= BEGUN_MAX && f == 0 && count[position % N] == 2 ->
                       d_step { poisoned++; assert(poisoned <= BEGUN_MAX * (failures + 1)); isKilled = 1 }; (0)
                    :: else -> markPosition = 0
                    fi;
#ifdef MARK_CLEARED_EARLY
                    markPosition = 0;
#endif
#endif
                    assert(!isTorn[f]);
                    isTorn[f] = 1;
                    if
                    :: d_step { assert(count[position % N] == file[f] + 1); isTorn[f] = 0; file[f]++; last[f]++; position++ }
                    :: failures < 1 ->
                       failures++;
#ifndef NO_CUT_BACK
                       isTorn[f] = 0;
#endif
                       d_step { isStopped = 1; isBad = 1 }
                    fi
                 fi
              :: else -> break
              od;
#ifdef WATERMARK_OF_PASS
              written[f] = count[(position + N - 1) % N];
#else
              written[f] = last[f];
#endif
              assert(written[f] <= file[f]);
              f++
           :: else -> break
           od;
#ifndef RELEASES_ALL
           if :: !isBad -> head = seenTail :: else fi;
#else
           head = seenTail;
#endif
           isAsleep = 0
        :: else ->
           d_step { seenTail = 0; position = 0; f = 0; isStopped = 0 };
end_asleep: isWriterWoken
        fi
     od
     } unless { isKilled };
     d_step { isKilled = 0; last[0] = 0; last[1] = 0; position = 0; seenTail = 0; f = 0; isStopped = 0; isBad = 0 }
  od
}

active proctype killer() {
  do :: deaths < DEATHS -> d_step { !isKilled -> deaths++; isKilled = 1 }; (!isKilled) :: break od
}

init {
  timeout;
  assert(isProduced && head == tail);
  assert(file[0] == accepted[0] && file[1] == accepted[1]);
#ifdef POISON
  assert(accepted[0] < 2 || setAside)
#endif
}
