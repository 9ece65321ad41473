// SPDX-License-Identifier: MIT
#include "requests/outcomes.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "base/text.h"
#include "model/json_writer.h"
#include "model/scheduled_id.h"
#include "requests/reply.h"

namespace letterbox {

namespace {

// A summary tells each outcome if there are at most this many recipients. If there are more, it
// tells at most this many failures.
constexpr size_t kToldOfASummary = 100;

bool waits(const Pushed& pushed) { return pushed.waiting; }
bool waits(const Scheduled&) { return false; }

template <class T>
int status_of(const Or<T>& outcome) {
  if (!outcome) return info(outcome.error().code).status;
  return waits(*outcome) ? 201 : 202;
}

void write(JsonWriter& json, const Scheduled& scheduled) {
  json.key("scheduled").string(scheduled.id);
  json.key("at").number(static_cast<int64_t>(scheduled.at_ms));
}

void write(JsonWriter& json, const Pushed& pushed) {
  if (const auto id = ScheduledId::parse(pushed.scheduled)) {
    return write(json, Scheduled{.id = pushed.scheduled, .at_ms = id->at_ms});
  }
  json.key("id").string(pushed.id.text());
  json.key("queued").number(static_cast<int64_t>(pushed.queued));
  json.key("waiting").boolean(pushed.waiting);
}

template <class T>
std::string single_text(const Or<T>& outcome) {
  if (!outcome) return error_json(outcome.error());
  JsonWriter json;
  json.begin_object();
  write(json, *outcome);
  json.end_object();
  return json.take();
}

template <class T>
std::string listed_text(std::string_view to, const Or<T>& outcome) {
  JsonWriter json;
  json.begin_object().key("to").string(utf8_lossy(to));
  if (outcome) {
    write(json, *outcome);
  } else {
    // error_json() is {"error":{...}}: this needs only the inner object.
    const std::string document = error_json(outcome.error());
    const std::string_view inside(document);
    constexpr std::string_view kOpen = R"({"error":)";
    json.key("error").raw(inside.substr(kOpen.size(), inside.rfind('}') - kOpen.size()));
  }
  json.end_object();
  return json.take();
}

}  // namespace

Outcomes::Outcomes(Shape shape, size_t recipients, Then then)
    : shape_(shape),
      recipients_(recipients),
      keeps_all_(shape != Shape::summary || recipients <= kToldOfASummary),
      then_(std::move(then)) {
  if (keeps_all_) texts_.resize(recipients);
  if (recipients == 0) finish();
}

void Outcomes::settle(size_t at, std::string_view to, const Or<Pushed>& outcome) {
  add(at, to, outcome);
}

void Outcomes::settle(size_t at, std::string_view to, const Or<Scheduled>& outcome) {
  add(at, to, outcome);
}

template <class T>
void Outcomes::add(size_t at, std::string_view to, const Or<T>& outcome) {
  assert(at < recipients_ && accepted_ + failed_ < recipients_);
  count(outcome);
  if (shape_ == Shape::single) {
    texts_[at] = single_text(outcome);
  } else if (keeps_all_) {
    texts_[at] = listed_text(to, outcome);
  } else if (!outcome && texts_.size() < kToldOfASummary) {
    texts_.push_back(listed_text(to, outcome));
  }
  if (accepted_ + failed_ == recipients_) finish();
}

template <class T>
void Outcomes::count(const Or<T>& outcome) {
  if (outcome) {
    ++accepted_;
    if (waits(*outcome)) ++waiting_;
    if (outcome->replayed) ++replayed_;
  } else {
    ++failed_;
    retry_ms_ = std::max(retry_ms_, outcome.error().retry_after_ms);
  }
  status_ = std::max(status_, status_of(outcome));
}

void Outcomes::finish() {
  assert(accepted_ + failed_ == recipients_ && waiting_ <= accepted_);
  Response response{recipients_ == 0 ? 202 : status_, {}};
  if (retry_ms_ > 0) response.headers = retry_after(retry_ms_);
  if (replayed_ > 0 && replayed_ == recipients_) response.headers += kReplayed;
  if (shape_ == Shape::single) {
    response.body = std::move(texts_.front());
  } else {
    JsonWriter json;
    json.begin_object();
    if (shape_ == Shape::summary) {
      json.key("count").number(static_cast<int64_t>(recipients_));
      json.key("accepted").number(static_cast<int64_t>(accepted_));
      json.key("waiting").number(static_cast<int64_t>(waiting_));
      json.key("failed").number(static_cast<int64_t>(failed_));
    }
    json.key("results").begin_array();
    for (const auto& text : texts_) json.raw(text);
    json.end_array().end_object();
    response.body = json.take();
  }
  response.body += '\n';
  then_(std::move(response));
}

}  // namespace letterbox
