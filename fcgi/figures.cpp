// SPDX-License-Identifier: MIT
#include "figures.h"

#include "base/metrics.h"
#include "base/process.h"
#include "settings.h"

namespace letterbox {

namespace {

using Type = MetricsText::Type;

// What the rows of the table read from.
struct View {
  const FigureSources& from;
  const ProcessFigures process;
  const std::vector<std::unique_ptr<Worker>>& workers;
};

template <class Read>
double sum(const View& view, Read read) {
  double total = 0;
  for (const auto& worker : view.workers) total += static_cast<double>(read(*worker));
  return total;
}

// Writes a metric that is one number.
template <class Number>
void one(MetricsText& out, Number number) {
  out.sample({}, static_cast<double>(number));
}

// Writes the sum over all workers.
template <class Read>
void of_workers(const View& view, MetricsText& out, Read read) {
  one(out, sum(view, read));
}

// Writes a figure of Redis connections by their use: for commands, the webhook, the address, lanes,
// notices.
template <class Read>
void by_use(const View& view, MetricsText& out, Read read) {
  out.sample({{"use", "commands"}},
             sum(view, [&](const Worker& worker) { return read(worker.redis_figures); }));
  if (view.from.webhook != nullptr) {
    out.sample({{"use", "webhook"}}, static_cast<double>(read(view.from.webhook->redis)));
  }
  if (view.from.lanes == nullptr) return;
  out.sample({{"use", "address"}},
             sum(view, [&](const Worker& worker) { return read(worker.address_figures); }));
  out.sample({{"use", "lane"}},
             sum(view, [&](const Worker& worker) { return read(worker.lane_figures); }));
  out.sample({{"use", "notices"}},
             sum(view, [&](const Worker& worker) { return read(worker.notices_figures); }));
}

// Writes the sum over the pushes of all stores.
template <class Read>
void of_pushes(const View& view, MetricsText& out, Read read) {
  of_workers(view, out, [&](const Worker& worker) {
    uint64_t total = 0;
    for (const auto& store : worker.stores.each()) total += read(store->pushes().figures()).value();
    return total;
  });
}

// Writes the sum over the switchboards of all fronts.
template <class Read>
void of_boards(const View& view, MetricsText& out, Read read) {
  of_workers(view, out, [&](const Worker& worker) {
    size_t total = 0;
    for (const Front* front : worker.fronts) total += read(*front->board);
    return total;
  });
}

// Writes a route's requests by status. `counts_of` finds the route's counts in a front; null: that
// front has no such route.
template <class CountsOf>
void by_status(const View& view, MetricsText& out, std::string_view method, std::string_view route,
               CountsOf counts_of) {
  std::vector<const StatusCounts*> all;
  for (const auto& worker : view.workers) {
    for (const Front* front : worker->fronts) {
      if (const StatusCounts* counts = counts_of(*front)) all.push_back(counts);
    }
  }
  for (int status = StatusCounts::kFirst; status <= StatusCounts::kLast; ++status) {
    uint64_t count = 0;
    for (const StatusCounts* counts : all) count += counts->of(status).value();
    if (count == 0) continue;
    out.sample({{"method", method}, {"route", route}, {"code", std::to_string(status)}},
               static_cast<double>(count));
  }
}

// A route of both faces, such as /metrics, counts as one.
void requests(const View& view, MetricsText& out) {
  const auto& fronts = view.workers.front()->fronts;
  for (const Front* front : fronts) {
    for (const auto& [method, path, handler, counts] : front->router.routes()) {
      if (front != fronts.front() && fronts.front()->router.counts(method, path)) continue;
      by_status(view, out, method, path, [method = method, path = path](const Front& each) {
        return each.router.counts(method, path);
      });
    }
  }
  by_status(view, out, "other", "other", [](const Front& each) { return &each.router.unrouted(); });
}

void redis_latency(const View& view, MetricsText& out) {
  LatencyHistogram::Snapshot total;
  for (const auto& worker : view.workers) total += worker->redis_latency.snapshot();
  out.histogram(total);
}

void polls_ended(const View& view, MetricsText& out) {
  for (size_t i = 0; i < kReasons; ++i) {
    const auto reason = static_cast<Reason>(i);
    out.sample({{"reason", name(reason)}}, static_cast<double>(view.from.room->ended(reason)));
  }
}

void private_requests(const View& view, MetricsText& out) {
  for (const auto& [key, outcomes] : view.from.guard->figures()) {
    for (size_t i = 0; i < outcomes.size(); ++i) {
      const auto outcome = PushGuard::name(static_cast<PushGuard::Outcome>(i));
      out.sample({{"key", key}, {"outcome", outcome}}, static_cast<double>(outcomes[i].value()));
    }
  }
}

void webhook_posts(const View& view, MetricsText& out) {
  const Courier::Figures& posts = view.from.webhook->posts;
  out.sample({{"result", "taken"}}, static_cast<double>(posts.taken.value()));
  out.sample({{"result", "refused"}}, static_cast<double>(posts.refused.value()));
  out.sample({{"result", "failed"}}, static_cast<double>(posts.failed.value()));
}

// How the messages ended that were noted for the webhook and not taken by it.
void webhook_unposted(const View& view, MetricsText& out) {
  const Courier::Figures& posts = view.from.webhook->posts;
  out.sample({{"reason", "heard"}}, static_cast<double>(posts.heard.value()));
  out.sample({{"reason", "given_up"}}, static_cast<double>(posts.given_up.value()));
  out.sample({{"reason", "dropped"}}, static_cast<double>(posts.dropped.value()));
}

void build(const View& view, MetricsText& out) {
  out.sample({{"program", view.from.program.name()}, {"version", kVersion}}, 1);
}

using V = const View&;
using Out = MetricsText&;
using W = const Worker&;
using B = const Switchboard&;
using P = const RedisPushes::Figures&;
using R = const RedisFigures&;

enum class Face { both, poll, push };
using enum Face;

struct Row {
  Face face;  // a program that serves this face shows the row
  Type type;
  std::string_view name;
  void (*read)(V, Out);
  std::string_view help;
};

// clang-format off
constexpr Row kTable[] = {
  {both, Type::gauge,     "letterbox_build_info",                     build, "Always 1; the labels name the program and its version."},
  {both, Type::gauge,     "letterbox_workers",                        [](V v, Out out) { one(out, v.workers.size()); }, "Worker threads."},
  {both, Type::counter,   "letterbox_requests_total",                 requests, "Requests that have ended, by route and HTTP status; 499: the client left before its answer."},
  {both, Type::gauge,     "letterbox_requests_in_flight",             [](V v, Out out) { of_boards(v, out, [](B b) { return b.open_exchanges(); }); }, "Requests not yet answered, parked polls among them."},
  {both, Type::gauge,     "letterbox_fastcgi_connections",            [](V v, Out out) { of_boards(v, out, [](B b) { return b.open_connections(); }); }, "Connections from nginx that are open."},
  {both, Type::gauge,     "letterbox_slow_requests",                  [](V v, Out out) { of_boards(v, out, [](B b) { return b.slow_requests(); }); }, "Requests that have arrived only in part."},
  {poll, Type::gauge,     "letterbox_polls_parked",                   [](V v, Out out) { one(out, v.from.room->parked()); }, "Polls and streams that wait for a message."},
  {poll, Type::gauge,     "letterbox_streams",                        [](V v, Out out) { one(out, v.from.room->streams()); }, "Open streams."},
  {poll, Type::gauge,     "letterbox_polls_queued",                   [](V v, Out out) { one(out, v.from.room->waiting_reads()); }, "Polls that wait for their turn to read their mailbox."},
  {poll, Type::gauge,     "letterbox_reads_under_way",                [](V v, Out out) { one(out, v.from.room->reads_under_way()); }, "Reads of mailboxes that Redis has not answered yet."},
  {poll, Type::counter,   "letterbox_polls_ended_total",              polls_ended, "Polls and streams that have ended, by reason."},
  {poll, Type::gauge,     "letterbox_mailboxes_watched",              [](V v, Out out) { one(out, v.from.room->mailboxes()); }, "Mailboxes whose clients poll, or polled a moment ago."},
  {poll, Type::gauge,     "letterbox_lanes",                          [](V v, Out out) { one(out, v.from.lanes->size()); }, "Lanes: Redis connections that listen to the mailboxes' own lists, or try to."},
  {poll, Type::counter,   "letterbox_lanes_refused_total",            [](V v, Out out) { one(out, v.from.lanes->refusals()); }, "Lanes that Redis refused for lack of connections; other lanes took their mailboxes."},
  {both, Type::counter,   "letterbox_pushed_messages_total",          [](V v, Out out) { of_pushes(v, out, [](P p) -> auto& { return p.messages; }); }, "Messages that Redis has taken, one for each recipient."},
  {both, Type::counter,   "letterbox_pushed_bytes_total",             [](V v, Out out) { of_pushes(v, out, [](P p) -> auto& { return p.bytes; }); }, "Bytes of these messages."},
  {both, Type::counter,   "letterbox_replayed_pushes_total",          [](V v, Out out) { of_pushes(v, out, [](P p) -> auto& { return p.replays; }); }, "Pushes that were not pushed again, since their Idempotency-Key had been; one for each recipient."},
  {poll, Type::counter,   "letterbox_delivered_messages_total",       [](V v, Out out) { one(out, v.from.room->delivered().messages.value()); }, "Messages in answers to polls and in streams: one for each client that got it, and each time."},
  {poll, Type::counter,   "letterbox_delivered_bytes_total",          [](V v, Out out) { one(out, v.from.room->delivered().bytes.value()); }, "Bytes of these messages."},
  {poll, Type::counter,   "letterbox_missed_messages_total",          [](V v, Out out) { one(out, v.from.room->delivered().missed.value()); }, "Messages that a client was told it has missed."},
  {poll, Type::counter,   "letterbox_collapsed_messages_total",       [](V v, Out out) { one(out, v.from.room->delivered().collapsed.value()); }, "Messages that were replaced or retracted before a client got them."},
  {poll, Type::counter,   "letterbox_presence_notes_total",           [](V v, Out out) { of_workers(v, out, [](W w) { return w.book->figures().notes.value(); }); }, "Notes in Redis that a client is online."},
  {poll, Type::counter,   "letterbox_presence_writes_total",          [](V v, Out out) { of_workers(v, out, [](W w) { return w.book->figures().writes.value(); }); }, "Writes to Redis that carried these notes."},
  {push, Type::counter,   "letterbox_private_requests_total",         private_requests, "Requests to the private face but for /healthz and /readyz, by the name of the key that they showed (empty: no key, or a wrong one) and by outcome: admitted, or the code of the refusal."},
  {push, Type::counter,   "letterbox_users_gone_total",               [](V v, Out out) { one(out, v.from.sweeper->figures().gone.value()); }, "Online users that this program found to have left."},
  {push, Type::counter,   "letterbox_presence_events_total",          [](V v, Out out) { one(out, v.from.sweeper->figures().delivered.value()); }, "Presence events (user.online, user.offline) that this program has delivered."},
  {push, Type::gauge,     "letterbox_presence_events_waiting",        [](V v, Out out) { one(out, v.from.sweeper->figures().waiting.value()); }, "Presence events that no program has delivered yet."},
  {push, Type::gauge,     "letterbox_scheduled_messages_waiting",     [](V v, Out out) { one(out, v.from.scheduler->figures().waiting.value()); }, "Messages of all users that wait for their time."},
  {push, Type::counter,   "letterbox_scheduled_messages_total",       [](V v, Out out) { one(out, v.from.scheduler->figures().pushed.value()); }, "Scheduled messages that this program has pushed."},
  {push, Type::counter,   "letterbox_scheduled_messages_late_total",  [](V v, Out out) { one(out, v.from.scheduler->figures().late.value()); }, "Of these, messages pushed more than a second after their time."},
  {push, Type::counter,   "letterbox_webhook_posts_total",            webhook_posts, "Posts to the webhook that have ended: taken (2xx), refused (410) or failed."},
  {push, Type::counter,   "letterbox_webhook_not_posted_total",       webhook_unposted, "Messages that no longer wait for the webhook, and were not taken by it: heard (acknowledged in time, removed or expired), given_up after the last post, or dropped since too many waited."},
  {push, Type::gauge,     "letterbox_webhook_waiting",                [](V v, Out out) { one(out, v.from.webhook->posts.waiting.value()); }, "Messages that nobody has acknowledged yet, or that wait for their next post, in all programs."},
  {push, Type::gauge,     "letterbox_webhook_under_way",              [](V v, Out out) { one(out, v.from.webhook->posts.under_way.value()); }, "Messages that this program is posting."},
  {both, Type::gauge,     "letterbox_redis_connections",              [](V v, Out out) { by_use(v, out, [](R r) { return r.connections.value(); }); }, "Connections to Redis that are logged in, by use."},
  {both, Type::counter,   "letterbox_redis_reconnects_total",         [](V v, Out out) { by_use(v, out, [](R r) { return r.reconnects.value(); }); }, "Connections to Redis that were lost and came back, by use."},
  {both, Type::counter,   "letterbox_redis_connect_failures_total",   [](V v, Out out) { by_use(v, out, [](R r) { return r.failures.value(); }); }, "Attempts to connect to Redis that failed, by use."},
  {both, Type::histogram, "letterbox_redis_command_duration_seconds", redis_latency, "From asking Redis to its answer, the worker's own queue included."},
  {both, Type::counter,   "process_cpu_seconds_total",                [](V v, Out out) { one(out, v.process.cpu_seconds); }, "Processor time used, user and system."},
  {both, Type::gauge,     "process_resident_memory_bytes",            [](V v, Out out) { one(out, v.process.resident_bytes); }, "Resident memory."},
  {both, Type::gauge,     "process_virtual_memory_bytes",             [](V v, Out out) { one(out, v.process.virtual_bytes); }, "Address space."},
  {both, Type::gauge,     "process_open_fds",                         [](V v, Out out) { one(out, v.process.open_fds); }, "Open file descriptors."},
  {both, Type::gauge,     "process_max_fds",                          [](V v, Out out) { one(out, v.process.max_fds); }, "Limit of open file descriptors."},
  {both, Type::gauge,     "process_start_time_seconds",               [](V v, Out out) { one(out, static_cast<double>(v.from.program.started_ms()) / 1000); }, "When the program started, in seconds since 1970."},
};
// clang-format on

}  // namespace

std::string metrics_text(const FigureSources& sources) {
  const View view{sources, process_figures(), sources.program.workers()};
  MetricsText out;
  for (const Row& row : kTable) {
    if (row.face == poll && sources.room == nullptr) continue;
    if (row.face == push && sources.sweeper == nullptr) continue;
    out.begin(row.name, row.type, row.help);
    row.read(view, out);
  }
  return out.take();
}

}  // namespace letterbox
