/* Leases and epochs of one stream, as the driver, two producers and a consumer handle them: every order of their steps
 * is searched by Spin (leases_test.py). The driver may die at any step and comes back without memory; a lease may end at
 * any moment, and its producer hears of it late or never and goes on writing (a zombie); announces and descriptors come
 * late, repeatedly, out of order or never. Memory here is sequentially consistent: what the machine may reorder is the
 * matter of seqlock_relacy_test.cpp.
 *
 * Claimed, by assertions:
 *   - an accepted frame is whole, and the one that its descriptor names, of the producer that sent the descriptor;
 *   - sequences grow within an epoch, and epochs never go back;
 *   - a stream has one producer's lease at most;
 *   - nobody maps a half-made epoch.
 *
 * Each of these macros takes one rule away, and must lead to a violation: REUSE_FILE, NO_NEW_EPOCH, TWO_PRODUCERS,
 * EPOCH_FROM_MEMORY, HALF_MADE, COLLECT_CURRENT (the driver's); LOWER_EPOCH, NO_EPOCH_CHECK, NO_SEQ_CHECK, NO_RECHECK
 * (the consumer's); NO_MARK (the producer's).
 */

#ifndef GRANTS
#define GRANTS 3 /* epochs made in all */
#endif
#define SEQS 2   /* frames of a producer's epoch, in a ring of one slot */
#define PRODUCERS 2

/* The commit word of sequence s, and what a frame of grant g holds in each half of its payload. */
#define IN_PROGRESS(s) (2 * (s) + 2)
#define COMMITTED(s) (2 * (s) + 3)
#define CONTENT(g, s) (4 * (g) + (s))

/* The rules that a mutant takes away. */
#ifdef TWO_PRODUCERS
#define MAY_GRANT(who) (lease[who] == 0)
#else
#define MAY_GRANT(who) (lease[1] == 0 && lease[2] == 0)
#endif
#ifdef COLLECT_CURRENT
#define MAY_COLLECT(epoch) (epoch <= current)
#else
#define MAY_COLLECT(epoch) (epoch < current)
#endif
#ifdef LOWER_EPOCH
#define IS_NEWS(epoch) (epoch != mapped_epoch)
#else
#define IS_NEWS(epoch) (epoch > mapped_epoch)
#endif
#ifdef NO_EPOCH_CHECK
#define IS_MAPPED(epoch) (mapped_epoch != 0)
#else
#define IS_MAPPED(epoch) (epoch == mapped_epoch)
#endif
#ifdef NO_SEQ_CHECK
#define IS_NEXT(seq) true
#else
#define IS_NEXT(seq) (seq >= next_seq)
#endif
#ifdef NO_RECHECK
#define IS_UNCHANGED true
#else
#define IS_UNCHANGED (word[file] == seen)
#endif

/* Shared memory: files, which live on while somebody has them mapped, and the directory in which epochs have names. */
byte word[GRANTS + 2];
byte low[GRANTS + 2];
byte high[GRANTS + 2];
bool whole[GRANTS + 2];
byte directory[GRANTS + 3]; /* epoch -> file; 0: no such epoch */
byte files;

/* Messages. Grants number the epochs that were made; announces and descriptors of one may arrive at any later time. */
byte grants;
byte epoch_of[GRANTS + 1];
byte file_of[GRANTS + 1];
byte described[GRANTS + 1]; /* descriptors were sent of the sequences below it */
bool asks[PRODUCERS + 1];   /* for a lease, as long as it is not answered */
byte answer[PRODUCERS + 1]; /* a grant */

/* The driver's memory. */
byte lease[PRODUCERS + 1]; /* the grant that it runs for; 0: none */
byte current;
bool killed;
bool was_served; /* producer 1 */

/* An epoch for producer `who`; 0: one without. Between two steps the driver may be killed. */
inline make_epoch(who) {
  d_step { /* its number: higher than what is known, and than what lies there */
    epoch = current;
#ifndef EPOCH_FROM_MEMORY
    old = 1;
    do
    :: old <= GRANTS + 1 ->
       if
       :: directory[old] != 0 && old > epoch -> epoch = old
       :: else
       fi;
       old++
    :: else -> break
    od;
    old = 0;
#endif
    epoch++;
#ifdef NO_NEW_EPOCH
    if
    :: current != 0 -> epoch = current; file = directory[current]
    :: else -> files++; file = files
    fi
#else
#ifdef REUSE_FILE
    file = 1
#else
    files++; file = files
#endif
#endif
  };
#ifdef HALF_MADE
  d_step { directory[epoch] = file; epoch_of[grants + 1] = epoch; grants++ };
  grants--;
#endif
  d_step { whole[file] = true; directory[epoch] = file }; /* the rename of what is whole */
  d_step { /* the answer, and the announce */
    current = epoch;
    grants++;
    epoch_of[grants] = epoch;
    file_of[grants] = file;
    if
    :: who != 0 -> lease[who] = grants; answer[who] = grants; asks[who] = false; was_served = true
    :: else
    fi;
    epoch = 0;
    file = 0;
    assert(lease[1] == 0 || lease[2] == 0)
  }
}

active proctype Driver() {
  byte epoch, file, old;
life:
  {
    if
    :: make_epoch(0) /* a stream of the configuration */
    :: true          /* one that is made on demand */
    fi;
    do
    :: asks[1] && grants < GRANTS && MAY_GRANT(1) -> make_epoch(1)
    :: asks[2] && grants < GRANTS && MAY_GRANT(2) && was_served -> make_epoch(2) /* the producers are alike */
    /* a detach, or the end of its time */
    :: atomic { lease[1] != 0 && grants < GRANTS -> lease[1] = 0 }; make_epoch(0)
    :: atomic { lease[2] != 0 && grants < GRANTS -> lease[2] = 0 }; make_epoch(0)
    /* collects the oldest epoch */
    :: d_step {
         old = 1;
         do
         :: old < GRANTS && directory[old] == 0 -> old++
         :: else -> break
         od;
         if
         :: MAY_COLLECT(old) -> directory[old] = 0
         :: else
         fi;
         old = 0
       }
    od
  } unless { killed };
  d_step {
    killed = false; current = 0; epoch = 0; file = 0; old = 0;
    lease[1] = 0; lease[2] = 0;
    if :: answer[1] != 0 -> answer[1] = 0; asks[1] = true :: else fi; /* who was not answered asks again */
    if :: answer[2] != 0 -> answer[2] = 0; asks[2] = true :: else fi
  };
  if
  :: grants < GRANTS -> goto life
  :: else
  fi
}

/* kill -9 of the driver, once. */
active proctype Killer() {
  killed = true
}

proctype Producer(byte me) {
  byte grant, file, seq;
  do
  :: atomic { answer[me] != 0 -> grant = answer[me]; answer[me] = 0; file = file_of[grant] };
     do
     :: seq < SEQS ->
#ifndef NO_MARK
        word[file] = IN_PROGRESS(seq);
#endif
        low[file] = CONTENT(grant, seq);
        high[file] = CONTENT(grant, seq);
        word[file] = COMMITTED(seq);
        d_step { seq++; described[grant] = seq }
     :: d_step { lease[me] != grant -> grant = 0; file = 0; seq = 0; asks[me] = true }; break /* it heard of it */
     od
  od
}

active proctype Consumer() {
  byte mapped_epoch, file;      /* what is mapped */
  byte next_seq, newest_epoch;  /* of what was accepted */
  byte grant, seq, seen, a, b;
  do
  /* an announce, of now or of then */
  :: atomic {
       select(grant : 1 .. GRANTS);
       if
       :: grant <= grants && directory[epoch_of[grant]] != 0 && IS_NEWS(epoch_of[grant]) ->
          mapped_epoch = epoch_of[grant];
          file = directory[mapped_epoch];
          next_seq = 0;
          assert(whole[file])
       :: else
       fi;
       grant = 0
     }
  /* a descriptor, of now or of then */
  :: atomic {
       select(grant : 1 .. GRANTS);
       select(seq : 0 .. SEQS - 1);
       if
       :: seq < described[grant] && file != 0 && IS_MAPPED(epoch_of[grant]) && IS_NEXT(seq) -> seen = word[file]
       :: else
       fi
     };
     if
     :: seen == COMMITTED(seq) ->
        a = low[file];
        b = high[file];
        d_step {
          if
          :: IS_UNCHANGED ->
             assert(a == b);
             assert(a == CONTENT(grant, seq));
             assert(mapped_epoch >= newest_epoch);
             assert(mapped_epoch > newest_epoch || seq >= next_seq);
             newest_epoch = mapped_epoch;
             next_seq = seq + 1
          :: else
          fi;
          a = 0; b = 0
        }
     :: else
     fi;
     d_step { seen = 0; grant = 0; seq = 0 }
  od
}

init {
  atomic { asks[1] = true; asks[2] = true; run Producer(1); run Producer(2) }
}
