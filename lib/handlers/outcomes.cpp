// SPDX-License-Identifier: MIT
#include "handlers/outcomes.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "handlers/reply.h"
#include "model/json_writer.h"

namespace letterbox {

namespace {

// Of so many a summary tells each outcome; of more recipients, so many failures.
constexpr size_t kToldOfASummary = 100;

int status_of(const Or<Pushed>& outcome) {
  if (!outcome) return info(outcome.error().code).status;
  return outcome->waiting ? 201 : 202;
}

void write(JsonWriter& json, const Pushed& pushed) {
  json.key("id").string(pushed.id.text());
  json.key("queued").number(static_cast<int64_t>(pushed.queued));
  json.key("waiting").boolean(pushed.waiting);
}

std::string single_text(const Or<Pushed>& outcome) {
  if (!outcome) return error_json(outcome.error());
  JsonWriter json;
  json.begin_object();
  write(json, *outcome);
  json.end_object();
  return json.take();
}

std::string listed_text(std::string_view to, const Or<Pushed>& outcome) {
  JsonWriter json;
  json.begin_object().key("to").string(utf8_lossy(to));
  if (outcome) {
    write(json, *outcome);
  } else {
    // error_json() is {"error":{...}}: its inside is what is wanted here.
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

void Outcomes::count(const Or<Pushed>& outcome) {
  if (outcome) {
    ++accepted_;
    if (outcome->waiting) ++waiting_;
  } else {
    ++failed_;
    retry_ms_ = std::max(retry_ms_, outcome.error().retry_after_ms);
  }
  status_ = std::max(status_, status_of(outcome));
}

void Outcomes::finish() {
  Response response{recipients_ == 0 ? 202 : status_, {}};
  if (retry_ms_ > 0) response.headers = retry_after(retry_ms_);
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
