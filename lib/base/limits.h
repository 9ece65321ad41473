// SPDX-License-Identifier: MIT
//
// Every bound that several places must agree on, with its unit (last in its name) and its reason:
// sizes, counts and times that another file, a script of Redis, nginx or the defaults of the
// settings (fcgi/settings.cpp) depend on. What a single file decides for itself, such as the pause
// before it tries again, stays in that file. Constants: any thread.
//
// What must hold between them is asserted beside them. What must hold between them and files that
// no compiler reads, the scripts of lib/mailbox and nginx' configuration, is a test:
// tests/unit/base_limits.cpp.
#pragma once

#include <cstddef>
#include <cstdint>

#ifdef NDEBUG
#error "assertions stay on, also in what is released: build without NDEBUG"
#endif

namespace letterbox {

inline constexpr uint64_t kSecondMs = 1000;
inline constexpr uint64_t kDayMs = 86'400'000;

// --- requests ------------------------------------------------------------------------------------

// The longest parameters of a request that are taken, all together: twice what nginx takes of a
// client's headers if it has the largest buffers that nginx/server.conf speaks of.
inline constexpr size_t kParamsBytes = 262'144;
// Most requests are shorter than this: one receive takes them off their connection.
inline constexpr size_t kTakenBytes = 8192;
// Longer requests are left to the slow reader, which takes them piece by piece.
inline constexpr size_t kLookedAtBytes = 65'536;
inline constexpr size_t kPieceBytes = 65'536;
// A request that stops on its way is given up after this: nginx sends without a pause, and gives us
// up itself after as long (fastcgi_send_timeout).
inline constexpr uint64_t kSlowRequestMs = 5 * kSecondMs;

// The body of a request to the public face: it has one of its own only by mistake.
inline constexpr size_t kPollBodyBytes = 4096;
// Of a push, unless --body-max says otherwise; and the most that it may say.
inline constexpr size_t kPushBodyBytes = 262'144;
inline constexpr size_t kPushBodyMostBytes = 67'108'864;

// The longest signed token that is looked at.
inline constexpr size_t kTokenBytes = 8192;

// A stream whose client leaves more than this untaken is slow, and ends.
inline constexpr size_t kUnsentBytes = 262'144;

// Of lists that are read page by page, and of the messages that a poll takes at once.
inline constexpr size_t kPageItems = 100;
inline constexpr size_t kPageMostItems = 1000;

static_assert(kTakenBytes < kLookedAtBytes, "a look goes further than a receive has taken");
static_assert(kLookedAtBytes < kParamsBytes, "long parameters are the slow reader's");
static_assert(kPieceBytes >= kLookedAtBytes, "the slow reader takes what was looked at in one");
static_assert(kTokenBytes < kParamsBytes, "a token that is good fits into a request");
static_assert(kPollBodyBytes < kPushBodyBytes,
              "the body of a poll is a mistake, of a push it is not");
static_assert(kPushBodyBytes <= kPushBodyMostBytes);
static_assert(kUnsentBytes >= kPushBodyBytes, "no client is slow by a single message");
static_assert(kPageItems <= kPageMostItems);

// --- how long a client waits ---------------------------------------------------------------------

// A poll that says nothing of it, and the most that it may say: --poll-timeout and
// --poll-timeout-max. nginx waits longer: fastcgi_read_timeout.
inline constexpr uint64_t kPollMs = 25 * kSecondMs;
inline constexpr uint64_t kPollMostMs = 50 * kSecondMs;
// A stream, which has a comment written to it after so long a silence (--stream-ping).
inline constexpr uint64_t kStreamMs = 300 * kSecondMs;
inline constexpr uint64_t kStreamLeastMs = kSecondMs;
inline constexpr uint64_t kStreamMostMs = 3600 * kSecondMs;
inline constexpr uint64_t kStreamPingMs = 15 * kSecondMs;

// The longest that a new poll waits its turn to read.
inline constexpr uint64_t kReadTurnMs = 20 * kSecondMs;
// A poll superseded sooner than this after it was parked is answered only then: two programs that
// fight over one client name take turns once a second instead of thousands of times.
inline constexpr uint64_t kFightMs = kSecondMs;

// A client between two polls is noted as away after this: the longest round trip that a page is
// likely to have, and the pause after a timeout. It is usually back sooner.
inline constexpr uint64_t kLapseMs = 500;
// A mailbox is listened to for so long after its last poll was answered: the next one finds its
// place warm.
inline constexpr uint64_t kWarmMs = 5 * kSecondMs;
// The note of who watches until when runs out this much later than the watching does; and so much
// later while a poll waits, so that its successors need not renew it each time.
inline constexpr uint64_t kNoteMarginMs = kSecondMs;
inline constexpr uint64_t kNoteAheadMs = 60 * kSecondMs;

// A client's line is written so much after the client came back with something to be written; and
// then the command may wait as long for others to leave with.
inline constexpr uint64_t kDebtMs = kSecondMs;
inline constexpr uint64_t kLingerMs = 4;
// The line is written at once if the client seems to be gone within this time otherwise, or if the
// line lacks as many messages, or bytes of them.
inline constexpr uint64_t kParkedMarginMs = 2 * kSecondMs;
inline constexpr size_t kDebtMessages = 8;
inline constexpr size_t kDebtBytes = 1024;

// The most polls that wait at once (--max-parked), and the most lanes (--lanes): Redis connections
// that listen to the mailboxes' own lists. A new lane is opened when each has kLaneMailboxes.
inline constexpr size_t kParkedPolls = 100'000;
inline constexpr size_t kLanes = 380;
inline constexpr size_t kLaneMailboxes = 128;
// A command that listens and hears nothing is asked again after this: seconds, as Redis wants it.
inline constexpr uint64_t kListenSeconds = 20;

static_assert(kPollMs <= kPollMostMs);
static_assert(kStreamLeastMs <= kStreamMs && kStreamMs <= kStreamMostMs);
static_assert(kStreamPingMs < kPollMostMs, "a stream is not silent for longer than a poll");
static_assert(kReadTurnMs < kPollMostMs, "waiting for a turn is no longer than being parked");
static_assert(kLapseMs < kWarmMs, "a client lapses first, and is forgotten later");
static_assert(kNoteAheadMs > kPollMostMs, "one note is enough for the poll behind it");
static_assert(kDebtMs + kLingerMs < kParkedMarginMs, "no client seems gone before it is written");

// --- a mailbox -----------------------------------------------------------------------------------

// --mailbox-max, --mailbox-bytes (the newest message is kept in any case), --clients-max.
inline constexpr size_t kMailboxMessages = 1000;
inline constexpr size_t kMailboxBytes = 16'777'216;
inline constexpr size_t kUserClients = 100;
// How long the record of an idempotent push lives: --idempotency-life. Long enough for a back end
// that repeats a push until its own patience ends.
inline constexpr uint64_t kRecordLifeMs = 600 * kSecondMs;
// Since its last push or poll, and how long an absent client's messages are kept: --mailbox-life
// and --client-life.
inline constexpr uint64_t kMailboxLifeMs = 7 * kDayMs;
inline constexpr uint64_t kClientLifeMs = kDayMs;

// After as many bytes an answer takes no further message. nginx has buffers for it and that
// message.
inline constexpr size_t kAnswerBytes = 1'048'576;
// A stream that was given as many messages ends, and its client comes back, and acknowledges.
inline constexpr size_t kStreamMessages = 500;
inline constexpr size_t kStreamReadMessages = 100;

// A read looks at no more elements of a mailbox, however many of them have expired (read.lua).
inline constexpr size_t kReadElements = 1000;

// Acknowledged messages leave a mailbox by as many (push.lua), expired ones as many at once.
inline constexpr size_t kDropMessages = 8;
inline constexpr size_t kExpiredMessages = 32;
// Placeholders of messages that were replaced or retracted: up to this number push no message out
// of a mailbox (push.lua).
inline constexpr size_t kPlaceholders = 10'000;
// How many earlier epochs are remembered of a mailbox (push.lua): what a client has of one that is
// forgotten is answered by a reset.
inline constexpr size_t kForks = 8;
// The first elements of a user's list, among which raw ones are looked for (read.lua, peek.lua).
inline constexpr size_t kHungElements = 16;

// One step of the store is half a millisecond at most, in which it does nothing else.
inline constexpr size_t kStepRecipients = 50;
inline constexpr size_t kStepBytes = 1'048'576;

// The longest message that a ring carries.
inline constexpr size_t kRingBytes = 16'384;
// A program whose oldest ring has stood at its address for so long does not read it (push.lua).
inline constexpr uint64_t kUnheardMs = 2 * kSecondMs;
// Rings at an address, beyond which one stands for all; and how long they stand there at most.
inline constexpr size_t kAddressRings = 4096;
inline constexpr uint64_t kAddressLifeMs = 600 * kSecondMs;
// A program takes as many of them at once. If it has not emptied its address for so long, some may
// have expired, and it looks at every mailbox.
inline constexpr size_t kHeardRings = 100;
inline constexpr uint64_t kUnemptiedMs = 300 * kSecondMs;

// Reads under way of a worker, and of a user; and the bytes that a worker's are likely to bring.
inline constexpr size_t kWorkerReads = 16;
inline constexpr size_t kUserReads = 2;
inline constexpr size_t kWorkerReadBytes = 4'194'304;

// A time that is further ahead than this is none: a year (reign.lua).
inline constexpr uint64_t kAheadMs = 31'557'600'000;

static_assert(kPushBodyBytes <= kMailboxBytes, "a mailbox has room for a message");
static_assert(kClientLifeMs <= kMailboxLifeMs, "a mailbox outlives its clients");
static_assert(2 * kStreamMessages <= kMailboxMessages,
              "a stream's client acknowledges long before its mailbox is full of what it has");
static_assert(kStreamReadMessages <= kStreamMessages);
static_assert(kStreamMessages <= kPageMostItems);
static_assert(kPageMostItems <= kReadElements,
              "a read may bring as many messages as a poll asks for");
static_assert(kDebtMessages <= kDropMessages, "what is acknowledged is written when it can leave");
static_assert(kDropMessages < kMailboxMessages && kExpiredMessages < kMailboxMessages);
static_assert(kPushBodyBytes <= kStepBytes, "a message of an ordinary size is one step");
static_assert(kRingBytes <= kStepBytes);
static_assert(kAnswerBytes <= kWorkerReadBytes, "one answer is always under way");
static_assert(kUserReads <= kWorkerReads);
static_assert(kHeardRings < kAddressRings);
static_assert(kUnemptiedMs + 2 * kListenSeconds * kSecondMs < kAddressLifeMs,
              "a program notices that rings may have expired before they do");

// --- pushes --------------------------------------------------------------------------------------

// --recipients-max; --broadcast-max and --broadcast-bytes, of one that is for groups or everybody;
// --group-max.
inline constexpr size_t kRecipients = 1000;
inline constexpr size_t kBroadcastRecipients = 100'000;
inline constexpr uint64_t kBroadcastBytes = 268'435'456;
inline constexpr size_t kGroupMembers = 100'000;
// Members of a group that one step of the store changes, or looks at: half a millisecond.
inline constexpr size_t kGroupStepUsers = 250;
// What a worker holds in memory for pushes whose outcome is not known yet.
inline constexpr size_t kInHandBytes = 67'108'864;
// What it has under way to the store for pushes that take turns; and a turn.
inline constexpr size_t kUnderWayRecipients = 100;
inline constexpr size_t kUnderWayBytes = 1'048'576;
inline constexpr size_t kTurnRecipients = kStepRecipients;

// The furthest ahead that a message may be scheduled. The index of all users' messages lives for so
// much longer than the last of them could.
inline constexpr uint64_t kDelayMostMs = 30 * kDayMs;
inline constexpr uint64_t kScheduleMarginMs = kDayMs;
// The scheduler takes as many messages that are due at once.
inline constexpr size_t kDueMessages = kStepRecipients;

static_assert(kRecipients <= kBroadcastRecipients);
static_assert(kGroupMembers <= kBroadcastRecipients, "a push to the largest group is allowed");
static_assert(kPushBodyMostBytes <= kInHandBytes, "the longest body is held in memory");
static_assert(kInHandBytes <= kBroadcastBytes);
static_assert(kStepRecipients <= kUnderWayRecipients && kStepBytes <= kUnderWayBytes,
              "a step is not held up by itself");
static_assert(kDueMessages <= kStepRecipients, "what is due at once is one step, if it is short");

// --- who may come in -----------------------------------------------------------------------------

// A token of ours whose maker says nothing of it (--token-life), and the longest; a user's tokens
// (--tokens-max); and what a back end may attach to one.
inline constexpr uint64_t kTokenLifeMs = kDayMs;
inline constexpr uint64_t kTokenLifeMostMs = 366 * kDayMs;
inline constexpr size_t kUserTokens = 100;
inline constexpr size_t kTokenDataBytes = 4096;
// A signed token, which nobody here can take back but by the user's name: --jwt-life-max. Clocks
// that are kept in step differ by less than the leeway.
inline constexpr uint64_t kSignedLifeMs = 30 * kDayMs;
inline constexpr uint64_t kLeewayMs = 5 * kSecondMs;
// How long a kick keeps out who has no token to lose, and the most that it may say.
inline constexpr uint64_t kKickMs = 60 * kSecondMs;
inline constexpr uint64_t kKickMostMs = 30 * kDayMs;
inline constexpr size_t kReasonCharacters = 200;
// Notices that are kept (notice.lua), and how long after the last one. As many are read at once.
inline constexpr size_t kNotices = 10'000;
inline constexpr uint64_t kNoticesLifeMs = kDayMs;
inline constexpr size_t kHeardNotices = 1000;

static_assert(kTokenLifeMs <= kTokenLifeMostMs);
static_assert(kKickMs <= kKickMostMs);
static_assert(kLeewayMs < kSignedLifeMs);
static_assert(kHeardNotices <= kNotices);

// --- Redis ---------------------------------------------------------------------------------------

// After which it counts as away, unless --redis-timeout says otherwise.
inline constexpr uint64_t kRedisMs = 2 * kSecondMs;
// /readyz and /healthz are answered within these, and nginx waits longer.
inline constexpr uint64_t kReadyMs = kSecondMs;
inline constexpr uint64_t kHealthyMs = kSecondMs;

static_assert(kReadyMs < kRedisMs, "who watches hears of a silence before everybody does");
static_assert(kReadTurnMs + kRedisMs < kPollMostMs, "a poll that waits its turn is answered");

// --- a program's start, and while it is supervised -----------------------------------------------

// Within this, every worker's loop has turned once after the start. It takes milliseconds; a worker
// that is not there by then hangs, and the supervisor never hears that the program is ready.
inline constexpr uint64_t kFirstTurnMs = 10 * kSecondMs;
// In each period of the supervisor's watchdog, at most this number of signs of life. Each tells of
// the time since the one before, and one may come late.
inline constexpr uint64_t kSignsOfLife = 4;

// --- the end of a program ------------------------------------------------------------------------

// For clients that are just connecting. A client that comes later, on the same socket, waits in its
// backlog for the next program.
inline constexpr uint64_t kLastCallsMs = 50;
// Until every peer has taken its answer and closed, which nginx does at once: others may keep what
// they have for longer. What is just being worked on gets more.
inline constexpr uint64_t kFarewellMs = 800;
inline constexpr uint64_t kDrainMs = 1450;
// A worker that hangs, by a mistake, must not keep the others from ending: it is waited for so long
// at each of the two steps of the end, and by this time after the signal no more.
inline constexpr uint64_t kStepMs = 150;
inline constexpr uint64_t kEndMs = 1900;

static_assert(kFarewellMs < kDrainMs);
static_assert(2 * kStepMs + kLastCallsMs + kDrainMs < kEndMs,
              "all steps of the end have their time");
static_assert(kEndMs < 2 * kSecondMs, "a program has ended two seconds after it was told to");

}  // namespace letterbox
