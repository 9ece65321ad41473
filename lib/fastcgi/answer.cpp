// SPDX-License-Identifier: MIT
#include "fastcgi/answer.h"

#include <cassert>
#include <utility>

#include "base/rare.h"
#include "fastcgi/connection.h"
#include "model/error.h"

namespace letterbox {

Answer::Answer(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}

Answer& Answer::operator=(Answer&& other) noexcept {
  if (this != &other) {
    send_forgotten();
    connection_ = std::move(other.connection_);
    counts_ = std::move(other.counts_);
    headers_ = std::move(other.headers_);
    without_body_ = other.without_body_;
    begun_ = other.begun_;
  }
  return *this;
}

Answer::~Answer() { send_forgotten(); }

void Answer::send(Response response) {
  assert(!begun_);
  const auto connection = std::move(connection_);
  if (!connection) return;
  response.without_body = without_body_;
  if (headers_) response.headers += *headers_;
  connection->answer(response, counts_.get());
}

void Answer::begin(Response response) {
  assert(!begun_ && !without_body_);
  if (!connection_) return;
  begun_ = true;
  if (headers_) response.headers += *headers_;
  connection_->begin_answer(response, counts_.get());
}

size_t Answer::append(std::string_view text) {
  assert(begun_ || !connection_);
  return connection_ ? connection_->append(text) : 0;
}

void Answer::end() {
  assert(begun_ || !connection_);
  const auto connection = std::move(connection_);
  begun_ = false;
  if (connection) connection->end_answer();
}

bool Answer::when_gone(std::weak_ptr<PeerListener> listener) {
  return connection_ && connection_->when_gone(std::move(listener));
}

void Answer::send_forgotten() noexcept {
  if (!connection_) return;
  if (begun_) return end();
  rare<"an answer is forgotten">();
  const Error error{Code::internal, "the server forgot this request", 0};
  send({info(error.code).status, error_json(error) + "\n"});
}

}  // namespace letterbox
