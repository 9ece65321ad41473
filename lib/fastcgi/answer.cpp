// SPDX-License-Identifier: MIT
#include "fastcgi/answer.h"

#include <utility>

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
  }
  return *this;
}

Answer::~Answer() { send_forgotten(); }

void Answer::send(Response response) {
  const auto connection = std::move(connection_);
  if (!connection) return;
  response.without_body = without_body_;
  if (headers_) response.headers += *headers_;
  connection->answer(response, counts_.get());
}

bool Answer::when_gone(std::weak_ptr<GoneListener> listener) {
  return connection_ && connection_->when_gone(std::move(listener));
}

void Answer::send_forgotten() noexcept {
  if (!connection_) return;
  const Error error{Code::internal, "the server forgot this request", 0};
  send({info(error.code).status, error_json(error) + "\n"});
}

}  // namespace letterbox
