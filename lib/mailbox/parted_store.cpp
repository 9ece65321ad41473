// SPDX-License-Identifier: MIT
#include "mailbox/parted_store.h"

#include <memory>
#include <utility>

namespace letterbox {

namespace {

std::string_view its_user(const Store::Parked& client) { return client.user; }

}  // namespace

void PartedStore::push_each(std::span<const std::string_view> users, std::string_view element,
                            const PushOptions& options, ThenEach then) {
  call_each<Or<Pushed>>(
      users, parts_.size(),
      [&](size_t part, std::span<const std::string_view> its, ThenEach told) {
        parts_[part].push_each(its, element, options, std::move(told));
      },
      std::move(then));
}

void PartedStore::peek(std::span<const Parked> clients, bool lists, Then<Glimpses> then) {
  if (const auto part = only_part(clients, parts_.size(), its_user)) {
    return parts_[*part].peek(clients, lists, std::move(then));
  }
  const auto shares =
      std::make_shared<const std::vector<Share>>(divide(clients, parts_.size(), its_user));
  gather<Or<Glimpses>>(
      shares->size(),
      [&](size_t i, Then<Glimpses> told) {
        const Share& share = (*shares)[i];
        parts_[share.part].peek(pick<Parked>(clients, share), lists, std::move(told));
      },
      [shares, then = std::move(then)](std::vector<Or<Glimpses>> answers) {
        if (all_failed(answers)) return then(*first_error(answers));
        std::vector<Glimpses> glimpses;
        for (size_t i = 0; i < answers.size(); ++i) {
          glimpses.push_back(answers[i] ? std::move(*answers[i])
                                        : Glimpses((*shares)[i].places.size()));
        }
        then(in_order(*shares, std::move(glimpses)));
      });
}

}  // namespace letterbox
