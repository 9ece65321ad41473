// SPDX-License-Identifier: MIT
//
// The store of mailboxes in a cluster: each user's mailbox is in the store of the user's part. What
// concerns many users is one step a part, so it can be carried out for some of them only. For one
// worker's thread.
#pragma once

#include <utility>
#include <vector>

#include "mailbox/parted.h"
#include "mailbox/store.h"

namespace letterbox {

class PartedStore final : public Store {
 public:
  explicit PartedStore(std::vector<Store*> parts) : parts_(std::move(parts)) {}

  void push_each(std::span<const std::string_view> users, std::string_view element,
                 const PushOptions& options, ThenEach then) override;
  void read(const ReadRequest& request, Then<Reading> then) override {
    parts_.of(request.user).read(request, std::move(then));
  }
  // There is no glimpse of the clients of a part that is away, if another part answers: a read will
  // tell. Otherwise one node that is away would hold up the looks of all others.
  void peek(std::span<const Parked> clients, bool lists, Then<Glimpses> then) override;
  void acknowledge(std::string_view user, std::string_view client, const Cursor& after,
                   uint64_t park_until, Then<bool> then) override {
    parts_.of(user).acknowledge(user, client, after, park_until, std::move(then));
  }
  void view(std::string_view user, const Window& window, Then<MailboxView> then) override {
    parts_.of(user).view(user, window, std::move(then));
  }
  void unread(std::string_view user, std::string_view client, Then<uint64_t> then) override {
    parts_.of(user).unread(user, client, std::move(then));
  }
  void retract(std::string_view user, const Cursor& message, Then<bool> then) override {
    parts_.of(user).retract(user, message, std::move(then));
  }
  void remove(std::string_view user, Then<bool> then) override {
    parts_.of(user).remove(user, std::move(then));
  }
  void adopt(std::string_view user, std::string_view raw, Then<Pushed> then) override {
    parts_.of(user).adopt(user, raw, std::move(then));
  }
  void adopt_all(std::string_view user, Then<bool> then) override {
    parts_.of(user).adopt_all(user, std::move(then));
  }

 private:
  const Parts<Store> parts_;
};

}  // namespace letterbox
