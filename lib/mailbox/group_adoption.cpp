// SPDX-License-Identifier: MIT
#include "mailbox/group_adoption.h"

#include <array>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/rare.h"
#include "base/text.h"
#include "mailbox/failure.h"
#include "mailbox/keys.h"
#include "model/names.h"
#include "scripts.h"

namespace letterbox {

namespace {

constexpr std::string_view kScanKeys = "1000";
constexpr std::string_view kScanFromTheStart = "0";

}  // namespace

void GroupAdoption::meet(std::string_view group) {
  redis_.command({"ZSCORE", shared_keys(redis_.part()).groups, group},
                 [this, group = std::string(group)](const Reply& reply) {
                   // (If this fails, the group is met again with its next use.)
                   if (reply.ok() && reply.is_nil()) adopt(group, "-", [](const Or<bool>&) {});
                 });
}

// `begin` is where the members begin that have not been looked at, as of ZRANGEBYLEX.
void GroupAdoption::adopt(const std::string& group, const std::string& begin, Then then) {
  const std::string key = group_key(group, redis_.part());
  redis_.eval(lua::adopt, std::array<std::string_view, 2>{key, shared_keys(redis_.part()).groups},
              std::array<std::string_view, 3>{group, begin, kTextOf<kGroupStepUsers>},
              [this, group, then = std::move(then)](const Reply& reply) mutable {
                if (!reply.ok()) return then(failure_of(reply));
                if (reply.text().empty()) return then(true);
                adopt(group, "(" + std::string(reply.text()), std::move(then));
              });
}

void GroupAdoption::find_all(Then then) {
  // No version that did not list its groups has written to a cluster. (And each part would look at
  // all keys of its node.)
  if (parts() > 1) return then(true);
  const std::string& key = shared_keys(redis_.part()).groups_found;
  redis_.command({"GET", key}, [this, &key, then = std::move(then)](const Reply& reply) mutable {
    if (!reply.ok()) return then(failure_of(reply, key));
    if (!reply.is_nil()) return then(true);
    rare<"all keys are looked through for groups">();
    scan(kScanFromTheStart, std::move(then));
  });
}

void GroupAdoption::scan(std::string_view cursor, Then then) {
  redis_.command(
      {"SCAN", cursor, "MATCH", group_key_pattern(redis_.part()), "COUNT", kScanKeys},
      [this, then = std::move(then)](const Reply& reply) mutable {
        if (!reply.ok() || reply.size() < 2) return then(failure_of(reply));
        std::vector<std::string> groups;
        for (size_t i = 0; i < reply[1].size(); ++i) {
          const auto group = group_of(reply[1][i].text());
          // (Another program may have put any bytes there.)
          if (valid_group(group)) groups.emplace_back(group);
        }
        adopt_each(std::move(groups), [this, next = std::string(reply[0].text()),
                                       then = std::move(then)](const Or<bool>& adopted) mutable {
          if (!adopted) return then(adopted.error());
          if (next != kScanFromTheStart) return scan(next, std::move(then));
          redis_.command({"SET", shared_keys(redis_.part()).groups_found, "1"},
                         [then = std::move(then)](const Reply& set) {
                           if (!set.ok()) return then(failure_of(set));
                           then(true);
                         });
        });
      });
}

void GroupAdoption::adopt_each(std::vector<std::string> groups, Then then) {
  if (groups.empty()) return then(true);
  const std::string group = std::move(groups.back());
  groups.pop_back();
  adopt(
      group, "-",
      [this, groups = std::move(groups), then = std::move(then)](const Or<bool>& adopted) mutable {
        // (A key of another type is no group.)
        if (!adopted && adopted.error().code != Code::broken_data) return then(adopted.error());
        adopt_each(std::move(groups), std::move(then));
      });
}

}  // namespace letterbox
