// SPDX-License-Identifier: MIT
#include "figures.h"

#include "base/metrics.h"
#include "base/process.h"
#include "settings.h"

namespace letterbox {

namespace {

using Type = MetricsText::Type;

// What the rows read.
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

// A metric that is one number.
template <class Number>
void one(MetricsText& out, Number number) {
  out.sample({}, static_cast<double>(number));
}

// ... that of all workers together.
template <class Read>
void of_workers(const View& view, MetricsText& out, Read read) {
  one(out, sum(view, read));
}

// Connections that carry commands, and those that listen.
template <class Read>
void by_use(const View& view, MetricsText& out, Read read) {
  out.sample({{"use", "commands"}},
             sum(view, [&](const Worker& worker) { return read(worker.redis_figures); }));
  if (view.from.lanes == nullptr) return;
  out.sample({{"use", "address"}},
             sum(view, [&](const Worker& worker) { return read(worker.address_figures); }));
  out.sample({{"use", "lane"}},
             sum(view, [&](const Worker& worker) { return read(worker.lane_figures); }));
}

// ... that of all fronts' switchboards.
template <class Read>
void of_boards(const View& view, MetricsText& out, Read read) {
  of_workers(view, out, [&](const Worker& worker) {
    size_t total = 0;
    for (const Front* front : worker.fronts) total += read(*front->board);
    return total;
  });
}

// `counts_of` finds the same route's counts in each front; null: that face has no such route.
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

// What both faces have, such as /metrics, is one route.
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

void build(const View& view, MetricsText& out) {
  out.sample({{"program", view.from.program.name()}, {"version", kVersion}}, 1);
}

using V = const View&;
using Out = MetricsText&;
using W = const Worker&;
using B = const Switchboard&;
using R = const RedisFigures&;

enum class Face { both, poll, push };
using enum Face;

struct Row {
  Face face;  // which one it is about, and a program that serves it has
  Type type;
  std::string_view name;
  void (*read)(V, Out);
  std::string_view help;
};

// clang-format off
constexpr Row kTable[] = {
  {both, Type::gauge,     "letterbox_build_info",                     build, "Always 1: which program this is, and of which version."},
  {both, Type::gauge,     "letterbox_workers",                        [](V v, Out out) { one(out, v.workers.size()); }, "Worker threads."},
  {both, Type::counter,   "letterbox_requests_total",                 requests, "Requests that have ended, by route and HTTP status; 499: the client left before its answer."},
  {both, Type::gauge,     "letterbox_requests_in_flight",             [](V v, Out out) { of_boards(v, out, [](B b) { return b.open_exchanges(); }); }, "Requests not yet answered, parked polls among them."},
  {both, Type::gauge,     "letterbox_fastcgi_connections",            [](V v, Out out) { of_boards(v, out, [](B b) { return b.open_connections(); }); }, "Connections from nginx that are open."},
  {both, Type::gauge,     "letterbox_slow_requests",                  [](V v, Out out) { of_boards(v, out, [](B b) { return b.slow_requests(); }); }, "Requests that come in pieces and are not whole yet."},
  {poll, Type::gauge,     "letterbox_polls_parked",                   [](V v, Out out) { one(out, v.from.room->parked()); }, "Polls and streams that wait for a message."},
  {poll, Type::gauge,     "letterbox_streams",                        [](V v, Out out) { one(out, v.from.room->streams()); }, "Streams that stand."},
  {poll, Type::gauge,     "letterbox_polls_queued",                   [](V v, Out out) { one(out, v.from.room->waiting_reads()); }, "Polls that wait for their turn to be read for."},
  {poll, Type::gauge,     "letterbox_reads_under_way",                [](V v, Out out) { one(out, v.from.room->reads_under_way()); }, "Reads of mailboxes that Redis was asked for, and has not answered."},
  {poll, Type::counter,   "letterbox_polls_ended_total",              polls_ended, "Polls and streams that have ended, by reason."},
  {poll, Type::gauge,     "letterbox_mailboxes_watched",              [](V v, Out out) { one(out, v.from.room->mailboxes()); }, "Mailboxes whose clients poll, or did a moment ago."},
  {poll, Type::gauge,     "letterbox_lanes",                          [](V v, Out out) { one(out, v.from.lanes->size()); }, "Lanes: connections to Redis that listen to the mailboxes' own lists, or try to."},
  {poll, Type::counter,   "letterbox_lanes_refused_total",            [](V v, Out out) { one(out, v.from.lanes->refusals()); }, "Lanes that Redis had no connection for: their mailboxes went to others."},
  {both, Type::counter,   "letterbox_pushed_messages_total",          [](V v, Out out) { of_workers(v, out, [](W w) { return w.store.pushed().messages.value(); }); }, "Messages that Redis has taken, one a recipient."},
  {both, Type::counter,   "letterbox_pushed_bytes_total",             [](V v, Out out) { of_workers(v, out, [](W w) { return w.store.pushed().bytes.value(); }); }, "Bytes of these messages."},
  {poll, Type::counter,   "letterbox_delivered_messages_total",       [](V v, Out out) { one(out, v.from.room->delivered().messages.value()); }, "Messages in answers to polls and in streams: one for each client that got it, each time."},
  {poll, Type::counter,   "letterbox_delivered_bytes_total",          [](V v, Out out) { one(out, v.from.room->delivered().bytes.value()); }, "Bytes of these messages."},
  {poll, Type::counter,   "letterbox_missed_messages_total",          [](V v, Out out) { one(out, v.from.room->delivered().missed.value()); }, "Messages of which a client was told that it has missed them."},
  {poll, Type::counter,   "letterbox_presence_notes_total",           [](V v, Out out) { of_workers(v, out, [](W w) { return w.book->figures().notes.value(); }); }, "Clients written down in Redis as online, each as often as it was."},
  {poll, Type::counter,   "letterbox_presence_writes_total",          [](V v, Out out) { of_workers(v, out, [](W w) { return w.book->figures().writes.value(); }); }, "Writes to Redis that carried them."},
  {push, Type::counter,   "letterbox_users_gone_total",               [](V v, Out out) { one(out, v.from.sweeper->figures().gone.value()); }, "Users that were online, and whom this program has found gone."},
  {push, Type::counter,   "letterbox_presence_events_total",          [](V v, Out out) { one(out, v.from.sweeper->figures().delivered.value()); }, "Events of who comes and goes that this program has delivered."},
  {push, Type::gauge,     "letterbox_presence_events_waiting",        [](V v, Out out) { one(out, v.from.sweeper->figures().waiting.value()); }, "Events that nobody has delivered yet."},
  {both, Type::gauge,     "letterbox_redis_connections",              [](V v, Out out) { by_use(v, out, [](R r) { return r.connections.value(); }); }, "Connections to Redis that are logged in, by use."},
  {both, Type::counter,   "letterbox_redis_reconnects_total",         [](V v, Out out) { by_use(v, out, [](R r) { return r.reconnects.value(); }); }, "Connections to Redis that were lost and came back, by use."},
  {both, Type::counter,   "letterbox_redis_connect_failures_total",   [](V v, Out out) { by_use(v, out, [](R r) { return r.failures.value(); }); }, "Attempts to connect to Redis that failed, by use."},
  {both, Type::histogram, "letterbox_redis_command_duration_seconds", redis_latency, "From asking Redis to its answer, the worker's own queue included."},
  {both, Type::counter,   "process_cpu_seconds_total",                [](V v, Out out) { one(out, v.process.cpu_seconds); }, "Processor time used, user and system."},
  {both, Type::gauge,     "process_resident_memory_bytes",            [](V v, Out out) { one(out, v.process.resident_bytes); }, "Memory that is in use."},
  {both, Type::gauge,     "process_virtual_memory_bytes",             [](V v, Out out) { one(out, v.process.virtual_bytes); }, "Address space."},
  {both, Type::gauge,     "process_open_fds",                         [](V v, Out out) { one(out, v.process.open_fds); }, "Open file descriptors."},
  {both, Type::gauge,     "process_max_fds",                          [](V v, Out out) { one(out, v.process.max_fds); }, "Most file descriptors that may be open."},
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
