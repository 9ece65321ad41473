/* SPDX-License-Identifier: MIT
 *
 * Claim: no accepted message is lost if a Redis takes over that lacks the last writes of its predecessor.
 * One mailbox, one client, a master and a copy of it that lags behind; the client may have been given
 * messages that the copy lacks. Only messages pushed to the old master alone are lost then. A message
 * that the new one has accepted must reach the client, whatever ids the client knows. Trimming is in
 * trim.pml, waking in wake.pml.
 *
 * Messages are told apart by their stamps, 1, 2, 3 ... in the order of the pushes. Epochs are numbers
 * of reigns.
 *
 * Checked when a client gets an answer (`deliver`):
 *   - a message is given twice only after a reset;
 *   - there is a reset only if the cursor is of neither this epoch nor one that it goes on from;
 *   - if nothing moves any more, the client has every message of the store (`Rest`).
 *
 * In a Redis Cluster this holds for each part: its reign begins again when its node was restarted or
 * replaced, and also when its slot has moved, though nothing is lost then (a fork too many does no harm).
 * Assumed: a part is greeted by reign.lua before any other command whenever it has another node, or its
 * node got slots again; a program tells that by the node's epoch, which each failover makes higher.
 *
 * Compiled with one of these names defined, it must fail (see run): NO_FORK, BEYOND (a cursor is
 * translated including its part of the lost branch), NOT_YET (before the first push a cursor of a lost
 * message is taken for one from the future).
 */
#ifndef MESSAGES
#define MESSAGES 4
#endif
#ifndef REIGNS
#define REIGNS 3 /* the first, and those that begin as a copy takes over */
#endif
#define NONE 15

/* --- Redis: the master, and its copy ------------------------------------------------------------- */

typedef Mailbox {
  byte epoch, newest;     /* base, and the length of unacked */
  byte last[REIGNS + 1];  /* of the epochs that this one goes on from; 0: it does not */
  byte stamp[MESSAGES + 1]
}
Mailbox master, copy;
byte reign = 1; /* letterbox:reign */

/* --- the client, and the program that it polls ---------------------------------------------------- */

mtype = { idle, parked };
mtype state = idle;
byte epoch, seq;        /* its cursor; 0: none */
bit got[MESSAGES + 1];  /* by stamp */
byte ring_epoch, ring;  /* on its way; 0: none */

byte pushed, g, s, i; /* g, s, i: of steps, put back to 0 by each */
bit reset;

#define lesser(x, y) ((x) < (y) -> (x) : (y))

/* push.lua */
inline push() {
#ifndef NO_FORK
  if
  :: master.epoch > 0 && master.epoch < reign ->
    master.last[master.epoch] = master.newest;
    master.epoch = reign
  :: else
  fi;
#endif
  if
  :: master.epoch == 0 -> master.epoch = reign
  :: else
  fi;
  pushed++;
  master.newest++;
  master.stamp[master.newest] = pushed;
  ring_epoch = master.epoch;
  ring = master.newest
}

/* read.lua: the position of a cursor. */
inline translate() {
  g = epoch; s = seq; reset = 0;
  if
  :: g > 0 && master.last[g] > 0 ->
#ifndef BEYOND
    s = lesser(s, master.last[g]);
#endif
    g = master.epoch
  :: g > 0 && g == master.epoch && s > master.newest && master.epoch < reign ->
#ifndef NOT_YET
    s = master.newest
#endif
  :: else
  fi;
  if
  :: g != master.epoch || s > master.newest -> reset = (g != 0); s = 0
  :: else
  fi
}

/* The client is given the messages after position `from`. */
inline deliver(from) {
  i = from;
  do
  :: i < master.newest ->
    i++;
    assert(!got[master.stamp[i]] || reset);
    got[master.stamp[i]] = 1
  :: else -> break
  od;
  i = 0;
  epoch = master.epoch;
  seq = master.newest
}

/* Room::read, and its consequences. */
inline look() {
  translate();
  assert(!reset || (epoch != master.epoch && master.last[epoch] == 0));
  if
  :: s < master.newest -> deliver(s); state = idle
  :: else ->
    if :: master.epoch > 0 -> epoch = master.epoch; seq = s :: else fi;
    state = parked
  fi;
  g = 0; s = 0; reset = 0
}

/* Room::ring_client */
inline rung() {
  if
  :: state == parked && ring_epoch == epoch && ring <= seq
  :: state == parked && ring_epoch == epoch && ring == seq + 1 ->
    assert(!got[master.stamp[ring]]);
    got[master.stamp[ring]] = 1;
    seq = ring;
    state = idle
  :: state == parked && (ring_epoch != epoch || ring > seq + 1) -> look()
  :: else
  fi;
  ring = 0; ring_epoch = 0
}

inline assign(to, from) {
  to.epoch = from.epoch;
  to.newest = from.newest;
  do
  :: i <= REIGNS -> to.last[i] = from.last[i]; i++
  :: else -> break
  od;
  i = 0;
  do
  :: i <= MESSAGES -> to.stamp[i] = from.stamp[i]; i++
  :: else -> break
  od;
  i = 0
}

active proctype Pusher() {
end:
  do
  :: atomic { pushed < MESSAGES && ring == 0 -> push() }
  od
}

active proctype Client() {
end:
  do
  :: atomic { state == idle -> look() }
  :: atomic { ring > 0 -> rung() }
  od
}

/* The copy catches up, or takes over: a replica, or a file. A poll that was parked reads again
 * once its program's lanes are back (Room::missed_rings). */
active proctype Fate() {
end:
  do
  :: atomic { copy.newest != master.newest || copy.epoch != master.epoch -> assign(copy, master) }
  :: atomic { reign < REIGNS ->
       reign++;
       assign(master, copy);
       ring = 0; ring_epoch = 0;
       if
       :: state == parked -> look()
       :: else
       fi
     }
  od
}

/* Nothing moves any more. */
active proctype Rest() {
  timeout ->
  i = 1;
  do
  :: i <= master.newest -> assert(got[master.stamp[i]]); i++
  :: else -> break
  od
}
