// SPDX-License-Identifier: MIT
//
// The client of a poll: remembers what came back, and can go away.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "waiting/poll.h"

namespace letterbox::test {

// What a client has heard so far. Outlives the client, which belongs to its poll.
struct Heard {
  std::vector<std::string> answers;  // JSON documents
  std::vector<Error> refusals;
  std::vector<std::string> written;  // to a stream: its portions, in the form of a poll's answer
  ReplyTo::Taken taken = ReplyTo::Taken::all;  // what the client takes of the next portion
  std::function<void()> meanwhile = [] {};     // happens while a portion is being written
  std::weak_ptr<PeerListener> listener;
  bool here = true;

  size_t count() const { return answers.size() + refusals.size(); }
  void take_all() {
    taken = ReplyTo::Taken::all;
    if (const auto who = listener.lock()) who->took_all();
  }
  void leave() {
    here = false;
    if (const auto who = listener.lock()) who->gone();
  }
};

class FakeReplyTo final : public ReplyTo {
 public:
  explicit FakeReplyTo(std::shared_ptr<Heard> heard) : heard_(std::move(heard)) {}

  void answer(const Ending& ending) override { heard_->answers.push_back(to_json(ending)); }
  void refuse(const Error& error) override { heard_->refusals.push_back(error); }
  Taken write(const Portion& portion) override {
    std::exchange(heard_->meanwhile, [] {})();
    heard_->written.push_back(to_json({.reason = Reason::messages, .given = portion}));
    return heard_->taken;
  }
  // As a connection does: after the answer its listener hears nothing more.
  bool when_gone(std::weak_ptr<PeerListener> listener) override {
    if (!heard_->here || heard_->count() > 0) return false;
    heard_->listener = std::move(listener);
    return true;
  }

 private:
  std::shared_ptr<Heard> heard_;
};

// The text after `key` in an answer, up to the end of its value; of an array the inside. Enough for
// documents whose strings hold neither brackets nor quotes.
inline std::string field(const std::string& json, std::string_view key) {
  const std::string name = "\"" + std::string(key) + "\":";
  const size_t at = json.find(name);
  if (at == std::string::npos) return "no " + std::string(key);
  const size_t begin = at + name.size();
  if (json[begin] == '"') return json.substr(begin + 1, json.find('"', begin + 1) - begin - 1);
  if (json[begin] == '[') return json.substr(begin + 1, json.find(']', begin) - begin - 1);
  return json.substr(begin, json.find_first_of(",}", begin) - begin);
}

}  // namespace letterbox::test
