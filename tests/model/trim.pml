/* SPDX-License-Identifier: MIT
 *
 * Is nothing dropped that somebody still needs? One mailbox that keeps few messages, two clients,
 * and what they acknowledge, by connections that overtake one another. Who is woken when is not
 * here (wake.pml): a client that waits simply gets the next message, or is read for.
 *
 * Checked, where a client gets an answer (`deliver`):
 *   - it goes on where the client stands, or says exactly how many messages it lost;
 *   - a live client loses none but by the mailbox's cap;
 * and always: no line of `clients` is ahead of what its client has; where nothing moves any more,
 * every client has everything up to the newest message (`Rest`).
 *
 * Compiled with one of these names defined, it must fail (see run): TRIM_FASTEST, ACK_AS_SENT,
 * NOTE_FOR_ALL, LOSS_UNTOLD.
 */
#ifndef MESSAGES
#define MESSAGES 4
#endif
#define CAP 2      /* --mailbox-max */
#define AT_ONCE 2  /* so many acknowledged messages leave with a push: push.lua has 8 */
#define LIMIT 2    /* messages in an answer */
#ifndef LOSSES
#define LOSSES 1   /* answers and acknowledgements that die with a program */
#endif
#ifndef ABSENCES
#define ABSENCES 1 /* times that a client stays away for longer than --client-life */
#endif
#define NONE 15

/* --- Redis ------------------------------------------------------------------------------------ */

byte base;           /* messages that have left the front of unacked */
byte newest;         /* base + LLEN of unacked */
byte line[2] = NONE; /* clients: SEQ of a client's line */
bit live[2];         /* ... and whether its SEEN is recent */

/* --- on its way --------------------------------------------------------------------------------- */

byte hset[2] = NONE;     /* Store::acknowledge */
bit hset_newer[2];       /* ... and whether it was sent after the note that is on its way */
byte note[2] = NONE;     /* a note of Room::tick or Room::leave */
bit late[2];             /* ... and whether SEEN of the client's line is newer than the note */

/* --- the clients -------------------------------------------------------------------------------- */

mtype = { idle, answered, waiting }
mtype state[2] = idle;
byte cursor[2];      /* what it has; 0 before its first answer */
byte start[2], missed[2], count[2]; /* the Reading on its way */

byte losses = LOSSES, absences = ABSENCES;
byte dropped;        /* the newest message that the cap has driven out */
bit was_away[2];     /* since its last answer, for so long that nobody had to wait for it */

byte b, at, bound;   /* of steps, put back to 0 by each */

#define met(c) (cursor[c] > 0)
#define other(c) (1 - (c))
#define holds(c) (line[c] != NONE && live[c])

/* --- what Redis does ---------------------------------------------------------------------------- */

#define lesser(x, y) ((x) < (y) -> (x) : (y))
#define larger(x, y) ((x) > (y) -> (x) : (y))
#ifdef TRIM_FASTEST
#define slower larger
#else
#define slower lesser
#endif

/* push.lua: the message is in, and what every live client has leaves. */
inline push() {
  newest++;
  if
  :: newest - base > 1 ->
    if
    :: holds(0) && holds(1) -> bound = slower(line[0], line[1])
    :: holds(0) && !holds(1) -> bound = line[0]
    :: !holds(0) && holds(1) -> bound = line[1]
    :: else -> bound = base
    fi;
    b = (bound > base -> lesser(bound - base, newest - base - 1) : 0); /* acknowledged */
    if
    :: b >= AT_ONCE -> base = base + b; b = 0
    :: else
    fi;
    if
    :: newest - base - b > CAP -> base = newest - CAP; dropped = base
    :: else
    fi
  :: else
  fi;
  b = 0; bound = 0
}

/* read.lua, of client c that stands at `after`, with a limit, or 0 for a note. */
inline read_lua(c, after, limit) {
  b = base; /* what all live clients have is as good as gone */
  if
  :: holds(0) && holds(1) -> b = larger(base, slower(line[0], line[1]))
  :: holds(0) && !holds(1) -> b = larger(base, line[0])
  :: !holds(0) && holds(1) -> b = larger(base, line[1])
  :: else
  fi;
  b = lesser(b, newest);
  at = (after == 0 || after < b -> b : after);
  if
  :: limit > 0 ->
    start[c] = at;
#ifndef LOSS_UNTOLD
    missed[c] = (after == 0 -> 0 : at - after);
#endif
    count[c] = lesser(limit, newest - at);
  :: else
  fi;
  if
  :: limit > 0 || !late[c] ->
#ifdef ACK_AS_SENT
    at = at + count[c];
#endif
    line[c] = at;
    live[c] = 1;
    late[c] = (note[c] != NONE && limit > 0);
    bound = (holds(other(c)) -> slower(at, line[other(c)]) : at);
    base = larger(b, bound)
  :: else -> base = b
  fi;
  b = 0; at = 0; bound = 0
}

/* note.lua, and what it leaves to read.lua. */
inline note_lua(c) {
  if
  :: late[c] || note[c] > newest -> read_lua(c, note[c], 0)
  :: else ->
    line[c] = note[c];
    live[c] = 1;
    if
#ifndef NOTE_FOR_ALL
    :: line[other(c)] != NONE -> read_lua(c, note[c], 0)
#endif
    :: else -> base = larger(base, note[c])
    fi
  fi;
  note[c] = NONE;
  late[c] = 0;
  hset_newer[c] = 0
}

/* HSET, whatever stood there before. */
inline hset_lua(c) {
  line[c] = hset[c];
  late[c] = hset_newer[c];
  hset[c] = NONE;
  hset_newer[c] = 0
}

/* --- who acts ------------------------------------------------------------------------------------- */

/* An answer with `n` messages that follow `from`, after `lost` that are said to be lost. */
inline deliver(c, from, n, lost) {
  assert(from == cursor[c] + lost || !met(c));
  assert(lost == 0 || from <= dropped || was_away[c]);
  cursor[c] = from + n;
  was_away[c] = 0
}

inline settle(c) {
  state[c] = idle;
  start[c] = 0; missed[c] = 0; count[c] = 0
}

active proctype Pusher() {
end:
  do
  :: atomic { newest < MESSAGES -> push() }
  od
}

proctype Client(byte c) {
end:
  do
  /* It comes, and is read for. */
  :: atomic { state[c] == idle && (!met(c) || cursor[c] < newest) ->
       read_lua(c, cursor[c], LIMIT);
       state[c] = answered
     }
  :: atomic { state[c] == answered -> deliver(c, start[c], count[c], missed[c]); settle(c) }
  :: atomic { state[c] == answered && losses -> losses--; settle(c) }
  /* It comes, has everything that its program knows of, and only acknowledges. */
  :: atomic { state[c] == idle && live[c] && !was_away[c] && cursor[c] > 0 && newest < MESSAGES &&
              hset[c] == NONE ->
       state[c] = waiting;
       hset[c] = cursor[c];
       hset_newer[c] = (note[c] != NONE)
     }
  /* It waits: the next message comes with its ring, or a bell has it read. */
  :: atomic { state[c] == waiting && newest > cursor[c] -> deliver(c, cursor[c], 1, 0); settle(c) }
  :: atomic { state[c] == waiting && newest > cursor[c] && losses -> losses--; settle(c) }
  :: atomic { state[c] == waiting && newest > cursor[c] ->
       read_lua(c, cursor[c], LIMIT);
       state[c] = answered
     }
  /* It is noted as away. */
  :: atomic { state[c] == idle && cursor[c] > 0 && !was_away[c] && note[c] == NONE -> note[c] = cursor[c] }
  od
}

/* Acknowledgements and notes on their way, in any order, and some of them lost. */
proctype Wire(byte c) {
end:
  do
  :: atomic { hset[c] != NONE -> hset_lua(c) }
  :: atomic { note[c] != NONE -> note_lua(c) }
  :: atomic { hset[c] != NONE && losses -> losses--; hset[c] = NONE; hset_newer[c] = 0 }
  od
}

/* A client stays away for so long that nobody waits for it; nothing of it is on its way then. */
active proctype Absence() {
end:
  do
  :: atomic { absences && state[1] == idle && live[1] && note[1] == NONE && hset[1] == NONE ->
       absences--;
       live[1] = 0;
       was_away[1] = 1
     }
  :: absences -> absences = 0
  od
}

#define ahead(c) \
  (line[c] != NONE && met(c) && line[c] > larger(cursor[c], dropped) && !was_away[c])

active proctype Lines() {
end:
  do
  :: atomic { ahead(0) || ahead(1) -> assert(false) }
  od
}

/* Where nothing moves any more. */
active proctype Rest() {
  timeout -> assert(newest == MESSAGES && (cursor[0] == newest || state[0] == waiting) &&
                    (cursor[1] == newest || state[1] == waiting));
  assert(cursor[0] == newest && cursor[1] == newest)
}

init {
  atomic { run Client(0); run Client(1); run Wire(0); run Wire(1) }
}
