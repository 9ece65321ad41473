// SPDX-License-Identifier: MIT
//
// Metrics: counters, gauges and histograms, and the text in which Prometheus reads them (exposition
// format 0.0.4, https://prometheus.io/docs/instrumenting/exposition_formats/).
//
// Counting is one relaxed atomic addition, for any thread. Each worker has figures of its own, so
// that workers share no cache line. The reader adds them up.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace letterbox {

// A number that only grows.
class Counter {
 public:
  void add(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// How many of something there are now.
class Gauge {
 public:
  void add(int64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
  void set(int64_t n) { value_.store(n, std::memory_order_relaxed); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

// How often something took how long.
class LatencyHistogram {
 public:
  // Upper bounds in microseconds, ascending. Times above the last bound have a bucket of their own.
  static constexpr std::array<uint64_t, 14> kBoundsUs{
      100,    250,    500,     1'000,   2'500,   5'000,     10'000,
      25'000, 50'000, 100'000, 250'000, 500'000, 1'000'000, 2'500'000};

  struct Snapshot {
    std::array<uint64_t, kBoundsUs.size() + 1> counts{};  // of each bucket alone
    uint64_t sum_us = 0;

    Snapshot& operator+=(const Snapshot& other);
  };

  void observe(uint64_t us);
  Snapshot snapshot() const;

 private:
  std::array<Counter, kBoundsUs.size() + 1> counts_;
  Counter sum_us_;
};

// Writes the text. For one thread. REQUIRES: names are allowed by the format, texts are UTF-8, and
// no two samples of one metric have the same labels.
class MetricsText {
 public:
  enum class Type { counter, gauge, histogram };
  struct Label {
    std::string_view name;
    std::string_view value;  // any text: it is escaped
  };
  using Labels = std::initializer_list<Label>;

  // The samples that follow are of this metric.
  void begin(std::string_view name, Type type, std::string_view help);
  void sample(Labels labels, double value);
  // Written in seconds.
  void histogram(const LatencyHistogram::Snapshot& snapshot);

  std::string take();

 private:
  void line(std::string_view suffix, Labels labels, double value);

  std::string name_;
  std::string text_;
};

}  // namespace letterbox
