// SPDX-License-Identifier: MIT
#include "redis/cluster_view.h"

#include <algorithm>
#include <optional>
#include <string>

#include "base/text.h"
#include "redis/slot.h"

namespace letterbox {

namespace {

bool has_flag(std::string_view flags, std::string_view flag) {
  while (!flags.empty()) {
    if (take_until(flags, ',') == flag) return true;
  }
  return false;
}

// `N` or `N-M`. (`[N->-ID]` and `[N-<-ID]` say that a slot is being moved; it is still where it
// was.)
std::optional<std::pair<uint16_t, uint16_t>> parse_slots(std::string_view text) {
  const auto first = parse_u64(take_until(text, '-'));
  const auto last = text.empty() ? first : parse_u64(text);
  if (!first || !last || *first > *last || *last >= kSlots) return std::nullopt;
  return std::pair(static_cast<uint16_t>(*first), static_cast<uint16_t>(*last));
}

// ID ADDRESS FLAGS MASTER PING-SENT PONG-RECEIVED EPOCH LINK-STATE SLOTS..., where ADDRESS is
// HOST:PORT@BUSPORT[,HOSTNAME[,...]].
std::optional<ClusterView::Node> parse_node(std::string_view line, const std::string& asked) {
  const auto id = take_until(line, ' ');
  auto where = take_until(line, ' ');
  const auto address = ClusterView::parse_address(take_until(where, '@'), asked);
  const auto flags = take_until(line, ' ');
  const auto master = take_until(line, ' ');
  for (int i = 0; i < 2; ++i) take_until(line, ' ');
  const auto epoch = parse_u64(take_until(line, ' '));
  take_until(line, ' ');
  if (!address || !epoch || has_flag(flags, "handshake") || has_flag(flags, "noaddr")) {
    return std::nullopt;
  }
  ClusterView::Node node{.id = std::string(id),
                         .address = *address,
                         .failing = has_flag(flags, "fail"),
                         .replica_of = master == "-" ? "" : std::string(master),
                         .epoch = *epoch};
  while (!line.empty()) {
    if (const auto slots = parse_slots(take_until(line, ' '))) node.slots.push_back(*slots);
  }
  return node;
}

}  // namespace

bool ClusterView::Node::owns(uint16_t slot) const {
  return std::any_of(slots.begin(), slots.end(), [slot](const auto& range) {
    return range.first <= slot && slot <= range.second;
  });
}

std::optional<RedisAddress> ClusterView::parse_address(std::string_view text,
                                                       const std::string& host) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = parse_u64(text.substr(colon + 1));
  if (!port || *port < 1 || *port > 65535) return std::nullopt;
  RedisAddress address;
  address.host = colon == 0 ? host : std::string(text.substr(0, colon));
  address.port = static_cast<int>(*port);
  return address.host.empty() ? std::nullopt : std::optional(address);
}

ClusterView ClusterView::parse(std::string_view text, const std::string& host) {
  ClusterView view;
  while (!text.empty()) {
    if (auto node = parse_node(take_until(text, '\n'), host)) {
      view.nodes.push_back(std::move(*node));
    }
  }
  return view;
}

const ClusterView::Node* owner_of(uint16_t slot, const std::vector<ClusterView>& views,
                                  const RedisAddress* present) {
  const ClusterView::Node* owner = nullptr;
  for (const auto& view : views) {
    for (const auto& node : view.nodes) {
      if (owner != nullptr && node.epoch < owner->epoch) continue;
      const bool newer = owner == nullptr || node.epoch > owner->epoch;
      const bool is_present = present != nullptr && node.address == *present;
      if ((newer || is_present) && node.owns(slot)) owner = &node;
    }
  }
  return owner;
}

}  // namespace letterbox
