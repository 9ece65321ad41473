// SPDX-License-Identifier: MIT
//
// What the classes Parted… of this folder have in common. Each divides the calls of one interface
// among the objects that work on one part of a cluster's data each, and makes one answer of theirs.
// For one worker's thread.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/callback.h"
#include "mailbox/keys.h"
#include "model/error.h"

namespace letterbox {

// The objects of all parts; an object's index is its part. They outlive this object.
template <class Object>
class Parts {
 public:
  explicit Parts(std::vector<Object*> all) : all_(std::move(all)) {
    assert(!all_.empty());
    for ([[maybe_unused]] const Object* object : all_) assert(object != nullptr);
  }

  size_t size() const { return all_.size(); }
  Object& operator[](size_t part) const { return *all_.at(part); }
  // The part that has a name's data.
  Object& of(std::string_view name) const { return *all_[part_of(name, all_.size())]; }

 private:
  std::vector<Object*> all_;
};

// Asks `count` times, by ask(i, told), and calls `then` once: when each `told` has been called,
// with what they were told, in the order of `i`.
template <class Answer, class Ask>
void gather(size_t count, const Ask& ask, Callback<void(std::vector<Answer>)> then) {
  if (count == 0) return then({});
  struct Roll {
    std::vector<std::optional<Answer>> answers;
    size_t open;
    Callback<void(std::vector<Answer>)> then;
  };
  const auto roll = std::make_shared<Roll>();
  roll->answers.resize(count);
  roll->open = count;
  roll->then = std::move(then);
  for (size_t i = 0; i < count; ++i) {
    ask(i, Callback<void(Answer)>([roll, i](Answer answer) {
          assert(roll->open > 0 && !roll->answers[i]);
          roll->answers[i] = std::move(answer);
          if (--roll->open > 0) return;
          std::vector<Answer> answers;
          answers.reserve(roll->answers.size());
          for (auto& each : roll->answers) answers.push_back(std::move(*each));
          roll->then(std::move(answers));
        }));
  }
}

// The error of the first that has one, or null.
template <class T>
const Error* first_error(const std::vector<Or<T>>& answers) {
  for (const auto& answer : answers) {
    if (!answer) return &answer.error();
  }
  return nullptr;
}

// Whether each answer is an error. (A call that asks for what there is, wherever it is, has an
// answer if one part has: a node that is away must not hold up the others.)
template <class T>
bool all_failed(const std::vector<Or<T>>& answers) {
  for (const auto& answer : answers) {
    if (answer) return false;
  }
  return true;
}

// True, or the first error.
inline Or<bool> all_done(const std::vector<Or<bool>>& answers) {
  const Error* error = first_error(answers);
  return error != nullptr ? Or<bool>(*error) : Or<bool>(true);
}

// For what is divided by itself: names of users.
inline std::string_view itself(std::string_view name) { return name; }

// The things of a call that belong to one part, by their places in the call.
struct Share {
  size_t part = 0;
  std::vector<size_t> places;  // in order
};

// The things that belong to the `share`.
template <class Thing, class Things>
std::vector<Thing> pick(const Things& things, const Share& share) {
  std::vector<Thing> picked;
  picked.reserve(share.places.size());
  for (const size_t place : share.places) picked.push_back(things[place]);
  return picked;
}

// The shares of the parts that have some of the things, in the order in which the things first name
// the parts. `name_of` says whose a thing is.
template <class Things, class NameOf>
std::vector<Share> divide(const Things& things, size_t parts, NameOf name_of) {
  constexpr size_t kNone = SIZE_MAX;
  std::vector<Share> shares;
  std::vector<size_t> share_of(parts, kNone);
  for (size_t place = 0; place < things.size(); ++place) {
    const size_t part = part_of(name_of(things[place]), parts);
    if (share_of[part] == kNone) {
      share_of[part] = shares.size();
      shares.push_back({.part = part, .places = {}});
    }
    shares[share_of[part]].places.push_back(place);
  }
  return shares;
}

// The one part to which all things belong; none: they belong to several.
template <class Things, class NameOf>
std::optional<size_t> only_part(const Things& things, size_t parts, NameOf name_of) {
  assert(!things.empty());
  const size_t first = part_of(name_of(things[0]), parts);
  for (size_t place = 1; place < things.size(); ++place) {
    if (part_of(name_of(things[place]), parts) != first) return std::nullopt;
  }
  return first;
}

// What became of each thing, in the order of the things: `outcomes` has the same by shares.
template <class Outcome>
std::vector<Outcome> in_order(const std::vector<Share>& shares,
                              std::vector<std::vector<Outcome>> outcomes) {
  assert(shares.size() == outcomes.size());
  std::vector<std::pair<size_t, Outcome*>> places;
  for (size_t i = 0; i < shares.size(); ++i) {
    assert(shares[i].places.size() == outcomes[i].size());
    for (size_t k = 0; k < outcomes[i].size(); ++k) {
      places.emplace_back(shares[i].places[k], &outcomes[i][k]);
    }
  }
  std::vector<Outcome*> ordered(places.size());
  for (const auto& [place, outcome] : places) {
    assert(place < ordered.size() && ordered[place] == nullptr);
    ordered[place] = outcome;
  }
  std::vector<Outcome> all;
  all.reserve(ordered.size());
  for (Outcome* outcome : ordered) all.push_back(std::move(*outcome));
  return all;
}

// Has each part do the same for its own of these users, by call(part, users, told), which tells
// what became of each of them in their order. `then` is told the same of all.
template <class Outcome, class Call>
void call_each(std::span<const std::string_view> users, size_t parts, const Call& call,
               Callback<void(const std::vector<Outcome>&)> then) {
  if (const auto part = only_part(users, parts, itself)) {
    return call(*part, users, std::move(then));
  }
  const auto shares = std::make_shared<const std::vector<Share>>(divide(users, parts, itself));
  gather<std::vector<Outcome>>(
      shares->size(),
      [&](size_t i, Callback<void(std::vector<Outcome>)> told) {
        const Share& share = (*shares)[i];
        call(share.part, pick<std::string_view>(users, share),
             [told = std::move(told)](const std::vector<Outcome>& outcomes) { told(outcomes); });
      },
      [shares, then = std::move(then)](std::vector<std::vector<Outcome>> outcomes) {
        then(in_order(*shares, std::move(outcomes)));
      });
}

}  // namespace letterbox
