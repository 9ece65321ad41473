// SPDX-License-Identifier: MIT
#include "handlers/alive.h"

#include <utility>

#include "model/json.h"
#include "requests/reply.h"

namespace letterbox {

namespace {

std::string to_json(const Admission& admission, uint64_t unread, uint64_t now) {
  JsonWriter json;
  json.begin_object().key("user").string(admission.claim.user);
  json.key("unread").number(static_cast<int64_t>(unread));
  json.key("time").number(static_cast<int64_t>(now));
  json.key("expires").number_or_null(admission.expires_ms);
  json.key("data").raw(admission.data.empty() ? "null" : admission.data);
  return json.end_object().take() + "\n";
}

}  // namespace

AliveHandler::AliveHandler(Desk& desk, const Gate& gate, PresenceBook& presence, uint64_t pace_ms)
    : desk_(desk), gate_(gate), presence_(presence), pace_ms_(pace_ms) {}

void AliveHandler::alive(const Request& request, const Query& query, Answer answer) const {
  const auto caller = gate_.look(request, query);
  if (!caller) return refuse(answer, caller.error());
  auto client = read_client(query);
  if (!client) return refuse(answer, client.error());
  Sign sign{std::move(*client), std::string(request.remote_addr), std::string(request.user_agent)};
  gate_.admit(*caller, request.remote_addr,
              [this, sign = std::move(sign),
               answer = std::move(answer)](const Or<AdmissionPtr>& admission) mutable {
                if (!admission) return refuse(answer, admission.error());
                tell(*admission, sign, std::move(answer));
              });
}

void AliveHandler::tell(const AdmissionPtr& admission, const Sign& sign, Answer answer) const {
  const auto client = client_of(*admission, sign.client);
  if (!client) return refuse(answer, client.error());
  presence_.seen(admission->claim.user, *client, sign.address, sign.agent,
                 desk_.loop.clock().wall_ms() + online_ms(pace_ms_));
  desk_.store.unread(admission->claim.user, *client,
                     answering(std::move(answer), [this, admission](uint64_t unread) {
                       return to_json(*admission, unread, desk_.loop.clock().wall_ms());
                     }));
}

}  // namespace letterbox
