// SPDX-License-Identifier: MIT
#include "requests/gate.h"

#include <memory>
#include <utility>

#include "model/names.h"
#include "requests/reply.h"

namespace letterbox {

Gate::Gate(Desk& desk, Access& access, AdmissionCache& cache, Review& review,
           const SignedTokens& keys, const Origins& origins, const Clock& clock, bool open)
    : desk_(desk),
      access_(access),
      cache_(cache),
      review_(review),
      keys_(keys),
      origins_(origins),
      clock_(clock),
      open_(open) {}

Or<Gate::Caller> Gate::look(const Request& request, const Query& query) const {
  auto shown = identify(request, query, open_);
  if (!shown) return shown.error();
  if (shown->ambient && is_cross_site(request) && !origins_.name(request.origin)) {
    return Error{Code::cross_site, "pages of other sites may not poll by a cookie or a login"};
  }
  Caller caller{.shown = std::move(*shown), .heard = cache_.heard(), .admission = {}};
  bool stale = false;
  caller.admission = cache_.find(key_of(caller.shown), stale);
  const bool slides = caller.admission && caller.admission->slide_ms != 0;
  if (stale && slides) {
    // Redis prolongs the token, and says until when.
    caller.admission = nullptr;
    caller.prolongs = true;
  } else if (stale) {
    // The gate believes the admission meanwhile. If Redis turns it down (it became wrong without a
    // notice), its polls end.
    cache_.ask(access_, caller.admission->claim, request.remote_addr,
               [this, user = caller.admission->claim.user](const Or<AdmissionPtr>& answer) {
                 if (turned_away(answer)) review_.changed(desk_, access_, user);
               });
  }
  return caller;
}

void Gate::admit(const Caller& caller, std::string_view address, Then then) const {
  if (caller.admission) return then(caller.admission);
  const auto claim = to_claim(caller.shown, keys_, clock_.wall_ms());
  if (!claim) return then(claim.error());
  if (!caller.prolongs) return cache_.ask(access_, *claim, address, std::move(then));
  cache_.ask(access_, *claim, address,
             [this, user = claim->user, then = std::move(then)](const Or<AdmissionPtr>& answer) {
               if (turned_away(answer)) review_.changed(desk_, access_, user);
               then(answer);
             });
}

void Gate::entered(uint64_t heard, const std::string& user) const {
  review_.entered(desk_, access_, user, heard);
}

Or<std::string> read_client(const Query& query) {
  const auto client = query.single("client");
  if (!client) return client.error();
  if (!*client) return std::string();
  if (valid_client(**client)) return std::string(**client);
  return bad_client();
}

Or<std::string> client_of(const Admission& admission, std::string_view asked) {
  if (admission.client.empty() || admission.client == asked) return std::string(asked);
  if (asked.empty()) return admission.client;
  return Error{Code::other_client, "this token is for the client '" + admission.client + "'"};
}

}  // namespace letterbox
